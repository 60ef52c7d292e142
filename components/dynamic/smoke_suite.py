"""A smoke suite: what is asked and what must come back. Pure: no Pulumi, no network.

Payloads and expectations cross the engine as JSON text, because every number that crosses it otherwise becomes a float
(`10110` would be sent as `10110.0`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .smoke_fields import field_problems, type_problems
from .smoke_latency import PERCENTILES, samples_needed

OK = 200
# What databricks-sdk 0.156.0 `serving_endpoints.query` sends, one of them a request.
INPUT_FORMS = ("dataframe_records", "dataframe_split", "instances", "inputs", "input", "messages", "prompt")
_STATUSES = range(100, 600)


class SuiteError(ValueError):
    """A suite that cannot be asked; says which query, what is wrong and what to write."""


@dataclass(frozen=True, kw_only=True)
class SmokeExpectation:
    """What an answer must look like."""

    status: int = OK
    """HTTP status."""
    predictions_count: int | None = None
    """Number of predictions; one for each record of the payload when left out."""
    required_fields: Sequence[str] = ()
    """Fields of every prediction, dots between levels and a number for a place in a list (`choices.0.message.content`);
    of the answer itself where it has no `predictions`."""
    values: Sequence[Any] | None = None
    """The predictions themselves, in order. Of an object, the fields named here. NaN equals NaN."""
    absolute_tolerance: float = 0.0
    """Largest accepted difference of a number in `values`."""
    relative_tolerance: float = 0.0
    """Largest accepted difference of a number in `values`, as a share of the larger one."""
    field_types: Mapping[str, str] = field(default_factory=dict)
    """Field, as in `required_fields`, to its JSON type: number, integer, string, boolean, array, object; `?` behind it
    allows null. The field `.` is the prediction itself."""
    max_latency_ms: float | None = None
    """Longest accepted time of an answer once the entity is warm, in milliseconds."""
    max_percentile_ms: Mapping[str, float] = field(default_factory=dict)
    """Percentile (`50`, `95`, `99`) to the longest accepted time in milliseconds, of the warm answers of one entity."""
    samples: int = 0
    """How many further warm answers of each entity the percentiles are judged from: 59 or more for `95`, 299 for
    `99`."""


@dataclass(frozen=True, kw_only=True)
class SmokeCase:
    """One named question."""

    name: str
    """Name, unique in the suite; appears in errors and reports."""
    payload: Mapping[str, Any]
    """Body of the request, for example `{"dataframe_records": [{...}]}`."""
    expect: SmokeExpectation = field(default_factory=SmokeExpectation)
    """What must come back."""
    version: str | None = None
    """Model version whose entities are asked, where others are right to answer otherwise; all when left out."""

    @classmethod
    def from_file(cls, name: str, path: str | Path, expect: SmokeExpectation | None = None) -> SmokeCase:
        """A case whose payload is the JSON object in a file. Raises SuiteError where it is none."""
        try:
            payload = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SuiteError(f"query {name!r}: {path} holds no JSON: {error}") from None
        if not isinstance(payload, dict):
            raise SuiteError(f"query {name!r}: {path} holds a {type(payload).__name__}, expected a JSON object")
        return cls(name=name, payload=payload, expect=expect or SmokeExpectation())


def payload_text(payload: Mapping[str, Any]) -> str:
    """A payload as the text that is sent. Raises SuiteError for what JSON cannot carry."""
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SuiteError(f"the payload is no JSON: {error}; write null for a missing number, text for a date") from None


def expectation_text(expect: SmokeExpectation) -> str:
    """An expectation as text; NaN stays NaN."""
    return json.dumps(asdict(expect), sort_keys=True, separators=(",", ":"))


def parse_case(name: Any, payload: Any, expect: Any, version: str | None = None) -> SmokeCase:
    """A case from the texts that crossed the engine, checked.

    Raises:
        SuiteError: the payload is no JSON object with exactly one filled input form, or the expectation contradicts it.
    """
    if not isinstance(name, str) or not name.strip():
        raise SuiteError(f"a query has the name {name!r}; give every query a name")
    try:
        body, expected = json.loads(payload), json.loads(expect)
    except (TypeError, ValueError) as error:
        raise SuiteError(f"query {name!r}: {error}; payload and expectation are JSON objects") from None
    if not isinstance(body, dict):
        raise SuiteError(f"query {name!r}: the payload is a {type(body).__name__}, expected a JSON object")
    try:
        case = SmokeCase(name=name, payload=body, expect=SmokeExpectation(**expected), version=version)
    except TypeError as error:
        raise SuiteError(f"query {name!r}: {error}; see SmokeExpectation for what can be expected") from None
    for problem in _problems(case):
        raise SuiteError(f"query {name!r}: {problem}")
    return case


def record_count(payload: Mapping[str, Any]) -> int | None:
    """How many predictions a payload asks for; None where its form does not say."""
    if "dataframe_split" in payload:
        return len(payload["dataframe_split"]["data"])
    for form in ("dataframe_records", "instances", "inputs"):
        value = payload.get(form)
        if isinstance(value, list):
            return len(value)
        if isinstance(value, dict):
            columns = list(value.values())
            return len(columns[0]) if columns and all(isinstance(column, list) for column in columns) else None
    return None


def shape(payload: Mapping[str, Any]) -> str:
    """What a payload asks, without its values: they may be personal data."""
    form = next(form for form in INPUT_FORMS if form in payload)
    records = payload.get(form)
    fields = ""
    if form == "dataframe_records" and isinstance(records, list) and isinstance(records[0], dict):
        fields = f" with {', '.join(records[0])}"
    elif form == "dataframe_split":
        fields = f" with {', '.join(map(str, payload[form].get('columns', [])))}"
    count = record_count(payload)
    return f"{form}{'' if count is None else f' ({count})'}{fields}"


def verdict(case: SmokeCase, status: int, body: str, latency_ms: float | None) -> list[str]:
    """Everything about an answer that is not as expected; empty where it passes.

    Args:
        latency_ms: time of the answer; None where it is not to be judged (a cold start).
    """
    expect = case.expect
    if status != expect.status:
        return [f"status {status}, expected {expect.status}"]
    problems = list(_body_problems(case, body)) if status == OK else []
    if latency_ms is not None and expect.max_latency_ms is not None and latency_ms > expect.max_latency_ms:
        problems.append(f"answered in {latency_ms:.0f} ms, expected at most {expect.max_latency_ms:g} ms")
    return problems


def suite_digest(suite: Any) -> str:
    """sha256 of what decides whether a suite must run again; the order of keys does not matter."""
    canonical = json.dumps(suite, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _problems(case: SmokeCase) -> Iterator[str]:
    forms = [form for form in INPUT_FORMS if form in case.payload]
    if len(forms) != 1:
        found = f"{', '.join(forms)} together" if forms else f"none of them (keys: {', '.join(case.payload) or 'none'})"
        yield f"the payload has {found}; it takes exactly one of {', '.join(INPUT_FORMS)}"
        return
    form, value = forms[0], case.payload[forms[0]]
    if not value:
        yield f"{form} is empty; ask for at least one record"
        return
    if form == "dataframe_records" and not (
        isinstance(value, list) and all(isinstance(row, dict) and row for row in value)
    ):
        yield "dataframe_records is no list of objects with fields; write [{column: value, ...}]"
    if form == "dataframe_split" and not (
        isinstance(value, dict) and isinstance(value.get("data"), list) and value["data"]
    ):
        yield "dataframe_split has no rows; write {columns: [...], data: [[...]]}"
        return
    expect = case.expect
    if isinstance(expect.status, bool) or expect.status not in _STATUSES:
        yield f"expected status {expect.status!r} is no HTTP status"
    if expect.values is not None:
        count = expect.predictions_count if expect.predictions_count is not None else record_count(case.payload)
        if count is not None and count != len(expect.values):
            yield f"{len(expect.values)} values expected for {count} predictions; name one for each"
    for name in ("absolute_tolerance", "relative_tolerance"):
        if not getattr(expect, name) >= 0:
            yield f"{name} is {getattr(expect, name)!r}; a tolerance is 0 or more"
    if expect.max_latency_ms is not None and not expect.max_latency_ms > 0:
        yield f"max_latency_ms is {expect.max_latency_ms!r}; it is more than 0"
    yield from type_problems(expect.field_types)
    yield from _percentile_problems(expect)


def _percentile_problems(expect: SmokeExpectation) -> Iterator[str]:
    known = [str(percentile) for percentile in PERCENTILES]
    for percentile, limit in expect.max_percentile_ms.items():
        if percentile not in known:
            yield f"max_percentile_ms has {percentile!r}; use {', '.join(known)}"
        elif not limit > 0:
            yield f"max_percentile_ms.{percentile} is {limit!r}; it is more than 0"
        elif expect.samples < (needed := samples_needed(int(percentile))):
            yield (
                f"p{percentile} cannot be claimed from {expect.samples} samples; set samples to {needed} or more, or "
                "judge max_latency_ms instead"
            )
    if expect.samples and not expect.max_percentile_ms:
        yield f"{expect.samples} samples are taken for nothing; set max_percentile_ms, or remove samples"


def _body_problems(case: SmokeCase, body: str) -> Iterator[str]:
    try:
        answer = json.loads(body)
    except ValueError:
        yield "the answer is no JSON"
        return
    if not isinstance(answer, dict):
        yield f"the answer is a {type(answer).__name__}, expected a JSON object"
        return
    expect = case.expect
    predictions = answer.get("predictions")
    count = expect.predictions_count if expect.predictions_count is not None else record_count(case.payload)
    needs_predictions = count is not None or expect.values is not None
    if needs_predictions and not isinstance(predictions, list):
        yield f"the answer has no list of predictions (it has {', '.join(answer) or 'nothing'})"
        return
    if isinstance(predictions, list) and count is not None and len(predictions) != count:
        yield f"{len(predictions)} predictions, expected {count}"
        return
    yield from field_problems(expect.required_fields, expect.field_types, answer, predictions)
    if expect.values is not None and isinstance(predictions, list):
        yield from _differences("predictions", list(expect.values), predictions, expect)


def _differences(path: str, expected: Any, found: Any, expect: SmokeExpectation) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if key not in found:
                yield f"{path}.{key} is missing, expected {value!r}"
            else:
                yield from _differences(f"{path}.{key}", value, found[key], expect)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{path} has {len(found)} elements, expected {len(expected)}"
            return
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other, expect)
    elif not _equal(expected, found, expect):
        yield f"{path} is {found!r}, expected {expected!r}{_tolerance(expected, expect)}"


def _equal(expected: Any, found: Any, expect: SmokeExpectation) -> bool:
    # bool is an int in Python; a flag that comes back as a number is another answer.
    if not _is_number(expected) or not _is_number(found):
        return type(expected) is type(found) and bool(expected == found)
    if math.isnan(expected) or math.isnan(found):
        return math.isnan(expected) and math.isnan(found)
    return math.isclose(expected, found, rel_tol=expect.relative_tolerance, abs_tol=expect.absolute_tolerance)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tolerance(expected: Any, expect: SmokeExpectation) -> str:
    if not _is_number(expected) or not (expect.absolute_tolerance or expect.relative_tolerance):
        return ""
    return f" (tolerance {expect.absolute_tolerance:g} absolute, {expect.relative_tolerance:g} relative)"

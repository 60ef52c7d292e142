"""What a failed smoke run leaves behind: one error text, and a report beside it. Both redacted by whoever sends
them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .smoke_diagnosis import diagnose
from .smoke_run import Asked, SmokeRun
from .smoke_suite import expectation_text, shape

FOLDER_VARIABLE = "SMOKE_REPORT_DIR"
_SHOWN_FAILURES = 3
_BODY_IN_ERROR = 400
_BODY_IN_REPORT = 4000


def failure_lines(run: SmokeRun) -> list[str]:
    """The failed run in words: what matters first, then for each failure what was asked, answered and expected."""
    failures = run.failures
    first = failures[0]
    lines = [
        f"endpoint {run.endpoint} failed {len(failures)} of {len(run.asked)} smoke queries: "
        f"{first.case.name!r} to {first.target}: {first.problems[0]}"
    ]
    for failure in failures[:_SHOWN_FAILURES]:
        lines.extend(_told(failure))
    if len(failures) > _SHOWN_FAILURES:
        lines.append(f"and {len(failures) - _SHOWN_FAILURES} more, all of them in the report")
    return lines


def report_folder(declared: str | None) -> str | None:
    """Where reports go: the declared folder, else the one in the environment, else nowhere."""
    return declared or os.environ.get(FOLDER_VARIABLE) or None


def write_report(folder: str, run: SmokeRun, context: Mapping[str, Any], redact: Callable[[str], str]) -> Path:
    """Writes a run as JSON. Raises OSError where the folder cannot be written."""
    moment = datetime.now(UTC)
    report = {
        "endpoint": run.endpoint,
        "at": moment.isoformat(timespec="seconds"),
        "status": "failed",
        **context,
        "asked": [_record(one) for one in run.asked],
    }
    target = Path(folder) / f"smoke-{run.endpoint}-{moment:%Y%m%dT%H%M%S%f}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(_redacted(report, redact), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def _told(failure: Asked) -> list[str]:
    answer = failure.answer
    answered = f"status {answer.status}" if answer.status is not None else "nothing"
    tries = f", attempt {answer.attempts}" if answer.attempts > 1 else ""
    lines = [
        f"asked: {failure.case.name!r}, POST {answer.path}, {shape(failure.case.payload)}",
        f"answered: {answered} in {answer.latency_ms:.0f} ms{tries}: {_excerpt(answer.body, _BODY_IN_ERROR)}",
        *(f"problem: {problem}" for problem in failure.problems),
    ]
    advice = diagnose(answer.status, f"{answer.body} {' '.join(failure.problems)}")
    return [*lines, f"likely: {advice}"] if advice else lines


def _record(one: Asked) -> dict[str, Any]:
    return {
        "query": one.case.name,
        "target": one.target,
        "path": one.answer.path,
        "payload": shape(one.case.payload),
        "expected": json.loads(expectation_text(one.case.expect)),
        "status": one.answer.status,
        "answered_by": one.answer.served_by,
        "latency_ms": round(one.answer.latency_ms, 1),
        "cold": one.cold,
        "attempts": one.answer.attempts,
        "problems": one.problems,
        "body": _excerpt(one.answer.body, _BODY_IN_REPORT),
    }


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(part, redact) for key, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part, redact) for part in value]
    return value


def _excerpt(text: str, length: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else f"{flat[:length]}... ({len(text)} characters)"

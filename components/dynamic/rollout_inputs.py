"""What a `TrafficRollout` takes and gives, between the engine's plain values and the terms of a release."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..names import (
    InvalidNameError,
    ThreePartName,
    check_endpoint_name,
    check_served_entity_name,
    check_version,
)
from ..release.case import Known, Wanted
from ..release.driver import Result
from ..release.plan import Plan, PlanError, parse_plan
from ..release.split import Split, final_split
from .provider import Props, known
from .smoke_ask import Patience
from .smoke_suite import (
    SmokeCase,
    SmokeExpectation,
    SuiteError,
    expectation_text,
    parse_case,
    suite_digest,
)
from .waiting import SystemClock

HISTORY_LENGTH = 60
RELEASED = "released"


class WallClock(SystemClock):
    """The machine's clock, with the time of day."""

    def wall(self) -> float:
        return time.time()


class InputsError(Exception):
    """Inputs that cannot be followed: (property, reason) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of one operation, checked."""

    endpoint_name: str
    wanted: Wanted
    plan: Plan
    cases: Sequence[SmokeCase]
    patience: Patience
    payload_table: str | None
    warehouse_id: str | None
    report_folder: str | None

    @classmethod
    def of(cls, inputs: Props) -> Inputs:
        """Raises InputsError naming everything that is wrong."""
        problems: list[tuple[str, str]] = []
        _check(problems, "endpoint_name", check_endpoint_name, inputs["endpoint_name"])
        model = _check(problems, "model", lambda text: str(ThreePartName.parse(text)), inputs["model"])
        version = _check(problems, "version", check_version, inputs["version"])
        name = _check(problems, "entity_name", check_served_entity_name, inputs["entity_name"])
        cases, suite = _suite(problems, inputs["queries"])
        if cases and not any(case.version in (None, version) for case in cases):
            problems.append(("queries", f"no query is for version {version}, which would go live unasked; add one"))
        plan = Plan()
        try:
            plan = parse_plan(inputs["plan"])
        except PlanError as error:
            problems += [("plan", line) for line in str(error).splitlines()]
        table, warehouse = known(inputs, "payload_table"), known(inputs, "warehouse_id")
        if plan.lag_seconds and not (table and warehouse):
            problems.append(
                ("plan", "a gate reads the inference table: name payload_table and warehouse_id, or remove the gate")
            )
        if problems:
            raise InputsError(problems)
        return cls(
            endpoint_name=inputs["endpoint_name"],
            wanted=Wanted(model=model, version=version, settings=_settings(inputs), suite=suite, name=name),
            plan=plan,
            cases=cases,
            patience=Patience(
                timeout_seconds=inputs["timeout_seconds"],
                warm_up_seconds=inputs["warm_up_seconds"],
                retries=int(inputs["retries"]),
                backoff_seconds=inputs["backoff_seconds"],
            ),
            payload_table=table,
            warehouse_id=warehouse,
            report_folder=inputs.get("report_folder"),
        )

    def outputs(
        self,
        inputs: Props,
        olds: Outputs | None,
        *,
        release: str,
        serving: str,
        split: Mapping[str, int],
        standby: Iterable[str],
        versions: Mapping[str, tuple[str, Mapping[str, Any]]],
        result: Result,
        history: Sequence[str],
        now: float,
    ) -> Props:
        """The outputs after a release that succeeded.

        Args:
            versions: served entity to its version and settings, of all that took part.
        """
        until = now + self.plan.rollback_window_seconds
        version = self.wanted.version
        good = {known: entry for known, entry in (olds.good if olds else {}).items() if entry[1] > now}
        if olds is not None and olds.version and olds.version != version and olds.version in olds.good:
            good[olds.version] = (olds.good[olds.version][0], until)
        good[version] = (self.wanted.settings_digest, 0.0)
        windows = olds.standby if olds else {}
        same = olds is not None and olds.version == version
        return {
            "endpoint_name": self.endpoint_name,
            "endpoint_id": inputs["endpoint_id"],
            "model": self.wanted.model,
            "version": version,
            "serving": serving,
            "split": dict(split),
            "standby": {name: windows.get(name, until) if same else until for name in standby},
            "standby_versions": {name: versions[name][0] for name in standby},
            "good": {known: list(entry) for known, entry in good.items()},
            "digest": self.wanted.digest,
            "status": RELEASED,
            "release": release,
            "released_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "previous_version": olds.previous_version if same and olds else (olds.version if olds else ""),
            "history": list(history)[-HISTORY_LENGTH:],
            "evidence": suite_digest(
                {"endpoint": self.endpoint_name, "release": self.wanted.digest, "entity": serving}
            ),
            "queries_sent": result.queries_sent,
            "latency_ms": result.run.latencies() if result.run is not None else {},
            "answered_by": {serving: "ok"},
            "provider_version": inputs["provider_version"],
        }


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What the state holds of the last release that succeeded."""

    version: str
    serving: str
    digest: str
    standby: Mapping[str, float]
    """Served entity to the end of its rollback window."""
    good: Mapping[str, tuple[str, float]]
    previous_version: str

    @classmethod
    def of(cls, outs: Mapping[str, Any]) -> Outputs:
        return cls(
            version=str(outs.get("version") or ""),
            serving=str(outs.get("serving") or ""),
            digest=str(outs.get("digest") or ""),
            standby=dict(outs.get("standby") or {}),
            good={version: (entry[0], float(entry[1])) for version, entry in (outs.get("good") or {}).items()},
            previous_version=str(outs.get("previous_version") or ""),
        )

    @property
    def left(self) -> Split:
        """What the last release left behind: not `split`, which a refresh sets to whatever it finds."""
        return final_split(self.serving, self.standby) if self.serving else ()

    def known(self) -> Known:
        """In the terms of a decision."""
        return Known(
            serving=self.serving,
            version=self.version,
            digest=self.digest,
            standby=tuple(self.standby),
            good=self.good,
        )


def _check(problems: list[tuple[str, str]], name: str, rule: Any, value: Any) -> str:
    try:
        return str(rule(value))
    except InvalidNameError as error:
        problems.append((name, str(error)))
        return str(value)


def _suite(problems: list[tuple[str, str]], queries: Sequence[Props]) -> tuple[list[SmokeCase], str]:
    cases: list[SmokeCase] = []
    for query in queries:
        try:
            cases.append(parse_case(query.get("name"), query.get("payload"), query.get("expect"), query.get("version")))
        except SuiteError as error:
            problems.append(("queries", str(error)))
    if not queries:
        problems.append(("queries", "there is no query; a new version proves itself by at least one"))
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        problems.append(("queries", f"two queries have one name: {names}; give every query its own"))
    if problems:
        return cases, ""
    told = [
        {
            "name": case.name,
            "payload": case.payload,
            "expect": _said(case.expect),
            **({} if case.version is None else {"version": case.version}),
        }
        for case in cases
    ]
    return cases, suite_digest(sorted(told, key=lambda query: str(query["name"])))


def _said(expect: SmokeExpectation) -> dict[str, Any]:
    """What an expectation says beyond the defaults: code that can expect more is no other suite."""
    defaults, values = (json.loads(expectation_text(one)) for one in (SmokeExpectation(), expect))
    return {name: value for name, value in values.items() if value != defaults[name]}


def _settings(inputs: Props) -> dict[str, Any]:
    """What is said of the entity, as the config call takes it; whole numbers cross the engine as floats."""
    settings: dict[str, Any] = {
        "workload_type": inputs["workload_type"],
        "scale_to_zero_enabled": bool(inputs["scale_to_zero_enabled"]),
    }
    for name in ("min_provisioned_concurrency", "max_provisioned_concurrency"):
        if inputs.get(name) is not None:
            settings[name] = int(inputs[name])
    if "min_provisioned_concurrency" not in settings:
        settings["workload_size"] = inputs.get("workload_size") or "Small"
    for name in ("environment_vars", "instance_profile_arn"):
        if inputs.get(name):
            settings[name] = inputs[name]
    return settings

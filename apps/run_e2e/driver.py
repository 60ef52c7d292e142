"""The phases in order. A phase that fails ends the run, and is named."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from databricks.sdk.errors.base import DatabricksError
from pulumi import automation

from apps.deploy.project import ROOT, DeployError, DeployProject, Say, say
from apps.run_e2e import looks
from apps.run_e2e.job_runs import reference_value, result_text, run_job
from apps.run_e2e.phases import ALIAS, AUTO, Name, Options, PhaseError, Target, target_of

FEATURES, TRAINING, BATCH = "feature-engineering", "model-training", "batch-inference"
ROLES = (FEATURES, TRAINING, BATCH, "monitoring")
VALIDATION_TASK, VERSION = "ModelValidation", "model_version"


@dataclass(frozen=True, kw_only=True)
class PhaseResult:
    """What became of one phase."""

    name: Name
    status: Literal["success", "skipped", "failed"]
    seconds: float
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a run."""

    status: Literal["success", "failed"]
    stack: str
    phases: Sequence[PhaseResult]
    failed_phase: str | None = None
    endpoint_name: str = ""
    model_name: str = ""
    model_version: str = ""
    endpoint_state: str = ""
    predictions: Mapping[str, list[float]] = field(default_factory=dict)
    """By test payload: `single`, `batch`."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    online_tables: Mapping[str, str] = field(default_factory=dict)
    batch_rows: int | None = None

    def document(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass
class _Run:
    """A run under way: what it knows so far."""

    project: DeployProject
    options: Options
    tell: Say
    outputs: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    found: dict[str, Any] = field(default_factory=dict)

    # Every phase says in a few words what it did.

    def jobs(self) -> str:
        """Experiment, model and jobs as the code has them. The first time there is no version, and so no endpoint."""
        first = not set(ROLES) <= set(self.project.outputs().get("jobIds") or {})
        if first and self.project.settings().get("stage") not in ("jobs", AUTO):
            self.tell("the stack has no jobs yet: it is brought up without its endpoint first (stage: jobs)")
            self._write({"stage": "jobs"})
        self._up()
        job_ids = self.outputs.get("jobIds") or {}
        if missing := set(ROLES) - set(job_ids):
            raise PhaseError(f"the stack has no job for {', '.join(sorted(missing))}; is it this project's?")
        return f"{len(ROLES)} jobs{', made' if first else ''}"

    def features(self) -> str:
        if self.options.skip_features:
            looks.tables_exist(self._client, self._feature_tables())
            # The first time there are no copies yet: the deployment makes them and waits.
            names = self.outputs.get("onlineTableNames") or []
            looks.online_states(self._client, names, self.tell)
            return f"tables are there, {len(names)} online copies are in step"
        force = {"force": "true"} if self.options.force_features else {}
        run_job(self._client, self._job(FEATURES), "features", force, self.tell)
        return "written again" if force else "up to date"

    def training(self) -> str:
        if self.options.skip_training:
            self.version = target_of(self.project).version
            return f"version {self.version or '(the newest)'} of the stack file"
        commit = _commit()
        parameters = {"git_commit": commit} if commit else {}
        run = run_job(self._client, self._job(TRAINING), "training", parameters, self.tell)
        self.version = reference_value(run, VALIDATION_TASK, VERSION)
        self.found["validation"] = result_text(self._client, run, VALIDATION_TASK)
        self.tell(f"training: version {self.version}, {self.found['validation']}")
        return f"version {self.version} passed validation"

    def deployment(self) -> str:
        file = self.project.folder / f"Pulumi.{self.project.stack}.yaml"
        before, target = file.read_bytes(), target_of(self.project)
        put_back = self._write({} if target.follows_training else self._serving_settings(target))
        is_served = False
        try:
            if file.read_bytes() == before and self._serves_it():
                self.tell("the stack file says so already: what was brought up above stands")
            else:
                self._up()
            self._require_served()
            is_served = True
        finally:  # a failure, a stack that is locked, an interrupt
            if not is_served:
                put_back()
                self.tell(self._what_next(target))
        self.version = str(self.outputs["resolvedVersion"])
        smoke = self.outputs["smokeResult"]
        return f"version {self.version} on {self.outputs['endpointName']}, smoke queries {smoke['status']}"

    def validation(self) -> str:
        endpoint, settings, folder = str(self.outputs["endpointName"]), self.project.settings(), self.project.folder
        single = looks.records_of(folder, settings, "single")
        batch = looks.records_of(folder, settings, "batch")
        self.found["predictions"] = {
            "single": looks.predictions(self._client, endpoint, single),
            "batch": looks.predictions(self._client, endpoint, batch),
        }
        for name, values in self.found["predictions"].items():
            self.tell(f"prediction {name}: {', '.join(f'{value:.2f}' for value in values)}")
        self.found["endpoint_state"] = looks.health(self._client, endpoint, self.version)
        self.found["latency_ms"] = looks.latency_ms(self._client, endpoint, single)
        self.tell(f"endpoint {endpoint} is {self.found['endpoint_state']}; {self.found['latency_ms']} ms")
        names = self.outputs.get("onlineTableNames") or []
        self.found["online_tables"] = looks.online_states(self._client, names, self.tell)
        run = run_job(self._client, self._job(BATCH), "batch inference", {VERSION: self.version}, self.tell)
        rows = result_text(self._client, run, "BatchInference")
        self.found["batch_rows"] = int(rows) if rows.isdigit() else None
        return f"single, batch and {rows or 'an unknown number of'} rows of batch inference"

    @property
    def _client(self) -> Any:
        if "client" not in self.__dict__:
            self.__dict__["client"] = self.project.client()
        return self.__dict__["client"]

    def _job(self, role: str) -> str:
        return str(self.outputs["jobIds"][role])

    def _feature_tables(self) -> list[str]:
        settings = self.project.settings()
        place = f"{settings['catalog']}.{settings['schema']}"
        sources = [str(table["source"]) for table in settings.get("featureTables") or []]
        return [source if "." in source else f"{place}.{source}" for source in sources]

    def _serving_settings(self, target: Target) -> dict[str, str]:
        stage = {} if self.project.settings().get("stage") == AUTO else {"stage": "serving"}
        return {**stage, **({} if self.version == target.version else {f"model.aliases.{ALIAS}": self.version})}

    def _serves_it(self) -> bool:
        return "endpointName" in self.outputs and self.version in ("", str(self.outputs["resolvedVersion"]))

    def _require_served(self) -> None:
        if "endpointName" not in self.outputs:
            raise PhaseError("the stack has no endpoint: no version may be served; pulumi's own line above says why")
        if not self._serves_it():
            raise PhaseError(
                f"training gave version {self.version}, and the stack serves {self.outputs['resolvedVersion']}, the "
                "newest that passed validation. To serve the other, name it: pulumi config set --path "
                f"'{self.project.key}.model.aliases.{ALIAS}' {self.version}"
            )

    def _what_next(self, target: Target) -> str:
        if not target.follows_training:
            return f"the file of stack {self.project.stack} is as it was: `pulumi up` brings back what it says"
        return (
            f"the file of stack {self.project.stack} names no version, so that the next `pulumi up` tries the newest "
            f"again: mend what failed, or name the version before under model.aliases.{ALIAS}"
        )

    def _up(self) -> None:
        outputs = self.project.up(self.tell)
        if outputs is None:
            raise PhaseError("pulumi up failed; what it said stands above")
        self.outputs = outputs

    def _write(self, values: Mapping[str, str]) -> Callable[[], None]:
        """Write settings into the stack file, where they differ; what puts the file back."""
        file = self.project.folder / f"Pulumi.{self.project.stack}.yaml"
        opened, before = self.project.opened(), file.read_bytes()
        for path, value in values.items():
            if self.project.settings().get(path) != value:
                opened.set_config(f"{self.project.key}.{path}", automation.ConfigValue(value), path=True)

        def put_back() -> None:
            file.write_bytes(before)

        return put_back


def run(project: DeployProject, options: Options, tell: Say = say) -> Result:
    """Do every phase, until one fails.

    Raises:
        DeployError: the stack file or a test payload cannot be used; nothing was tried.
    """
    target = target_of(project)
    for name in ("single", "batch"):
        looks.records_of(project.folder, project.settings(), name)
    going = _Run(project, options, tell)
    done: list[PhaseResult] = []
    steps: dict[Name, Callable[[], str]] = {
        "jobs": going.jobs,
        "features": going.features,
        "training": going.training,
        "deployment": going.deployment,
        "validation": going.validation,
    }
    skipped = {"features": options.skip_features, "training": options.skip_training}
    for name, step in steps.items():
        tell(f"== {name}{' (skipped)' if skipped.get(name) else ''}")
        began = time.monotonic()
        try:
            message = step()
        # An OSError is a workspace that stopped answering (the SDK's TimeoutError, a broken connection) or a file.
        except (PhaseError, DatabricksError, automation.CommandError, DeployError, OSError) as error:
            tell(f"phase {name} failed: {error}")
            done.append(_result(name, "failed", began, str(error)))
            return _of(going, target.endpoint, target.model, done, failed=name)
        done.append(_result(name, "skipped" if skipped.get(name) else "success", began, message))
        tell(f"{name}: {message}")
    return _of(going, target.endpoint, target.model, done)


def _result(name: Name, status: Literal["success", "skipped", "failed"], began: float, message: str) -> PhaseResult:
    return PhaseResult(name=name, status=status, seconds=round(time.monotonic() - began, 1), message=message)


def _of(going: _Run, endpoint: str, model: str, phases: Sequence[PhaseResult], failed: Name | None = None) -> Result:
    found = {name: value for name, value in going.found.items() if name != "validation"}
    return Result(
        status="success" if failed is None else "failed",
        stack=going.project.stack,
        phases=phases,
        failed_phase=failed,
        endpoint_name=endpoint,
        model_name=model,
        model_version=going.version,
        **found,
    )


def _commit() -> str:
    """The commit of this checkout; empty where it is none."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

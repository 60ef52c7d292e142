"""Which phases a run has, by its options, and what each is going to do. Nothing here asks a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from apps.deploy.project import DeployError, DeployProject
from components.config.serving_json import ServingJsonError, load_serving_json, merged

Name = Literal["jobs", "features", "training", "deployment", "validation"]
NAMES: tuple[Name, ...] = ("jobs", "features", "training", "deployment", "validation")
ALIAS = "champion"
#: Stage of a stack that serves as soon as there is a version to serve.
AUTO = "auto"
SKIPPED = "skip"


class PhaseError(Exception):
    """A phase was tried and failed: what, and what to do. The phase's name is whoever caught it says."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run was asked for.

    Raises DeployError where two options exclude each other.
    """

    stack: str = "local"
    skip_features: bool = False
    """Features are there already; their tables and online copies are still looked at."""
    force_features: bool = False
    """Compute features again, even where nothing has changed."""
    skip_training: bool = False
    """Deploy the version that the stack file names."""

    def __post_init__(self) -> None:
        if self.skip_features and self.force_features:
            raise DeployError(
                "--skip-features and --force-features exclude each other: features are either left as they are or "
                "computed again; leave one out"
            )


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a stack file asks to serve: its own words over those of the endpoint's JSON."""

    endpoint: str
    model: str
    version: str
    """Empty where it is to be the newest."""
    workload_size: str
    scale_to_zero: bool | None
    payload_table: str | None
    follows_training: bool
    """Whether the stack takes the newest version that passed validation by itself, so that nothing is written."""

    def document(self) -> dict[str, Any]:
        return {
            "endpoint": self.endpoint,
            "model": self.model,
            "version": self.version,
            "workload_size": self.workload_size,
            "scale_to_zero": self.scale_to_zero,
            "payload_table": self.payload_table,
        }


def target_of(project: DeployProject) -> Target:
    """What the stack is to serve. Raises DeployError where neither the file nor its JSON says."""
    settings = project.settings()
    said = merged(_json_of(project.folder, settings.get("servingConfig")), settings)
    endpoint, model = said["endpoint"], said["model"]
    name, full_name = endpoint.get("name"), model.get("name")
    if not name or not full_name:
        raise DeployError(
            f"stack {project.stack} names no {'endpoint' if full_name else 'model'}, nor does its servingConfig; add it"
        )
    entities = endpoint.get("entities") or [{}]
    entity = next((one for one in entities if one.get("alias") == ALIAS), entities[0])
    table = endpoint.get("inferenceTable") or {}
    place = f"{table.get('catalog', said.get('catalog'))}.{table.get('schema', said.get('schema'))}"
    version = str((model.get("aliases") or {}).get(ALIAS, ""))
    return Target(
        endpoint=str(name),
        model=str(full_name),
        version=version,
        workload_size=str(entity.get("workloadSize", "Small")),
        scale_to_zero=endpoint.get("scaleToZero"),
        payload_table=f"{place}.{table['prefix']}_payload" if table.get("prefix") else None,
        follows_training=settings.get("stage") == AUTO and not version,
    )


def plan_of(project: DeployProject, options: Options) -> dict[str, Any]:
    """What a run would do, for `--dry-run`: every phase, and what is to be served at the end."""
    target = target_of(project)
    version = f"version {target.version or '(the newest)'}"
    if not options.skip_training:
        version = "the version that training makes"
    does: dict[Name, str] = {
        "jobs": "pulumi up: experiment, registered model and jobs as the code has them; no endpoint before a version",
        "features": (
            "run the feature job with force: both tables are computed and written again"
            if options.force_features
            else "run the feature job: both tables, where trips or code have changed"
        ),
        "training": "run the training job: Train, then ModelValidation; its task value is the version",
        "deployment": (
            f"{'' if target.follows_training else f'write {version} into the stack file; '}pulumi up: online tables, "
            f"endpoint {target.endpoint}, smoke queries, alias {ALIAS}, monitors, alerts"
        ),
        "validation": "single and batch prediction, endpoint health, latency, online tables, the batch inference job",
    }
    skipped: dict[Name, str] = {}
    if options.skip_features:
        skipped["features"] = "feature tables and their online copies are only looked at"
    if options.skip_training:
        skipped["training"] = f"{version} of the stack file is deployed"
    return {
        "stack": options.stack,
        "phases": [
            {"name": name, "action": SKIPPED if name in skipped else "run", "does": skipped.get(name, does[name])}
            for name in NAMES
        ],
        "serves": {**target.document(), **({} if options.skip_training else {"version": "from training"})},
    }


def _json_of(folder: Path, file: Any) -> Mapping[str, Any]:
    """What the endpoint's JSON says, in the words of a stack file; the stack's program reads it in the same way."""
    if file is None:
        return {}
    try:
        return load_serving_json(folder / str(file), alias=ALIAS)
    except ServingJsonError as error:
        raise DeployError(f"servingConfig: {error}") from None

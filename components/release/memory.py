"""What is remembered of releases at the model version itself, as tags: how far one has come, and that one has failed.

Not in the stack's state, because a failed update leaves none there; not on the endpoint, whose tags the stack declares.
Unity Catalog has no dash in a tag's key and at most 1,000 characters in its value. Calls: MLflow's dialect
(`mlflow/unity-catalog/model-versions/get`, `set-tag`, `delete-tag`), as MLflow 3.17.2 sends them; the Unity Catalog
API of databricks-sdk 0.156.0 shows no tags of a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..dynamic.errors import asking
from ..dynamic.registry_calls import tag_version, version_facts
from .split import Split

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_VERSIONS = "/api/2.0/mlflow/unity-catalog/model-versions"
_LONGEST_REASON = 400


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a release has come. It is over, one way or the other, when this is gone."""

    release: str
    digest: str
    candidate: str
    good: Split
    step: int
    """Index of the step that is, or was about to be, put; -1 is the dark stage."""
    since: float | None
    """When the bake of that step began, seconds since the epoch."""
    state: str
    """`running`; `held`; or `passed`: held after the bake of its step was good."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A release of this version that failed."""

    digest: str
    """Of version, config and suite."""
    why: str
    at: str
    """ISO 8601, UTC."""
    tries: int
    """How often it has failed with this digest."""
    first: bool
    """Whether there was nothing to go back to, so that the endpoint still serves it."""

    @property
    def token(self) -> str:
        """What `retry` has to say to try it once more."""
        return f"{self.digest}-{self.tries}"


class Memory:
    """The tags of one endpoint's releases."""

    def __init__(self, client: WorkspaceClient, endpoint: str) -> None:
        self._client = client
        place = endpoint.replace("-", "_")
        self._progress, self._failed = f"release_progress_{place}", f"release_failed_{place}"

    def tags(self, model: str, version: str) -> dict[str, str]:
        """All tags of a version. Raises WorkspaceError."""
        return dict(version_facts(self._client, model, version).tags)

    def progress(self, tags: Mapping[str, str]) -> Progress | None:
        """From a version's tags; None where no release of it is on its way, or what is noted cannot be read."""
        values = _read(tags.get(self._progress))
        if values is None:
            return None
        try:
            good = tuple((str(name), int(share)) for name, share in values.pop("good").items())
            return Progress(good=good, **values)
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def failure(self, tags: Mapping[str, str]) -> Failure | None:
        """From a version's tags; None where none has failed, or what is noted cannot be read."""
        values = _read(tags.get(self._failed))
        try:
            return None if values is None else Failure(**values)
        except TypeError:
            return None

    def note(self, model: str, version: str, progress: Progress) -> None:
        """Raises WorkspaceError."""
        values = {**vars(progress), "good": dict(progress.good)}
        tag_version(self._client, model, version, self._progress, values)

    def remember(self, model: str, version: str, failure: Failure) -> None:
        """Raises WorkspaceError."""
        values = {**vars(failure), "why": failure.why[:_LONGEST_REASON]}
        tag_version(self._client, model, version, self._failed, values)

    def clear_progress(self, model: str, version: str) -> None:
        """Raises WorkspaceError."""
        self._delete(model, version, self._progress)

    def forget_failure(self, model: str, version: str) -> None:
        """Raises WorkspaceError."""
        self._delete(model, version, self._failed)

    def _delete(self, model: str, version: str, key: str) -> None:
        if key not in self.tags(model, version):
            return
        with asking(f"removing tag {key} of version {version} of {model}"):
            self._client.api_client.do(
                "DELETE",
                f"{_VERSIONS}/delete-tag",
                headers=self._headers(),
                body={"name": model, "version": version, "key": key},
            )

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._client.config.workspace_id:
            headers["X-Databricks-Workspace-Id"] = self._client.config.workspace_id
        return headers


def _read(text: str | None) -> dict[str, Any] | None:
    try:
        values = json.loads(text or "null")
    except ValueError:
        return None
    return values if isinstance(values, dict) else None

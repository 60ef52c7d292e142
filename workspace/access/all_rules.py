"""The rules of the whole workspace, in the order in which they are looked through: the most asked first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workspace.access.data_rules import DataRules
from workspace.access.file_rules import FileRules
from workspace.access.job_rules import JobRules, OwnerOfRun
from workspace.access.registry_rules import RegistryRules
from workspace.access.rules import CallerOf, Rights, Rule, admins_only, any_method, open_to_all
from workspace.access.serving_rules import RequireSecret, ServingRules
from workspace.access.tracking_rules import ExperimentOf, TrackingRules
from workspace.access.workspace_rules import workspace_rules
from workspace.unity_catalog.credential_routes import PATHS as CREDENTIAL_PATHS
from workspace.unity_catalog.privileges import Privileges

_UC = "/api/2.1/unity-catalog"
# These check by themselves, in the words of their own API.
_CHECK_THEMSELVES = (
    *any_method("/api/2.0/preview/scim/v2/{rest:path}"),
    *any_method("/api/2.0/token/{rest:path}"),
    *any_method("/api/2.0/token-management/{rest:path}"),
    *any_method("/api/2.0/accounts/servicePrincipals/{rest:path}"),
    *any_method("/api/2.0/permissions/{rest:path}"),
    *any_method("/api/2.0/secrets/{rest:path}"),
    *any_method(f"{_UC}/entity-tag-assignments{{rest:path}}"),
    *any_method(f"{_UC}/constraints{{rest:path}}"),
    *(
        f"{method} {_UC}/{kind}{{rest:path}}"
        for kind in ("catalogs", "schemas", "tables", "table-summaries", "volumes", "metastore_summary")
        for method in ("GET", "POST", "PATCH", "DELETE")
    ),
    f"GET {_UC}/current-metastore-assignment",
    *(f"POST {path}" for path in CREDENTIAL_PATHS),
    *any_method(f"{_UC}/permissions/{{rest:path}}", ("GET", "PATCH")),
    *(
        f"GET {_UC}/{kind}/{{rest:path}}"
        for kind in ("effective-permissions", "privilege-assignments", "effective-privilege-assignments")
    ),
)
# The console asks who reads it by itself.
_CONSOLE = ("GET /", "GET /console{rest:path}", "POST /console{rest:path}")


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """What rules ask of the services."""

    endpoint_id: Callable[[str], str | None]
    """Opaque id of a serving endpoint by its name."""
    creator_of_endpoint: Callable[[str], str | None]
    creator_of_job: Callable[[str], str | None]
    owner_of_run: OwnerOfRun
    experiment_of_run: ExperimentOf
    experiment_of_logged_model: ExperimentOf
    caller: CallerOf
    require_secret: RequireSecret
    """Raises ApiError 403 where a caller may not read the secrets of a scope."""


def all_rules(rights: Rights, privileges: Privileges, lookups: Lookups) -> list[Rule]:
    """The rules of all routes of the workspace that somebody else than an admin may call."""
    serving = ServingRules(
        rights, privileges, lookups.endpoint_id, lookups.creator_of_endpoint, lookups.caller, lookups.require_secret
    )
    return [
        *serving.all(),
        *TrackingRules(rights, lookups.experiment_of_run, lookups.experiment_of_logged_model).all(),
        *FileRules(privileges, rights).all(),
        *RegistryRules(privileges).all(),
        *JobRules(rights, lookups.creator_of_job, lookups.owner_of_run).all(),
        *DataRules(rights, privileges).all(),
        *workspace_rules(),
        *open_to_all(*_CONSOLE, *_CHECK_THEMSELVES),
        *admins_only(*any_method("/_workspace/{rest:path}")),
    ]

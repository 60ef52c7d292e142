"""databricks-sdk's workspace client, of which a service is loaded when it is first asked for something.

`WorkspaceClient` makes all of its some 170 services at once, and for that imports every module of the SDK: 1.2 s of
processor time, in the program and in the process of the dynamic providers, of which a stack needs 0.4. The services
here are the SDK's own classes over the SDK's own REST client; one that is not listed comes from a `WorkspaceClient`.

Source: databricks-sdk 0.156.0 `databricks/sdk/__init__.py`, `WorkspaceClient.__init__`.
"""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import ApiClient, Config

#: Attribute of `WorkspaceClient`: module below `databricks.sdk`, and the class that it makes of it.
SERVICES: Final = {
    "alerts_v2": ("service.sql", "AlertsV2API"),
    "catalogs": ("service.catalog", "CatalogsAPI"),
    "current_user": ("service.iam", "CurrentUserAPI"),
    "data_quality": ("service.dataquality", "DataQualityAPI"),
    "database": ("service.database", "DatabaseAPI"),
    "experiments": ("service.ml", "ExperimentsAPI"),
    "feature_store": ("service.ml", "FeatureStoreAPI"),
    "grants": ("service.catalog", "GrantsAPI"),
    "jobs": ("mixins.jobs", "JobsExt"),
    "lakeview": ("service.dashboards", "LakeviewAPI"),
    "model_versions": ("service.catalog", "ModelVersionsAPI"),
    "pipelines": ("service.pipelines", "PipelinesAPI"),
    "postgres": ("service.postgres", "PostgresAPI"),
    "quality_monitors": ("service.catalog", "QualityMonitorsAPI"),
    "queries": ("service.sql", "QueriesAPI"),
    "registered_models": ("service.catalog", "RegisteredModelsAPI"),
    "schemas": ("service.catalog", "SchemasAPI"),
    "secrets": ("service.workspace", "SecretsAPI"),
    "serving_endpoints": ("mixins.open_ai_client", "ServingEndpointsExt"),
    "statement_execution": ("service.sql", "StatementExecutionAPI"),
    "tables": ("service.catalog", "TablesAPI"),
    "warehouses": ("service.sql", "WarehousesAPI"),
}


class WorkspaceServices:
    """What `WorkspaceClient` offers, by the same names. Safe to use from several threads."""

    def __init__(self, config: Config) -> None:
        from databricks.sdk.core import ApiClient

        self.config: Config = config.copy()  # type: ignore[no-untyped-call]
        self.api_client: ApiClient = ApiClient(self.config)
        self._lock = threading.RLock()
        self._whole: WorkspaceClient | None = None

    @classmethod
    def client(cls, config: Config) -> WorkspaceClient:
        """One that type checkers know as what it stands for."""
        return cast("WorkspaceClient", cls(config))

    def __getattr__(self, name: str) -> Any:
        # Pickles and copies look for these before there is anything in it.
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with self._lock:
            if name in vars(self):
                return vars(self)[name]
            service = self._made(name)
            setattr(self, name, service)
            return service

    def _made(self, name: str) -> Any:
        if name in SERVICES:
            module, service = SERVICES[name]
            return getattr(importlib.import_module(f"databricks.sdk.{module}"), service)(self.api_client)
        if self._whole is None:
            from databricks.sdk import WorkspaceClient

            self._whole = WorkspaceClient(config=self.config)
        return getattr(self._whole, name)

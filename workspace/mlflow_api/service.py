"""The service `mlflow`: registry in two dialects, tracking, and what serving asks of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from workspace.errors import invalid, not_implemented
from workspace.mlflow_api.entities import ModelVersion
from workspace.mlflow_api.names import ModelName, parse_alias, parse_version
from workspace.mlflow_api.stores import StoreOpener
from workspace.state import State

if TYPE_CHECKING:
    from workspace.mlflow_api.registry import Registry

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
UC = "/api/2.1/unity-catalog"
# Everything below these is this service's; the routes themselves are made when the first request arrives.
PATHS = (
    "/api/2.0/mlflow/{rest:path}",
    UC + "/models",
    UC + "/models/{rest:path}",
    UC + "/temporary-model-version-credentials",
    UC + "/securable-tags/FUNCTION/{rest:path}",
    UC + "/subentity-tags/FUNCTION/{rest:path}",
)


class ModelFiles(Protocol):
    """The part of the Files service that models need."""

    def path(self, api_path: str) -> Path: ...

    def remove_tree(self, api_path: str) -> None: ...

    def guard(self, root: str, check: Callable[[tuple[str, ...]], None]) -> None: ...


class Mlflow:
    """MLflow's tracking and Unity Catalog's model registry.

    `require_schema(catalog, schema)` raises ApiError 404 where there is no such schema.
    """

    def __init__(
        self,
        state: State,
        require_schema: Callable[[str, str], object],
        files: ModelFiles,
        owner: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._require_schema = require_schema
        self._files = files
        self._owner = owner
        self._now = now
        self._opener = StoreOpener(state.subfolder("mlflow"))
        self._registry: Registry | None = None
        self._lock = threading.Lock()
        files.guard("Models", self._check_model_write)

    def start(self) -> None:
        self._opener.warm_up()

    def stop(self) -> None:
        self._opener.close()

    def routes(self) -> list[BaseRoute]:
        app = _LateRouter(self._make_routes)
        return [Route(path, app, methods=METHODS) for path in PATHS]

    def model_version(self, full_name: str, version: object) -> ModelVersion:
        """A version with its status and the folder of its artifacts.

        ApiError 404 RESOURCE_DOES_NOT_EXIST naming the model or the version that is not there.
        """
        return self.registry().version(ModelName.parse(full_name), parse_version(version))

    def model_version_by_alias(self, full_name: str, alias: str) -> ModelVersion:
        """The version that an alias points to. ApiError 404 naming the model or the alias that is not there."""
        return self.registry().version_by_alias(ModelName.parse(full_name), parse_alias(alias))

    def model_names(self, schema: str) -> list[str]:
        """Full names of the models in a schema, which is named by its full name."""
        catalog, _, name = schema.partition(".")
        return self.registry().model_names(catalog, name)

    def model_id(self, full_name: str) -> str:
        """What tells a model from one made anew under its name. ApiError 404 where there is no such model."""
        return self.registry().model(ModelName.parse(full_name)).id

    def model_owner(self, full_name: str) -> str:
        """The name of a model's owner. ApiError 404 where there is no such model."""
        return self.registry().model(ModelName.parse(full_name)).owner

    def delete_model(self, full_name: str) -> None:
        """Delete a model with its versions and their files. ApiError 404 where there is no such model."""
        self.registry().delete_model(ModelName.parse(full_name))

    def creator_of_experiment(self, experiment_id: str) -> str | None:
        """The user name of an experiment's creator; None where there is no such experiment."""
        tracking = self._opener.stores().tracking
        from workspace.mlflow_api.experiments import OWNER_TAG, is_active

        if not is_active(tracking, experiment_id):
            return None
        return str(tracking.get_experiment(experiment_id).tags.get(OWNER_TAG) or self._owner)

    def experiment_of_run(self, run_id: str) -> str | None:
        """The id of a run's experiment; None where there is no such run."""
        return self._experiment_of(lambda store: store.get_run(run_id).info)

    def experiment_of_logged_model(self, model_id: str) -> str | None:
        """The id of a logged model's experiment; None where there is no such model."""
        return self._experiment_of(lambda store: store.get_logged_model(model_id))

    def _experiment_of(self, find: Callable[[Any], Any]) -> str | None:
        store = self._opener.stores().tracking
        from mlflow.exceptions import MlflowException

        try:
            return str(find(store).experiment_id)
        except MlflowException:
            return None

    def registry(self) -> Registry:
        with self._lock:
            if self._registry is None:
                # The stores first: no other thread may be importing MLflow when this one does.
                stores = self._opener.stores()
                from workspace.mlflow_api.registry import Registry

                self._registry = Registry(stores.registry.engine, self._files, self._now)
            return self._registry

    def _make_routes(self) -> list[BaseRoute]:
        tracking = self._opener.stores().tracking
        from workspace.mlflow_api.artifacts import ArtifactLists
        from workspace.mlflow_api.experiments import Experiments
        from workspace.mlflow_api.legacy import LegacyDialect
        from workspace.mlflow_api.logged_models import LoggedModels
        from workspace.mlflow_api.native import NativeDialect
        from workspace.mlflow_api.runs import Runs

        artifacts = ArtifactLists(self._files.path)
        return [
            *LegacyDialect(self.registry(), self._require_schema).routes(),
            *NativeDialect(self.registry(), self._state.metastore_id, self._require_schema).routes(),
            *Experiments(tracking).routes(),
            *Runs(tracking, artifacts).routes(),
            *LoggedModels(tracking, artifacts).routes(),
        ]

    def _check_model_write(self, segments: tuple[str, ...]) -> None:
        """Model files are written below `/Models/<catalog>/<schema>/<model>/<version>/`, while it is pending."""
        if len(segments) < 6:
            raise invalid(
                f"Invalid path: /{'/'.join(segments)}. Model files have paths of the form "
                "/Models/<catalog>/<schema>/<model>/<version>/<file>"
            )
        _, catalog, schema, model, version, *_ = segments
        self.registry().check_uploadable(ModelName.of(catalog, schema, model), parse_version(version))


class _LateRouter:
    """An ASGI application whose routes are made on its first request: they need MLflow, which is slow to import."""

    def __init__(self, make_routes: Callable[[], list[BaseRoute]]) -> None:
        self._make_routes = make_routes
        self._lock = threading.Lock()
        self._router: Router | None = None

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes, made now if they were not."""
        return list(self._made().routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        router = await run_in_threadpool(self._made)
        await router(scope, receive, send)

    def _made(self) -> Router:
        async def unknown(request: Request) -> Response:
            raise not_implemented(request.method, request.url.path)

        with self._lock:
            if self._router is None:
                self._router = Router([*self._make_routes(), Route("/{path:path}", unknown, methods=METHODS)])
            return self._router

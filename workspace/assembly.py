"""Wires the services of a workspace together (docs/architecture.md has the table)."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware

from workspace import process
from workspace.access import Access, CreatorOf, Enforcement, Lookups, all_rules
from workspace.alerts import Alerts, Destinations, Outbox
from workspace.app import build_app
from workspace.clock import Clock
from workspace.console import Console
from workspace.dashboards import Dashboards
from workspace.errors import ApiError
from workspace.faults import FaultInjector, Faults, StaleReads
from workspace.feature_store.routes import FeatureStore
from workspace.files import Files, WorkspaceObjects
from workspace.http import Json, Service
from workspace.identity import OWNER, Identity, current_caller
from workspace.jobs import Jobs, RunAs, Surroundings
from workspace.lakebase import Lakebase
from workspace.mlflow_api import Mlflow
from workspace.monitors import Monitors
from workspace.secrets import Secrets
from workspace.serving.routes import Serving
from workspace.settings import Settings
from workspace.spark import LocalSpark
from workspace.sql import Sql
from workspace.sql.warehouses import WAREHOUSE_ID
from workspace.state import State
from workspace.unity_catalog import UnityCatalog
from workspace.unity_catalog.securables import FUNCTION, Contents
from workspace.vector_search import VectorSearch


def assemble(state: State) -> Starlette:
    """The whole workspace over an opened state folder."""
    clock = Clock(state)
    identity = Identity(state, clock)
    settings = Settings(state)
    secrets = Secrets(state, clock)
    faults = Faults()
    catalog = UnityCatalog(state)
    files = Files(state)
    sql = Sql(state, catalog, files, clock.now)
    catalog.add_volumes(files)
    catalog.add_contents(sql.functions())
    workspace_objects = WorkspaceObjects(state, clock.now_ms, OWNER.user_name)
    mlflow = Mlflow(state, catalog.containers.schema, files, OWNER.user_name, clock.now)
    # Unity Catalog counts models among a schema's functions, too.
    catalog.add_contents(
        Contents(FUNCTION, mlflow.model_names, mlflow.model_id, mlflow.delete_model, mlflow.model_owner)
    )
    outbox, destinations = Outbox(state, clock), Destinations(state)
    monitors = Monitors(state, catalog, clock, mail=outbox)
    alerts = Alerts(state, sql, clock, outbox, destinations, settle=monitors.settle)
    dashboards = Dashboards(state, clock, workspace_objects.files.object_type)
    features = FeatureStore(state, catalog, clock)
    lakebase = Lakebase(state, catalog, features, clock)

    def function_of_creator(creator: str, full_name: str) -> Json:
        caller = identity.caller(creator)
        if caller is None:
            raise ApiError(403, "PERMISSION_DENIED", f"'{creator}', who created the endpoint, is not there any more.")
        catalog.privileges.require(caller, "EXECUTE", FUNCTION, full_name)
        return sql.function(full_name)

    serving = Serving(state, catalog, mlflow, features, clock, secrets.value, function_of_creator)
    run_as = RunAs(clock, identity.caller, identity.issue_token, lambda: process.address(state.folder))
    vector_search = VectorSearch(state, clock, settings, catalog.tables, catalog.containers.schema, run_as)
    catalog.add_contents(vector_search.contents())

    def readable_secret(scope: str, key: str) -> str | None:
        secrets.require_read(current_caller(), scope)
        return secrets.value(scope, key)

    jobs = Jobs(
        state,
        clock,
        Surroundings(
            sql=sql,
            run_as=run_as,
            host=lambda: process.address(state.folder),
            objects=workspace_objects.files,
            volumes=files,
            alerts=alerts,
            mail=outbox,
            destinations=destinations,
            secret=readable_secret,
            spark=LocalSpark(lambda: [str(one["name"]) for one in catalog.containers.catalogs()]).for_task,
            table_version=lambda name: catalog.tables.delta(name).version() if catalog.tables.exists(name) else None,
        ),
    )
    creators: dict[str, CreatorOf] = {
        "alertsv2": alerts.creator_of,
        "dashboards": dashboards.creator_of,
        "experiments": mlflow.creator_of_experiment,
        "jobs": jobs.creator_of,
        "serving-endpoints": serving.creator_of_endpoint,
        "sql/queries": sql.creator_of_query,
        "sql/warehouses": {WAREHOUSE_ID: OWNER.user_name}.get,
    }
    access = Access(state, creators)
    rules = all_rules(
        access.rights,
        catalog.privileges,
        Lookups(
            endpoint_id=serving.id_of_endpoint,
            creator_of_endpoint=serving.creator_of_endpoint,
            creator_of_job=jobs.creator_of,
            owner_of_run=jobs.owner_of_run,
            experiment_of_run=mlflow.experiment_of_run,
            experiment_of_logged_model=mlflow.experiment_of_logged_model,
            caller=identity.caller,
            require_secret=secrets.require_read,
        ),
    )
    services: list[Service] = [
        identity,
        settings,
        secrets,
        clock,
        faults,
        catalog,
        sql,
        files,
        workspace_objects,
        mlflow,
        features,
        lakebase,
        serving,
        access,
        monitors,
        destinations,
        alerts,
        outbox,
        jobs,
        vector_search,
        dashboards,
        Console(state, OWNER),
    ]
    around = [
        Middleware(Enforcement, rules=rules),
        Middleware(FaultInjector, rules=faults.rules),
        Middleware(StaleReads, lag=settings.get, now=clock.now),
    ]
    return build_app(state, services, identity.authenticate, around)

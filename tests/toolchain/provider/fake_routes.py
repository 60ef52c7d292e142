"""What the test workspace answers to each path."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from tests.toolchain.provider import fake_dashboards
from tests.toolchain.provider.fake_lakebase import postgres
from tests.toolchain.provider.fake_state import ME, METASTORE, NOW, NOW_TEXT, Fake, JsonObject, RefusedError, Request

Route = Callable[..., JsonObject]


def _obj(value: object) -> JsonObject:
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[JsonObject]:
    return [dict(entry) for entry in value] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _config(body: JsonObject) -> JsonObject:
    entities = [{"workload_type": "CPU", **entity} for entity in _list(body.get("served_entities"))]
    routes = _list(_obj(body.get("traffic_config")).get("routes"))
    if not routes and len(entities) == 1:
        routes = [{"served_model_name": entities[0]["name"], "traffic_percentage": 100}]
    for route in routes:
        name = route.get("served_entity_name") or route.get("served_model_name")
        route |= {"served_entity_name": name, "served_model_name": name}
    models = [{**entity, "model_name": entity.get("entity_name")} for entity in entities]
    return {"served_entities": entities, "served_models": models, "traffic_config": {"routes": routes}}


def _serving(fake: Fake, request: Request) -> JsonObject:
    body = request.body
    name = str(body["name"])
    made = {
        "id": fake.new_id("servingEndpointId"),
        "route_optimized": False,
        "tags": [],
        "description": "",
        **body,
        "endpoint_url": f"https://workspace.example.com/serving-endpoints/{name}/invocations",
        "state": {"config_update": fake.deployment, "ready": "READY"},
    }
    if "config" in body:
        made["config"] = _config(_obj(body["config"]))
    return fake.put(f"endpoint {name}", made)


def _endpoint(fake: Fake, request: Request, name: str, part: str | None = None) -> JsonObject:
    key = f"endpoint {name}"
    found = fake.get(key)
    if part == "config":
        found["config"] = _config(request.body)
    elif part == "tags":
        gone = set(_texts(request.body.get("delete_tags")))
        added = {str(tag["key"]): tag for tag in _list(request.body.get("add_tags"))}
        kept = [tag for tag in _list(found.get("tags")) if tag["key"] not in gone | set(added)]
        found["tags"] = kept + list(added.values())
    elif part == "ai-gateway":
        found["ai_gateway"] = request.body
    elif request.method == "DELETE":
        return fake.drop(key)
    return found


_UC_DEFAULTS: dict[str, Callable[[Fake, JsonObject], JsonObject]] = {
    "models": lambda fake, body: {
        "full_name": f"{body['catalog_name']}.{body['schema_name']}.{body['name']}",
        "browse_only": False,
        "created_at": NOW,
        "created_by": ME,
        "metastore_id": METASTORE,
        "owner": ME,
        "storage_location": f"s3://example-bucket/models/{body['name']}",
        "updated_at": NOW,
        "updated_by": ME,
    },
    "schemas": lambda fake, body: {
        "full_name": f"{body['catalog_name']}.{body['name']}",
        "enable_predictive_optimization": "INHERIT",
        "metastore_id": METASTORE,
        "owner": ME,
        "schema_id": fake.new_id("schemaId"),
    },
    "catalogs": lambda fake, body: {
        "full_name": body["name"],
        "browse_only": False,
        "catalog_type": "MANAGED_CATALOG",
        "created_at": NOW,
        "created_by": ME,
        "effective_predictive_optimization_flag": {
            "inherited_from_name": "metastore",
            "inherited_from_type": "METASTORE",
            "value": "ENABLE",
        },
        "enable_predictive_optimization": "INHERIT",
        "isolation_mode": "OPEN",
        "metastore_id": METASTORE,
        "owner": ME,
        "provisioning_info": {"state": "ACTIVE"},
        "securable_type": "CATALOG",
        "storage_location": f"s3://example-bucket/{body['name']}",
        "updated_at": NOW,
        "updated_by": ME,
    },
    "volumes": lambda fake, body: {
        "full_name": f"{body['catalog_name']}.{body['schema_name']}.{body['name']}",
        "owner": ME,
        "storage_location": f"s3://example-bucket/volumes/{body['name']}",
    },
}


def _uc_create(fake: Fake, request: Request, kind: str) -> JsonObject:
    made = {**_UC_DEFAULTS[kind](fake, request.body), **request.body}
    made.pop("aliases", None)
    return fake.put(f"{kind} {made['full_name']}", made)


def _uc_object(fake: Fake, request: Request, kind: str, name: str) -> JsonObject:
    key = f"{kind} {name}"
    if request.method == "DELETE":
        return fake.drop(key) if not name.endswith(".default") else {}
    found = fake.get(key)
    if request.method == "PATCH":
        renamed = request.body.pop("new_name", None)
        found |= {key: value for key, value in request.body.items() if key != "aliases"}
        if renamed:
            found |= {"name": renamed, "full_name": f"{found['catalog_name']}.{found['schema_name']}.{renamed}"}
            fake.objects[f"{kind} {found['full_name']}"] = fake.objects.pop(key)
    return found


def _grants(fake: Fake, request: Request, kind: str, name: str) -> JsonObject:
    key = f"grants {kind} {name}"
    held = {
        str(entry["principal"]): set(_texts(entry["privileges"]))
        for entry in _list(fake.objects.get(key, {}).get("privilege_assignments"))
    }
    if request.method == "PATCH":
        for change in _list(request.body["changes"]):
            mine = held.setdefault(str(change["principal"]), set())
            mine -= set(_texts(change.get("remove")))
            mine |= set(_texts(change.get("add")))
    assignments = [{"principal": name, "privileges": sorted(mine)} for name, mine in held.items() if mine]
    fake.objects[key] = {"privilege_assignments": assignments}
    return fake.objects[key]


_OBJECT_TYPES = {"serving-endpoints": "serving-endpoint", "jobs": "job", "experiments": "mlflowExperiment"}


def _permissions(fake: Fake, request: Request, segment: str, name: str) -> JsonObject:
    key = f"permissions {segment} {name}"
    if request.method == "PUT":
        entries = []
        for entry in _list(request.body.get("access_control_list")):
            level = entry.pop("permission_level")
            entries.append({**entry, "all_permissions": [{"permission_level": level, "inherited": False}]})
        admins = {"group_name": "admins", "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": True}]}
        fake.objects[key] = {"object_type": _OBJECT_TYPES[segment], "access_control_list": [*entries, admins]}
    return fake.objects.get(key, {"object_type": _OBJECT_TYPES[segment], "access_control_list": []})


def _monitor(fake: Fake, request: Request, table: str) -> JsonObject:
    key = f"monitor {table}"
    if request.method == "DELETE":
        return fake.drop(key)
    if request.method == "POST":
        made = {
            "dashboard_id": fake.new_id("dashboardId"),
            "drift_metrics_table_name": f"{table}_drift_metrics",
            "profile_metrics_table_name": f"{table}_profile_metrics",
            "monitor_version": 0,
            "status": "MONITOR_STATUS_ACTIVE",
            "table_name": table,
        }
        fake.put(key, made | request.body)
    found = fake.get(key)
    if request.method == "PUT":
        fixed = ("assets_dir", "skip_builtin_dashboard", "warehouse_id", "dashboard_id", "drift_metrics_table_name")
        more = ("profile_metrics_table_name", "status", "table_name", "monitor_version")
        found = {name: found[name] for name in (*fixed, *more) if name in found} | request.body
        found["monitor_version"] = int(str(found["monitor_version"])) + 1
        fake.objects[key] = found
    if "schedule" in found:
        found["schedule"] = {"pause_status": "UNPAUSED", **_obj(found["schedule"])}
    return found


def _stored(fake: Fake, request: Request, kind: str, name: str, *, replaces: tuple[str, ...] = ()) -> JsonObject:
    """GET, PATCH and DELETE of something stored; a PATCH removes those of ``replaces`` that it does not carry."""
    key = f"{kind} {name}"
    if request.method == "DELETE":
        return fake.drop(key)
    found = fake.get(key)
    if request.method == "PATCH":
        for absent in replaces:
            found.pop(absent, None)
        found |= request.body
    return found


def _store_create(fake: Fake, request: Request) -> JsonObject:
    made = {**request.body, "creation_time": NOW_TEXT, "creator": ME, "state": "AVAILABLE"}
    return fake.put(f"store {made['name']}", made)


def _store(fake: Fake, request: Request, name: str) -> JsonObject:
    return _stored(fake, request, "store", name, replaces=("read_replica_count", "usage_policy_id"))


def _query_create(fake: Fake, request: Request) -> JsonObject:
    made = {
        "create_time": NOW_TEXT,
        "last_modifier_user_name": ME,
        "lifecycle_state": "ACTIVE",
        "owner_user_name": ME,
        "run_as_mode": "OWNER",
        "update_time": NOW_TEXT,
        **_obj(request.body["query"]),
        "id": fake.new_id("queryId"),
    }
    return fake.put(f"query {made['id']}", made)


def _query(fake: Fake, request: Request, name: str) -> JsonObject:
    if request.method == "PATCH":
        sent = _obj(request.body["query"])
        names = str(request.body["update_mask"]).split(",")
        fake.get(f"query {name}").update({key: sent[key] for key in names if key in sent})
        return fake.get(f"query {name}")
    return _stored(fake, request, "query", name)


def _jobs(fake: Fake, request: Request, action: str) -> JsonObject:
    if action == "create":
        fake.counts["job"] += 1
        number = 1000 + fake.counts["job"]
        settings = {"email_notifications": {}, "webhook_notifications": {}, **request.body}
        fake.put(
            f"job {number}", {"job_id": number, "creator_user_name": ME, "run_as_user_name": ME, "settings": settings}
        )
        return {"job_id": number}
    number = int(str(request.query.get("job_id") or request.body.get("job_id")))
    if action == "delete":
        return fake.drop(f"job {number}")
    if action == "reset":
        fake.get(f"job {number}")["settings"] = request.body["new_settings"]
        return {}
    return fake.objects.get(f"job {number}") or {"job_id": number, "creator_user_name": ME, "settings": {}}


def _secrets(fake: Fake, request: Request, action: str) -> JsonObject:
    body, query = request.body, request.query
    if action == "scopes/create":
        backend = body.get("scope_backend_type", "DATABRICKS")
        fake.put(f"scope {body['scope']}", {"name": body["scope"], "backend_type": backend})
    elif action == "scopes/delete":
        fake.drop(f"scope {body['scope']}")
    elif action == "scopes/list":
        return {"scopes": [value for key, value in fake.objects.items() if key.startswith("scope ")]}
    elif action == "put":
        fake.objects[f"secret {body['scope']} {body['key']}"] = {"key": body["key"], "last_updated_timestamp": NOW}
    elif action == "delete":
        fake.drop(f"secret {body['scope']} {body['key']}")
    elif action == "list":
        start = f"secret {query['scope']} "
        return {"secrets": [value for key, value in fake.objects.items() if key.startswith(start)]}
    elif action == "acls/put":
        fake.objects[f"acl {body['scope']} {body['principal']}"] = {
            key: body[key] for key in ("principal", "permission")
        }
    elif action == "acls/delete":
        fake.drop(f"acl {body['scope']} {body['principal']}")
    elif action == "acls/get":
        return fake.get(f"acl {query['scope']} {query['principal']}")
    return {}


def _experiments(fake: Fake, request: Request, action: str) -> JsonObject:
    if action == "create":
        name = fake.new_id("experimentId")
        made = {
            "artifact_location": f"dbfs:/databricks/mlflow-tracking/{name}",
            "creation_time": NOW,
            "last_update_time": NOW,
            "lifecycle_stage": "active",
            **request.body,
            "experiment_id": name,
            "tags": [*_list(request.body.get("tags")), {"key": "mlflow.ownerEmail", "value": ME}],
        }
        fake.put(f"experiment {name}", made)
        return {"experiment_id": name}
    key = f"experiment {request.query.get('experiment_id') or request.body.get('experiment_id')}"
    if action == "update":
        fake.get(key)["name"] = request.body["new_name"]
    elif action == "delete":
        return fake.drop(key)
    return {"experiment": fake.get(key)}


def _legacy_models(fake: Fake, request: Request, action: str) -> JsonObject:
    name = str(request.body.get("name") or request.query.get("name"))
    if action == "create":
        fake.put(f"legacy {name}", {**request.body, "id": fake.new_id("modelId")})
    elif action == "update":
        fake.get(f"legacy {name}").update(request.body)
    elif action == "delete":
        return fake.drop(f"legacy {name}")
    return {"registered_model_databricks": fake.get(f"legacy {name}")}


def _alert_shape(alert: JsonObject) -> JsonObject:
    evaluation = _obj(alert["evaluation"])
    notification = _obj(evaluation.get("notification"))
    notification |= {
        "effective_notify_on_ok": notification.get("notify_on_ok", False),
        "effective_retrigger_seconds": notification.get("retrigger_seconds", 0),
    }
    alert["evaluation"] = {**evaluation, "state": "OK", "notification": notification}
    return alert


def _alert_create(fake: Fake, request: Request) -> JsonObject:
    made = {
        "create_time": NOW_TEXT,
        "effective_run_as": {"user_name": ME},
        "lifecycle_state": "ACTIVE",
        "owner_user_name": ME,
        "parent_path": f"/Workspace/Users/{ME}",
        "update_time": NOW_TEXT,
        **request.body,
        "id": fake.new_id("alertId"),
    }
    return fake.put(f"alert {made['id']}", _alert_shape(made))


def _alert(fake: Fake, request: Request, name: str) -> JsonObject:
    found = _stored(fake, request, "alert", name)
    return _alert_shape(found) if found else found


def _data_quality_shape(monitor: JsonObject) -> JsonObject:
    profiling = _obj(monitor.get("data_profiling_config"))
    if profiling:
        schedule = {"pause_status": "CRON_SCHEDULE_PAUSE_STATUS_UNPAUSED", **_obj(profiling.get("schedule"))}
        served = {
            "dashboard_id": "dashboardId-1",
            "drift_metrics_table_name": "main.rec.inf_drift_metrics",
            "effective_warehouse_id": "wh0001",
            "monitored_table_name": "main.rec.inf",
            "profile_metrics_table_name": "main.rec.inf_profile_metrics",
            "status": "DATA_PROFILING_STATUS_ACTIVE",
            "monitor_version": monitor.get("version", 0),
        }
        monitor["data_profiling_config"] = {**profiling, **served, "schedule": schedule}
    return monitor


def _data_quality_create(fake: Fake, request: Request) -> JsonObject:
    name = f"{request.body['object_type']} {request.body['object_id']}"
    return fake.put(f"dq {name}", _data_quality_shape({**request.body, "version": 0}))


def _data_quality(fake: Fake, request: Request, kind: str, name: str) -> JsonObject:
    found = _stored(fake, request, "dq", f"{kind} {name}")
    if request.method == "PATCH":
        found["version"] = int(str(found.get("version", 0))) + 1
    return _data_quality_shape(found) if found else found


def _tag_create(fake: Fake, request: Request) -> JsonObject:
    body = request.body
    made = {**body, "update_time": NOW_TEXT, "updated_by": ME}
    return fake.put(f"tag {body['entity_type']} {body['entity_name']} {body['tag_key']}", made)


def _tag(fake: Fake, request: Request, kind: str, name: str, key: str) -> JsonObject:
    return _stored(fake, request, "tag", f"{kind} {name} {key}")


def _destination_shape(made: JsonObject) -> JsonObject:
    config = _obj(made["config"])
    hook = _obj(config.get("generic_webhook"))
    if hook:
        known = {
            f"{name}_set": bool(hook.get(name) or hook.get(f"{name}_set")) for name in ("password", "url", "username")
        }
        return {**made, "config": {"generic_webhook": known}, "destination_type": "WEBHOOK"}
    return {**made, "destination_type": "EMAIL"}


def _destination_create(fake: Fake, request: Request) -> JsonObject:
    made = {**request.body, "id": fake.new_id("notificationDestinationId")}
    return _destination_shape(fake.put(f"destination {made['id']}", made))


def _destination(fake: Fake, request: Request, name: str) -> JsonObject:
    found = _stored(fake, request, "destination", name)
    return _destination_shape(found) if found else found


def _principal_create(fake: Fake, request: Request) -> JsonObject:
    made = {"applicationId": fake.new_id("applicationId"), **request.body, "id": fake.new_id("servicePrincipalScimId")}
    return fake.put(f"principal {made['id']}", made)


def _principal(fake: Fake, request: Request, name: str) -> JsonObject:
    key = f"principal {name}"
    if request.method == "DELETE":
        return fake.drop(key)
    found = fake.objects.setdefault(key, {"id": name, "applicationId": "applicationId-1"})
    if request.method == "PUT":
        found |= request.body
    if request.method == "PATCH":
        change = _list(request.body["Operations"])[0]
        found["entitlements"] = [] if change["op"] == "remove" else change["value"]
    return found


ROUTES: list[tuple[str, Route]] = [
    (r"/api/2.0/preview/scim/v2/Me", lambda fake, request: {"userName": ME, "id": "callerId-1"}),
    (r"/api/2.0/serving-endpoints", _serving),
    (r"/api/2.0/serving-endpoints/([^/]+)(?:/(config|tags|ai-gateway))?", _endpoint),
    (r"/api/2.1/unity-catalog/current-metastore-assignment", lambda fake, request: {"metastore_id": METASTORE}),
    (r"/api/2.1/unity-catalog/(?:workspace-)?bindings/catalogs?/[^/]+", lambda fake, request: {}),
    (r"/api/2.1/unity-catalog/(models|schemas|catalogs|volumes)", _uc_create),
    (r"/api/2.1/unity-catalog/(models|schemas|catalogs|volumes)/([^/]+)", _uc_object),
    (r"/api/2.1/unity-catalog/permissions/([^/]+)/([^/]+)", _grants),
    (r"/api/2.1/unity-catalog/tables/([^/]+)/monitor", _monitor),
    (r"/api/2.1/unity-catalog/tables/([^/]+)", lambda fake, request, name: fake.tables.get(name)),
    (r"/api/2.0/sql/statements", lambda fake, request: fake.tables.run(str(request.body["statement"]))),
    (r"/api/2.0/permissions/([^/]+)/([^/]+)", _permissions),
    (r"/api/2.0/feature-store/online-stores", _store_create),
    (r"/api/2.0/feature-store/online-stores/([^/]+)", _store),
    (r"/api/2.0/sql/queries", _query_create),
    (r"/api/2.0/sql/queries/([^/]+)", _query),
    (r"/api/2.2/jobs/(create|get|reset|delete)", _jobs),
    (r"/api/2.0/secrets/(.+)", _secrets),
    (r"/api/2.0/mlflow/experiments/(create|get|update|delete)", _experiments),
    (r"/api/2.0/mlflow/(?:databricks/)?registered-models/(create|get|update|delete)", _legacy_models),
    (r"/api/2.0/alerts", _alert_create),
    (r"/api/2.0/alerts/([^/]+)", _alert),
    (r"/api/2.1/unity-catalog/entity-tag-assignments", _tag_create),
    (r"/api/2.1/unity-catalog/entity-tag-assignments/([^/]+)/([^/]+)/tags/([^/]+)", _tag),
    (r"/api/2.0/notification-destinations", _destination_create),
    (r"/api/2.0/notification-destinations/([^/]+)", _destination),
    (r"/api/2.0/preview/scim/v2/ServicePrincipals", _principal_create),
    (r"/api/2.0/preview/scim/v2/ServicePrincipals/([^/]+)", _principal),
    (r"/api/2.0/postgres/(.+)", postgres),
    (r"/api/2.0/workspace/mkdirs", fake_dashboards.mkdirs),
    (r"/api/2.0/lakeview/dashboards", fake_dashboards.dashboard_create),
    (r"/api/2.0/lakeview/dashboards/([^/]+)", fake_dashboards.dashboard),
    (r"/api/2.0/lakeview/dashboards/([^/]+)/published", fake_dashboards.publication),
    (r"/api/2.0/vector-search/endpoints", fake_dashboards.search_endpoint_create),
    (r"/api/2.0/vector-search/endpoints/([^/]+)(?:/(budget-policy))?", fake_dashboards.search_endpoint),
    (r"/api/2.0/vector-search/indexes", fake_dashboards.search_index_create),
    (r"/api/2.0/vector-search/indexes/([^/]+)", fake_dashboards.search_index),
    (r"/api/data-quality/v1/monitors", _data_quality_create),
    (r"/api/data-quality/v1/monitors/([^/]+)/([^/]+)", _data_quality),
]


def route(fake: Fake, request: Request) -> JsonObject:
    """The answer of the first route that matches."""
    for pattern, handler in ROUTES:
        found = re.fullmatch(pattern, request.path)
        if found:
            return handler(fake, request, *(unquote(part) for part in found.groups() if part))
    raise RefusedError(501, "NOT_IMPLEMENTED", f"no route for {request.method} {request.path}")

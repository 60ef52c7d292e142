"""Lakebase in the test workspace: objects that long-running operations make."""

from tests.toolchain.provider.fake_state import ME, NOW_TEXT, Fake, JsonObject, Request


def _postgres_shape(made: JsonObject) -> JsonObject:
    """What was asked for comes back as status, not as spec."""
    spec = spec if isinstance(spec := made.get("spec"), dict) else {}
    shown = {key: value for key, value in made.items() if key != "spec"}
    if "scheduling_policy" in spec:
        state = {"detailed_state": "SYNCED_TABLE_ONLINE", "pipeline_id": "uid-21"}
        return {**shown, "status": {**state, "unity_catalog_provisioning_state": "ACTIVE"}}
    if "is_protected" in spec:
        protected = spec["is_protected"]
        status = {"current_state": "READY", "default": False, "is_protected": protected, "source_branch": ""}
        return {**shown, "status": status, "update_time": NOW_TEXT}
    status = {"display_name": spec.get("display_name"), "history_retention_duration": "168h0m0s", "owner": ME}
    return {**shown, "status": {**status, "pg_version": spec.get("pg_version")}, "update_time": NOW_TEXT}


def _postgres_operation(fake: Fake, name: str, response: JsonObject) -> JsonObject:
    operation = f"{name}/operations/{fake.new_id('operationId')}"
    fake.objects[f"postgres {operation}"] = {"name": operation, "done": True, "response": response}
    return {"name": operation, "done": False}


def postgres(fake: Fake, request: Request, path: str) -> JsonObject:
    key = f"postgres {path}"
    if request.method == "POST":
        name = f"{path}/{next(iter(request.query.values()))}"
        made = {**request.body, "name": name, "create_time": NOW_TEXT}
        fake.put(f"postgres {name}", made)
        made["uid"] = fake.new_id("uid")
        return _postgres_operation(fake, name, _postgres_shape(made))
    if "/operations/" in path:
        return fake.get(key)
    if request.method == "DELETE":
        fake.drop(key)
        return _postgres_operation(fake, path, {})
    found = fake.get(key)
    if request.method == "PATCH":
        found |= request.body
        return _postgres_operation(fake, path, _postgres_shape(found))
    return _postgres_shape(found)

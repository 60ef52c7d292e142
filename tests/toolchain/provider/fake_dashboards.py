"""Dashboards and vector search in the test workspace."""

import json

from tests.toolchain.provider.fake_state import ME, NOW, NOW_TEXT, Fake, JsonObject, RefusedError, Request

HOME = "/Shared"


def _rewritten(content: object) -> str:
    """The service adds a type to each page, and ends the text with a line break."""
    dashboard = json.loads(str(content))
    for page in dashboard.get("pages", []):
        page["pageType"] = "PAGE_TYPE_CANVAS"
    return json.dumps(dashboard) + "\n"


def dashboard_create(fake: Fake, request: Request) -> JsonObject:
    folder = str(request.body["parent_path"]).removeprefix("/Workspace")
    if folder != HOME and f"folder {folder}" not in fake.objects:
        raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({folder}) doesn't exist.")
    made = {
        **request.body,
        "parent_path": folder,
        "path": f"{folder}/{request.body['display_name']}.lvdash.json",
        "serialized_dashboard": _rewritten(request.body["serialized_dashboard"]),
        "dashboard_id": fake.new_id("dashboardId"),
        "etag": "1",
        "lifecycle_state": "ACTIVE",
        "create_time": NOW_TEXT,
        "update_time": NOW_TEXT,
    }
    return fake.put(f"dashboard {made['dashboard_id']}", made)


def dashboard(fake: Fake, request: Request, name: str) -> JsonObject:
    found = fake.get(f"dashboard {name}")
    if request.method == "PATCH":
        if request.body.get("etag") not in (None, found["etag"]):
            raise RefusedError(409, "ABORTED", "The dashboard has been modified since the last read.")
        found["display_name"] = request.body["display_name"]
        found["serialized_dashboard"] = _rewritten(request.body["serialized_dashboard"])
        found["etag"] = str(int(str(found["etag"])) + 1)
    elif request.method == "DELETE":
        if found["lifecycle_state"] == "TRASHED":
            raise RefusedError(403, "PERMISSION_DENIED", "The dashboard is in the trash.")
        found["lifecycle_state"] = "TRASHED"
    return found


def publication(fake: Fake, request: Request, name: str) -> JsonObject:
    fake.get(f"dashboard {name}")
    fake.objects[f"published {name}"] = request.body
    return request.body


def mkdirs(fake: Fake, request: Request) -> JsonObject:
    fake.objects[f"folder {str(request.body['path']).removeprefix('/Workspace')}"] = {}
    return {}


def search_endpoint_create(fake: Fake, request: Request) -> JsonObject:
    made = {
        **request.body,
        "id": fake.new_id("endpointId"),
        "creator": ME,
        "creation_timestamp": NOW,
        "endpoint_status": {"state": "ONLINE" if fake.deployment == "NOT_UPDATING" else fake.deployment},
        "num_indexes": 0,
    }
    return fake.put(f"search endpoint {request.body['name']}", made)


def search_endpoint(fake: Fake, request: Request, name: str, part: str | None = None) -> JsonObject:
    key = f"search endpoint {name}"
    if request.method == "DELETE":
        return fake.drop(key)
    if part is not None:
        fake.get(key)["effective_budget_policy_id"] = request.body["budget_policy_id"]
    return fake.get(key)


def search_index_create(fake: Fake, request: Request) -> JsonObject:
    failed = fake.deployment != "NOT_UPDATING"
    status = (
        {"ready": False, "detailed_state": "OFFLINE_FAILED", "message": "no column text", "indexed_row_count": 0}
        if failed
        else {"ready": False, "detailed_state": "PROVISIONING_INITIAL_SNAPSHOT", "indexed_row_count": 0}
    )
    return fake.put(
        f"search index {request.body['name']}",
        {"index_subtype": "VECTOR", **request.body, "creator": ME, "status": status},
    )


def search_index(fake: Fake, request: Request, name: str) -> JsonObject:
    key = f"search index {name}"
    if request.method == "DELETE":
        return fake.drop(key)
    found = json.loads(json.dumps(fake.get(key)))
    if found["status"]["detailed_state"] != "OFFLINE_FAILED":
        # The first look finds it at work, every later one ready.
        fake.get(key)["status"] = {"ready": True, "detailed_state": "ONLINE_NO_PENDING_UPDATE", "indexed_row_count": 7}
    answer: JsonObject = found
    return answer

"""Dashboards and vector search, held to the provider's sources: the requests in order, and what counts as a change."""

import json

import pytest

from tests.toolchain.provider.fake import Server
from tests.toolchain.provider.replay import AbortedError, JsonObject, Stack

DASHBOARD = "databricks:index/dashboard:Dashboard"
ENDPOINT = "databricks:index/vectorSearchEndpoint:VectorSearchEndpoint"
INDEX = "databricks:index/vectorSearchIndex:VectorSearchIndex"
ROOT = "/api/2.0/lakeview/dashboards"
CONTENT = json.dumps({"datasets": [], "pages": [{"name": "one", "displayName": "One", "layout": []}]})


def dashboard(**more: object) -> JsonObject:
    return {
        "displayName": "traffic",
        "parentPath": "/Workspace/Shared",
        "warehouseId": "w",
        "serializedDashboard": CONTENT,
        **more,
    }


def delta_sync(**more: object) -> JsonObject:
    return {
        "name": "main.rag.chunks_index",
        "endpointName": "search",
        "primaryKey": "id",
        "indexType": "DELTA_SYNC",
        "deltaSyncIndexSpec": {
            "sourceTable": "main.rag.chunks",
            "pipelineType": "TRIGGERED",
            "columnsToSyncs": ["id", "text"],
            "embeddingSourceColumns": [{"name": "text", "embeddingModelEndpointName": "embedder"}],
        },
        **more,
    }


def sent(server: Server) -> list[str]:
    """Method and path of the requests since the last look."""
    found = [f"{one.method} {one.path.removeprefix(ROOT)}" for one in server.fake.requests]
    server.fake.requests.clear()
    return found


def test_a_dashboard_is_created_published_and_read(server: Server) -> None:
    stack = Stack(server, DASHBOARD)
    assert stack.up(dashboard(datasetCatalog="main", datasetSchema="ml")).error is None
    create, publish, _ = server.fake.requests
    assert create.body == {
        "display_name": "traffic",
        "parent_path": "/Workspace/Shared",
        "warehouse_id": "w",
        "serialized_dashboard": CONTENT,
    }
    assert create.query == {"dataset_catalog": "main", "dataset_schema": "ml"}
    assert publish.body == {"warehouse_id": "w", "embed_credentials": True}
    assert sent(server) == ["POST ", "POST /dashboardId-1/published", "GET /dashboardId-1"]
    assert stack.id == "dashboardId-1"
    assert stack.state["path"] == "/Shared/traffic.lvdash.json"
    assert stack.state["dashboardChangeDetected"] is False


def test_what_the_service_rewrites_is_no_difference(server: Server) -> None:
    stack = Stack(server, DASHBOARD)
    stack.up(dashboard())
    assert "PAGE_TYPE_CANVAS" in str(stack.state["serializedDashboard"])
    assert stack.plan(dashboard())[0].operations == ["same"]
    stack.refresh()
    assert stack.plan(dashboard())[0].operations == ["same"]


def test_another_content_is_a_change_in_place_that_names_the_known_draft(server: Server) -> None:
    stack = Stack(server, DASHBOARD)
    stack.up(dashboard(embedCredentials=False))
    sent(server)
    other = CONTENT.replace("One", "Two")
    outcome = stack.up(dashboard(serializedDashboard=other, embedCredentials=False))
    assert (outcome.operations, outcome.diffs) == (["update"], ["serializedDashboard"])
    change, publish = server.fake.requests[0], server.fake.requests[1]
    assert (change.method, change.body["etag"], change.body["serialized_dashboard"]) == ("PATCH", "1", other)
    assert "embed_credentials" not in change.body
    assert publish.body["embed_credentials"] is False
    assert sent(server) == ["PATCH /dashboardId-1", "POST /dashboardId-1/published", "GET /dashboardId-1"]
    assert stack.state["etag"] == "2"
    assert stack.plan(dashboard(serializedDashboard=other, embedCredentials=False))[0].operations == ["same"]


def test_a_draft_that_somebody_changed_is_refused_unseen_and_written_again_after_a_refresh(server: Server) -> None:
    stack = Stack(server, DASHBOARD)
    stack.up(dashboard())
    server.fake.objects["dashboard dashboardId-1"]["etag"] = "7"
    refused = stack.up(dashboard(displayName="other"))
    assert refused.error is not None
    assert "modified since" in refused.error.details
    stack.refresh()
    assert stack.state["dashboardChangeDetected"] is True
    # The refused update is in the state all the same, as the official plugin leaves it.
    assert "serializedDashboard" in stack.plan(dashboard())[0].diffs
    assert stack.up(dashboard()).error is None
    assert stack.plan(dashboard())[0].operations == ["same"]


def test_a_folder_that_is_missing_is_made_and_a_new_folder_replaces(server: Server) -> None:
    stack = Stack(server, DASHBOARD)
    stack.up(dashboard())
    sent(server)
    outcome = stack.up(dashboard(parentPath="/Workspace/Shared/new"))
    assert outcome.replace_keys == ["parentPath"]
    assert [line for line in sent(server) if line.startswith("POST")] == [
        "POST ",
        "POST /api/2.0/workspace/mkdirs",
        "POST ",
        "POST /dashboardId-2/published",
    ]
    assert stack.plan(dashboard(parentPath="/Shared/new"))[0].operations == ["same"]


def test_a_dashboard_that_cannot_be_published_goes_to_the_trash_and_leaves_no_state(server: Server) -> None:
    stack = Stack(server, DASHBOARD)
    server.fake.refuse[("POST", f"{ROOT}/dashboardId-1/published")] = 400
    outcome = stack.up(dashboard())
    assert outcome.error is not None
    assert "trash" in outcome.error.details
    assert stack.id == ""
    assert server.fake.objects["dashboard dashboardId-1"]["lifecycle_state"] == "TRASHED"


def test_a_trashed_dashboard_counts_as_gone(server: Server) -> None:
    stack = Stack(server, DASHBOARD)
    stack.up(dashboard())
    server.fake.objects["dashboard dashboardId-1"]["lifecycle_state"] = "TRASHED"
    stack.destroy()
    stack.id = "dashboardId-1"
    stack.refresh()
    assert stack.id == ""


def test_a_path_on_the_plugins_machine_is_refused(server: Server) -> None:
    with pytest.raises(AssertionError, match="serialized_dashboard only"):
        Stack(server, DASHBOARD).check(dashboard(filePath="a.lvdash.json"))


def test_a_search_endpoint_is_waited_for_and_only_its_budget_policy_changes_in_place(server: Server) -> None:
    stack = Stack(server, ENDPOINT)
    inputs: JsonObject = {"name": "search", "endpointType": "STANDARD"}
    assert stack.up(inputs).error is None
    assert server.fake.requests[0].body == {"name": "search", "endpoint_type": "STANDARD"}
    assert stack.state["endpointStatuses"] == [{"state": "ONLINE", "message": ""}]
    assert (stack.id, stack.state["endpointId"]) == ("search", "endpointId-1")
    sent(server)
    outcome = stack.up({**inputs, "budgetPolicyId": "b"})
    assert (outcome.operations, outcome.replace_keys) == (["update"], [])
    assert sent(server) == [
        "PATCH /api/2.0/vector-search/endpoints/search/budget-policy",
        "GET /api/2.0/vector-search/endpoints/search",
    ]
    assert stack.plan({**inputs, "budgetPolicyId": "b"})[0].operations == ["same"]
    other = stack.plan({"name": "search", "endpointType": "STORAGE_OPTIMIZED", "budgetPolicyId": "b"})[0]
    assert other.replace_keys == ["endpointType"]


def test_a_search_endpoint_that_fails_is_deleted_again(server: Server) -> None:
    server.fake.deployment = "OFFLINE"
    stack = Stack(server, ENDPOINT)
    outcome = stack.up({"name": "search", "endpointType": "STANDARD"})
    assert outcome.error is not None
    assert "got OFFLINE" in outcome.error.details
    assert "search endpoint search" not in server.fake.objects


def test_an_index_is_waited_for_replaced_by_any_change_and_gone_after_destroy(server: Server) -> None:
    stack = Stack(server, INDEX)
    assert stack.up(delta_sync()).error is None
    assert server.fake.requests[0].body["delta_sync_index_spec"] == {
        "source_table": "main.rag.chunks",
        "pipeline_type": "TRIGGERED",
        "columns_to_sync": ["id", "text"],
        "embedding_source_columns": [{"name": "text", "embedding_model_endpoint_name": "embedder"}],
    }
    statuses = stack.state["statuses"]
    assert isinstance(statuses, list)
    assert (statuses[0]["ready"], statuses[0]["indexedRowCount"]) == (True, 7)
    assert stack.plan(delta_sync())[0].operations == ["same"]
    assert stack.plan(delta_sync(name="MAIN.rag.chunks_index"))[0].operations == ["same"]
    assert stack.plan(delta_sync(primaryKey="key"))[0].replace_keys == ["primaryKey"]
    wider = delta_sync(deltaSyncIndexSpec={"sourceTable": "main.rag.chunks", "pipelineType": "CONTINUOUS"})
    assert stack.plan(wider)[0].replace_keys == ["deltaSyncIndexSpec"]
    sent(server)
    stack.destroy()
    assert sent(server) == [
        "DELETE /api/2.0/vector-search/indexes/main.rag.chunks_index",
        "GET /api/2.0/vector-search/indexes/main.rag.chunks_index",
    ]


def test_an_index_whose_first_sync_fails_ends_the_wait_with_its_words(server: Server) -> None:
    server.fake.deployment = "FAILED"
    stack = Stack(server, INDEX)
    with pytest.raises(AbortedError, match="no column text"):
        stack.create(stack.check(delta_sync()))
    assert "search index main.rag.chunks_index" not in server.fake.objects


def test_an_index_has_exactly_one_spec(server: Server) -> None:
    with pytest.raises(AssertionError, match="not 2 of them"):
        Stack(server, INDEX).check(delta_sync(directAccessIndexSpec={"schemaJson": "{}"}))

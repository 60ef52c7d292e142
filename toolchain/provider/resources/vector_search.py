"""Rows for vector search: endpoints and indexes, direct access and delta sync.

Read in the provider's sources (`vectorsearch/`), not recorded. An index has no update: every change replaces it.
"""

from typing import Final

from toolchain.provider.fields import block, blocks, boolean, integer, text, texts
from toolchain.provider.schema import Call, Family, Field, Resource, Wait
from toolchain.provider.state import mapping
from toolchain.provider.strategies.vector_search import SearchEndpoint, SearchIndex

_ENDPOINTS: Final = "/api/2.0/vector-search/endpoints"
_INDEXES: Final = "/api/2.0/vector-search/indexes"


def _vectors() -> tuple[Field, ...]:
    """Columns that are embedded by an endpoint, and columns that hold vectors already."""
    return (
        blocks(
            "embedding_source_columns",
            text("name"),
            text("embedding_model_endpoint_name"),
            text("model_endpoint_name_for_query"),
        ),
        blocks("embedding_vector_columns", text("name"), integer("embedding_dimension")),
    )


SEARCH_ENDPOINT: Final = Resource(
    type="databricks:index/vectorSearchEndpoint:VectorSearchEndpoint",
    family=Family.SDK,
    fields=(
        text("name", required=True, replaces=True),
        text("endpoint_type", required=True, replaces=True),
        text("budget_policy_id", reads="effective_budget_policy_id"),
        integer("creation_timestamp", output=True),
        text("creator", output=True),
        text("effective_budget_policy_id", output=True),
        text("endpoint_id", output=True),
        blocks("endpoint_status", text("message"), text("state"), wire="endpointStatuses", output=True),
        integer("last_updated_timestamp", output=True),
        text("last_updated_user", output=True),
        integer("num_indexes", output=True),
    ),
    id="{+name}",
    import_id=("", "name"),
    create=Call(method="POST", path=_ENDPOINTS, sends=("*",)),
    read=Call(method="GET", path=f"{_ENDPOINTS}/{{name}}"),
    update=Call(method="PATCH", path=f"{_ENDPOINTS}/{{name}}/budget-policy", sends=("budget_policy_id",)),
    delete=Call(method="DELETE", path=f"{_ENDPOINTS}/{{name}}"),
    wait=Wait(
        path=("endpoint_status", "state"),
        done=frozenset({"ONLINE"}),
        failed=frozenset({"OFFLINE", "DELETED"}),
        seconds=75 * 60,
        why=lambda endpoint: str(mapping(endpoint.get("endpoint_status")).get("message") or ""),
    ),
    strategy=SearchEndpoint(),
)

SEARCH_INDEX: Final = Resource(
    type="databricks:index/vectorSearchIndex:VectorSearchIndex",
    family=Family.SDK,
    fields=(
        text("name", required=True, replaces=True, any_case=True),
        text("endpoint_name", required=True, replaces=True),
        text("primary_key", required=True, replaces=True),
        text("index_type", required=True, replaces=True),
        text("index_subtype", replaces=True),
        block(
            "delta_sync_index_spec",
            text("source_table", any_case=True),
            text("pipeline_type"),
            text("pipeline_id", output=True),
            text("embedding_writeback_table"),
            texts("columns_to_index", wire="columnsToIndices"),
            texts("columns_to_sync", wire="columnsToSyncs"),
            *_vectors(),
            replaces=True,
        ),
        block("direct_access_index_spec", text("schema_json"), *_vectors(), replaces=True),
        text("creator", output=True),
        blocks(
            "status",
            text("index_url"),
            integer("indexed_row_count"),
            text("message"),
            boolean("ready"),
            wire="statuses",
            output=True,
        ),
    ),
    id="{+name}",
    import_id=("", "name"),
    create=Call(method="POST", path=_INDEXES, sends=("*",)),
    read=Call(method="GET", path=f"{_INDEXES}/{{name}}"),
    update=None,
    delete=Call(method="DELETE", path=f"{_INDEXES}/{{name}}"),
    wait=Wait(
        path=("progress",),
        done=frozenset({"READY"}),
        failed=frozenset({"FAILED"}),
        seconds=15 * 60,
        why=lambda index: str(mapping(index.get("status")).get("message") or ""),
    ),
    strategy=SearchIndex(),
)

ROWS: Final = (SEARCH_ENDPOINT, SEARCH_INDEX)

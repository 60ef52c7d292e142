"""What vector search of this workspace does, and why it is believed that Databricks' does so."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

ROOT = "/api/2.0/vector-search"
TESTS = "tests/workspace/test_vector_search"

_TABLE: tuple[tuple[str, str, Source, str, str], ...] = (
    (
        "POST endpoints",
        "An endpoint is PROVISIONING for a time that can be set, by the workspace's clock, then ONLINE.",
        Source.CLIENT,
        "`VectorSearchEndpointsAPI.wait_get_endpoint_vector_search_endpoint_online`",
        ".py::test_an_endpoint_is_provisioned_by_the_workspaces_clock",
    ),
    (
        "GET endpoints",
        "All endpoints in one page.",
        Source.CLIENT,
        "`VectorSearchEndpointsAPI.list_endpoints`",
        ".py::test_an_endpoint_is_made_found_tagged_and_deleted",
    ),
    (
        "GET endpoints/{name}",
        "With its state and the number of its indexes; a missing one is 404.",
        Source.CLIENT,
        "`EndpointInfo`",
        ".py::test_an_endpoint_is_made_found_tagged_and_deleted",
    ),
    (
        "DELETE endpoints/{name}",
        "An endpoint that has indexes is 400.",
        Source.ASSUMPTION,
        "An index cannot be without its endpoint; the service's answer is not documented",
        ".py::test_an_index_that_does_not_fit_is_refused",
    ),
    (
        "PATCH endpoints/{name}/tags",
        "The tags are replaced.",
        Source.CLIENT,
        "`VectorSearchEndpointsAPI.update_endpoint_custom_tags`",
        ".py::test_an_endpoint_is_made_found_tagged_and_deleted",
    ),
    (
        "POST indexes",
        (
            "A delta-sync index needs a source with change data feed, a key and one embedding column that "
            "are its columns; else 400 naming it."
        ),
        Source.DOCUMENTATION,
        "Create vector search endpoints and indexes",
        ".py::test_an_index_that_does_not_fit_is_refused",
    ),
    (
        "POST indexes",
        ("The first sync begins at once; until it is over, or where it fails, the index is not ready and says why."),
        Source.CLIENT,
        "`VectorIndexStatus`",
        "_text.py::test_an_embedding_endpoint_that_is_not_there_is_the_reason_of_the_index",
    ),
    (
        "POST indexes",
        "Full-text indexes, write-back tables and `columns_to_index` are 501.",
        Source.ASSUMPTION,
        "Beyond what a retrieval stack needs here",
        ".py::test_an_index_that_does_not_fit_is_refused",
    ),
    (
        "GET indexes",
        "The indexes of one endpoint, in short.",
        Source.CLIENT,
        "`MiniVectorIndex`",
        ".py::test_an_index_that_does_not_fit_is_refused",
    ),
    (
        "GET indexes/{name}",
        "With its spec, pipeline id, status and number of rows.",
        Source.CLIENT,
        "`VectorIndex`",
        ".py::test_a_query_finds_the_exact_neighbours_with_their_scores",
    ),
    (
        "DELETE indexes/{name}",
        "The index is gone with its rows; its source stays.",
        Source.CLIENT,
        "`VectorSearchIndexesAPI.delete_index`",
        ".py::test_an_index_that_does_not_fit_is_refused",
    ),
    (
        "POST indexes/{name}/sync",
        (
            "A TRIGGERED index takes up the change data feed since its last sync; a CONTINUOUS one does "
            "so by itself and is 400."
        ),
        Source.DOCUMENTATION,
        "Create vector search endpoints and indexes: sync modes",
        ".py::test_a_triggered_index_follows_its_table_when_it_is_told_to",
    ),
    (
        "POST indexes/{name}/sync",
        "A sync that fails leaves the index answering with what it had, and says why.",
        Source.ASSUMPTION,
        "Pipelines that fail leave online tables so",
        ".py::test_a_table_that_cannot_be_synced_leaves_the_reason_and_what_was_there",
    ),
    (
        "POST indexes/{name}/query",
        (
            "Nearest first by 1 / (1 + d²) of the Euclidean distance d. Exact here; the service's search "
            "is approximate (HNSW)."
        ),
        Source.DOCUMENTATION,
        "Vector search: similarity search computation",
        ".py::test_a_query_finds_the_exact_neighbours_with_their_scores",
    ),
    (
        "POST indexes/{name}/query",
        ("Filters hold before the nearest are taken: equality, lists, NOT, OR, order, LIKE of whole words."),
        Source.DOCUMENTATION,
        "Query a vector search index: filters on standard endpoints",
        ".py::test_filters_narrow_what_is_searched_and_not_what_was_found",
    ),
    (
        "POST indexes/{name}/query",
        "A text is embedded by the index's endpoint, in the name of who made the index.",
        Source.CLIENT,
        "`EmbeddingSourceColumn`; whose name is an assumption",
        "_text.py::test_texts_are_embedded_when_they_are_synced_and_when_they_are_asked_for",
    ),
    (
        "POST indexes/{name}/query",
        "HYBRID and FULL_TEXT queries, facets, rerankers and sort columns are 501.",
        Source.ASSUMPTION,
        "Beyond what a retrieval stack needs here",
        ".py::test_a_query_that_makes_no_sense_is_refused",
    ),
    (
        "PATCH endpoints/{name}/budget-policy",
        "The policy is kept and shown as the effective one; policies themselves are an account's and not here.",
        Source.PROVIDER_SOURCE,
        "`vectorsearch/resource_vector_search_endpoint.go`: Update",
        "_access.py::test_an_endpoint_shows_the_budget_policy_that_it_was_given",
    ),
    (
        "POST indexes/{name}/query",
        "Whoever asks an index needs SELECT on it, a securable of type table of its own; so does who reads its state.",
        Source.DOCUMENTATION,
        "Create vector search endpoints and indexes: requirements",
        "_access.py::test_an_index_answers_those_who_were_granted_select_on_it",
    ),
    (
        "DELETE indexes/{name}",
        "Only its owner, or somebody with MANAGE, syncs and deletes it.",
        Source.ASSUMPTION,
        "as with the other securables of a schema",
        "_access.py::test_an_index_answers_those_who_were_granted_select_on_it",
    ),
    (
        "DELETE indexes/{name}",
        "A schema that is dropped by force takes its indexes along.",
        Source.ASSUMPTION,
        "an index is an object of its schema",
        "_access.py::test_a_schema_that_goes_takes_its_indexes_along",
    ),
    (
        "POST indexes/{name}/scan",
        "Rows in the order of their keys, after the last one named.",
        Source.CLIENT,
        "`ScanVectorIndexResponse`",
        ".py::test_a_direct_index_holds_what_is_written_to_it",
    ),
    (
        "POST indexes/{name}/upsert-data",
        ("Rows that fit the schema are written; the keys of the others are named (PARTIAL_SUCCESS, FAILURE)."),
        Source.CLIENT,
        "`UpsertDataVectorIndexResponse`",
        ".py::test_a_direct_index_holds_what_is_written_to_it",
    ),
    (
        "DELETE indexes/{name}/delete-data",
        "Keys come as repeated query parameters; one that is not there is no failure.",
        Source.CLIENT,
        "`VectorSearchIndexesAPI.delete_data_vector_index`",
        ".py::test_a_direct_index_holds_what_is_written_to_it",
    ),
)

BEHAVIOURS: tuple[Behaviour, ...] = tuple(
    Behaviour(
        path=path.replace(" ", f" {ROOT}/"),
        behaviour=behaviour,
        source=source,
        reference=reference,
        test=TESTS + test,
    )
    for path, behaviour, source, reference, test in _TABLE
)

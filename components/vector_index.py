"""`RetrievalIndex`: a vector search endpoint and an index on it, up before anything depends on it.

The provider waits: for the endpoint until it is ONLINE (OFFLINE ends the wait), for the index until it is ready or has
rows. One that does not come up is deleted again and fails the update, with what the service says of it. An index cannot
be changed: any other spec replaces it, and its rows are synced anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .checks import check_timeout
from .names import ThreePartName
from .options import child_options, main_options

__all__ = ["DeltaSyncArgs", "DirectAccessArgs", "RetrievalIndex", "RetrievalIndexArgs", "RetrievalIndexError"]


class RetrievalIndexError(ValueError):
    """An index cannot be made as it is described: which part, the value received, the fix."""


@dataclass(frozen=True, kw_only=True)
class DeltaSyncArgs(Arguments):
    """An index that follows a Delta table, whose change data feed is on."""

    source_table: str
    """Three-part name."""
    pipeline_type: Literal["TRIGGERED", "CONTINUOUS"] = "TRIGGERED"
    """TRIGGERED syncs when it is told to; CONTINUOUS by itself, at a cost that never sleeps."""
    columns: Sequence[str] = ()
    """What is synced besides the key and what is embedded; all columns when left out."""


@dataclass(frozen=True, kw_only=True)
class DirectAccessArgs(Arguments):
    """An index that is written to over its API."""

    schema: Mapping[str, str]
    """Columns with their types: `{"id": "string", "embedding": "array<float>"}`."""


@dataclass(frozen=True, kw_only=True)
class RetrievalIndexArgs(Arguments):
    """What a `RetrievalIndex` is made of."""

    name: str
    """Three-part name of the index: it is a securable of Unity Catalog."""
    endpoint: str
    """Name of the vector search endpoint."""
    primary_key: str
    """Column that tells rows apart."""
    source: DeltaSyncArgs | DirectAccessArgs
    """Where its rows come from."""
    text_column: str | None = None
    """Column whose texts are embedded; either this, with `embedding_endpoint`, or `vector_column`."""
    embedding_endpoint: str | None = None
    """Serving endpoint that embeds the texts, of the rows and of the questions."""
    vector_column: str | None = None
    """Column that holds vectors already; with `dimension`."""
    dimension: int | None = None
    """Numbers in a vector."""
    make_endpoint: bool = True
    """Whether the endpoint is this component's own; False for one that several indexes share."""
    endpoint_type: Literal["STANDARD", "STORAGE_OPTIMIZED"] = "STANDARD"
    """Of an endpoint of its own."""
    readers: Sequence[str] = ()
    """Principals that get SELECT on the index, and so may ask it."""
    timeout: str = "60m"
    """How long the endpoint may take. The official plugin gives an index 15 minutes, whatever is said."""


class RetrievalIndex(pulumi.ComponentResource):
    """An index that answers, its endpoint, and who may ask it.

    Raises:
        RetrievalIndexError: neither or both ways to vectors are named, or half of one; nothing has been registered
            then.
        InvalidNameError: a name has not three parts.
    """

    index_name: pulumi.Output[str]
    endpoint_name: pulumi.Output[str]
    endpoint: databricks.VectorSearchEndpoint | None

    def __init__(self, name: str, args: RetrievalIndexArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        full_name = str(ThreePartName.parse(args.name, what="index"))
        _check(args)
        super().__init__("databricks-serving:index:RetrievalIndex", name, None, opts)
        child = child_options(self, opts, has_main=True)
        self.endpoint = None
        if args.make_endpoint:
            self.endpoint = databricks.VectorSearchEndpoint(
                f"{name}-endpoint",
                name=args.endpoint,
                endpoint_type=args.endpoint_type,
                opts=pulumi.ResourceOptions.merge(
                    child, pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create=args.timeout))
                ),
            )
        delta_sync = isinstance(args.source, DeltaSyncArgs)
        # The provider says so itself, but not to an engine that takes up a replacement that failed: with the old spec
        # back in place it would make the index, and then delete "the old one" of the same name.
        first = pulumi.ResourceOptions(delete_before_replace=True)
        self.index = databricks.VectorSearchIndex(
            name,
            name=full_name,
            endpoint_name=args.endpoint if self.endpoint is None else self.endpoint.name,
            primary_key=args.primary_key,
            index_type="DELTA_SYNC" if delta_sync else "DIRECT_ACCESS",
            delta_sync_index_spec=_delta_sync(args),
            direct_access_index_spec=_direct_access(args),
            opts=pulumi.ResourceOptions.merge(main_options(self, opts), first),
        )
        self.index_name = self.index.name
        self.endpoint_name = self.index.endpoint_name
        # A new index of the old name starts without the grants of the one before.
        with_index = pulumi.ResourceOptions(replace_with=[self.index], delete_before_replace=True)
        self.grants = [
            databricks.Grant(
                f"{name}-select-{reader}",
                table=self.index.name,
                principal=reader,
                privileges=["SELECT"],
                opts=pulumi.ResourceOptions.merge(child, with_index),
            )
            for reader in args.readers
        ]
        self.register_outputs({"index_name": self.index_name, "endpoint_name": self.endpoint_name})


def _check(args: RetrievalIndexArgs) -> None:
    check_timeout(f"index {args.name}: timeout", args.timeout)
    texts = (args.text_column, args.embedding_endpoint)
    vectors = (args.vector_column, args.dimension)
    for what, pair in (("text_column and embedding_endpoint", texts), ("vector_column and dimension", vectors)):
        if (pair[0] is None) != (pair[1] is None):
            raise RetrievalIndexError(f"index {args.name}: {what} go together; one of them is missing")
    if (args.text_column is None) == (args.vector_column is None):
        found = "both" if args.text_column is not None else "neither"
        raise RetrievalIndexError(
            f"index {args.name} names {found} of text_column and vector_column; name one: texts that "
            "embedding_endpoint embeds, or vectors that are there"
        )
    if args.dimension is not None and args.dimension < 1:
        raise RetrievalIndexError(f"index {args.name} has vectors of {args.dimension} numbers; use 1 or more")
    if isinstance(args.source, DeltaSyncArgs):
        ThreePartName.parse(args.source.source_table, what="source_table")
    elif missing := {args.primary_key, args.vector_column or args.text_column} - set(args.source.schema):
        raise RetrievalIndexError(
            f"index {args.name}: its schema lacks {', '.join(sorted(map(str, missing)))}; it has "
            f"{', '.join(args.source.schema)}"
        )


def _delta_sync(args: RetrievalIndexArgs) -> databricks.VectorSearchIndexDeltaSyncIndexSpecArgs | None:
    if not isinstance(args.source, DeltaSyncArgs):
        return None
    texts = vectors = None
    if args.text_column is not None:
        texts = [
            databricks.VectorSearchIndexDeltaSyncIndexSpecEmbeddingSourceColumnArgs(
                name=args.text_column, embedding_model_endpoint_name=args.embedding_endpoint
            )
        ]
    else:
        vectors = [
            databricks.VectorSearchIndexDeltaSyncIndexSpecEmbeddingVectorColumnArgs(
                name=args.vector_column, embedding_dimension=args.dimension
            )
        ]
    return databricks.VectorSearchIndexDeltaSyncIndexSpecArgs(
        source_table=args.source.source_table,
        pipeline_type=args.source.pipeline_type,
        columns_to_syncs=[*args.source.columns] or None,
        embedding_source_columns=texts,
        embedding_vector_columns=vectors,
    )


def _direct_access(args: RetrievalIndexArgs) -> databricks.VectorSearchIndexDirectAccessIndexSpecArgs | None:
    if not isinstance(args.source, DirectAccessArgs):
        return None
    texts = vectors = None
    if args.text_column is not None:
        texts = [
            databricks.VectorSearchIndexDirectAccessIndexSpecEmbeddingSourceColumnArgs(
                name=args.text_column, embedding_model_endpoint_name=args.embedding_endpoint
            )
        ]
    else:
        vectors = [
            databricks.VectorSearchIndexDirectAccessIndexSpecEmbeddingVectorColumnArgs(
                name=args.vector_column, embedding_dimension=args.dimension
            )
        ]
    return databricks.VectorSearchIndexDirectAccessIndexSpecArgs(
        schema_json=pulumi.Output.json_dumps(dict(args.source.schema)),
        embedding_source_columns=texts,
        embedding_vector_columns=vectors,
    )

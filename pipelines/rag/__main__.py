"""`python -m pipelines.rag`: see `--help` and examples/rag/README.md."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from databricks.sdk import WorkspaceClient

from pipelines.command import carry_out, parser_of
from pipelines.progress import Progress
from pipelines.rag.parameters import Parameters
from pipelines.rag.pipeline import run
from pipelines.rag.request import Request

# The endpoints of the same workspace that the stack in examples/rag makes from this pipeline's models.
_EMBEDDER: Final = "rag-embedder"
_READER: Final = "rag-reader"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline as the command line says: 0 when all is up to date, 1 with a message on stderr if not."""
    options = _parser().parse_args(arguments)

    def work(workspace: WorkspaceClient, progress: Progress) -> None:
        run(_request(options), workspace, progress)

    return carry_out("rag", work)


def _request(options: argparse.Namespace) -> Request:
    """Raises PipelineError for what does not go together."""
    return Request(
        catalog=options.catalog,
        schema=options.schema,
        parameters=Parameters(
            embedding_model=options.embedding_model or _EMBEDDER,
            llm_endpoint=options.llm_endpoint,
            own_embeddings=options.embedding_model is None,
            chunk_size=options.chunk_size,
            top_k=options.top_k,
        ),
        search_endpoint=options.search_endpoint,
        monitoring_schema=options.monitoring_schema,
        patience_seconds=options.patience,
        data=options.data,
        warehouse_id=options.warehouse_id,
        experiment=options.experiment,
        force=options.force,
        makes_index=not options.no_index,
    )


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "rag",
        "Documents to a search index and a registered chatbot that answers from them.",
        data="folder with documents (*.md)",
    )
    parser.add_argument(
        "--embedding-model",
        metavar="ENDPOINT",
        help="an embedding endpoint that is there, such as databricks-bge-large-en (default: train rag_embedder, "
        f"which the endpoint {_EMBEDDER} is to serve)",
    )
    parser.add_argument(
        "--llm-endpoint",
        metavar="ENDPOINT",
        default=_READER,
        help="chat endpoint that answers, such as databricks-meta-llama-3-1-70b-instruct (default %(default)s)",
    )
    parser.add_argument("--chunk-size", type=int, default=500, help="characters (default %(default)s)")
    parser.add_argument("--top-k", type=int, default=5, help="chunks for an answer (default %(default)s)")
    parser.add_argument(
        "--search-endpoint", metavar="NAME", default="rag-search", help="vector search endpoint (default %(default)s)"
    )
    parser.add_argument(
        "--monitoring-schema",
        metavar="NAME",
        default="monitoring",
        help="schema of the inference tables, in the same catalog; created when it is not there (default %(default)s)",
    )
    parser.add_argument(
        "--patience", type=float, default=1800.0, metavar="SECONDS", help="for endpoint and index (default %(default)s)"
    )
    parser.add_argument("--experiment", metavar="PATH", help="MLflow experiment (default /Shared/<model name>)")
    parser.add_argument(
        "--no-index",
        action="store_true",
        help="leave the making of the index to the stack (retrieval.managedIndex); one that is there is synced",
    )
    parser.add_argument("--force", action="store_true", help="make everything anew, new versions too")
    return parser


if __name__ == "__main__":
    sys.exit(main())

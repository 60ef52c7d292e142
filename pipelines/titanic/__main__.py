"""`python -m pipelines.titanic`: see `--help`."""

import argparse
import sys
from collections.abc import Sequence

from pipelines.command import carry_out, parser_of
from pipelines.titanic.pipeline import run
from pipelines.titanic.request import Request


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline as the command line says: 0 when all is up to date, 1 with a message on stderr if not."""
    options = _parser().parse_args(arguments)
    request = Request(
        catalog=options.catalog,
        schema=options.schema,
        data=options.data,
        sample_seed=options.sample_seed,
        warehouse_id=options.warehouse_id,
        experiment=options.experiment,
        seed=options.seed,
    )
    return carry_out("titanic", lambda workspace, progress: run(request, workspace, progress))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "titanic",
        "Passengers to three feature tables and a model, as one version for each kind of online store.",
        data="folder with titanic.csv; else a sample",
        sampled="passengers",
    )
    parser.add_argument(
        "--experiment", metavar="PATH", default=Request.experiment, help="MLflow experiment (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of the model (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

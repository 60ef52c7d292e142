"""`python -m pipelines.churn`: see `--help`."""

import argparse
import sys
from collections.abc import Sequence

from pipelines.churn.pipeline import retrain, run
from pipelines.churn.request import Request
from pipelines.command import carry_out, parser_of


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
    do = retrain if options.retrain else run
    return carry_out("churn", lambda workspace, progress: do(request, workspace, progress))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "churn",
        "Customers to a feature table and two versions of a churn model.",
        data="folder with telco_churn.csv; else a sample",
        sampled="customers",
    )
    parser.add_argument("--experiment", metavar="PATH", help="MLflow experiment (default /Shared/<model name>)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the models (default %(default)s)")
    parser.add_argument(
        "--retrain", action="store_true", help="only train one more version on the tables as they are: the challenger"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

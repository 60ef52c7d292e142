"""`python -m pipelines.taxi`: see `--help` and docs/taxi-pipeline.md."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from pipelines.command import carry_out, parser_of
from pipelines.taxi.parameters import Parameters
from pipelines.taxi.pipeline import run
from pipelines.taxi.request import Request

_DEFAULTS: Final = Parameters()


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
        force=options.force,
        parameters=Parameters(seed=options.seed, n_estimators=options.n_estimators),
    )
    return carry_out("taxi", lambda workspace, progress: run(request, workspace, progress))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "taxi",
        "Taxi trips to feature tables and a registered fare model.",
        data="folder with taxis.csv instead of sample trips",
        sampled="trips",
    )
    parser.add_argument("--experiment", metavar="PATH", help="MLflow experiment (default /Shared/<model name>)")
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="seed of the model (default %(default)s)")
    parser.add_argument("--n-estimators", type=int, default=_DEFAULTS.n_estimators, help="trees (default %(default)s)")
    parser.add_argument(
        "--force", action="store_true", help="train and register a new version even if nothing has changed"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

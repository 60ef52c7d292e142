"""The end-to-end workflow by one call: features, training, deployment, validation.

    python -m apps.run_e2e [--skip-features | --force-features] [--skip-training] [--stack local] [--dry-run]

It runs the jobs of `examples/taxi_e2e`, takes the version that training made, writes it into the stack file, brings the
stack up by the Automation API, and asks the endpoint. Every step can be done by hand as well (the example's README).
"""

from apps.run_e2e.driver import Result, run
from apps.run_e2e.phases import Options, PhaseError

__all__ = ["Options", "PhaseError", "Result", "run"]

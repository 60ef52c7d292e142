"""`python -m apps.run_e2e`: status lines on stderr, the result as one line of JSON on stdout.

Exit code 0: done. 1: a phase was tried and failed, and is named. 2: nothing was tried, and stderr says why. 130:
interrupted; what runs in the workspace goes on there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from databricks.sdk.errors.base import DatabricksError

from apps.deploy.project import ROOT, DeployError, DeployProject
from apps.run_e2e.driver import run
from apps.run_e2e.phases import Options, plan_of

PROJECT = ROOT / "examples" / "taxi_e2e"
DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workflow as the command line says; its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        options = Options(
            stack=asked.stack,
            skip_features=asked.skip_features,
            force_features=asked.force_features,
            skip_training=asked.skip_training,
        )
        project = DeployProject.open(asked.folder, asked.stack)
        if asked.dry_run:
            print(json.dumps(plan_of(project, options), indent=2))
            return DONE
        _require_engine()
        result = run(project, options)
    except DeployError as error:
        print(f"apps.run_e2e: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("apps.run_e2e: interrupted; the same call goes on from what is there", file=sys.stderr)
        return INTERRUPTED
    except (DatabricksError, ValueError) as error:
        # The SDK has no class of its own for missing or wrong credentials.
        print(f"apps.run_e2e: the workspace cannot be asked: {error}", file=sys.stderr)
        return REFUSED
    print(result.document())
    return DONE if result.status == "success" else FAILED


def _require_engine() -> None:
    if shutil.which("pulumi") is None:
        raise DeployError(f'no pulumi on PATH: `eval "$(make -s env)"` in {ROOT} gets one, or install the Pulumi CLI')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m apps.run_e2e",
        description="Features, training, deployment and validation of the end-to-end taxi workflow. With no option "
        'everything runs: recommended the first time. The engine comes from the shell: eval "$(make -s env)".',
        epilog="Exit code 0: done; 1: a phase failed and is named; 2: nothing was tried; 130: interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--skip-features", action="store_true", help="features exist: only look at them")
    parser.add_argument("--force-features", action="store_true", help="compute and write features again")
    parser.add_argument("--skip-training", action="store_true", help="deploy the version that the stack file names")
    parser.add_argument("--stack", default="local", help="stack: local, staging, prod (default %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="print the phases and what would be served; do nothing")
    parser.add_argument("--folder", type=Path, default=PROJECT, help="of the Pulumi project (default: this checkout's)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

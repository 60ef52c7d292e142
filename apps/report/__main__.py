"""`python -m apps.report --stack <stack>`: the report as one HTML page, with its plots as PNG files beside it.

Credentials come from the environment (`DATABRICKS_HOST`, `DATABRICKS_TOKEN`, a profile ...). Exit code 0: it is
written, whatever it says. 2: nothing could be looked at, and stderr says why.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.ops.findings import NOT_RUN, PASSED, OpsError
from apps.ops.stack import StackFile, outputs_of_file
from apps.report.facts import gather
from apps.report.page import html, sections_of, write
from apps.report.source import Source

ROOT = Path(__file__).parents[2]
DAYS = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one report; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.days < 1:
            raise OpsError(f"--days {options.days} is no period; use 1 or more")
        file = StackFile.read(_folder(options.project), options.stack)
        warehouse = options.warehouse_id or file.warehouse_id
        if not warehouse:
            raise OpsError(f"{file.path} names no warehouseId; name one with --warehouse-id")
        outputs = outputs_of_file(options.outputs) if options.outputs else file.outputs()
        source = Source(file.client(), warehouse)
    except OpsError as error:
        print(f"error: {error}", file=sys.stderr)
        return NOT_RUN
    facts = gather(source, outputs, days=options.days)
    sections = sections_of(facts)
    page = html(facts, sections, stack=f"{file.project}/{file.stack}", warehouse=warehouse, asked=source.asked)
    files = write(options.out or ROOT / ".local" / "report" / f"{file.project}-{file.stack}", page, sections)
    print(files[0])
    print(f"{len(files) - 1} plots, {len(source.asked)} queries", file=sys.stderr)
    return PASSED


def _folder(project: str) -> Path:
    """A folder, or the name of an example; the root's stack is called taxi."""
    if project in ("", "taxi"):
        return ROOT
    example = ROOT / "examples" / project
    return example if example.is_dir() else Path(project)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apps.report", description=__doc__, allow_abbrev=False)
    parser.add_argument("--stack", default="local", help="stack (default: %(default)s)")
    parser.add_argument("--project", default="", help="folder of the Pulumi project, or of examples")
    parser.add_argument("--outputs", type=Path, help="JSON of `pulumi stack output --json`, in place of the engine")
    parser.add_argument("--days", type=int, default=DAYS, help="how far back it looks (default: %(default)s)")
    parser.add_argument("--warehouse-id", help="SQL warehouse; the stack file's when left out")
    parser.add_argument("--out", type=Path, help="folder; .local/report/<project>-<stack> when left out")
    return parser


if __name__ == "__main__":
    sys.exit(main())

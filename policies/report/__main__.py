"""`python -m policies.report EVENTS --stack STACK [--to FOLDER]`: a table, and the report in four files.

Exit code 1 with mandatory findings, 2 where the preview itself failed or the events cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from policies.report.findings import Report, ReportError, read_events, report_of
from policies.report.junit import junit
from policies.report.sarif import sarif
from policies.report.table import markdown, table

FOLDER = Path(".local") / "policy"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m policies.report", description=__doc__)
    parser.add_argument("events", type=Path, help="file with the engine's events, one JSON object a line")
    parser.add_argument("--stack", required=True, help="the stack's name, as the pack's levels go by it")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder for the files (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        with options.events.open(encoding="utf-8") as lines:
            report = report_of(options.stack, read_events(lines))
    except OSError as error:
        sys.stderr.write(f"error: events {options.events} cannot be read ({error.strerror}): run a preview first.\n")
        return 2
    except ReportError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    written = write(report, options.to)
    sys.stdout.write(table(report))
    sys.stderr.write("".join(f"{file}\n" for file in written))
    return report.exit_code


def write(report: Report, folder: Path) -> list[Path]:
    """`<stack>.json`, `.junit.xml`, `.sarif` and `.md` in the folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "json": (json.dumps(report.as_json(), indent=2) + "\n").encode(),
        "junit.xml": junit(report) + b"\n",
        "sarif": (json.dumps(sarif(report), indent=2) + "\n").encode(),
        "md": markdown(report).encode(),
    }
    files = []
    for ending, content in contents.items():
        file = folder / f"{report.stack}.{ending}"
        file.write_bytes(content)
        files.append(file)
    return files


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

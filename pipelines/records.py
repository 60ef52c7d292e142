"""Records of a file with a header line: texts by column, and what a person has to mend where they are none."""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.errors import PipelineError


def file_of(folder: Path, name: str, columns: Sequence[str], what: str) -> Path:
    """`folder/name`.

    Args:
        columns: that it has to have.
        what: it holds, in the plural.

    Raises PipelineError where it is not there.
    """
    path = folder / name
    if not path.is_file():
        raise PipelineError(
            f"{path} is not there: --data takes a folder that holds {name} (columns {', '.join(columns)}). "
            f"Without --data, sample {what} are generated."
        )
    return path


def rows_of(path: Path, columns: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and these columns of every row; what a short row lacks is empty.

    Raises PipelineError where the header lacks a column.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        header = reader.fieldnames
        if not header:
            raise PipelineError(
                f"{path} is empty: expected a header line with {', '.join(columns)}, then {what}, one a line."
            )
        missing = [column for column in columns if column not in header]
        if missing:
            raise PipelineError(
                f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: "
                f"its header is {', '.join(header)}. Rename or add what is missing."
            )
        for row in reader:
            yield reader.line_num, {name: row[name] for name in columns}


def is_amount(text: str) -> bool:
    """Whether a text is a finite number of 0 or more."""
    try:
        return math.isfinite(float(text)) and float(text) >= 0
    except ValueError:
        return False

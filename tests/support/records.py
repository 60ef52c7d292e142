"""Files of records with a header line, as somebody hands them to a pipeline."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_records(path: Path, columns: Iterable[str], records: Iterable[Mapping[str, str]]) -> None:
    """Only these columns of the records; what one lacks is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(records)

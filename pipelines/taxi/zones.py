"""Taxi zone names to integer zips.

`zones.csv` is this project's own approximation: for each zone name of the New York Taxi and Limousine Commission, one
zip code that lies in that neighbourhood. Several zones share a zip (Cobble Hill and Brooklyn Heights are both 11201),
and a zone may span more zips than the one chosen, so these zips are keys for features, not addresses.
"""

import csv
from importlib import resources


def zone_zips() -> dict[str, int]:
    """Every zone name that the project knows, with its zip."""
    with resources.files(__package__).joinpath("zones.csv").open(encoding="utf-8") as file:
        return {row["zone"]: int(row["zip"]) for row in csv.DictReader(file)}

"""Taxi locations: the ids of the New York Taxi and Limousine Commission, for trips that know zip codes.

`locations.csv` has one location for each zip of `pipelines/taxi/zones.csv`: where several zones share a zip, the busier
one. So a location here is a zip under the commission's number (161 is Midtown Center, 10019), not the zone's outline.
Trips from a zip that is not in the file keep the zip as their location: no number is both.
"""

import csv
from importlib import resources
from typing import NamedTuple

from pipelines.sql import SqlRunner

TABLE = "taxi_locations"
_CREATE = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
  zip INT,
  location_id INT,
  zone STRING,
  borough STRING,
  is_airport INT
)"""
_INSERT = f"""INSERT INTO {TABLE}
SELECT
  CAST(split_part(line, '|', 1) AS INT) AS zip,
  CAST(split_part(line, '|', 2) AS INT) AS location_id,
  split_part(line, '|', 3) AS zone,
  split_part(line, '|', 4) AS borough,
  CAST(split_part(line, '|', 5) AS INT) AS is_airport
FROM (SELECT explode(split(:rows, ';')) AS line)"""


class Location(NamedTuple):
    """One location."""

    zip: int
    location_id: int
    zone: str
    borough: str

    @property
    def is_airport(self) -> bool:
        return "Airport" in self.zone


def locations() -> list[Location]:
    """All of them, by zip."""
    with resources.files(__package__).joinpath("locations.csv").open(encoding="utf-8") as file:
        return [
            Location(int(row["zip"]), int(row["location_id"]), row["zone"], row["borough"])
            for row in csv.DictReader(file)
        ]


def replace_locations(warehouse: SqlRunner) -> None:
    """The table `taxi_locations`, as the file has it."""
    warehouse.run(_CREATE)
    warehouse.run(f"DELETE FROM {TABLE}")
    lines = (f"{one.zip}|{one.location_id}|{one.zone}|{one.borough}|{int(one.is_airport)}" for one in locations())
    warehouse.run(_INSERT, {"rows": ";".join(lines)})

"""Trips into the table `trips`, from whichever source there is."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied

from pipelines.errors import PipelineError
from pipelines.sql import SqlRunner
from pipelines.taxi import sample, taxis_csv
from pipelines.taxi.features import statement
from pipelines.taxi.trips import Refusals, Trip, refusal_sql

SAMPLES_TABLE: Final = "samples.nyctaxi.trips"
# A statement of 5,000 trips is about 300 KB, far below the API's limit of 16 MiB, and needs no volume to stage a file
# in.
BATCH: Final = 5_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Batch(Protocol):
    """Trips that were read and judged, not yet written."""

    @property
    def usable(self) -> int:
        """How many trips `write` will write."""

    @property
    def refusals(self) -> Refusals: ...

    def write(self, warehouse: SqlRunner) -> None:
        """Replace the rows of `trips`, which exists."""


class Source(Protocol):
    """Where trips come from. A mistake in them shows in `read`, before anything in the workspace is touched."""

    def __str__(self) -> str: ...

    def digest(self) -> str:
        """What identifies the source's content, in hex."""

    def read(self) -> Batch: ...


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A batch in this process's memory."""

    trips: Sequence[Trip]
    refusals: Refusals

    @property
    def usable(self) -> int:
        return len(self.trips)

    def write(self, warehouse: SqlRunner) -> None:
        replace_trips(warehouse, self.trips)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A batch that never leaves the workspace: a query that gives the columns of `trips`."""

    query: str
    usable: int
    refusals: Refusals

    def write(self, warehouse: SqlRunner) -> None:
        warehouse.run("DELETE FROM trips")
        warehouse.run(f"INSERT INTO trips {self.query}")


@dataclass(frozen=True)
class CsvFolder:
    """A folder with `taxis.csv`."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder / taxis_csv.FILE_NAME)

    def digest(self) -> str:
        return taxis_csv.digest(self.folder)

    def read(self) -> Batch:
        trips, refusals = taxis_csv.read(self.folder)
        return Rows(trips=trips, refusals=refusals)


@dataclass(frozen=True)
class SampleTrips:
    """Generated trips."""

    seed: int

    def __str__(self) -> str:
        return f"sample trips, seed {self.seed}"

    def digest(self) -> str:
        return sample.digest(self.seed)

    def read(self) -> Batch:
        return Rows(trips=sample.generate(self.seed), refusals=Refusals())


@dataclass(frozen=True)
class WorkspaceTable:
    """A table of the workspace with the columns of `samples.nyctaxi.trips`."""

    warehouse: SqlRunner
    full_name: str = SAMPLES_TABLE

    def __str__(self) -> str:
        return self.full_name

    def digest(self) -> str:
        """Row count, range of time and sums of every column: a changed row shows, unless all sums cancel out."""
        # The table's name is a constant of this module, and the column names are the trip's: nothing comes from data.
        sums = ", ".join(f"sum({column})" for column in Trip._fields[2:])
        row = self.warehouse.run(
            "SELECT count(*), min(tpep_pickup_datetime), max(tpep_dropoff_datetime), "
            f"sum(unix_micros(tpep_dropoff_datetime) - unix_micros(tpep_pickup_datetime)), {sums} FROM {self.full_name}"
        ).rows[0]
        # Sums of floats depend on the order of summation in their last digits.
        stable = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in row]
        return hashlib.sha256(" ".join(stable).encode()).hexdigest()

    def read(self) -> Batch:
        columns = ", ".join(Trip._fields)
        judged = f"SELECT {columns}, {refusal_sql()} AS refusal FROM {self.full_name}"
        refusals = Refusals()
        usable = 0
        for reason, count in self.warehouse.run(f"SELECT refusal, count(*) FROM ({judged}) GROUP BY refusal").rows:
            if reason is None:
                usable = int(str(count))
            else:
                refusals.by_reason[str(reason)] = int(str(count))
        if not usable:
            raise PipelineError(f"Table {self.full_name} has no usable trip: {refusals}.")
        query = f"SELECT {columns} FROM ({judged}) WHERE refusal IS NULL"
        return Selection(query=query, usable=usable, refusals=refusals)


def choose_source(workspace: WorkspaceClient, warehouse: SqlRunner, folder: Path | None, sample_seed: int) -> Source:
    """The folder when one is named, else Databricks' own sample table where it exists, else generated trips."""
    if folder is not None:
        return CsvFolder(folder)
    try:
        workspace.tables.get(SAMPLES_TABLE)
    except (NotFound, PermissionDenied):
        return SampleTrips(sample_seed)
    return WorkspaceTable(warehouse)


def create_trips(warehouse: SqlRunner) -> None:
    """Create the empty table `trips` unless it is there."""
    warehouse.run(statement("create_trips"))


def replace_trips(warehouse: SqlRunner, trips: Sequence[Trip]) -> None:
    """Replace the rows of `trips`, which exists."""
    warehouse.run("DELETE FROM trips")
    insert = statement("insert_trips")
    for first in range(0, len(trips), BATCH):
        warehouse.run(insert, {"rows": ";".join(_fields(trip) for trip in trips[first : first + BATCH])})


def _fields(trip: Trip) -> str:
    moments = (round((moment - _EPOCH) / timedelta(microseconds=1)) for moment in trip[:2])
    return ",".join([*map(str, moments), *map(repr, trip[2:])])

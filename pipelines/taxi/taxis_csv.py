"""Source adapter: a folder with `taxis.csv` in the columns of seaborn's taxis data set (zones by name, miles)."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipelines.errors import PipelineError
from pipelines.records import file_of, rows_of
from pipelines.taxi.trips import Refusals, Trip, finite, refusal
from pipelines.taxi.zones import zone_zips

FILE_NAME: Final = "taxis.csv"
_USED: Final = ("pickup", "dropoff", "distance", "fare", "pickup_zone", "dropoff_zone")


def digest(folder: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    return hashlib.sha256(file_of(folder, FILE_NAME, _USED, "trips").read_bytes()).hexdigest()


def read(folder: Path) -> tuple[list[Trip], Refusals]:
    """The usable trips of `folder/taxis.csv` and the count of the others by reason.

    Times without an offset are taken as UTC. Raises PipelineError for a missing or empty file, a missing column, and a
    value that is not a time or a number: those say that the file is not what it seems, where a negative fare is just a
    bad row.
    """
    path = file_of(folder, FILE_NAME, _USED, "trips")
    zips = zone_zips()
    trips: list[Trip] = []
    refusals = Refusals()
    for line, row in rows_of(path, _USED, "trips"):
        pickup_zip, dropoff_zip = (_zip(row[column], zips, refusals) for column in ("pickup_zone", "dropoff_zone"))
        trip = Trip(
            tpep_pickup_datetime=_moment(path, line, "pickup", row["pickup"]),
            tpep_dropoff_datetime=_moment(path, line, "dropoff", row["dropoff"]),
            trip_distance=_number(path, line, "distance", row["distance"]),
            fare_amount=_number(path, line, "fare", row["fare"]),
            pickup_zip=pickup_zip or 0,
            dropoff_zip=dropoff_zip or 0,
        )
        reason = _zone_refusal(row, zips) or refusal(trip)
        if reason is None:
            trips.append(trip)
        else:
            refusals.by_reason[reason] += 1
    if not trips:
        raise PipelineError(f"{path} has no usable trip: {refusals}. Give a file with at least some complete trips.")
    return trips, refusals


def _moment(path: Path, line: int, column: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise PipelineError(
            f"{path} line {line}: {column} is {text!r}, not a time. "
            "Write it as 2019-03-23 20:21:09 (UTC unless an offset follows)."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        return finite(text)
    except ValueError as error:
        raise PipelineError(f"{path} line {line}: {column} is {text!r}, not a number. Write it as 12.5.") from error


def _zip(zone: str, zips: dict[str, int], refusals: Refusals) -> int | None:
    if zone and zone not in zips:
        refusals.unknown_zones[zone] += 1
    return zips.get(zone)


def _zone_refusal(row: dict[str, str], zips: dict[str, int]) -> str | None:
    for side in ("pickup", "dropoff"):
        zone = row[f"{side}_zone"]
        if not zone:
            return f"no {side} zone"
        if zone not in zips:
            return f"unknown {side} zone"
    return None

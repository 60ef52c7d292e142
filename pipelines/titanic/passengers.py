"""Passengers in the columns of the usual Titanic file, and the rules that they must keep.

A record is a row of texts, as the file has them, with the number of its row as PassengerId: the file has no id of its
own. `titanic_passengers` keeps it with types; features are made of it in SQL.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pipelines.errors import PipelineError
from pipelines.records import file_of, is_amount, rows_of

FILE_NAME: Final = "titanic.csv"
KEY: Final = "PassengerId"
LABEL: Final = "survived"
# Of the file, in the order in which a record goes to the warehouse.
COLUMNS: Final = (
    LABEL,
    "pclass",
    "sex",
    "age",
    "sibsp",
    "parch",
    "fare",
    "embarked",
    "who",
    "adult_male",
    "deck",
    "embark_town",
    "alone",
)
_CHOICES: Final = {
    LABEL: ("0", "1"),
    "pclass": ("1", "2", "3"),
    "sex": ("male", "female"),
    "who": ("man", "woman", "child"),
    "adult_male": ("true", "false"),
    "alone": ("true", "false"),
}
_COUNTS: Final = ("sibsp", "parch")
# Age is blank where nobody noted it.
_AMOUNTS: Final = ("fare", "age")
_MAY_BE_BLANK: Final = ("age", "embarked", "deck", "embark_town")
# What rows travel with to the warehouse (sql/insert_passengers.sql).
FIELD_END: Final = "|"
ROW_END: Final = ";"
_HELD_OUT: Final = 5

Record = dict[str, str]


def read(folder: Path) -> list[Record]:
    """The passengers of `folder/titanic.csv`, numbered from 1 in the file's order.

    Raises PipelineError for a missing or empty file, a missing column, and a value that is none.
    """
    path = file_of(folder, FILE_NAME, COLUMNS, "passengers")
    records = checked((row for _, row in rows_of(path, COLUMNS, "passengers")), str(path))
    if not records:
        raise PipelineError(f"{path} has no passenger: expected a header with {', '.join(COLUMNS)}, then passengers.")
    return records


def digest(folder: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    return hashlib.sha256(file_of(folder, FILE_NAME, COLUMNS, "passengers").read_bytes()).hexdigest()


def checked(records: Iterable[Record], where: str) -> list[Record]:
    """The records with their PassengerId. Raises PipelineError naming the first that breaks a rule."""
    kept: list[Record] = []
    for number, record in enumerate(records, start=1):
        problem = _problem(record)
        if problem is not None:
            raise PipelineError(f"{where}, passenger {number}: {problem}.")
        kept.append({KEY: str(number), **record})
    return kept


def is_held_out(passenger_id: str) -> bool:
    """Whether a passenger is among the fifth that models are judged on: always the same one."""
    return hashlib.sha256(passenger_id.encode()).digest()[0] % _HELD_OUT == 0


def as_line(record: Record) -> str:
    """A record as the warehouse gets it: PassengerId, the fields in the order of `COLUMNS`, then its split."""
    split = "test" if is_held_out(record[KEY]) else "train"
    return FIELD_END.join([record[KEY], *(record[name].strip() for name in COLUMNS), split])


def _problem(record: Record) -> str | None:
    for name in COLUMNS:
        value = record[name].strip()
        if FIELD_END in value or ROW_END in value:
            return f"{name} is {value!r}; a text has neither {FIELD_END!r} nor {ROW_END!r} in it"
        if not value and name not in _MAY_BE_BLANK:
            return f"{name} is empty; every passenger has one"
    for name, choices in _CHOICES.items():
        if record[name].strip().lower() not in choices:
            return f"{name} is {record[name]!r}; use {' or '.join(choices)}"
    for name in _COUNTS:
        if not record[name].strip().isdigit():
            return f"{name} is {record[name]!r}, not a whole number of 0 or more"
    wrong = next((name for name in _AMOUNTS if record[name].strip() and not is_amount(record[name])), None)
    return None if wrong is None else f"{wrong} is {record[wrong]!r}, not a number of 0 or more; write it as 12.5"

"""Customers in the columns of IBM's Telco churn sample, and the rules that they must keep.

A record is a row of texts, as the file has them. `churn_customers` keeps it with the types below; features are made of
it in SQL.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pipelines.errors import PipelineError
from pipelines.records import file_of, is_amount, rows_of

FILE_NAME: Final = "telco_churn.csv"
KEY: Final = "customerID"
LABEL: Final = "Churn"
LABELS: Final = ("Yes", "No")
# Column of the file to column of the tables, in the table's order.
COLUMNS: Final[Mapping[str, str]] = {
    KEY: "customer_id",
    "gender": "gender",
    "SeniorCitizen": "senior_citizen",
    "Partner": "partner",
    "Dependents": "dependents",
    "tenure": "tenure",
    "PhoneService": "phone_service",
    "MultipleLines": "multiple_lines",
    "InternetService": "internet_service",
    "OnlineSecurity": "online_security",
    "OnlineBackup": "online_backup",
    "DeviceProtection": "device_protection",
    "TechSupport": "tech_support",
    "StreamingTV": "streaming_tv",
    "StreamingMovies": "streaming_movies",
    "Contract": "contract",
    "PaperlessBilling": "paperless_billing",
    "PaymentMethod": "payment_method",
    "MonthlyCharges": "monthly_charges",
    "TotalCharges": "total_charges",
    LABEL: "churn",
}
_NUMBERS: Final = ("tenure", "MonthlyCharges")
# Blank for a customer of no full month yet.
_NUMBERS_OR_BLANK: Final = ("TotalCharges",)
# What rows travel with to the warehouse (sql/insert_customers.sql).
FIELD_END: Final = "|"
ROW_END: Final = ";"
_HELD_OUT: Final = 5

Record = dict[str, str]


def read(folder: Path) -> list[Record]:
    """The customers of `folder/telco_churn.csv`.

    Raises PipelineError for a missing or empty file, a missing column, a customer who is there twice, and a value that
    is none.
    """
    path = file_of(folder, FILE_NAME, [*COLUMNS], "customers")
    records = [row for _, row in rows_of(path, [*COLUMNS], "customers")]
    if not records:
        raise PipelineError(
            f"{path} has no customer: expected a header line with {', '.join(COLUMNS)}, then customers."
        )
    return checked(records, str(path))


def digest(folder: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    return hashlib.sha256(file_of(folder, FILE_NAME, [*COLUMNS], "customers").read_bytes()).hexdigest()


def checked(records: Iterable[Record], where: str) -> list[Record]:
    """The same records. Raises PipelineError naming the first that breaks a rule."""
    seen: set[str] = set()
    kept: list[Record] = []
    for number, record in enumerate(records, start=1):
        problem = _problem(record, seen)
        if problem is not None:
            raise PipelineError(f"{where}, customer {number}: {problem}.")
        seen.add(record[KEY])
        kept.append(record)
    return kept


def is_held_out(customer_id: str) -> bool:
    """Whether a customer is among the fifth that models are judged on: always the same one, whatever the file holds."""
    return hashlib.sha256(customer_id.encode()).digest()[0] % _HELD_OUT == 0


def as_line(record: Record) -> str:
    """A record as the warehouse gets it: fields in the order of `COLUMNS`, then its split."""
    split = "test" if is_held_out(record[KEY]) else "train"
    return FIELD_END.join([*(record[name].strip() for name in COLUMNS), split])


def _problem(record: Record, seen: set[str]) -> str | None:
    for name in COLUMNS:
        if FIELD_END in record[name] or ROW_END in record[name]:
            return f"{name} is {record[name]!r}; a text has neither {FIELD_END!r} nor {ROW_END!r} in it"
    if not record[KEY].strip():
        return f"{KEY} is empty; every customer has one"
    if record[KEY] in seen:
        return f"{KEY} {record[KEY]!r} is there twice; keep the newer row"
    if record[LABEL] not in LABELS:
        return f"{LABEL} is {record[LABEL]!r}; use {' or '.join(LABELS)}"
    if record["SeniorCitizen"] not in ("0", "1"):
        return f"SeniorCitizen is {record['SeniorCitizen']!r}; use 0 or 1"
    numbers = [*_NUMBERS, *(name for name in _NUMBERS_OR_BLANK if record[name].strip())]
    wrong = next((name for name in numbers if not is_amount(record[name])), None)
    return None if wrong is None else f"{wrong} is {record[wrong]!r}, not a number of 0 or more; write it as 12.5"

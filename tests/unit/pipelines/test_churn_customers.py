"""Customers that break a rule are refused before anything is written; generated ones are like the file's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.churn import customers, sample
from pipelines.churn.customers import COLUMNS, FILE_NAME, Record, as_line, checked, read
from pipelines.churn.tables import FEATURE_TYPES, statement
from pipelines.churn.training import INPUTS, LABEL, feature_spec, quality_of
from pipelines.errors import PipelineError
from tests.support.records import write_records


def written(folder: Path, records: list[Record], columns: list[str] | None = None) -> Path:
    write_records(folder / FILE_NAME, columns or COLUMNS, records)
    return folder


def some() -> list[Record]:
    return sample.generate(7)[:3]


def test_the_same_seed_gives_the_same_customers_and_both_known_ones() -> None:
    records = sample.generate(7)
    assert records == sample.generate(7)
    assert records != sample.generate(8)
    assert checked(records, "sample") == records
    assert len(records) == sample.CUSTOMERS
    assert [record["customerID"] for record in records[:2]] == ["0002-ORFBO", "0003-MKNFE"]
    assert 0.15 < sum(record["Churn"] == "Yes" for record in records) / len(records) < 0.4


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    assert read(written(tmp_path, some())) == some()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"customerID": " "}, "customerID is empty"),
        ({"customerID": "0003-MKNFE"}, "is there twice"),
        ({"Churn": ""}, "Churn is ''; use Yes or No"),
        ({"SeniorCitizen": "Yes"}, "SeniorCitizen is 'Yes'; use 0 or 1"),
        ({"tenure": ""}, "tenure is '', not a number"),
        ({"MonthlyCharges": "nan"}, "MonthlyCharges is 'nan', not a number"),
        ({"TotalCharges": "-1"}, "TotalCharges is '-1', not a number"),
        ({"PaymentMethod": "cash;card"}, "a text has neither"),
    ],
)
def test_a_customer_who_breaks_a_rule_is_named_with_the_value(change: Record, says: str) -> None:
    records = some()
    records[2] |= change
    with pytest.raises(PipelineError, match=f"here, customer 3: .*{says}"):
        checked(records, "here")


def test_a_customer_of_no_full_month_has_no_total_yet() -> None:
    records = some()
    records[0] |= {"tenure": "0", "TotalCharges": " "}
    assert as_line(checked(records, "here")[0]).split("|")[18:20] == [records[0]["MonthlyCharges"], ""]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder, "is not there: --data takes a folder"),
        (lambda folder: written(folder, []), "has no customer"),
        (lambda folder: written(folder, some(), ["customerID", "Churn"]), "lacks the columns gender, "),
    ],
)
def test_a_folder_without_customers_is_refused(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    with pytest.raises(PipelineError, match=says):
        read(make(tmp_path))


def test_the_statement_takes_every_field_of_a_line_in_its_place() -> None:
    taken = re.findall(r"split_part\(line, '\|', (\d+)\).* AS (\w+)", statement("insert_customers"))
    assert taken == [(str(place), name) for place, name in enumerate([*COLUMNS.values(), "split"], start=1)]


def test_a_fifth_is_held_out_and_always_the_same() -> None:
    held_out = [record for record in sample.generate(7) if customers.is_held_out(record["customerID"])]
    assert 0.16 < len(held_out) / sample.CUSTOMERS < 0.24
    assert not customers.is_held_out("0002-ORFBO")


def test_the_label_is_never_among_the_inputs() -> None:
    spec = feature_spec("c.s", "id")
    sent = {column.name for column in INPUTS}
    assert LABEL not in {*sent, *spec.model_columns, *FEATURE_TYPES}
    assert spec.model_columns == list(FEATURE_TYPES)
    assert LABEL not in [column.name for column in spec.signature(LABEL, "string").inputs.inputs]


def test_the_loss_is_what_those_paid_who_left_unforeseen() -> None:
    quality = quality_of(["Yes", "Yes", "No", "No"], ["No", "Yes", "Yes", "No"], [80.0, 40.0, 20.0, 10.0])
    assert quality.expected_loss == -20.0
    assert quality.accuracy == 0.5
    assert quality.f1_macro == 0.5
    assert quality.passes
    assert not quality_of(["Yes", "No"], ["No", "No"], [80.0, 1.0]).passes

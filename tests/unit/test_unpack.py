"""The unpacked table has the declared columns and the statement fills exactly those."""

from __future__ import annotations

from typing import Any

import pytest

from components.unpack import FeatureSource, UnpackedSchema, unpack_statement

SCHEMA = UnpackedSchema(
    record_columns={"pickup_zip": "int", "trip_distance": "double"},
    prediction_type="double",
    label_column="fare_amount",
)


def test_the_label_is_declared_and_never_written_by_the_unpack_step() -> None:
    assert SCHEMA.columns()["fare_amount"] == "double"
    statement = unpack_statement("c.s.p_payload", "c.s.unpacked", SCHEMA)
    assert "fare_amount" not in statement


def test_the_statement_names_every_column_but_the_label() -> None:
    statement = unpack_statement("c.s.p_payload", "c.s.unpacked", SCHEMA)
    written = statement[statement.index("(") + 1 : statement.index(")")].split(", ")
    assert written == [name for name in SCHEMA.columns() if name != "fare_amount"]


@pytest.mark.parametrize("name", ["trip distance", "1st", "x'; DROP TABLE t; --", "", "a.b"])
def test_a_column_name_that_could_be_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no column name"):
        UnpackedSchema(record_columns={name: "int"}, prediction_type="double")


@pytest.mark.parametrize("name", ["prediction", "Request_Id", "inference_timestamp"])
def test_a_column_that_every_unpacked_table_has_cannot_be_declared_again(name: str) -> None:
    with pytest.raises(ValueError, match="collides"):
        UnpackedSchema(record_columns={name: "int"}, prediction_type="double")


def test_the_column_that_tells_models_apart_is_taken_by_the_one_that_is_chosen() -> None:
    by_version = UnpackedSchema(
        record_columns={"served_entity_id": "string"}, prediction_type="double", model_id="model_version"
    )
    assert list(by_version.columns())[3:5] == ["model_version", "served_entity_id"]
    with pytest.raises(ValueError, match="collides"):
        UnpackedSchema(record_columns={"model_version": "int"}, prediction_type="double", model_id="model_version")


def test_the_label_is_never_among_the_inputs() -> None:
    with pytest.raises(ValueError, match="never among the inputs"):
        UnpackedSchema(record_columns={"fare": "double"}, prediction_type="double", label_column="Fare")


@pytest.mark.parametrize("kind", ["int; DROP TABLE t", "double)", "", "strin g"])
def test_a_type_that_is_no_databricks_type_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="is no Databricks SQL type"):
        UnpackedSchema(record_columns={"fare": kind}, prediction_type="double")


def test_an_answer_with_fewer_predictions_than_records_does_not_stop_the_unpacking_of_all_others() -> None:
    statement = unpack_statement("c.s.p_payload", "c.s.p_unpacked", SCHEMA)
    assert "CAST(try_element_at(predictions, record_index + 1)" in statement


def test_features_go_only_where_there_is_a_column_and_are_found_only_by_one() -> None:
    schema = UnpackedSchema(record_columns={"customer": "string", "contract": "string"}, prediction_type="string")
    FeatureSource(table="c.s.f", columns=["contract"], keys={"id": "customer"}).check_against(schema)
    with pytest.raises(ValueError, match=r"features age of c\.s\.f have no column to go to"):
        FeatureSource(table="c.s.f", columns=["age"], keys={"id": "customer"}).check_against(schema)
    with pytest.raises(ValueError, match="are found by at, which the unpacked table does not have"):
        FeatureSource(table="c.s.f", columns=["contract"], keys={"id": "customer"}, time=("ts", "at")).check_against(
            schema
        )


@pytest.mark.parametrize("changes", [{"keys": {}}, {"columns": []}, {"columns": ["a; DROP"]}, {"time": ("ts", "a b")}])
def test_features_without_keys_or_with_names_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no keys or no columns|is no column name"):
        FeatureSource(**{"table": "c.s.f", "columns": ["a"], "keys": {"id": "id"}, **changes})

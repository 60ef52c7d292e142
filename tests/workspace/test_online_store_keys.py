"""How a key may be written, and that the row under it is found."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace.feature_store.keyed import KeyedReader, Layout, OnlineTableGoneError, Position, delete_store, position
from workspace.feature_store.keys import KeyTypeError, normalise
from workspace.feature_store.writer import DuplicateKeyError, KeyedWriter

MOMENT = datetime(2016, 1, 15, 12, 30, tzinfo=UTC)
MILLIS = 1452861000000


@pytest.mark.parametrize(
    "written",
    [
        "2016-01-15T12:30:00Z",
        "2016-01-15T12:30:00",
        "2016-01-15 12:30:00",
        "2016-01-15 12:30:00.000000",
        "2016-01-15T14:30:00+02:00",
        "2016-01-15T12:30:00.000Z",
        MILLIS,
        float(MILLIS),
        MOMENT,
        MOMENT.replace(tzinfo=None),
        MOMENT.astimezone(timezone(timedelta(hours=-5))),
        pd.Timestamp("2016-01-15 12:30:00"),
        pd.Timestamp("2016-01-15 12:30:00", tz="UTC"),
    ],
)
def test_every_way_to_write_a_time_is_the_same_key(tmp_path: Path, written: object) -> None:
    layout = Layout((("at", "timestamp"), ("v", "string")), ("at",))
    store = filled(tmp_path, layout, {"at": MOMENT, "v": "found"})
    assert store.lookup({"at": written}, ["v"]) == {"v": "found"}


@pytest.mark.parametrize("written", [10003, 10003.0, "10003", " 10003 ", Decimal(10003), np.int32(10003)])
def test_every_way_to_write_an_integer_is_the_same_key(tmp_path: Path, written: object) -> None:
    layout = Layout((("k", "int"), ("v", "string")), ("k",))
    store = filled(tmp_path, layout, {"k": 10003, "v": "found"})
    assert store.lookup({"k": written}, ["v"]) == {"v": "found"}


@pytest.mark.parametrize(
    ("type_text", "written"),
    [
        ("int", "10003.0"),
        ("int", 10003.5),
        ("int", True),
        ("bigint", "many"),
        ("timestamp", "yesterday"),
        ("timestamp", True),
        ("date", 5),
        ("boolean", "true"),
        ("boolean", 1),
        ("decimal(10,2)", "much"),
        ("string", 10003),
    ],
)
def test_key_of_another_type_is_refused_naming_the_column(type_text: str, written: object) -> None:
    with pytest.raises(KeyTypeError, match="zone"):
        normalise("zone", type_text, written)


def test_text_key_is_never_a_number(tmp_path: Path) -> None:
    layout = Layout((("k", "string"), ("v", "string")), ("k",))
    store = filled(tmp_path, layout, {"k": "10003", "v": "found"})
    assert store.lookup({"k": "10003"}, ["v"]) == {"v": "found"}
    with pytest.raises(KeyTypeError, match="is not of type string"):
        store.lookup({"k": 10003}, ["v"])


@pytest.mark.parametrize("null", [None, float("nan"), pd.NaT])
def test_null_key_finds_nothing(tmp_path: Path, null: object) -> None:
    layout = Layout((("k", "int"), ("v", "string")), ("k",))
    store = filled(tmp_path, layout, {"k": 1, "v": "found"})
    assert store.lookup({"k": null}, ["v"]) == {"v": None}


def test_keys_of_several_columns_do_not_run_together(tmp_path: Path) -> None:
    layout = Layout((("a", "string"), ("b", "string"), ("v", "int")), ("a", "b"))
    store = filled(tmp_path, layout, {"a": "x,", "b": "y", "v": 1}, {"a": "x", "b": ",y", "v": 2})
    assert store.lookup({"a": "x,", "b": "y"}, ["v"]) == {"v": 1}
    assert store.lookup({"b": ",y", "a": "x"}, ["v"]) == {"v": 2}


@pytest.mark.parametrize(
    ("type_text", "stored", "written"),
    [
        ("date", date(2016, 2, 29), "2016-02-29"),
        ("decimal(10,2)", Decimal("1.10"), "1.1"),
        ("double", 0.1, "0.1"),
        ("boolean", True, True),
    ],
)
def test_other_types_are_found_by_their_json_form(
    tmp_path: Path, type_text: str, stored: object, written: object
) -> None:
    layout = Layout((("k", type_text), ("v", "string")), ("k",))
    store = filled(tmp_path, layout, {"k": stored, "v": "found"})
    assert store.lookup({"k": written}, ["v"]) == {"v": "found"}


@settings(max_examples=200, deadline=None)
@given(value=st.floats(allow_nan=False))
def test_doubles_come_back_bit_by_bit(tmp_path_factory: pytest.TempPathFactory, value: float) -> None:
    layout = Layout((("k", "int"), ("x", "double")), ("k",))
    store = filled(tmp_path_factory.mktemp("online"), layout, {"k": 1, "x": value})
    assert struct.pack("d", store.lookup({"k": 1}, ["x"])["x"]) == struct.pack("d", value)


def test_unknown_column_is_named(tmp_path: Path) -> None:
    layout = Layout((("k", "int"), ("v", "string")), ("k",))
    with pytest.raises(ValueError, match="nothere"):
        filled(tmp_path, layout, {"k": 1, "v": ""}).lookup({"k": 1}, ["nothere"])


def test_reader_sees_the_table_that_replaced_a_deleted_one(tmp_path: Path) -> None:
    layout = Layout((("k", "int"), ("v", "string")), ("k",))
    reader = filled(tmp_path, layout, {"k": 1, "v": "old"})
    assert reader.lookup({"k": 1}, ["v"]) == {"v": "old"}
    delete_store(tmp_path / "table.db")
    with pytest.raises(OnlineTableGoneError):
        reader.lookup({"k": 1}, ["v"])
    filled(tmp_path, Layout((("k", "string"), ("w", "int")), ("k",)), {"k": "one", "w": 2})
    assert reader.lookup({"k": "one"}, ["w"]) == {"w": 2}


def test_reader_sees_all_of_a_transaction_or_nothing(tmp_path: Path) -> None:
    layout = Layout((("k", "int"), ("v", "string")), ("k",))
    reader = filled(tmp_path, layout, {"k": 1, "v": "old"})
    writer = KeyedWriter(tmp_path / "table.db")
    with writer.transaction():
        writer.replace(layout, [{"k": 1, "v": "new"}])
        assert reader.lookup({"k": 1}, ["v"]) == {"v": "old"}
    assert reader.lookup({"k": 1}, ["v"]) == {"v": "new"}
    doubled = [{"k": 2, "v": "once"}, {"k": 2, "v": "twice"}]
    with pytest.raises(DuplicateKeyError):
        _replace(writer, layout, doubled)
    writer.close()
    assert reader.lookup({"k": 1}, ["v"]) == {"v": "new"}


def _replace(writer: KeyedWriter, layout: Layout, rows: list[dict[str, Any]]) -> None:
    with writer.transaction():
        writer.replace(layout, rows)


def filled(folder: Path, layout: Layout, *rows: dict[str, object]) -> KeyedReader:
    writer = KeyedWriter(folder / "table.db")
    with writer.transaction():
        writer.replace(layout, list(rows))
        writer.set_synced(layout, Position(1, "id", 0, 0, 0))
    writer.close()
    return KeyedReader(folder / "table.db")


def test_a_store_from_before_times_were_kept_has_its_version_and_no_times(tmp_path: Path) -> None:
    path = tmp_path / "table.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE online_row (key TEXT, time INTEGER, body TEXT, PRIMARY KEY (key, time)) WITHOUT ROWID")
        db.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
        layout = '{"columns": [["k", "int"], ["v", "string"]], "key": ["k"], "timeseries": null}'
        entries = [("layout", layout), ("version", "4"), ("table_id", "id")]
        db.executemany("INSERT INTO meta VALUES (?, ?)", entries)
        db.execute('INSERT INTO online_row VALUES (\'[1]\', 0, \'{"k":1,"v":"kept"}\')')
        db.commit()
    assert position(path) == Position(4, "id", None, None, None)
    writer = KeyedWriter(path)
    synced = writer.synced()
    assert synced is not None
    with writer.transaction():
        writer.apply(synced[0], [(False, {"k": 1, "v": "kept"}), (True, {"k": 1, "v": "new"})])
    writer.close()
    assert KeyedReader(path).lookup({"k": 1}, ["v"]) == {"v": "new"}

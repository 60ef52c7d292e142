"""Files of volumes in SQL: read_files and COPY INTO."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType

from tests.support.warehouse import StatementFailedError, Warehouse


@pytest.fixture
def volume(sql: Warehouse, client: WorkspaceClient) -> str:
    client.volumes.create("main", sql.schema, "landing", VolumeType.MANAGED)
    return f"/Volumes/main/{sql.schema}/landing"


def put(client: WorkspaceClient, path: str, content: bytes) -> None:
    client.files.upload(path, io.BytesIO(content), overwrite=True)


def test_csv_is_read_with_and_without_a_header(sql: Warehouse, client: WorkspaceClient, volume: str) -> None:
    put(client, f"{volume}/in/a.csv", b'id,name,at\n1,"a,b",2024-01-01 10:00:00\n2,,2024-01-02 00:00:00\n')
    query = f"SELECT * EXCEPT (_rescued_data) FROM read_files('{volume}/in/a.csv', format => 'csv', header => true)"
    assert sql.rows(query) == [["1", "a,b", "2024-01-01T10:00:00.000Z"], ["2", None, "2024-01-02T00:00:00.000Z"]]
    assert [column.type_text for column in sql.columns(query)] == ["BIGINT", "STRING", "TIMESTAMP"]
    put(client, f"{volume}/in/b.csv", b"3;c\n")
    assert sql.rows(f"SELECT _c0 + 1, _c1 FROM read_files('{volume}/in/b.csv', sep => ';')") == [["4", "c"]]
    typed = f"read_files('{volume}/in/b.csv', sep => ';', schema => 'n DECIMAL(5,1), s STRING, z INT')"
    assert sql.rows(f"SELECT * FROM {typed}") == [["3.0", "c", None]]


def test_json_and_parquet_are_read_from_directories_and_patterns(
    sql: Warehouse, client: WorkspaceClient, volume: str
) -> None:
    put(client, f"{volume}/j/one.json", b'{"a": 1, "b": {"c": ["x"]}}\n{"a": 2, "b": null}\n')
    put(client, f"{volume}/j/two.json", b'{"a": 3, "d": true}\n')
    put(client, f"{volume}/j/_hidden.json", b"no json")
    rows = sql.rows(f"SELECT a, b.c[0], d FROM read_files('{volume}/j', format => 'json') ORDER BY a")
    assert rows == [["1", "x", None], ["2", None, None], ["3", None, "true"]]
    assert sql.row(f"SELECT count(*) FROM read_files('{volume}/j/t*.json')") == ["1"]
    sink = io.BytesIO()
    pq.write_table(pa.table({"p": [1.5, 2.5]}), sink)
    put(client, f"{volume}/p.parquet", sink.getvalue())
    assert sql.rows(f"SELECT p FROM read_files('{volume}/p.parquet') WHERE p > 2") == [["2.5"]]


def test_copy_into_loads_each_file_once(sql: Warehouse, client: WorkspaceClient, volume: str) -> None:
    sql.execute("CREATE TABLE t (id BIGINT, name STRING)")
    copy = f"COPY INTO t FROM '{volume}/load' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"
    put(client, f"{volume}/load/1.csv", b"name,id\na,1\n")
    assert sql.row(copy) == ["1", "1", "0"]
    put(client, f"{volume}/load/2.csv", b"id,name\n2,b\n")
    assert sql.row(copy) == ["1", "1", "0"]
    assert sql.row(copy) == ["0", "0", "0"]
    assert sql.rows("SELECT id, name FROM t ORDER BY id") == [["1", "a"], ["2", "b"]]
    assert sql.row(f"{copy} COPY_OPTIONS ('force' = 'true')") == ["2", "2", "0"]
    put(client, f"{volume}/load/3.csv", b"id,other\n2,b\n")
    with pytest.raises(StatementFailedError, match=r"DELTA_FAILED_TO_MERGE_FIELDS.*`other`"):
        sql.execute(copy)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("read_files('/etc/passwd')", "below /Volumes"),
        ("read_files('/Volumes/main/{schema}/nothing/x.csv')", "VOLUME_DOES_NOT_EXIST"),
        ("read_files('{volume}/none.csv')", "PATH_NOT_FOUND"),
        ("read_files('{volume}/../../x.csv')", "Invalid path"),
        ("read_files('{volume}/x.csv', format => 'avro')", "format 'avro'"),
        ("read_files('{volume}/x.csv', mode => 'FAILFAST')", r"option\(s\) mode"),
        ("read_files('{volume}/x.csv', schema => 'a INT', header => true)", "FAILED_READ_FILE"),
    ],
)
def test_what_cannot_be_read_is_named(
    sql: Warehouse, client: WorkspaceClient, volume: str, source: str, reason: str
) -> None:
    put(client, f"{volume}/x.csv", b"a\nnot a number\n")
    with pytest.raises(StatementFailedError, match=reason):
        sql.rows(f"SELECT * FROM {source.format(volume=volume, schema=sql.schema)}")

"""A feature table's copy in MySQL follows it: on a real server, from real Delta tables and their change data feed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import pymysql
import pytest

from components.external_store_sql import WRITER_GRANTS, StoreAccount
from pipelines.errors import PipelineError
from pipelines.external_check import Checked, check
from pipelines.external_publish import Published, publish
from pipelines.external_source import DeltaSource
from pipelines.external_store import StoreSpec, connect, credentials
from pipelines.progress import Progress
from pipelines.sql import Warehouse
from tests.support.database import Database
from tests.support.server import WorkspaceServer
from toolchain.certificates import CA, make_certificates

_NUMBER = count(1)
COLUMNS = "id BIGINT NOT NULL, name STRING, score DOUBLE, CONSTRAINT {table}_key PRIMARY KEY (id)"


@dataclass
class Feature:
    """A feature table, and a database of its own that it is published to."""

    server: WorkspaceServer
    warehouse: Warehouse
    database: Database
    name: str

    @property
    def store(self) -> StoreSpec:
        return self.database.spec(database=f"db_{self.name}", table=self.name)

    def create(self, columns: str = COLUMNS, feed: str = "true") -> None:
        self.sql(
            f"CREATE TABLE {self.name} ({columns.format(table=self.name)}) "
            f"TBLPROPERTIES ('delta.enableChangeDataFeed' = '{feed}')"
        )

    def sql(self, statement: str) -> None:
        self.warehouse.run(statement.replace("{t}", self.name))

    @property
    def source(self) -> DeltaSource:
        return DeltaSource(self.server.client(), self.warehouse, f"main.external.{self.name}")

    def publish(self, *, everything: bool = False) -> Published:
        with self.database.connect("writer", self.store) as connection:
            return publish(self.source, connection, self.store, Progress(io.StringIO()), everything=everything)

    def check(self) -> Checked:
        with self.database.connect("reader", self.store) as connection:
            return check(self.source, connection, self.store)

    def copy(self) -> list[tuple[Any, ...]]:
        return self.database.rows(f"SELECT * FROM {self.name} ORDER BY 1", database=self.store.database_name)

    def write(self, statement: str) -> None:
        """As the writer, by hand: what a publication knows nothing of."""
        with self.database.connect("writer", self.store) as connection, connection.cursor() as cursor:
            cursor.execute(statement.replace("{t}", self.name))
            connection.commit()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceServer]:
    made = WorkspaceServer(tmp_path_factory.mktemp("external") / "workspace")
    made.start()
    made.client().schemas.create("external", "main")
    yield made
    made.kill()


@pytest.fixture
def feature(server: WorkspaceServer, database: Database) -> Feature:
    name = f"t{next(_NUMBER)}"
    database.set_up(StoreAccount(database=f"db_{name}", table=name, client_host="127.0.0.1"))
    return Feature(server, Warehouse(server.client(), "local", "main", "external"), database, name)


@pytest.fixture
def published(feature: Feature) -> Feature:
    """Three rows, published once."""
    feature.create()
    feature.sql("INSERT INTO {t} VALUES (1, 'one', 1.5), (2, 'two', NULL), (3, 'drei ÄÖ 🚢', 0.1)")
    done = feature.publish()
    assert (done.how, done.upserted, done.deleted) == ("everything", 3, 0)
    return feature


def test_the_first_publication_copies_every_row_as_it_is(published: Feature) -> None:
    assert published.copy() == [(1, "one", 1.5), (2, "two", None), (3, "drei ÄÖ 🚢", 0.1)]
    found = published.check()
    assert (found.rows, found.first[0]) == (3, (1, "one", 1.5))


def test_publishing_again_writes_nothing(published: Feature) -> None:
    state = f"SELECT * FROM {published.store.database_name}.published_tables"
    before = published.database.rows(state, database=published.store.database_name)
    assert published.publish().how == "nothing"
    assert published.database.rows(state, database=published.store.database_name) == before


def test_merge_writes_what_changed_since_and_deletes_what_is_gone(published: Feature) -> None:
    published.sql("UPDATE {t} SET score = 2.5 WHERE id = 1")
    published.sql("UPDATE {t} SET score = 3.5 WHERE id = 1")
    published.sql("INSERT INTO {t} VALUES (4, 'four', 4.0), (5, 'five', 5.0)")
    published.sql("DELETE FROM {t} WHERE id IN (3, 5)")
    # A row that nothing happened to is not written: what stands there by another hand stays.
    published.write("UPDATE {t} SET name = 'by hand' WHERE id = 2")
    done = published.publish()
    assert (done.how, done.upserted, done.deleted) == ("changes", 2, 1)
    assert published.copy() == [(1, "one", 3.5), (2, "by hand", None), (4, "four", 4.0)]


def test_a_key_that_left_and_came_back_is_there(published: Feature) -> None:
    published.sql("DELETE FROM {t} WHERE id = 1")
    published.sql("INSERT INTO {t} VALUES (1, 'again', 9.0)")
    published.sql("INSERT OVERWRITE {t} VALUES (1, 'again', 9.0), (2, 'written over', 2.0)")
    assert published.publish().how == "changes"
    assert published.copy() == [(1, "again", 9.0), (2, "written over", 2.0)]
    assert published.check().rows == 2


def test_a_table_that_was_made_anew_is_published_whole_and_old_rows_go(published: Feature) -> None:
    published.sql("DROP TABLE {t}")
    published.create()
    published.sql("INSERT INTO {t} VALUES (2, 'new', 1.0), (9, 'nine', 9.0)")
    done = published.publish()
    assert (done.how, done.upserted, done.deleted) == ("everything", 2, 2)
    assert published.copy() == [(2, "new", 1.0), (9, "nine", 9.0)]


def test_a_feed_that_does_not_reach_back_is_no_obstacle(feature: Feature) -> None:
    feature.create(feed="false")
    feature.sql("INSERT INTO {t} VALUES (1, 'one', 1.0)")
    feature.publish()
    feature.sql("INSERT INTO {t} VALUES (2, 'two', 2.0)")
    done = feature.publish()
    assert (done.how, done.upserted) == ("everything", 2)
    assert feature.check().rows == 2


def test_an_emptied_table_empties_its_copy(published: Feature) -> None:
    published.sql("DELETE FROM {t}")
    published.publish(everything=True)
    assert published.copy() == []
    assert published.check().rows == 0


def test_keys_of_several_columns_and_all_types_come_through_in_pages(
    feature: Feature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.external_publish.BATCH", 2)
    feature.create(
        "place STRING NOT NULL, day DATE NOT NULL, seen TIMESTAMP, flag BOOLEAN, small INT, share FLOAT, "
        "CONSTRAINT {table}_key PRIMARY KEY (place, day)"
    )
    rows = ", ".join(
        f"('{place}', DATE '2026-01-0{day}', TIMESTAMP '2026-01-01 12:00:00.25', {flag}, {day}, CAST(0.1 AS FLOAT))"
        for place in ("a", "B", "é")
        for day, flag in ((1, "true"), (2, "false"), (3, "NULL"))
    )
    feature.sql(f"INSERT INTO {{t}} VALUES {rows}")
    assert feature.publish().upserted == 9
    feature.sql("UPDATE {t} SET small = small + 10 WHERE day = DATE '2026-01-02'")
    feature.sql("DELETE FROM {t} WHERE place = 'B'")
    done = feature.publish()
    assert (done.how, done.upserted, done.deleted) == ("changes", 2, 3)
    assert feature.check().rows == 6
    assert [row[4] for row in feature.copy()] == [1, 12, 3, 1, 12, 3]


def test_a_new_column_is_added_and_filled(published: Feature) -> None:
    published.sql("ALTER TABLE {t} ADD COLUMNS (town STRING)")
    published.sql("UPDATE {t} SET town = 'Queenstown' WHERE id = 2")
    assert published.publish().how == "everything"
    assert published.copy()[1] == (2, "two", None, "Queenstown")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE {t} ADD COLUMN old INT", "old is no column of the feature table"),
        ("ALTER TABLE {t} MODIFY score VARCHAR(20)", r"score is varchar\(20\), expected double"),
    ],
)
def test_columns_that_do_not_fit_are_refused_before_anything_is_written(
    published: Feature, statement: str, says: str
) -> None:
    published.write(statement)
    published.sql("UPDATE {t} SET name = 'later' WHERE id = 1")
    with pytest.raises(PipelineError, match=says):
        published.publish()
    assert published.copy()[0][1] == "one"


def test_a_publication_that_ends_half_way_leaves_the_copy_and_is_made_again(
    published: Feature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.external_publish.BATCH", 1)
    published.sql("UPDATE {t} SET score = score + 100 WHERE id IN (1, 3)")
    real = DeltaSource.changes

    def broken(self: DeltaSource, *arguments: Any) -> Any:
        pages = real(self, *arguments)
        assert pages is not None
        return chain([next(pages)], (1 / 0 for _ in "x"))

    monkeypatch.setattr(DeltaSource, "changes", broken)
    with pytest.raises(ZeroDivisionError):
        published.publish()
    assert [row[2] for row in published.copy()] == [1.5, None, 0.1]
    monkeypatch.setattr(DeltaSource, "changes", real)
    assert published.publish().upserted == 2
    assert [row[2] for row in published.copy()] == [101.5, None, 100.1]


def test_two_publications_of_one_table_do_not_run_at_once(published: Feature) -> None:
    name = f"publish {published.store.database_name}.{published.store.table_name}"
    with published.database.connect("writer", published.store) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (name,))
        with pytest.raises(PipelineError, match=r"Another publication of .* is at work"):
            published.publish()
    assert published.publish().how == "nothing"


def test_the_check_names_keys_that_somebody_else_changed_and_everything_mends_them(published: Feature) -> None:
    published.write("UPDATE {t} SET score = -1 WHERE id = 2")
    published.write("DELETE FROM {t} WHERE id = 3")
    published.write("INSERT INTO {t} VALUES (7, 'stranger', 7.0)")
    with pytest.raises(PipelineError, match=r"in 3 rows \(keys 2, 3, 7\)"):
        published.check()
    assert published.publish().how == "nothing"
    assert published.publish(everything=True).deleted == 1
    assert published.check().rows == 3


def test_what_was_never_published_is_not_checked(feature: Feature) -> None:
    feature.create()
    feature.publish()
    feature.sql("DROP TABLE {t}")
    feature.create()
    with pytest.raises(PipelineError, match="holds no publication of this feature table"):
        feature.check()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO {t} VALUES (9, 'x', 1.0)",
        "UPDATE {t} SET score = 0",
        "DELETE FROM {t}",
        "DROP TABLE {t}",
        "CREATE TABLE other (id INT)",
        "ALTER TABLE {t} ADD COLUMN more INT",
    ],
)
def test_the_reader_cannot_write(published: Feature, statement: str) -> None:
    with published.database.connect("reader", published.store) as connection, connection.cursor() as cursor:
        with pytest.raises(pymysql.err.OperationalError, match="command denied to user 'reader'"):
            cursor.execute(statement.replace("{t}", published.name))
        cursor.execute(f"SELECT count(*) FROM {published.name}")
        assert cursor.fetchone() == (3,)


def test_neither_user_gets_into_a_database_whose_name_only_looks_alike(feature: Feature) -> None:
    """In a grant, an underscore stands for any character."""
    lookalike = feature.store.database_name.replace("_", "x")
    feature.database.server.run_sql(f"CREATE DATABASE {lookalike};")
    for role in ("writer", "reader"):
        with pytest.raises(PipelineError, match=f"Access denied for user '{role}'"):
            feature.database.connect(role, feature.database.spec(database=lookalike))


@pytest.mark.parametrize("grant", WRITER_GRANTS)
def test_the_writer_has_no_grant_that_publishing_does_without(feature: Feature, grant: str) -> None:
    """Each one is taken away, and something that publishing does fails."""
    database = feature.store.database_name.replace("_", "\\_")
    feature.database.server.run_sql(f"REVOKE {grant} ON `{database}`.* FROM 'writer'@'127.0.0.1';")
    feature.create()
    feature.sql("INSERT INTO {t} VALUES (1, 'one', 1.0), (2, 'two', 2.0)")

    def all_that_publishing_does() -> None:
        feature.publish()
        feature.sql("DELETE FROM {t} WHERE id = 1")
        feature.publish()
        feature.sql("ALTER TABLE {t} ADD COLUMNS (more INT)")
        feature.sql("UPDATE {t} SET more = 1")
        feature.publish()

    with pytest.raises(PipelineError, match=r"refused the publication \(1142\).*The writer needs SELECT, INSERT"):
        all_that_publishing_does()


def test_no_connection_without_tls_or_to_a_server_that_somebody_else_vouches_for(
    feature: Feature, tmp_path: Path
) -> None:
    who, name = feature.database.who("reader"), feature.store.database_name
    # Not even asked for on loopback without a CA: the server insists.
    with pytest.raises(PipelineError, match="Access denied"):
        connect(feature.database.spec(name, ca=""), who)
    make_certificates(tmp_path)
    with pytest.raises(PipelineError, match="certificate verify failed"):
        connect(feature.database.spec(name, ca=(tmp_path / CA).read_text()), who)
    # The same address, by a name that the certificate does not have.
    with pytest.raises(PipelineError, match="Hostname mismatch"):
        connect(feature.database.spec(name, hostname="127.1"), who)
    connect(feature.database.spec(name, hostname="localhost"), who).close()


def test_errors_name_the_user_and_never_the_password(published: Feature) -> None:
    published.database.passwords["reader"], right = "not-the-password", published.database.passwords["reader"]
    try:
        with pytest.raises(PipelineError, match="as reader: Access denied") as refused:
            published.database.connect("reader", published.store)
    finally:
        published.database.passwords["reader"] = right
    assert "not-the-password" not in str(refused.value)


def test_a_store_that_lacks_fields_names_them_all() -> None:
    with pytest.raises(
        PipelineError, match="the store lacks hostname, write_secret_prefix; a store has hostname, port"
    ):
        StoreSpec.of(
            {"port": "3306", "database_name": "d", "table_name": "t", "read_secret_prefix": "s/k", "hostname": ""}
        )


def test_the_secrets_of_a_prefix_are_its_user_and_password() -> None:
    class Scopes:
        def get(self, scope: str, key: str) -> str:
            return f"{scope}|{key}"

    found = credentials(Scopes(), "feature_store_reader/feature_store")
    assert found.user == "feature_store_reader|feature_store-user"
    assert found.password == "feature_store_reader|feature_store-password"
    with pytest.raises(PipelineError, match="write <secret scope>/<prefix of its two keys>"):
        credentials(Scopes(), "feature_store_reader")


def test_tables_without_a_key_or_with_a_type_that_mysql_lacks_are_refused(feature: Feature) -> None:
    feature.create("id BIGINT, name STRING")
    with pytest.raises(PipelineError, match="publishing merges by key"):
        feature.publish()
    feature.sql("DROP TABLE {t}")
    feature.create("id BIGINT NOT NULL, tags ARRAY<STRING>, CONSTRAINT {table}_key PRIMARY KEY (id)")
    with pytest.raises(PipelineError, match=r"tags array<string> cannot be published to MySQL"):
        feature.publish()

"""Publishes a feature table to a MySQL database: what has changed since the version published last, in one transaction.

`merge` is the mode of the legacy feature store client's `publish_table` (page "Third-party online stores"): rows that
are new are inserted, rows that are there are updated, and here rows that left the feature table go, too. What was
published last stands beside the copy, in `published_tables`, and is written with the rows: a publication that is ended
half way leaves the copy as it was, and is made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import pymysql
from pymysql.cursors import SSCursor

from pipelines.errors import PipelineError
from pipelines.external_columns import KeyedColumns, as_mysql
from pipelines.external_store import StoreSpec, quoted
from pipelines.progress import Progress

if TYPE_CHECKING:
    from pipelines.external_source import Change
    from pipelines.external_store import Connection

STATE: Final = "published_tables"
BATCH: Final = 1_000
_STATE_TABLE: Final = f"""CREATE TABLE IF NOT EXISTS {quoted(STATE)} (
  table_name VARCHAR(64) NOT NULL PRIMARY KEY,
  source_id VARCHAR(255) NOT NULL,
  source_version BIGINT NOT NULL,
  published_at DATETIME(6) NOT NULL
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"""
_LOCK_SECONDS: Final = 0
_DENIED: Final = (1044, 1142, 1143)

How = Literal["nothing", "changes", "everything"]


class Source(Protocol):
    """A feature table with a primary key and a change data feed."""

    @property
    def columns(self) -> KeyedColumns: ...

    @property
    def identity(self) -> str:
        """Another one where the table was dropped and made anew."""

    def version(self) -> int:
        """Of the newest commit."""

    def rows(self, version: int, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """All rows as of a version, in the order of their keys, so many at a time."""

    def changes(self, after: int, version: int, size: int) -> Iterator[list[Change]] | None:
        """What became of every key that changed after a version; None where the feed does not reach back so far."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What one publication did."""

    how: How
    version: int
    """Of the feature table, which the copy is now in step with."""
    upserted: int = 0
    deleted: int = 0

    def __str__(self) -> str:
        if self.how == "nothing":
            return f"in step with version {self.version} already"
        return f"{self.how}: {self.upserted} rows written, {self.deleted} deleted, now at version {self.version}"


def publish(
    source: Source, connection: Connection, store: StoreSpec, progress: Progress, *, everything: bool = False
) -> Published:
    """Bring the copy in step with the newest version of the feature table.

    Args:
        connection: as the writer; committed, or rolled back.
        everything: compare all rows, even where the changes would do: for a copy that somebody else has written to.

    Raises PipelineError when another publication is at work, when the copy has columns that do not fit, and in the
    server's words when it refuses.
    """
    table = Copy(connection, store.table_name, source.columns)
    try:
        with _alone(connection, store):
            is_new = table.prepare()
            version, last = source.version(), table.published()
            if last == (source.identity, version) and not (everything or is_new):
                return Published(how="nothing", version=version)
            feed = None
            if last is not None and last[0] == source.identity and last[1] < version and not (everything or is_new):
                feed = source.changes(last[1], version, BATCH)
            done = _merge(table, feed, progress) if feed is not None else _replace(table, source, version, progress)
            table.remember(source.identity, version)
            connection.commit()
    except pymysql.MySQLError as error:
        connection.rollback()
        raise PipelineError(_refusal(error, store)) from None
    except BaseException:
        connection.rollback()
        raise
    return Published(how=done[0], version=version, upserted=done[1], deleted=done[2])


class Copy:
    """The copy of a feature table, and the note of what it holds."""

    def __init__(self, connection: Connection, table: str, columns: KeyedColumns) -> None:
        self._connection: Final = connection
        self._cursor: Final = connection.cursor()
        self._name: Final = table
        self._table: Final = quoted(table)
        self._columns: Final = columns
        names = [quoted(name) for name in columns.names]
        self._key: Final = ", ".join(quoted(name) for name in columns.key)
        rest = [name for name in names if name not in self._key.split(", ")] or names[:1]
        # `VALUES(...)` is what MySQL and MariaDB both understand.
        self._upsert: Final = (
            f"INSERT INTO {self._table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) "  # noqa: S608
            f"ON DUPLICATE KEY UPDATE {', '.join(f'{name} = VALUES({name})' for name in rest)}"
        )

    def prepare(self) -> bool:
        """Make the table, or give it the columns that it lacks; whether all rows have to be written then.

        Statements of this kind end a transaction in MySQL, so they come first. Raises PipelineError for columns that
        are of another type, or that the feature table has no more.
        """
        self._cursor.execute(_STATE_TABLE)
        there = self._there()
        if not there:
            parts = [
                *(f"{quoted(name)} {as_mysql(self._columns, name)}" for name in self._columns.names),
                f"PRIMARY KEY ({self._key})",
            ]
            self._cursor.execute(
                f"CREATE TABLE {self._table} ({', '.join(parts)}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            )
            return True
        wanted = {name: as_mysql(self._columns, name) for name in self._columns.names}
        self._refuse_other_columns(there, wanted)
        missing = [name for name in wanted if name not in there]
        for name in missing:
            self._cursor.execute(f"ALTER TABLE {self._table} ADD COLUMN {quoted(name)} {wanted[name]}")
        return bool(missing)

    def published(self) -> tuple[str, int] | None:
        """Identity and version of what was published last."""
        self._cursor.execute(
            f"SELECT source_id, source_version FROM {quoted(STATE)} WHERE table_name = %s",  # noqa: S608
            (self._name,),
        )
        found = self._cursor.fetchone()
        return None if found is None else (str(found[0]), int(found[1]))

    def remember(self, identity: str, version: int) -> None:
        self._cursor.execute(
            f"INSERT INTO {quoted(STATE)} (table_name, source_id, source_version, published_at) "  # noqa: S608
            "VALUES (%s, %s, %s, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE source_id = VALUES(source_id), "
            "source_version = VALUES(source_version), published_at = VALUES(published_at)",
            (self._name, identity, version),
        )

    def upsert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._cursor.executemany(self._upsert, [self._columns.to_mysql(row) for row in rows])

    def delete(self, keys: Sequence[tuple[Any, ...]]) -> int:
        """Delete rows by key; how many were there."""
        if not keys:
            return 0
        one = f"({', '.join(['%s'] * len(self._columns.key))})"
        condition = f"({self._key}) IN ({', '.join([one] * len(keys))})"
        return self._deleted(condition, [value for key in keys for value in self._columns.key_to_mysql(key)])

    def delete_between(
        self, after: tuple[Any, ...] | None, until: tuple[Any, ...] | None, kept: Sequence[tuple[Any, ...]]
    ) -> int:
        """Delete the rows after one key and up to another (None: no limit) that are not among `kept`."""
        one = f"({', '.join(['%s'] * len(self._columns.key))})"
        conditions: list[str] = ["TRUE"]
        values: list[Any] = []
        for sign, limit in ((">", after), ("<=", until)):
            if limit is not None:
                conditions.append(f"({self._key}) {sign} {one}")
                values.extend(self._columns.key_to_mysql(limit))
        if kept:
            conditions.append(f"({self._key}) NOT IN ({', '.join([one] * len(kept))})")
            values.extend(value for key in kept for value in self._columns.key_to_mysql(key))
        return self._deleted(" AND ".join(conditions), values)

    def rows(self, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """All rows, in the order of their keys, in the values that the feature table has."""
        names = ", ".join(quoted(name) for name in self._columns.names)
        # The server keeps the rows until they are fetched, so that not all of them are here at once.
        with self._connection.cursor(SSCursor) as cursor:
            cursor.execute(f"SELECT {names} FROM {self._table} ORDER BY {self._key}")  # noqa: S608
            while page := cursor.fetchmany(size):
                yield [self._columns.from_mysql(row) for row in page]

    def _deleted(self, condition: str, values: Sequence[Any]) -> int:
        return int(self._cursor.execute(f"DELETE FROM {self._table} WHERE {condition}", values))  # noqa: S608

    def _there(self) -> dict[str, str]:
        self._cursor.execute(
            "SELECT column_name, column_type FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            (self._name,),
        )
        return {str(name): str(kind) for name, kind in self._cursor.fetchall()}

    def _refuse_other_columns(self, there: dict[str, str], wanted: dict[str, str]) -> None:
        differing = [
            f"{name} is {there[name]}, expected {kind}"
            for name, kind in wanted.items()
            if name in there and not self._columns.is_type(name, there[name])
        ]
        gone = [f"{name} is no column of the feature table" for name in there if name not in wanted]
        if differing or gone:
            raise PipelineError(
                f"The copy {self._name} does not fit the feature table: {'; '.join(differing + gone)}. Models that are "
                f"served may still read it: drop those columns by hand, or the table (DROP TABLE {self._table}), and "
                "publish again."
            )


def _merge(table: Copy, feed: Iterator[list[Change]], progress: Progress) -> tuple[How, int, int]:
    upserted = deleted = 0
    for page in feed:
        table.upsert(written := [change.row for change in page if change.row is not None])
        deleted += table.delete([change.key for change in page if change.row is None])
        upserted += len(written)
        progress.say("publishing", f"{upserted} changed rows written, {deleted} deleted")
    return "changes", upserted, deleted


def _replace(table: Copy, source: Source, version: int, progress: Progress) -> tuple[How, int, int]:
    upserted = deleted = 0
    last: tuple[Any, ...] | None = None
    for page in source.rows(version, BATCH):
        keys = [source.columns.key_of(row) for row in page]
        table.upsert(page)
        deleted += table.delete_between(last, keys[-1], keys)
        upserted, last = upserted + len(page), keys[-1]
        progress.say("publishing", f"{upserted} rows written, {deleted} deleted")
    # What is behind the last key of the feature table, or everything where it is empty.
    deleted += table.delete_between(last, None, ())
    return "everything", upserted, deleted


@contextmanager
def _alone(connection: Connection, store: StoreSpec) -> Iterator[None]:
    """One publication of a table at a time: a lock of the server, which goes with the connection."""
    name = f"publish {store.database_name}.{store.table_name}"[:64]
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", (name, _LOCK_SECONDS))
        found = cursor.fetchone()
        if not found or found[0] != 1:
            raise PipelineError(
                f"Another publication of {store.shown} is at work. Wait until it has ended, then publish again."
            )
        try:
            yield
        finally:
            cursor.execute("SELECT RELEASE_LOCK(%s)", (name,))


def _refusal(error: pymysql.MySQLError, store: StoreSpec) -> str:
    number, words = (*error.args, "", "")[:2]
    fix = (
        "The writer needs SELECT, INSERT, UPDATE, DELETE, CREATE and ALTER on the database: run the SQL file for the "
        "database's administrator again."
        if number in _DENIED
        else "The copy is as it was before; publish again when that is mended."
    )
    return f"{store.shown} refused the publication ({number}): {words}. {fix}"

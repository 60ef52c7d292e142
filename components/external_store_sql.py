"""The SQL that a database administrator runs for an external online store: database, two users, least grants, checks.

Pure text. Passwords are in none of it: they are session variables, which the administrator sets first, so that the file
can be kept and shown. Runs as it is on MySQL 8 and on MariaDB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .arguments import Arguments
from .external_store import (
    DEFAULT_DATABASE,
    DEFAULT_TABLE,
    READER,
    WRITER,
    ExternalStoreError,
    check_name,
)

WRITER_GRANTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER")
"""What publishing needs, and no more: rows, the table at the first publication, columns that come later. Tried against
a real server, each of them by leaving it out.
"""
READER_GRANTS = ("SELECT",)
_HOST = re.compile(r"[A-Za-z0-9.:_%/-]{1,255}")


@dataclass(frozen=True, kw_only=True)
class StoreAccount(Arguments):
    """What the SQL is for."""

    database: str = DEFAULT_DATABASE
    """Database of the copies."""
    table: str = DEFAULT_TABLE
    """Table that is looked at in the end."""
    client_host: str = "%"
    """Where both users may come from: an address or pattern, `10.20.%`; `%` is anywhere."""
    writer: str = WRITER
    """User that publishes."""
    reader: str = READER
    """User that looks features up."""
    tls_required: bool = True
    """Whether the server refuses these users without TLS."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for what in ("database", "table", "writer", "reader"):
            check_name(what, getattr(self, what))
        if not _HOST.fullmatch(self.client_host):
            raise ExternalStoreError(
                f"client_host is {self.client_host!r}; write an address or a pattern such as 10.20.%"
            )


def administrator_sql(account: StoreAccount) -> str:
    """The whole file; each statement can be run again."""
    database = _quoted(account.database)
    return f"""\
-- For the administrator of the database, once: mysql --host ... --user <master user> -p < this file
-- Set both passwords first, in the same session; they are in no file:
--   SET @writer_password = '...', @reader_password = '...';
-- They are the values of `pulumi config set --secret mysql:writerPassword` and `mysql:readerPassword`.

CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Users, with their host in full. An unset password ends the file here: NULL is none.
{_user(account, account.writer, "@writer_password")}
{_user(account, account.reader, "@reader_password")}

-- The writer gets what publishing needs, on this database alone (in a grant, _ is any character, and \\_ is itself).
GRANT {", ".join(WRITER_GRANTS)} ON {_pattern(account.database)}.* TO {_account(account, account.writer)};
-- The reader looks features up, and nothing else.
GRANT {", ".join(READER_GRANTS)} ON {_pattern(account.database)}.* TO {_account(account, account.reader)};

{checks_sql(account)}"""


def checks_sql(account: StoreAccount) -> str:
    """Who is there and what they may do: three queries, each with a result."""
    return f"""\
-- Three queries that show that it worked.
SELECT user, host FROM mysql.user WHERE user IN ('{account.writer}', '{account.reader}');
SHOW GRANTS FOR {_account(account, account.writer)};
SHOW GRANTS FOR {_account(account, account.reader)};
"""


def rows_sql(account: StoreAccount) -> str:
    """The check of the copy, after the first publication: as the reader, whose rights are enough."""
    table = f"{_quoted(account.database)}.{_quoted(account.table)}"
    return f"""\
-- After publishing: the rows are there.
SELECT * FROM {table};
SELECT count(*) FROM {table};
"""


def _user(account: StoreAccount, user: str, password: str) -> str:
    """CREATE USER takes no variable, so the statement is made of one; ALTER USER sets the password anew."""
    require = "SSL" if account.tls_required else "NONE"
    who = f"''{user}''@''{account.client_host}''"
    lines = []
    for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
        lines += [
            f"SET @statement = CONCAT('{verb} {who} IDENTIFIED BY ', QUOTE({password}), ' REQUIRE {require}');",
            "PREPARE made FROM @statement;",
            "EXECUTE made;",
            "DEALLOCATE PREPARE made;",
        ]
    return "\n".join(lines)


def _account(account: StoreAccount, user: str) -> str:
    return f"'{user}'@'{account.client_host}'"


def _quoted(name: str) -> str:
    return f"`{name}`"


def _pattern(database: str) -> str:
    return _quoted(database.replace("_", "\\_"))

"""A feature table's copy in a MySQL database: where it is, who reads and writes it, and a connection to it.

The six fields of a store are those of the legacy feature store client's `AmazonRdsMySqlSpec` (page "Third-party online
stores"); that client is gone from current runtimes, so nothing here imports it. It knows nothing of what is in the
tables.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Protocol

import pymysql

from pipelines.errors import PipelineError

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[pymysql.cursors.Cursor]

USER_SUFFIX: Final = "-user"
PASSWORD_SUFFIX: Final = "-password"  # noqa: S105 - the end of a key, not a secret
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 120
_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
_PREFIX: Final = re.compile(r"(?P<scope>[A-Za-z0-9_.@-]{1,128})/(?P<key>[A-Za-z0-9_.@-]{1,119})")
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"


class Secrets(Protocol):
    """`dbutils.secrets`, in a notebook or from databricks-sdk."""

    def get(self, scope: str, key: str) -> str: ...


@dataclass(frozen=True, kw_only=True)
class StoreSpec:
    """Where a table's copy is.

    Raises PipelineError for a value that is none.
    """

    hostname: str
    port: int
    database_name: str
    table_name: str
    read_secret_prefix: str
    write_secret_prefix: str
    ca: str = field(default="", repr=False)
    """Certificates (PEM) of who signs the server's; the machine's own when empty."""

    def __post_init__(self) -> None:
        if not self.hostname or "/" in self.hostname:
            raise PipelineError(
                f"hostname is {self.hostname!r}; write the address alone, without a scheme, as the database gives it"
            )
        if not 0 < self.port < 65536:
            raise PipelineError(f"port is {self.port}; use 1 to 65535, MySQL's own is 3306")
        for name in ("database_name", "table_name"):
            value = getattr(self, name)
            if not _NAME.fullmatch(value):
                raise PipelineError(f"{name} is {value!r}; use letters, digits and underscores, at most 64")
        for name in ("read_secret_prefix", "write_secret_prefix"):
            value = getattr(self, name)
            if not _PREFIX.fullmatch(value):
                raise PipelineError(f"{name} is {value!r}; write <secret scope>/<prefix of its two keys>")
        if self.ca and _CERTIFICATE not in self.ca:
            raise PipelineError(f"ca holds no certificate: it begins with {_CERTIFICATE}, as a PEM file does")

    @classmethod
    def of(cls, values: Mapping[str, str]) -> StoreSpec:
        """A store from texts, as parameters of a job carry them.

        Raises PipelineError naming every field that is missing, and a port that is no number.
        """
        needed = [one.name for one in fields(cls) if one.name != "ca"]
        if missing := [name for name in needed if not values.get(name)]:
            raise PipelineError(
                f"the store lacks {', '.join(missing)}; a store has {', '.join(needed)} (and ca, for TLS)"
            )
        if not values["port"].isdigit():
            raise PipelineError(f"port is {values['port']!r}, not a number; MySQL's own is 3306")
        texts = {name: values[name] for name in needed if name != "port"}
        return cls(**texts, port=int(values["port"]), ca=values.get("ca", ""))

    @property
    def is_loopback(self) -> bool:
        return self.hostname in LOOPBACK

    @property
    def shown(self) -> str:
        return f"{self.hostname}:{self.port}/{self.database_name}.{self.table_name}"


@dataclass(frozen=True)
class Credentials:
    """A database user."""

    user: str
    password: str = field(repr=False)


def credentials(secrets: Secrets, prefix: str) -> Credentials:
    """The user behind a prefix `scope/key`: secrets `<key>-user` and `<key>-password` of the scope.

    Raises PipelineError for a prefix that is none; what reading a secret raises is let through.
    """
    match = _PREFIX.fullmatch(prefix)
    if match is None:
        raise PipelineError(f"secret prefix {prefix!r} is none; write <secret scope>/<prefix of its two keys>")
    return Credentials(
        secrets.get(match["scope"], match["key"] + USER_SUFFIX),
        secrets.get(match["scope"], match["key"] + PASSWORD_SUFFIX),
    )


def connect(store: StoreSpec, who: Credentials) -> Connection:
    """A connection to the store's database, in UTC and strict mode; nothing is committed by itself.

    The server has to show a certificate for its name, signed by one of `store.ca` (or by one that the machine trusts).
    Only on loopback, and without a `ca`, it need not. Raises PipelineError in words for who can mend it; no password is
    in them.
    """
    try:
        return pymysql.connect(
            host=store.hostname,
            port=store.port,
            user=who.user,
            password=who.password,
            database=store.database_name,
            charset="utf8mb4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            write_timeout=ANSWER_SECONDS,
            init_command="SET SESSION time_zone = '+00:00'",
            sql_mode="STRICT_ALL_TABLES",
            autocommit=False,
            **tls(store),
        )
    except (pymysql.MySQLError, ssl.SSLError) as error:
        raise PipelineError(
            f"No connection to {store.shown} as {who.user}: {_reason(error)}. Check address, network, the user's "
            "password in its secret scope, and that ca signs the server's certificate."
        ) from None


def tls(store: StoreSpec) -> dict[str, Any]:
    """What PyMySQL is told of TLS: verified, or none at all where the server is this machine and no `ca` is named."""
    if store.is_loopback and not store.ca:
        return {"ssl_disabled": True}
    return {"ssl": ssl.create_default_context(cadata=store.ca or None)}


def quoted(name: str) -> str:
    """A database, table or column name in backticks. Raises PipelineError for one that MySQL would not take."""
    if not _NAME.fullmatch(name):
        raise PipelineError(f"the name {name!r} cannot be one in MySQL here; use letters, digits and underscores")
    return f"`{name}`"


def _reason(error: Exception) -> str:
    """The server's or the library's own words, without the number."""
    return str(error.args[-1]) if error.args else type(error).__name__

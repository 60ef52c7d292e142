"""A real MariaDB server of the test session, and the users of external stores on it."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

from components.external_store_sql import StoreAccount, administrator_sql
from pipelines.external_store import Credentials, StoreSpec, connect
from toolchain.mariadb import MariaDb


@dataclass
class Database:
    """The server, with one password for each role."""

    server: MariaDb
    passwords: dict[str, str] = field(
        default_factory=lambda: {role: secrets.token_hex(12) for role in ("writer", "reader")}
    )

    @classmethod
    def started(cls, folder: Path) -> Database:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        server = MariaDb(folder, port)
        server.start()
        return cls(server)

    @property
    def ca(self) -> str:
        return self.server.ca.read_text()

    def set_up(self, account: StoreAccount | None = None) -> str:
        """Run the administrator's SQL; what its three queries answer."""
        words = ", ".join(f"@{role}_password = '{password}'" for role, password in self.passwords.items())
        return self.server.run_sql(f"SET {words};\n{administrator_sql(account or StoreAccount())}")

    def drop(self, database: str) -> None:
        self.server.run_sql(f"DROP DATABASE IF EXISTS `{database}`;")

    def spec(self, database: str = "feature_store", table: str = "online_feature_table", **changes: Any) -> StoreSpec:
        values: dict[str, Any] = {
            "hostname": "127.0.0.1",
            "port": self.server.port,
            "database_name": database,
            "table_name": table,
            "read_secret_prefix": "feature_store_reader/feature_store",
            "write_secret_prefix": "feature_store_writer/feature_store",
            "ca": self.ca,
        }
        return StoreSpec(**{**values, **changes})

    def who(self, role: str) -> Credentials:
        return Credentials(role, self.passwords[role])

    def connect(self, role: str, spec: StoreSpec) -> pymysql.connections.Connection[Any]:
        return connect(spec, self.who(role))

    def rows(self, statement: str, role: str = "reader", database: str = "feature_store") -> list[tuple[Any, ...]]:
        """What a query of a user answers, on a connection of its own."""
        with self.connect(role, self.spec(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

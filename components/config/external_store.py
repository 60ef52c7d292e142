"""The external online store (MySQL) of a stack file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, field_validator

from ..external_store import (
    DEFAULT_DATABASE,
    DEFAULT_PORT,
    DEFAULT_TABLE,
    LOOPBACK,
    READ_PREFIX,
    WRITE_PREFIX,
    StoreTlsArgs,
    check_hostname,
    check_name,
    split_prefix,
)
from ..external_store_sql import StoreAccount
from .fields import Filled, Section
from .rules import rule


class StoreTlsConfig(Section):
    """How the connection to the database is secured: always by TLS, except on this machine."""

    ca: Filled | None = Field(
        default=None,
        description=(
            "File (PEM) of who signs the server's certificate, from the project's folder; what the machines trust when "
            "left out. RDS' is the bundle of the region."
        ),
    )
    required: bool = Field(default=True, description="Only a database on this machine may do without.")


class ExternalStoreConfig(Section):
    """A MySQL database as the online store, which the model reads itself. Passwords stand in `mysql:writerPassword` and
    `mysql:readerPassword`, as secrets, and not here.
    """

    enabled: bool = Field(default=False, description="False: an online store with published tables takes its place.")
    host: str | None = Field(default=None, description="Address of the database, as it is: no scheme, no port.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65535, description="TCP port of the database.")
    database: str = Field(default=DEFAULT_DATABASE, description="Database of the copies.")
    table: str = Field(default=DEFAULT_TABLE, description="Table that the features are published to.")
    read_prefix: str = Field(default=READ_PREFIX, description="Secret scope / key prefix of the reader.")
    write_prefix: str = Field(default=WRITE_PREFIX, description="Secret scope / key prefix of the writer.")
    client_host: str = Field(
        default="%", description="Where both database users come from, as a pattern (10.20.%); `%` is anywhere."
    )
    publish_principal: Filled | None = Field(
        default=None, description="Application id that the publishing job runs as: reads the writer's scope."
    )
    tls: StoreTlsConfig = StoreTlsConfig()

    @field_validator("host")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        return value if value is None else check_hostname(value)

    @field_validator("database", "table")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name("the name", value)

    @field_validator("read_prefix", "write_prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        split_prefix("the prefix", value)
        return value

    @rule()
    def _complete(self) -> Iterator[str]:
        self.account()
        if not self.enabled:
            return
        if missing := [name for name in ("host", "publish_principal") if getattr(self, name) is None]:
            names = {"host": "host", "publish_principal": "publishPrincipal"}
            yield (
                f"is enabled and lacks {', '.join(names[name] for name in missing)}; add it, or set enabled to false"
            )
        if split_prefix("readPrefix", self.read_prefix)[0] == split_prefix("writePrefix", self.write_prefix)[0]:
            yield "has one secret scope for reader and writer: whoever serves could write; use two scopes"
        if self.host is not None and not self.tls.required and not self.is_loopback:
            yield (
                f"does without TLS and the host is {self.host}; only a database on this machine may, so remove "
                "tls.required"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether the database is on the machine that it is asked from."""
        return self.host in LOOPBACK

    def account(self) -> StoreAccount:
        """What the administrator's SQL is made of."""
        return StoreAccount(
            database=self.database,
            table=self.table,
            client_host=self.client_host,
            tls_required=self.tls.required,
        )

    def tls_args(self, folder: Path) -> StoreTlsArgs:
        """TLS with the certificates read from their file.

        Args:
            folder: of the project.

        Raises:
            OSError: the file cannot be read. ExternalStoreError: it holds no certificate.
        """
        ca = "" if self.tls.ca is None else (folder / self.tls.ca).read_text(encoding="utf-8")
        return StoreTlsArgs(ca=ca, required=self.tls.required)

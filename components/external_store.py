"""`ExternalOnlineStore`: a MySQL database as an online store: who writes to it, who reads it, and nobody does both.

The stack makes no database and no database users: an administrator does, with the SQL that `external_store_sql.py`
writes. What it makes are the secrets: one scope with the writer's user and password, which the publishing job reads,
and one with the reader's, which the served model gets. Their keys are those that the legacy feature store client looks
for: `<prefix>-user` and `<prefix>-password` (page "Third-party online stores").

What current Databricks does not do: RDS and Aurora MySQL are not listed for feature lookup in Model Serving, and the
client that published to them is gone. So the model reads the store itself, and publishing is a job of one's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pulumi

from . import databricks
from .arguments import Arguments
from .options import child_options

DEFAULT_PORT = 3306
DEFAULT_DATABASE = "feature_store"
DEFAULT_TABLE = "online_feature_table"
READ_PREFIX = "feature_store_reader/feature_store"
WRITE_PREFIX = "feature_store_writer/feature_store"
READER, WRITER = "reader", "writer"
USER_SUFFIX, PASSWORD_SUFFIX = "-user", "-password"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
NOT_LOOKED_UP = (
    "MySQL is not among the stores that Model Serving looks features up in (page 'Third-party online stores'): the "
    "model reads it itself, with the reader's secrets, and a model that was logged with a feature lookup cannot be "
    "served from it. The default, an online store with published tables, needs neither"
)
_SCOPE = re.compile(r"[A-Za-z0-9_.@-]{1,128}")
_KEY = re.compile(r"[A-Za-z0-9_.@-]{1,128}")
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


class ExternalStoreError(ValueError):
    """An external store cannot be as it is described: which part, the value received, the fix. No secret is in it."""


def split_prefix(what: str, prefix: str) -> tuple[str, str]:
    """Scope and key prefix of `scope/prefix`. Raises ExternalStoreError for a text that is none."""
    scope, slash, key = prefix.partition("/")
    if not slash or not _SCOPE.fullmatch(scope) or not _KEY.fullmatch(key + PASSWORD_SUFFIX):
        raise ExternalStoreError(f"{what} is {prefix!r}; write <secret scope>/<prefix of its two keys>")
    return scope, key


def check_hostname(hostname: str) -> str:
    """An address as it is, cluster or instance; it is not taken apart. Raises ExternalStoreError where it is none."""
    if not hostname.strip() or re.search(r"[\s/@]", hostname):
        raise ExternalStoreError(
            f"hostname is {hostname!r}; write the address alone, as the database's console shows it: no scheme, no "
            "port, no path"
        )
    return hostname


def check_name(what: str, name: str) -> str:
    """A database or table name. Raises ExternalStoreError for one that needs more than backticks."""
    if not _NAME.fullmatch(name):
        raise ExternalStoreError(f"{what} is {name!r}; use letters, digits and underscores, at most 64")
    return name


@dataclass(frozen=True, kw_only=True)
class StoreLoginArgs(Arguments):
    """One database user, and the two secrets that hold its name and password."""

    scope: str
    """Secret scope of its own: who may read it, gets both secrets."""
    user: str
    """Name of the database user."""
    password: pulumi.Input[str] = field(repr=False)
    """A Pulumi secret, from `pulumi.Config("mysql").get_secret(...)`; a text in the program is refused."""
    user_key: str = f"feature_store{USER_SUFFIX}"
    """Key of the user's name: a prefix and `-user`."""
    password_key: str = f"feature_store{PASSWORD_SUFFIX}"
    """Key of the password: the same prefix and `-password`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.password, str):
            # The value is not repeated: it is what must not be seen.
            raise ExternalStoreError(
                f"the password of {self.user} is a text in the program; give it as a Pulumi secret: "
                "`pulumi config set --secret` and Config.get_secret"
            )
        for name, key, suffix in (
            ("user_key", self.user_key, USER_SUFFIX),
            ("password_key", self.password_key, PASSWORD_SUFFIX),
        ):
            if not key.endswith(suffix) or not _KEY.fullmatch(key) or key == suffix:
                raise ExternalStoreError(
                    f"{name} of {self.user} is {key!r}; keys are found by their ends, so it is a prefix and {suffix!r}"
                )
        if self.user_key.removesuffix(USER_SUFFIX) != self.password_key.removesuffix(PASSWORD_SUFFIX):
            raise ExternalStoreError(
                f"the keys of {self.user} are {self.user_key!r} and {self.password_key!r}; both have one prefix"
            )
        if not _SCOPE.fullmatch(self.scope):
            raise ExternalStoreError(f"scope of {self.user} is {self.scope!r}; use letters, digits and _ . @ -")

    @classmethod
    def at(cls, what: str, prefix: str, user: str, password: pulumi.Input[str]) -> StoreLoginArgs:
        """A user whose secrets are at `scope/prefix`. Raises ExternalStoreError."""
        scope, key = split_prefix(what, prefix)
        return cls(
            scope=scope,
            user=user,
            password=password,
            user_key=key + USER_SUFFIX,
            password_key=key + PASSWORD_SUFFIX,
        )

    @property
    def prefix(self) -> str:
        """`scope/prefix`, as a store spec names it."""
        return f"{self.scope}/{self.user_key.removesuffix(USER_SUFFIX)}"


@dataclass(frozen=True, kw_only=True)
class StoreTlsArgs(Arguments):
    """How the connection to the database is secured."""

    ca: str = ""
    """Certificates (PEM) of who signs the server's, such as RDS' bundle of the region; those that the machine trusts
    when empty.
    """
    required: bool = True
    """Only a database on this machine may do without."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ca and _CERTIFICATE not in self.ca:
            raise ExternalStoreError(f"tls.ca holds no certificate; a PEM file has a line {_CERTIFICATE}")


@dataclass(frozen=True, kw_only=True)
class ExternalOnlineStoreArgs(Arguments):
    """What an `ExternalOnlineStore` is made of."""

    hostname: str
    """Address of the database, taken as it is: no scheme."""
    writer: StoreLoginArgs
    """Who publishes."""
    reader: StoreLoginArgs
    """Who looks features up."""
    publisher_principal: str
    """Application id of the service principal that the publishing job runs as; may read the writer's scope."""
    serving_principal: str
    """Application id of the one that serves; may read the reader's scope, and never the writer's."""
    port: int = DEFAULT_PORT
    """TCP port of the database."""
    database: str = DEFAULT_DATABASE
    """Database (schema) of the copies."""
    table: str = DEFAULT_TABLE
    """Table that the features are published to."""
    tls: StoreTlsArgs = field(default_factory=StoreTlsArgs)
    """How the connection is secured."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_hostname(self.hostname)
        check_name("database", self.database)
        check_name("table", self.table)
        if not 0 < self.port < 65536:
            raise ExternalStoreError(f"port is {self.port}; use 1 to 65535, MySQL's own is {DEFAULT_PORT}")
        if self.writer.scope == self.reader.scope:
            raise ExternalStoreError(
                f"writer and reader are both in scope {self.writer.scope!r}: whoever serves could write; give each a "
                "scope of its own"
            )
        if self.writer.user == self.reader.user:
            raise ExternalStoreError(f"writer and reader are both {self.writer.user!r}; make two database users")
        if self.publisher_principal == self.serving_principal:
            raise ExternalStoreError(
                f"{self.serving_principal!r} publishes and serves, and so would read the writer's password; use two "
                "service principals"
            )
        if not self.tls.required and not self.is_loopback:
            raise ExternalStoreError(
                f"tls.required is false and the database is {self.hostname}: passwords and rows would cross the "
                "network unprotected; only a database on this machine may do without"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether the database is on the machine that it is asked from."""
        return self.hostname in LOOPBACK

    @property
    def spec(self) -> dict[str, str]:
        """The six fields of a store, as texts: what publishing is told. No secret is among them."""
        return {
            "hostname": self.hostname,
            "port": str(self.port),
            "database_name": self.database,
            "table_name": self.table,
            "read_secret_prefix": self.reader.prefix,
            "write_secret_prefix": self.writer.prefix,
        }

    @property
    def serving_environment(self) -> dict[str, str]:
        """Variables of a served entity whose model reads the store: the reader's secrets by reference, never the
        writer's.
        """
        variables = {
            "FEATURE_STORE_HOST": self.hostname,
            "FEATURE_STORE_PORT": str(self.port),
            "FEATURE_STORE_DATABASE": self.database,
            "FEATURE_STORE_TABLE": self.table,
            "FEATURE_STORE_USER": f"{{{{secrets/{self.reader.scope}/{self.reader.user_key}}}}}",
            "FEATURE_STORE_PASSWORD": f"{{{{secrets/{self.reader.scope}/{self.reader.password_key}}}}}",
        }
        return {**variables, **({"FEATURE_STORE_CA": self.tls.ca} if self.tls.ca else {})}


class ExternalOnlineStore(pulumi.ComponentResource):
    """The secrets of a MySQL online store, and who may read which.

    Warns at preview that Model Serving does not look features up in MySQL.
    """

    read_secret_prefix: pulumi.Output[str]
    """`scope/prefix` of the reader, known when its secrets are there."""
    write_secret_prefix: pulumi.Output[str]
    """The same of the writer."""

    def __init__(self, name: str, args: ExternalOnlineStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("databricks-serving:index:ExternalOnlineStore", name, None, opts)
        pulumi.log.warn(NOT_LOOKED_UP, resource=self)
        child = pulumi.ResourceOptions.merge(
            child_options(self, opts), pulumi.ResourceOptions(delete_before_replace=True)
        )
        self.scopes: dict[str, databricks.SecretScope] = {}
        self.secrets: dict[str, databricks.Secret] = {}
        self.acls: dict[str, databricks.SecretAcl] = {}
        for role, login, principal in (
            (WRITER, args.writer, args.publisher_principal),
            (READER, args.reader, args.serving_principal),
        ):
            self._login(f"{name}-{role}", role, login, principal, child)
        self.read_secret_prefix = self._prefix(READER, args.reader)
        self.write_secret_prefix = self._prefix(WRITER, args.writer)
        self.register_outputs(
            {"read_secret_prefix": self.read_secret_prefix, "write_secret_prefix": self.write_secret_prefix}
        )

    def _login(self, name: str, role: str, login: StoreLoginArgs, principal: str, opts: pulumi.ResourceOptions) -> None:
        """A scope, its two secrets, and the one principal that may read them."""
        scope = self.scopes[role] = databricks.SecretScope(name, name=login.scope, opts=opts)
        for key, value in ((login.user_key, login.user), (login.password_key, login.password)):
            self.secrets[f"{role}/{key}"] = databricks.Secret(
                f"{name}-{key}",
                scope=scope.name,
                key=key,
                string_value=pulumi.Output.secret(value),
                opts=opts,
            )
        self.acls[role] = databricks.SecretAcl(
            f"{name}-{principal}", scope=scope.name, principal=principal, permission="READ", opts=opts
        )

    def _prefix(self, role: str, login: StoreLoginArgs) -> pulumi.Output[str]:
        there = [secret.id for key, secret in self.secrets.items() if key.startswith(f"{role}/")]
        return pulumi.Output.all(*there, self.acls[role].id).apply(lambda _: login.prefix)

"""The external online store: what it makes, what it refuses, and what no output or argument of it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.config.errors import StackConfigError, parse_stack_config
from components.config.external_store import ExternalStoreConfig
from components.external_store import (
    ExternalOnlineStore,
    ExternalOnlineStoreArgs,
    ExternalStoreError,
    StoreLoginArgs,
    StoreTlsArgs,
)
from components.external_store_settings import external_store_args
from components.external_store_sql import READER_GRANTS, WRITER_GRANTS, StoreAccount, administrator_sql, rows_sql
from components.served_entity import ServedEntityArgs
from tests.unit.recording import Recording, record

PASSWORDS = {"writer": "written-with-this", "reader": "read-with-this"}
HOST = "feature-store.cluster-000000000000.us-east-1.rds.amazonaws.com"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def login(role: str, **changes: Any) -> StoreLoginArgs:
    values = {"scope": f"feature_store_{role}", "user": role, "password": pulumi.Output.secret(PASSWORDS[role])}
    return StoreLoginArgs(**{**values, **changes})


def args(**changes: Any) -> ExternalOnlineStoreArgs:
    values: dict[str, Any] = {
        "hostname": HOST,
        "writer": login("writer"),
        "reader": login("reader"),
        "publisher_principal": "sp-publish",
        "serving_principal": "sp-serving",
        "tls": StoreTlsArgs(ca=PEM),
    }
    return ExternalOnlineStoreArgs(**{**values, **changes})


@pytest.fixture
def made() -> tuple[Recording, dict[str, str]]:
    found: dict[str, str] = {}

    def build() -> Any:
        store = ExternalOnlineStore("store", args())
        both = pulumi.Output.all(read=store.read_secret_prefix, write=store.write_secret_prefix)
        return both.apply(found.update)

    return record(build), found


def test_two_scopes_hold_two_secrets_each_under_the_exact_keys(made: tuple[Recording, dict[str, str]]) -> None:
    recording, _ = made
    assert [scope["name"] for scope in recording.of_type("secretScope:SecretScope")] == [
        "feature_store_reader",
        "feature_store_writer",
    ]
    secrets = recording.of_type("secret:Secret")
    assert sorted((one["scope"], one["key"]) for one in secrets) == [
        (f"feature_store_{role}", f"feature_store-{what}")
        for role in ("reader", "writer")
        for what in ("password", "user")
    ]


def test_values_are_secrets_of_the_engine_names_of_users_too(made: tuple[Recording, dict[str, str]]) -> None:
    recording, _ = made
    for secret in recording.of_type("secret:Secret"):
        role = secret["scope"].removeprefix("feature_store_")
        expected = PASSWORDS[role] if secret["key"].endswith("-password") else role
        value = secret["stringValue"]
        # The engine's mark of a secret, around the value.
        assert isinstance(value, dict), value
        assert value["value"] == expected
        assert len(value) == 2


def test_who_serves_reads_the_readers_scope_alone_and_who_publishes_the_writers(
    made: tuple[Recording, dict[str, str]],
) -> None:
    recording, _ = made
    acls = {(one["scope"], one["principal"], one["permission"]) for one in recording.of_type("secretAcl:SecretAcl")}
    assert acls == {
        ("feature_store_writer", "sp-publish", "READ"),
        ("feature_store_reader", "sp-serving", "READ"),
    }


def test_prefixes_are_scope_slash_key_prefix(made: tuple[Recording, dict[str, str]]) -> None:
    _, prefixes = made
    assert prefixes == {
        "read": "feature_store_reader/feature_store",
        "write": "feature_store_writer/feature_store",
    }


def test_the_spec_has_the_six_fields_and_defaults_of_the_document() -> None:
    assert args().spec == {
        "hostname": HOST,
        "port": "3306",
        "database_name": "feature_store",
        "table_name": "online_feature_table",
        "read_secret_prefix": "feature_store_reader/feature_store",
        "write_secret_prefix": "feature_store_writer/feature_store",
    }


def test_what_serving_gets_are_references_to_the_readers_secrets_and_nothing_of_the_writer() -> None:
    environment = args().serving_environment
    assert environment["FEATURE_STORE_USER"] == "{{secrets/feature_store_reader/feature_store-user}}"
    assert environment["FEATURE_STORE_PASSWORD"] == "{{secrets/feature_store_reader/feature_store-password}}"
    assert environment["FEATURE_STORE_CA"] == PEM
    assert "writer" not in str(environment)
    # And an entity takes them.
    ServedEntityArgs(
        model="c.s.m", version="1", traffic_percentage=100, scale_to_zero_enabled=True, environment_vars=environment
    )


def test_no_argument_shows_a_password() -> None:
    shown = repr(args())
    assert not any(password in shown for password in PASSWORDS.values())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: args(hostname=""), "hostname is ''"),
        (lambda: args(hostname=f"https://{HOST}"), "no scheme"),
        (lambda: args(hostname=f"{HOST}/feature_store"), "no port, no path"),
        (lambda: args(port=0), "port is 0; use 1 to 65535, MySQL's own is 3306"),
        (lambda: args(database="feature-store"), "database is 'feature-store'"),
        (lambda: args(table="a`b"), "table is"),
        (lambda: args(reader=login("reader", scope="feature_store_writer")), "whoever serves could write"),
        (lambda: args(reader=login("reader", user="writer")), "make two database users"),
        (lambda: args(serving_principal="sp-publish"), "use two service principals"),
        (lambda: args(tls=StoreTlsArgs(required=False)), "only a database on this machine may do without"),
        (lambda: StoreTlsArgs(ca="us-east-1-bundle.pem"), "holds no certificate"),
        (lambda: login("reader", user_key="feature_store_user"), "is a prefix and '-user'"),
        (lambda: login("reader", password_key="feature_store-passwd"), "is a prefix and '-password'"),
        (lambda: login("reader", user_key="-user"), "user_key of reader is '-user'"),
        (lambda: login("reader", user_key="other-user"), "both have one prefix"),
        (lambda: login("reader", scope="a scope"), "scope of reader is 'a scope'"),
        (lambda: login("reader", password="in-the-program"), "is a text in the program"),
        (lambda: StoreLoginArgs.at("readPrefix", "feature_store", "reader", pulumi.Output.secret("x")), "readPrefix"),
    ],
)
def test_what_could_not_work_or_would_leak_is_refused_in_words(change: Any, says: str) -> None:
    with pytest.raises(ExternalStoreError) as refused:
        change()
    assert says in str(refused.value)
    assert "in-the-program" not in str(refused.value)


def test_a_database_on_this_machine_may_do_without_tls() -> None:
    local = args(hostname="127.0.0.1", tls=StoreTlsArgs(required=False))
    assert local.is_loopback
    assert "FEATURE_STORE_CA" not in local.serving_environment


def configured(**values: Any) -> ExternalStoreConfig:
    return ExternalStoreConfig.model_validate(values)


def test_it_is_off_unless_the_stack_file_says_so_and_then_needs_a_host_and_a_publisher() -> None:
    assert configured().enabled is False
    assert (configured().port, configured().database, configured().table) == (
        3306,
        "feature_store",
        "online_feature_table",
    )
    with pytest.raises(ValueError, match=r"lacks host, publishPrincipal"):
        configured(enabled=True)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"host": "mysql://x"}, "hostname is 'mysql://x'"),
        ({"readPrefix": "feature_store"}, "write <secret scope>/<prefix of its two keys>"),
        ({"writePrefix": "feature_store_reader/other"}, "use two scopes"),
        ({"clientHost": "'; DROP"}, "client_host is"),
        ({"tls": {"required": False}}, "does without TLS"),
    ],
)
def test_a_section_that_could_not_work_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        configured(**{"enabled": True, "host": HOST, "publishPrincipal": "sp-publish", **values})


def test_an_unknown_key_of_the_section_is_named() -> None:
    from examples.titanic.config import PassengerConfig
    from tests.unit.test_titanic_stack_files import values

    wrong = values("local")
    wrong["mysql"]["hostname"] = "x"
    with pytest.raises(StackConfigError, match=r"mysql\.hostname: unknown key 'hostname'"):
        parse_stack_config(wrong, PassengerConfig, where="the test")


def settings(monkeypatch: pytest.MonkeyPatch, **passwords: str) -> None:
    monkeypatch.setattr("components.external_store_settings.is_config_secret", lambda key: "plain" not in passwords)
    shown = {f"mysql:{role}Password": value for role, value in passwords.items()}
    pulumi.runtime.set_all_config(shown, list(shown))


@pytest.mark.parametrize("missing", ["writer", "reader"])
def test_a_missing_password_is_an_error_that_says_the_command(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch, **{role: value for role, value in PASSWORDS.items() if role != missing})
    section = configured(enabled=True, host=HOST, publishPrincipal="sp-publish")
    with pytest.raises(pulumi.RunError, match=f"mysql:{missing}Password is not set: `pulumi config set --secret"):
        external_store_args(section, serving_principal="sp-serving")


def test_a_password_in_plain_text_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch, **PASSWORDS, plain="")
    section = configured(enabled=True, host=HOST, publishPrincipal="sp-publish")
    with pytest.raises(pulumi.RunError, match="as plain text") as refused:
        external_store_args(section, serving_principal="sp-serving")
    assert not any(password in str(refused.value) for password in PASSWORDS.values())


def test_a_ca_file_is_read_from_the_projects_folder_and_a_missing_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(monkeypatch, **PASSWORDS)
    section = configured(enabled=True, host=HOST, publishPrincipal="sp-publish", tls={"ca": "bundle.pem"})
    with pytest.raises(pulumi.RunError, match=r"mysql\.tls\.ca is 'bundle.pem', and that file cannot be read"):
        external_store_args(section, serving_principal="sp-serving", folder=tmp_path)
    (tmp_path / "bundle.pem").write_text(PEM)
    assert external_store_args(section, serving_principal="sp-serving", folder=tmp_path).tls.ca == PEM


def test_the_administrators_sql_names_hosts_in_full_grants_the_least_and_holds_no_password() -> None:
    sql = administrator_sql(StoreAccount(client_host="10.20.%"))
    assert "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER ON `feature\\_store`.* TO 'writer'@'10.20.%';" in sql
    assert "GRANT SELECT ON `feature\\_store`.* TO 'reader'@'10.20.%';" in sql
    assert "ALL PRIVILEGES" not in sql
    assert sql.count("REQUIRE SSL") == 4
    assert "@writer_password" in sql
    # No angle brackets left open, nothing to fill in but the two variables.
    assert "<reader" not in sql
    checks = [line for line in sql.splitlines() if line.startswith(("SELECT", "SHOW"))]
    assert checks == [
        "SELECT user, host FROM mysql.user WHERE user IN ('writer', 'reader');",
        "SHOW GRANTS FOR 'writer'@'10.20.%';",
        "SHOW GRANTS FOR 'reader'@'10.20.%';",
    ]
    assert set(READER_GRANTS) < set(WRITER_GRANTS)


def test_the_check_of_the_copy_reads_all_rows() -> None:
    assert "SELECT * FROM `feature_store`.`online_feature_table`;" in rows_sql(StoreAccount())

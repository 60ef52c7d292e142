"""An external online store out of a stack file: its arguments, with passwords from Pulumi's secrets alone."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime import is_config_secret

from .config.external_store import ExternalStoreConfig
from .external_store import (
    READER,
    WRITER,
    ExternalOnlineStoreArgs,
    ExternalStoreError,
    StoreLoginArgs,
)

NAMESPACE = "mysql"
"""First part of the keys of both passwords."""


def external_store_args(
    config: ExternalStoreConfig, *, serving_principal: str, folder: Path | None = None
) -> ExternalOnlineStoreArgs:
    """What the store of a stack file is made of.

    Args:
        config: section of the stack file; enabled.
        serving_principal: may read the reader's secrets.
        folder: of the project, which a CA file is named from; the working directory when left out.

    Raises:
        pulumi.RunError: a password is missing or no secret, the CA file cannot be read, or a rule is broken; shown
            without a traceback.
    """
    passwords = {role: _password(role) for role in (WRITER, READER)}
    try:
        return ExternalOnlineStoreArgs(
            hostname=str(config.host),
            port=config.port,
            database=config.database,
            table=config.table,
            writer=StoreLoginArgs.at("writePrefix", config.write_prefix, WRITER, passwords[WRITER]),
            reader=StoreLoginArgs.at("readPrefix", config.read_prefix, READER, passwords[READER]),
            publisher_principal=str(config.publish_principal),
            serving_principal=serving_principal,
            tls=config.tls_args(folder or Path.cwd()),
        )
    except OSError as error:
        raise pulumi.RunError(
            f"mysql.tls.ca is {config.tls.ca!r}, and that file cannot be read ({error.strerror}): name a PEM file, "
            "from the project's folder"
        ) from None
    except ExternalStoreError as error:
        raise pulumi.RunError(f"mysql: {error}") from None


def _password(role: str) -> pulumi.Output[str]:
    key = f"{role}Password"
    full = f"{NAMESPACE}:{key}"
    command = f"`pulumi config set --secret {full} -s {pulumi.get_stack()}`, which asks for the value"
    settings = pulumi.Config(NAMESPACE)
    if not settings.get(key):
        raise pulumi.RunError(f"{full} is not set: {command}. It is the password of the database user {role}")
    if not is_config_secret(full):
        raise pulumi.RunError(
            f"{full} stands in the stack file as plain text: change the password in the database, then {command}"
        )
    return settings.require_secret(key)

"""The settings for the workspace that a resource belongs to, found where an operation runs.

Source of the file and its sections: databricks-sdk 0.156.0 `Config` (`~/.databrickscfg`, `DATABRICKS_CONFIG_FILE`);
that a profile is found by its host is what Databricks' command line does ("Databricks configuration profiles").
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .client import NAMESPACE, SETTINGS
from .errors import ProviderError

CONFIG_FILE = "~/.databrickscfg"
# What a section with these holds, so that credentials of the environment are not taken for a second kind.
_KINDS = {
    "token": "pat",
    "client_secret": "oauth-m2m",
    "azure_client_secret": "azure-client-secret",
    "password": "basic",
}


def settings_for(
    workspace: Mapping[str, Any], settings: Mapping[str, Any], environ: Mapping[str, str]
) -> Mapping[str, Any]:
    """What a client for the workspace of an explicit provider is made of.

    Args:
        workspace: `host`, `profile` and `configFile`, as far as the explicit provider states them.
        settings: the stack's own, by full key.
        environ: the process's environment.

    Raises:
        ProviderError: there are no credentials for that workspace, or more than one profile is for it.
    """
    host, profile = workspace.get("host"), workspace.get("profile")
    if profile is None and (host is None or _same(host, _at_hand(settings, environ))):
        return settings
    file = Path(str(workspace.get("configFile") or environ.get("DATABRICKS_CONFIG_FILE") or CONFIG_FILE)).expanduser()
    sections = _sections(file)
    name = str(profile) if profile is not None else _profile_of(str(host), sections, file, settings, environ)
    if name not in sections:
        raise ProviderError(
            f"the explicit provider names profile {name}, which {file} does not have",
            f"It has {', '.join(sections) or 'none'}: correct the name, or add the profile",
        )
    section = {**sections[name], **({} if host is None else {"host": str(host)})}
    kind = next((kind for key, kind in _KINDS.items() if key in section), None)
    if kind is not None:
        section.setdefault("auth_type", kind)
    return {f"{NAMESPACE}:{setting}": section[snake] for setting in SETTINGS if (snake := _snake(setting)) in section}


def _profile_of(
    host: str,
    sections: Mapping[str, Mapping[str, str]],
    file: Path,
    settings: Mapping[str, Any],
    environ: Mapping[str, str],
) -> str:
    found = [name for name, section in sections.items() if _same(host, section.get("host"))]
    if len(found) == 1:
        return found[0]
    at_hand = _at_hand(settings, environ) or "none"
    if found:
        raise ProviderError(
            f"profiles {', '.join(found)} of {file} are all for {host}",
            "Name one of them: Provider(profile=...)",
        )
    raise ProviderError(
        f"this resource is below an explicit provider for {host}, and the credentials at hand are for {at_hand}",
        f"Add a profile with `host = {host}` and its credentials to {file}. Those of the explicit provider are not "
        "handed on: as inputs of a dynamic resource they would be kept in state",
    )


def _at_hand(settings: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    return settings.get(f"{NAMESPACE}:host") or environ.get("DATABRICKS_HOST")


def _sections(file: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(default_section="", interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, configparser.Error) as error:
        raise ProviderError(f"{file} cannot be read: {type(error).__name__}", "Mend it, or name another one") from None
    return {name: dict(parser[name]) for name in parser.sections()}


def _same(one: object, other: object) -> bool:
    return one is not None and other is not None and _address(str(one)) == _address(str(other))


def _address(host: str) -> str:
    return urlsplit(host if "://" in host else f"https://{host}").netloc.lower().removesuffix(":443")


def _snake(setting: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in setting)

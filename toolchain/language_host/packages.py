"""What is installed beside a program: Pulumi packages that need a plugin, and plain dependencies."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PLUGIN_FILE = "pulumi-plugin.json"


class PluginFileError(Exception):
    """A package's `pulumi-plugin.json` cannot be read."""


@dataclass(frozen=True)
class Parameterization:
    """A package that is a parameterized form of another one's plugin."""

    name: str
    version: str
    value: bytes


@dataclass(frozen=True)
class RequiredPlugin:
    """The plugin an installed package works with. `version` is a semver without a leading v, or empty for any."""

    name: str
    version: str
    server: str
    parameterization: Parameterization | None


def required_plugins(import_folders: Iterable[Path]) -> list[RequiredPlugin]:
    """The plugins of the installed packages, one per `pulumi-plugin.json` that says `resource: true`.

    Raises:
        PluginFileError: such a file is not the JSON it should be.
    """
    found: dict[str, RequiredPlugin] = {}
    for folder in import_folders:
        for file in sorted(folder.glob(f"*/{PLUGIN_FILE}")):
            plugin = _read(file)
            # The first folder on the import path is the one whose package is imported.
            if plugin is not None:
                found.setdefault(file.parent.name, plugin)
    return list(found.values())


def _read(file: Path) -> RequiredPlugin | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not content.get("resource"):
            return None
        return RequiredPlugin(
            name=content.get("name") or file.parent.name.removeprefix("pulumi_"),
            version=str(content.get("version") or _installed_version(file.parent.name)).removeprefix("v"),
            server=content.get("server") or "",
            parameterization=_parameterization(content.get("parameterization")),
        )
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise PluginFileError(
            f"{file} is not a valid {PLUGIN_FILE}: {error}. "
            "Reinstall the package it belongs to (`make clean`, then `make env`)."
        ) from error


def _parameterization(content: dict[str, str] | None) -> Parameterization | None:
    if not content:
        return None
    return Parameterization(content["name"], content["version"], base64.b64decode(content["value"], validate=True))


def _installed_version(package: str) -> str:
    try:
        return metadata.version(package.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return ""


def dependencies(import_folders: Iterable[Path], *, transitive: bool) -> list[tuple[str, str]]:
    """Name and version of the installed distributions, by name.

    Args:
        transitive: all of them; otherwise only those that no other installed distribution requires.
    """
    installed = {
        _normal(distribution.name): distribution
        for distribution in metadata.distributions(path=[str(folder) for folder in import_folders])
    }
    names = set(installed)
    if not transitive:
        names -= {required for distribution in installed.values() for required in _requirements(distribution)}
    return [(name, installed[name].version) for name in sorted(names)]


def _requirements(distribution: metadata.Distribution) -> Iterator[str]:
    for requirement in distribution.requires or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is not None and "extra ==" not in requirement:
            yield _normal(name.group())


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()

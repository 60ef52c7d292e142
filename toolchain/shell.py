"""The variables a shell needs for `pulumi`, databricks-sdk and mlflow to work on a stack, and their form as shell
lines."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.engine import Engine
from toolchain.files import write_atomically
from toolchain.layout import Layout

LOCAL_STACK = "local"
WORKSPACE_PORT = 8650

#: With one of these set, databricks-sdk finds two ways to log in and refuses, or logs in elsewhere.
OTHER_CREDENTIALS = (
    "ARM_CLIENT_ID",
    "ARM_CLIENT_SECRET",
    "ARM_TENANT_ID",
    "GOOGLE_CREDENTIALS",
    "DATABRICKS_ACCOUNT_ID",
    "DATABRICKS_AUTH_TYPE",
    "DATABRICKS_AZURE_RESOURCE_ID",
    "DATABRICKS_CLIENT_ID",
    "DATABRICKS_CLIENT_SECRET",
    "DATABRICKS_CONFIG_FILE",
    "DATABRICKS_CONFIG_PROFILE",
    "DATABRICKS_GOOGLE_SERVICE_ACCOUNT",
    "DATABRICKS_METADATA_SERVICE_URL",
    "DATABRICKS_PASSWORD",
    "DATABRICKS_USERNAME",
)

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True)
class Variables:
    """What to set and what to unset, for a child process or for a shell."""

    values: Mapping[str, str]
    unset: tuple[str, ...] = ()

    def applied(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` with these changes."""
        kept = {name: value for name, value in environ.items() if name not in self.unset}
        return {**kept, **self.values}

    def shell_lines(self) -> str:
        """POSIX shell, one statement a line, every value quoted where it needs to be."""
        lines = [f"unset {name}" for name in self.unset]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.values.items()]
        return "".join(f"{line}\n" for line in lines)


def engine_variables(layout: Layout, engine: Engine, environ: Mapping[str, str], stack: str) -> Variables:
    """What the engine needs. A stack other than `local` keeps the backend and passphrase that the user has set."""
    values = {
        "PATH": _search_path(layout, engine, environ.get("PATH", "")),
        # Programs in other folders than the root import the components too.
        "PYTHONPATH": _with_first(str(layout.root), environ.get("PYTHONPATH", "")),
        "PULUMI_HOME": str(layout.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{layout.state}",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "RELEASE_REPORT_DIR": str(layout.releases),
    }
    if stack != LOCAL_STACK and environ.get("PULUMI_BACKEND_URL"):
        values["PULUMI_BACKEND_URL"] = environ["PULUMI_BACKEND_URL"]
    users_own = stack != LOCAL_STACK and {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(environ)
    if users_own:
        return Variables(values)
    values["PULUMI_CONFIG_PASSPHRASE"] = passphrase(layout)
    return Variables(values, ("PULUMI_CONFIG_PASSPHRASE_FILE",))


def workspace_variables(address: str, token: str, environ: Mapping[str, str]) -> Variables:
    """What clients need to reach the embedded workspace, and nothing else."""
    values = {
        "DATABRICKS_HOST": address,
        "DATABRICKS_TOKEN": token,
        "MLFLOW_TRACKING_URI": "databricks",
        "MLFLOW_REGISTRY_URI": "databricks-uc",
    }
    if any(environ.get(name) for name in PROXIES):
        excepted = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
        names = [name for name in excepted.split(",") if name]
        values["NO_PROXY"] = values["no_proxy"] = ",".join(dict.fromkeys([*names, "127.0.0.1", "localhost"]))
    return Variables(values, OTHER_CREDENTIALS)


def combined(*parts: Variables) -> Variables:
    """All of them, later values before earlier ones."""
    values: dict[str, str] = {}
    unset: list[str] = []
    for part in parts:
        values.update(part.values)
        unset.extend(part.unset)
    return Variables(values, tuple(dict.fromkeys(unset)))


def passphrase(layout: Layout) -> str:
    """The passphrase of the stacks kept here: generated once, readable by its owner only."""
    try:
        return layout.passphrase.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        write_atomically(layout.passphrase, secrets.token_urlsafe(24).encode(), mode=0o600)
        return layout.passphrase.read_text(encoding="utf-8").strip()


def workspace_port(environ: Mapping[str, str]) -> int:
    """`WORKSPACE_PORT`, or the usual one.

    Raises:
        ValueError: it is not a port number.
    """
    text = environ.get("WORKSPACE_PORT") or str(WORKSPACE_PORT)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"WORKSPACE_PORT is {text!r}, not a port number between 1 and 65535")
    return int(text)


def _with_first(first: str, current: str) -> str:
    return os.pathsep.join([first, *(part for part in current.split(os.pathsep) if part and part != first)])


def _search_path(layout: Layout, engine: Engine, current: str) -> str:
    first = [layout.environment / "bin"] if engine.route == "path" else [layout.bin, layout.environment / "bin"]
    own = {str(layout.bin), str(layout.environment / "bin")}
    rest = [part for part in current.split(os.pathsep) if part and str(Path(part)) not in own]
    return os.pathsep.join([*map(str, first), *rest])

"""A deployed stack: its file, its outputs, and the workspace that it is in. Reads only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

from apps.client.outputs import OutputsError, ServingOutputs
from apps.ops.findings import OpsError

CONNECT_SECONDS = 10.0
# Of the SDK: its own default would try for five minutes where nothing answers any more.
RETRY_SECONDS, HTTP_SECONDS = 30, 60


# Where projects with requests in files have them (examples/taxi_e2e/config.py, `PayloadsConfig`).
PAYLOADS = {
    "single": "serving/config/test_single_prediction.json",
    "batch": "serving/config/test_batch_predictions.json",
}


@dataclass(frozen=True)
class StackFile:
    """`Pulumi.<stack>.yaml` of the project in `folder`."""

    folder: Path
    project: str
    stack: str
    settings: Mapping[str, Any]
    """What stands under `<project>:serving`."""
    host: str | None
    """The workspace that it pins."""
    path: Path

    @classmethod
    def read(cls, folder: Path, stack: str) -> StackFile:
        """Raises OpsError where there is no such project, stack file or serving section."""
        project = _yaml(folder / "Pulumi.yaml")
        name = str(project.get("name", ""))
        path = folder / f"Pulumi.{stack}.yaml"
        config = _yaml(path).get("config") or {}
        settings = config.get(f"{name}:serving")
        if not isinstance(settings, dict):
            raise OpsError(f"{path} has no {name}:serving: name a stack of this project, or the folder of another one")
        return cls(folder, name, stack, settings, config.get("databricks:host"), path)

    @property
    def warehouse_id(self) -> str | None:
        found = self.settings.get("warehouseId")
        return None if found is None else str(found)

    @property
    def queries(self) -> list[dict[str, Any]]:
        """The smoke queries: those of the file, then its test payloads (`testPayloads`, or where they are when it says
        nothing), of which one that cannot be read is left out.
        """
        found = list((self.settings.get("smoke") or {}).get("queries") or [])
        stated = self.settings.get("testPayloads") or {}
        for name, place in PAYLOADS.items():
            try:
                text = (self.folder / str(stated.get(name, place))).read_text(encoding="utf-8")
                found.append({"name": name, "payload": json.loads(text)})
            except (OSError, ValueError):
                continue
        return found

    def pulumi(self, *arguments: str, otherwise: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the engine on the stack; whoever calls looks at how it ended.

        Args:
            otherwise: what else can be done where there is no engine.

        Raises:
            OpsError: there is none on PATH.
        """
        engine = shutil.which("pulumi")
        if engine is None:
            raise OpsError(f'pulumi is not on PATH: `eval "$(make -s env)"`{otherwise}')
        return subprocess.run(
            [engine, *arguments, "--stack", self.stack],
            cwd=self.folder,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, by `pulumi stack output --json`; secrets stay masked.

        Raises:
            OpsError: there is no engine, no such stack, or it was never deployed.
        """
        done = self.pulumi("stack", "output", "--json", otherwise=", or name a file with the outputs (--outputs)")
        if done.returncode:
            raise OpsError(f"the outputs of stack {self.stack} cannot be read: {done.stderr.strip()[-500:]}")
        return deployed(json.loads(done.stdout), f"stack {self.stack}")

    def client(self) -> WorkspaceClient:
        """The workspace that the file pins, else the environment's.

        Raises:
            OpsError: nothing answers there within ten seconds, or there are no credentials for it.
        """
        return connect(self.host)


def outputs_of_file(file: Path) -> dict[str, Any]:
    """Outputs that were saved before. Raises OpsError."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OpsError(f"{file} holds no outputs: {error}; write them with `pulumi stack output --json`") from None
    return deployed(document, str(file))


def deployed(outputs: Any, what: str) -> dict[str, Any]:
    """The outputs, if they are those of a serving stack, of a contract that can be read. Raises OpsError."""
    if not isinstance(outputs, dict) or "endpointName" not in outputs:
        raise OpsError(f"{what} has no endpointName among its outputs: it was not deployed yet; run `pulumi up`")
    try:
        ServingOutputs.read(outputs)
    except OutputsError as error:
        raise OpsError(f"{what}: {error}") from None
    return outputs


def connect(host: str | None) -> WorkspaceClient:
    """A client that gives up soon where nothing answers.

    Args:
        host: the workspace; the environment's (`DATABRICKS_HOST`, a profile) when None.

    Raises:
        OpsError: nothing answers within ten seconds, or there are no credentials.
    """
    where = host or os.environ.get("DATABRICKS_HOST")
    if where and (reason := unreachable(where)) is not None:
        raise OpsError(f"the workspace at {where} cannot be reached: {reason}")
    try:
        config = Config(host=host, retry_timeout_seconds=5, http_timeout_seconds=5)
    except ValueError as error:
        reason = str(error).partition(" Config: ")[0]
        fix = "set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile (DATABRICKS_CONFIG_PROFILE)"
        raise OpsError(f"no usable credentials for {where or 'a workspace'}: {reason.rstrip('.')}; {fix}") from None
    config.retry_timeout_seconds, config.http_timeout_seconds = RETRY_SECONDS, HTTP_SECONDS
    return WorkspaceClient(config=config)


def unreachable(host: str) -> str | None:
    """Why nothing answers at `host` within `CONNECT_SECONDS`; None where something does, whatever it says."""
    url = host if "://" in host else f"https://{host}"
    failures: list[str] = []

    def probe() -> None:
        try:
            httpx.get(f"{url.rstrip('/')}/.well-known/databricks-config", timeout=CONNECT_SECONDS)
        except httpx.HTTPError as error:
            failures.append(str(error) or type(error).__name__)
        except (httpx.InvalidURL, UnicodeError) as error:
            failures.append(f"{host!r} is no address: {error}")

    # A thread, because no time-out of a socket covers a name lookup that hangs.
    prober = threading.Thread(target=probe, daemon=True)
    prober.start()
    prober.join(CONNECT_SECONDS)
    if prober.is_alive():
        return f"no answer within {CONNECT_SECONDS:g} seconds"
    return failures[0] if failures else None


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OpsError(f"{file} cannot be read ({error.strerror}): name a folder with a Pulumi project") from None
    except yaml.YAMLError as error:
        raise OpsError(f"{file} is no YAML: {error}") from None
    return content if isinstance(content, dict) else {}

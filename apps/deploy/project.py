"""A Pulumi project and one of its stacks, as the deploying calls see them: a stack file, and the Automation API."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from pulumi import automation

from apps.deploy.signals import finishing
from apps.ops.findings import OpsError
from apps.ops.stack import connect

Say = Callable[[str], None]

ROOT = Path(__file__).parents[2]


class DeployError(Exception):
    """A deployment that cannot be started as it was asked for: what, the value received, the fix."""


class DeployFailedError(Exception):
    """A deployment that was tried and failed; what happened was told."""


def say(line: str) -> None:
    """A status line, on stderr: stdout is the result's."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class DeployProject:
    """One stack of the project in `folder`."""

    folder: Path
    name: str
    stack: str

    @classmethod
    def open(cls, folder: Path, stack: str) -> DeployProject:
        """Raises DeployError where there is no such project or no such stack file."""
        project = _read(folder / "Pulumi.yaml")
        opened = cls(folder, str(project.get("name", "")), stack)
        opened.settings()
        return opened

    @classmethod
    def with_endpoint(cls, folder: Path, endpoint: str) -> DeployProject:
        """The stack whose file names `endpoint`. Raises DeployError where none does, or several do."""
        name = str(_read(folder / "Pulumi.yaml").get("name", ""))
        stacks_there = [
            file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in folder.glob("Pulumi.*.yaml")
        ]
        # A stack file of another make is none of this call's business.
        found = [
            project for stack in sorted(stacks_there) if (project := cls(folder, name, stack))._names_endpoint(endpoint)
        ]
        if len(found) == 1:
            return found[0]
        stacks = ", ".join(project.stack for project in found) or "none"
        raise DeployError(
            f"endpoint {endpoint} stands in {stacks} of the stack files in {folder}, and one is needed: "
            "name the stack, or write the endpoint's name into the file of its stack"
        )

    @property
    def key(self) -> str:
        return f"{self.name}:serving"

    @property
    def endpoint_name(self) -> str:
        """Raises DeployError where the stack file leaves the name to another file."""
        name = self.settings()["endpoint"].get("name")
        if name is None:
            raise DeployError(f"stack {self.stack} has no endpoint.name in its file; write it there")
        return str(name)

    def settings(self) -> Mapping[str, Any]:
        """What stands under `<project>:serving`."""
        file = self.folder / f"Pulumi.{self.stack}.yaml"
        settings = (_read(file).get("config") or {}).get(self.key)
        if not isinstance(settings, dict) or "model" not in settings or "endpoint" not in settings:
            raise DeployError(f"{file} has no {self.key} with model and endpoint; it is no stack file of this project")
        return settings

    def alias(self) -> str:
        """The alias of the only served entity.

        Raises:
            DeployError: the file has a split between several entities, or names its version without an alias.
        """
        entities = self.settings()["endpoint"]["entities"]
        alias = entities[0].get("alias")
        if len(entities) != 1 or alias is None:
            raise DeployError(
                f"stack {self.stack} serves {len(entities)} entities{'' if alias else ', by number'}: one call cannot "
                "say which of them is meant; edit the stack file and run `pulumi up`"
            )
        return str(alias)

    def up_with(self, model: str, version: str, tell: Say = say, **entity: str) -> Mapping[str, Any] | None:
        """Write the version, and settings of its served entity, into the stack file, and `up`.

        Whatever ends that without success, an interrupt too, leaves the file as it was.

        Returns:
            The stack's outputs; None where `up` failed, which it has told then.

        Raises:
            DeployError: the file has a split between several entities, or names its version without an alias; or
                another update of the stack is under way. Nothing was tried.
        """
        put_back = self._write(model, version, entity)
        outputs = None
        try:
            outputs = self.up(tell)
        finally:
            if outputs is None:
                put_back()
                tell(f"the file of stack {self.stack} is as it was: `pulumi up` brings back what it says")
        return outputs

    def _names_endpoint(self, endpoint: str) -> bool:
        try:
            return self.endpoint_name == endpoint
        except DeployError:
            return False

    def _write(self, model: str, version: str, entity: Mapping[str, str]) -> Callable[[], None]:
        """Write into the stack file; what puts the file back."""
        alias = self.alias()
        file = self.folder / f"Pulumi.{self.stack}.yaml"
        opened, before = self.opened(), file.read_bytes()
        values = {
            "model.name": model,
            f"model.aliases.{alias}": version,
            **{f"endpoint.entities[0].{name}": value for name, value in entity.items()},
        }

        def put_back() -> None:
            file.write_bytes(before)

        is_whole = False
        try:
            for path, value in values.items():
                opened.set_config(f"{self.key}.{path}", automation.ConfigValue(value), path=True)
            is_whole = True
        except automation.CommandError as error:
            raise DeployError(f"{file} cannot be written: {_last_lines(str(error))}") from None
        finally:
            if not is_whole:
                put_back()
        return put_back

    def opened(self) -> automation.Stack:
        """The stack, made where it does not exist; the engine and its settings are those of the environment.

        Raises DeployError where there is no engine, or it cannot open the stack: no passphrase, no such backend.
        """
        if shutil.which("pulumi") is None:
            raise DeployError(
                f'no pulumi on PATH: `eval "$(make -s env)"` in {ROOT} gets one, or install the Pulumi CLI'
            )
        try:
            return automation.create_or_select_stack(self.stack, work_dir=str(self.folder))
        except automation.CommandError as error:
            raise DeployError(f"stack {self.stack} cannot be opened: {_last_lines(str(error))}") from None

    def outputs(self) -> Mapping[str, Any]:
        """What the last `up` exported. Raises DeployError where the stack cannot be read."""
        try:
            return {name: output.value for name, output in self.opened().outputs().items()}
        except automation.CommandError as error:
            raise DeployError(f"stack {self.stack} cannot be read: {_last_lines(str(error))}") from None

    def client(self) -> WorkspaceClient:
        """The workspace that the stack file pins, else the environment's.

        Raises DeployError where nothing answers there within ten seconds, or there are no credentials for it.
        """
        config = _read(self.folder / f"Pulumi.{self.stack}.yaml")["config"]
        try:
            return connect(config.get("databricks:host"))
        except OpsError as error:
            raise DeployError(str(error)) from None

    def endpoint_exists(self) -> bool:
        """Only "not there" is no; anything else that goes wrong is the SDK's error."""
        try:
            self.client().serving_endpoints.get(self.endpoint_name)
        except NotFound:
            return False
        return True

    def up(self, tell: Say = say, *, only: Sequence[str] | None = None) -> Mapping[str, Any] | None:
        """`pulumi up`; the stack's outputs, or None where it failed, which it has told then.

        Args:
            only: components, by the last part of their type; nothing else is touched. All when left out.

        Raises DeployError where the stack cannot be opened, or is locked by another update: nothing was tried.
        """
        target = None if only is None else [f"**:{name}**" for name in only]
        opened = self.opened()
        try:
            with finishing(tell):
                done = opened.up(on_output=tell, color="never", suppress_outputs=True, target=target)
        except automation.ConcurrentUpdateError:
            raise DeployError(
                f"stack {self.stack} is locked: another update of it is under way, or one was killed. Wait for it; "
                "where you are sure that nobody runs one, `pulumi cancel` takes the lock away"
            ) from None
        except automation.CommandError:
            tell("pulumi up failed; what it said stands above")
            return None
        return {name: output.value for name, output in done.outputs.items()}

    def creates(self, types: frozenset[str]) -> list[str]:
        """Names of the resources of these types that an `up` would make. Raises DeployError where preview fails."""
        found: list[str] = []

        def look(event: automation.EngineEvent) -> None:
            step = event.resource_pre_event.metadata if event.resource_pre_event else None
            if step is not None and step.op == "create" and step.type in types:
                found.append(step.urn.rpartition("::")[2])

        try:
            self.opened().preview(on_event=look, color="never")
        except automation.CommandError as error:
            raise DeployError(f"pulumi preview failed: {_last_lines(str(error))}") from None
        return found


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeployError(f"{file} cannot be read ({error.strerror}); name a folder with a Pulumi project") from None
    except yaml.YAMLError as error:
        raise DeployError(f"{file} is no YAML: {error}") from None
    return content if isinstance(content, dict) else {}


def _last_lines(text: str) -> str:
    return "\n".join([line for line in text.splitlines() if line.strip()][-20:])

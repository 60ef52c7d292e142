"""The real engine on a project of its own: own folder, own state, own Pulumi home, nothing of the user's.

project = EngineProject.of_program(tmp_path, SOURCE, config={"databricks:host": server.host}, environ=credentials)
outcome = project.up()
assert outcome.ok, outcome
assert ("create", "databricks:index/modelServing:ModelServing") in outcome.operations()
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
INSTALLED = PROJECT / ".local"
TIMEOUT_SECONDS = 300

Event = dict[str, Any]


class EngineMissingError(Exception):
    """No engine on this machine; `make env` gets one."""


@dataclass(frozen=True)
class Violation:
    """One finding of a policy."""

    policy: str
    level: str
    message: str
    urn: str


@dataclass(frozen=True)
class Outcome:
    """How one command ended. Its text form is what the user would have seen, for use in assertions."""

    command: Sequence[str]
    exit_code: int
    stdout: str
    stderr: str
    events: Sequence[Event] = field(default_factory=list, repr=False)

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def text(self) -> str:
        return self.stdout + self.stderr

    def __str__(self) -> str:
        return f"$ {' '.join(self.command)}\n{self.text}\n(exit code {self.exit_code})"

    def of_kind(self, kind: str) -> list[Event]:
        """The payloads of the engine events of one kind: `resourcePreEvent`, `diagnosticEvent`, ..."""
        return [event[kind] for event in self.events if event.get(kind) is not None]

    def steps(self) -> list[Event]:
        """The engine's steps: `op`, `urn`, `type`, `old`, `new`, `diffs`, `detailedDiff`."""
        return [event["metadata"] for event in self.of_kind("resourcePreEvent")]

    def operations(self, *, without_same: bool = True) -> list[tuple[str, str]]:
        """Operation and type of every step, but those of the stack itself and of providers."""
        return [
            (step["op"], step["type"])
            for step in self.steps()
            if not step["type"].startswith(("pulumi:pulumi:Stack", "pulumi:providers:"))
            and not (without_same and step["op"] == "same")
        ]

    def violations(self) -> list[Violation]:
        return [
            Violation(
                policy=event["policyName"],
                level=event["enforcementLevel"],
                message=event["message"],
                urn=event.get("resourceUrn", ""),
            )
            for event in self.of_kind("policyEvent")
        ]

    def errors(self) -> str:
        """The text of all error diagnostics."""
        return "\n".join(event["message"] for event in self.of_kind("diagnosticEvent") if event["severity"] == "error")


@dataclass
class EngineProject:
    """A Pulumi project in `folder`, with one selected stack."""

    folder: Path
    stack: str = "test"
    environ: Mapping[str, str] = field(default_factory=dict)
    _passphrase: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _commands: int = 0

    @classmethod
    def of_program(
        cls,
        folder: Path,
        source: str,
        *,
        stack: str = "test",
        name: str = "project",
        config: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> EngineProject:
        """A project of one program text, which may import this project's packages; `config` goes to the stack."""
        folder.mkdir(parents=True, exist_ok=True)
        runtime = {"name": "python", "options": {"virtualenv": str(PROJECT / ".venv")}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": name, "runtime": runtime}))
        # The plugins that the toolchain installed look for it beside the project.
        (folder / ".venv").symlink_to(PROJECT / ".venv")
        project = cls(folder, stack, {"PYTHONPATH": str(PROJECT), **(environ or {})})
        project.write_program(source)
        project.create_stack(config or {})
        return project

    @classmethod
    def of_files(
        cls,
        folder: Path,
        files: Iterable[str],
        *,
        stack: str = "test",
        config: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> EngineProject:
        """A copy of files and folders of this project, such as `Pulumi.yaml`, `__main__.py` and `components`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        (folder / ".venv").symlink_to(PROJECT / ".venv")
        project = cls(folder, stack, environ or {})
        project.create_stack(config or {})
        return project

    def write_program(self, source: str) -> None:
        (self.folder / "__main__.py").write_text(source)

    def install_plugin(self, name: str, source: Path) -> None:
        """Put a Python plugin (`resource-databricks-v1.118.0`) of the test's own where the engine finds it."""
        folder = self._home / "plugins" / name
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        runtime = {"name": "python", "options": {"virtualenv": str(PROJECT / ".venv")}}
        (folder / "PulumiPlugin.yaml").write_text(yaml.safe_dump({"runtime": runtime}))
        shutil.copy2(source, folder / "__main__.py")

    def create_stack(self, config: Mapping[str, Any]) -> None:
        """Make and select the stack, and add `config` (full keys such as `databricks:host`) to its file."""
        self.must("stack", "init", self.stack, "--secrets-provider", "passphrase")
        file = self.folder / f"Pulumi.{self.stack}.yaml"
        settings = yaml.safe_load(file.read_text())
        settings.setdefault("config", {}).update(config)
        file.write_text(yaml.safe_dump(settings))

    def preview(self, *arguments: str) -> Outcome:
        return self._operate("preview", arguments)

    def up(self, *arguments: str) -> Outcome:
        return self._operate("up", ("--yes", "--skip-preview", *arguments))

    def refresh(self, *arguments: str) -> Outcome:
        return self._operate("refresh", ("--yes", "--skip-preview", *arguments))

    def destroy(self, *arguments: str) -> Outcome:
        return self._operate("destroy", ("--yes", "--skip-preview", *arguments))

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets included."""
        answer: dict[str, Any] = json.loads(
            self.must("stack", "output", "--stack", self.stack, "--json", "--show-secrets").stdout
        )
        return answer

    def resources(self) -> list[dict[str, Any]]:
        """The resources in state, as `pulumi stack export` shows them."""
        deployment = json.loads(self.must("stack", "export", "--stack", self.stack).stdout)["deployment"]
        resources: list[dict[str, Any]] = deployment.get("resources", [])
        return resources

    def must(self, *command: str) -> Outcome:
        """Run a command that has to succeed."""
        outcome = self.run(*command)
        if not outcome.ok:
            raise RuntimeError(str(outcome))
        return outcome

    def run(self, *command: str) -> Outcome:
        """Run any command of the CLI in the project, to its end."""
        with self.start(*command) as process:
            try:
                stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                stdout, stderr = process.communicate()
                stderr += f"\n(killed after {TIMEOUT_SECONDS} s)"
        return Outcome(("pulumi", *command), process.returncode, stdout, stderr)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start any command and let it run: for tests that interrupt or kill the engine."""
        return subprocess.Popen(
            [str(engine_binary()), *command],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self) -> dict[str, str]:
        """What the engine gets to see: nothing of the user's Pulumi or Databricks settings."""
        private = {name: value for name, value in os.environ.items() if name.startswith(("PULUMI_", "DATABRICKS_"))}
        _link_plugins(self._home)
        state = self.folder / ".engine" / "state"
        state.mkdir(parents=True, exist_ok=True)
        return {
            **{name: value for name, value in os.environ.items() if name not in private},
            "PATH": os.pathsep.join([str(engine_binary().parent), os.environ.get("PATH", "")]),
            "PULUMI_HOME": str(self._home),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": self._passphrase,
            "PULUMI_DEBUG_COMMANDS": "true",  # the CLI knows --event-log only so
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **self.environ,
        }

    @property
    def _home(self) -> Path:
        return self.folder / ".engine" / "home"

    def _operate(self, verb: str, arguments: Sequence[str]) -> Outcome:
        self._commands += 1
        log = self.folder / ".engine" / f"events-{self._commands}-{verb}.json"
        outcome = self.run(
            verb, "--stack", self.stack, "--non-interactive", "--color=never", "--event-log", str(log), *arguments
        )
        return Outcome(outcome.command, outcome.exit_code, outcome.stdout, outcome.stderr, _events(log))


def engine_binary() -> Path:
    """The engine that the toolchain chose: its own, else the one on PATH."""
    own = INSTALLED / "bin" / "pulumi"
    found = str(own) if own.is_file() else shutil.which("pulumi")
    if found is None:
        raise EngineMissingError("there is no Pulumi engine on this machine; run `make env`, which gets one")
    return Path(found)


def _link_plugins(home: Path) -> None:
    """Let a home of one test see the plugins that the toolchain installed, but those that the test replaced."""
    plugins, installed = home / "plugins", INSTALLED / "pulumi" / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for plugin in installed.iterdir() if installed.is_dir() else ():
        if plugin.is_dir() and not (plugins / plugin.name).exists():
            # Folders of links to files: the engine passes over a link to a folder.
            shutil.copytree(plugin, plugins / plugin.name, copy_function=os.symlink)


def _events(log: Path) -> list[Event]:
    """The engine's event log: one JSON object a line; empty where the engine never got so far."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().splitlines() if line.strip()]

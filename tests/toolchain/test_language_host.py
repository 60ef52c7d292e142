"""The Python language host under the real engine: programs, dynamic providers, policy packs, and how they end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import EngineProject
from toolchain.orphans import Process, _processes

DYNAMIC = """\
import os, time
from pathlib import Path
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        Path(props["mark"]).write_text(str(os.getpid()))
        time.sleep(props["seconds"])
        return CreateResult("id-1", {**props, "answer": 42})

class Thing(Resource, module="test", name="Thing"):
    answer: pulumi.Output[int]
    def __init__(self, name, props):
        super().__init__(Provider(), name, {**props, "answer": None})

"""

POLICY = """\
from pathlib import Path
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

LIMIT = int(Path("limit.txt").read_text())

def judge(args, report):
    if args.resource_type == "pulumi-python:dynamic/test:Thing" and args.props["seconds"] > LIMIT:
        report(f"{args.name} is too slow")

PolicyPack("pack", [ResourceValidationPolicy("not-too-slow", "Things are quick.", judge, EnforcementLevel.MANDATORY)])
"""


def project(folder: Path, source: str) -> EngineProject:
    return EngineProject.of_program(folder / "project", source)


def waited_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def mentioning(folder: Path) -> list[Process]:
    """Processes that this test has caused: what the engine starts has its folder in the environment."""
    mark = str(folder).encode()
    found = []
    for process in _processes(Path("/proc")):
        try:
            environ = Path(f"/proc/{process.pid}/environ").read_bytes()
        except OSError:
            continue
        if b"PULUMI_HOME=" + mark in environ:
            found.append(process)
    return found


def test_a_program_gets_its_config_and_gives_outputs(tmp_path: Path) -> None:
    source = """\
import os, sys
import pulumi
config = pulumi.Config()
print("said by the program")
pulumi.export("values", [config.require("plain"), config.require_secret("hidden"), pulumi.get_stack()])
pulumi.export("secret", [pulumi.runtime.is_config_secret(f"project:{key}") for key in ("plain", "hidden")])
pulumi.export("folder", os.getcwd())
pulumi.export("python", sys.prefix)
"""
    tried = project(tmp_path, source)
    tried.must("config", "set", "plain", "a b")
    tried.must("config", "set", "--secret", "hidden", "s3cret-value")
    outcome = tried.up()
    assert outcome.ok, outcome
    assert "said by the program" in outcome.text
    assert "s3cret-value" not in outcome.text
    outputs = tried.outputs()
    assert outputs["values"] == ["a b", "s3cret-value", "test"]
    assert outputs["secret"] == [False, True]
    assert outputs["folder"] == str(tried.folder)
    assert outputs["python"].endswith(".venv")


def test_a_dynamic_provider_creates_and_the_next_up_changes_nothing(tmp_path: Path) -> None:
    source = f'{DYNAMIC}\nthing = Thing("a", {{"mark": {str(tmp_path / "mark")!r}, "seconds": 0}})\n'
    tried = project(tmp_path, source + 'pulumi.export("answer", thing.answer)\n')
    first = tried.up()
    assert first.ok, first
    assert first.operations() == [("create", "pulumi-python:dynamic/test:Thing")]
    assert tried.outputs() == {"answer": 42}
    assert tried.up().operations() == []


@pytest.mark.parametrize(
    ("source", "expected", "unexpected"),
    [
        ("raise ValueError('planted')", "ValueError: planted", "exit code"),
        ("import sys; sys.exit(7)", "Program exited with non-zero exit code: 7", "Traceback"),
        ("import pulumi; raise pulumi.RunError('said plainly')", "said plainly", "Traceback"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "Program was ended by signal 9", "Traceback"),
    ],
    ids=["exception", "exit code", "run error", "killed"],
)
def test_a_failing_program_fails_the_update_and_says_why_once(
    tmp_path: Path, source: str, expected: str, unexpected: str
) -> None:
    outcome = project(tmp_path, source).up()
    assert outcome.exit_code != 0
    assert outcome.errors().count(expected) == 1, outcome
    assert unexpected not in outcome.errors()


def test_a_policy_pack_is_started_and_its_verdict_stops_the_update(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    tried = project(tmp_path, "")
    (pack / "PulumiPolicy.yaml").write_text((tried.folder / "Pulumi.yaml").read_text())
    (pack / "__main__.py").write_text(POLICY)
    # A pack runs in its own folder, wherever the program is.
    (pack / "limit.txt").write_text("1")
    mark = tmp_path / "mark"
    for seconds, allowed in ((0, True), (2, False)):
        tried.write_program(f'{DYNAMIC}\nThing("a{seconds}", {{"mark": {str(mark)!r}, "seconds": {seconds}}})\n')
        outcome = tried.up("--policy-pack", str(pack))
        assert outcome.ok is allowed, outcome
        messages = [(violation.policy, violation.message.strip()) for violation in outcome.violations()]
        assert messages == ([] if allowed else [("not-too-slow", "Things are quick.\na2 is too slow")]), outcome


def test_a_policy_pack_that_does_not_load_shows_its_traceback(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    tried = project(tmp_path, "")
    (pack / "PulumiPolicy.yaml").write_text((tried.folder / "Pulumi.yaml").read_text())
    (pack / "__main__.py").write_text("raise LookupError('planted in the pack')\n")
    outcome = tried.preview("--policy-pack", str(pack))
    assert not outcome.ok
    assert "LookupError: planted in the pack" in outcome.text


def test_an_environment_that_does_not_exist_is_named_with_the_remedy(tmp_path: Path) -> None:
    tried = project(tmp_path, "")
    (tried.folder / "Pulumi.yaml").write_text("name: project\nruntime: {name: python, options: {virtualenv: gone}}\n")
    outcome = tried.preview()
    assert not outcome.ok
    assert "'virtualenv'" in outcome.text
    assert "does not exist" in outcome.text


def test_about_names_the_interpreter_and_lists_the_dependencies(tmp_path: Path) -> None:
    tried = project(tmp_path, "")
    shown = tried.must("about").text
    assert ".venv/bin/python" in shown
    listed = tried.must("about", "--transitive").text
    assert "pulumi-databricks" in listed


def test_the_engine_asks_for_the_plugins_of_the_installed_packages(tmp_path: Path) -> None:
    listed = project(tmp_path, "").must("about").text
    assert "databricks  1.118.0" in " ".join(listed.replace("\n", "  ").split(" "))


def test_one_interrupt_lets_the_running_operation_finish_and_starts_nothing_more(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    source = f'{DYNAMIC}\nfirst = Thing("first", {{"mark": {str(mark)!r}, "seconds": 2}})\n'
    second = f'Thing("second", {{"mark": {str(mark)!r}, "seconds": 0, "after": first.answer}})\n'
    tried = project(tmp_path, source + second)
    with tried.start("up", "--yes", "--skip-preview", "--non-interactive") as engine:
        assert waited_for(mark.exists)
        engine.send_signal(signal.SIGINT)
        engine.communicate(timeout=60)
    assert engine.returncode != 0
    names = [resource["urn"].rpartition("::")[2] for resource in tried.resources()]
    assert "first" in names
    assert "second" not in names
    assert waited_for(lambda: not mentioning(tried.folder)), mentioning(tried.folder)


def test_no_program_or_language_host_outlives_a_killed_engine(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tried = project(tmp_path, f"import time; open({str(mark)!r}, 'w').close(); time.sleep(600)")
    with tried.start("up", "--yes", "--skip-preview", "--non-interactive") as engine:
        assert waited_for(mark.exists)
        assert mentioning(tried.folder)
        engine.kill()
        engine.communicate(timeout=60)
    assert waited_for(lambda: not mentioning(tried.folder)), mentioning(tried.folder)


def test_a_plugin_written_in_python_ends_with_the_engine(tmp_path: Path) -> None:
    tried = project(tmp_path, "import pulumi; pulumi.ProviderResource('plugin', 'p', {})")
    source = tmp_path / "plugin.py"
    source.write_text("import sys, time; sys.stderr.write('said by the plugin'); time.sleep(0.2); sys.exit(9)")
    tried.install_plugin("resource-plugin-v1.0.0", source)
    outcome = tried.preview()
    assert not outcome.ok
    assert "said by the plugin" in outcome.text
    assert "exit status 9" in outcome.text or "exit code 9" in outcome.text, outcome
    assert waited_for(lambda: not mentioning(tried.folder)), mentioning(tried.folder)


def test_the_host_serves_no_one_but_its_engine(tmp_path: Path) -> None:
    """Its port is closed as soon as the other end of its stdin is: a host without an engine has no reason to live."""
    tried = project(tmp_path, "")
    environ = tried.environment()
    host = subprocess.Popen(
        ["pulumi-language-python", "127.0.0.1:1"],
        env=environ,
        executable=str(Path(environ["PATH"].split(":")[0]) / "pulumi-language-python"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with host:
        assert host.stdout is not None
        assert host.stdin is not None
        assert host.stdout.readline().strip().isdigit()
        host.stdin.close()
        assert host.wait(timeout=20) == 0

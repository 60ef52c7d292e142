"""A stack's outputs as apps get at them: by the CLI, the Automation API, and from another Pulumi program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pulumi import automation

from apps.client import OutputsError, outputs_from_automation, outputs_from_cli, outputs_from_json
from tests.support.engine import PROJECT, EngineProject

DOCUMENT = PROJECT / "tests" / "unit" / "apps" / "contract" / "1.2-titanic.outputs.json"
EXPORTS = f"""
import json
import pulumi

for name, value in json.load(open({str(DOCUMENT)!r})).items():
    pulumi.export(name, value)
pulumi.export("ofNoContract", pulumi.Output.secret("planted-secret"))
"""
CONSUMES = """
import pulumi
from apps.client import outputs_from_reference

stack = outputs_from_reference(pulumi.StackReference("organization/serving/test"))
pulumi.export("url", stack.apply(lambda read: read.endpoint_url))
pulumi.export("shares", stack.apply(lambda read: [[one.name, one.traffic_percentage] for one in read.served_entities]))
"""


def test_every_way_to_the_outputs_gives_the_same_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = EngineProject.of_program(tmp_path / "serving", EXPORTS, name="serving")
    made = serving.up()
    assert made.ok, made
    for name, value in serving.environment().items():
        monkeypatch.setenv(name, value)
    expected = outputs_from_json(DOCUMENT.read_text())

    assert outputs_from_cli("test", folder=serving.folder) == expected
    opened = automation.select_stack("test", work_dir=str(serving.folder))
    assert outputs_from_automation(opened) == expected

    backend = {name: serving.environment()[name] for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE")}
    app = EngineProject.of_program(tmp_path / "app", CONSUMES, stack="app", name="app", environ=backend)
    read = app.up()
    assert read.ok, read
    shares = [[one.name, one.traffic_percentage] for one in expected.served_entities]
    assert app.outputs() == {"url": expected.endpoint_url, "shares": shares}

    with pytest.raises(OutputsError, match="no stack named 'nobody'"):
        outputs_from_cli("nobody", folder=serving.folder)
    with pytest.raises(OutputsError, match="is no folder or pulumi is not on PATH"):
        outputs_from_cli("test", folder=tmp_path / "nowhere")
    # What is no output of a serving stack is said to be none, by every way.
    serving.write_program("import pulumi\npulumi.export('url', 'x')\n")
    assert serving.up().ok
    with pytest.raises(OutputsError, match="has the stack been deployed"):
        outputs_from_cli("test", folder=serving.folder)
    failed = app.up()
    assert not failed.ok
    assert "has the stack been deployed" in failed.text
    assert "planted-secret" not in json.dumps([failed.text, made.text])

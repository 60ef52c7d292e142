"""The stand-in under the real engine: lifecycles, what a preview sends, what is kept secret."""

import json
from pathlib import Path

import pytest

from tests.support.engine import PROJECT, EngineProject
from tests.toolchain.provider.fake import Server

TOKEN = "dapi-planted-token-0123456789"
SECRET = "planted-secret-value-42"

PLUGIN = """
import runpy, sys
sys.path[0] = {project!r}
runpy.run_module("toolchain.provider", run_name="__main__", alter_sys=True)
"""

PROGRAM = """
import json, pathlib, pulumi

class Any(pulumi.CustomResource):
    def __init__(self, kind, name, props, opts):
        token = f"databricks:index/{kind[0].lower() + kind[1:]}:{kind}"
        super().__init__(token, name, {**props, **{key: None for key in opts.pop("outputs", [])}},
                         pulumi.ResourceOptions(**opts, version="1.118.0"))

made = {}
for name, spec in json.loads(pathlib.Path("stack.json").read_text()).items():
    props = dict(spec["props"])
    for key, (other, output) in spec.get("from", {}).items():
        props[key] = getattr(made[other], output)
    for key in spec.get("secret", []):
        props[key] = pulumi.Output.secret(props[key])
    made[name] = Any(spec["kind"], name, props, {**spec.get("options", {}), "outputs": spec.get("outputs", [])})
"""

ENDPOINT = {
    "kind": "ModelServing",
    "outputs": ["servingEndpointId"],
    "props": {
        "name": "ep",
        "config": {
            "servedEntities": [
                {
                    "name": "champion",
                    "entityName": "main.rec.ranker",
                    "entityVersion": "1",
                    "workloadSize": "Small",
                    "scaleToZeroEnabled": True,
                }
            ],
            "trafficConfig": {"routes": [{"servedModelName": "champion", "trafficPercentage": 100}]},
        },
        "tags": [{"key": "team", "value": "rec"}],
    },
}
ACCESS = {
    "kind": "Permissions",
    "props": {"accessControls": [{"groupName": "callers", "permissionLevel": "CAN_QUERY"}]},
    "from": {"servingEndpointId": ["endpoint", "servingEndpointId"]},
}


class Stack:
    """A stack whose resources a test writes down as data."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.server, self.folder = server, folder
        (folder / "plugin.py").write_text(PLUGIN.format(project=str(PROJECT)))
        credentials = {"DATABRICKS_HOST": server.url, "DATABRICKS_TOKEN": TOKEN}
        self.project = EngineProject(folder / "project", environ={"PYTHONPATH": str(PROJECT), **credentials})
        self.project.install_plugin("resource-databricks-v1.118.0", folder / "plugin.py")
        self.project = EngineProject.of_program(folder / "project", PROGRAM, environ=credentials)

    def write(self, **resources: object) -> None:
        (self.folder / "project" / "stack.json").write_text(json.dumps(resources))

    def sent(self) -> list[tuple[str, str]]:
        requests = [(request.method, request.path) for request in self.server.fake.requests]
        self.server.fake.requests.clear()
        return requests


@pytest.fixture
def stack(tmp_path: Path, server: Server) -> Stack:
    return Stack(tmp_path, server)


def test_a_whole_life_under_the_engine(stack: Stack) -> None:
    stack.write(endpoint=ENDPOINT, access=ACCESS)
    preview = stack.project.preview()
    assert preview.ok, preview
    assert stack.sent() == []
    assert "stand-in" in preview.text

    up = stack.project.up()
    assert up.ok, up
    assert ("POST", "/api/2.0/serving-endpoints") in stack.sent()
    assert stack.server.fake.objects["permissions serving-endpoints servingEndpointId-1"]

    again = stack.project.up()
    assert again.operations() == [], again
    assert stack.sent() == []

    props = {**ENDPOINT["props"], "name": "ep2"}  # type: ignore[dict-item]
    stack.write(endpoint={**ENDPOINT, "props": props}, access=ACCESS)
    renamed = stack.project.up()
    assert renamed.ok, renamed
    assert ("delete-replaced", "databricks:index/modelServing:ModelServing") in renamed.operations()
    assert stack.sent()[0][0] in ("GET", "DELETE")
    assert [key for key in stack.server.fake.objects if key.startswith("endpoint ")] == ["endpoint ep2"]

    stack.server.fake.objects["endpoint ep2"]["tags"] = [{"key": "team", "value": "moved by hand"}]
    refreshed = stack.project.refresh()
    assert refreshed.ok, refreshed
    repaired = stack.project.up()
    assert repaired.operations() == [("update", "databricks:index/modelServing:ModelServing")], repaired

    destroyed = stack.project.destroy()
    assert destroyed.ok, destroyed
    assert [key for key in stack.server.fake.objects if key.startswith("endpoint ")] == []


def test_secrets_stay_out_of_state_display_and_errors(stack: Stack) -> None:
    secret = {"kind": "Secret", "props": {"scope": "s", "key": "k", "stringValue": SECRET}, "secret": ["stringValue"]}
    stack.write(secret=secret)
    up = stack.project.up()
    assert up.ok, up
    state = stack.project.must("stack", "export").stdout
    stack.server.fake.refuse["POST", "/api/2.0/secrets/delete"] = 400
    failed = stack.project.destroy()
    assert not failed.ok
    for text in (state, up.text, failed.text):
        assert SECRET not in text
        assert TOKEN not in text


def test_a_failed_update_is_remembered_and_repaired(stack: Stack) -> None:
    stack.write(endpoint=ENDPOINT)
    assert stack.project.up().ok
    config = json.loads(json.dumps(ENDPOINT["props"]))
    config["config"]["servedEntities"][0]["entityVersion"] = "2"
    stack.write(endpoint={**ENDPOINT, "props": config})
    stack.server.fake.refuse["PUT", "/api/2.0/serving-endpoints/ep/config"] = 409
    failed = stack.project.up()
    assert not failed.ok
    assert "RESOURCE_CONFLICT" in failed.errors()
    assert stack.project.resources()[-1].get("initErrors")
    repaired = stack.project.up("--refresh")
    assert repaired.ok, repaired
    config = json.loads(json.dumps(stack.server.fake.objects["endpoint ep"]["config"]))
    assert config["served_entities"][0]["entity_version"] == "2"

"""The plugin as a process: what it prints, how little it loads, and when it ends."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from tests.toolchain.provider.fake import Server
from toolchain.provider import codec

PROJECT = Path(__file__).parents[3]


class FakeEngine(engine_pb2_grpc.EngineServicer):
    """An engine that only has a log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.server = grpc.server(ThreadPoolExecutor(max_workers=2))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        self.lines.append(request.message)
        return empty_pb2.Empty()


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    started = FakeEngine()
    yield started
    started.server.stop(None)


@pytest.fixture
def plugin(engine: FakeEngine) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "toolchain.provider", f"127.0.0.1:{engine.port}"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_it_prints_its_port_answers_and_names_itself(
    engine: FakeEngine, plugin: subprocess.Popen[str], server: Server
) -> None:
    stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port_of(plugin)}"))
    assert stub.GetPluginInfo(empty_pb2.Empty()).version == "1.118.0"
    settings = codec.encode({"host": server.url, "token": "dapi-0123456789"})
    assert stub.Configure(provider_pb2.ConfigureRequest(args=settings)).acceptSecrets
    assert len(engine.lines) == 1
    assert "stand-in" in engine.lines[0]


def test_it_ends_when_the_engine_is_gone_even_while_it_waits_for_a_deployment(
    engine: FakeEngine, plugin: subprocess.Popen[str], server: Server
) -> None:
    server.fake.deployment = "IN_PROGRESS"
    asked = threading.Event()
    route = server.fake.route

    def note(fake: object, request: object) -> dict[str, object]:
        asked.set()
        return route(server.fake, server.fake.requests[-1])

    server.fake.route = note
    stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port_of(plugin)}"))
    settings = codec.encode({"host": server.url, "token": "dapi-0123456789"})
    stub.Configure(provider_pb2.ConfigureRequest(args=settings))
    urn = "urn:pulumi:dev::project::databricks:index/modelServing:ModelServing::r"
    entity = {"name": "e", "entityName": "a.b.c", "entityVersion": "1", "scaleToZeroEnabled": True}
    inputs = codec.encode({"name": "ep", "config": {"servedEntities": [entity]}})
    waiting = stub.Create.future(provider_pb2.CreateRequest(urn=urn, properties=inputs))
    assert asked.wait(30)
    assert not waiting.done()
    engine.server.stop(None).wait()
    assert plugin.wait(30) == 0


def test_it_loads_neither_the_whole_sdk_nor_the_whole_of_pulumi() -> None:
    program = (
        "import runpy, sys; sys.argv = ['provider']; "
        "import toolchain.provider.__main__; "
        "from databricks.sdk.core import ApiClient; "
        "print([name for name in ('pulumi.resource', 'databricks.sdk.service.catalog') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

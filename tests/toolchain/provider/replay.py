"""Plays a recorded scenario against the provider's servicer, as the engine would, and collects what happened."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from tests.toolchain.provider.fake import Server
from tests.toolchain.provider.fake_state import NOW, NOW_TEXT, WORKSPACE_ID
from toolchain.provider import codec
from toolchain.provider.servicer import Provider
from toolchain.provider.workspace import Workspace

TOKEN = "dapi-planted-token-0123456789"
HIDDEN = "<secret>"
"""What the recordings have in place of a secret."""
JsonObject = dict[str, object]


class AbortedError(Exception):
    """The servicer ended a call with an error."""

    def __init__(
        self, code: grpc.StatusCode, details: str, init_failed: provider_pb2.ErrorResourceInitFailed | None
    ) -> None:
        super().__init__(details)
        self.code, self.details, self.init_failed = code, details, init_failed


@dataclass
class FakeContext:
    """A call's context, in process."""

    active: bool = True
    metadata: dict[str, bytes] = field(default_factory=dict)

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        failed = None
        if "grpc-status-details-bin" in self.metadata:
            status = status_pb2.Status.FromString(self.metadata["grpc-status-details-bin"])
            failed = provider_pb2.ErrorResourceInitFailed()
            assert status.details[0].Unpack(failed)
        raise AbortedError(code, details, failed)

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.metadata.update(metadata)

    def is_active(self) -> bool:
        return self.active


@dataclass
class Lines:
    """The log a test reads."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def info(self, message: str, urn: str = "") -> None:
        self.lines.append(("info", message))

    def warning(self, message: str, urn: str = "") -> None:
        self.lines.append(("warning", message))

    @property
    def warnings(self) -> list[str]:
        return [message for kind, message in self.lines if kind == "warning"]


def concrete(value: object, server: Server) -> object:
    """A recorded value with its placeholders turned into what the fake hands out."""
    numbers = {"<int:timestamp>": NOW, "<int:workspaceId>": WORKSPACE_ID, "<int:jobId>": 1001}
    if isinstance(value, str):
        if value == HIDDEN:
            return value
        if value in numbers:
            return numbers[value]
        fixed = {
            "<timestamp>": NOW_TEXT,
            "<workspaceId>": str(WORKSPACE_ID),
            "<jobId>": "1001",
            "https://<host>": server.url,
        }
        for placeholder, text in fixed.items():
            value = value.replace(placeholder, text)
        return re.sub(r"<([A-Za-z]+)(?:-(\d+))?>", lambda found: f"{found.group(1)}-{found.group(2) or 1}", value)
    if isinstance(value, Mapping):
        return {key: concrete(item, server) for key, item in value.items()}
    if isinstance(value, list):
        return [concrete(item, server) for item in value]
    return value


@dataclass
class Outcome:
    """What one step did."""

    operations: list[str]
    diffs: list[str] = field(default_factory=list)
    replace_keys: list[str] = field(default_factory=list)
    detailed: list[str] = field(default_factory=list)
    error: AbortedError | None = None


@dataclass
class Stack:
    """One resource and its state, driven like the engine drives it."""

    server: Server
    token: str
    options: JsonObject = field(default_factory=dict)
    log: Lines = field(default_factory=Lines)
    name: str = "r"
    id: str = ""
    inputs: struct_pb2.Struct = field(default_factory=struct_pb2.Struct)
    outputs: struct_pb2.Struct = field(default_factory=struct_pb2.Struct)
    init_error: bool = False

    def __post_init__(self) -> None:
        self.provider = Provider(self.log, lambda settings: Workspace(settings, {}, reach_seconds=0.5))
        given = codec.encode({"host": self.server.url, "token": codec.Secret(TOKEN), "retryTimeoutSeconds": "5"})
        self.provider.Configure(provider_pb2.ConfigureRequest(args=given), FakeContext())

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::project::{self.token}::{self.name}"

    @property
    def state(self) -> JsonObject:
        return codec.reveal_all(codec.decode(self.outputs))

    def check(self, news: JsonObject) -> struct_pb2.Struct:
        request = provider_pb2.CheckRequest(
            urn=self.urn, news=codec.encode(news), olds=self.inputs if self.id else None
        )
        response = self.provider.Check(request, FakeContext())
        if response.failures:
            raise AssertionError([(failure.property, failure.reason) for failure in response.failures])
        return response.inputs

    def diff(self, news: struct_pb2.Struct) -> provider_pb2.DiffResponse:
        request = provider_pb2.DiffRequest(
            id=self.id, urn=self.urn, olds=self.outputs, news=news, old_inputs=self.inputs
        )
        return self.provider.Diff(request, FakeContext())

    def create(self, inputs: struct_pb2.Struct) -> None:
        try:
            made = self.provider.Create(provider_pb2.CreateRequest(urn=self.urn, properties=inputs), FakeContext())
        except AbortedError as error:
            self._keep_failed(error)
            raise
        self.id, self.inputs, self.outputs, self.init_error = made.id, inputs, made.properties, False

    def update(self, inputs: struct_pb2.Struct) -> None:
        request = provider_pb2.UpdateRequest(
            id=self.id, urn=self.urn, olds=self.outputs, news=inputs, old_inputs=self.inputs
        )
        try:
            response = self.provider.Update(request, FakeContext())
        except AbortedError as error:
            self._keep_failed(error)
            raise
        self.inputs, self.outputs, self.init_error = inputs, response.properties, False

    def _keep_failed(self, error: AbortedError) -> None:
        if error.init_failed is not None:
            self.id, self.init_error = error.init_failed.id, True
            self.inputs, self.outputs = error.init_failed.inputs, error.init_failed.properties

    def delete(self, identity: str, outputs: struct_pb2.Struct, inputs: struct_pb2.Struct) -> None:
        request = provider_pb2.DeleteRequest(id=identity, urn=self.urn, properties=outputs, old_inputs=inputs)
        self.provider.Delete(request, FakeContext())

    # What a user does

    def refresh(self) -> Outcome:
        request = provider_pb2.ReadRequest(id=self.id, urn=self.urn, properties=self.outputs, inputs=self.inputs)
        response = self.provider.Read(request, FakeContext())
        if not response.id:
            self.id, self.inputs, self.outputs = "", struct_pb2.Struct(), struct_pb2.Struct()
        else:
            self.id, self.inputs, self.outputs, self.init_error = (
                response.id,
                response.inputs,
                response.properties,
                False,
            )
        return Outcome(["refresh"])

    def destroy(self) -> Outcome:
        if not self.id:
            return Outcome([])
        self.delete(self.id, self.outputs, self.inputs)
        self.id = ""
        return Outcome(["delete"])

    def plan(self, news: JsonObject) -> tuple[Outcome, struct_pb2.Struct, bool]:
        """What an update would do; nothing runs. The last part: delete the old one first."""
        inputs = self.check(news)
        if not self.id:
            return Outcome(["create"]), inputs, False
        found = self.diff(inputs)
        diffs, keys = list(found.diffs), set(found.replaces)
        replaced_on = self.options.get("replaceOnChanges")
        keys |= set(diffs) & set(replaced_on if isinstance(replaced_on, list) else [])
        detailed = list(found.detailedDiff)
        if keys:
            first = found.deleteBeforeReplace or bool(self.options.get("deleteBeforeReplace"))
            order = ["delete-replaced", "replace", "create-replacement"]
            names = order if first else list(reversed(order))
            return Outcome(names, diffs, sorted(keys), detailed), inputs, first
        if diffs or self.init_error:
            return Outcome(["update"], diffs, [], detailed), inputs, False
        return Outcome(["same"]), inputs, False

    def up(self, news: JsonObject) -> Outcome:
        outcome, inputs, first = self.plan(news)
        try:
            if outcome.operations == ["create"]:
                self.create(inputs)
            elif outcome.operations == ["update"]:
                self.update(inputs)
            elif outcome.operations == ["same"]:
                self.inputs = inputs
            else:
                old = (self.id, self.outputs, self.inputs)
                if first:
                    self.delete(*old)
                self.create(inputs)
                if not first:
                    self.delete(*old)
        except AbortedError as error:
            outcome.error = error
        return outcome

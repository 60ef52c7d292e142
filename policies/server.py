"""Serves the pack to the engine, so that each resource meets only the policies that are about its type.

The policy library (1.21) reads a resource's properties anew for every policy of a pack, also for those that then look
at its type and leave: with 85 policies that took longer than the preview of 300 resources itself. Its server class has
no name that is public; it is used here as the pinned version has it, once for all policies and once for each type.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent import futures
from typing import Any

import grpc
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy.policy import _GRPC_CHANNEL_OPTIONS, _PolicyAnalyzerServicer

from policies.rule import ResourceRule, Rule, StackRule, is_production

WORKERS = 4
_LIBRARY_VERSION = "0.0.1"
"""What the library says for packs whose version stands in PulumiPolicy.yaml."""

_Key = tuple[str, bool]
"""A type token, empty for the stack as a whole, and whether it is of production."""


class Analyzer(_PolicyAnalyzerServicer):
    """Answers as the library does, from those policies that can have something to say."""

    def __init__(self, name: str, rules: Sequence[Rule]) -> None:
        made = [(rule, policy) for rule in rules for policy in rule.policies()]
        super().__init__(name, _LIBRARY_VERSION, [policy for _, policy in made], EnforcementLevel.ADVISORY)
        wanted: dict[_Key, list[Policy]] = {}
        for rule, policy in made:
            for production in (True, False):
                if rule.judges(policy.name, production=production):
                    for type_token in _types(rule):
                        wanted.setdefault((type_token, production), []).append(policy)
        self._parts: dict[_Key, Any] = {
            key: _PolicyAnalyzerServicer(name, _LIBRARY_VERSION, policies, EnforcementLevel.ADVISORY)
            for key, policies in wanted.items()
        }

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the gRPC method
        for part in self._parts.values():
            part.Configure(request, context)
        whole: Any = super()
        return whole.Configure(request, context)

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the gRPC method
        for part in self._parts.values():
            part.ConfigureStack(request, context)
        return super().ConfigureStack(request, context)

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the gRPC method
        part = self._parts.get((request.type, is_production(request.urn)))
        return analyzer_pb2.AnalyzeResponse() if part is None else part.Analyze(request, context)

    def Remediate(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the gRPC method
        part = self._parts.get((request.type, is_production(request.urn)))
        return analyzer_pb2.RemediateResponse() if part is None else part.Remediate(request, context)

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the gRPC method
        part = self._parts.get(("", is_production(request.resources[0].urn))) if request.resources else None
        return analyzer_pb2.AnalyzeResponse() if part is None else part.AnalyzeStack(request, context)


def serve(name: str, rules: Sequence[Rule]) -> None:
    """Serve a pack of these rules to the engine that started this process; returns when it is interrupted."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=WORKERS), options=_GRPC_CHANNEL_OPTIONS)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(name, rules), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # What the engine waits for on the output of a plugin.
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop(0)


def _types(rule: Rule) -> Iterable[str]:
    if isinstance(rule, StackRule):
        return ("",)
    return rule.types if isinstance(rule, ResourceRule) else ()

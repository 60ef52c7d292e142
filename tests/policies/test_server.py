"""The pack's server: a resource meets the policies about its type in its kind of stack, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2

from policies.endpoints import MODEL_SERVING
from policies.pack import NAME, RULES
from policies.rule import OFF, ResourceRule, StackRule
from policies.server import Analyzer
from tests.policies.cases import CASES, Case
from tests.policies.cases.building import endpoint, entity
from tests.policies.judging import Declared


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(NAME, RULES)


def asked(declared: Declared, stack: str = "prod") -> Any:
    properties = struct_pb2.Struct()
    properties.update({name: value for name, value in declared.properties.items() if value is not None})
    urn = f"urn:pulumi:{stack}::project::{declared.type}::{declared.name}"
    return analyzer_pb2.AnalyzeRequest(type=declared.type, name=declared.name, urn=urn, properties=properties)


def said(answer: Any) -> set[str]:
    return {one.policyName for one in answer.diagnostics}


RESOURCE_CASES = [case for case in CASES if isinstance(case.rule, ResourceRule)]


@pytest.mark.parametrize("case", RESOURCE_CASES, ids=lambda case: case.rule.name)
def test_every_rule_about_a_resource_is_reached(analyzer: Analyzer, case: Case) -> None:
    for stack, level, name in (
        ("prod", case.rule.prod, case.rule.name),
        ("staging", case.rule.staging, case.rule.trial_name),
    ):
        found = {name for one in case.refuses[0][0] for name in said(analyzer.Analyze(asked(one, stack), None))}
        assert (name in found) == (level is not OFF)


def test_only_the_names_of_the_stacks_kind_are_heard(analyzer: Analyzer) -> None:
    broken = endpoint(entity(entityVersion="latest", scaleToZeroEnabled=None), tags=[])
    names = {rule.trial_name for rule in RULES if rule.trial_name != rule.name}
    assert not said(analyzer.Analyze(asked(broken, "prod"), None)) & names
    assert said(analyzer.Analyze(asked(broken, "staging"), None)) & names


def test_a_resource_that_no_rule_is_about_is_not_even_read(analyzer: Analyzer) -> None:
    unread = analyzer_pb2.AnalyzeRequest(type="aws:s3/bucket:Bucket", urn="urn:pulumi:prod::p::aws:s3/bucket:Bucket::b")
    assert analyzer.Analyze(unread, None) == analyzer_pb2.AnalyzeResponse()
    assert analyzer.Remediate(unread, None) == analyzer_pb2.RemediateResponse()
    assert analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(), None) == analyzer_pb2.AnalyzeResponse()


def test_configuration_reaches_the_policies_of_every_type() -> None:
    configured = Analyzer(NAME, RULES)
    broken = endpoint(entity(entityVersion="latest"))
    assert "served-entity-version-is-a-number" in said(configured.Analyze(asked(broken), None))
    off = analyzer_pb2.PolicyConfig(enforcementLevel=analyzer_pb2.DISABLED)
    request = analyzer_pb2.ConfigureAnalyzerRequest(policyConfig={"served-entity-version-is-a-number": off})
    configured.Configure(request, None)
    assert "served-entity-version-is-a-number" not in said(configured.Analyze(asked(broken), None))


def test_the_engine_is_told_of_every_policy_once(analyzer: Analyzer) -> None:
    untyped: Any = analyzer
    names = [one.name for one in untyped.GetAnalyzerInfo(None, None).policies]
    assert len(names) == len(set(names))
    assert set(names) == {policy.name for rule in RULES for policy in rule.policies()}


def test_a_stack_meets_every_rule_about_stacks(analyzer: Analyzer) -> None:
    one = asked(endpoint())
    resource = analyzer_pb2.AnalyzerResource(type=one.type, name=one.name, urn=one.urn, properties=one.properties)
    found = said(analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=[resource]), None))
    assert {"endpoint-has-a-smoke-query", "endpoint-has-permissions", "endpoint-is-watched"} <= found
    assert found <= {rule.name for rule in RULES if isinstance(rule, StackRule)}
    assert one.type == MODEL_SERVING

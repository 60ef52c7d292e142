"""Databases of the AWS extra: who can reach them. Judges programs that use pulumi-aws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies import sources
from policies.endpoints import as_text
from policies.reading import Reader
from policies.rule import CRITICAL, MANDATORY, ResourceRule
from policies.subject import Subject

SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
SECURITY_GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
RDS_INSTANCE = "aws:rds/instance:Instance"
RDS_CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
ANYWHERE = ("0.0.0.0/0", "::/0")
ALL_PROTOCOLS = "-1"


def _open_ports(subject: Subject) -> Iterator[str]:
    for where, rule in _ingress(subject):
        addresses = _addresses(rule, subject.reader)
        anywhere = [address for address in addresses if address in ANYWHERE]
        open_ = [port for port in subject.option("ports") if _covers(rule, port, subject.reader)]
        if anywhere and open_:
            ports = ", ".join(map(as_text, open_))
            yield (
                f"{where} opens port {ports} to {', '.join(anywhere)}, the whole internet: name the addresses of the "
                "workspace's network, or another security group."
            )


def _ingress(subject: Subject) -> list[tuple[str, Mapping[str, Any]]]:
    if subject.type == SECURITY_GROUP:
        return [(f"ingress[{number}]", rule) for number, rule in subject.blocks("ingress").known]
    if subject.type == SECURITY_GROUP_RULE and subject.get("type") != "ingress":
        return []
    return [(subject.name, subject.props)]


def _addresses(rule: Mapping[str, Any], reader: Reader) -> list[str]:
    single = [reader.get(rule, name) for name in ("cidrIpv4", "cidrIpv6")]
    several = [*reader.texts(rule, "cidrBlocks"), *reader.texts(rule, "ipv6CidrBlocks")]
    return [*several, *(address for address in single if isinstance(address, str))]


def _covers(rule: Mapping[str, Any], port: int, reader: Reader) -> bool:
    if ALL_PROTOCOLS in (reader.get(rule, "protocol"), reader.get(rule, "ipProtocol")):
        return True
    low, high = reader.get(rule, "fromPort"), reader.get(rule, "toPort")
    return isinstance(low, int | float) and isinstance(high, int | float) and low <= port <= high


database_port_is_not_open = ResourceRule(
    id="POL-21",
    name="database-port-is-not-open",
    description="Refuse security groups that open the port of a database to the whole internet.",
    remediation="Name the addresses of the workspace's network instead of 0.0.0.0/0.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=CRITICAL,
    source=sources.AWS_SECURITY_GROUPS,
    options={
        "ports": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "Ports of databases.",
            "default": [3306, 5432],
        }
    },
    types=frozenset({SECURITY_GROUP, SECURITY_GROUP_RULE, INGRESS_RULE}),
    check=_open_ports,
)


def _public(subject: Subject) -> Iterator[str]:
    if subject.get("publiclyAccessible") is True:
        yield f"database {subject.name} has a public address: set publiclyAccessible to false, and peer the networks."


database_is_not_public = ResourceRule(
    id="POL-61",
    name="database-is-not-public",
    description="Refuse RDS instances with a public address.",
    remediation="Set publiclyAccessible to false.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=CRITICAL,
    source=sources.AWS_RDS,
    types=frozenset({RDS_INSTANCE, RDS_CLUSTER_INSTANCE}),
    check=_public,
)

RULES = (database_port_is_not_open, database_is_not_public)

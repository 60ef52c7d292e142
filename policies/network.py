"""Databases of the AWS extra: who can reach them, and how they are kept. Judges programs that use pulumi-aws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies import sources
from policies.endpoints import as_text
from policies.reading import UNKNOWN, Reader
from policies.rule import ADVISORY, CRITICAL, HIGH, MANDATORY, ResourceRule
from policies.subject import Subject

SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
SECURITY_GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
RDS_INSTANCE = "aws:rds/instance:Instance"
RDS_CLUSTER = "aws:rds/cluster:Cluster"
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


def _plain(subject: Subject) -> Iterator[str]:
    encrypted = subject.get("storageEncrypted")
    # Left out, storage is not encrypted; but a copy of an encrypted database is, whatever is said here.
    if encrypted is False or (encrypted is None and not _made_from(subject)):
        yield (
            f"storage of database {subject.name} is not encrypted: set storageEncrypted to true. A database that is "
            "there already has to be made anew from an encrypted snapshot."
        )


database_is_encrypted = ResourceRule(
    id="POL-65",
    name="database-is-encrypted",
    description="Require encrypted storage of RDS databases.",
    remediation="Set storageEncrypted to true.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.AWS_RDS_ENCRYPTION,
    types=frozenset({RDS_INSTANCE, RDS_CLUSTER}),
    check=_plain,
)


def _unkept(subject: Subject) -> Iterator[str]:
    days, least = subject.get("backupRetentionPeriod"), subject.option("days")
    if days is None:
        if subject.get("replicateSourceDb") is not None:
            # A replica's own backups may be off: its source has them.
            return
        # What the provider does where nothing is said: no backup of an instance, a day of a cluster.
        days = 1 if subject.type == RDS_CLUSTER else 0
    if days is not UNKNOWN and days < least:
        unit = "day" if days == 1 else "days"
        yield (
            f"backups of database {subject.name} are kept for {as_text(days)} {unit}, which is less than "
            f"{as_text(least)}: set backupRetentionPeriod to {as_text(least)} or more."
        )


database_is_backed_up = ResourceRule(
    id="POL-66",
    name="database-is-backed-up",
    description="Require backups of RDS databases that are kept for some days.",
    remediation="Set backupRetentionPeriod to 7 or more.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.AWS_RDS_BACKUPS,
    options={
        "days": {
            "type": "integer",
            "minimum": 1,
            "maximum": 35,
            "description": "How long backups are kept at least.",
            "default": 7,
        }
    },
    types=frozenset({RDS_INSTANCE, RDS_CLUSTER}),
    check=_unkept,
)


def _made_from(subject: Subject) -> bool:
    """Whether a database begins as a copy of another one."""
    return any(
        subject.get(name) is not None
        for name in ("snapshotIdentifier", "replicateSourceDb", "replicationSourceIdentifier", "restoreToPointInTime")
    )


RULES = (database_port_is_not_open, database_is_not_public, database_is_encrypted, database_is_backed_up)

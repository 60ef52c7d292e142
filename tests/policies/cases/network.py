"""Cases of the rules about network."""

from __future__ import annotations

from policies import network
from tests.policies.cases.building import Case, of_type
from tests.policies.judging import UNKNOWN

RULE_3306 = {"type": "ingress", "fromPort": 3306, "toPort": 3306, "protocol": "tcp"}
CASES = (
    Case(
        rule=network.database_port_is_not_open,
        passes=[
            [of_type(network.SECURITY_GROUP_RULE, **RULE_3306, cidrBlocks=["10.0.0.0/8"])],
            [
                of_type(
                    network.SECURITY_GROUP,
                    ingress=[{**RULE_3306, "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}],
                )
            ],
            [of_type(network.SECURITY_GROUP_RULE, **{**RULE_3306, "type": "egress"}, cidrBlocks=["0.0.0.0/0"])],
        ],
        refuses=[
            (
                [of_type(network.SECURITY_GROUP_RULE, **RULE_3306, cidrBlocks=["0.0.0.0/0"])],
                "opens port 3306 to 0.0.0.0/0",
            ),
            (
                [of_type(network.SECURITY_GROUP, ingress=[{"protocol": "-1", "ipv6CidrBlocks": ["::/0"]}])],
                "ingress[0] opens port 3306, 5432",
            ),
            (
                [of_type(network.INGRESS_RULE, ipProtocol="tcp", fromPort=5000, toPort=6000, cidrIpv4="0.0.0.0/0")],
                "port 5432",
            ),
        ],
        unknown=[([of_type(network.SECURITY_GROUP_RULE, **RULE_3306, cidrBlocks=UNKNOWN)], "cidrBlocks")],
    ),
    Case(
        rule=network.database_is_not_public,
        passes=[[of_type(network.RDS_INSTANCE, publiclyAccessible=False)], [of_type(network.RDS_INSTANCE)]],
        refuses=[([of_type(network.RDS_INSTANCE, publiclyAccessible=True)], "has a public address")],
        unknown=[([of_type(network.RDS_INSTANCE, publiclyAccessible=UNKNOWN)], "publiclyAccessible")],
    ),
    Case(
        rule=network.database_is_encrypted,
        passes=[
            [of_type(network.RDS_INSTANCE, storageEncrypted=True), of_type(network.RDS_CLUSTER, storageEncrypted=True)],
            [of_type(network.RDS_INSTANCE, snapshotIdentifier="encrypted-already")],
            [of_type(network.RDS_CLUSTER, replicationSourceIdentifier="arn:of:another")],
        ],
        refuses=[
            ([of_type(network.RDS_INSTANCE)], "is not encrypted: set storageEncrypted to true"),
            ([of_type(network.RDS_CLUSTER, storageEncrypted=False)], "is not encrypted"),
            ([of_type(network.RDS_INSTANCE, storageEncrypted=False, snapshotIdentifier="s")], "is not encrypted"),
        ],
        unknown=[([of_type(network.RDS_INSTANCE, storageEncrypted=UNKNOWN)], "storageEncrypted")],
    ),
    Case(
        rule=network.database_is_backed_up,
        passes=[
            [of_type(network.RDS_INSTANCE, backupRetentionPeriod=7)],
            [of_type(network.RDS_CLUSTER, backupRetentionPeriod=35)],
            [of_type(network.RDS_INSTANCE, replicateSourceDb="feature-store")],
        ],
        refuses=[
            ([of_type(network.RDS_INSTANCE)], "are kept for 0 days, which is less than 7"),
            ([of_type(network.RDS_CLUSTER)], "are kept for 1 day,"),
            ([of_type(network.RDS_INSTANCE, backupRetentionPeriod=6)], "set backupRetentionPeriod to 7 or more"),
        ],
        unknown=[([of_type(network.RDS_INSTANCE, backupRetentionPeriod=UNKNOWN)], "backupRetentionPeriod")],
    ),
)

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
)

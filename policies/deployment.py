"""How a program is deployed: how long an update waits, and whether each stack keeps to its own workspace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies import sources
from policies.endpoints import ENDPOINTS, MODEL_SERVING
from policies.jobs import JOB
from policies.monitoring import ALERT
from policies.reading import Reader
from policies.rule import ADVISORY, LOW, MEDIUM, ResourceRule
from policies.security import texts_of
from policies.subject import Subject

# The hosts of workspaces on AWS, Azure (three clouds) and Google Cloud (Databricks documentation, "Workspace URLs").
_WORKSPACE = re.compile(
    r"[\w.-]+\.(?:cloud\.databricks\.com|azuredatabricks\.net|databricks\.azure\.(?:us|cn)|gcp\.databricks\.com)",
    re.IGNORECASE,
)
_MEANT = "databricksWorkspaceUrl"
"""The field of an external model that says in which other workspace it is served."""


def _timeouts(subject: Subject) -> Iterator[str]:
    given = subject.options.custom_timeouts
    waits = {"create": given.create_seconds, "update": given.update_seconds}
    missing = [name for name, seconds in waits.items() if not seconds]
    if missing:
        yield (
            f"endpoint {subject.shown} says not how long its {' and '.join(missing)} may take, and the provider waits "
            "45 minutes by default: set the resource option custom_timeouts, with create and update."
        )


endpoint_waits_are_bounded = ResourceRule(
    id="POL-62",
    name="endpoint-waits-are-bounded",
    description="Require timeouts of an endpoint's creation and update, so that the wait is a decision.",
    remediation='Set the resource option custom_timeouts=CustomTimeouts(create="30m", update="30m").',
    staging=ADVISORY,
    prod=ADVISORY,
    severity=LOW,
    source=sources.CUSTOM_TIMEOUTS,
    types=frozenset(ENDPOINTS),
    check=_timeouts,
)


def _addresses(subject: Subject) -> Iterator[str]:
    # A value that comes from elsewhere is no literal: nothing to tell where it is not known yet.
    for path, text in texts_of(subject.props, "", Reader()):
        found = _WORKSPACE.search(text)
        if found is not None and not path.endswith(_MEANT):
            yield (
                f"{path} names workspace {found.group()}, so every stack of the program goes there: take the host "
                "from the stack's configuration (databricks:host)."
            )


no_workspace_address_literals = ResourceRule(
    id="POL-63",
    name="no-workspace-address-literals",
    description="Refuse workspace addresses in properties: another stack of the program would reach that workspace.",
    remediation="Take the host from the stack's configuration, such as pulumi.Config('databricks').require('host').",
    staging=ADVISORY,
    prod=ADVISORY,
    severity=MEDIUM,
    source=sources.PROVIDER_CONFIGURATION,
    types=frozenset({MODEL_SERVING, JOB, ALERT}),
    check=_addresses,
)

RULES = (endpoint_waits_are_bounded, no_workspace_address_literals)

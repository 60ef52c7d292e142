"""Notification destinations as the official client sees them; what they hide stays hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.service.settings import (
    Config,
    DestinationType,
    EmailConfig,
    GenericWebhookConfig,
    MicrosoftTeamsConfig,
    PagerdutyConfig,
    SlackConfig,
)

from tests.support.served import opened_state, served
from workspace.alerts import Destinations
from workspace.state import State

SECRET = "s3cr3t-value"
HOOK = Config(generic_webhook=GenericWebhookConfig(url=f"https://x.example/{SECRET}", username="u", password=SECRET))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with opened_state(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(state: State) -> Iterator[WorkspaceClient]:
    with served(state, [Destinations(state)]) as workspace:
        yield workspace


@pytest.mark.parametrize(
    ("config", "kind", "shown"),
    [
        (Config(email=EmailConfig(["a@example.com"])), "EMAIL", {"email": {"addresses": ["a@example.com"]}}),
        (Config(slack=SlackConfig(url=SECRET)), "SLACK", {"slack": {"url_set": True}}),
        (
            HOOK,
            "WEBHOOK",
            {"generic_webhook": {"url_set": True, "username_set": True, "password_set": True}},
        ),
        (
            Config(pagerduty=PagerdutyConfig(integration_key=SECRET)),
            "PAGERDUTY",
            {"pagerduty": {"integration_key_set": True}},
        ),
        (
            Config(microsoft_teams=MicrosoftTeamsConfig(url=SECRET)),
            "MICROSOFT_TEAMS",
            {"microsoft_teams": {"url_set": True}},
        ),
    ],
)
def test_a_destination_is_read_back_without_what_it_hides(
    client: WorkspaceClient, config: Config, kind: str, shown: dict[str, Any]
) -> None:
    created = client.notification_destinations.create(config=config, display_name="one")
    assert created.id is not None
    found = client.notification_destinations.get(created.id)
    assert found == created
    assert found.destination_type is DestinationType(kind)
    assert found.config is not None
    assert found.config.as_dict() == shown


def test_a_secret_is_not_even_kept(client: WorkspaceClient, state: State) -> None:
    client.notification_destinations.create(config=HOOK, display_name="hook")
    kept = [path for path in state.folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert not kept


def test_name_and_config_change_and_the_type_does_not(client: WorkspaceClient) -> None:
    destinations = client.notification_destinations
    created = destinations.create(config=HOOK, display_name="hook")
    assert created.id is not None
    renamed = destinations.update(created.id, display_name="renamed")
    assert renamed.display_name == "renamed"
    assert renamed.config == created.config
    # As a client that read it sends it back.
    assert destinations.update(created.id, config=created.config).config == created.config
    barer = destinations.update(
        created.id, config=Config(generic_webhook=GenericWebhookConfig(url="https://y.example"))
    )
    assert barer.config is not None
    assert barer.config.as_dict() == {"generic_webhook": {"url_set": True}}
    with pytest.raises(BadRequest, match="cannot change from WEBHOOK to EMAIL"):
        destinations.update(created.id, config=Config(email=EmailConfig(["a@example.com"])))
    with pytest.raises(BadRequest, match="needs display_name or config"):
        destinations.update(created.id)


def test_destinations_are_listed_without_configs_and_deleted(client: WorkspaceClient) -> None:
    destinations = client.notification_destinations
    for name in ("b", "a", "c"):
        destinations.create(config=HOOK, display_name=name)
    listed = list(destinations.list(page_size=2))
    assert [one.display_name for one in listed] == ["a", "b", "c"]
    gone = listed[0].id
    assert gone is not None
    destinations.delete(gone)
    for call in (destinations.get, destinations.delete):
        with pytest.raises(NotFound, match=gone):
            call(gone)
    assert len(list(destinations.list())) == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "exactly one of email, .*; received none"),
        ({"email": {"addresses": ["a@example.com"]}, "slack": {"url": "x"}}, "received email, slack"),
        ({"fax": {"number": "1"}}, "exactly one of"),
        ({"slack": {}}, "config.slack needs url or oauth_token"),
        ({"slack": {"uri": "x"}}, "has no field 'uri'"),
        ({"email": {"addresses": ["nobody"]}}, "must be e-mail addresses"),
        ({"slack": "x"}, "config.slack must be an object, received str"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(client: WorkspaceClient, config: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        client.api_client.do(
            "POST",
            "/api/2.0/notification-destinations",
            body={"config": config or {"email": None}, "display_name": "n"},
        )


def test_admins_alone_change_destinations_and_see_their_configs(client: WorkspaceClient) -> None:
    created = client.notification_destinations.create(config=HOOK, display_name="hook")
    assert created.id is not None
    ann = WorkspaceClient(host=client.config.host, token="token-of-ann").notification_destinations
    assert ann.get(created.id).config is None
    with pytest.raises(PermissionDenied, match="Only workspace admins"):
        ann.create(config=HOOK, display_name="mine")
    with pytest.raises(PermissionDenied, match="Only workspace admins"):
        ann.update(created.id, display_name="mine")
    with pytest.raises(PermissionDenied, match="Only workspace admins"):
        ann.delete(created.id)


def test_a_destination_survives_a_restart(tmp_path: Path, state: State) -> None:
    with served(state, [Destinations(state)]) as client:
        created = client.notification_destinations.create(config=HOOK, display_name="hook")
    state.close()
    with opened_state(tmp_path) as again, served(again, [Destinations(again)]) as client:
        assert created.id is not None
        assert client.notification_destinations.get(created.id) == created

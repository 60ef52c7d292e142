"""A dynamic resource below an explicit provider works in that provider's workspace, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.dynamic.endpoint_settings import EndpointSettingsProvider
from components.dynamic.errors import ProviderError
from components.dynamic.explicit_provider import PROPERTY
from components.dynamic.workspace_settings import settings_for
from tests.support.rest_stub import TOKEN, RestStub, endpoint, running
from tests.unit.dynamic.conftest import MakeProvider
from tests.unit.dynamic.test_endpoint_settings import inputs

HERE, THERE = "https://here.example", "https://there.example"
SECRET = "dapi0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "databrickscfg"
    path.write_text(
        f"[DEFAULT]\nhost = {HERE}\ntoken = t\n"
        f"[there]\nhost = there.example/\ntoken = {SECRET}\n"
        f"[machine]\nhost = https://m.example\nclient_id = id\nclient_secret = {SECRET}\n"
        "[one]\nhost = https://twice.example\n[two]\nhost = https://twice.example\n"
    )
    return path


def found(file: Path, workspace: dict[str, Any], **environ: str) -> dict[str, Any]:
    settings = {"databricks:host": HERE, "databricks:token": "mine"}
    return dict(settings_for(workspace, settings, {"DATABRICKS_CONFIG_FILE": str(file), **environ}))


@pytest.mark.parametrize("host", [HERE, "here.example", "https://HERE.example:443/"])
def test_the_same_host_has_the_credentials_at_hand(file: Path, host: str) -> None:
    assert found(file, {"host": host})["databricks:token"] == "mine"


def test_a_provider_that_names_no_workspace_is_the_one_at_hand(file: Path) -> None:
    assert found(file, {})["databricks:token"] == "mine"


def test_another_host_has_the_credentials_of_its_profile(file: Path) -> None:
    settings = found(file, {"host": THERE})
    assert settings == {"databricks:host": THERE, "databricks:token": SECRET, "databricks:authType": "pat"}


def test_a_profile_is_taken_by_its_name_and_one_kind_of_credentials_is_stated(file: Path) -> None:
    settings = found(file, {"profile": "machine"})
    assert settings["databricks:clientSecret"] == SECRET
    assert settings["databricks:authType"] == "oauth-m2m"
    assert found(file, {"profile": "DEFAULT"})["databricks:host"] == HERE


def test_the_providers_own_file_counts_over_the_environments(file: Path) -> None:
    assert found(file, {"host": THERE, "configFile": str(file)}, DATABRICKS_CONFIG_FILE="/nowhere")


@pytest.mark.parametrize(
    ("workspace", "message"),
    [
        (
            {"host": "https://unknown.example"},
            "explicit provider for https://unknown.example, and the credentials at hand",
        ),
        ({"host": "https://twice.example"}, "profiles one, two of .* are all for https://twice.example"),
        ({"profile": "absent"}, "names profile absent, which .* does not have"),
    ],
)
def test_where_there_are_no_credentials_or_too_many_it_says_so_and_shows_none(
    file: Path, workspace: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProviderError, match=message) as refused:
        found(file, workspace)
    assert SECRET not in str(refused.value)


def test_no_file_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="Add a profile"):
        found(tmp_path / "absent", {"host": THERE})


def test_operations_go_to_the_workspace_of_the_resource_and_it_stays_in_state(
    provider: MakeProvider[EndpointSettingsProvider], stub: RestStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = provider(EndpointSettingsProvider)
    stub.endpoints["ep"] = [endpoint("ep", {"m-1": 100})]
    with running(RestStub()) as there:
        there.endpoints["ep"] = [endpoint("ep", {"m-1": 100})]
        file = tmp_path / "databrickscfg"
        file.write_text(f"[there]\nhost = {there.host}\ntoken = {TOKEN}\n")
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
        workspace = {"host": there.host}
        made = settings.create(inputs(**{PROPERTY: workspace})).outs
        assert made is not None
        assert made[PROPERTY] == workspace
        seen = settings.read("ep", made).outs
        assert seen is not None
        assert seen[PROPERTY] == workspace
        settings.delete("ep", made)
        assert len(there.writes()) == 2
    assert stub.calls() == []
    # And the next resource without a provider of its own is where it was.
    settings.create(inputs())
    assert len(stub.writes()) == 1


def test_another_workspace_is_another_thing_and_a_profile_alone_is_not(
    provider: MakeProvider[EndpointSettingsProvider],
) -> None:
    settings = provider(EndpointSettingsProvider)
    before = inputs(**{PROPERTY: {"host": HERE}})
    moved = settings.diff("ep", before, inputs(**{PROPERTY: {"host": THERE}}))
    assert moved.replaces == [PROPERTY]
    named = settings.diff("ep", before, inputs(**{PROPERTY: {"host": HERE, "profile": "here"}}))
    assert named.changes
    assert not named.replaces
    # At preview a new provider's unstated settings are not known; that is no change.
    same = settings.diff("ep", before, inputs(**{PROPERTY: {"host": HERE, "profile": pulumi.UNKNOWN}}))
    assert not same.changes


def test_a_workspace_that_is_not_known_yet_is_asked_nothing(
    provider: MakeProvider[EndpointSettingsProvider], stub: RestStub
) -> None:
    settings = provider(EndpointSettingsProvider)
    unknown = inputs(**{PROPERTY: {"host": pulumi.UNKNOWN}, "on_update_failure": ["no address"]})
    assert settings.check({}, unknown).failures == []
    assert settings.diff("ep", inputs(), unknown).changes
    assert stub.received == []

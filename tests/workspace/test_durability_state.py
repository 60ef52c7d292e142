"""State folders of other versions: brought up to date step by step, or refused in words."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from workspace import migrations
from workspace.migrations import STATE_VERSION, STEPS
from workspace.state import State, StateFolderError

PUBLISHED_V1: dict[str, object] = {
    "name": "main.ml.features_online",
    "source_table": "main.ml.features",
    "online_store": "features",
    "publish_mode": "TRIGGERED",
    "pipeline_id": "4f2c",
    "creator": "me@example.com",
    "created_at": 1795000000.5,
}


def folder_of_version(folder: Path, version: str, documents: dict[tuple[str, str], dict[str, object]]) -> None:
    """A state folder as a server of that version left it."""
    folder.mkdir()
    meta = {"version": version, "workspace_id": "123456789012345", "metastore_id": "m-1"}
    (folder / "workspace.json").write_text(json.dumps(meta))
    (folder / "token").write_text("dapi0123")
    with closing(sqlite3.connect(folder / "documents.db")) as db:
        db.execute(
            "CREATE TABLE document (kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, "
            "PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )
        rows = [(kind, key, json.dumps(body)) for (kind, key), body in documents.items()]
        db.executemany("INSERT INTO document VALUES (?, ?, ?)", rows)
        db.commit()


def version_of(folder: Path) -> str:
    return str(json.loads((folder / "workspace.json").read_text())["version"])


def test_a_folder_of_version_1_is_brought_up_to_date_and_keeps_all_it_held(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    secret: dict[str, object] = {"value": "kept"}
    documents = {("online_table", "main.ml.features_online"): PUBLISHED_V1, ("secret", "scope/key"): secret}
    folder_of_version(folder, "1", documents)
    state = State(folder)
    try:
        assert (state.workspace_id, state.token) == ("123456789012345", "dapi0123")
        assert state.documents.get("secret", "scope/key") == secret
        published = state.documents.get("online_table", "main.ml.features_online")
        assert published == {**PUBLISHED_V1, "kind": "PUBLISHED", "primary_key": None, "timeseries_key": None}
    finally:
        state.close()
    assert version_of(folder) == str(STATE_VERSION)


def test_a_step_that_was_killed_before_its_version_was_written_is_run_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder_of_version(folder, "1", {("online_table", "main.ml.features_online"): PUBLISHED_V1})
    STEPS[1](folder)
    assert version_of(folder) == "1"
    state = State(folder)
    try:
        found = state.documents.get("online_table", "main.ml.features_online")
        assert found is not None
        assert found["kind"] == "PUBLISHED"
    finally:
        state.close()


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "state"
    documents: dict[tuple[str, str], dict[str, object]] = {("online_table", "a"): {}, ("online_table", "b"): {}}
    folder_of_version(folder, "1", documents)
    with closing(sqlite3.connect(folder / "documents.db")) as db:
        db.execute("UPDATE document SET body = 'no json' WHERE key = 'b'")
        db.commit()
    with pytest.raises(json.JSONDecodeError):
        State(folder)
    assert version_of(folder) == "1"
    with closing(sqlite3.connect(folder / "documents.db")) as db:
        assert db.execute("SELECT body FROM document WHERE key = 'a'").fetchone() == ("{}",)


def test_a_folder_without_documents_is_brought_up_to_date_too(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder_of_version(folder, "1", {})
    (folder / "documents.db").unlink()
    State(folder).close()
    assert version_of(folder) == str(STATE_VERSION)


def test_a_folder_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder_of_version(folder, str(STATE_VERSION + 1), {})
    words = rf"newer workspace \(state version {STATE_VERSION + 1}; this one reads up to {STATE_VERSION}\): update"
    with pytest.raises(StateFolderError, match=words):
        State(folder)
    assert version_of(folder) == str(STATE_VERSION + 1)


@pytest.mark.parametrize("version", ["0", "one", ""])
def test_a_folder_that_no_step_leads_from_is_refused_with_the_way_out(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "state"
    folder_of_version(folder, version, {})
    with pytest.raises(StateFolderError, match="move the folder away to start an empty workspace"):
        State(folder)


def test_every_version_since_the_first_has_its_step() -> None:
    assert sorted(migrations.STEPS) == list(range(1, STATE_VERSION))

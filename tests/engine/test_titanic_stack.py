"""The Titanic stack, whole, on a real server: published by the writer, read by the reader, asked by PassengerId."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.errors import PermissionDenied

from components.outputs import StackOutputs
from pipelines.versions import version_tags
from tests.support.database import Database
from tests.support.principals import Person, machine
from tests.support.reads import only_reads
from tests.support.server import WorkspaceServer
from tests.support.titanic import ENDPOINT, MODEL, Titanic, prepare

SERVING = "databricks:index/modelServing:ModelServing"
SECRET = "databricks:index/secret:Secret"
SCOPES = {"writer": "feature_store_writer", "reader": "feature_store_reader"}
TABLE = "feature_store.online_feature_table"


@dataclass
class Scene:
    """The stack, who publishes and who serves, and what the stack said on its way."""

    titanic: Titanic
    publisher: Person
    serving: Person
    without_passwords: str = ""
    preview: str = ""
    up: str = ""

    @property
    def outputs(self) -> StackOutputs:
        return StackOutputs.model_validate(self.titanic.project.outputs())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Scene]:
    """One `up` after a preview, on a workspace where two service principals do the work."""
    folder: Path = tmp_path_factory.mktemp("titanic")
    server = WorkspaceServer(folder / "workspace")
    server.start()
    with ExitStack() as stack:
        stack.callback(server.kill)
        prepare(server)
        owner = server.client()
        made = Scene(
            Titanic.new(server, folder / "project", database),
            stack.enter_context(machine(owner)),
            stack.enter_context(machine(owner)),
        )
        made.titanic.change(lambda serving: _name(serving, made))
        refused = made.titanic.project.preview()
        assert not refused.ok
        made.without_passwords = refused.text
        made.titanic.set_passwords()
        with only_reads(server):
            shown = made.titanic.project.preview()
        assert shown.ok, shown
        outcome = made.titanic.project.up()
        assert outcome.ok, outcome
        made.preview, made.up = shown.text, outcome.text
        yield made


def _name(serving: dict[str, Any], scene: Scene) -> None:
    serving["servingPrincipal"] = scene.serving.name
    serving["mysql"]["publishPrincipal"] = scene.publisher.name


def test_a_missing_password_ends_the_preview_with_the_command_that_sets_it(scene: Scene) -> None:
    assert "mysql:writerPassword is not set" in scene.without_passwords
    assert "pulumi config set --secret mysql:writerPassword -s local" in scene.without_passwords
    assert "Traceback" not in scene.without_passwords


def test_preview_says_that_the_endpoint_will_not_look_features_up_in_mysql(scene: Scene) -> None:
    assert "MySQL is not among the stores that Model Serving looks features up in" in scene.preview


def test_outputs_name_both_prefixes_and_the_table_and_the_smoke_query_was_answered(scene: Scene) -> None:
    outputs = scene.outputs
    assert outputs.secret_prefixes is not None
    assert outputs.secret_prefixes.read == "feature_store_reader/feature_store"
    assert outputs.secret_prefixes.write == "feature_store_writer/feature_store"
    assert outputs.online_table_names == [TABLE]
    assert (outputs.endpoint_name, outputs.model_name, outputs.aliases) == (ENDPOINT, MODEL, {"production": "2"})
    assert outputs.smoke_result.answered_by == {"passenger_model-2": "ok"}


def test_a_second_up_does_nothing(scene: Scene) -> None:
    again = scene.titanic.project.up()
    assert again.ok, again
    assert again.operations() == []


def test_training_left_an_experiment_its_training_set_and_tagged_versions(scene: Scene) -> None:
    client = scene.titanic.server.client()
    experiment = client.experiments.get_by_name("/Shared/passenger_fit_model").experiment
    assert experiment is not None
    runs = list(client.experiments.search_runs(experiment_ids=[str(experiment.experiment_id)]))
    assert len(runs) == 2
    for run in runs:
        assert run.inputs is not None
        assert [one.dataset.name for one in run.inputs.dataset_inputs or []] == ["online_feature_table"]
    tags = {version: version_tags(client, MODEL, version) for version in ("1", "2")}
    assert [tags[one]["feature_store"] for one in tags] == ["online_store", "mysql"]
    assert all(float(one["accuracy"]) > 0.65 and one["validation"] == "passed" for one in tags.values())


def test_callers_send_an_id_and_get_one_prediction_for_each(scene: Scene) -> None:
    answers = scene.titanic.ask(3, 1, 2, 1)
    assert len(answers) == 4
    assert set(answers) <= {0, 1}
    assert answers[1] == answers[3]


def test_an_unknown_passenger_is_the_callers_mistake_and_named(scene: Scene) -> None:
    status, words = scene.titanic.refusal(1, 99_999)
    assert 400 <= status < 500
    assert "PassengerId 99999 is not in the feature store" in words


def test_serving_has_the_readers_secret_and_the_writers_is_nowhere_outside_its_scope(scene: Scene) -> None:
    titanic = scene.titanic
    titanic.ask(1)
    writer, reader = (titanic.database.passwords[role] for role in ("writer", "reader"))
    environments = environments_below(titanic.server.pid)
    with_reader = [one for one in environments if reader in one.values()]
    assert len(with_reader) == 1, "the model's process gets the reader's password, and no other process"
    assert with_reader[0]["FEATURE_STORE_USER"] == "reader"
    assert [one for one in environments if writer in " ".join(one.values())] == []

    shown = titanic.server.client().api_client.do("GET", f"/api/2.0/serving-endpoints/{ENDPOINT}")
    assert "{{secrets/feature_store_reader/feature_store-password}}" in str(shown)
    assert "feature_store_writer" not in str(shown)
    told = [str(shown), scene.preview, scene.up, str(titanic.project.resources()), str(titanic.project.outputs())]
    folders = (titanic.server.state, titanic.project.folder / ".engine")
    kept = [
        path.read_bytes().decode(errors="replace")
        for folder in folders
        for path in folder.rglob("*")
        # The workspace keeps secrets in one file of their own.
        if path.is_file() and not path.name.startswith("secrets.db") and not path.is_symlink()
    ]
    for password in (writer, reader):
        assert [text for text in told + kept if password in text] == []


def test_each_principal_reads_its_own_scope_and_never_the_others(scene: Scene) -> None:
    for person, own, other in ((scene.publisher, "writer", "reader"), (scene.serving, "reader", "writer")):
        assert person.client.dbutils.secrets.get(SCOPES[own], "feature_store-user") == own
        assert person.client.dbutils.secrets.get(SCOPES[own], "feature_store-password")
        with pytest.raises(PermissionDenied):
            person.client.secrets.get_secret(SCOPES[other], "feature_store-password")


def test_changed_rows_are_served_once_they_are_published_and_gone_ones_are_refused(scene: Scene) -> None:
    titanic = scene.titanic
    before = titanic.ask(*range(1, 41))
    # The first forty become what they were not: those who were expected to die travel first class, the others third.
    titanic.sql(
        "UPDATE titanic_passengers SET sex = CASE WHEN sex = 'male' THEN 'female' ELSE 'male' END, "
        "who = CASE WHEN who = 'man' THEN 'woman' ELSE 'man' END, pclass = 4 - pclass, "
        "adult_male = NOT adult_male WHERE PassengerId <= 40"
    )
    titanic.sql("DELETE FROM titanic_passengers WHERE PassengerId = 891")
    assert titanic.ask(*range(1, 41)) == before
    assert titanic.ask(891)

    job = titanic.server.client().jobs.get(int(scene.outputs.job_ids["features"]))
    assert job.settings is not None
    parameters = {one.name: one.default for one in job.settings.parameters or []}
    assert parameters["write_secret_prefix"] == "feature_store_writer/feature_store"
    assert not any(password in str(parameters) for password in titanic.database.passwords.values())
    waits = {task.task_key: {one.task_key for one in task.depends_on or []} for task in job.settings.tasks or []}
    both = {"passenger_demographic_features", "passenger_ticket_features"}
    assert waits == {**{one: set() for one in both}, "publish_to_rds": both, "fit_model": {"publish_to_rds"}}

    tasks, said = run_job(titanic, int(scene.outputs.job_ids["features"]))
    assert set(tasks.values()) == {"SUCCESS"}, said
    assert said["publish_to_rds"].startswith("changes: "), said
    assert " 1 deleted" in said["publish_to_rds"]
    assert titanic.ask(*range(1, 41)) != before
    assert "PassengerId 891 is not in the feature store" in titanic.refusal(891)[1]
    assert titanic.database.rows(f"SELECT count(*) FROM {TABLE}") == [(890,)]
    # What was fitted is for a release to serve.
    client = titanic.server.client()
    assert {str(one.version) for one in client.model_versions.list(MODEL)} == {"1", "2", "3", "4"}
    assert client.model_versions.get_by_alias(MODEL, "production").version == 2


def test_a_changed_size_and_a_new_password_are_updates_of_what_is_there(scene: Scene) -> None:
    titanic = scene.titanic
    titanic.database.passwords["writer"] += "-changed"
    titanic.set_passwords("writer")
    # The versions that the job has fitted are newer: this stack keeps what it serves.
    titanic.change(lambda serving: serving["model"]["aliases"].update(production="2"))
    titanic.change(lambda serving: serving["endpoint"]["entities"][0].update(workloadSize="Medium"))
    changed = titanic.project.up()
    assert changed.ok, changed
    assert ("update", SERVING) in changed.operations()
    replaced = {operation for operation, kind in changed.operations() if kind == SECRET}
    assert replaced == {"delete-replaced", "replace", "create-replacement"}
    assert {kind for _, kind in changed.operations()} <= {SERVING, SECRET, "pulumi-python:dynamic/serving:SmokeQuery"}
    value = titanic.server.client().dbutils.secrets.get(SCOPES["writer"], "feature_store-password")
    assert value == titanic.database.passwords["writer"]


def test_the_default_store_answers_the_same_and_leaves_no_secret_behind(scene: Scene) -> None:
    titanic = scene.titanic
    answers = titanic.ask(*range(1, 61))
    titanic.change(lambda serving: serving["model"]["aliases"].update(production="1"))
    refused = titanic.project.preview()
    assert not refused.ok
    assert f"version 1 of {MODEL} has the tag feature_store=online_store" in refused.text
    titanic.change(lambda serving: serving["mysql"].update(enabled=False))
    switched = titanic.project.up()
    assert switched.ok, switched
    # The model that reads them stops before they are gone.
    steps = switched.operations()
    assert steps.index(("update", SERVING)) < steps.index(("delete", SECRET))
    outputs = scene.outputs
    assert outputs.online_table_names == ["main.titanic.online_feature_table_online"]
    assert outputs.secret_prefixes is None
    client = titanic.server.client()
    assert [scope.name for scope in client.secrets.list_scopes()] == []
    # Versions 1 and 2 are one fitted model, on rows that both stores have alike.
    assert titanic.ask(*range(1, 61)) == answers
    tasks, said = run_job(titanic, int(outputs.job_ids["features"]), only=["publish_to_online_store"])
    assert tasks == {"publish_to_online_store": "SUCCESS"}, said


def test_nothing_is_left_in_the_workspace_and_the_rows_stay_in_the_database(scene: Scene) -> None:
    titanic = scene.titanic
    gone = titanic.project.destroy()
    assert gone.ok, gone
    # What depends goes first, so that at no time something is served that has lost what it needs.
    order = [kind.rpartition(":")[2] for operation, kind in gone.operations() if operation == "delete"]
    dependents = ("ModelAlias", "SmokeQuery", "ModelServing", "PublishedTable", "OnlineStore")
    assert [kind for kind in order if kind in dependents] == list(dependents)
    client = titanic.server.client()
    assert [one.name for one in client.serving_endpoints.list()] == []
    assert list(client.jobs.list()) == []
    assert list(client.secrets.list_scopes()) == []
    assert titanic.database.rows(f"SELECT count(*) FROM {TABLE}") == [(890,)]


def environments_below(pid: int) -> list[dict[str, str]]:
    """The environments of all processes that descend from one, as the kernel shows them to their owner."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
    found, below = [], {pid}
    while children := {child for child, parent in parents.items() if parent in below} - below:
        below |= children
    for child in below - {pid}:
        try:
            pairs = Path(f"/proc/{child}/environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        found.append(dict(pair.split("=", 1) for pair in pairs if "=" in pair))
    return found


def run_job(titanic: Titanic, job_id: int, only: list[str] | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Results and last words of the tasks of a new run."""
    jobs = titanic.server.client().jobs
    started, deadline = jobs.run_now(job_id, only=only).run_id, time.monotonic() + 180
    while (run := jobs.get_run(started)).end_time in (None, 0):
        assert time.monotonic() < deadline, f"run {started} goes on for longer than three minutes"
        time.sleep(0.1)
    ran = [task for task in run.tasks or [] if only is None or task.task_key in only]
    results, said = {}, {}
    for task in ran:
        assert task.run_id is not None
        name, output = str(task.task_key), jobs.get_run_output(task.run_id)
        results[name] = str(task.state.result_state.value if task.state and task.state.result_state else "")
        said[name] = str((output.notebook_output and output.notebook_output.result) or output.error or "")
    return results, said

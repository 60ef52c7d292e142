"""`make up` killed in the middle, and run again: it ends with what one undisturbed run makes, once each.

Each case holds a moment open by a time that the workspace imposes, and kills when the workspace has seen the request
that the moment begins with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.engine.test_taxi_stack import RECORD
from tests.support.clone import Clone, State
from tests.support.taxi import ENDPOINT, MODEL

STORE = "taxi-online-local"
JOB = f"{ENDPOINT}-unpack"
UNPACKED = "main.taxi.taxi_fare_regressor_local_unpacked"
TABLES = {
    "trips",
    "taxi_fare_regressor_baseline",
    "trip_pickup_features",
    "trip_dropoff_features",
    "trip_pickup_features_online",
    "trip_dropoff_features_online",
    "taxi_fare_regressor_local_payload",
    "taxi_fare_regressor_local_unpacked",
    "taxi_fare_regressor_local_unpacked_profile_metrics",
    "taxi_fare_regressor_local_unpacked_drift_metrics",
}
LOOKED_UP = {"ModelServing", "OnlineStore", "Job", "Query", "SqlTable", "QualityMonitor"}
#: Long enough for the next `up` to come upon the moment unfinished, short enough to wait for.
HELD_SECONDS = 10.0


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with a trained model and a stack without resources; its workspace is stopped."""
    clone = Clone.new(tmp_path_factory.mktemp("kills") / "prepared")
    try:
        previewed = clone.make("preview")
        assert previewed.exit_code == 0, previewed.output
    finally:
        clone.close()
    return clone


@pytest.fixture(scope="module")
def finished(prepared: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone as `make up` leaves it; its workspace is stopped."""
    clone = prepared.copy(tmp_path_factory.mktemp("kills") / "finished")
    try:
        up = clone.make("up")
        assert up.exit_code == 0, up.output
    finally:
        clone.close()
    return clone


@pytest.fixture
def clone(prepared: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of its own before its first `up`, with its workspace running."""
    clone = prepared.copy(tmp_path / "clone")
    try:
        clone.start_workspace()
        yield clone
    finally:
        clone.close()


@pytest.fixture
def deployed(finished: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of its own after an `up`, with its workspace running."""
    clone = finished.copy(tmp_path / "clone")
    try:
        clone.start_workspace()
        yield clone
    finally:
        clone.close()


def test_an_engine_killed_after_the_first_resources_goes_on_with_the_others(clone: Clone) -> None:
    # The store is made at once; what is held is the publishing, which waits for it.
    clone.settings(online_store_provisioning_seconds=HELD_SECONDS)
    running = clone.start("up")
    running.wait_for_request("POST", "/feature-store/online-stores")
    killed = running.kill_engine()
    assert killed.exit_code != 0, killed.output

    again = clone.make("up")
    assert again.exit_code == 0, again.output
    assert "cleared the lock of a dead process: process " in again.output, again.output
    assert_made_once(clone)
    assert_settled(clone)


def test_an_engine_killed_while_the_endpoint_comes_up_has_it_taken_over(clone: Clone) -> None:
    clone.settings(endpoint_provisioning_seconds=HELD_SECONDS)
    running = clone.start("up")
    running.wait_for_request("POST", "/serving-endpoints")
    killed = running.kill_engine()
    assert killed.exit_code != 0, killed.output
    assert clone.pending() == ["creating taxi-fare"], killed.output

    again = clone.make("up")
    assert again.exit_code == 0, again.output
    assert "cleared the lock of a dead process: process " in again.output, again.output
    assert f"interrupted while creating taxi-fare; {ENDPOINT} is there and is taken over" in again.output, again.output
    assert creations(clone, "/serving-endpoints") == 1
    assert_made_once(clone)
    assert_settled(clone)


def test_engine_and_workspace_killed_while_tables_are_published_are_both_gone_on_with(clone: Clone) -> None:
    clone.settings(online_table_provisioning_seconds=HELD_SECONDS)
    running = clone.start("up")
    running.wait_for_request("POST", "trip_pickup_features/publish")
    running.wait_for_request("POST", "trip_dropoff_features/publish")
    killed = running.kill_engine()
    assert killed.exit_code != 0, killed.output
    clone.kill_workspace()
    interrupted = ["creating trip_dropoff_features", "creating trip_pickup_features"]
    assert sorted(clone.pending()) == interrupted, killed.output

    again = clone.make("up")
    assert again.exit_code == 0, again.output
    assert "workspace: started" in again.output, again.output
    assert "cleared the lock of a dead process: process " in again.output, again.output
    for what in interrupted:
        assert f"an earlier run was interrupted while {what}; it is carried out again" in again.output, again.output
    assert_made_once(clone)
    assert_settled(clone)


def test_a_workspace_killed_while_the_endpoint_comes_up_fails_the_up_and_the_next_one_starts_it(clone: Clone) -> None:
    clone.settings(endpoint_provisioning_seconds=HELD_SECONDS)
    running = clone.start("up")
    running.wait_for_request("POST", "/serving-endpoints")
    clone.kill_workspace()
    failed = running.finished()
    assert failed.exit_code != 0, failed.output
    assert f"no workspace answers at {clone.server.host}" in failed.output, failed.output
    assert "Traceback" not in failed.output, failed.output

    again = clone.make("up")
    assert again.exit_code == 0, again.output
    assert "workspace: started" in again.output, again.output
    assert creations(clone, "/serving-endpoints") == 0
    assert_made_once(clone)
    assert_settled(clone)


def test_a_workspace_killed_and_started_again_does_not_disturb_the_up(clone: Clone) -> None:
    clone.settings(endpoint_provisioning_seconds=HELD_SECONDS)
    running = clone.start("up")
    running.wait_for_request("POST", "/serving-endpoints")
    clone.kill_workspace()
    clone.start_workspace()
    survived = running.finished()
    assert survived.exit_code == 0, survived.output
    assert creations(clone, "/serving-endpoints") == 0
    assert_made_once(clone)
    assert_settled(clone)


@pytest.mark.parametrize(
    "interrupted",
    [
        pytest.param(["OnlineStore"], id="OnlineStore"),
        pytest.param(["SqlTable", "Query"], id="SqlTable and Query"),
        pytest.param(["Job", "QualityMonitor"], id="Job and QualityMonitor"),
    ],
)
def test_what_an_interrupted_creation_has_made_is_taken_over_and_not_made_again(
    deployed: Clone, interrupted: list[str]
) -> None:
    """The state is put back to where a kill would have left it: what depends on the interrupted was not made yet."""
    urns = [resource["urn"] for resource in resources_of(deployed) if resource["type"].split(":")[-1] in interrupted]
    assert len(urns) == len(interrupted)
    dependents = [
        urn for urn in dependents_of(resources_of(deployed), urns) if "$databricks:" in urn or "serving:" in urn
    ]
    if dependents:
        targets = [word for urn in dependents for word in ("--target", urn)]
        deployed.pulumi("destroy", "--yes", "--skip-preview", *targets)
    before = ids_of(deployed)
    forget_creation(deployed, urns)

    again = deployed.make("up")
    assert again.exit_code == 0, again.output
    for urn in urns:
        name, kind = urn.rpartition("::")[2], urn.split("::")[2].rpartition(":")[2]
        taken = f"interrupted while creating {name}; {before[kind]} is there and is taken over"
        assert taken in again.output, again.output
        assert ids_of(deployed)[kind] == before[kind], again.output
    assert_made_once(deployed)
    assert_settled(deployed)


def forget_creation(clone: Clone, urns: Sequence[str]) -> None:
    """Makes notes of interrupted creations, as the engine writes them before it calls the provider, of resources."""
    state = json.loads(clone.state_file.read_text())
    deployment = state["checkpoint"]["latest"]
    notes = [
        {
            "type": "creating",
            "resource": {key: value for key, value in resource.items() if key not in ("id", "outputs")},
        }
        for resource in deployment["resources"]
        if resource["urn"] in urns
    ]
    deployment["resources"] = [resource for resource in deployment["resources"] if resource["urn"] not in urns]
    deployment["pending_operations"] = notes
    # Not through the engine: its import drops such notes.
    clone.state_file.write_text(json.dumps(state))


def dependents_of(resources: Sequence[State], urns: Sequence[str]) -> list[str]:
    """Whatever depends on these, directly or not, in the order of the state."""
    found = set(urns)
    for resource in resources:  # in order: what a resource needs comes before it
        if found & {*resource.get("dependencies", ()), resource.get("parent")}:
            found.add(resource["urn"])
    return [resource["urn"] for resource in resources if resource["urn"] in found.difference(urns)]


def creations(clone: Clone, ending: str) -> int:
    """How often the running workspace was asked to create something at a path."""
    return sum(method == "POST" and path.endswith(ending) for method, path in clone.requests())


def assert_made_once(clone: Clone) -> None:
    """The workspace has what one undisturbed `up` makes, and the state knows all of it by the same ids."""
    client = clone.server.client()
    assert [endpoint.name for endpoint in client.serving_endpoints.list()] == [ENDPOINT]
    endpoint = client.serving_endpoints.get(ENDPOINT)
    assert endpoint.config is not None
    assert [entity.entity_version for entity in endpoint.config.served_entities or []] == ["1"]
    assert endpoint.pending_config is None
    assert [store.name for store in client.feature_store.list_online_stores()] == [STORE]
    jobs = [(str(job.job_id), job.settings and job.settings.name) for job in client.jobs.list()]
    assert [name for _, name in jobs] == [JOB]
    queries = [(query.id, query.display_name) for query in client.queries.list()]
    assert [name for _, name in queries] == [f"{JOB}-statement"]
    assert {table.name for table in client.tables.list("main", "taxi")} == TABLES
    assert client.quality_monitors.get(UNPACKED).table_name == UNPACKED
    assert client.model_versions.get_by_alias(MODEL, "champion").version == 1
    assert client.serving_endpoints.query(ENDPOINT, dataframe_records=[RECORD]).predictions
    assert ids_of(clone) == {
        "ModelServing": ENDPOINT,
        "OnlineStore": STORE,
        "Job": jobs[0][0],
        "Query": queries[0][0],
        "SqlTable": UNPACKED,
        "QualityMonitor": UNPACKED,
    }


def assert_settled(clone: Clone) -> None:
    """Another `up` has nothing to do, and nothing to say about the past."""
    assert clone.pending() == []
    following = clone.make("up")
    assert following.exit_code == 0, following.output
    assert following.changed_nothing, following.output
    assert "interrupted" not in following.output, following.output
    assert "pending" not in following.output, following.output


def resources_of(clone: Clone) -> list[State]:
    resources: list[State] = clone.export()["deployment"]["resources"]
    return resources


def ids_of(clone: Clone) -> dict[str, str]:
    """Type, in short, to id of each resource that the service would let be made twice, or refuse to."""
    return {
        resource["type"].rpartition(":")[2]: resource["id"]
        for resource in resources_of(clone)
        if resource["type"].rpartition(":")[2] in LOOKED_UP
    }

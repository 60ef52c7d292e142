"""Where the processes of tasks end: with their task, with its cancelling, with the server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import RunLifeCycleState, RunResultState, SparkPythonTask, SubmitTask

from tests.support.job_runs import PATIENCE_SECONDS, ends, task_results, waited
from tests.support.server import WorkspaceServer


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie of the server that nobody waited for yet is gone all the same.
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def gone(*pids: int) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


SLEEPER = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
notes = pathlib.Path(sys.argv[1])
notes.with_suffix(".new").write_text(f"{os.getpid()} {child.pid}")
notes.with_suffix(".new").rename(notes)
time.sleep(600)
"""


def submitted(client: WorkspaceClient, task: SparkPythonTask) -> int:
    started = client.jobs.submit(run_name="once", tasks=[SubmitTask(task_key="p", spark_python_task=task)])
    return int(started.bind()["run_id"])


def sleeping(client: WorkspaceClient, tmp_path: Path) -> tuple[int, list[int]]:
    """A run whose process has a child of its own and will not end; their process ids."""
    script, notes = tmp_path / "sleeper.py", tmp_path / "pids"
    script.write_text(SLEEPER)
    task = SparkPythonTask(python_file=str(script), parameters=[str(notes)])
    run_id = submitted(client, task)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not notes.exists():
        assert time.monotonic() < deadline, client.jobs.get_run(run_id).state
        time.sleep(0.02)
    return run_id, [int(pid) for pid in notes.read_text().split()]


def test_what_a_process_leaves_behind_ends_with_it(client: WorkspaceClient, tmp_path: Path) -> None:
    script, notes = tmp_path / "leaves.py", tmp_path / "pids"
    script.write_text(SLEEPER.replace("time.sleep(600)", ""))
    task = SparkPythonTask(python_file=str(script), parameters=[str(notes)])
    run_id = client.jobs.submit(run_name="once", tasks=[SubmitTask(task_key="p", spark_python_task=task)]).bind()[
        "run_id"
    ]
    run = waited(client, run_id)
    assert task_results(run) == {"p": RunResultState.SUCCESS}
    assert gone(*(int(pid) for pid in notes.read_text().split()))


def test_cancelling_ends_the_process_and_what_it_started(client: WorkspaceClient, tmp_path: Path) -> None:
    run_id, pids = sleeping(client, tmp_path)
    client.jobs.cancel_run(run_id)
    run = waited(client, run_id)
    assert ends(run) == (RunLifeCycleState.TERMINATED, RunResultState.CANCELED)
    assert task_results(run) == {"p": RunResultState.CANCELED}
    assert gone(*pids)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_no_process_outlives_the_server_and_its_run_is_closed_by_the_next_start(
    start_server: Callable[[], WorkspaceServer], tmp_path: Path, how: str
) -> None:
    server = start_server()
    run_id, pids = sleeping(server.client(), tmp_path)
    if how == "stop":
        server.stop()
    else:
        server.kill()
    assert gone(*pids)
    server.start()
    run = server.client().jobs.get_run(run_id)
    assert ends(run) == (RunLifeCycleState.INTERNAL_ERROR, RunResultState.FAILED)

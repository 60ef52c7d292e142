"""A job that could not run is refused before anything is registered, with every reason at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.job_tasks import (
    AfterArgs,
    ConditionTaskArgs,
    JobError,
    NotebookTaskArgs,
    PythonTaskArgs,
    SqlTaskArgs,
    TaskArgs,
    Work,
    check_tasks,
    names_a_secret,
)

QUERY = SqlTaskArgs(query_id="q", warehouse_id="w")
CONDITION = ConditionTaskArgs(left="{{tasks.a.values.n}}", op="GREATER_THAN", right="0")


def task(key: str, *after: str | AfterArgs, work: Work = QUERY, **others: Any) -> TaskArgs:
    waits = [AfterArgs(task=one) if isinstance(one, str) else one for one in after]
    return TaskArgs(key=key, work=work, after=waits, **others)


def reasons(*tasks: TaskArgs, computes: list[str] | None = None) -> str:
    with pytest.raises(JobError) as refused:
        check_tasks("nightly", tasks, computes or [])
    return str(refused.value)


def test_a_graph_with_a_condition_and_both_its_sides_is_taken() -> None:
    check_tasks(
        "nightly",
        [
            task("a"),
            task("check", "a", work=CONDITION),
            task("yes", AfterArgs(task="check", outcome=True)),
            task("no", AfterArgs(task="check", outcome=False)),
            task("end", "yes", "no", run_if="ALL_DONE"),
        ],
        [],
    )


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "has 0 tasks"),
        ([task("a"), task("a")], "2 tasks are called 'a'"),
        ([task("a b")], "task key 'a b' is none"),
        ([task("a", "b")], "waits for 'b', which is not there"),
        ([task("a", "b"), task("b", "a")], "in a circle"),
        ([task("a"), task("b", AfterArgs(task="a", outcome=True))], "an outcome goes with a condition task"),
        ([task("a", work=CONDITION), task("b", "a")], "name the outcome, True or False"),
        ([task("a", max_retries=-1)], "negative number"),
        ([task("a", compute="gpu")], "runs on no cluster"),
        ([task("a", work=NotebookTaskArgs(path="/Workspace/x"))], "does not say where it runs"),
        ([task("a", work=PythonTaskArgs(path="x.py"), compute="c")], "begins at the root"),
        ([task("a", work=PythonTaskArgs(path="/x.py"), compute="d")], "runs on 'd', which is not there"),
        ([task("a", work=NotebookTaskArgs(), compute="c")], "names its file twice or not at all"),
        ([task("a", work=NotebookTaskArgs(source=Path("nowhere.py")), compute="c")], "nowhere.py is no file"),
        (
            [task("a", work=NotebookTaskArgs(path="/x", parameters={"db_password": "hunter2"}), compute="c")],
            "dbutils.secrets.get",
        ),
    ],
)
def test_a_broken_rule_is_named(tasks: list[TaskArgs], message: str) -> None:
    computes = ["c"] if any(one.compute for one in tasks) else []
    text = reasons(*tasks, computes=computes)
    assert text.startswith("job nightly: ")
    assert message in text
    assert "hunter2" not in text


def test_all_reasons_come_at_once() -> None:
    text = reasons(task("a b", "nowhere"), task("c", max_retries=-1))
    assert text.count(";") >= 2


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16))
def test_a_graph_is_taken_exactly_when_its_tasks_can_be_put_in_order(edges: list[tuple[int, int]]) -> None:
    waits: dict[int, set[int]] = {number: set() for number in range(8)}
    for first, second in edges:
        waits[second].add(first)
    tasks = [task(str(number), *sorted(map(str, before))) for number, before in waits.items()]
    done: set[int] = set()
    while ready := [number for number, before in waits.items() if number not in done and before <= done]:
        done.update(ready)
    if len(done) == len(waits):
        check_tasks("nightly", tasks, [])
    else:
        assert "in a circle" in reasons(*tasks)


@pytest.mark.parametrize("name", ["password", "db_password", "secret", "clientSecret", "api_token", "credentials"])
def test_a_parameter_that_holds_a_secret_is_known_by_its_name(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name", ["read_secret_prefix", "secret_scope", "secretKey", "token_table", "max_tokens", "passenger", "catalog"]
)
def test_where_a_secret_is_kept_and_what_is_counted_are_no_secrets(name: str) -> None:
    assert not names_a_secret(name)

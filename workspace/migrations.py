"""How a state folder of an older version becomes one of the next, step by step.

A step runs with the folder's lock held and nothing else open. The folder's version is written after it, so a step that
was killed is run again: it must leave what it has done already alone. What it changes, it changes in one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from workspace.documents import CREATE_TABLE

STATE_VERSION = 3

Step = Callable[[Path], None]


def _name_the_kind_of_online_tables(folder: Path) -> None:
    """1 to 2: online tables are published to an online store or synced to Lakebase, and each says which."""
    with _documents(folder) as db:
        rows = db.execute("SELECT key, body FROM document WHERE kind = 'online_table'").fetchall()
        for key, text in rows:
            body = {"kind": "PUBLISHED", "primary_key": None, "timeseries_key": None, **json.loads(text)}
            db.execute("UPDATE document SET body = ? WHERE kind = 'online_table' AND key = ?", (json.dumps(body), key))


def _complete_runs_of_jobs(folder: Path) -> None:
    """2 to 3: a run says as whom it runs and what it was started with; its tasks keep what they left behind apart."""
    with _documents(folder) as db:
        rows = db.execute("SELECT key, body FROM document WHERE kind = 'job_run'").fetchall()
        for key, text in rows:
            run = json.loads(text)
            new = {
                "original_attempt_run_id": run["run_id"],
                "run_as_user_name": run["creator_user_name"],
                "trigger_time": run["start_time"],
                "end_time": 0,
                "environments": [],
                "notices": {},
            }
            tasks = [
                {"private": {}, "end_time": 0, "setup_duration": 0, "cleanup_duration": 0, **task}
                for task in run["tasks"]
            ]
            body = json.dumps({**new, **run, "tasks": tasks})
            db.execute("UPDATE document SET body = ? WHERE kind = 'job_run' AND key = ?", (body, key))


STEPS: Mapping[int, Step] = {1: _name_the_kind_of_online_tables, 2: _complete_runs_of_jobs}
"""Version -> the step to the next one. A version without a step cannot be read any more."""


@contextmanager
def _documents(folder: Path) -> Iterator[sqlite3.Connection]:
    """The documents' database, in one transaction."""
    with closing(sqlite3.connect(folder / "documents.db", isolation_level=None, timeout=30)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        try:
            # A server that was killed before its first document left a folder without the table.
            db.execute(CREATE_TABLE)
            yield db
        except BaseException:
            db.rollback()
            raise
        db.commit()

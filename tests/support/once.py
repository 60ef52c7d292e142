"""What takes long to prepare is prepared once a run, by whichever worker needs it first."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Prepared = TypeVar("Prepared")


def once_a_run(factory: pytest.TempPathFactory, name: str, prepare: Callable[[Path], Prepared]) -> Prepared:
    """What `prepare` made in a folder of this run, and here only read: by this process, or by another one before it.

    Args:
        name: of the folder, the same in all workers.
        prepare: gets the folder, new and empty. What it gives back must survive pickling, and refer to files that stay.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a folder of its own in the run's.
        root = root.parent
    with (root / f"{name}.lock").open("w") as lock:
        # Held until it is made: a worker that comes second waits no longer than it would take to make its own.
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = root / f"{name}.pickle"
        if kept.exists():
            found: Prepared = pickle.loads(kept.read_bytes())  # noqa: S301 - this run has written it
            return found
        made = prepare(factory.mktemp(name))
        written = root / f"{name}.new"
        written.write_bytes(pickle.dumps(made))
        written.rename(kept)
        return made

"""`make clean`: back to a fresh clone, without losing the state of stacks that live on a real workspace."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from toolchain.databases import stop_database
from toolchain.embedded import stop_workspace
from toolchain.layout import Layout
from toolchain.orphans import find_orphans, stop
from toolchain.project import drop_salt, has_resources
from toolchain.report import ToolchainError, say
from toolchain.shell import LOCAL_STACK


def clean(layout: Layout, *, force: bool) -> None:
    """Stops the embedded workspace and removes `.local` and `.venv`.

    Raises:
        ToolchainError: the state of another stack than `local`, with resources, is kept there and `force` is not given.
    """
    kept = [file for file in _other_stacks(layout) if has_resources(file)]
    if kept and not force:
        listed = ", ".join(f"{file.parent.name}/{file.stem}" for file in kept)
        raise ToolchainError(
            f"{layout.state} is the only record of resources on a real workspace: {listed}. "
            "Destroy them first (make down STACK=...), or copy that folder away and run: make clean FORCE=1"
        )
    stop_workspace(layout, layout.python if layout.python.exists() else Path(sys.executable))
    stop_database(layout)
    stop(find_orphans(layout.pulumi_home))
    for folder in (layout.local, layout.environment):
        if folder.exists():
            shutil.rmtree(folder)
    for file in [*layout.root.glob("Pulumi.local.yaml"), *layout.root.glob("examples/*/Pulumi.local.yaml")]:
        drop_salt(file)
    say("removed .local and .venv")


def _other_stacks(layout: Layout) -> list[Path]:
    files = (layout.state / ".pulumi" / "stacks").glob("*/*.json")
    return sorted(file for file in files if file.stem != LOCAL_STACK)

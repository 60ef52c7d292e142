"""The process of a task: `python -m workspace.task_process <launch file> <report fd> <lifeline fd>`.

It ends when its server does, also when that is killed: the lifeline is a pipe that only the server holds open.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import traceback
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

from workspace.task_process.dbutils import DbUtils, NotebookExit
from workspace.task_process.launch import DONE, EXIT, FAILURE, NOTEBOOK, PYTHON, Launch, Report
from workspace.task_process.namespace import namespace, no_spark, publish
from workspace.task_process.packages import add_wheel, require

_OWN_FRAMES = (str(Path(__file__).parent), "<frozen runpy>")


class EntryPointError(Exception):
    """A wheel task names an entry point that its package does not have."""


def main() -> int:
    launch, report = Launch.read(Path(sys.argv[1])), Report(int(sys.argv[2]))
    _end_with_server(int(sys.argv[3]))
    try:
        _perform(launch, report)
    except NotebookExit as ended:
        report.send(EXIT, value=ended.value)
    except SystemExit as ended:
        if ended.code not in (None, 0):
            _fail(report, ended)
            return 1
    except BaseException as error:  # noqa: BLE001  # whatever the task's code raises is how the task ends
        _fail(report, error)
        return 1
    sys.stdout.flush()
    report.send(DONE)
    return 0


def _perform(launch: Launch, report: Report) -> None:
    for wheel in launch.wheels:
        add_wheel(Path(wheel))
    require(launch.requirements, "the task's environment")
    around = namespace(DbUtils(launch, report))
    publish(around)
    if launch.kind == NOTEBOOK:
        # Here, so that other tasks need not wait for it.
        from workspace.task_process.notebook import Notebook
        from workspace.task_process.sql_cells import SqlCells

        file = Path(launch.file)
        sys.argv = [launch.file]
        sys.path.insert(0, str(file.parent))
        # A module of its own, so that what the notebook defines can be pickled by its name.
        module = ModuleType("__main__")
        module.__dict__.update(around)
        sys.modules["__main__"] = module
        Notebook(module.__dict__, SqlCells(launch.warehouse_id)).run(file, launch.shown_path, launch.language)
    elif launch.kind == PYTHON:
        sys.argv = [launch.file, *launch.arguments]
        sys.path.insert(0, str(Path(launch.file).parent))
        runpy.run_path(launch.file, init_globals=around, run_name="__main__")
    else:
        sys.argv = [launch.package_name, *launch.arguments]
        _entry_point(launch.package_name, launch.entry_point)()


def _entry_point(package: str, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202  # a function of the wheel
    """The entry point of the package's metadata; else the function of that name in the package itself."""
    try:
        points = [one for one in metadata.distribution(package).entry_points if one.name == name]
    except metadata.PackageNotFoundError as error:
        raise EntryPointError(
            f"the package '{package}' is not installed in the environment of this workspace, nor a wheel of the task"
        ) from error
    if points:
        return points[0].load()
    function = getattr(import_module(package.replace("-", "_")), name, None)
    if not callable(function):
        raise EntryPointError(f"the package '{package}' has neither an entry point nor a function '{name}'")
    return function


def _fail(report: Report, error: BaseException) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    own = traceback.StackSummary.from_list([one for one in frames if not one.filename.startswith(_OWN_FRAMES)])
    hint = _spark_hint(error)
    text = "".join(
        ["Traceback (most recent call last):\n", *own.format(), *traceback.format_exception_only(error), hint]
    )
    print(text, file=sys.stderr, flush=True)
    sys.stdout.flush()
    report.send(FAILURE, message=f"{type(error).__name__}: {error}{hint}", trace=text, code=type(error).__name__)


def _spark_hint(error: BaseException) -> str:
    """Why there is no Spark, where that is what the task failed of."""
    absent = isinstance(error, ModuleNotFoundError) and error.name in ("pyspark", "delta")
    refusal = no_spark()
    if refusal is None or not (absent or type(error).__module__.startswith("pyspark.")):
        return ""
    return f" (Spark: {refusal})"


def _end_with_server(lifeline: int) -> None:
    def watch() -> None:
        while os.read(lifeline, 1):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())

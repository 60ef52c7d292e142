"""`dbutils` inside a task: widgets, task values, notebook exit and run; secrets and files come from databricks-sdk.

Source: the Databricks page "Databricks Utilities (dbutils) reference". What is not here raises AttributeError.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workspace.task_process.launch import VALUE, Launch, Report

if TYPE_CHECKING:
    from databricks.sdk.dbutils import RemoteDbUtils

MAX_VALUE_BYTES = 48 * 1024
"""The JSON of one task value (Databricks, "Use task values to pass information between tasks")."""
_POLL_SECONDS = 0.2


class NotebookExit(BaseException):  # no error: `except Exception` in a notebook must not catch it
    """`dbutils.notebook.exit` was called."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class InputWidgetNotDefinedError(ValueError):
    """A widget was read that neither the notebook nor the run defines."""


class Widgets:
    """Values of the run win over the defaults that the notebook gives its widgets."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = dict(given)
        self._defaults: dict[str, str] = {}

    def get(self, name: str) -> str:
        """The widget's value, always text."""
        values = self.getAll()
        if name not in values:
            raise InputWidgetNotDefinedError(
                f"No input widget named {name} is defined; there are {', '.join(values) or 'none'}"
            )
        return values[name]

    def getAll(self) -> dict[str, str]:  # noqa: N802  # Databricks' name
        return {**self._defaults, **self._given}

    def getArgument(self, name: str, default: str | None = None) -> str | None:  # noqa: N802  # Databricks' name
        return self.getAll().get(name, default)

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:  # noqa: N803
        self._defaults[name] = str(defaultValue)

    def dropdown(
        self,
        name: str,
        defaultValue: str,  # noqa: N803
        choices: Sequence[str],
        label: str | None = None,
    ) -> None:
        if str(defaultValue) not in [str(choice) for choice in choices]:
            raise ValueError(f"widget {name}: the default '{defaultValue}' is none of its choices {list(choices)}")
        self._defaults[name] = str(defaultValue)

    combobox = multiselect = dropdown

    def remove(self, name: str) -> None:
        self._defaults.pop(name, None)
        self._given.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802  # Databricks' name
        self._defaults.clear()
        self._given.clear()


class TaskValues:
    """What tasks of a run tell those that come after them."""

    def __init__(self, known: Mapping[str, Mapping[str, Any]], report: Report) -> None:
        self._known = known
        self._report = report

    def set(self, key: str, value: Any) -> None:
        """Set a value for later tasks, at most 48 KiB as JSON."""
        text = json.dumps(value)
        if len(text.encode()) > MAX_VALUE_BYTES:
            raise ValueError(f"task value '{key}' is {len(text.encode())} bytes as JSON; at most {MAX_VALUE_BYTES}")
        self._report.send(VALUE, key=str(key), value=value)

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:  # noqa: N803
        """The value that a task set; `default` where it set none. `debugValue` is for notebooks outside of a job."""
        if taskKey in self._known and key in self._known[taskKey]:
            return self._known[taskKey][key]
        if default is not None:
            return default
        if taskKey not in self._known:
            raise ValueError(f"no task '{taskKey}' came before this one; there are {', '.join(self._known) or 'none'}")
        names = ", ".join(self._known[taskKey]) or "none"
        raise ValueError(f"task '{taskKey}' has no value '{key}'; it set {names}: give a default if it may be missing")


class Jobs:
    def __init__(self, task_values: TaskValues) -> None:
        self.taskValues = task_values


class Notebook:
    """`dbutils.notebook`."""

    def __init__(self, launch: Launch) -> None:
        self._context = Context(launch)
        self.entry_point = self

    def exit(self, value: Any) -> None:
        """End the notebook; `value` is its result."""
        raise NotebookExit(str(value))

    def run(self, path: str, timeout_seconds: int = 0, arguments: Mapping[str, str] | None = None) -> str | None:
        """Run another notebook as a run of its own; what it exits with."""
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.service.jobs import NotebookTask, SubmitTask

        client = WorkspaceClient()
        parameters = {name: str(value) for name, value in (arguments or {}).items()}
        task = SubmitTask(
            task_key="notebook",
            notebook_task=NotebookTask(notebook_path=path, base_parameters=parameters),
            timeout_seconds=timeout_seconds,
        )
        run_id = client.jobs.submit(run_name=path, tasks=[task]).bind()["run_id"]
        while (run := client.jobs.get_run(run_id)).end_time in (None, 0):
            time.sleep(_POLL_SECONDS)
        state = run.state
        if state is None or state.result_state is None or state.result_state.value != "SUCCESS":
            raise RuntimeError(f"notebook {path} failed: {state.state_message if state else 'it has no state'}")
        output = client.jobs.get_run_output((run.tasks or [])[0].run_id or run_id).notebook_output
        return output.result if output else None

    def getContext(self) -> Context:  # noqa: N802  # Databricks' name
        return self._context

    # The way through the Java object, which many notebooks take to the context.
    def getDbutils(self) -> Notebook:  # noqa: N802
        return self

    def notebook(self) -> Notebook:
        return self


class Context:
    """`dbutils.notebook.entry_point.getDbutils().notebook().getContext()`: values behind `.get()`."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch

    def notebookPath(self) -> Option:  # noqa: N802
        return Option(self._launch.shown_path)

    def apiUrl(self) -> Option:  # noqa: N802
        return Option(os.environ["DATABRICKS_HOST"])

    def apiToken(self) -> Option:  # noqa: N802
        return Option(os.environ["DATABRICKS_TOKEN"])

    def userName(self) -> Option:  # noqa: N802
        return Option(self._launch.context.get("user", ""))

    def tags(self) -> Tags:
        return Tags(self._launch.context)

    def toJson(self) -> str:  # noqa: N802
        return json.dumps(
            {"tags": dict(self._launch.context), "extraContext": {"notebook_path": self._launch.shown_path}}
        )


class Option:
    """A Scala `Option` that holds something."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get(self) -> str:
        return self._value


class Tags:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str) -> Option:
        return Option(self._values[name])


class Library:
    """`dbutils.library`: a process of its own has nothing to restart."""

    def restartPython(self) -> None:  # noqa: N802  # Databricks' name
        """Nothing: each task starts with a fresh interpreter, and packages are those of the environment."""


class DbUtils:
    """The object that notebooks and files know as `dbutils`."""

    def __init__(self, launch: Launch, report: Report) -> None:
        self.widgets = Widgets(launch.widgets)
        self.jobs = Jobs(TaskValues(launch.task_values, report))
        self.notebook = Notebook(launch)
        self.library = Library()

    @cached_property
    def _remote(self) -> RemoteDbUtils:
        from databricks.sdk.core import Config
        from databricks.sdk.dbutils import RemoteDbUtils

        return RemoteDbUtils(Config())

    @property
    def secrets(self) -> Any:
        """Over the REST API, as whom the run runs."""
        return self._remote.secrets

    @property
    def fs(self) -> Any:
        """Over the REST API: `/Volumes/...` by the Files API."""
        return self._remote.fs

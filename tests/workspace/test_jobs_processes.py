"""Tasks that are processes: notebooks, Python files and wheels, on a workspace that runs the way users run it."""

from __future__ import annotations

import base64
import json
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import Environment, Library
from databricks.sdk.service.jobs import (
    JobEnvironment,
    JobParameterDefinition,
    NotebookTask,
    PythonWheelTask,
    Run,
    RunOutput,
    RunResultState,
    SparkPythonTask,
    SubmitTask,
    Task,
    TaskDependency,
)
from databricks.sdk.service.workspace import ImportFormat, Language

from tests.support.job_runs import ends, task_results, waited
from tests.support.warehouse import Warehouse

Start = Callable[..., Run]


@pytest.fixture
def folder(client: WorkspaceClient) -> str:
    path = f"/Shared/jobs-{uuid.uuid4().hex}"
    client.workspace.mkdirs(path)
    return path


def put_notebook(client: WorkspaceClient, path: str, source: str, language: Language = Language.PYTHON) -> None:
    client.workspace.import_(
        path,
        content=base64.b64encode(source.encode()).decode(),
        format=ImportFormat.SOURCE,
        language=language,
        overwrite=True,
    )


def put_file(client: WorkspaceClient, path: str, content: bytes) -> None:
    client.workspace.import_(path, content=base64.b64encode(content).decode(), format=ImportFormat.AUTO, overwrite=True)


def submitted(client: WorkspaceClient, *tasks: SubmitTask, **more: Any) -> Run:
    run_id = client.jobs.submit(run_name="once", tasks=list(tasks), **more).bind()["run_id"]
    return waited(client, run_id)


def notebook_task(path: str, key: str = "n", **parameters: str) -> SubmitTask:
    return SubmitTask(task_key=key, notebook_task=NotebookTask(notebook_path=path, base_parameters=parameters))


def output(client: WorkspaceClient, run: Run, key: str | None = None) -> RunOutput:
    found = [task for task in run.tasks or [] if key in (None, task.task_key)]
    assert found[-1].run_id is not None
    return client.jobs.get_run_output(found[-1].run_id)


def result(client: WorkspaceClient, run: Run, key: str | None = None) -> str | None:
    found = output(client, run, key)
    assert ends(run)[1] is RunResultState.SUCCESS, found.error_trace or found.error
    assert found.notebook_output is not None
    return found.notebook_output.result


NOTEBOOK = """# Databricks notebook source
# MAGIC %md
# MAGIC # A notebook

# COMMAND ----------

# MAGIC %pip install 'pandas>=1'

# COMMAND ----------

# DBTITLE 1,Widgets
dbutils.widgets.text("city", "Paris")
dbutils.widgets.dropdown("size", "S", ["S", "M"])
found = [dbutils.widgets.get("city"), dbutils.widgets.get("size")]

# COMMAND ----------

# MAGIC %run ./helper

# COMMAND ----------

found.append(shout(found[0]))
dbutils.notebook.exit(",".join(found))

# COMMAND ----------

raise RuntimeError("what follows an exit does not run")
"""


def test_a_notebook_runs_its_cells_with_widgets_magic_and_the_notebook_beside_it(
    client: WorkspaceClient, folder: str
) -> None:
    put_notebook(client, f"{folder}/main", NOTEBOOK)
    put_notebook(
        client, f"{folder}/helper", "# Databricks notebook source\ndef shout(text):\n    return text.upper()\n"
    )
    assert result(client, submitted(client, notebook_task(f"{folder}/main", city="Oslo"))) == "Oslo,S,OSLO"


def test_sql_cells_run_on_the_warehouse_with_widgets_as_parameters(
    client: WorkspaceClient, folder: str, sql: Warehouse
) -> None:
    sql.execute(f"CREATE TABLE {sql.full('t')} (n INT)")
    source = f"""# Databricks notebook source
dbutils.widgets.text("least", "0")

# COMMAND ----------

# MAGIC %sql
# MAGIC USE {sql.catalog}.{sql.schema};
# MAGIC INSERT INTO t VALUES (1), (CAST(:least AS INT));

# COMMAND ----------

# MAGIC %sql SELECT sum(n) FROM t
"""
    put_notebook(client, f"{folder}/mixed", source)
    run = submitted(client, notebook_task(f"{folder}/mixed", least="41"))
    assert ends(run)[1] is RunResultState.SUCCESS, output(client, run).error
    assert sql.value(f"(SELECT sum(n) FROM {sql.full('t')})") == "42"
    put_notebook(client, f"{folder}/pure", "-- Databricks notebook source\nSELECT * FROM no_such_table", Language.SQL)
    failed = submitted(client, notebook_task(f"{folder}/pure"))
    assert "TABLE_OR_VIEW_NOT_FOUND" in (output(client, failed).error or "")


def test_a_failing_cell_fails_the_task_with_its_error_and_where_it_was(client: WorkspaceClient, folder: str) -> None:
    put_notebook(
        client,
        f"{folder}/broken",
        "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\nprint('so far')\nassert x == 2, 'x is one'\n",
    )
    run = submitted(client, notebook_task(f"{folder}/broken"))
    assert task_results(run) == {"n": RunResultState.FAILED}
    found = output(client, run)
    assert found.error == "AssertionError: x is one"
    assert "cell 2" in (found.error_trace or "")
    assert "assert x == 2, 'x is one'" in (found.error_trace or "")
    task_run = (run.tasks or [])[0].run_id
    assert task_run is not None
    page = (client.jobs.export_run(task_run).views or [])[0]
    assert "so far" in (page.content or "")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("# MAGIC %pip install no-such-package-anywhere", "no-such-package-anywhere is not installed"),
        ("# MAGIC %pip install 'pandas<1'", "the environment of this workspace has pandas"),
        ("# MAGIC %scala println(1)", "uses %scala, which cannot be run here"),
        ("# MAGIC %pip install -r $nothing", "the notebook has no variable nothing"),
        ("# MAGIC %pip install -r no-such-file.txt", "requirements file 'no-such-file.txt' cannot be read"),
        (
            "open('r.txt', 'w').write('# a comment\\n-i x\\npandas<1\\n')\nfile = 'r.txt'\n\n# COMMAND ----------\n\n"
            "# MAGIC %pip install --quiet -r $file",
            "the environment of this workspace has pandas",
        ),
        ("dbutils.widgets.get('nothing')", "No input widget named nothing is defined"),
        ("spark.sql('SELECT 1')", "needs PySpark"),
    ],
)
def test_what_a_notebook_cannot_have_here_is_said(
    client: WorkspaceClient, folder: str, source: str, message: str
) -> None:
    put_notebook(client, f"{folder}/n", f"# Databricks notebook source\n{source}\n")
    assert message in (output(client, submitted(client, notebook_task(f"{folder}/n"))).error or "")


CLIENTS = """# Databricks notebook source
import databricks.sdk.runtime as runtime
from databricks.sdk import WorkspaceClient
import mlflow

client = WorkspaceClient()
assert client.dbutils is dbutils is runtime.dbutils
context = dbutils.notebook.entry_point.getDbutils().notebook().getContext()
assert context.apiUrl().get() == client.config.host
path = context.notebookPath().get()
dbutils.notebook.exit(f"{client.current_user.me().user_name} {mlflow.get_registry_uri()} {path}")
"""


def test_official_clients_find_the_workspace_as_whom_the_run_runs(client: WorkspaceClient, folder: str) -> None:
    put_notebook(client, f"{folder}/clients", CLIENTS)
    me = client.current_user.me().user_name
    run = submitted(client, notebook_task(f"{folder}/clients"))
    assert result(client, run) == f"{me} databricks-uc {folder}/clients"


def test_a_run_as_a_service_principal_asks_as_that_principal(client: WorkspaceClient, folder: str) -> None:
    principal = client.service_principals.create(display_name=f"runs-{uuid.uuid4().hex}")
    put_notebook(
        client,
        f"{folder}/who",
        "# Databricks notebook source\n"
        "from databricks.sdk import WorkspaceClient\n"
        "dbutils.notebook.exit(WorkspaceClient().current_user.me().user_name)\n",
    )
    body = {
        "name": "as a principal",
        "run_as": {"service_principal_name": principal.application_id},
        "tasks": [{"task_key": "n", "notebook_task": {"notebook_path": f"{folder}/who"}}],
    }
    created = client.api_client.do("POST", "/api/2.2/jobs/create", body=body)
    assert isinstance(created, dict)
    run = waited(client, client.jobs.run_now(created["job_id"]).bind()["run_id"])
    assert result(client, run) == principal.application_id


def test_a_notebook_runs_another_one_and_gets_what_it_exits_with(client: WorkspaceClient, folder: str) -> None:
    put_notebook(
        client, f"{folder}/inner", "# Databricks notebook source\ndbutils.notebook.exit(dbutils.widgets.get('n') * 2)"
    )
    put_notebook(
        client,
        f"{folder}/outer",
        "# Databricks notebook source\n"
        f"dbutils.notebook.exit(dbutils.notebook.run('{folder}/inner', 60, {{'n': 'ab'}}))",
    )
    assert result(client, submitted(client, notebook_task(f"{folder}/outer"))) == "abab"


def test_task_values_reach_later_tasks_by_code_and_by_reference(client: WorkspaceClient, folder: str) -> None:
    put_notebook(
        client,
        f"{folder}/train",
        "# Databricks notebook source\n"
        "dbutils.jobs.taskValues.set('auc', 0.9)\n"
        "dbutils.jobs.taskValues.set('best', {'version': 3})\n",
    )
    put_notebook(
        client,
        f"{folder}/deploy",
        "# Databricks notebook source\n"
        "from databricks.sdk.runtime import dbutils as again\n"
        "values = again.jobs.taskValues\n"
        "best = values.get(taskKey='train', key='best')\n"
        "missing = values.get('train', 'missing', default='none')\n"
        "dbutils.notebook.exit(f\"{best['version']} {missing} {dbutils.widgets.get('auc')}\")\n",
    )
    deploy = notebook_task(f"{folder}/deploy", "deploy", auc="{{tasks.train.values.auc}}")
    deploy.depends_on = [TaskDependency(task_key="train")]
    run = submitted(client, notebook_task(f"{folder}/train", "train"), deploy)
    assert result(client, run, "deploy") == "3 none 0.9"
    shown = next(task for task in run.tasks or [] if task.task_key == "deploy")
    assert shown.resolved_values is not None
    assert shown.resolved_values.notebook_task is not None
    assert shown.resolved_values.notebook_task.base_parameters == {"auc": "0.9"}


def test_secrets_are_read_through_dbutils(client: WorkspaceClient, folder: str) -> None:
    scope = f"scope-{uuid.uuid4().hex}"
    client.secrets.create_scope(scope)
    client.secrets.put_secret(scope, "key", string_value="hidden")
    put_notebook(
        client,
        f"{folder}/secret",
        f"# Databricks notebook source\ndbutils.notebook.exit(str(len(dbutils.secrets.get('{scope}', 'key'))))",
    )
    assert result(client, submitted(client, notebook_task(f"{folder}/secret"))) == "6"


def test_variables_of_a_cluster_reach_its_processes_with_secrets_that_the_run_may_read(
    client: WorkspaceClient, folder: str
) -> None:
    scope = f"scope-{uuid.uuid4().hex}"
    client.secrets.create_scope(scope)
    client.secrets.put_secret(scope, "key", string_value="hidden")
    put_file(client, f"{folder}/main.py", b"import os\nprint(os.environ['PLAIN'], len(os.environ['SECRET']))\n")
    variables = {"PLAIN": "seen", "SECRET": f"{{{{secrets/{scope}/key}}}}"}
    body = {
        "name": "with variables",
        "job_clusters": [{"job_cluster_key": "c", "new_cluster": {"spark_env_vars": variables}}],
        "tasks": [
            {
                "task_key": "p",
                "job_cluster_key": "c",
                "spark_python_task": {"python_file": f"/Workspace{folder}/main.py"},
            }
        ],
    }
    principal = client.service_principals.create(display_name=f"runs-{uuid.uuid4().hex}")
    as_principal = {"service_principal_name": principal.application_id}
    for run_as, words in ((None, "seen 6"), (as_principal, None)):
        created = client.api_client.do(
            "POST", "/api/2.2/jobs/create", body=body if run_as is None else {**body, "run_as": run_as}
        )
        assert isinstance(created, dict)
        found = output(client, waited(client, client.jobs.run_now(created["job_id"]).bind()["run_id"]))
        if words is not None:
            assert words in (found.logs or ""), found.error
            assert "hidden" not in (found.logs or "")
        else:
            assert scope in (found.error or "")


def test_a_python_file_gets_its_arguments_and_its_siblings_and_leaves_its_output_as_logs(
    client: WorkspaceClient, folder: str
) -> None:
    put_file(client, f"{folder}/sibling.py", b"NAME = 'sibling'\n")
    put_file(
        client,
        f"{folder}/main.py",
        b"import sys\nfrom sibling import NAME\nprint(NAME, sys.argv[1:])\nprint('careful', file=sys.stderr)\n",
    )
    task = SparkPythonTask(python_file=f"/Workspace{folder}/main.py", parameters=["--run", "{{job.run_id}}"])
    run = submitted(client, SubmitTask(task_key="p", spark_python_task=task))
    found = output(client, run)
    assert ends(run)[1] is RunResultState.SUCCESS, found.error
    assert f"sibling ['--run', '{run.run_id}']" in (found.logs or "")
    assert "careful" in (found.logs or "")
    assert found.logs_truncated is False


@pytest.mark.parametrize(
    ("source", "expected", "message"),
    [
        ("import sys; sys.exit(0)", RunResultState.SUCCESS, None),
        ("import sys; sys.exit(3)", RunResultState.FAILED, "SystemExit: 3"),
        ("import os; os._exit(4)", RunResultState.FAILED, "The Python process exited with exit code 4."),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            RunResultState.FAILED,
            "The Python process exited with exit code 137 (SIGKILL).",
        ),
        ("1 / 0", RunResultState.FAILED, "ZeroDivisionError: division by zero"),
    ],
)
def test_how_a_process_ends_is_how_its_task_ends(
    client: WorkspaceClient, folder: str, source: str, expected: RunResultState, message: str | None
) -> None:
    put_file(client, f"{folder}/ends.py", source.encode())
    task = SparkPythonTask(python_file=f"/Workspace{folder}/ends.py")
    run = submitted(client, SubmitTask(task_key="p", spark_python_task=task))
    assert task_results(run) == {"p": expected}
    assert output(client, run).error == message


def test_a_missing_source_fails_the_task_by_its_path(client: WorkspaceClient, folder: str) -> None:
    run = submitted(client, notebook_task(f"{folder}/nothing"))
    assert f'Unable to access the notebook "{folder}/nothing"' in (output(client, run).error or "")


def make_wheel(path: Path) -> Path:
    """A pure Python wheel with an entry point and a function that is none."""
    wheel = path / "tool_of_test-1.0-py3-none-any.whl"
    info = "tool_of_test-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tool_of_test/__init__.py", "from tool_of_test.work import main as plain\n")
        archive.writestr("tool_of_test/work.py", "import sys\ndef main():\n    print('tool got', sys.argv[1:])\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tool_of_test\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nrun-tool = tool_of_test.work:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.mark.parametrize(
    ("entry_point", "given", "seen"),
    [
        ("run-tool", {"parameters": ["a", "b"]}, "tool got ['a', 'b']"),
        ("plain", {"named_parameters": {"day": "1"}}, "tool got ['--day=1']"),
    ],
)
def test_a_wheel_task_calls_the_entry_point_of_its_package(
    client: WorkspaceClient, folder: str, tmp_path: Path, entry_point: str, given: dict[str, Any], seen: str
) -> None:
    wheel = make_wheel(tmp_path)
    put_file(client, f"{folder}/{wheel.name}", wheel.read_bytes())
    task = PythonWheelTask(package_name="tool_of_test", entry_point=entry_point, **given)
    libraries = [Library(whl=f"/Workspace{folder}/{wheel.name}")]
    run = submitted(client, SubmitTask(task_key="w", python_wheel_task=task, libraries=libraries))
    found = output(client, run)
    assert ends(run)[1] is RunResultState.SUCCESS, found.error
    assert seen in (found.logs or "")


def test_the_dependencies_of_a_serverless_environment_must_be_met(client: WorkspaceClient, folder: str) -> None:
    put_file(client, f"{folder}/main.py", b"print('ran')")
    task = SparkPythonTask(python_file=f"/Workspace{folder}/main.py")
    asked = SubmitTask(task_key="p", spark_python_task=task, environment_key="default")
    for dependency, expected in (("pandas>=2", RunResultState.SUCCESS), ("pandas>=99", RunResultState.FAILED)):
        environment = JobEnvironment("default", Environment(environment_version="2", dependencies=[dependency]))
        run = submitted(client, asked, environments=[environment])
        assert task_results(run) == {"p": expected}


def test_job_parameters_are_pushed_down_to_notebooks_over_everything_else(client: WorkspaceClient, folder: str) -> None:
    put_notebook(
        client,
        f"{folder}/p",
        "# Databricks notebook source\nimport json\ndbutils.notebook.exit(json.dumps(dbutils.widgets.getAll()))",
    )
    job_id = client.jobs.create(
        name="parameters",
        parameters=[
            JobParameterDefinition(name="day", default="1"),
            JobParameterDefinition(name="id", default="{{x}}"),
        ],
        tasks=[
            Task(
                task_key="n",
                notebook_task=NotebookTask(f"{folder}/p", base_parameters={"day": "0", "own": "{{task.name}}"}),
            )
        ],
    ).job_id
    assert job_id is not None
    run_id = client.jobs.run_now(
        job_id, job_parameters={"day": "2"}, notebook_params={"extra": "e", "day": "9"}
    ).bind()["run_id"]
    given = json.loads(result(client, waited(client, run_id)) or "")
    assert given == {"day": "2", "id": "{{x}}", "own": "n", "extra": "e"}

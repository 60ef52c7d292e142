"""The Titanic stack's files are valid, and say what the document says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config.errors import StackConfigError, parse_stack_config
from components.job_tasks import NotebookTaskArgs, check_tasks
from examples.titanic import database
from examples.titanic.config import DEFAULT_PACKAGES, OnlinePassengerConfig, PassengerConfig, schema_of
from examples.titanic.workflow import NOTEBOOKS, PUBLISH_ONLINE, PUBLISH_TO_RDS, tasks
from pipelines.titanic.job import STORE_PARAMETERS

FOLDER = Path(__file__).parents[2] / "examples" / "titanic"
STACKS = ("local", "staging", "prod")


def values(stack: str) -> dict[str, Any]:
    content = yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text())
    return {"environment": stack, **content["config"]["passenger-serving:serving"]}


def config_of(stack: str, *, mysql: bool | None = None, **changes: Any) -> PassengerConfig | OnlinePassengerConfig:
    given = {**values(stack), **changes}
    if mysql is not None:
        given["mysql"] = {**given["mysql"], "enabled": mysql}
    return parse_stack_config(given, schema_of(given), where="the test")


@pytest.mark.parametrize("mysql", [True, False])
@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_is_valid_with_either_store_and_has_the_documented_names(stack: str, mysql: bool) -> None:
    config = config_of(stack, mysql=mysql)
    assert config.endpoint.name == f"passenger-endpoint-{stack}"
    assert config.model.name == f"{config.catalog}.titanic.passenger_model"
    ((entity),) = config.endpoint.entities
    assert (entity.alias, entity.traffic, entity.workload_size) == ("production", 100, "Small")
    assert config.scale_to_zero is (stack != "prod")
    assert config.workflow.experiment == "/Shared/passenger_fit_model"
    assert (config.mysql.database, config.mysql.table) == ("feature_store", "online_feature_table")
    assert (config.mysql.read_prefix, config.mysql.write_prefix) == (
        "feature_store_reader/feature_store",
        "feature_store_writer/feature_store",
    )
    ((query),) = config.smoke.queries
    assert query.payload == {"dataframe_records": [{"PassengerId": 1}]}
    assert query.expect.predictions == 1
    ((table),) = config.feature_tables
    assert (table.source, table.primary_keys, table.publish_mode) == (
        "online_feature_table",
        ["PassengerId"],
        "TRIGGERED",
    )


def test_the_online_store_is_the_default_and_only_this_machine_has_mysql() -> None:
    assert [values(stack)["mysql"]["enabled"] for stack in STACKS] == [True, False, False]
    without = {key: value for key, value in values("staging").items() if key != "mysql"}
    assert schema_of(without) is OnlinePassengerConfig
    assert parse_stack_config(without, OnlinePassengerConfig, where="the test").mysql.enabled is False


def test_no_stack_file_holds_a_password_and_every_host_is_pinned_but_this_machines() -> None:
    for stack in STACKS:
        content = yaml.safe_load((FOLDER / f"Pulumi.{stack}.yaml").read_text())["config"]
        assert not any(key.startswith("mysql:") for key in content)
        assert ("databricks:host" in content) is (stack != "local")


@pytest.mark.parametrize(
    ("mysql", "workflow", "says"),
    [
        ({"clientHost": "%"}, {}, r"mysql\.clientHost is %"),
        ({"tls": {}}, {}, r"mysql\.tls\.ca is missing"),
        ({}, {"runAs": None}, r"workflow\.runAs is missing"),
        ({}, {"runAs": "sp-somebody"}, "name one principal in both"),
        ({"publishPrincipal": "sp-serving"}, {"runAs": "sp-serving"}, "use two service principals"),
        ({"host": None}, {}, "lacks host"),
    ],
)
def test_prod_takes_a_mysql_store_only_where_it_is_private_and_roles_are_apart(
    mysql: dict[str, Any], workflow: dict[str, Any], says: str
) -> None:
    prod = values("prod")
    with pytest.raises(StackConfigError, match=says):
        parse_stack_config(
            {
                **prod,
                "mysql": {**prod["mysql"], "enabled": True, **mysql},
                "workflow": {**prod["workflow"], **workflow},
            },
            PassengerConfig,
            where="the test",
        )


def test_one_table_is_published_not_the_two_that_it_is_joined_from() -> None:
    both = [{"source": name, "primaryKeys": ["PassengerId"]} for name in ("online_feature_table", "other")]
    with pytest.raises(StackConfigError, match="publish online_feature_table alone"):
        config_of("staging", mysql=False, featureTables=both)


@pytest.mark.parametrize("publish", [PUBLISH_TO_RDS, PUBLISH_ONLINE])
def test_features_come_first_then_the_publication_then_the_fit(publish: str) -> None:
    graph = tasks(publish)
    check_tasks("features", graph, ["default"])
    waits = {task.key: {after.task for after in task.after} for task in graph}
    both = {"passenger_demographic_features", "passenger_ticket_features"}
    assert waits == {**{one: set() for one in both}, publish: both, "fit_model": {publish}}
    for task in graph:
        assert isinstance(task.work, NotebookTaskArgs)
        assert task.work.source == NOTEBOOKS / f"{task.key}.py"


def test_notebooks_read_secrets_by_dbutils_and_no_parameter_is_one() -> None:
    assert "dbutils.secrets" in (NOTEBOOKS / "publish_to_rds.py").read_text()
    assert not any("password" in name for name in STORE_PARAMETERS)
    for notebook in NOTEBOOKS.glob("*.py"):
        assert "password" not in notebook.read_text().replace("user and password", "")


def test_the_administrators_sql_is_written_for_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert database.main(["prod"]) == 0
    assert "TO 'writer'@'10.20.%';" in capsys.readouterr().out
    assert database.main(["prod", "--rows"]) == 0
    assert "SELECT * FROM `feature_store`.`online_feature_table`;" in capsys.readouterr().out
    assert database.main(["nowhere"]) == 1
    assert "Pulumi.nowhere.yaml" in capsys.readouterr().err


def test_the_packages_of_the_job_are_pinned() -> None:
    assert all("==" in package for package in DEFAULT_PACKAGES)
    assert any(package.startswith("xgboost-cpu==") for package in DEFAULT_PACKAGES)

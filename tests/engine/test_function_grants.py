"""EXECUTE on a function of an on-demand feature, granted and taken back by the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from databricks.sdk.errors import PermissionDenied

from tests.support.engine import EngineProject
from tests.support.example import credentials
from tests.support.principals import signed_in
from tests.support.rights import let_in
from tests.support.server import WorkspaceServer
from tests.support.warehouse import Warehouse

PROGRAM = """
import pulumi
from components import databricks

databricks.Grant(
    "execute", function="main.calls.per_mile", principal=pulumi.Config().require("caller"), privileges=["EXECUTE"]
)
"""


def test_a_function_is_called_by_whom_the_stack_lets_and_by_nobody_once_it_is_gone(tmp_path: Path) -> None:
    server = WorkspaceServer(tmp_path / "workspace")
    server.start()
    try:
        client = server.client()
        client.schemas.create("calls", "main")
        sql = Warehouse(client, "main", "calls")
        sql.execute(
            "CREATE FUNCTION per_mile(fare DOUBLE, miles DOUBLE) RETURNS DOUBLE LANGUAGE PYTHON "
            "AS $$ return fare / miles if miles else None $$"
        )
        with signed_in(client) as person:
            let_in(client, "main.calls.per_mile", person)
            functions = person.client.functions
            with pytest.raises(PermissionDenied, match=r"EXECUTE on Routine or Model 'main\.calls\.per_mile'"):
                functions.get("main.calls.per_mile")
            project = EngineProject.of_program(
                tmp_path / "project", PROGRAM, config={"caller": person.name}, environ=credentials(server)
            )
            made = project.up()
            assert made.ok, made
            assert functions.get("main.calls.per_mile").external_language == "PYTHON"
            assert project.up().operations() == []
            gone = project.destroy()
            assert gone.ok, gone
            with pytest.raises(PermissionDenied):
                functions.get("main.calls.per_mile")
    finally:
        server.kill()

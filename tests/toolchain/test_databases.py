"""A stack whose online store is a database gets a private server, and its passwords are in no shared file."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
import yaml

from tests.support.database import Database
from toolchain.databases import CONFIG_FILE, private_database, stop_database
from toolchain.layout import Layout
from toolchain.mariadb import MariaDb, require_installed
from toolchain.project import Project
from toolchain.report import ToolchainError


def project(root: Path, mysql: object, **more: str) -> tuple[Layout, Project]:
    folder = root / "examples" / "ships"
    folder.mkdir(parents=True)
    section = {"catalog": "main", "schema": "ships", "mysql": mysql}
    (folder / "Pulumi.local.yaml").write_text(yaml.safe_dump({"config": {"ships:serving": section, **more}}))
    return Layout(root), Project(folder, "ships")


HERE = {"enabled": True, "host": "127.0.0.1", "port": 33999}


def test_a_store_on_this_machine_gets_a_server_on_the_port_of_the_stack_file(tmp_path: Path) -> None:
    found = private_database(*project(tmp_path, HERE), "local")
    assert found is not None
    assert found.server == MariaDb(tmp_path / ".local" / "mysql", 33999)
    assert found.variables.values == {CONFIG_FILE: str(tmp_path / ".local" / "mysql" / "ships.local.yaml")}


@pytest.mark.parametrize(
    ("mysql", "more"),
    [
        ({**HERE, "enabled": False}, {}),
        ({**HERE, "host": "db.example"}, {}),
        (HERE, {"mysql:readerPassword": "v1:ciphertext"}),
        ("nonsense", {}),
        (None, {}),
    ],
)
def test_a_database_of_the_users_own_or_none_is_left_alone(tmp_path: Path, mysql: object, more: dict[str, str]) -> None:
    assert private_database(*project(tmp_path, mysql, **more), "local") is None


def test_the_copy_of_the_stack_file_follows_it_and_keeps_its_secrets_while_it_is_the_same(tmp_path: Path) -> None:
    layout, ships = project(tmp_path, HERE)
    database = private_database(layout, ships, "local")
    assert database is not None
    database.copy_stack_file()
    assert stat.S_IMODE(database.stack_file.stat().st_mode) == 0o600
    with database.stack_file.open("a") as file:
        file.write("encryptionsalt: v1:x\n")
    database.copy_stack_file()
    assert "encryptionsalt" in database.stack_file.read_text()
    original = ships.stack_file("local")
    original.write_text(original.read_text().replace("main", "other"))
    database.copy_stack_file()
    assert database.stack_file.read_text() == original.read_text()


def test_a_machine_without_mariadb_is_told_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(ToolchainError, match="apt-get install mariadb-server"):
        require_installed()


def test_a_port_that_another_program_has_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ToolchainError, match=rf"cannot have port {port} .* mysql\.port of the stack file: Address"):
            MariaDb(tmp_path / "mysql", port).start()
    assert not (tmp_path / "mysql").exists()


def test_the_server_is_private_and_starting_it_twice_is_starting_it_once(database: Database) -> None:
    server = database.server
    pid = server.pid
    assert pid is not None
    assert server.start() is False
    assert server.pid == pid
    shown = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    assert "--bind-address=127.0.0.1" in shown
    assert not any(password in shown for password in database.passwords.values())
    assert stat.S_IMODE((server.folder / "server-key.pem").stat().st_mode) == 0o600


def test_a_stopped_server_keeps_its_rows_and_comes_back_on_another_port(tmp_path: Path) -> None:
    first = MariaDb(tmp_path / ".local" / "mysql", _free_port())
    try:
        assert first.start() is True
        first.run_sql("CREATE DATABASE kept; CREATE TABLE kept.t (id INT); INSERT INTO kept.t VALUES (7);")
        with pytest.raises(ToolchainError, match=r"refused its set-up: ERROR 1146.*no_such_table") as refused:
            first.run_sql("SET @p = 'told'; SELECT 'told' FROM kept.no_such_table;")
        assert "told" not in str(refused.value)
        moved = MariaDb(first.folder, _free_port())
        assert moved.start() is True
        assert "7" in moved.run_sql("SELECT * FROM kept.t;")
    finally:
        stop_database(Layout(tmp_path))
    assert first.pid is None
    assert first.stop() is False


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

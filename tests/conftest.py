"""No test sees the settings of the shell it is run from: they name a real state, a real workspace, real credentials.
Nor does one depend on how busy the machine is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.database import Database

for _name in [name for name in os.environ if name.startswith(("PULUMI_", "DATABRICKS_", "MLFLOW_"))]:
    del os.environ[_name]

# An example may take as long as it likes: on a machine that has more to do, the same code is slower.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One MariaDB server for all tests that need one; each makes a database of its own on it."""
    # Here, because most tests need none of it.
    from tests.support.database import Database

    made = Database.started(tmp_path_factory.mktemp("mariadb"))
    yield made
    made.server.stop()

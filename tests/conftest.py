"""No test sees the settings of the shell it is run from: they name a real state, a real workspace, real credentials."""

from __future__ import annotations

import os

for _name in [name for name in os.environ if name.startswith(("PULUMI_", "DATABRICKS_", "MLFLOW_"))]:
    del os.environ[_name]

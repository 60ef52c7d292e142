"""The tables of MLflow's registry store.

MLflow declares them in SQLAlchemy's old style, in which a type checker takes a row's value for a column; hence `Any`.
"""

from __future__ import annotations

from typing import Any

from mlflow.store.model_registry.dbmodels import models

SqlModelVersion: Any = models.SqlModelVersion
SqlModelVersionTag: Any = models.SqlModelVersionTag
SqlRegisteredModel: Any = models.SqlRegisteredModel
SqlRegisteredModelAlias: Any = models.SqlRegisteredModelAlias
SqlRegisteredModelTag: Any = models.SqlRegisteredModelTag

"""MLflow tracking and the Unity Catalog model registry, over MLflow's own stores."""

from workspace.mlflow_api.entities import ModelVersion, RegisteredModel
from workspace.mlflow_api.service import Mlflow

__all__ = ["Mlflow", "ModelVersion", "RegisteredModel"]

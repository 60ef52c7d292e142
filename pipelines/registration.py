"""Registering a model that carries feature lookups, from any machine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.store._unity_catalog.registry import rest_store


def register_feature_model(model_uri: str, full_name: str, tags: Mapping[str, str]) -> ModelVersion:
    """A new version of `full_name` (catalog.schema.model) from a logged model; waits until it is READY.

    On a Databricks cluster this is `mlflow.register_model`, as `FeatureEngineeringClient.log_model` calls it: the
    MLflow of the Databricks runtime works out the version's feature dependencies, a text whose form is not public.
    Anywhere else, open-source MLflow refuses a model with this loader ("can only be registered on a Databricks
    cluster", mlflow 3.17.2 `get_feature_dependencies`), because it cannot work them out; there the version is
    registered without them, as every version without feature lookups is. The lookups themselves are in the model's
    files.
    """
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return mlflow.register_model(model_uri, full_name, tags=dict(tags))
    with without_feature_dependencies():
        return mlflow.register_model(model_uri, full_name, tags=dict(tags))


@contextmanager
def without_feature_dependencies() -> Iterator[None]:
    # The refusal is one function that every registry dialect of MLflow calls; standing in for it keeps MLflow's own
    # upload, credentials and finalization. The Databricks runtime replaces the same function.
    original = rest_store.get_feature_dependencies
    rest_store.get_feature_dependencies = lambda model_dir: ""
    try:
        yield
    finally:
        rest_store.get_feature_dependencies = original

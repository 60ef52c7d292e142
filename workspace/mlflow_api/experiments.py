"""MLflow experiments: `/api/2.0/mlflow/experiments/...`."""

from __future__ import annotations

from typing import Any

from mlflow.entities import ExperimentTag, LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.protos import service_pb2 as messages
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from starlette.routing import BaseRoute

from workspace.errors import already_exists, invalid, not_found
from workspace.identity.caller import current_caller
from workspace.mlflow_api.wire import rpc

# MLflow's store makes an experiment "0" for runs of nobody's; Databricks has none, so it is never shown.
STORES_OWN_EXPERIMENT = "0"
OWNER_TAG = "mlflow.ownerEmail"


class Experiments:
    """Routes over MLflow's tracking store."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        m: Any = messages
        return [
            rpc("POST", "/experiments/create", m.CreateExperiment, self._create),
            rpc("GET", "/experiments/get", m.GetExperiment, self._get),
            rpc("GET", "/experiments/get-by-name", m.GetExperimentByName, self._get_by_name),
            rpc("GET", "/experiments/search", m.SearchExperiments, self._search),
            rpc("POST", "/experiments/search", m.SearchExperiments, self._search),
            rpc("POST", "/experiments/update", m.UpdateExperiment, self._update),
            rpc("POST", "/experiments/delete", m.DeleteExperiment, self._delete),
            rpc("POST", "/experiments/restore", m.RestoreExperiment, self._restore),
            rpc("POST", "/experiments/set-experiment-tag", m.SetExperimentTag, self._set_tag),
            rpc("POST", "/experiments/delete-experiment-tag", m.DeleteExperimentTag, self._delete_tag),
        ]

    def _create(self, message: Any) -> Any:
        name = _checked_name(message.name)
        if self._store.get_experiment_by_name(name) is not None:
            raise already_exists(f"Node named '{name}' already exists")
        tags = {tag.key: tag.value for tag in message.tags} | {
            # What the service adds by itself (seen in get answers of a workspace).
            OWNER_TAG: current_caller().user_name,
            "mlflow.experiment.sourceName": name,
            "mlflow.experimentType": "MLFLOW_EXPERIMENT",
        }
        experiment_id = self._store.create_experiment(
            name, message.artifact_location or None, [ExperimentTag(key, value) for key, value in tags.items()]
        )
        return messages.CreateExperiment.Response(experiment_id=experiment_id)

    def _get(self, message: Any) -> Any:
        return messages.GetExperiment.Response(experiment=self._existing(message.experiment_id).to_proto())

    def _get_by_name(self, message: Any) -> Any:
        experiment = self._store.get_experiment_by_name(_without_workspace_prefix(message.experiment_name))
        if experiment is None or experiment.experiment_id == STORES_OWN_EXPERIMENT:
            raise not_found(f"Node {message.experiment_name} does not exist.")
        return messages.GetExperimentByName.Response(experiment=experiment.to_proto())

    def _search(self, message: Any) -> Any:
        found = self._store.search_experiments(
            view_type=message.view_type,
            max_results=message.max_results,
            order_by=list(message.order_by),
            filter_string=message.filter,
            page_token=message.page_token or None,
        )
        shown = [experiment for experiment in found if experiment.experiment_id != STORES_OWN_EXPERIMENT]
        return messages.SearchExperiments.Response(
            experiments=[experiment.to_proto() for experiment in shown], next_page_token=found.token
        )

    def _update(self, message: Any) -> Any:
        self._existing(message.experiment_id)
        self._store.rename_experiment(message.experiment_id, _checked_name(message.new_name))
        return messages.UpdateExperiment.Response()

    def _delete(self, message: Any) -> Any:
        self._existing(message.experiment_id)
        self._store.delete_experiment(message.experiment_id)
        return messages.DeleteExperiment.Response()

    def _restore(self, message: Any) -> Any:
        self._existing(message.experiment_id)
        self._store.restore_experiment(message.experiment_id)
        return messages.RestoreExperiment.Response()

    def _set_tag(self, message: Any) -> Any:
        self._existing(message.experiment_id)
        self._store.set_experiment_tag(message.experiment_id, ExperimentTag(message.key, message.value))
        return messages.SetExperimentTag.Response()

    def _delete_tag(self, message: Any) -> Any:
        self._existing(message.experiment_id)
        self._store.delete_experiment_tag(message.experiment_id, message.key)
        return messages.DeleteExperimentTag.Response()

    def _existing(self, experiment_id: str) -> Any:
        refuse_stores_own(experiment_id)
        return self._store.get_experiment(experiment_id)


def is_active(store: Any, experiment_id: str) -> bool:
    """Whether there is such an experiment, not deleted."""
    if not experiment_id.isdigit() or experiment_id == STORES_OWN_EXPERIMENT:
        return False
    try:
        experiment = store.get_experiment(experiment_id)
    except MlflowException as error:
        if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            return False
        raise
    return bool(experiment.lifecycle_stage == LifecycleStage.ACTIVE)


def refuse_stores_own(experiment_id: str) -> None:
    """ApiError 404 for the experiment of a client that chose none (mlflow's sends "None" then)."""
    if experiment_id in ("", "None", STORES_OWN_EXPERIMENT):
        raise not_found(
            f"Could not find experiment with ID {experiment_id or None}. Choose one first: "
            "mlflow.set_experiment('/Users/<you>/<name>') or MLFLOW_EXPERIMENT_NAME."
        )


def _checked_name(name: str) -> str:
    if not name.startswith("/"):
        raise invalid(
            f"Got an invalid experiment name '{name}'. An experiment name must be an absolute path within the "
            "Databricks workspace, e.g. '/Users/<some-username>/my-experiment'."
        )
    return _without_workspace_prefix(name)


def _without_workspace_prefix(name: str) -> str:
    # The service takes /Workspace/Users/... and /Users/... for one name (facts of the provider's MlflowExperiment).
    return name.removeprefix("/Workspace")

"""MLflow runs with their metrics, parameters, tags, inputs and outputs: `/api/2.0/mlflow/runs/...`, `/metrics/...`."""

from __future__ import annotations

import json
from typing import Any

from mlflow.entities import (
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from mlflow.protos import service_pb2 as messages
from starlette.routing import BaseRoute

from workspace.errors import invalid
from workspace.mlflow_api.artifacts import ArtifactLists
from workspace.mlflow_api.experiments import refuse_stores_own
from workspace.mlflow_api.wire import rpc

MAX_SEARCH_RESULTS = 50_000


class Runs:
    """Routes over MLflow's tracking store."""

    def __init__(self, store: Any, artifacts: ArtifactLists) -> None:
        self._store = store
        self._artifacts = artifacts

    def routes(self) -> list[BaseRoute]:
        m: Any = messages
        return [
            rpc("POST", "/runs/create", m.CreateRun, self._create),
            rpc("GET", "/runs/get", m.GetRun, self._get),
            rpc("POST", "/runs/update", m.UpdateRun, self._update),
            rpc("POST", "/runs/delete", m.DeleteRun, self._delete),
            rpc("POST", "/runs/restore", m.RestoreRun, self._restore),
            rpc("POST", "/runs/search", m.SearchRuns, self._search),
            rpc("POST", "/runs/log-metric", m.LogMetric, self._log_metric),
            rpc("POST", "/runs/log-parameter", m.LogParam, self._log_param),
            rpc("POST", "/runs/log-batch", m.LogBatch, self._log_batch),
            rpc("POST", "/runs/log-model", m.LogModel, self._log_model),
            rpc("POST", "/runs/log-inputs", m.LogInputs, self._log_inputs),
            rpc("POST", "/runs/outputs", m.LogOutputs, self._log_outputs),
            rpc("POST", "/runs/set-tag", m.SetTag, self._set_tag),
            rpc("POST", "/runs/delete-tag", m.DeleteTag, self._delete_tag),
            rpc("GET", "/metrics/get-history", m.GetMetricHistory, self._metric_history),
            rpc("GET", "/artifacts/list", m.ListArtifacts, self._list_artifacts),
        ]

    def _create(self, message: Any) -> Any:
        refuse_stores_own(message.experiment_id)
        run = self._store.create_run(
            experiment_id=message.experiment_id,
            user_id=message.user_id,
            start_time=message.start_time,
            tags=[RunTag(tag.key, tag.value) for tag in message.tags],
            run_name=message.run_name,
        )
        return messages.CreateRun.Response(run=run.to_proto())

    def _get(self, message: Any) -> Any:
        return messages.GetRun.Response(run=self._store.get_run(_run_id(message)).to_proto())

    def _update(self, message: Any) -> Any:
        info = self._store.update_run_info(
            _run_id(message), _set(message, "status"), _set(message, "end_time"), _set(message, "run_name")
        )
        return messages.UpdateRun.Response(run_info=info.to_proto())

    def _delete(self, message: Any) -> Any:
        self._store.delete_run(message.run_id)
        return messages.DeleteRun.Response()

    def _restore(self, message: Any) -> Any:
        self._store.restore_run(message.run_id)
        return messages.RestoreRun.Response()

    def _search(self, message: Any) -> Any:
        if message.max_results > MAX_SEARCH_RESULTS:
            raise invalid(f"Invalid max_results {message.max_results}: at most {MAX_SEARCH_RESULTS} runs are answered")
        view: Any = ViewType
        found = self._store.search_runs(
            experiment_ids=list(message.experiment_ids),
            filter_string=message.filter,
            run_view_type=view.from_proto(message.run_view_type)
            if message.HasField("run_view_type")
            else ViewType.ACTIVE_ONLY,
            max_results=message.max_results,
            order_by=list(message.order_by),
            page_token=message.page_token or None,
        )
        return messages.SearchRuns.Response(runs=[run.to_proto() for run in found], next_page_token=found.token)

    def _log_metric(self, message: Any) -> Any:
        self._store.log_metric(_run_id(message), _metric(message))
        return messages.LogMetric.Response()

    def _log_param(self, message: Any) -> Any:
        self._store.log_param(_run_id(message), Param(message.key, message.value))
        return messages.LogParam.Response()

    def _log_batch(self, message: Any) -> Any:
        self._store.log_batch(
            run_id=_run_id(message),
            metrics=[_metric(metric) for metric in message.metrics],
            params=[Param(param.key, param.value) for param in message.params],
            tags=[RunTag(tag.key, tag.value) for tag in message.tags],
        )
        return messages.LogBatch.Response()

    def _log_model(self, message: Any) -> Any:
        from mlflow.models import Model

        model: Any = Model
        try:
            description = json.loads(message.model_json)
        except ValueError as error:
            raise invalid(f"model_json is not valid JSON: {error}") from error
        self._store.record_logged_model(run_id=_run_id(message), mlflow_model=model.from_dict(description))
        return messages.LogModel.Response()

    def _log_inputs(self, message: Any) -> Any:
        dataset: Any = DatasetInput
        model: Any = LoggedModelInput
        self._store.log_inputs(
            _run_id(message),
            datasets=[dataset.from_proto(item) for item in message.datasets],
            models=[model.from_proto(item) for item in message.models] or None,
        )
        return messages.LogInputs.Response()

    def _log_outputs(self, message: Any) -> Any:
        model: Any = LoggedModelOutput
        self._store.log_outputs(run_id=_run_id(message), models=[model.from_proto(item) for item in message.models])
        return messages.LogOutputs.Response()

    def _set_tag(self, message: Any) -> Any:
        self._store.set_tag(_run_id(message), RunTag(message.key, message.value))
        return messages.SetTag.Response()

    def _delete_tag(self, message: Any) -> Any:
        self._store.delete_tag(_run_id(message), message.key)
        return messages.DeleteTag.Response()

    def _metric_history(self, message: Any) -> Any:
        found = self._store.get_metric_history(
            _run_id(message),
            message.metric_key,
            max_results=_set(message, "max_results"),
            page_token=message.page_token or None,
        )
        return messages.GetMetricHistory.Response(
            metrics=[metric.to_proto() for metric in found], next_page_token=found.token
        )

    def _list_artifacts(self, message: Any) -> Any:
        root = self._store.get_run(_run_id(message)).info.artifact_uri
        files = [messages.FileInfo(**entry) for entry in self._artifacts.entries(root, message.path)]
        return messages.ListArtifacts.Response(root_uri=root, files=files)


def _run_id(message: Any) -> str:
    """The run of a message; old clients name it `run_uuid`. ApiError 400 where there is neither."""
    run_id = message.run_id or getattr(message, "run_uuid", "")
    if not run_id:
        raise invalid("Missing value for required parameter 'run_id'.")
    return str(run_id)


def _set(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _metric(message: Any) -> Metric:
    return Metric(
        message.key,
        message.value,
        message.timestamp,
        message.step,
        message.model_id or None,
        message.dataset_name or None,
        message.dataset_digest or None,
        message.run_id or None,
    )

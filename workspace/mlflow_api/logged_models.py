"""MLflow's logged models: `/api/2.0/mlflow/logged-models...`."""

from __future__ import annotations

from typing import Any

from mlflow.entities import LoggedModelParameter, LoggedModelStatus, LoggedModelTag
from mlflow.protos import service_pb2 as messages
from starlette.routing import BaseRoute

from workspace.mlflow_api.artifacts import ArtifactLists
from workspace.mlflow_api.experiments import refuse_stores_own
from workspace.mlflow_api.wire import rpc

MODEL = "/logged-models/{model_id}"


class LoggedModels:
    """Routes over MLflow's tracking store."""

    def __init__(self, store: Any, artifacts: ArtifactLists) -> None:
        self._store = store
        self._artifacts = artifacts

    def routes(self) -> list[BaseRoute]:
        m: Any = messages
        return [
            rpc("POST", "/logged-models", m.CreateLoggedModel, self._create),
            rpc("POST", "/logged-models/search", m.SearchLoggedModels, self._search),
            rpc("GET", MODEL, m.GetLoggedModel, self._get),
            rpc("PATCH", MODEL, m.FinalizeLoggedModel, self._finalize),
            rpc("DELETE", MODEL, m.DeleteLoggedModel, self._delete),
            rpc("PATCH", MODEL + "/tags", m.SetLoggedModelTags, self._set_tags),
            rpc("DELETE", MODEL + "/tags/{tag_key}", m.DeleteLoggedModelTag, self._delete_tag),
            rpc("POST", MODEL + "/params", m.LogLoggedModelParamsRequest, self._log_params),
            rpc("GET", MODEL + "/artifacts/directories", m.ListLoggedModelArtifacts, self._list_artifacts),
        ]

    def _create(self, message: Any) -> Any:
        refuse_stores_own(message.experiment_id)
        model = self._store.create_logged_model(
            experiment_id=message.experiment_id,
            name=message.name or None,
            model_type=message.model_type,
            source_run_id=message.source_run_id,
            params=_params(message),
            tags=_tags(message),
        )
        return messages.CreateLoggedModel.Response(model=model.to_proto())

    def _get(self, message: Any) -> Any:
        return messages.GetLoggedModel.Response(model=self._store.get_logged_model(message.model_id).to_proto())

    def _finalize(self, message: Any) -> Any:
        status: Any = LoggedModelStatus
        model = self._store.finalize_logged_model(message.model_id, status.from_int(message.status))
        return messages.FinalizeLoggedModel.Response(model=model.to_proto())

    def _delete(self, message: Any) -> Any:
        self._store.delete_logged_model(message.model_id)
        return messages.DeleteLoggedModel.Response()

    def _set_tags(self, message: Any) -> Any:
        self._store.set_logged_model_tags(message.model_id, _tags(message))
        return messages.SetLoggedModelTags.Response()

    def _delete_tag(self, message: Any) -> Any:
        self._store.delete_logged_model_tag(message.model_id, message.tag_key)
        return messages.DeleteLoggedModelTag.Response()

    def _log_params(self, message: Any) -> Any:
        self._store.log_logged_model_params(message.model_id, _params(message))
        response: Any = messages.LogLoggedModelParamsRequest
        return response.Response()

    def _search(self, message: Any) -> Any:
        found = self._store.search_logged_models(
            experiment_ids=list(message.experiment_ids),
            filter_string=message.filter or None,
            datasets=[
                {"dataset_name": item.dataset_name, "dataset_digest": item.dataset_digest or None}
                for item in message.datasets
            ]
            or None,
            max_results=message.max_results or None,
            order_by=[
                {
                    "field_name": item.field_name,
                    "ascending": item.ascending,
                    "dataset_name": item.dataset_name or None,
                    "dataset_digest": item.dataset_digest or None,
                }
                for item in message.order_by
            ]
            or None,
            page_token=message.page_token or None,
        )
        return messages.SearchLoggedModels.Response(
            models=[model.to_proto() for model in found], next_page_token=found.token
        )

    def _list_artifacts(self, message: Any) -> Any:
        root = self._store.get_logged_model(message.model_id).artifact_location
        files = [messages.FileInfo(**entry) for entry in self._artifacts.entries(root, message.artifact_directory_path)]
        return messages.ListLoggedModelArtifacts.Response(root_uri=root, files=files)


def _params(message: Any) -> list[LoggedModelParameter]:
    return [LoggedModelParameter(param.key, param.value) for param in message.params]


def _tags(message: Any) -> list[LoggedModelTag]:
    return [LoggedModelTag(tag.key, tag.value) for tag in message.tags]

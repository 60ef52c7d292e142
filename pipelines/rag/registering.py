"""The three models: logged with signature, example, parameters and packages, and registered."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

import joblib
import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.models.resources import DatabricksServingEndpoint, DatabricksVectorSearchIndex
from sklearn.pipeline import Pipeline

from pipelines.errors import PipelineError
from pipelines.progress import Progress
from pipelines.rag.evaluation import RetrievalQuality
from pipelines.rag.parameters import Parameters, packages
from pipelines.rag.request import Request
from pipelines.versions import document_model

TRACKING: Final = "databricks"
REGISTRY: Final = "databricks-uc"
COMMENT: Final = (
    "Answers a question from the documents of a search index and names its sources. Which endpoints embed and write is "
    "in the parameters of a version's run. Made by pipelines/rag."
)
EMBEDDER, READER, CHATBOT = "rag_embedder", "rag_reader", "rag_chatbot"
QUESTION: Final = "What is Unity Catalog?"
# MLflow takes more than its annotation says.
_ANSWER: Final[Any] = [{"answer": "Unity Catalog is a unified governance solution...", "sources": ["unity-catalog.md"]}]
_EMBEDDING: Final[Any] = {
    "object": "list",
    "model": EMBEDDER,
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
# No `stage`: it would stay what it was while aliases move.
TAGS: Final = {"team": "data-science"}


class Registrar:
    """Logs and registers into one experiment. Raises PipelineError with MLflow's own words where it is refused."""

    def __init__(self, request: Request, workspace: WorkspaceClient, progress: Progress) -> None:
        mlflow.set_tracking_uri(TRACKING)
        mlflow.set_registry_uri(REGISTRY)
        # Left to itself, MLflow puts the pyproject.toml and uv.lock of the working directory into every model.
        os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
        self._request: Final = request
        self._workspace: Final = workspace
        self._progress: Final = progress

    def embedder(self, pipeline: Pipeline, digests: Mapping[str, str]) -> str:
        """A version of the embedding model."""
        example = {"input": [QUESTION]}
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "pipeline.joblib")
            joblib.dump(pipeline, file)
            return self._register(
                EMBEDDER,
                digests,
                params={"dimensions": pipeline[1].n_components},
                artifacts={"pipeline": str(file)},
                signature=infer_signature(example, _EMBEDDING),
                input_example=example,
            )

    def reader(self, digests: Mapping[str, str]) -> str:
        """A version of the model that answers from passages."""
        return self._register(READER, digests, params={})

    def chatbot(self, digests: Mapping[str, str], quality: RetrievalQuality | None) -> str:
        """A version of the chatbot. It names what it needs at run time, so that Databricks gives it credentials.

        Args:
            quality: of the passages that it is going to find; in the run's metrics and the version's tags.
        """
        parameters = self._request.parameters
        question = pd.DataFrame({"query": [QUESTION]})
        return self._register(
            CHATBOT,
            digests,
            params=logged_parameters(parameters),
            quality=quality,
            signature=infer_signature(question, _ANSWER),
            input_example=question,
            model_config={
                "index": self._request.index,
                "embedding_model": parameters.embedding_model,
                "llm_endpoint": parameters.llm_endpoint,
                "top_k": parameters.top_k,
            },
            resources=[
                DatabricksServingEndpoint(endpoint_name=parameters.embedding_model),
                DatabricksServingEndpoint(endpoint_name=parameters.llm_endpoint),
                DatabricksVectorSearchIndex(index_name=self._request.index),
            ],
        )

    def _register(
        self,
        name: str,
        digests: Mapping[str, str],
        params: Mapping[str, Any],
        quality: RetrievalQuality | None = None,
        **model: Any,
    ) -> str:
        full_name = self._request.model(name)
        try:
            with (
                resources.as_file(code_of(name)) as code,
                mlflow.start_run(experiment_id=self._experiment(), run_name=f"{name}_v1") as active,
            ):
                mlflow.log_params({**params, **digests})
                if quality is not None:
                    mlflow.log_metrics(quality.metrics())
                logged = mlflow.pyfunc.log_model(
                    # The artifact of the chatbot is called what its module is.
                    name="rag_model" if name == CHATBOT else name,
                    python_model=str(code),
                    pip_requirements=[f"{package}=={number}" for package, number in packages().items()],
                    **model,
                )
            commit = active.data.tags.get("mlflow.source.git.commit")
            tags = {
                **TAGS,
                **digests,
                "training_date": datetime.now(UTC).date().isoformat(),
                **({"git_commit": commit} if commit else {}),
                **(quality.tags() if quality is not None else {}),
            }
            version = mlflow.register_model(logged.model_uri, full_name, tags=tags)
        except MlflowException as error:
            raise PipelineError(f"MLflow could not log or register {full_name}: {error}") from error
        document_model(
            self._workspace,
            full_name,
            COMMENT if name == CHATBOT else f"{name}: what the chatbot asks where there is no hosted model.",
        )
        self._progress.say("registered", f"{full_name} version {version.version}, run {active.info.run_id}")
        return str(version.version)

    def _experiment(self) -> str:
        client = MlflowClient(TRACKING, REGISTRY)
        name = self._request.experiment or f"/Shared/{self._request.model(CHATBOT)}"
        found = client.get_experiment_by_name(name)
        return str(found.experiment_id if found else client.create_experiment(name))


def logged_parameters(parameters: Parameters) -> dict[str, Any]:
    """The four parameters that describe a chatbot."""
    return {name: value for name, value in asdict(parameters).items() if name != "own_embeddings"}


def code_of(name: str) -> Any:
    """The file that is a model's code."""
    file = {EMBEDDER: "embedder_model.py", READER: "reader_model.py", CHATBOT: "rag_model.py"}[name]
    return resources.files(__package__).joinpath("models", file)

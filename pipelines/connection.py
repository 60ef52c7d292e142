"""The workspace that the environment names."""

import os
from typing import Final

import requests
from databricks.sdk import WorkspaceClient

from pipelines.errors import PipelineError

_ANSWER_SECONDS: Final = 5.0


def connect() -> WorkspaceClient:
    """A client for `DATABRICKS_HOST` with the credentials of the environment (variables or a profile).

    Raises PipelineError when nothing answers there within seconds (left alone, databricks-sdk 0.156.0 tries for five
    minutes), and when there are no usable credentials.
    """
    host = os.environ.get("DATABRICKS_HOST", "").rstrip("/")
    if host:
        _require_answer(host if "://" in host else f"https://{host}")
    try:
        return WorkspaceClient()
    except ValueError as error:
        raise PipelineError(f"{error} Or set DATABRICKS_HOST and DATABRICKS_TOKEN.") from error


def _require_answer(host: str) -> None:
    # Any answer will do: what it says is the SDK's business.
    try:
        requests.get(f"{host}/.well-known/databricks-config", timeout=_ANSWER_SECONDS, stream=True).close()
    except requests.RequestException as error:
        raise PipelineError(
            f"No workspace answers at {host} (DATABRICKS_HOST): {type(error).__name__}. Start it, or correct the host."
        ) from error

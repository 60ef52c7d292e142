"""Where a client may read or write the files of a model version.

DEFAULT_STORAGE makes mlflow's client ask for presigned URLs (`create-upload-url`, `create-download-url`); no cloud's
own credentials are involved. A client may use the Files API on the same paths as well.
"""

from __future__ import annotations

import time

from workspace.http import Json
from workspace.mlflow_api.names import ModelName
from workspace.mlflow_api.registry import Registry

LIFETIME_SECONDS = 3600


def temporary_credentials(registry: Registry, name: ModelName, version: int, *, writes: bool) -> Json:
    """ApiError 404 for a version that is not there, 400 for writing to one whose files can no longer change."""
    if writes:
        registry.check_uploadable(name, version)
    else:
        registry.version(name, version)
    return {"storage_mode": "DEFAULT_STORAGE", "expiration_time": int((time.time() + LIFETIME_SECONDS) * 1000)}

"""Unity Catalog takes no model version without a signature of inputs and outputs; neither does this registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

REQUIREMENT = (
    "All models in the Unity Catalog must be logged with a model signature containing both input and output type "
    "specifications. See https://mlflow.org/docs/latest/model/signatures.html#how-to-log-models-with-signatures for "
    "details on how to log a model with a signature"
)


def signature_problem(folder: Path) -> str | None:
    """Why the uploaded files cannot become a model version, in the words of mlflow's client; None where they can."""
    description = folder / "MLmodel"
    if not description.is_file():
        return f'The uploaded files have no "MLmodel" at their top ({_found(folder)}): they are not an MLflow model.'
    try:
        model: Any = yaml.safe_load(description.read_text())
    except yaml.YAMLError as error:
        return f"The uploaded MLmodel file is not YAML: {error}"
    signature = model.get("signature") if isinstance(model, dict) else None
    if not isinstance(signature, dict) or not (signature.get("inputs") or signature.get("params")):
        return f"Model passed for registration did not contain any signature metadata. {REQUIREMENT}"
    if not signature.get("outputs"):
        return f"Model passed for registration contained a signature that includes only inputs. {REQUIREMENT}"
    return None


def _found(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return f"found {', '.join(names[:10])}" if names else "nothing was uploaded"

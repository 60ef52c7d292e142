"""JSON Schemas of the examples' stack files: `python -m examples.schemas docs/schemas` writes all.

Their editors check them like the root's (`# yaml-language-server: $schema=...` on the first line).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.config import PlaceConfig
from components.schemas import stack_file_schema
from examples.churn.config import ChurnConfig
from examples.quickstart.config import QuickstartConfig
from examples.rag.config import RagConfig
from examples.taxi_e2e.config import TaxiE2eConfig
from examples.titanic.config import OnlinePassengerConfig, PassengerConfig

# Titanic's file is read by one of two schemas, by whether a MySQL database is the store.
PROJECTS: Mapping[str, Sequence[type[PlaceConfig]]] = {
    "churn": [ChurnConfig],
    "quickstart": [QuickstartConfig],
    "rag": [RagConfig],
    "taxi_e2e": [TaxiE2eConfig],
    "titanic": [PassengerConfig, OnlinePassengerConfig],
}
# What another file may bring (serving/config/*.json) is not missing in this one.
ELSEWHERE: Mapping[str, Sequence[str]] = {
    "taxi_e2e": ["TaxiE2eConfig", "EndpointConfig", "InferenceTableConfig", "ModelConfig", "ServedEntityConfig"]
}


def file_name(project: str) -> str:
    """Name of a project's schema in docs/schemas."""
    return f"{project}.schema.json"


def schema_of(project: str) -> dict[str, Any]:
    """The schema of an example's `Pulumi.<stack>.yaml`."""
    return stack_file_schema(*PROJECTS[project], elsewhere=ELSEWHERE.get(project, ()))


if __name__ == "__main__":
    for name in PROJECTS:
        target = Path(sys.argv[1]) / file_name(name)
        target.write_text(json.dumps(schema_of(name), indent=2) + "\n", encoding="utf-8")
        print(target)

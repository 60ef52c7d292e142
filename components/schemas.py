"""JSON Schemas of what people write and what apps read: `python -m components.schemas FOLDER` writes all.

An editor checks a stack file against the first (`# yaml-language-server: $schema=...` on its first line); an app in any
language checks the stack's outputs against the second.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .config import PlaceConfig, StackConfig
from .config.external_store import ExternalStoreConfig
from .outputs import outputs_schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"
STACK_FILE = "stack-file.schema.json"
STACK_OUTPUTS = "stack-outputs.schema.json"
EXTERNAL_STORE = "external-store.schema.json"


def stack_file_schema(*schemas: type[PlaceConfig], elsewhere: Sequence[str] = ()) -> dict[str, Any]:
    """The schema of `Pulumi.<stack>.yaml`: of any project, with the project's object under `<project>:serving`.

    Rules across fields are the program's; a schema cannot say them.

    Args:
        schemas: of the project's stack files, one of which a file keeps; this project's when none is given.
        elsewhere: sections whose required keys another file may bring.
    """
    definitions: dict[str, Any] = {}
    for one in schemas or (StackConfig,):
        serving = one.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
        definitions |= serving.pop("$defs", {})
        # The stack's name stands in for it.
        serving["required"] = [name for name in serving.get("required", []) if name != "environment"]
        definitions[one.__name__] = serving
    for name in elsewhere:
        definitions[name].pop("required", None)
    sections = [{"$ref": f"#/$defs/{one.__name__}"} for one in schemas or (StackConfig,)]
    return {
        "$schema": DRAFT,
        "title": "Stack file of a serving stack",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {"databricks:host": {"type": "string", "description": "The workspace; pinned."}},
                "patternProperties": {"^[^:]+:serving$": sections[0] if len(sections) == 1 else {"anyOf": sections}},
            }
        },
        "$defs": definitions,
    }


def external_store_schema() -> dict[str, Any]:
    """The schema of the section `mysql`, for stack files whose online store is a MySQL database."""
    schema = ExternalStoreConfig.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    return {"$schema": DRAFT, **schema, "title": "Section mysql of a stack file"}


def write(folder: Path) -> list[Path]:
    """Write the schemas into `folder`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        STACK_FILE: stack_file_schema(),
        STACK_OUTPUTS: outputs_schema(),
        EXTERNAL_STORE: external_store_schema(),
    }
    for name, schema in files.items():
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    return [folder / name for name in files]


if __name__ == "__main__":
    for file in write(Path(sys.argv[1])):
        print(file)

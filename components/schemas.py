"""JSON Schemas of what people write and what apps read: `python -m components.schemas FOLDER` writes both.

An editor checks a stack file against the first (`# yaml-language-server: $schema=...` on its first line); an app in any
language checks the stack's outputs against the second.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .config import StackConfig
from .outputs import outputs_schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"
STACK_FILE = "stack-file.schema.json"
STACK_OUTPUTS = "stack-outputs.schema.json"


def stack_file_schema() -> dict[str, Any]:
    """The schema of `Pulumi.<stack>.yaml`: of any project, with this project's object under `<project>:serving`.

    Rules across fields are the program's; a schema cannot say them.
    """
    serving = StackConfig.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = serving.pop("$defs", {})
    # The stack's name stands in for it.
    serving["required"] = [name for name in serving.get("required", []) if name != "environment"]
    return {
        "$schema": DRAFT,
        "title": "Stack file of a serving stack",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {"databricks:host": {"type": "string", "description": "The workspace; pinned."}},
                "patternProperties": {"^[^:]+:serving$": {"$ref": "#/$defs/StackConfig"}},
            }
        },
        "$defs": {**definitions, "StackConfig": serving},
    }


def write(folder: Path) -> list[Path]:
    """Write both schemas into `folder`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {STACK_FILE: stack_file_schema(), STACK_OUTPUTS: outputs_schema()}
    for name, schema in files.items():
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    return [folder / name for name in files]


if __name__ == "__main__":
    for file in write(Path(sys.argv[1])):
        print(file)

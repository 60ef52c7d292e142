"""Changes a test stack's settings in its file: what `pulumi config set` does, without a process each time."""

from __future__ import annotations

import yaml

from tests.support.engine import EngineProject


def configure(project: EngineProject, **values: str) -> None:
    """Sets plain values under the project's own namespace; `__` in a name separates another namespace from the key."""
    file = project.folder / f"Pulumi.{project.stack}.yaml"
    settings = yaml.safe_load(file.read_text())
    for name, value in values.items():
        key = name.replace("__", ":") if "__" in name else f"project:{name}"
        settings["config"][key] = value
    file.write_text(yaml.safe_dump(settings))

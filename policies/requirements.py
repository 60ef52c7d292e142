"""`python -m policies.requirements` writes `requirements.txt` from `uv.lock`: all that the pack needs by itself.

`uv export` would give everything that the project needs; the pack needs the policy library and what that needs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIBRARY = "pulumi-policy"
FILE = Path(__file__).with_name("requirements.txt")
LOCK = Path(__file__).resolve().parents[1] / "uv.lock"


def needed(lock: Mapping[str, Any]) -> dict[str, str]:
    """Name and locked version of the library and all that it needs; `lock` is the content of a `uv.lock`.

    Raises:
        KeyError: the lock file lacks a package that is needed.
    """
    packages = {package["name"]: package for package in lock["package"]}
    found: dict[str, str] = {}
    left = [LIBRARY]
    while left:
        package = packages[left.pop()]
        if package["name"] not in found:
            found[package["name"]] = package["version"]
            left += [dependency["name"] for dependency in package.get("dependencies", ())]
    return found


def requirements(lock: Mapping[str, Any]) -> str:
    """The text of `requirements.txt`."""
    lines = ["# Written by `python -m policies.requirements` from uv.lock; change nothing here."]
    return "\n".join([*lines, *(f"{name}=={version}" for name, version in sorted(needed(lock).items()))]) + "\n"


def main() -> None:
    FILE.write_text(requirements(tomllib.loads(LOCK.read_text())))


if __name__ == "__main__":
    main()

"""`python -m examples.titanic.database STACK`: the SQL for the administrator of a stack's MySQL database, on stdout.

Creates the database and both users and grants what each needs; `--rows` is the check of the copy, after publishing. No
password is in it (components/external_store_sql.py).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.config.external_store import ExternalStoreConfig
from components.external_store_sql import administrator_sql, rows_sql

FOLDER = Path(__file__).resolve().parent
SECTION = "passenger-serving:serving"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the SQL: 0, or 1 with a message on stderr where the stack file has no such section."""
    parser = argparse.ArgumentParser(prog="python -m examples.titanic.database", description=__doc__)
    parser.add_argument("stack", help="local, staging, prod, or another one with a stack file here")
    parser.add_argument("--rows", action="store_true", help="the check of the copy instead, for after publishing")
    options = parser.parse_args(arguments)
    file = FOLDER / f"Pulumi.{options.stack}.yaml"
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        config = ExternalStoreConfig.model_validate(content["config"][SECTION].get("mysql", {}))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValidationError) as error:
        print(f"{file.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    account = config.account()
    sys.stdout.write(rows_sql(account) if options.rows else administrator_sql(account))
    return 0


if __name__ == "__main__":
    sys.exit(main())

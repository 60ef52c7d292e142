"""Which code a server runs: one that outlives an update of the clone is told apart from one that runs the new code."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
_LENGTH = 12


@cache
def code_digest() -> str:
    """Digest of this package's source as it was when a process asked first: twelve hexadecimal digits."""
    return digest_of(_PACKAGE)


def digest_of(package: Path) -> str:
    """Digest of the Python files below `package`, their names included; equal for equal source wherever it lies."""
    whole = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()[:_LENGTH]

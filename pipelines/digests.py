"""What something was made with: a digest of code and settings, kept beside what came out, so that it is made once."""

import hashlib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable


def code_digest(package: str, names: Sequence[str], *more: str) -> str:
    """SHA-256 of files and folders of a package, and of texts, in hex.

    Args:
        package: such as `pipelines.taxi`.
        names: files, and folders whose files count (not those of their folders), relative to the package.
        more: settings, digests of data, versions.
    """
    hashed = hashlib.sha256()
    folder = resources.files(package)
    for name in names:
        for path in _files(folder.joinpath(name)):
            hashed.update(path.name.encode())
            hashed.update(path.read_bytes())
    for text in more:
        hashed.update(text.encode())
    return hashed.hexdigest()


def _files(entry: Traversable) -> list[Traversable]:
    if entry.is_file():
        return [entry]
    return sorted((file for file in entry.iterdir() if file.is_file()), key=lambda file: file.name)

"""The SQL files of this package."""

from importlib import resources


def statement(name: str) -> str:
    """The text of `sql/<name>.sql`, without the comments at its head: it may stand in parentheses."""
    text = resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return "\n".join(lines[first:])

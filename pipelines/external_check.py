"""Checks a copy against its feature table: every row, with every value, as of the version that was published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from pipelines.errors import PipelineError
from pipelines.external_publish import BATCH, Copy, Source
from pipelines.external_store import StoreSpec

if TYPE_CHECKING:
    from pipelines.external_store import Connection

Row = tuple[Any, ...]
_NAMED = 5


@dataclass(kw_only=True)
class Checked:
    """A copy that is equal to its feature table."""

    rows: int
    version: int
    first: list[Row]
    """Its first rows, for people to look at."""

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted as they pass."""
        for row in rows:
            self.rows += 1
            if len(self.first) < _NAMED:
                self.first.append(row)
            yield row

    def __str__(self) -> str:
        return f"{self.rows} rows, all equal to version {self.version}"


def check(source: Source, connection: Connection, store: StoreSpec) -> Checked:
    """Compare the copy with the feature table; the reader's rights are enough.

    Raises PipelineError where nothing was published, or naming keys that differ.
    """
    copy = Copy(connection, store.table_name, source.columns)
    last = copy.published()
    if last is None or last[0] != source.identity:
        raise PipelineError(f"{store.shown} holds no publication of this feature table: publish it, then check.")
    found = Checked(rows=0, version=last[1], first=[])
    differing = list(
        _differing(
            chain.from_iterable(source.rows(last[1], BATCH)),
            found.counting(chain.from_iterable(copy.rows(BATCH))),
            source.columns.key_of,
        )
    )
    if differing:
        shown = ", ".join(str(key[0] if len(key) == 1 else key) for key in differing[:_NAMED])
        raise PipelineError(
            f"{store.shown} differs from version {last[1]} of the feature table in {len(differing)} rows "
            f"(keys {shown}{' ...' if len(differing) > _NAMED else ''}): somebody else has written to it. Publish "
            "everything again (--everything)."
        )
    return found


def _differing(left: Iterator[Row], right: Iterator[Row], key_of: Callable[[Row], Row]) -> Iterator[Row]:
    """Keys of rows that are on one side only, or not the same on both; both sides are in the order of their keys."""
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and key_of(one) < key_of(other)):
            yield key_of(cast("Row", one))
            one = next(left, None)
        elif one is None or key_of(other) < key_of(one):
            yield key_of(other)
            other = next(right, None)
        else:
            if one != other:
                yield key_of(one)
            one, other = next(left, None), next(right, None)

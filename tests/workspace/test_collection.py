"""Garbage collection is off for as long as somebody holds it back, and no longer."""

from __future__ import annotations

import gc

import pytest

from workspace.collection import without_collection


def test_collection_comes_back_with_the_last_block_that_ends_however_it_ends() -> None:
    assert gc.isenabled()
    first, second = without_collection(), without_collection()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()
    with pytest.raises(ValueError, match="inside"), without_collection():
        raise ValueError("inside")
    assert gc.isenabled()

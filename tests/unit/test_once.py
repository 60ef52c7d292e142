"""What is prepared once a run: workers share it, and a failure leaves it to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.once import once_a_run


class Workers:
    """The temporary folders of workers of one run."""

    def __init__(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._run = run
        monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")

    def factory(self, name: str) -> pytest.TempPathFactory:
        base = self._run / name
        base.mkdir(exist_ok=True)
        return pytest.TempPathFactory(base, 3, "all", lambda *arguments: None, _ispytest=True)


def test_workers_of_a_run_share_what_the_first_has_made_and_a_failure_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(tmp_path, monkeypatch)
    calls: list[Path] = []

    def prepare(folder: Path) -> dict[str, Path]:
        calls.append(folder)
        if len(calls) == 1:
            raise RuntimeError("no engine")
        (folder / "file").write_text("made")
        return {"file": folder / "file"}

    with pytest.raises(RuntimeError, match="no engine"):
        once_a_run(workers.factory("popen-gw0"), "stack", prepare)
    made = once_a_run(workers.factory("popen-gw0"), "stack", prepare)
    found = once_a_run(workers.factory("popen-gw1"), "stack", prepare)
    assert found == made
    assert found["file"].read_text() == "made"
    assert len(calls) == 2
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    # Without workers a run's folder is its own.
    once_a_run(workers.factory("other-run"), "stack", prepare)
    assert len(calls) == 3

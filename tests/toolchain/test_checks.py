"""What the checks are run with."""

from __future__ import annotations

import os

import pytest

from tests.support.engine import PROJECT
from toolchain.checks import run_checks
from toolchain.layout import Layout
from toolchain.report import Steps


def test_byte_code_is_kept_whatever_the_environment_says_and_the_rest_of_it_reaches_the_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("KEPT", "yes")
    checks = {
        "keeps byte code": ("-c", "import sys; sys.exit(sys.dont_write_bytecode)"),
        "has the rest": ("-c", "import os, sys; sys.exit(os.environ['KEPT'] != 'yes')"),
        "fails": ("-c", "import sys; sys.exit(3)"),
    }
    assert run_checks(checks, Layout(PROJECT), os.environ, Steps()) == ["fails"]

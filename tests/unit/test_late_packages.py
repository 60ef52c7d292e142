"""Packages that are loaded late: less is imported, and whoever asks finds what the whole package would have given."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def run(script: str) -> str:
    """What a new process printed: in this one the packages are imported already."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_a_program_loads_the_resources_that_it_uses_and_anybody_else_finds_the_rest() -> None:
    run("""
        import sys
        from components import databricks
        import pulumi_databricks

        assert len([name for name in sys.modules if name.startswith("pulumi_databricks.")]) < 60
        assert "get_aws_unity_catalog_policy" not in vars(pulumi_databricks)
        # A function that its module is named after, first by its module.
        from pulumi_databricks.get_cluster import GetClusterResult
        assert callable(pulumi_databricks.get_cluster) and callable(pulumi_databricks.get_current_user)
        assert pulumi_databricks.Cluster.__module__ == "pulumi_databricks.cluster"
        assert "get_aws_unity_catalog_policy" not in vars(pulumi_databricks)

        early = {name: value for name, value in vars(pulumi_databricks).items() if not name.startswith("_")}
        from pulumi_databricks import *
        assert get_aws_unity_catalog_policy is pulumi_databricks.get_aws_unity_catalog_policy
        for name, value in early.items():
            assert vars(pulumi_databricks)[name] is value, name
        for name in databricks.__all__:
            assert getattr(databricks, name) is getattr(pulumi_databricks, name), name
    """)


def test_every_class_and_function_is_found_by_module_and_is_the_one_that_the_whole_package_exports() -> None:
    listing = """
        {how}
        import pulumi_databricks
        import json
        import sys
        names = {names}
        found = {{name: getattr(pulumi_databricks, name) for name in names}}
        print(json.dumps({{name: one.__module__ for name, one in found.items() if callable(one)}}))
        assert ("_late_homes" in vars(pulumi_databricks)) is {late}
    """
    whole = run(listing.format(how="", names="[n for n in vars(pulumi_databricks) if n[0] != '_']", late=False))
    expected = json.loads(whole)
    assert {"Cluster", "JobTaskArgs", "get_cluster", "get_cluster_output"} <= set(expected)
    # Beside a function's own name there are others in its module; those are few, and asked of the whole package.
    by_module = [name for name in expected if not re.search(r"^get_.*_output$|Args$|ArgsDict$|Result$", name)]
    late = run(listing.format(how="import components.databricks", names=by_module, late=True))
    assert json.loads(late) == {name: expected[name] for name in by_module}


def test_threads_that_ask_together_all_wait_for_the_whole_package() -> None:
    run("""
        import threading
        from components.late_packages import load_late

        load_late("databricks.sdk")
        start, found = threading.Barrier(8), []

        def ask() -> None:
            start.wait()
            import databricks.sdk
            found.append(databricks.sdk.WorkspaceClient)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert len(found) == 8 and len(set(found)) == 1
    """)


def test_what_is_not_there_is_said() -> None:
    from components.late_packages import load_late

    with pytest.raises(ModuleNotFoundError, match="no package named 'no_such_package' is installed"):
        load_late("no_such_package")
    run("""
        import pickle
        from components.late_packages import load_late

        load_late("databricks.sdk")
        import databricks.sdk
        assert not hasattr(databricks.sdk, "__wrapped__")
        assert "WorkspaceClient" not in vars(databricks.sdk)
        assert not hasattr(databricks.sdk, "nothing_like_it")
        assert "WorkspaceClient" in vars(databricks.sdk)
    """)

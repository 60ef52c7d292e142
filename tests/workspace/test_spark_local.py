"""What a task is told about Spark on this machine, without starting any."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workspace.spark import LocalSpark, SparkError
from workspace.spark.local import REFUSAL
from workspace.task_process.__main__ import _spark_hint
from workspace.task_process.namespace import LazySpark, no_spark


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalSpark:
    """Spark whose jars are there already."""
    spark = LocalSpark(lambda: ["main", "other"], tmp_path / "spark")
    monkeypatch.setattr(spark, "classpath", lambda: "/jars/*:/classes")
    return spark


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".spark" / "spark-defaults.conf").read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_a_session_knows_every_catalog_and_the_clusters_settings(made: LocalSpark, tmp_path: Path) -> None:
    asked = {"spark.sql.shuffle.partitions": "9", "spark.databricks.io.cache.enabled": "true", "spark.x": "a\\b"}
    variables = made.for_task(tmp_path, asked)
    found = settings(tmp_path)
    assert variables["SPARK_CONF_DIR"] == str(tmp_path / ".spark")
    catalogs = {name.rpartition(".")[2] for name, value in found.items() if value.endswith("WorkspaceCatalog")}
    assert catalogs == {"main", "other"}
    assert {name: found[name] for name in asked} == {**asked, "spark.x": "a\\\\b"}


def test_where_a_session_runs_and_finds_tables_is_not_the_clusters_business(made: LocalSpark, tmp_path: Path) -> None:
    made.for_task(tmp_path, {"spark.master": "yarn", "spark.sql.catalog.main": "x.Y", "spark.jars.packages": "a:b:1"})
    found = settings(tmp_path)
    assert found["spark.master"] == "local[2]"
    assert found["spark.sql.catalog.main"] != "x.Y"
    assert "spark.jars.packages" not in found


def test_without_pyspark_a_task_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalSpark, "is_installed", staticmethod(lambda: False))
    variables = LocalSpark(folder=tmp_path).for_task(tmp_path, {})
    assert set(variables) == {REFUSAL}
    assert "make up SPARK=1" in variables[REFUSAL]


def test_without_java_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "javac" else f"/bin/{name}")
    with pytest.raises(SparkError, match=r"no javac on PATH: install one \(Debian: default-jdk-headless\)"):
        LocalSpark(folder=tmp_path / "new").classpath()
    assert not list((tmp_path / "new").glob("*/complete"))


def test_a_task_that_fails_for_want_of_spark_says_why_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_CONF_DIR", raising=False)
    monkeypatch.setenv(REFUSAL, "there is none because of the weather")
    absent = ModuleNotFoundError("No module named 'pyspark'", name="pyspark")
    assert _spark_hint(absent) == " (Spark: there is none because of the weather)"
    assert _spark_hint(ModuleNotFoundError("No module named 'x'", name="x")) == ""
    with pytest.raises(RuntimeError, match=r"spark\.table needs PySpark: there is none because of the weather"):
        LazySpark().table("t")
    monkeypatch.delenv(REFUSAL)
    assert "tasks on clusters" in (no_spark() or "")
    monkeypatch.setenv("SPARK_CONF_DIR", "/somewhere")
    assert (no_spark(), _spark_hint(absent)) == (None, "")

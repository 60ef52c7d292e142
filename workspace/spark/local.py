"""What a task's process needs to start Spark: Delta's jars, the catalog class, and one configuration file.

PySpark and Java are the machine's. Delta's jars are resolved once, by Spark's own resolver (Maven Central, or the
mirror that `DEFAULT_ARTIFACT_REPOSITORY` names: Spark, "Advanced Dependency Management"), and the catalog is compiled
against them; both are kept in a folder that is named by the versions and the source they were made from.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

CATALOG_CLASS = "workspace.spark.WorkspaceCatalog"
_FOLDER = Path(__file__).resolve().parents[2] / ".local" / "spark"
REFUSAL = "WORKSPACE_NO_SPARK"
"""Variable of a task's process: why there is no Spark for it."""
_SOURCE = Path(__file__).with_name("WorkspaceCatalog.java")
_RESOLVE_SECONDS = 300
_JAVA = 17
# Of a machine with two cores, not of a cluster: small shuffles, no web page, and Delta's state in one part.
_SMALL: Mapping[str, str] = {
    "spark.master": "local[2]",
    "spark.driver.memory": "1g",
    # A process of seconds, not of days: what is compiled thoroughly never pays off.
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
_DELTA: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
# Of the task's cluster, but the workspace's business: where the session runs and how tables are found.
_OWN = ("spark.master", "spark.jars", "spark.sql.catalog.", "spark.sql.extensions", "spark.databricks.cluster.")


class SparkError(Exception):
    """Spark cannot be had on this machine; the message says what is missing and how to get it."""


class LocalSpark:
    """Spark for tasks. Safe for use from many threads and processes."""

    def __init__(self, catalogs: Callable[[], Sequence[str]] = tuple, folder: Path | None = None) -> None:
        """Nothing is made yet.

        Args:
            catalogs: names of the catalogs that a session is to know.
            folder: where jars and classes are kept between runs; of this clone when left out.
        """
        self._folder = folder or _FOLDER
        self._catalogs = catalogs

    @staticmethod
    def is_installed() -> bool:
        """Whether this Python has PySpark and Delta."""
        return all(importlib.util.find_spec(name) is not None for name in ("pyspark", "delta"))

    def for_task(self, folder: Path, spark_conf: Mapping[str, str]) -> dict[str, str]:
        """`variables`, or one variable that says why there are none: a task that needs no Spark shall run without."""
        try:
            return self.variables(folder, spark_conf)
        except SparkError as error:
            return {REFUSAL: str(error)}

    def variables(self, folder: Path, spark_conf: Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment variables that make `SparkSession.builder.getOrCreate()` work in a task's process.

        Args:
            folder: of the task; the configuration file and what Spark leaves behind go below it.
            spark_conf: of the task's cluster; what has no meaning on this machine does no harm.

        Raises SparkError where PySpark, Java or the jars cannot be had.
        """
        classpath = self.classpath()
        home = folder / ".spark"
        home.mkdir(parents=True, exist_ok=True)
        settings = {
            **_SMALL,
            **{name: value for name, value in (spark_conf or {}).items() if not name.startswith(_OWN)},
            **_DELTA,
            "spark.driver.extraClassPath": classpath,
            "spark.sql.warehouse.dir": str(home / "warehouse"),
            "spark.local.dir": str(home / "scratch"),
            **{f"spark.sql.catalog.{name}": CATALOG_CLASS for name in self._catalogs()},
        }
        lines = [f"{name} {_escaped(value)}" for name, value in sorted(settings.items())]
        (home / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
        shutil.copyfile(Path(__file__).with_name("log4j2.properties"), home / "log4j2.properties")
        return {
            "SPARK_CONF_DIR": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        }

    def classpath(self) -> str:
        """Delta's jars and the catalog class, made at the first call. Raises SparkError."""
        if not self.is_installed():
            raise SparkError(
                "PySpark is not in the environment of this workspace: `make up SPARK=1` (or `uv sync --group spark`) "
                "installs it, with Delta; without it, use SQL tasks or serverless tasks that need no Spark"
            )
        made = self._folder / _fingerprint()
        with _locked(self._folder / ".lock"):
            if not (made / "complete").is_file():
                shutil.rmtree(made, ignore_errors=True)
                made.mkdir(parents=True)
                _resolve(made)
                _compile(made)
                (made / "complete").touch()
        return os.pathsep.join([str(made / "jars" / "*"), str(made / "classes")])


def _fingerprint() -> str:
    hashed = hashlib.sha256(_SOURCE.read_bytes())
    hashed.update(" ".join(_versions()).encode())
    return hashed.hexdigest()[:16]


def _versions() -> tuple[str, str]:
    return metadata.version("pyspark"), metadata.version("delta-spark")


def _spark_home() -> Path:
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise SparkError("PySpark was there a moment ago and is not any more")
    return Path(found.origin).parent


def _resolve(folder: Path) -> None:
    """Delta's jars and what they need, by Spark's resolver, into `folder/jars`."""
    _require_java()
    core = next((_spark_home() / "jars").glob("spark-core_*.jar")).name
    scala = core.removeprefix("spark-core_").partition("-")[0]
    script = folder / "nothing.py"
    script.write_text("")
    _run(
        [
            str(_spark_home() / "bin" / "spark-submit"),
            *("--master", "local[1]", "--packages", f"io.delta:delta-spark_{scala}:{_versions()[1]}"),
            *("--conf", f"spark.jars.ivy={folder / 'ivy'}", str(script)),
        ],
        "Delta's jars cannot be resolved from Maven Central; behind a mirror set DEFAULT_ARTIFACT_REPOSITORY to it",
    )
    (folder / "ivy" / "jars").rename(folder / "jars")
    shutil.rmtree(folder / "ivy", ignore_errors=True)


def _compile(folder: Path) -> None:
    jars = _spark_home() / "jars"
    _run(
        ["javac", "--release", str(_JAVA), "-nowarn", "-d", str(folder / "classes"), "-cp", f"{jars}/*", str(_SOURCE)],
        f"the catalog class cannot be compiled with javac (a JDK {_JAVA} or newer)",
    )


def _require_java() -> None:
    missing = [name for name in ("java", "javac") if shutil.which(name) is None]
    if missing:
        raise SparkError(
            f"Spark needs a JDK {_JAVA} or newer, and there is no {' and no '.join(missing)} on PATH: install one "
            "(Debian: default-jdk-headless)"
        )


def _run(command: list[str], refusal: str) -> None:
    environ = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, check=False, timeout=_RESOLVE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SparkError(f"{refusal}: {error}") from error
    if done.returncode:
        raise SparkError(f"{refusal}; the end of what it said:\n{(done.stdout + done.stderr)[-1500:]}")


def _escaped(value: str) -> str:
    """As a value of a Java properties file."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

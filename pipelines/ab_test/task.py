"""The comparison as a task: labelled answers of both versions, read from the monitored table; the verdict as tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from pipelines.ab_test.judgement import AbPolicy, AbVerdict, Arm, judge
from pipelines.errors import PipelineError
from pipelines.sql import SqlRunner, Warehouse, find_warehouse
from pipelines.versions import tag_version

RESULT_TAG: Final = "ab_result"
#: Unity Catalog's limit of a tag's value.
_LONGEST: Final = 256
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLE: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){2}")
#: Every mistake costs one, where nobody says what a mistake costs.
_LOSS: Final = "CASE WHEN {prediction} <> {label} THEN 1 ELSE 0 END"


@dataclass(frozen=True, kw_only=True)
class AbRequest:
    """What is compared. Raises PipelineError for a name that cannot be written into a statement."""

    model: str
    incumbent_alias: str
    contender_alias: str
    table: str
    """`catalog.schema.table` with an answer a row: its version, its prediction, its label once that is known."""
    prediction: str = "prediction"
    label: str = "label"
    version_column: str = "model_version"
    time_column: str = "inference_timestamp"
    loss: str = ""
    """SQL over the table's columns: what an answer costs, 0 or more; one for each mistake when left out."""
    policy: AbPolicy = field(default_factory=AbPolicy)
    warehouse_id: str | None = None

    def __post_init__(self) -> None:
        if not _TABLE.fullmatch(self.table):
            raise PipelineError(f"The monitored table is {self.table!r}, which has not three plain parts.")
        for name in ("prediction", "label", "version_column", "time_column"):
            if not _COLUMN.fullmatch(getattr(self, name)):
                raise PipelineError(f"The {name} is {getattr(self, name)!r}, which is no plain column name.")
        if self.incumbent_alias == self.contender_alias:
            raise PipelineError(
                f"Both aliases are {self.contender_alias}: name the one that is to be won, and another."
            )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Self:
        """Of a job's parameters, which are texts. Raises PipelineError for what is missing or is no number."""
        names = {"model", "incumbent_alias", "contender_alias", "table", "prediction", "label", "loss", "warehouse_id"}
        texts = {name: parameters[name] for name in names & parameters.keys()}
        if missing := {"model", "incumbent_alias", "contender_alias", "table"} - texts.keys():
            raise PipelineError(f"The job lacks the parameters {', '.join(sorted(missing))}.")
        wanted = AbPolicy()
        try:
            policy = AbPolicy(
                error_margin=float(parameters.get("error_margin", wanted.error_margin)),
                loss_margin=float(parameters.get("loss_margin", wanted.loss_margin)),
                minimum_rows=int(parameters.get("minimum_rows", wanted.minimum_rows)),
            )
        except ValueError as error:
            raise PipelineError(f"The job's parameters cannot be judged by: {error}.") from None
        return cls(**texts, policy=policy)

    def statement(self) -> str:
        """One row a version, of the time in which both answered."""
        loss = self.loss or _LOSS.format(prediction=self.prediction, label=self.label)
        # Every name is checked above; the loss is the owner's SQL, as a metric of a monitor is.
        return f"""WITH answers AS (
  SELECT {self.version_column} AS version, {self.time_column} AS at, {self.prediction} <> {self.label} AS mistaken,
    CAST({loss} AS DOUBLE) AS loss
  FROM {self.table}
  WHERE {self.label} IS NOT NULL AND {self.prediction} IS NOT NULL
    AND {self.version_column} IN (:incumbent, :contender)
), begun AS (
  SELECT max(first) AS at FROM (SELECT min(at) AS first FROM answers GROUP BY version)
)
SELECT version, count(*) AS rows, sum(CASE WHEN mistaken THEN 1 ELSE 0 END) AS mistakes, sum(loss) AS loss,
  sum(loss * loss) AS loss_squares
FROM answers
WHERE at >= (SELECT at FROM begun)
GROUP BY version"""  # noqa: S608


@dataclass(frozen=True, kw_only=True)
class AbResult:
    """What came of it; `verdict` is None where both aliases name one version, so that there is nothing to compare."""

    contender: str
    incumbent: str
    verdict: AbVerdict | None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        return "one version" if self.verdict is None else self.verdict.outcome

    def __str__(self) -> str:
        if self.verdict is None:
            return f"one version: both aliases name version {self.contender}, there is nothing to compare"
        return f"{self.verdict.outcome}: {self.verdict.explanation}"


def compare_versions(request: AbRequest, workspace: WorkspaceClient | None = None) -> AbResult:
    """Compare the two versions as they answer now, and tag the contender with the verdict.

    Raises PipelineError where an alias or the table is not there.
    """
    client = workspace or WorkspaceClient()
    incumbent, contender = (
        _version(client, request.model, alias) for alias in (request.incumbent_alias, request.contender_alias)
    )
    if incumbent == contender:
        return AbResult(contender=contender, incumbent=incumbent, verdict=None)
    catalog, schema, _ = request.table.split(".")
    warehouse = Warehouse(client, find_warehouse(client, request.warehouse_id), catalog, schema)
    arms = read_arms(warehouse, request, incumbent, contender)
    verdict = judge(arms[incumbent], arms[contender], request.policy)
    tags = tags_of(verdict)
    for name, value in tags.items():
        tag_version(client, request.model, contender, name, value)
    return AbResult(contender=contender, incumbent=incumbent, verdict=verdict, tags=tags)


def read_arms(warehouse: SqlRunner, request: AbRequest, incumbent: str, contender: str) -> dict[str, Arm]:
    """What both versions have answered; an arm without rows for one that has no labelled answer."""
    found = warehouse.run(request.statement(), {"incumbent": incumbent, "contender": contender})
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    arms = {version: Arm(version=version) for version in (incumbent, contender)}
    for row in rows:
        version = str(row["version"])
        arms[version] = Arm(
            version=version,
            rows=int(str(row["rows"])),
            mistakes=int(str(row["mistakes"])),
            loss=float(str(row["loss"] or 0)),
            loss_squares=float(str(row["loss_squares"] or 0)),
        )
    return arms


def tags_of(verdict: AbVerdict, moment: datetime | None = None) -> dict[str, str]:
    """Tags of the contender; `moment` is now when left out."""
    made = (moment or datetime.now(UTC)).astimezone(UTC)
    return {
        RESULT_TAG: verdict.outcome,
        "ab_against": verdict.incumbent.version,
        "ab_rows": f"{verdict.contender.rows} against {verdict.incumbent.rows}",
        "ab_date": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ab_explanation": verdict.explanation[:_LONGEST],
    }


def _version(workspace: WorkspaceClient, model: str, alias: str) -> str:
    try:
        return str(workspace.model_versions.get_by_alias(model, alias).version)
    except NotFound:
        raise PipelineError(
            f"{model} has no alias {alias}: an A/B test compares the versions of two aliases."
        ) from None

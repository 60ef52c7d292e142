"""A retrained model against the champion, on customers that neither has seen, since answers drifted.

The old validation rows say how a model does on the world as it was. What a retraining is for shows on the rows since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import ModelVersionInfo

from pipelines.churn.drift_journal import Comparison
from pipelines.churn.tables import NUMBERS, statement
from pipelines.churn.training import LABEL, Quality, Trained, quality_of
from pipelines.feature_model import predict_rows
from pipelines.sql import SqlRunner

CHAMPION: Final = "champion"
# Fewer rows, or rows of one label only, say nothing.
MINIMUM_ROWS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What came of it. `challenger` and `champion` are None where they were not compared."""

    outcome: Comparison
    explanation: str
    since: datetime | None = None
    against: str | None = None
    """The champion's version."""
    rows: int = 0
    challenger: Quality | None = None
    champion: Quality | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """For the run, by name."""
        measured = {"recent_rows": float(self.rows)} if self.challenger else {}
        for who, quality in (("recent", self.challenger), ("recent_champion", self.champion)):
            if quality is not None:
                measured |= {f"{who}_f1_macro": quality.f1_macro, f"{who}_expected_loss": quality.expected_loss}
        return measured

    @property
    def tags(self) -> dict[str, str]:
        """For the version. One that is no better did not pass, so that no gate lets it become the champion."""
        tags = {"comparison": self.outcome, "compared_with": self.against or "none"}
        if self.since is not None:
            tags["compared_since"] = self.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        tags |= {name: f"{value:.6g}" for name, value in self.metrics.items()}
        if self.outcome == "not better":
            tags |= {"validation": "failed", "validation_failed": self.explanation[:256]}
        return tags

    def document(self) -> Mapping[str, object]:
        """For the journal."""
        qualities = {"challenger": self.challenger, "champion": self.champion}
        return {
            "rows": self.rows,
            **{
                who: {"f1_macro": quality.f1_macro, "expected_loss": quality.expected_loss}
                for who, quality in qualities.items()
                if quality is not None
            },
        }


def champion_of(workspace: WorkspaceClient, model: str) -> ModelVersionInfo | None:
    """The version behind the champion's alias; None where there is none."""
    try:
        return workspace.model_versions.get_by_alias(model, CHAMPION)
    except NotFound:
        return None


def since_when(champion: ModelVersionInfo | None, drifted: datetime | None) -> datetime | None:
    """From when on rows tell the two apart: since answers drifted, or since the champion was made if that was later.

    None where neither is known.
    """
    made = (
        None
        if champion is None or not champion.created_at
        else datetime.fromtimestamp(champion.created_at / 1_000, UTC)
    )
    return max((moment for moment in (made, drifted) if moment is not None), default=None)


def compare(
    warehouse: SqlRunner, model: str, trained: Trained, champion: ModelVersionInfo | None, since: datetime | None
) -> Compared:
    """Ask both about the same rows. MLflow must know registry and tracking server."""
    if champion is None or since is None:
        return Compared(outcome="not compared", explanation=f"not compared: {model} has no {CHAMPION}", since=since)
    against = str(champion.version)
    rows = recent_rows(warehouse, since)
    if len(rows) < MINIMUM_ROWS or rows[LABEL].nunique() < 2:
        return Compared(
            outcome="not compared",
            explanation=f"not compared: {len(rows)} rows of untrained customers since {since:%Y-%m-%d} are too few",
            since=since,
            against=against,
            rows=len(rows),
        )
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model}/{against}"))
    mine = trained.model.predict(rows[list(trained.columns)])
    return verdict(rows, mine, predict_rows(folder, rows), since=since, against=against)


def recent_rows(warehouse: SqlRunner, since: datetime) -> pd.DataFrame:
    """Labelled rows since a moment, of customers that no model is trained on, with the features of the time."""
    result = warehouse.run(statement("recent_labels"), {"since": since.astimezone(UTC).isoformat()})
    return pd.DataFrame(result.rows, columns=result.columns).astype(dict.fromkeys(NUMBERS, float))


def verdict(rows: pd.DataFrame, mine: object, champions: object, *, since: datetime, against: str) -> Compared:
    """Better is: in one of F1 and expected loss, and worse in neither."""
    challenger = quality_of(rows[LABEL], mine, rows["monthly_charges"])
    champion = quality_of(rows[LABEL], champions, rows["monthly_charges"])
    gains = (challenger.f1_macro - champion.f1_macro, challenger.expected_loss - champion.expected_loss)
    better = min(gains) >= 0 and max(gains) > 0
    return Compared(
        outcome="better" if better else "not better",
        explanation=(
            f"{'better' if better else 'not better'} than version {against} on {len(rows)} rows since "
            f"{since:%Y-%m-%d}: F1 {challenger.f1_macro:.3f} against {champion.f1_macro:.3f}, expected loss "
            f"{challenger.expected_loss:.2f} against {champion.expected_loss:.2f}"
        ),
        since=since,
        against=against,
        rows=len(rows),
        challenger=challenger,
        champion=champion,
    )

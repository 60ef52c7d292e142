"""Model validation as a task: measured, compared with the champion, tagged, and failed where it must be.

    from pipelines.validation import Limit, Plan, classification, validate

    plan = Plan(
        model="main.churn.advanced_mlops_churn", version="7",
        label="churn", champion="champion", slices=("contract",), split=("split", "test"),
        measure=lambda rows: classification(rows["churn"], rows["prediction"]) | {"expected_loss": ...},
        limits=(
            Limit(metric="f1_macro", kind="accuracy", at_least=0.5, may_lose=0.02),
            Limit(metric="expected_loss", kind="business", at_least=-30.0, may_lose=1.0, in_slices=False),
        ),
    )
    verdict = validate(plan, rows)      # rows: a DataFrame with the model's columns, the label and what slices name

`validate` scores the rows with the version and with the version behind the champion's alias (none yet: only absolute
limits count), applies the limits to all rows and to each slice that is large enough, writes the tags below to the
version, and raises `ValidationFailedError` with every failed check, so that a job's task fails. `judge` is the rule
alone, for measures that are there already.

| tag | value |
| --- | --- |
| `validation` | `passed`, or `failed`: what alias gates require (docs/aliases.md) |
| `validation_accuracy`, `validation_business` | the same for the limits of one kind; `none` where there are none |
| `validation_against` | number of the champion that it was compared with, or `none` |
| `validation_date` | UTC, ISO 8601 |
| `validation_failed` | the failed checks, shortened; empty where it passed |
| one for each metric, by its name | its value on all rows |

Nothing here knows churn or taxis, or promotes anything.
"""

from pipelines.validation.limits import Limit, Measured, Verdict, judge
from pipelines.validation.metrics import classification, regression
from pipelines.validation.tags import tags_of
from pipelines.validation.task import Plan, ValidationFailedError, validate

__all__ = [
    "Limit",
    "Measured",
    "Plan",
    "ValidationFailedError",
    "Verdict",
    "classification",
    "judge",
    "regression",
    "tags_of",
    "validate",
]

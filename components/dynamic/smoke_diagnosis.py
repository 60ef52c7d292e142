"""What is usually behind a failed smoke query: the known causes, as a table. Pure.

Sources: Databricks' troubleshooting notes on feature lookup in Model Serving; the Model Serving API's statuses. A
served model runs in a container of its own and not on a cluster, so the runtime matters where the model was logged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TIMED_OUT = "timed out"
UNREACHED = "not reached"


@dataclass(frozen=True)
class _Cause:
    advice: str
    status: int | None = None
    text: re.Pattern[str] | None = None

    def explains(self, status: int | None, text: str) -> bool:
        if self.status is not None and status != self.status:
            return False
        return self.text is None or self.text.search(text) is not None


def _text(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# The first that fits is told; the more particular ones stand first.
_CAUSES = (
    _Cause(
        "the served model could not set up its feature lookup: log it from a job on a Databricks ML runtime (for "
        "example 17.1.x ML) with its feature lookups, so that databricks-feature-lookup is among its requirements, and "
        "register a new version",
        text=_text(
            r"feature[ _-]?lookup.{0,40}(setup|set up|init\w*).{0,20}fail|fail\w*.{0,40}set ?up.{0,20}feature",
        ),
    ),
    _Cause(
        "features are missing for a key, which has two known causes: the online table lags behind its source (look at "
        "the state and the last sync of the published table), or the key is not in it (ask with keys that exist)",
        text=_text(
            r"(missing|null|no|not find|unknown)\W+(input |value\w* for )?features?\b"
            r"|features?\b.{0,60}(is|are|were) (missing|null|not found)|NaN.{0,40}feature"
        ),
    ),
    _Cause(
        "there was no answer in time: a cold start is given warm_up_seconds, every other query timeout_seconds; look "
        "at the entity's state and logs before raising them",
        text=_text(f"^{TIMED_OUT}"),
    ),
    _Cause("nothing answered: check the network between here and the workspace", text=_text(f"^{UNREACHED}")),
    _Cause("the payload does not fit the model's signature: compare its fields and types with it", status=400),
    _Cause("the credentials are wrong or expired: check DATABRICKS_TOKEN or databricks:token", status=401),
    _Cause(
        "the caller lacks CAN_QUERY on the endpoint, or the endpoint's creator lacks EXECUTE on the model or SELECT on "
        "an online table",
        status=403,
    ),
    _Cause("the endpoint or the served entity does not exist: compare with the endpoint's config", status=404),
    _Cause("the endpoint's rate limit or concurrency is used up: raise it, or ask when there is less load", status=429),
    _Cause("the served entity is not ready: look at its state and build logs", status=503),
    _Cause("the model raised an error: the served entity's logs have its traceback", status=500),
    _Cause("the model did not answer in the service's own time limit: look at the served entity's logs", status=504),
)


def diagnose(status: int | None, text: str) -> str | None:
    """The likely cause and what to do; None where none is known.

    Args:
        status: HTTP status; None where there was no answer.
        text: the body, or what happened instead, beginning with `TIMED_OUT` or `UNREACHED`.
    """
    return next((cause.advice for cause in _CAUSES if cause.explains(status, text)), None)

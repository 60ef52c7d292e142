"""Asks an endpoint, or one of its served entities, over plain HTTP: with deadlines, few retries, and nothing hidden.

databricks-sdk's own `query` retries for minutes and raises instead of giving status and body; a smoke query needs both.
Authentication stays the SDK's (`Config.authenticate`). Paths: `/serving-endpoints/{name}/invocations`, and below
`/served-models/{entity}/` for one entity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .smoke_diagnosis import TIMED_OUT, UNREACHED
from .waiting import Clock

if TYPE_CHECKING:
    import requests
    from databricks.sdk import WorkspaceClient

RETRIED_STATUSES = frozenset({429, 503})
SERVED_BY_HEADER = "served-model-name"
_LONGEST_BODY = 4_000_000
_LONGEST_PAUSE_SECONDS = 60.0
# A starting entity is asked steadily: it may be there a moment after the last answer.
_LONGEST_COLD_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait and how often to ask again."""

    timeout_seconds: float
    """For one answer of a warm entity."""
    warm_up_seconds: float
    """For the first answer of an entity: a scaled-to-zero one starts first."""
    retries: int
    """How often an answer of `retry_statuses`, or a broken connection, is asked again."""
    backoff_seconds: float
    """Before the first retry; twice as long before each further one."""
    retry_statuses: frozenset[int] = RETRIED_STATUSES
    """Statuses that may pass. A starting entity is always given those of `RETRIED_STATUSES` as well."""
    retry_seconds: float | None = None
    """No retry starts later than this after the question was first asked; None leaves it to `retries`."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    path: str
    status: int | None
    """HTTP status; None where there was none."""
    body: str
    """The body, or what happened instead."""
    served_by: str | None
    """The served entity that answered, where the service says so."""
    latency_ms: float
    """Of the last attempt."""
    attempts: int


class Asker:
    """Asks one endpoint. Counts what it sends."""

    def __init__(self, client: WorkspaceClient, endpoint: str, patience: Patience, clock: Clock) -> None:
        import requests

        self._client = client
        self._endpoint = endpoint
        self._patience = patience
        self._clock = clock
        self._session = requests.Session()
        # No .netrc and no environment credentials: the SDK's header is the only one.
        self._session.auth = self._sign
        self.sent = 0

    def ask(self, entity: str | None, body: str, *, expected_status: int, cold: bool) -> Answer:
        """One question, asked again only where that may help.

        Args:
            entity: the served entity that is asked directly; None asks the endpoint.
            body: JSON text.
            expected_status: an answer that is wanted is never asked again.
            cold: whether this is the first question to the entity: it is then asked until `warm_up_seconds` have
            passed.
        """
        below = "" if entity is None else f"/served-models/{entity}"
        path = f"/serving-endpoints/{self._endpoint}{below}/invocations"
        started = self._clock.now()
        limit = max(self._patience.warm_up_seconds, self._patience.timeout_seconds) if cold else None
        longest = _LONGEST_COLD_PAUSE_SECONDS if cold else _LONGEST_PAUSE_SECONDS
        retried = self._patience.retry_statuses | (RETRIED_STATUSES if cold else frozenset())
        pause, attempts = self._patience.backoff_seconds, 0
        while True:
            attempts += 1
            left = self._patience.timeout_seconds if limit is None else max(limit - (self._clock.now() - started), 1.0)
            answer, again_after = self._once(path, body, left, attempts, again=retried)
            if answer.status == expected_status or again_after is None:
                return answer
            wait = max(min(pause, longest), min(again_after, _LONGEST_PAUSE_SECONDS))
            out_of_time = limit is not None and self._clock.now() - started + wait >= limit
            out_of_tries = limit is None and attempts > self._patience.retries
            deadline = self._patience.retry_seconds if limit is None else None
            too_late = deadline is not None and self._clock.now() - started + wait > deadline
            if out_of_time or out_of_tries or too_late:
                return answer
            self._clock.sleep(wait)
            pause *= 2

    def _once(
        self, path: str, body: str, timeout: float, attempts: int, *, again: frozenset[int]
    ) -> tuple[Answer, float | None]:
        """One attempt, and after how many seconds another one may help; None where none would."""
        import requests

        started = self._clock.now()
        self.sent += 1
        status, served_by, again_after = None, None, None
        try:
            with self._session.post(
                f"{self._client.config.host}{path}",
                data=body.encode(),
                headers=self._headers(),
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                text = self._read(response, started + timeout)
                status, served_by = response.status_code, response.headers.get(SERVED_BY_HEADER)
                if status in again:
                    again_after = _seconds(response.headers.get("Retry-After"))
        except requests.ConnectTimeout as error:
            text, again_after = f"{UNREACHED}: {error}", 0.0
        except requests.Timeout:
            text = f"{TIMED_OUT} after {timeout:g} s"
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            text, again_after = f"{UNREACHED}: {error}", 0.0
        latency = (self._clock.now() - started) * 1000
        return (
            Answer(path=path, status=status, body=text, served_by=served_by, latency_ms=latency, attempts=attempts),
            again_after,
        )

    def _read(self, response: requests.Response, deadline: float) -> str:
        """The body, bounded in size and time: the time-out of a socket starts anew with every byte."""
        import requests

        chunks, size = [], 0
        for chunk in response.iter_content(65536):
            chunks.append(chunk)
            size += len(chunk)
            if size > _LONGEST_BODY:
                break
            if self._clock.now() > deadline:
                raise requests.ReadTimeout
        return b"".join(chunks).decode("utf-8", "replace")

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._client.config.workspace_id:
            headers["X-Databricks-Workspace-Id"] = self._client.config.workspace_id
        return headers

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._client.config.authenticate())
        return request


def _seconds(header: str | None) -> float:
    try:
        return max(float(header or 0), 0.0)
    except ValueError:
        # An HTTP date is allowed as well; the own pause is good enough for it.
        return 0.0

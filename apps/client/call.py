"""One prediction under way: what is sent, whether it is asked for again, what comes of it. No input, no output.

Both clients send and wait in their own way, and decide nothing: what an answer, a failure or the time means is decided
here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import httpx

from .answers import DeadlineError, PredictionError, Predictions, read_answer
from .credentials import CredentialsError
from .requests import Record, encode
from .retries import Attempts, RetryPolicy

DEADLINE_SECONDS = 60.0
_JSON = {"Content-Type": "application/json"}
_NEVER_BETTER = (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.DecodingError)


class Call:
    """The attempts for one request.

    Raises:
        ValueError: a record cannot be sent, or the deadline is none.
    """

    def __init__(
        self,
        url: str,
        records: Sequence[Record],
        policy: RetryPolicy,
        deadline_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.body = encode(records)
        self._url = url
        self._records = len(records)
        self._deadline_seconds = deadline_seconds
        self._attempts = Attempts(policy, deadline_seconds, clock)
        self._secrets: tuple[str, ...] = ()

    @property
    def seconds_left(self) -> float:
        """To the deadline; never 0, which httpx takes for "at once" and asyncio for "over"."""
        return max(self._attempts.seconds_left, 0.001)

    @property
    def is_late(self) -> bool:
        return self._attempts.seconds_left <= 0

    def headers(self, authorization: Mapping[str, str]) -> dict[str, str]:
        """The headers of the next attempt; what is in `authorization` appears in no error.

        Raises:
            CredentialsError: one cannot be sent. The HTTP library's own message would repeat it.
        """
        for name, value in authorization.items():
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise CredentialsError(
                    f"header {name} has a line break, a space at its end or another character that no header may "
                    "have: look at how the token was written into the environment or the profile"
                )
        self._secrets = tuple(value.rpartition(" ")[2] for value in authorization.values())
        return {**_JSON, **authorization}

    def failed(self, error: httpx.RequestError | TimeoutError) -> float:
        """Seconds to wait before asking again, after an attempt without an answer.

        Raises:
            DeadlineError: time is up.
            PredictionError: it will not get better, or was tried often enough.
        """
        seconds = None if isinstance(error, _NEVER_BETTER) else self._attempts.wait(None)
        if seconds is not None:
            return seconds
        made = self._attempts.made
        many = f"{made} attempt{'s' if made > 1 else ''}"
        if self.is_late or isinstance(error, httpx.TimeoutException | TimeoutError):
            message = f"{self._url} did not answer within {self._deadline_seconds:g} s, {many}"
            raise DeadlineError(message, attempts=made) from None
        reason = f"{type(error).__name__}: {self._without_secrets(str(error))}".rstrip(": ")
        raise PredictionError(f"{self._url} could not be reached ({reason}), {many}", attempts=made) from None

    def answered(self, status: int, headers: Mapping[str, str], body: bytes) -> Predictions | float:
        """The predictions, or the seconds to wait before asking again.

        Raises:
            RequestRefusedError: the request, the caller or the address is wrong.
            PredictionError: another answer that is no use, and no attempt or no time for another one.
        """
        seconds = self._attempts.wait(status, headers)
        if seconds is not None:
            return seconds
        text = body.decode(errors="replace")
        return read_answer(
            self._url,
            status,
            headers,
            # A prediction is left as it is, whatever it looks like.
            self._without_secrets(text) if status != httpx.codes.OK else text,
            records=self._records,
            attempts=self._attempts.made,
        )

    def _without_secrets(self, text: str) -> str:
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "[redacted]")
        return text


def checked_url(url: str) -> str:
    """`url`, which is the address of an endpoint. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"endpoint_url is `endpointUrl` of the stack's outputs, http or https; received {url!r}")
    return url

"""What went wrong, in words that end the search: what was being done, what the workspace said, and what to do.

Absent is not an error, an error is not absent: `AbsentError` stands for "the workspace looked and it is not there"
only. A refusal, a time-out or an answer that no workspace gives is a `WorkspaceError` of another kind, and nothing is
concluded from it.
Source of the classes: databricks-sdk 0.156.0 `errors/` (status and error code to class).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from databricks.sdk.errors.base import DatabricksError

Kind = Literal["absent", "denied", "unauthenticated", "refused", "conflict", "unavailable"]

# The SDK appends its configuration to 401 and 403 (secrets masked); it helps nobody here and makes the line unreadable.
_CONFIG_SUFFIX = re.compile(r"\. Config: host=.*$", re.DOTALL)
_LONGEST_MESSAGE = 600


class ProviderError(Exception):
    """A provider cannot do what was asked. The first line holds what matters: the engine's live row shows no more.

    Args:
        headline: what failed, on what, found and expected.
        details: further lines; the last one says what to do.
    """

    def __init__(self, headline: str, *details: str) -> None:
        super().__init__("\n".join([headline, *(f"  {line}" for detail in details for line in detail.splitlines())]))


class PartlyMadeError(ProviderError):
    """A create that made the thing, which then did not become what was asked: it goes into state as it is.

    Args:
        id_: its id.
        outs: its properties, as far as they are known.
    """

    def __init__(self, id_: str, outs: Mapping[str, object], headline: str, *details: str) -> None:
        super().__init__(headline, *details)
        self.id = id_
        self.outs = outs


class WorkspaceError(ProviderError):
    """The workspace did not do what it was asked, or could not be asked."""

    def __init__(self, kind: Kind, headline: str, *details: str) -> None:
        super().__init__(headline, *details)
        self.kind: Kind = kind

    @property
    def may_have_taken_effect(self) -> bool:
        """Whether a write may have happened in spite of this answer: nothing said that it was refused."""
        return self.kind == "unavailable"


class AbsentError(WorkspaceError):
    """The workspace answered that the thing is not there."""

    def __init__(self, headline: str, *details: str) -> None:
        super().__init__("absent", headline, *details)


_FIXES: dict[Kind, str] = {
    "denied": "ask the owner for the privilege that the message names, or use a principal that has it",
    "unauthenticated": "check DATABRICKS_TOKEN, or databricks:token in the stack file: it is wrong or has expired",
    "conflict": "something else is changing it: wait until that has ended, then run the same command again",
    "unavailable": "nothing is concluded from it: run the same command again, then look at the workspace's status",
}
_WORDS: dict[Kind, str] = {
    "absent": "not found",
    "denied": "permission denied",
    "unauthenticated": "not authenticated",
    "refused": "refused",
    "conflict": "conflict",
    "unavailable": "no usable answer",
}


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turns what the SDK raises inside into a `WorkspaceError` (or `AbsentError`) that says what was being done.

    Args:
        what: the call in words, for example `reading table main.ml.trips`.
    """
    import requests
    from databricks.sdk.errors.base import DatabricksError

    try:
        yield
    except DatabricksError as error:
        raise _translated(error, what) from None
    except json.JSONDecodeError:
        raise _failure("unavailable", what, "the answer is no JSON; is the host a Databricks workspace?") from None
    # The SDK gives up with TimeoutError when its own retries have used up their time.
    except (requests.RequestException, TimeoutError) as error:
        raise _failure("unavailable", what, _cause(error)) from None


def _translated(error: DatabricksError, what: str) -> WorkspaceError:
    message = _CONFIG_SUFFIX.sub("", str(error)).strip()
    message = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."
    kind = _kind(error, message)
    if kind == "absent":
        return AbsentError(f"{what}: {_WORDS[kind]}: {message}")
    return _failure(kind, what, message)


def _failure(kind: Kind, what: str, message: str) -> WorkspaceError:
    fix = _FIXES.get(kind)
    return WorkspaceError(kind, f"{what}: {_WORDS[kind]}: {message}", *([f"What to do: {fix}"] if fix else []))


def _kind(error: DatabricksError, message: str) -> Kind:
    from databricks.sdk import errors

    # A 404 of a proxy, or of a workspace that lacks the API, says nothing about the thing that was asked for.
    if isinstance(error, errors.NotFound):
        foreign = error.error_code == "ENDPOINT_NOT_FOUND" or message.startswith("unable to parse response")
        return "unavailable" if foreign else "absent"
    if isinstance(error, errors.Unauthenticated):
        return "unauthenticated"
    if isinstance(error, errors.PermissionDenied):
        return "denied"
    if isinstance(error, errors.ResourceConflict):
        return "conflict"
    if isinstance(error, errors.BadRequest):
        return "refused"
    return "unavailable"


def _cause(error: BaseException) -> str:
    cause = error.__cause__
    return f"{error}" if cause is None else f"{error} ({cause})"

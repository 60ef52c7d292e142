"""Who runs run as: what they are asked as inside the workspace, and the credentials that their processes get."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from workspace.clock import Clock
from workspace.http import Caller
from workspace.identity import acting_as
from workspace.jobs.work import TaskFailedError

TOKEN_SECONDS = 30 * 86_400


class RunAs:
    """Users and service principals as runs see them."""

    def __init__(
        self,
        clock: Clock,
        caller: Callable[[str], Caller | None],
        issue_token: Callable[[str, int, str], str],
        host: Callable[[], str | None],
    ) -> None:
        """`issue_token` takes a principal's name, a lifetime in seconds and a comment."""
        self._clock = clock
        self._caller = caller
        self._issue_token = issue_token
        self._host = host
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def acting_as(self, name: str) -> AbstractContextManager[object]:
        """Have what happens inside the block be asked by that principal; TaskFailedError where it is gone."""
        return acting_as(self._require(name))

    def variables(self, run_as: str) -> Mapping[str, str]:
        """The environment that official clients find the workspace by."""
        self._require(run_as)
        host = self._host()
        if host is None:
            raise TaskFailedError("the workspace has no address yet, so its tasks could not reach it")
        return {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": self._token(run_as)}

    def _require(self, name: str) -> Caller:
        caller = self._caller(name)
        if caller is None:
            raise TaskFailedError(
                f"the run-as identity '{name}' does not exist in this workspace: create it, or change run_as of the job"
            )
        return caller

    def _token(self, name: str) -> str:
        """One token for all tasks of a principal, renewed when half of its time is over."""
        with self._lock:
            token, issued = self._tokens.get(name, ("", float("-inf")))
            if self._clock.now() > issued + TOKEN_SECONDS / 2:
                token, issued = self._issue_token(name, TOKEN_SECONDS, "tasks of jobs"), self._clock.now()
                self._tokens[name] = (token, issued)
            return token

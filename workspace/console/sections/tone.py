"""What a state means to the reader, in one of five tones. The page shows the state's own word beside it, always."""

from __future__ import annotations

from enum import StrEnum


class Tone(StrEnum):
    GOOD = "good"
    BUSY = "busy"
    IDLE = "idle"
    WARN = "warn"
    BAD = "bad"


# The words of serving, online stores, pipelines, registry, monitors, jobs and alerts.
_TONES = {
    Tone.GOOD: "READY AVAILABLE COMPLETED SUCCESS ACTIVE MONITOR_STATUS_ACTIVE OK DEPLOYMENT_READY NOT_UPDATING",
    Tone.BUSY: "IN_PROGRESS STARTING UPDATING QUEUED INITIALIZING RUNNING PENDING BLOCKED WAITING_FOR_RETRY "
    "TERMINATING MONITOR_STATUS_PENDING DEPLOYMENT_CREATING DEPLOYMENT_RECOVERING PENDING_REGISTRATION",
    Tone.IDLE: "IDLE SKIPPED CANCELED DEPLOYMENT_ABORTED UPDATE_CANCELED UNKNOWN PAUSED STOPPED DELETING EXCLUDED",
    Tone.WARN: "NOT_READY TIMEDOUT UPSTREAM_FAILED UPSTREAM_CANCELED MAXIMUM_CONCURRENT_RUNS_REACHED "
    "SUCCESS_WITH_FAILURES",
    Tone.BAD: "TRIGGERED FAILED UPDATE_FAILED DEPLOYMENT_FAILED INTERNAL_ERROR ERROR MONITOR_STATUS_ERROR "
    "MONITOR_STATUS_FAILED FAILED_REGISTRATION UNHEALTHY",
}
_BY_WORD = {word: tone for tone, words in _TONES.items() for word in words.split()}


def tone(word: str) -> Tone:
    """The tone of a state; a word that is not known here is shown without judging it."""
    return _BY_WORD.get(word, Tone.IDLE)

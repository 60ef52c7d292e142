"""What a release says while it goes on: lines on the resource's row, entries of the transcript, points of the chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .chart import Sample
from .lease import ReleaseClock
from .machine import End, Outcome, Release, State
from .measures import Look
from .plan import Plan
from .split import Split, percent_of, shown
from .transcript import Transcript

_P95 = 0.95


class Narration:
    """Tells of one release. A transcript that cannot be written is said once, and is no reason to stop."""

    def __init__(
        self,
        release: Release,
        plan: Plan,
        transcript: Transcript,
        clock: ReleaseClock,
        *,
        say: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._release = release
        self._plan = plan
        self._transcript = transcript
        self._clock = clock
        self._say = say
        self._warn = warn
        self._unwritable = False
        self.history: list[str] = []
        """The entries, for the resource's outputs."""

    def putting(self, state: State, split: Split) -> None:
        self._say(f"{state.stage}: {shown(split)}")
        self._entry(f"{state.stage}: putting {shown(split)}")

    def waiting(self, split: Split, seconds: float) -> None:
        self._say(f"{shown(split)}: the endpoint is being updated ({seconds:.0f} s)")

    def applied(self, split: Split) -> None:
        percent = percent_of(split, self._release.candidate)
        self._sample(percent, f"{percent} %")
        self._entry(f"in force: {shown(split)}")

    def asking(self, entities: Sequence[str], queries: int) -> None:
        self._say(f"asking {', '.join(entities)} {queries} smoke quer{'y' if queries == 1 else 'ies'}")

    def passed(self, entities: Sequence[str], sent: int) -> None:
        self._entry(f"{', '.join(entities)} answered the smoke queries ({sent} sent)")

    def looked(self, state: State, look: Look, now: float) -> None:
        percent = percent_of(state.live, self._release.candidate)
        left = max(state.until - now, 0.0)
        gates = "; ".join(one.text() for one in look.judged) or "no gates"
        own = " of own queries" if look.direct else ""
        self._say(f"{percent} %: {look.candidate.requests:.0f} requests{own}, {left:.0f} s left; {gates}")
        stable = look.stable
        self._transcript.sample(
            Sample(
                now,
                percent,
                errors=look.candidate.error_rate,
                stable_errors=None if stable is None else stable.error_rate,
                latency_ms=look.candidate.latency_ms(_P95),
                stable_latency_ms=None if stable is None else stable.latency_ms(_P95),
            )
        )
        # Of every bake the last look, and whatever decides, is in the transcript.
        if left <= 0 or any(one.verdict == "fail" for one in look.judged):
            self._entry(f"{percent} %: {look.candidate.requests:.0f} requests{own}; {gates}")
        else:
            self._write()

    def unread(self, error: Exception) -> None:
        self._entry(f"no figures: {str(error).splitlines()[0]}")

    def failing(self, why: str) -> None:
        self._entry(f"failed: {why}")

    def note(self, text: str) -> None:
        self._entry(text)

    def ended(self, end: End) -> None:
        percent = percent_of(self._release.good, self._release.candidate)
        if end.outcome is Outcome.FAILED and self._transcript.samples:
            self._sample(percent, str(end.outcome))
        first = end.why.splitlines()[0] if end.why else ""
        self._entry(f"{end.outcome}{f': {first}' if first else ''}")

    def _sample(self, percent: int, label: str) -> None:
        self._transcript.sample(Sample(self._clock.wall(), percent, label=label))

    def _entry(self, text: str) -> None:
        self.history.append(text.splitlines()[0])
        self._written(lambda: self._transcript.add(self._clock.wall(), text))

    def _write(self) -> None:
        self._written(self._transcript.write)

    def _written(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if not self._unwritable:
                self._warn(f"the transcript cannot be written to {self._transcript.path}: {error}")
            self._unwritable = True

"""Notification destinations: another kind of destination is another object, and what was sent is never shown again."""

from collections.abc import Iterator, Mapping

from toolchain.provider.diff import Change, Entry
from toolchain.provider.state import mapping
from toolchain.provider.strategies.plain import Plain


class NotificationDestination(Plain):
    """The kind is the one block that ``config`` has."""

    def more_diffs(self, news: Mapping[str, object], state: Mapping[str, object]) -> Iterator[Entry]:
        kinds = set(mapping(news.get("config")))
        known = {kind for kind, value in mapping(state.get("config")).items() if value}
        if kinds and known and kinds != known:
            yield Entry("config", Change.UPDATE, True)

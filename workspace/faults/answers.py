"""Answers held back: the messages of an application, kept instead of sent."""

from __future__ import annotations

from starlette.types import Message, Send

Answer = list[Message]
"""The messages of one answer, its status in the first one."""


def keep_in(held: Answer) -> Send:
    """A `send` that adds what it is given to `held`, and sends nothing."""

    async def keep(message: Message) -> None:
        held.append(message)

    return keep

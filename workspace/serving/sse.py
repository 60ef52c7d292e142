"""Streams of answers: server-sent events on the wire, one document in the inference table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

EVENT_STREAM = "text/event-stream"
DONE = b"data: [DONE]\n\n"


def event(chunk: bytes) -> bytes:
    return b"data: " + chunk + b"\n\n"


def aggregated(chunks: Sequence[bytes]) -> bytes:
    """The chunks as one document: of a chat, the completion that they add up to; of a responses agent, its response.

    Docs "AI Gateway-enabled inference tables": for streams, the response aggregates the returned chunks. How is not
    documented for other models; theirs are the list of the chunks.
    """
    parsed = [json.loads(chunk) for chunk in chunks]
    if parsed and all(isinstance(one, dict) and one.get("object") == "chat.completion.chunk" for one in parsed):
        return json.dumps(_completion(parsed)).encode()
    done = [one for one in parsed if isinstance(one, dict) and one.get("type") == "response.output_item.done"]
    if done:
        return json.dumps({"object": "response", "output": [one["item"] for one in done]}).encode()
    return json.dumps(parsed).encode()


def _completion(chunks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk.get("choices") or []:
            index = choice.get("index", 0)
            empty: dict[str, Any] = {"role": "assistant", "content": ""}
            whole = choices.setdefault(index, {"index": index, "message": empty, "finish_reason": None})
            delta = choice.get("delta") or {}
            whole["message"]["role"] = delta.get("role") or whole["message"]["role"]
            whole["message"]["content"] += delta.get("content") or ""
            whole["finish_reason"] = choice.get("finish_reason") or whole["finish_reason"]
    usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    head: dict[str, Any] = {name: chunks[0][name] for name in ("id", "created", "model") if name in chunks[0]}
    completion: dict[str, Any] = {**head, "object": "chat.completion", "choices": list(choices.values())}
    return {**completion, "usage": usage[-1]} if usage else completion

"""Guardrails of AI Gateway that need no model: keywords that end a request, and personal data found by its form.

Docs "AI Gateway", AI Guardrails: invalid keywords by whole words, whatever their case; personal data blocked or masked.
The service finds it with Presidio; here its forms are looked for, with a check digit where there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from workspace.errors import ApiError
from workspace.http import Json

# What the documentation lists for the United States, as far as a form tells it.
FORMS = {
    "EMAIL_ADDRESS": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "US_SSN": re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"),
    "CREDIT_CARD": re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])"),
    "PHONE_NUMBER": re.compile(r"(?<![\d-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d-])"),
}


def check_input(guardrails: Json, body: bytes) -> bytes:
    """The request as it may go to the model. ApiError 400 where a guardrail ends it."""
    return _checked(guardrails.get("input") or {}, body, "input")


def check_output(guardrails: Json, body: bytes) -> bytes:
    """The answer as it may go to the caller. ApiError 400 where a guardrail holds it back."""
    return _checked(guardrails.get("output") or {}, body, "output")


def _checked(rules: Json, body: bytes, side: str) -> bytes:
    keywords = rules.get("invalid_keywords") or []
    behaviour = (rules.get("pii") or {}).get("behavior", "NONE")
    if not keywords and behaviour == "NONE":
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body  # the model refuses it in its own words
    texts = list(_texts(document))
    found = [word for word in keywords if any(_has_word(text, word) for text in texts)]
    if found:
        raise _triggered(side, "invalid_keywords", found)
    kinds = sorted({kind for text in texts for kind, _ in _personal(text)}) if behaviour != "NONE" else []
    if kinds and behaviour == "BLOCK":
        raise _triggered(side, "pii", kinds)
    return json.dumps(_masked(document)).encode() if kinds else body


def _triggered(side: str, category: str, found: list[str]) -> ApiError:
    """As the service words it: the guardrail's finding, as JSON, is the message."""
    finding = {
        f"{side}_guardrail": [{"flagged": True, "categories": {category: found}}],
        "finishReason": f"{side}_guardrail_triggered",
    }
    return ApiError(400, "BAD_REQUEST", json.dumps(finding))


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _personal(text: str) -> Iterator[tuple[str, str]]:
    for kind, form in FORMS.items():
        for match in form.finditer(text):
            if kind != "CREDIT_CARD" or _luhn(match.group()):
                yield kind, match.group()


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _texts(value: Any) -> Iterator[str]:
    """What is written in messages, prompts and answers, and nothing of what stands around it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("content", "text", "prompt", "input", "arguments") and isinstance(inner, str):
                yield inner
            elif isinstance(inner, dict | list):
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                yield from _texts(inner)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if isinstance(value, str):
        for kind, found in list(_personal(value)):
            value = value.replace(found, f"<{kind}>")
    return value

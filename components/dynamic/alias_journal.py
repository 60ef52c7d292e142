"""The journal of an alias's moves: what an entry holds, under which tag of a model version it is kept, and what can be
read from it again. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

COPIED_FROM = "promoted_from"
"""Tag of a version that was copied from another model: which version of which model, and what proved it there."""
NOTHING = ""


def journal_key(alias: str) -> str:
    """The tag of a version that holds its last move to `alias`; a dash is not allowed in a tag's key."""
    return f"promoted_{alias}".replace("-", "_")


def journal_entry(
    *, model: str, by: str, live: str | None, target: str, evidence: str | None, window_ms: float, reason: str = ""
) -> dict[str, Any]:
    """One move: who, when, from where, to where, on what evidence, why, and how long it went unguarded."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": by,
        # MLflow's copy_model_version copies tags as well: an entry says which model it is about.
        "model": model,
        "from": live or NOTHING,
        "to": target,
        "evidence": evidence or NOTHING,
        "window_ms": round(window_ms),
        **({"reason": reason} if reason else {}),
    }


def has_carried(tags: Mapping[str, str], model: str, version: str, alias: str) -> bool:
    """Whether the version's journal says that this version of this model has carried the alias."""
    entry = entry_in(tags.get(journal_key(alias)))
    return entry.get("model") == model and entry.get("to") == version


def evidence_in(text: str | None) -> str | None:
    """The digest in a tag: a journal entry's, or the tag's own text where it is a digest. None where there is none."""
    digest = entry_in(text).get("evidence", text)
    return digest if isinstance(digest, str) and digest.startswith("sha256:") else None


def entry_in(text: str | None) -> dict[str, Any]:
    """The JSON object in a tag; empty where there is none."""
    try:
        entry = json.loads(text or "")
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}

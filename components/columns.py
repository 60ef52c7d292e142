"""Columns that statements on inference tables, unpacked tables and metric tables have in common. Pure."""

from __future__ import annotations

from typing import Final

SERVED_ENTITY_ID: Final = "served_entity_id"
MODEL_VERSION: Final = "model_version"

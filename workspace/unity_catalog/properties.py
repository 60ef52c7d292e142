"""Table properties: any name a user likes, and the `delta.` ones that mean something to Delta.

Source: https://docs.databricks.com/delta/table-properties.html
"""

from __future__ import annotations

from collections.abc import Mapping

from workspace.errors import invalid

_BOOLEAN = {"delta.enableChangeDataFeed", "delta.appendOnly"}
_OTHER = {
    "delta.checkpointInterval",
    "delta.dataSkippingNumIndexedCols",
    "delta.deletedFileRetentionDuration",
    "delta.logRetentionDuration",
}
_KNOWN = {name.lower(): name for name in _BOOLEAN | _OTHER}


def checked(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties with Delta's own spelling of its names; 400 for a `delta.` name or value that is not carried
    out.
    """
    result: dict[str, str] = {}
    for name, value in properties.items():
        if not isinstance(value, str):
            raise invalid(f"table property '{name}' must be a string, received {value!r}")
        if not name.lower().startswith("delta."):
            result[name] = value
            continue
        known = _KNOWN.get(name.lower())
        if known is None:
            raise invalid(
                f"[DELTA_UNKNOWN_CONFIGURATION] Unknown configuration was specified: {name}. "
                f"The embedded workspace carries out {', '.join(sorted(_KNOWN.values()))}"
            )
        if known in _BOOLEAN and value.lower() not in ("true", "false"):
            raise invalid(f"table property '{known}' must be 'true' or 'false', received '{value}'")
        result[known] = value.lower() if known in _BOOLEAN else value
    return result

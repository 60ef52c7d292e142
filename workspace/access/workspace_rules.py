"""The workspace tree: a caller's own home and `/Shared` are his, the homes of others are not.

An assumption, for the tree keeps no access control lists of folders: what a new workspace gives (page "Access control
lists", section "Folder ACLs": all objects in a user's home folder are his, all users can manage what is in Shared).
"""

from __future__ import annotations

from workspace.access.rules import Rule
from workspace.errors import permission_denied
from workspace.http import Call

PATH = "/api/2.0/workspace"


def workspace_rules() -> list[Rule]:
    """Rules of notebooks, files and directories."""
    queried = [Rule(method="GET", path=f"{PATH}/{name}", check=_in_query) for name in ("export", "get-status", "list")]
    sent = [
        Rule(method="POST", path=f"{PATH}/{name}", check=_in_body, reads_body=True)
        for name in ("import", "mkdirs", "delete")
    ]
    return [*queried, *sent]


def require_folder(call: Call, path: str) -> None:
    """Raises ApiError 403 for what is in the home of somebody else, or at the top of the tree."""
    parts = [part for part in path.removeprefix("/Workspace").split("/") if part]
    own = len(parts) >= 2 and parts[0] == "Users" and parts[1].casefold() == call.caller.user_name.casefold()
    if not (own or parts[:1] == ["Shared"]):
        raise permission_denied(
            f"User {call.caller.user_name} does not have permission to {path}: /Users/{call.caller.user_name} and "
            "/Shared are open to him."
        )


def _in_query(call: Call) -> None:
    require_folder(call, call.query.get("path", ""))


def _in_body(call: Call) -> None:
    require_folder(call, str(call.body.get("path") or call.query.get("path") or ""))

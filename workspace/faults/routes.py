"""`/_workspace/faults`: make a rule, list the rules, remove one or all (docs/workspace.md shows how)."""

from __future__ import annotations

from starlette.routing import BaseRoute

from workspace.errors import not_found
from workspace.faults.rules import Rules
from workspace.http import Call, Json, api


class Faults:
    """The fault rules of a server, and the service that shows and changes them."""

    def __init__(self) -> None:
        self.rules = Rules()

    def routes(self) -> list[BaseRoute]:
        return [
            api("POST", "/_workspace/faults", lambda call: self.rules.add(call.body).shown()),
            api("GET", "/_workspace/faults", lambda _: {"faults": [rule.shown() for rule in self.rules.all()]}),
            api("DELETE", "/_workspace/faults", lambda _: {"removed": self.rules.clear()}),
            api("DELETE", "/_workspace/faults/{id}", self._remove),
        ]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def _remove(self, call: Call) -> Json:
        if not self.rules.remove(call.path["id"]):
            known = ", ".join(rule.id for rule in self.rules.all()) or "none"
            raise not_found(f"fault rule '{call.path['id']}' does not exist; the rules are: {known}")
        return {}

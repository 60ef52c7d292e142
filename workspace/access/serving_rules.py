"""Serving endpoints: CAN_VIEW, CAN_QUERY, CAN_MANAGE, and what an endpoint's creator needs in Unity Catalog.

Sources: page "Access control lists", section "Serving endpoint ACLs"; page "Manage model serving endpoints" (the
creator of an endpoint needs the rights to what it serves, also when somebody else changes it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from workspace.access.rules import CallerOf, Rights, Rule, listed
from workspace.errors import ApiError
from workspace.http import Call, Caller, Json
from workspace.unity_catalog.privileges import Privileges
from workspace.unity_catalog.securables import FUNCTION, SCHEMA

KIND = "serving-endpoints"
PATH = "/api/2.0/serving-endpoints"
VIEW, QUERY, MANAGE = "CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"

IdOf = Callable[[str], str | None]
"""The opaque id of an endpoint by its name, None where there is none."""
CreatorOf = Callable[[str], str | None]
RequireSecret = Callable[[Caller, str], None]
"""Raises ApiError 403 where a caller may not read the secrets of a scope; nothing for a scope that is not there."""
_SECRET = re.compile(r"\{\{secrets/([^/{}]+)/[^/{}]+\}\}")


class ServingRules:
    """Rules of the control plane and the data plane."""

    def __init__(
        self,
        rights: Rights,
        privileges: Privileges,
        id_of: IdOf,
        creator_of: CreatorOf,
        caller_of: CallerOf,
        require_secret: RequireSecret,
    ) -> None:
        self._rights = rights
        self._privileges = privileges
        self._id_of = id_of
        self._creator_of = creator_of
        self._caller_of = caller_of
        self._require_secret = require_secret

    def all(self) -> list[Rule]:
        one, invoked = f"{PATH}/{{name}}", "/serving-endpoints/{name}"
        entity = f"{one}/served-models/{{entity}}"
        return [
            self._on("POST", f"{invoked}/invocations", QUERY),
            self._on("POST", f"{invoked}/served-models/{{entity}}/invocations", QUERY),
            # The OpenAI client names the endpoint as the model.
            *(self._by_model(suffix) for suffix in ("chat/completions", "completions", "embeddings", "responses")),
            Rule(method="POST", path=PATH, check=self._may_create, reads_body=True, for_admins=True),
            Rule(method="GET", path=PATH, show=listed("endpoints", self._may_view)),
            Rule(method="GET", path=one, check=self._checked(VIEW), show=self._with_level),
            *(
                Rule(method="PUT", path=f"{one}/{part}", check=self._may_change, reads_body=True, for_admins=True)
                for part in ("config", "ai-gateway")
            ),
            *(self._on("PUT", f"{one}/{part}", MANAGE) for part in ("rate-limits",)),
            *(self._on("PATCH", f"{one}/{part}", MANAGE) for part in ("tags", "notifications", "telemetry-config")),
            self._on("DELETE", one, MANAGE),
            self._on("POST", "/_workspace/serving-endpoints/{name}/cancel-update", MANAGE),
            *(self._on("GET", path, VIEW) for path in (f"{one}/metrics", f"{entity}/build-logs", f"{entity}/logs")),
            self._on("GET", f"{one}/openapi", QUERY),
        ]

    def _on(self, method: str, path: str, level: str) -> Rule:
        return Rule(method=method, path=path, check=self._checked(level))

    def _by_model(self, suffix: str) -> Rule:
        def check(call: Call) -> None:
            self._require(call, str(call.body.get("model") or ""), QUERY)

        return Rule(method="POST", path=f"/serving-endpoints/{suffix}", check=check, reads_body=True)

    def _checked(self, level: str) -> Callable[[Call], None]:
        return lambda call: self._require(call, call.path["name"], level)

    def _require(self, call: Call, name: str, level: str) -> None:
        """Nothing for an endpoint that is not there: the service says so."""
        endpoint_id = self._id_of(name)
        if endpoint_id is not None:
            self._rights.require(call.caller, level, KIND, endpoint_id, name)

    def _may_view(self, call: Call, endpoint: Json) -> bool:
        return self._rights.has(call.caller, VIEW, KIND, str(endpoint["id"]))

    def _with_level(self, call: Call, endpoint: Json) -> Json:
        return {**endpoint, "permission_level": self._rights.level(call.caller, KIND, str(endpoint["id"]))}

    def _may_create(self, call: Call) -> None:
        config = call.body.get("config")
        self._require_served(call.caller, config if isinstance(config, dict) else {})
        self._require_payload_table(call.caller, call.body.get("ai_gateway"))

    def _may_change(self, call: Call) -> None:
        """By somebody who may manage it; what it serves then is served with the rights of its creator."""
        name = call.path["name"]
        self._require(call, name, MANAGE)
        creator = self._creator_of(self._id_of(name) or "")
        served_by = self._caller_of(creator) if creator else None
        if served_by is None:
            return
        self._require_payload_table(served_by, call.body)
        self._require_served(served_by, call.body)

    def _require_served(self, creator: Caller, config: Json) -> None:
        for name in _models(config):
            try:
                self._privileges.require(creator, "EXECUTE", FUNCTION, name)
            except ApiError as error:
                # A model that is not there is refused by the service, in its own words.
                if error.status not in (400, 404):
                    raise
        # The creator needs READ (page "Configure access to resources from model serving endpoints"). A secret that is
        # not there fails the deployment: when the service finds out is an assumption.
        for scope in sorted(set(_scopes(config))):
            self._require_secret(creator, scope)

    def _require_payload_table(self, creator: Caller, gateway: object) -> None:
        table = gateway.get("inference_table_config") if isinstance(gateway, dict) else None
        if not isinstance(table, dict) or not table.get("enabled"):
            return
        schema = f"{table.get('catalog_name')}.{table.get('schema_name')}".lower()
        try:
            self._privileges.require_create(creator, "CREATE_TABLE", SCHEMA, schema)
        except ApiError as error:
            if error.status not in (400, 404):
                raise


def _models(config: Json) -> Iterator[str]:
    """Full names of the models of Unity Catalog in a config."""
    for field, key in (("served_entities", "entity_name"), ("served_models", "model_name")):
        entities = config.get(field)
        for served in entities if isinstance(entities, list) else []:
            name = served.get(key) if isinstance(served, dict) else None
            if isinstance(name, str) and name.count(".") == 2 and not name.startswith("system."):
                yield name.lower()


def _scopes(value: object) -> Iterator[str]:
    """The secret scopes that a config refers to, wherever it does."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _scopes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scopes(item)
    elif isinstance(value, str):
        yield from _SECRET.findall(value)

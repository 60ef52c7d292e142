"""`EndpointSettings`: what the plugin sends when an endpoint is made and never again.

`ModelServing` takes e-mail notifications, a description and a budget policy; a later change of them "succeeds" without
a call. Notifications have an API of their own (`PATCH serving-endpoints/{name}/notifications`), and are kept in step
here. Description and budget policy have none, so a change of them is refused at preview instead of passed over. So is a
change of route optimisation under the old name: the new endpoint would be made before the old one is gone, and refused.
Source: databricks-sdk 0.156.0 `ServingEndpointsAPI`; the provider's resource_model_serving.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from ..arguments import Arguments
from .errors import AbsentError, WorkspaceError, asking
from .explicit_provider import WorkspaceResource
from .provider import Props, WorkspaceProvider, changed, guarded, known, without_provider

PROVIDER_VERSION = "1"
_NOTIFIED = ("on_update_success", "on_update_failure")
_FIXED = ("description", "budget_policy_id")


class EndpointSettingsProvider(WorkspaceProvider):
    """Keeps notifications in step; holds description, budget policy and route to what the endpoint was made with."""

    @guarded
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuses a change that the service has no call for; an address that is none."""
        inputs = without_provider(news)
        failures = []
        # Another endpoint is made with the new values.
        same = _olds.get("endpoint_name") is not None and known(inputs, "endpoint_name") == _olds["endpoint_name"]
        for name in _FIXED:
            before, after = (_olds.get(name) or ""), (known(inputs, name) or "")
            if same and before != after:
                failures.append(
                    self.failure(
                        name,
                        f"endpoint {_olds['endpoint_name']} was made with {name} {before!r}, and Databricks has no "
                        f"call "
                        f"that changes it to {after!r}: put {before!r} back, or give the endpoint a new name (the new "
                        "one answers before the old one goes)",
                    )
                )
        if same and bool(_olds.get("route_optimized")) != bool(inputs.get("route_optimized")):
            failures.append(self._other_route(_olds["endpoint_name"], bool(inputs.get("route_optimized"))))
        elif not _olds and inputs.get("route_optimized"):
            failures += self._made_otherwise(inputs["declared_name"])
        for name in _NOTIFIED:
            for address in known(inputs, name) or []:
                if "@" not in str(address):
                    failures.append(self.failure(name, f"{address!r} is no e-mail address"))
        return CheckResult(inputs, failures)

    @guarded
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        replaces = changed(_olds, _news, ("endpoint_name",))
        changes = changed(_olds, _news, (*_NOTIFIED, "provider_version"))
        return DiffResult(changes=bool(replaces or changes), replaces=replaces, delete_before_replace=False)

    @guarded
    def create(self, props: Props) -> CreateResult:
        inputs = without_provider(props)
        if inputs["on_update_success"] or inputs["on_update_failure"]:
            self._notify(inputs)
        return CreateResult(id_=inputs["endpoint_name"], outs=inputs)

    @guarded
    def read(self, id_: str, props: Props) -> ReadResult:
        """Who is notified now; gone where the endpoint is gone."""
        outs = without_provider(props)
        name = outs["endpoint_name"]
        try:
            with asking(f"reading endpoint {name}"):
                found = self.client.serving_endpoints.get(name)
        except AbsentError:
            return ReadResult(id_="", outs={})
        notified = found.email_notifications
        # The service is known to answer without the block; what is not said has not changed.
        if notified is not None:
            outs["on_update_success"] = list(notified.on_update_success or [])
            outs["on_update_failure"] = list(notified.on_update_failure or [])
        return ReadResult(id_=id_, outs=outs)

    @guarded
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        inputs = without_provider(_news)
        if changed(_olds, inputs, _NOTIFIED):
            self._notify(inputs)
        return UpdateResult(outs=inputs)

    @guarded
    def delete(self, _id: str, _props: Props) -> None:
        """Nobody is notified any more, where the endpoint outlives its settings."""
        if not _props["on_update_success"] and not _props["on_update_failure"]:
            return
        try:
            self._notify({**_props, "on_update_success": [], "on_update_failure": []})
        except AbsentError:
            return

    def _made_otherwise(self, endpoint: str) -> list[CheckFailure]:
        """An endpoint that is there without it; one that the workspace does not tell of is left to the update."""
        try:
            with asking(f"reading endpoint {endpoint}"):
                found = self.client.serving_endpoints.get(endpoint)
        except WorkspaceError:
            return []
        return [] if found.route_optimized else [self._other_route(endpoint, True)]

    def _other_route(self, endpoint: str, wanted: bool) -> CheckFailure:
        made, asked = ("without", "with") if wanted else ("with", "without")
        return self.failure(
            "route_optimized",
            f"endpoint {endpoint} was made {made} route optimisation, and Databricks has no call that changes it; "
            f"{asked} it is another endpoint: give it a new name too (it answers before the old one goes), or put the "
            "old value back",
        )

    def _notify(self, inputs: Props) -> None:
        name = inputs["endpoint_name"]
        lists = {key: list(inputs[key]) for key in _NOTIFIED}
        with asking(f"setting who is notified of endpoint {name}"):
            # Not through the SDK's own method: it leaves empty lists out, and a list that is left out may be kept.
            self.client.api_client.do(
                "PATCH", f"/api/2.0/serving-endpoints/{name}/notifications", body={"email_notifications": lists}
            )


@dataclass(frozen=True, kw_only=True)
class EndpointSettingsArgs(Arguments):
    """What an `EndpointSettings` is made of."""

    endpoint_name: pulumi.Input[str]
    """Name of the endpoint. Another one replaces the resource."""
    on_update_success: Sequence[str] = ()
    """E-mail addresses that hear of each successful update of the endpoint's config."""
    on_update_failure: Sequence[str] = ()
    """E-mail addresses that hear of each failed one."""
    description: str = ""
    """What the endpoint was made with; a change is refused."""
    budget_policy_id: str = ""
    """What the endpoint was made with; a change is refused."""
    route_optimized: bool = False
    """What the endpoint was made with; a change under its name is refused."""
    declared_name: str = ""
    """The endpoint's name as it is declared: known at preview also where the endpoint is not there yet."""
    provider_version: str = PROVIDER_VERSION
    """Version of the provider's behaviour; a new one shows as an update that changes nothing."""


class EndpointSettings(WorkspaceResource, module="serving", name="EndpointSettings"):
    """Notifications of a serving endpoint, and what it was made with for good."""

    endpoint_name: pulumi.Output[str]
    on_update_success: pulumi.Output[list[str]]
    on_update_failure: pulumi.Output[list[str]]

    def __init__(self, name: str, args: EndpointSettingsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props: dict[str, Any] = {
            "endpoint_name": args.endpoint_name,
            "on_update_success": list(args.on_update_success),
            "on_update_failure": list(args.on_update_failure),
            "description": args.description,
            "budget_policy_id": args.budget_policy_id,
            "provider_version": args.provider_version,
        }
        if args.route_optimized:
            props |= {"route_optimized": True, "declared_name": args.declared_name}
        super().__init__(EndpointSettingsProvider(), name, props, opts)

"""Rows for principals, tags and notification destinations."""

from typing import Final

from toolchain.provider.fields import block, boolean, text, texts
from toolchain.provider.schema import Call, Family, Field, Resource
from toolchain.provider.strategies.notifications import NotificationDestination
from toolchain.provider.strategies.plain import Plain
from toolchain.provider.strategies.scim import ENTITLEMENTS, Entitlements, ServicePrincipal

_TAGS: Final = "/api/2.1/unity-catalog/entity-tag-assignments"
_TAG: Final = f"{_TAGS}/{{entity_type}}/{{entity_name}}/tags/{{tag_key}}"
_DESTINATIONS: Final = "/api/2.0/notification-destinations"
_BY_STRATEGY: Final = Call(method="GET", path="/")

_ENTITLED: Final = tuple(boolean(name) for name in ENTITLEMENTS)

SERVICE_PRINCIPAL: Final = Resource(
    type="databricks:index/servicePrincipal:ServicePrincipal",
    family=Family.SDK,
    fields=(
        text("aclPrincipalId", computed=True),
        boolean("active", default=True),
        text("applicationId", computed=True, replaces=True),
        boolean("disableAsUserDeletion", local=True),
        text("displayName", computed=True),
        text("externalId"),
        text("home", computed=True),
        text("repos", computed=True),
        *_ENTITLED,
    ),
    id="{+answer_id}",
    create=_BY_STRATEGY,
    read=_BY_STRATEGY,
    update=_BY_STRATEGY,
    delete=_BY_STRATEGY,
    strategy=ServicePrincipal(),
)

ENTITLEMENTS_ROW: Final = Resource(
    type="databricks:index/entitlements:Entitlements",
    family=Family.SDK,
    fields=(
        text("servicePrincipalId", replaces=True),
        text("groupId", replaces=True),
        text("userId", replaces=True),
        *_ENTITLED,
    ),
    id="{+answer_identity}",
    create=_BY_STRATEGY,
    read=_BY_STRATEGY,
    update=_BY_STRATEGY,
    delete=_BY_STRATEGY,
    strategy=Entitlements(),
)

TAG_ASSIGNMENT: Final = Resource(
    type="databricks:index/entityTagAssignment:EntityTagAssignment",
    family=Family.FRAMEWORK,
    fields=(
        text("entity_name", required=True, replaces=True),
        text("entity_type", required=True, replaces=True),
        text("tag_key", required=True, replaces=True),
        text("tag_value"),
        text("source_type", output=True),
        text("update_time", output=True),
        text("updated_by", output=True),
    ),
    id="id",
    create=Call(method="POST", path=_TAGS, sends=("*",)),
    read=Call(method="GET", path=_TAG),
    update=Call(method="PATCH", path=_TAG, sends=("*",), query={"update_mask": "tag_value"}),
    delete=Call(method="DELETE", path=_TAG),
    id_in_state=False,
    strategy=Plain(),
)


def _hidden(*names: str) -> tuple[Field, ...]:
    """Values that go in and never come out, each with the server's word whether it has one."""
    return tuple(
        field
        for name in names
        for field in (text(name, keep=True, secret=True), boolean(f"{name}_set", computed=True, keep=True))
    )


DESTINATION: Final = Resource(
    type="databricks:index/notificationDestination:NotificationDestination",
    family=Family.SDK,
    fields=(
        text("display_name", required=True),
        block(
            "config",
            block("email", texts("addresses")),
            block("generic_webhook", *_hidden("password", "url", "username")),
            block("microsoft_teams", *_hidden("app_id", "auth_secret", "channel_url", "tenant_id", "url")),
            block("pagerduty", *_hidden("integration_key")),
            block("slack", *_hidden("channel_id", "oauth_token", "url")),
        ),
        text("destination_type", computed=True),
        text("id", wire="notificationDestinationId", computed=True),
    ),
    id="{+answer_id}",
    import_id=("", "id"),
    create=Call(method="POST", path=_DESTINATIONS, sends=("display_name", "config")),
    read=Call(method="GET", path=f"{_DESTINATIONS}/{{id}}"),
    update=Call(method="PATCH", path=f"{_DESTINATIONS}/{{id}}", sends=("display_name", "config")),
    delete=Call(method="DELETE", path=f"{_DESTINATIONS}/{{id}}"),
    id_in_state=False,
    strategy=NotificationDestination(),
)

ROWS: Final = (SERVICE_PRINCIPAL, ENTITLEMENTS_ROW, TAG_ASSIGNMENT, DESTINATION)

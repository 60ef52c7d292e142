"""Rows for who may do what: access lists, grants, secrets, service principals."""

from typing import Final

from toolchain.provider.fields import blocks, integer, text, texts
from toolchain.provider.schema import Call, Family, Field, Resource
from toolchain.provider.strategies.grants import SECURABLES, Grants
from toolchain.provider.strategies.permissions import TARGETS, Permissions
from toolchain.provider.strategies.plain import Plain
from toolchain.provider.strategies.secrets import Rewritten

_SECRETS: Final = "/api/2.0/secrets"
_NOWHERE: Final = Call(method="GET", path="/")
"""For types whose strategy sends every request itself."""

PERMISSIONS: Final = Resource(
    type="databricks:index/permissions:Permissions",
    family=Family.SDK,
    fields=(
        *(text(target.wire, replaces=True) for target in TARGETS),
        blocks(
            "access_control_list",
            text("group_name", any_case=True),
            text("permission_level"),
            text("service_principal_name", any_case=True),
            text("user_name", any_case=True),
            wire="accessControls",
            required=True,
            unordered=True,
        ),
        text("object_type", computed=True),
    ),
    id="{+answer_object_id}",
    create=_NOWHERE,
    read=_NOWHERE,
    update=_NOWHERE,
    delete=_NOWHERE,
    strategy=Permissions(),
)

_SECURABLE_FIELDS: Final[tuple[Field, ...]] = tuple(text(name, replaces=True) for name in SECURABLES)

GRANTS: Final = Resource(
    type="databricks:index/grants:Grants",
    family=Family.SDK,
    fields=(
        *_SECURABLE_FIELDS,
        blocks(
            "grants",
            text("principal", required=True),
            texts("privileges", required=True, unordered=True),
            required=True,
            unordered=True,
        ),
    ),
    id="{+answer_identity}",
    create=_NOWHERE,
    read=_NOWHERE,
    update=_NOWHERE,
    delete=_NOWHERE,
    strategy=Grants(),
)

GRANT: Final = Resource(
    type="databricks:index/grant:Grant",
    family=Family.SDK,
    fields=(
        *_SECURABLE_FIELDS,
        text("principal", required=True, replaces=True),
        texts("privileges", required=True, unordered=True),
    ),
    id="{+answer_identity}",
    create=_NOWHERE,
    read=_NOWHERE,
    update=_NOWHERE,
    delete=_NOWHERE,
    strategy=Grants(one_principal=True),
)

SECRET_SCOPE: Final = Resource(
    type="databricks:index/secretScope:SecretScope",
    family=Family.SDK,
    fields=(
        text("scope", wire="name", reads="name", replaces=True),
        text(
            "scope_backend_type",
            wire="backendType",
            reads="backend_type",
            computed=True,
            replaces=True,
            send_default="DATABRICKS",
        ),
        text("initial_manage_principal", replaces=True),
    ),
    id="{+scope}",
    import_id=("", "scope"),
    create=Call(method="POST", path=f"{_SECRETS}/scopes/create", sends=("*",)),
    read=Call(method="GET", path=f"{_SECRETS}/scopes/list", pick=("scopes", "name", "id")),
    update=None,
    delete=Call(method="POST", path=f"{_SECRETS}/scopes/delete", sends=("scope",)),
    strategy=Plain(),
)

SECRET: Final = Resource(
    type="databricks:index/secret:Secret",
    family=Family.SDK,
    fields=(
        text("scope", required=True, replaces=True),
        text("key", required=True, replaces=True),
        text("string_value", required=True, replaces=True, secret=True),
        text("config_reference", formula="{{secrets/{+scope}/{+key}}}", output=True),
        integer("last_updated_timestamp", output=True),
    ),
    id="{+scope}|||{+key}",
    create=Call(method="POST", path=f"{_SECRETS}/put", sends=("*",)),
    read=Call(method="GET", path=f"{_SECRETS}/list", query={"scope": "{+scope}"}, pick=("secrets", "key", "key")),
    update=None,
    delete=Call(method="POST", path=f"{_SECRETS}/delete", sends=("scope", "key")),
    strategy=Rewritten(),
)

SECRET_ACL: Final = Resource(
    type="databricks:index/secretAcl:SecretAcl",
    family=Family.SDK,
    fields=(
        text("scope", required=True, replaces=True),
        text("principal", required=True, replaces=True),
        text("permission", required=True, replaces=True),
    ),
    id="{+scope}|||{+principal}",
    import_id=("|||", "scope principal"),
    create=Call(method="POST", path=f"{_SECRETS}/acls/put", sends=("*",)),
    read=Call(method="GET", path=f"{_SECRETS}/acls/get", query={"scope": "{+scope}", "principal": "{+principal}"}),
    update=None,
    delete=Call(method="POST", path=f"{_SECRETS}/acls/delete", sends=("scope", "principal")),
    strategy=Rewritten(),
)

ROWS: Final = (PERMISSIONS, GRANTS, GRANT, SECRET_SCOPE, SECRET, SECRET_ACL)

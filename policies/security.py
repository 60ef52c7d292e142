"""Who may do what, and where credentials and personal data may not be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policies import sources
from policies.endpoints import DECLARES_ENTITIES, ENDPOINTS, declared
from policies.features import PERSONAL_DATA_TAGS, TAG_ASSIGNMENT
from policies.reading import UNKNOWN, Reader
from policies.rule import ADVISORY, CRITICAL, HIGH, MANDATORY, MEDIUM, ResourceRule, StackRule
from policies.subject import Stack, Subject

PERMISSIONS = "databricks:index/permissions:Permissions"
GRANTS = "databricks:index/grants:Grants"
GRANT = "databricks:index/grant:Grant"
SECRET = "databricks:index/secret:Secret"  # noqa: S105 - the name of a type
SECRET_ACL = "databricks:index/secretAcl:SecretAcl"  # noqa: S105 - the name of a type
JOB = "databricks:index/job:Job"
ABAC_POLICY = "databricks:index/policyInfo:PolicyInfo"
SECURABLES = (
    "catalog",
    "schema",
    "table",
    "volume",
    "model",
    "function",
    "credential",
    "externalLocation",
    "metastore",
)
EVERYBODY = ("users", "account users", "all users")
# What a task takes by name, by the block that has it.
_BY_NAME = {
    "notebookTask": "baseParameters",
    "pythonWheelTask": "namedParameters",
    "runJobTask": "jobParameters",
    "sqlTask": "parameters",
}
_WRITES = ("MODIFY", "MANAGE", "CREATE", "WRITE", "APPLY_TAG", "REFRESH")

# What is likely a credential by its name, a reference to a secret, and how tokens begin.
_CREDENTIAL = re.compile(r"token|password|passwd|secret|api_?key|access_?key|private_?key|credential", re.IGNORECASE)
_REFERENCE = re.compile(r"\{\{\s*secrets/[^/}]+/[^/}]+\s*\}\}")
# A name that says where a credential is, and not what it is.
_PLACE = re.compile(r"(?:scope|prefix|name|path|table|secret_?key)$", re.IGNORECASE)
_TOKEN = re.compile(
    r"\b(?:dapi[0-9a-f]{32}|dose[0-9a-f]{32}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk-[A-Za-z0-9_-]{20,})"
)


def _everybody(name: str | None) -> bool:
    return name is not None and name.casefold() in EVERYBODY


def _endpoint_acl(stack: Stack) -> Iterator[tuple[Subject, str]]:
    for endpoint in stack.of(*ENDPOINTS):
        own = [one for one in stack.of(PERMISSIONS) if _is_for(one, endpoint)]
        if not own:
            yield (
                endpoint,
                f"{endpoint.shown} has no Permissions, so who may query it is not said: declare one with "
                "servingEndpointId "
                "of the endpoint.",
            )
        for one in own:
            for _, entry in one.blocks("accessControls").known:
                group, level = one.reader.get(entry, "groupName"), one.reader.get(entry, "permissionLevel")
                if level == "CAN_MANAGE" and isinstance(group, str) and _everybody(group):
                    yield (
                        one,
                        f"group '{group}' is everybody, and may manage {endpoint.shown}: give it CAN_QUERY at most.",
                    )


def _is_for(permissions: Subject, endpoint: Subject) -> bool:
    """By what the id is made of, as long as it is not known; by the id itself afterwards."""
    given, own = (Reader().get(one.props, "servingEndpointId") for one in (permissions, endpoint))
    return permissions.is_made_of("servingEndpointId", endpoint) or (isinstance(given, str) and given == own)


endpoint_has_permissions = StackRule(
    id="POL-08",
    name="endpoint-has-permissions",
    description="Require a list of who may use an endpoint, without CAN_MANAGE for everybody.",
    remediation="Declare Permissions with servingEndpointId; give broad groups CAN_QUERY at most.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.SERVING_ACLS,
    check=_endpoint_acl,
)


def _literals(subject: Subject) -> Iterator[str]:
    if subject.type in DECLARES_ENTITIES:
        for entity in declared(subject).entities:
            if isinstance(entity.environment, Mapping):
                yield from _variables(entity.label, entity.environment, subject.reader)
            if isinstance(entity.external, Mapping):
                yield from _plaintext(f"{entity.label}.externalModel", entity.external, subject.reader)
    if subject.type == JOB:
        yield from _job_settings(subject)
    # A value that comes from another resource is no literal: nothing to tell where it is not known yet.
    for path, text in texts_of(subject.props, "", Reader()):
        if subject.type != SECRET and _TOKEN.search(text):
            yield (
                f"{path} holds an access token: put it in a secret scope, and write {{{{secrets/<scope>/<key>}}}} here."
            )


def _job_settings(subject: Subject) -> Iterator[str]:
    """What a job is given by name: who may view the job or a run of it reads all of it."""
    reader = subject.reader
    given = [("parameters", reader.get(one, "name"), one, "default") for _, one in subject.blocks("parameters").known]
    tasks = [(f"tasks[{number}]", task) for number, task in subject.blocks("tasks").known]
    clusters = [(f"jobClusters[{number}]", one) for number, one in subject.blocks("jobClusters").known]
    for path, kind, field, holder in (
        *((f"{path}.{kind}.{field}", kind, field, task) for path, task in tasks for kind, field in _BY_NAME.items()),
        *((f"{path}.newCluster.sparkEnvVars", "newCluster", "sparkEnvVars", one) for path, one in [*tasks, *clusters]),
    ):
        named = reader.block(reader.block(holder, kind), field)
        given += [(path, name, named, name) for name in named]
    for path, name, holder, field in given:
        # Only what may be a credential is looked at, and so told about where it is not known yet.
        value = reader.get(holder, field) if _is_credential(name) else None
        if isinstance(value, str) and value and not value.strip().startswith("{{"):
            yield (
                f"{path}: {name} is a literal, which everybody reads who may view the job: put it in a secret scope, "
                "and have the task read it there (dbutils.secrets.get), or write {{secrets/<scope>/<key>}} in "
                "sparkEnvVars."
            )


def _is_credential(name: object) -> bool:
    return isinstance(name, str) and _CREDENTIAL.search(name) is not None and _PLACE.search(name) is None


def _variables(label: str, variables: Mapping[str, Any], reader: Reader) -> Iterator[str]:
    for name in variables:
        value = reader.get(variables, name)
        if isinstance(value, str) and value and _CREDENTIAL.search(name) and not _REFERENCE.fullmatch(value):
            yield (
                f"environment variable {name} of {label} is a literal, which everybody reads who may view the "
                "endpoint: "
                f"put it in a secret scope, and write {{{{secrets/<scope>/<key>}}}}."
            )


def _plaintext(path: str, block: Mapping[str, Any], reader: Reader) -> Iterator[str]:
    for name in block:
        value = reader.get(block, name)
        if name.endswith("Plaintext") and value not in (None, "", UNKNOWN):
            yield (
                f"{path}.{name} holds a credential in the program: put it in a secret scope, and set "
                f"{name.removesuffix('Plaintext')} to {{{{secrets/<scope>/<key>}}}}."
            )
        elif isinstance(value, Mapping):
            yield from _plaintext(f"{path}.{name}", value, reader)


def texts_of(value: Any, path: str, reader: Reader) -> Iterator[tuple[str, str]]:
    """Every known text of a resource, or of a part of it that stands at `path`, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name in value:
            # What the engine keeps of dynamic providers is their code.
            if not str(name).startswith("__"):
                yield from texts_of(reader.get(value, name), f"{path}.{name}".lstrip("."), reader)
    elif isinstance(value, Sequence):
        for number, text in enumerate(Reader().texts({"list": value}, "list")):
            yield f"{path}[{number}]", text
        for number, block in Reader().blocks({"list": value}, "list").known:
            yield from texts_of(block, f"{path}[{number}]", reader)


no_secret_literals = ResourceRule(
    id="POL-16",
    name="no-secret-literals",
    description="Refuse credentials in environment variables, external models, jobs and other properties.",
    remediation="Put the value in a secret scope and refer to it as {{secrets/<scope>/<key>}}.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=CRITICAL,
    source=sources.ENVIRONMENT_VARIABLES,
    types=DECLARES_ENTITIES | {JOB, "databricks:index/alertV2:AlertV2"},
    check=_literals,
)


def _privileges(subject: Subject) -> Iterator[tuple[str, list[str]]]:
    """Principal and privileges of each grant; both in the words of Unity Catalog."""
    if subject.type == GRANT:
        blocks: list[Mapping[str, Any]] = [subject.props]
    else:
        blocks = [one for _, one in subject.blocks("grants").known]
    for block in blocks:
        principal = subject.reader.get(block, "principal")
        names = [name.upper().replace(" ", "_") for name in subject.reader.texts(block, "privileges")]
        yield (principal if isinstance(principal, str) else "(not known yet)"), names


def _everything(subject: Subject) -> Iterator[str]:
    for principal, names in _privileges(subject):
        if "ALL_PRIVILEGES" in names:
            yield (
                f"{principal} is granted ALL_PRIVILEGES, also those that come in future: name what is needed, such as "
                "USE_CATALOG, USE_SCHEMA, SELECT, EXECUTE."
            )


no_all_privileges = ResourceRule(
    id="POL-20",
    name="no-all-privileges",
    description="Refuse grants of ALL_PRIVILEGES.",
    remediation="Name the privileges that are needed.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.PRIVILEGES,
    types=frozenset({GRANT, GRANTS}),
    check=_everything,
)


def _broad_writes(subject: Subject) -> Iterator[str]:
    for principal, names in _privileges(subject):
        writes = [name for name in names if name.startswith(_WRITES)]
        if _everybody(principal) and writes:
            yield f"{principal} is everybody, and is granted {', '.join(writes)}: grant it to a group of its own."


no_writes_for_everybody = ResourceRule(
    id="POL-55",
    name="no-writes-for-everybody",
    description="Refuse grants that let everybody change data, models or tags.",
    remediation="Grant it to a group made for it.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.PRIVILEGES,
    types=frozenset({GRANT, GRANTS}),
    check=_broad_writes,
)


def _mixed(stack: Stack) -> Iterator[tuple[Subject, str]]:
    whole = {named: one for one in stack.of(GRANTS) for named in _securables(one)}
    for single in stack.of(GRANT):
        for named in _securables(single):
            if named in whole:
                yield (
                    single,
                    f"{named[0]} {named[1]} has both Grants ({whole[named].name}) and a Grant: Grants takes "
                    "away what it does "
                    "not list, so the two undo each other. Keep one style.",
                )


def _securables(subject: Subject) -> list[tuple[str, str]]:
    return [(kind, name.casefold()) for kind in SECURABLES if (name := subject.text(kind))]


grants_are_of_one_style = StackRule(
    id="POL-56",
    name="grants-are-of-one-style",
    description="Refuse Grants and Grant on one object: each takes away what the other gives.",
    remediation="Declare either one Grants, or a Grant for each principal.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.PRIVILEGES,
    check=_mixed,
)


def _replacement(subject: Subject) -> Iterator[str]:
    if not subject.options.delete_before_replace:
        yield (
            f"{subject.name} is replaced by making the new one first, and the deletion of the old one then "
            "takes away the "
            "new value: set the resource option delete_before_replace=True."
        )


secrets_are_deleted_before_replaced = ResourceRule(
    id="POL-57",
    name="secrets-are-deleted-before-replaced",
    description="Require delete_before_replace on secrets and their ACLs: a new value is deleted with the "
    "old one else.",
    remediation="Set the resource option delete_before_replace=True.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=CRITICAL,
    source=sources.SECRET_REPLACED,
    types=frozenset({SECRET, SECRET_ACL}),
    check=_replacement,
)


def _secret_acl(subject: Subject) -> Iterator[str]:
    principal, permission = subject.text("principal"), subject.text("permission")
    if _everybody(principal):
        yield (
            f"{principal} is everybody, and may {(permission or 'read').lower()} the scope's secrets: name "
            "one group or principal."
        )


secret_acl_is_narrow = ResourceRule(
    id="POL-58",
    name="secret-acl-is-narrow",
    description="Refuse access to a secret scope for everybody.",
    remediation="Give the ACL to one group or service principal.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=CRITICAL,
    source=sources.SECRETS,
    types=frozenset({SECRET_ACL}),
    check=_secret_acl,
)


def _managers(subject: Subject) -> Iterator[str]:
    for _, entry in subject.blocks("accessControls").known:
        user, level = subject.reader.get(entry, "userName"), subject.reader.get(entry, "permissionLevel")
        if level in ("CAN_MANAGE", "IS_OWNER") and isinstance(user, str):
            yield f"{level} is given to person {user}: give it to a group, so that it outlives a change of the team."


nobody_manages_alone = ResourceRule(
    id="POL-59",
    name="nobody-manages-alone",
    description="Refuse CAN_MANAGE and IS_OWNER for single persons.",
    remediation="Give the level to a group or service principal.",
    staging=ADVISORY,
    prod=ADVISORY,
    severity=MEDIUM,
    source=sources.SERVING_ACLS,
    types=frozenset({PERMISSIONS}),
    check=_managers,
)


def _by_name(stack: Stack) -> Iterator[tuple[Subject, str]]:
    names = {name for endpoint in stack.of(*ENDPOINTS) if (name := endpoint.text("name"))}
    for one in stack.of(PERMISSIONS):
        # The id itself is not known before the endpoint is there, and is what is wanted: nothing to tell.
        given = Reader().get(one.props, "servingEndpointId")
        if isinstance(given, str) and given in names:
            yield (
                one,
                f"servingEndpointId is the name '{given}': set it to the output servingEndpointId of the endpoint.",
            )


permissions_name_the_endpoint_by_id = StackRule(
    id="POL-60",
    name="permissions-name-the-endpoint-by-id",
    description="Refuse Permissions that name an endpoint by its name, where the service wants the opaque id.",
    remediation="Set servingEndpointId to the endpoint's output of that name.",
    staging=MANDATORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.PERMISSIONS_BY_ID,
    check=_by_name,
)


def _personal_data(stack: Stack) -> Iterator[tuple[Subject, str]]:
    tags = {tag.casefold() for tag in stack.option("tags")}
    masked = {name.casefold() for one in stack.of(ABAC_POLICY) if (name := one.text("onSecurableFullname"))}
    for tagged in stack.of(TAG_ASSIGNMENT):
        name, kind = tagged.text("entityName"), (tagged.text("entityType") or "").casefold()
        if (tagged.text("tagKey") or "").casefold() not in tags or name is None or kind not in ("tables", "columns"):
            continue
        table = (name.rpartition(".")[0] if kind == "columns" else name).casefold()
        parents = {".".join(table.split(".")[:length]) for length in (1, 2, 3)}
        grants = [one for one in stack.of(GRANT, GRANTS) if (one.text("table") or "").casefold() == table]
        broad = any(_everybody(principal) for one in grants for principal, _ in _privileges(one))
        if not masked & parents and (broad or not grants):
            why = "is granted to everybody" if broad else "has no grants of its own"
            yield (
                tagged,
                f"{name} is tagged as personal data, has no mask (PolicyInfo) and {why}: declare a mask for "
                "the table, its "
                "schema or its catalog, or Grants to the groups that need it.",
            )


personal_data_is_restricted = StackRule(
    id="POL-19",
    name="personal-data-is-restricted",
    description="Require a mask, or grants to named groups, for tables that are tagged as personal data.",
    remediation="Declare a PolicyInfo with a mask, or Grants to the groups that need the table.",
    staging=ADVISORY,
    prod=MANDATORY,
    severity=HIGH,
    source=sources.COLUMN_MASKS,
    options=PERSONAL_DATA_TAGS,
    check=_personal_data,
)

RULES = (
    endpoint_has_permissions,
    no_secret_literals,
    personal_data_is_restricted,
    no_all_privileges,
    no_writes_for_everybody,
    grants_are_of_one_style,
    secrets_are_deleted_before_replaced,
    secret_acl_is_narrow,
    nobody_manages_alone,
    permissions_name_the_endpoint_by_id,
)

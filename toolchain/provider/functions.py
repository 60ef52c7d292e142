"""The functions (``databricks.get_...``) that the stand-in answers: each is one GET, or two."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from toolchain.provider import state as states
from toolchain.provider.errors import PluginError
from toolchain.provider.schema import camel
from toolchain.provider.state import Properties
from toolchain.provider.text import listed
from toolchain.provider.workspace import ME, Workspace

_UC: Final = "/api/2.1/unity-catalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function: where it asks, and under which property the answer stands."""

    path: str
    arguments: tuple[str, ...] = ()
    """Required arguments, in wire names."""
    query: Mapping[str, str] = field(default_factory=dict)
    under: str = ""
    """Property that holds the answer; empty: the answer's fields stand at the top."""
    answer: str = ""
    """Key of the answer that is wanted."""
    id: str = ""
    """Template of the result's ``id``."""


FUNCTIONS: Final[Mapping[str, Function]] = {
    "getCurrentUser": Function(path=ME, id="{+id}"),
    "getRegisteredModel": Function(
        path=f"{_UC}/models/{{fullName}}",
        arguments=("fullName",),
        query={"include_aliases": "{+includeAliases}"},
        under="modelInfos",
    ),
    "getRegisteredModelVersions": Function(
        path=f"{_UC}/models/{{fullName}}/versions",
        arguments=("fullName",),
        under="modelVersions",
        answer="model_versions",
    ),
    "getTable": Function(path=f"{_UC}/tables/{{name}}", arguments=("name",), under="tableInfo", id="{+name}"),
    "getSchema": Function(path=f"{_UC}/schemas/{{name}}", arguments=("name",), under="schemaInfo", id="{+name}"),
    "getCatalog": Function(path=f"{_UC}/catalogs/{{name}}", arguments=("name",), under="catalogInfo", id="{+name}"),
    "getVolume": Function(path=f"{_UC}/volumes/{{name}}", arguments=("name",), under="volumeInfo", id="{+name}"),
    "getServingEndpoints": Function(path="/api/2.0/serving-endpoints", under="endpoints", answer="endpoints"),
    "getOnlineStore": Function(path="/api/2.0/feature-store/online-stores/{name}", arguments=("name",), id="{+name}"),
    "getMlflowExperiment": Function(
        path="/api/2.0/mlflow/experiments/get-by-name",
        arguments=("name",),
        query={"experiment_name": "{+name}"},
        answer="experiment",
        id="{+experiment_id}",
    ),
    "getSqlWarehouse": Function(path="/api/2.0/sql/warehouses/{id}", arguments=("id",), id="{+id}"),
}


def call(workspace: Workspace, token: str, arguments: Mapping[str, object]) -> Properties:
    """The result of the function ``token``.

    Raises:
        PluginError: it is none of the stand-in's, or an argument is missing.
        RestError: the workspace refused.
    """
    name = token.rsplit(":", 1)[-1]
    function = FUNCTIONS.get(name)
    if function is None:
        raise PluginError(
            f"the stand-in `databricks` plugin does not know the function `{name}`; it knows {listed(FUNCTIONS)}. Use "
            "the official plugin "
            "for this stack, or databricks-sdk in the program"
        )
    missing = [argument for argument in function.arguments if arguments.get(argument) in (None, "")]
    if missing:
        raise PluginError(f"{name} needs {listed(missing)}")
    path = states.template(function.path, arguments, where=name)
    query = {
        key: states.template(text, arguments, where=name)
        for key, text in function.query.items()
        if not states.is_zero(arguments.get(text.strip("{+}")))
    }
    answer = workspace.do("GET", path, query=query)
    found = answer.get(function.answer) if function.answer else answer
    result: Properties = {key: value for key, value in arguments.items() if value is not None}
    shaped = _wire(found if found is not None else [])
    if function.under:
        result[function.under] = shaped
    elif isinstance(shaped, Mapping):
        result.update(shaped)
    named = {**arguments, **states.mapping(found)}
    result["id"] = states.template(function.id, named, where=name) if function.id else name
    if name == "getCurrentUser":
        result |= _user(answer)
    return result


def _user(answer: Mapping[str, object]) -> Properties:
    """The data source's own names for what Me says."""
    name = str(answer.get("userName") or "")
    known = {"applicationId": answer.get("applicationId") or "", "externalId": answer.get("externalId") or ""}
    alphanumeric = "".join(letter if letter.isalnum() else "_" for letter in name.split("@")[0]).lower()
    paths = {
        "home": f"/Users/{name}",
        "repos": f"/Repos/{name}",
        "aclPrincipalId": f"users/{name}",
        "alphanumeric": alphanumeric,
    }
    return {"userName": name, **known, **paths}


def _wire(value: object) -> object:
    """Answers in Pulumi's names, at every depth; the keys of free-form maps are left alone."""
    if isinstance(value, Mapping):
        return {
            camel(str(key)): item if key in ("properties", "options") else _wire(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_wire(item) for item in value]
    return value

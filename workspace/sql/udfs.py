"""Functions that users define: CREATE FUNCTION ... RETURN expression, put in the place of their calls.

Sources: https://docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-sql-function.html;
`databricks.sdk.service.catalog.FunctionInfo`. Functions in Python are kept and shown; SQL here does not run them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from workspace.documents import Document, Documents
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.names import Session, constant_text
from workspace.sql.parsing import DIALECT, parse
from workspace.unity_catalog import types

KIND = "sql_function"
_DEEPEST = 20


class Functions:
    """Functions by full name, in lower case. One of a schema that was dropped is gone with it."""

    def __init__(self, documents: Documents, schema_id: Callable[[str], str | None]) -> None:
        self._documents = documents
        self._schema_id = schema_id

    def find(self, full_name: str) -> Document | None:
        found = self._documents.get(KIND, full_name.lower())
        if found is None or found["schema_id"] != self._schema_id(_schema(full_name)):
            return None
        return found

    def names(self, schema: str) -> list[str]:
        """Full names of the functions in the schema of this full name."""
        return [key for key, _ in self._documents.list(KIND, f"{schema.lower()}.") if self.find(key)]

    def create(self, full_name: str, body: Document, *, replace: bool, if_not_exists: bool, owner: str) -> None:
        """Raises SqlError where the name is taken or the schema is missing."""
        key = full_name.lower()
        schema_id = self._schema_id(_schema(key))
        if schema_id is None:
            raise SqlError("SCHEMA_NOT_FOUND", f"The schema `{_schema(key)}` cannot be found.", sql_state="42704")
        existing = self.find(key)
        if existing is not None and not replace:
            if if_not_exists:
                return
            raise SqlError(
                "ROUTINE_ALREADY_EXISTS",
                f"Cannot create the routine `{key}` because a routine of that name already exists.",
                sql_state="42723",
            )
        now = int(time.time() * 1000)
        identity = existing["function_id"] if existing else str(uuid.uuid4())
        created = existing["created_at"] if existing else now
        self._documents.put(
            KIND,
            key,
            {
                **body,
                "full_name": key,
                "schema_id": schema_id,
                "function_id": identity,
                "owner": existing["owner"] if existing else owner,
                "created_at": created,
                "updated_at": now,
            },
        )

    def drop(self, full_name: str) -> bool:
        """False where there is none."""
        return self.find(full_name) is not None and self._documents.delete(KIND, full_name.lower())

    def inline(self, tree: exp.Expression, session: Session, depth: int = 0) -> exp.Expression:
        """The tree with the body of each function of ours in the place of its calls."""
        if depth > _DEEPEST:
            raise SqlError("UDF_MAX_NESTED_DEPTH", f"functions call each other more than {_DEEPEST} deep")
        holder = exp.Paren(this=tree)
        # The innermost first: what is put in the place of a call has copies of its arguments.
        for node in reversed(list(holder.find_all(exp.Anonymous))):
            whole = _whole_call(node)
            full_name = _name_of(whole, node, session)
            found = self.find(full_name)
            if found is None:
                if whole is not node:
                    raise SqlError("UNRESOLVED_ROUTINE", f"Cannot resolve routine `{full_name}`.", sql_state="42883")
                continue
            whole.replace(self.called(found, list(node.expressions), session, depth))
        result: exp.Expression = holder.this
        return result

    def called(
        self, found: Document, given: Sequence[exp.Expression], session: Session, depth: int = 0
    ) -> exp.Expression:
        """The body of a function over its arguments."""
        if found["language"] != "SQL":
            raise unsupported(f"calling {found['full_name']}, a function in {found['language']}, in SQL")
        values = _bound(found, given)
        body = parse(f"SELECT {found['definition']}").expressions[0]
        catalog, schema, _ = found["full_name"].split(".")
        owner = Session(catalog, schema, session.user, now=session.now)
        body = self.inline(body, owner, depth + 1)
        holder = exp.Paren(this=body)
        for column in list(holder.find_all(exp.Column)):
            told = column.table.lower()
            if column.name.lower() in values and told in ("", found["full_name"].rpartition(".")[2]):
                column.replace(exp.Paren(this=values[column.name.lower()].copy()))
        return exp.Paren(this=exp.cast(holder.this, exp.DataType.build(found["returns"], dialect=DIALECT)))


def called_names(tree: exp.Expression, session: Session) -> list[str]:
    """Full names of what is called and is none of SQL's own functions: what users define, or nothing at all."""
    calls = list(tree.find_all(exp.Anonymous))
    return list(dict.fromkeys(_name_of(_whole_call(node), node, session) for node in calls))


def declaration(tree: exp.Create) -> Document:
    """What a CREATE FUNCTION says: parameters, return type, language, body. Raises SqlError."""
    language, returns, comment, deterministic = "SQL", None, None, False
    held = tree.args.get("properties")
    for item in held.expressions if held is not None else []:
        if isinstance(item, exp.ReturnsProperty) and isinstance(item.this, exp.DataType):
            returns = _type(item.this)
        elif isinstance(item, exp.LanguageProperty):
            language = item.name.upper()
        elif isinstance(item, exp.SchemaCommentProperty):
            comment = constant_text(item.this, "COMMENT")
        elif isinstance(item, exp.StabilityProperty):
            deterministic = item.name == "IMMUTABLE"
        else:
            raise unsupported(f"{item.sql('databricks')} in CREATE FUNCTION")
    body = tree.expression
    if language == "SQL" and isinstance(body, exp.Return):
        if isinstance(body.this, exp.Query):
            raise unsupported("CREATE FUNCTION ... RETURN of a query", "functions return an expression here")
        definition = body.this.sql("databricks")
    elif language == "PYTHON" and isinstance(body, exp.Heredoc):
        definition = body.name
    else:
        raise unsupported(f"CREATE FUNCTION ... LANGUAGE {language} of another form", "RETURN expression is there")
    if returns is None:
        raise unsupported("CREATE FUNCTION without RETURNS", "say which type it returns")
    return {
        "parameters": [_parameter(one) for one in tree.this.expressions],
        "returns": returns,
        "language": language,
        "definition": definition,
        "comment": comment,
        "deterministic": deterministic,
    }


def info(found: Document) -> Document:
    """The function as `FunctionInfo` of the Unity Catalog API."""
    catalog, schema, name = found["full_name"].split(".")
    python = found["language"] == "PYTHON"
    answer: dict[str, Any] = {
        "name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "full_name": found["full_name"],
        "data_type": types.type_name(types.parse(found["returns"])),
        "full_data_type": found["returns"].upper(),
        "input_params": {
            "parameters": [
                {
                    "name": one["name"],
                    "type_text": one["type"],
                    "type_name": types.type_name(types.parse(one["type"])),
                    "position": position,
                    "parameter_mode": "IN",
                    "parameter_type": "PARAM",
                    **({"parameter_default": one["default"]} if one.get("default") else {}),
                    **({"comment": one["comment"]} if one.get("comment") else {}),
                }
                for position, one in enumerate(found["parameters"])
            ]
        },
        "routine_body": "EXTERNAL" if python else "SQL",
        "routine_definition": found["definition"],
        "parameter_style": "S",
        "is_deterministic": found["deterministic"],
        "sql_data_access": "CONTAINS_SQL",
        "is_null_call": False,
        "security_type": "DEFINER",
        "specific_name": name,
        "owner": found["owner"],
        "function_id": found["function_id"],
        "created_at": found["created_at"],
        "updated_at": found["updated_at"],
    }
    if python:
        answer["external_language"] = "PYTHON"
    if found.get("comment"):
        answer["comment"] = found["comment"]
    return answer


def _parameter(definition: exp.Expression) -> Document:
    if not isinstance(definition, exp.ColumnDef) or definition.args.get("kind") is None:
        raise unsupported(f"{definition.sql('databricks')} as a parameter of a function")
    parameter: Document = {"name": definition.name.lower(), "type": _type(definition.args["kind"])}
    for constraint in definition.args.get("constraints") or []:
        rule = constraint.args["kind"]
        if isinstance(rule, exp.DefaultColumnConstraint):
            parameter["default"] = rule.this.sql("databricks")
        elif isinstance(rule, exp.CommentColumnConstraint):
            parameter["comment"] = constant_text(rule.this, "COMMENT")
        else:
            raise unsupported(f"{constraint.sql('databricks')} of a parameter")
    return parameter


def _type(kind: exp.DataType) -> str:
    text = kind.sql("databricks")
    try:
        return types.normalised(text)
    except types.TypeTextError as error:
        raise SqlError("UNSUPPORTED_DATATYPE", str(error), sql_state="0A000") from error


def _bound(found: Document, given: Sequence[exp.Expression]) -> dict[str, exp.Expression]:
    """The value of each parameter, cast to its type: by place, by name, or its default."""
    named = {one.this.name.lower(): one.expression for one in given if isinstance(one, exp.Kwarg)}
    placed = [one for one in given if not isinstance(one, exp.Kwarg)]
    parameters = found["parameters"]
    unknown = sorted(set(named) - {one["name"] for one in parameters})
    values: dict[str, exp.Expression] = {}
    for position, one in enumerate(parameters):
        value = placed[position] if position < len(placed) else named.get(one["name"])
        if value is None and one.get("default"):
            value = parse(f"SELECT {one['default']}").expressions[0]
        if value is not None:
            values[one["name"]] = exp.cast(value.copy(), exp.DataType.build(one["type"], dialect=DIALECT))
    if unknown or len(values) != len(parameters) or len(placed) > len(parameters):
        names = ", ".join(one["name"] for one in parameters)
        raise SqlError(
            "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
            f"The `{found['full_name']}` requires {len(parameters)} parameters ({names}) but the actual number is "
            f"{len(given)}.",
            sql_state="42605",
        )
    return values


def _whole_call(node: exp.Anonymous) -> exp.Expression:
    """The call with the names in front of it (`main.s.f(...)`)."""
    whole: exp.Expression = node
    while isinstance(whole.parent, exp.Dot) and whole.parent.expression is whole:
        whole = whole.parent
    return whole


def _name_of(whole: exp.Expression, node: exp.Anonymous, session: Session) -> str:
    names = [node.name]
    if isinstance(whole, exp.Dot):
        names = [*(part.name for part in whole.this.find_all(exp.Identifier, bfs=False)), node.name]
    names = [*([session.catalog, session.schema][: 3 - len(names)] if len(names) < 3 else []), *names]
    return ".".join(names).lower()


def _schema(full_name: str) -> str:
    return full_name.rpartition(".")[0]

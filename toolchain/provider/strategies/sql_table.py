"""SqlTable: a table made and changed by SQL statements on a warehouse, and read through the catalog API."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from toolchain.provider import state as states
from toolchain.provider.diff import Change, Entry
from toolchain.provider.errors import PluginError, RefusalError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Resource
from toolchain.provider.state import Properties, mapping, objects
from toolchain.provider.strategies.plain import Plain

_STATEMENTS: Final = "/api/2.0/sql/statements"
_ALIASES: Final = {
    "integer": "int",
    "long": "bigint",
    "dec": "decimal",
    "numeric": "decimal",
    "real": "float",
    "tinyint": "byte",
    "short": "smallint",
}


def quoted(name: object) -> str:
    return f"`{str(name).replace('`', '``')}`"


def text(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def full_name(properties: Mapping[str, object]) -> str:
    return ".".join(quoted(properties.get(key)) for key in ("catalogName", "schemaName", "name"))


def same_type(left: object, right: object) -> bool:
    """Whether two type names mean the same; Databricks has several words for some."""
    one, other = (str(name).strip().lower() for name in (left, right))
    return _ALIASES.get(one, one) == _ALIASES.get(other, other)


class SqlTable(Plain):
    """The statements and their order are the official plugin's."""

    def check(self, resource: Resource, inputs: Mapping[str, object]) -> Iterable[tuple[str, str]]:
        if inputs.get("warehouseId") is None:
            yield (
                "warehouseId",
                "the stand-in runs the statements on a SQL warehouse only, it starts no cluster; set `warehouseId`",
            )
        if inputs.get("tableType") == "VIEW" and inputs.get("viewDefinition") is None:
            yield "viewDefinition", "a view needs its `viewDefinition`"

    def more_diffs(self, news: Mapping[str, object], state: Mapping[str, object]) -> Iterator[Entry]:
        effective = mapping(state.get("effectiveProperties"))
        for key, value in mapping(news.get("properties")).items():
            if effective and effective.get(key) != value:
                yield Entry(f'effectiveProperties["{key}"]', Change.UPDATE if key in effective else Change.ADD, False)

    def _run(self, op: Operation, statement: str, properties: Mapping[str, object]) -> None:
        request = {
            "statement": statement,
            "warehouse_id": properties.get("warehouseId"),
            "wait_timeout": "50s",
            "on_wait_timeout": "CANCEL",
        }
        answer = op.workspace.do("POST", _STATEMENTS, body=request)
        status = mapping(answer.get("status"))
        if status.get("state") != "SUCCEEDED":
            why = mapping(status.get("error")).get("message") or "no reason given"
            raise PluginError(f"{op.what}: the statement ended {status.get('state')}: {why}; it was: {statement}")

    def preview(self, op: Operation) -> None:
        if op.state:
            list(_column_changes(op, "", objects(op.state.get("columns")), objects(op.inputs.get("columns"))))

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        self._run(op, _create_statement(planned), planned)
        if op.inputs.get("owner"):
            self._run(op, f"ALTER {_noun(planned)} {full_name(planned)} OWNER TO {quoted(planned['owner'])}", planned)
        return {}

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        op.id = op.id or states.template(op.resource.id, op.names(planned), where=op.what)
        current = op.send(op.resource.read, op.state)
        for statement in list(self._changes(op, planned, current)):
            self._run(op, statement, planned)
        return {}

    def _changes(self, op: Operation, planned: Properties, current: Properties) -> Iterator[str]:
        name, noun = full_name(planned), _noun(planned)
        if op.changed("owner") and planned.get("owner"):
            yield f"ALTER {noun} {name} OWNER TO {quoted(planned['owner'])}"
        if noun == "VIEW" and op.changed("viewDefinition"):
            yield f"ALTER VIEW {name} AS {planned['viewDefinition']}"
        if op.changed("clusterKeys"):
            keys = planned.get("clusterKeys")
            listed = ", ".join(quoted(key) for key in keys) if isinstance(keys, list) else ""
            yield f"ALTER TABLE {name} CLUSTER BY {f'({listed})' if listed else 'NONE'}"
        if op.changed("comment"):
            yield f"COMMENT ON {noun} {name} IS {text(planned.get('comment') or '')}"
        wanted = mapping(planned.get("properties"))
        gone = sorted(set(mapping(op.state.get("properties"))) - set(wanted))
        if gone:
            yield f"ALTER {noun} {name} UNSET TBLPROPERTIES IF EXISTS ({', '.join(text(key) for key in gone)})"
        if wanted and wanted != current.get("properties"):
            yield f"ALTER {noun} {name} SET TBLPROPERTIES ({_assignments(wanted)})"
        yield from _column_changes(op, name, objects(op.state.get("columns")), objects(planned.get("columns")))

    def send_read(self, op: Operation, known: Mapping[str, object]) -> Properties:
        """Twice, as the official plugin does."""
        op.send(op.resource.read, known)
        return op.send(op.resource.read, known)

    def shape(self, op: Operation, answer: Properties, planned: Mapping[str, object]) -> Properties:
        columns = [{**column, "type": column.get("type_text")} for column in objects(answer.get("columns"))]
        ours = {str(column.get("name")): column for column in objects(planned.get("columns"))}
        for column in columns:
            wanted = ours.get(str(column.get("name")), {}).get("type")
            if wanted is not None and same_type(wanted, column["type"]):
                column["type"] = wanted
        held = mapping(answer.get("properties"))
        declared = mapping(planned.get("properties"))
        shaped = {**answer, "columns": columns, "effective_properties": held}
        shaped["properties"] = {key: held[key] for key in declared if key in held} if op.inputs or op.state else held
        return shaped

    def send_delete(self, op: Operation) -> None:
        self._run(op, f"DROP {_noun(op.state)} {full_name(op.state)}", op.state)


def _noun(properties: Mapping[str, object]) -> str:
    return "VIEW" if str(properties.get("tableType")).upper() == "VIEW" else "TABLE"


def _assignments(properties: Mapping[str, object]) -> str:
    return ", ".join(f"{text(key)}={text(value)}" for key, value in sorted(properties.items()))


def _column(column: Mapping[str, object], *, with_type: bool = True) -> str:
    parts = [quoted(column.get("name"))]
    if with_type and column.get("type"):
        parts.append(str(column["type"]))
    identity = {"default": "GENERATED BY DEFAULT AS IDENTITY", "always": "GENERATED ALWAYS AS IDENTITY"}
    if column.get("identity"):
        parts.append(identity.get(str(column["identity"]), ""))
    if column.get("nullable") is False:
        parts.append("NOT NULL")
    if column.get("comment"):
        parts.append(f"COMMENT {text(column['comment'])}")
    return " ".join(part for part in parts if part)


def _create_statement(planned: Mapping[str, object]) -> str:
    kind = str(planned.get("tableType")).upper()
    start = {"VIEW": "CREATE VIEW", "EXTERNAL": "CREATE EXTERNAL TABLE"}.get(kind, "CREATE OR REPLACE TABLE")
    columns = objects(planned.get("columns"))
    inner = ", ".join(_column(column, with_type=kind != "VIEW") for column in columns)
    lines = [f"{start} {full_name(planned)}{f' ({inner})' if inner else ''}"]
    if kind != "VIEW":
        lines.append(f"USING {planned.get('dataSourceFormat') or 'DELTA'}")
    for key, clause in (("partitions", "PARTITIONED BY"), ("clusterKeys", "CLUSTER BY")):
        names = planned.get(key)
        if isinstance(names, list) and names:
            lines.append(f"{clause} ({', '.join(quoted(name) for name in names)})")
    if planned.get("comment"):
        lines.append(f"COMMENT {text(planned['comment'])}")
    if planned.get("properties"):
        lines.append(f"TBLPROPERTIES ({_assignments(mapping(planned['properties']))})")
    if planned.get("options"):
        lines.append(f"OPTIONS ({_assignments(mapping(planned['options']))})")
    if kind == "EXTERNAL" and planned.get("storageLocation"):
        credential = (
            f" WITH (CREDENTIAL {quoted(planned['storageCredentialName'])})"
            if planned.get("storageCredentialName")
            else ""
        )
        lines.append(f"LOCATION {text(planned['storageLocation'])}{credential}")
    if kind == "VIEW":
        lines.append(f"AS {planned.get('viewDefinition')}")
    return "\n".join(lines) + ";"


def _column_changes(op: Operation, name: str, olds: list[Properties], news: list[Properties]) -> Iterator[str]:
    before = {str(column.get("name")): column for column in olds}
    after = {str(column.get("name")): column for column in news}
    if not after:
        return
    for column in sorted(set(before) - set(after)):
        yield f"ALTER TABLE {name} DROP COLUMN IF EXISTS {quoted(column)}"
    previous = ""
    for column, wanted in after.items():
        old = before.get(column)
        if old is None:
            yield f"ALTER TABLE {name} ADD COLUMN {_column(wanted)} {f'AFTER {previous}' if previous else 'FIRST'}"
        else:
            if wanted.get("type") and not same_type(old.get("type"), wanted["type"]):
                raise RefusalError(
                    f"{op.what}: column `{column}` is {old.get('type')} and cannot become {wanted['type']} in place; "
                    "add a new column, or "
                    "replace the table (`replace_on_changes=['columns']`), which loses its rows"
                )
            if (old.get("comment") or "") != (wanted.get("comment") or ""):
                yield f"ALTER TABLE {name} ALTER COLUMN {quoted(column)} COMMENT {text(wanted.get('comment') or '')}"
            if (old.get("nullable") is False) != (wanted.get("nullable") is False):
                yield (
                    f"ALTER TABLE {name} ALTER COLUMN {quoted(column)} "
                    f"{'SET' if wanted.get('nullable') is False else 'DROP'} NOT NULL"
                )
        previous = column

"""CREATE and DROP of tables, views, schemas and catalogs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from workspace.identity.caller import current_caller
from workspace.sql import udfs
from workspace.sql.context import Context, nothing, only
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError, syntax_error, unsupported
from workspace.sql.names import constant_text, table_not_found, tables_of
from workspace.sql.translate import named_outputs
from workspace.unity_catalog.securables import SCHEMA
from workspace.unity_catalog.table import VIEW, Column, Table

_CREATE_PARTS = ("this", "kind", "exists", "replace", "expression", "properties", "with_")


@dataclass
class Declaration:
    """What a CREATE TABLE says of the table."""

    columns: list[Column] = field(default_factory=list)
    primary_key: list[str] = field(default_factory=list)
    primary_key_name: str | None = None
    timeseries: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    comment: str | None = None


def create(context: Context, tree: exp.Create) -> Result:
    kind = str(tree.args["kind"]).upper()
    only(tree, _CREATE_PARTS, f"CREATE {kind}")
    if kind == "TABLE":
        _create_table(context, tree)
    elif kind == "VIEW":
        _create_view(context, tree)
    elif kind in ("SCHEMA", "DATABASE"):
        _create_schema(context, tree)
    elif kind == "FUNCTION":
        _create_function(context, tree)
    else:
        raise unsupported(f"CREATE {kind}")
    return nothing()


def drop(context: Context, tree: exp.Drop) -> Result:
    kind = str(tree.args["kind"]).upper()
    only(tree, ("tables", "exists", "kind", "cascade", "restrict"), f"DROP {kind}")
    for name in tree.args["tables"]:
        if kind == "VIEW" and context.session.temporary_view(name) is not None:
            del context.session.views[name.name.lower()]
        elif kind in ("TABLE", "VIEW"):
            _drop_table(context, name, kind, exists=bool(tree.args.get("exists")))
        elif kind in ("SCHEMA", "DATABASE"):
            catalog, schema = context.session.schema_parts(name)
            if tree.args.get("exists") and not context.catalog.containers.has_schema(catalog, schema):
                continue
            context.catalog.containers.delete_schema(f"{catalog}.{schema}", force=bool(tree.args.get("cascade")))
        elif kind == "FUNCTION":
            full_name = context.session.full_name(name)
            found = context.functions.find(full_name)
            if found is not None and found["owner"] != context.session.user:
                schema_name = full_name.rpartition(".")[0]
                context.catalog.privileges.require_manage(current_caller(), SCHEMA, schema_name)
            if not context.functions.drop(full_name) and not tree.args.get("exists"):
                raise SqlError("ROUTINE_NOT_FOUND", f"The routine `{full_name}` cannot be found.", sql_state="42883")
        else:
            raise unsupported(f"DROP {kind}")
    return nothing()


def columns_of(definitions: Sequence[exp.Expression], declaration: Declaration, what: str) -> None:
    """Read column definitions and constraints into a declaration."""
    for definition in definitions:
        if isinstance(definition, exp.ColumnDef):
            declaration.columns.append(_column(definition, declaration, what))
        elif isinstance(definition, exp.Constraint):
            _constraint(definition, declaration)
        elif isinstance(definition, exp.PrimaryKey):
            primary_key(definition, declaration, None)
        else:
            raise unsupported(f"{definition.sql('databricks')} in {what}")


def primary_key(key: exp.PrimaryKey, declaration: Declaration, name: str | None) -> None:
    """Read `PRIMARY KEY (a, b TIMESERIES)` into a declaration."""
    for option in key.args.get("options") or []:
        if str(option).upper() not in ("NOT ENFORCED", "RELY", "NORELY"):
            raise unsupported(f"{option} of a primary key")
    if declaration.primary_key:
        raise SqlError("MULTIPLE_PRIMARY_KEYS", "a table has one primary key")
    declaration.primary_key_name = name
    for part in key.expressions:
        if isinstance(part, exp.TimeseriesKey):
            declaration.timeseries = part.this.name
        declaration.primary_key.append(part.this.name if isinstance(part, exp.TimeseriesKey) else part.name)


def _create_table(context: Context, tree: exp.Create) -> None:
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    only(target, ("this", "db", "catalog"), "CREATE TABLE")
    full_name = context.session.full_name(target)
    existing = context.tables.find(full_name)
    if existing is not None and tree.args.get("exists"):
        return
    declaration = Declaration()
    if isinstance(tree.this, exp.Schema):
        columns_of(tree.this.expressions, declaration, "CREATE TABLE")
    _read_properties(tree, declaration, "CREATE TABLE")
    rows: pa.Table | None = None
    if tree.expression is not None and tree.args.get("expression") is not None:
        if declaration.columns:
            raise unsupported("a column list in CREATE TABLE ... AS SELECT", "name the columns in the SELECT")
        result = context.query(named_outputs(tree.expression))
        rows = result.rows
        for column in result.columns:
            if column.type_text in ("void", "interval"):
                raise SqlError("DELTA_UNSUPPORTED_DATA_TYPES", f"column `{column.name}` has no type to store: CAST it")
            declaration.columns.append(Column(column.name, column.type_text))
    elif not declaration.columns:
        raise unsupported("CREATE TABLE without columns")
    context.tables.create(
        full_name,
        declaration.columns,
        primary_key=declaration.primary_key,
        primary_key_name=declaration.primary_key_name,
        timeseries=declaration.timeseries,
        properties=declaration.properties,
        comment=declaration.comment,
        rows=rows,
        partitions=declaration.partitions,
        replace=bool(tree.args.get("replace")),
    )


def _column(definition: exp.ColumnDef, declaration: Declaration, what: str) -> Column:
    only(definition, ("this", "kind", "constraints", "position", "exists"), what)
    kind = definition.args.get("kind")
    if kind is None:
        raise syntax_error(f"Syntax error: column {definition.name} has no type.")
    nullable, comment = True, None
    for constraint in definition.args.get("constraints") or []:
        rule = constraint.args["kind"]
        if isinstance(rule, exp.NotNullColumnConstraint):
            nullable = bool(rule.args.get("allow_null"))
        elif isinstance(rule, exp.CommentColumnConstraint):
            comment = constant_text(rule.this, "COMMENT")
        elif isinstance(rule, exp.PrimaryKeyColumnConstraint):
            declaration.primary_key.append(definition.name)
            declaration.primary_key_name = constraint.name or None
        else:
            raise unsupported(f"{rule.sql('databricks')} of column {definition.name}")
    return Column(definition.name, kind.sql("databricks"), nullable, comment)


def _constraint(constraint: exp.Constraint, declaration: Declaration) -> None:
    for rule in constraint.expressions:
        if not isinstance(rule, exp.PrimaryKey):
            raise unsupported(f"constraint {rule.sql('databricks')}")
        primary_key(rule, declaration, constraint.name)


def _read_properties(tree: exp.Create, declaration: Declaration, what: str) -> None:
    for item in _properties(tree):
        if isinstance(item, exp.SchemaCommentProperty):
            declaration.comment = constant_text(item.this, "COMMENT")
        elif isinstance(item, exp.FileFormatProperty):
            if item.name.upper() != "DELTA":
                raise unsupported(f"USING {item.name}", "tables are Delta tables")
        elif isinstance(item, exp.PartitionedByProperty):
            for part in item.this.expressions:
                # PARTITIONED BY (a INT) declares the column, too.
                if isinstance(part, exp.ColumnDef):
                    columns_of([part], declaration, what)
                elif not isinstance(part, exp.Identifier | exp.Column):
                    raise unsupported(f"PARTITIONED BY {part.sql('databricks')}", "name columns")
                declaration.partitions.append(part.name)
        elif type(item) is exp.Property:
            name, value = property_pair(item)
            declaration.properties[name] = value
        else:
            raise unsupported(f"{item.sql('databricks')} in {what}")


def _properties(tree: exp.Create) -> Iterator[exp.Expression]:
    held = tree.args.get("properties")
    yield from held.expressions if held is not None else []


def property_pair(item: exp.Property) -> tuple[str, str]:
    """`'a' = 'b'`, and `delta.x = true` without quotes."""
    value = item.args["value"]
    text = str(value.this).lower() if isinstance(value, exp.Boolean) else value.name
    return (item.this.name if isinstance(item.this, exp.Literal) else item.this.sql("databricks")), text


def _create_view(context: Context, tree: exp.Create) -> None:
    declaration, temporary = Declaration(), False
    for item in _properties(tree):
        if isinstance(item, exp.TemporaryProperty):
            temporary = True
        elif isinstance(item, exp.SchemaCommentProperty):
            declaration.comment = constant_text(item.this, "COMMENT")
        else:
            raise unsupported(f"{item.sql('databricks')} in CREATE VIEW")
    name = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    definition, columns = view_body(context, tree.expression, _view_columns(tree.this))
    if temporary:
        if name.db or name.catalog:
            raise SqlError(
                "TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS",
                f"CREATE TEMPORARY VIEW does not allow multi-part names: {name.sql('databricks')}",
                sql_state="428EK",
            )
        if name.name.lower() in context.session.views and not tree.args.get("replace"):
            raise SqlError("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", f"the temporary view `{name.name}` is there already")
        context.session.views[name.name.lower()] = definition
        return
    full_name = context.session.full_name(name)
    existing = context.tables.find(full_name)
    if existing is not None and tree.args.get("exists"):
        return
    if existing is not None and tree.args.get("replace"):
        replace_view(context, existing, columns, definition, declaration.comment)
        return
    context.tables.register_view(full_name, columns, definition, comment=declaration.comment)


def _view_columns(target: exp.Expression) -> list[tuple[str, str | None]] | None:
    """Names and comments of a view's column list."""
    if not isinstance(target, exp.Schema):
        return None
    found: list[tuple[str, str | None]] = []
    for item in target.expressions:
        comment = None
        for constraint in item.args.get("constraints") or []:
            if not isinstance(constraint.args["kind"], exp.CommentColumnConstraint):
                raise unsupported(f"{constraint.sql('databricks')} in CREATE VIEW")
            comment = constant_text(constraint.args["kind"].this, "COMMENT")
        found.append((item.name, comment))
    return found


def view_body(
    context: Context, query: exp.Expression, names: list[tuple[str, str | None]] | None = None
) -> tuple[str, list[Column]]:
    """A view's definition, with the names of its tables in full, and its columns."""
    query = named_outputs(query)
    for table in tables_of(query):
        if context.session.temporary_view(table) is not None:
            continue
        catalog, schema, name = context.session.parts(table)
        table.set("catalog", exp.to_identifier(catalog, quoted=True))
        table.set("db", exp.to_identifier(schema, quoted=True))
        table.set("this", exp.to_identifier(name, quoted=True))
    definition = query.sql("databricks")
    found = context.query(query.copy()).columns
    if names is None:
        return definition, [Column(column.name, column.type_text) for column in found]
    if len(names) != len(found):
        raise SqlError(
            "CREATE_VIEW_COLUMN_ARITY_MISMATCH",
            f"Cannot create view: {len(names)} view columns, {len(found)} data columns.",
            sql_state="21S01",
        )
    alias = exp.TableAlias(
        this=exp.to_identifier("named"), columns=[exp.to_identifier(name, quoted=True) for name, _ in names]
    )
    named = exp.select("*").from_(exp.Subquery(this=query, alias=alias))
    return named.sql("databricks"), [
        Column(name, column.type_text, True, comment) for (name, comment), column in zip(names, found, strict=True)
    ]


def replace_view(
    context: Context, existing: Table, columns: list[Column], definition: str, comment: str | None
) -> None:
    if existing.table_type != VIEW:
        raise SqlError("EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE", f"'{existing.full_name}' is a table, not a view")
    context.tables.drop(existing.full_name)
    context.tables.register_view(existing.full_name, columns, definition, comment=comment)


def _create_function(context: Context, tree: exp.Create) -> None:
    declared = udfs.declaration(tree)
    name = tree.this.this
    full_name = context.session.full_name(name)
    catalog, schema, _ = full_name.split(".")
    if context.catalog.containers.has_schema(catalog, schema):
        context.catalog.privileges.require_create(current_caller(), "CREATE_FUNCTION", SCHEMA, f"{catalog}.{schema}")
    if declared["language"] == "SQL":
        # What cannot be carried out is refused now, not when it is called.
        nulls = [exp.cast(exp.null(), one["type"], dialect="databricks") for one in declared["parameters"]]
        trial = {**declared, "full_name": full_name}
        context.query(exp.select(context.functions.called(trial, nulls, context.session)))
    context.functions.create(
        full_name,
        declared,
        replace=bool(tree.args.get("replace")),
        if_not_exists=bool(tree.args.get("exists")),
        owner=context.session.user,
    )


def _create_schema(context: Context, tree: exp.Create) -> None:
    catalog, schema = context.session.schema_parts(tree.this)
    comment = None
    for item in _properties(tree):
        if not isinstance(item, exp.SchemaCommentProperty):
            raise unsupported(f"{item.sql('databricks')} in CREATE SCHEMA")
        comment = constant_text(item.this, "COMMENT")
    if tree.args.get("exists") and context.catalog.containers.has_schema(catalog, schema):
        return
    context.catalog.containers.create_schema(
        {"name": schema, "catalog_name": catalog, "comment": comment}, context.session.user
    )


def _drop_table(context: Context, name: exp.Table, kind: str, *, exists: bool) -> None:
    full_name = context.session.full_name(name)
    table = context.tables.find(full_name)
    if table is None:
        if exists:
            return
        raise table_not_found(full_name)
    if (table.table_type == VIEW) != (kind == "VIEW"):
        raise SqlError(
            "WRONG_COMMAND_FOR_OBJECT_TYPE", f"`{full_name}` is a {table.table_type}: DROP {kind} does not drop it"
        )
    context.tables.drop(full_name)

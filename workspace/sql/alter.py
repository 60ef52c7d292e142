"""ALTER TABLE, COMMENT ON, and the words that sqlglot leaves unread."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import Token, TokenType, exp

from workspace.sql.authorization import require_table
from workspace.sql.context import Context, nothing, only
from workspace.sql.ddl import Declaration, columns_of, primary_key, property_pair, replace_view, view_body
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.names import constant_text
from workspace.unity_catalog import types
from workspace.unity_catalog.delta_log import Fields
from workspace.unity_catalog.table import Column, ForeignKey, Table


def alter(context: Context, tree: exp.Alter) -> Result:
    kind = str(tree.args["kind"]).upper()
    if kind == "VIEW":
        return _alter_view(context, tree)
    if kind != "TABLE":
        raise unsupported(f"ALTER {kind}")
    only(tree, ("this", "kind", "actions"), "ALTER TABLE")
    table = context.sources.known(context.session.full_name(tree.this))
    with context.tables.locked(table.full_name):
        for action in tree.args["actions"]:
            _act(context, table, action)
    return nothing()


def comment_on(context: Context, tree: exp.Comment) -> Result:
    kind = str(tree.args["kind"]).upper()
    only(tree, ("this", "kind", "expression"), f"COMMENT ON {kind}")
    text = None if isinstance(tree.expression, exp.Null) else constant_text(tree.expression, "COMMENT ON")
    if kind == "TABLE":
        context.tables.set_comment(context.sources.known(context.session.full_name(tree.this)).full_name, text)
        return nothing()
    if kind == "COLUMN" and isinstance(tree.this, exp.Column):
        named = exp.Table(
            this=tree.this.args["table"], db=tree.this.args.get("db"), catalog=tree.this.args.get("catalog")
        )
        table = context.sources.known(context.session.full_name(named))
        require_table(context.catalog, table.full_name, "MODIFY")
        change = _setting(tree.this.name, comment=text or "")
        context.tables.change_columns(table.full_name, "CHANGE COLUMN", change)
        return nothing()
    raise unsupported(f"COMMENT ON {kind}", "tables and columns take comments here")


def _alter_view(context: Context, tree: exp.Alter) -> Result:
    """ALTER VIEW name AS query: another definition under the same name."""
    only(tree, ("this", "kind", "actions"), "ALTER VIEW")
    view = context.sources.known(context.session.full_name(tree.this))
    (query,) = tree.args["actions"]
    if not isinstance(query, exp.Query) or not isinstance(query, exp.Expression):
        raise unsupported(f"ALTER VIEW ... {query.sql('databricks')}", "ALTER VIEW name AS query is there")
    definition, columns = view_body(context, query)
    replace_view(context, view, columns, definition, view.comment)
    return nothing()


def unset_properties(context: Context, name: exp.Table, words: list[Token]) -> Result:
    """`UNSET TBLPROPERTIES [IF EXISTS] ('a', 'b')`, from the word after UNSET TBLPROPERTIES on."""
    if_exists = [word.text.upper() for word in words[:2]] == ["IF", "EXISTS"]
    rest = words[2:] if if_exists else words
    keys = [word.text for word in rest if word.token_type == TokenType.STRING]
    marks = [word.token_type for word in rest if word.token_type != TokenType.STRING]
    if not keys or marks != [TokenType.L_PAREN, *[TokenType.COMMA] * (len(keys) - 1), TokenType.R_PAREN]:
        raise unsupported("UNSET TBLPROPERTIES with anything but quoted names in parentheses")
    context.tables.unset_properties(context.session.full_name(name), keys, if_exists=if_exists)
    return nothing()


def _act(context: Context, table: Table, action: exp.Expression) -> None:
    full_name = table.full_name
    if isinstance(action, exp.AlterSet):
        only(action, ("expressions",), "ALTER TABLE ... SET")
        pairs = [item for held in action.expressions for item in _pairs(held)]
        context.tables.set_properties(full_name, dict(pairs))
    elif isinstance(action, exp.ColumnDef):
        _add_columns(context, table, [action])
    elif isinstance(action, exp.Schema):
        _add_columns(context, table, action.expressions)
    elif isinstance(action, exp.AddConstraint):
        for constraint in action.expressions:
            _add_constraint(context, table, constraint)
    elif isinstance(action, exp.Drop) and str(action.args["kind"]).upper() == "CONSTRAINT":
        _drop_constraint(context, table, action)
    elif isinstance(action, exp.Command) and f"{action.this} {action.expression}".upper() == "DROP PRIMARY KEY":
        context.tables.drop_primary_key(full_name)
    elif isinstance(action, exp.AlterColumn):
        _alter_column(context, table, action)
    elif isinstance(action, exp.RenameColumn) or (isinstance(action, exp.Drop) and "COLUMN" in action.args["kind"]):
        renaming = isinstance(action, exp.RenameColumn)
        what = "RENAME" if renaming else "DROP"
        raise SqlError(
            f"DELTA_UNSUPPORTED_{what}_COLUMN",
            f"{what} COLUMN is not supported for your Delta table {full_name}: it needs column mapping, which the "
            "embedded workspace does not carry out. Make the table anew: CREATE OR REPLACE TABLE ... AS SELECT.",
            sql_state="0AKDC",
        )
    else:
        raise unsupported(f"ALTER TABLE ... {action.sql('databricks')}")


def _pairs(held: exp.Expression) -> list[tuple[str, str]]:
    if not isinstance(held, exp.Properties):
        raise unsupported(f"ALTER TABLE ... SET {held.sql('databricks')}")
    return [property_pair(item) for item in held.expressions]


def _add_columns(context: Context, table: Table, definitions: list[exp.Expression]) -> None:
    declaration = Declaration()
    columns_of(definitions, declaration, "ADD COLUMN")
    if declaration.primary_key or any(not column.nullable for column in declaration.columns):
        raise unsupported(
            "ADD COLUMN ... NOT NULL", "rows that are there have no value: add it, fill it, then SET NOT NULL"
        )
    for definition, column in zip(definitions, declaration.columns, strict=True):
        if table.column(column.name) is not None:
            if definition.args.get("exists"):
                continue
            raise SqlError(
                "FIELD_ALREADY_EXISTS",
                f"Cannot add column, because `{column.name}` already exists in {table.full_name}",
            )
        context.tables.change_columns(table.full_name, "ADD COLUMNS", _inserting(column, definition))


def _inserting(column: Column, definition: exp.Expression) -> Callable[[Fields], Fields]:
    position = definition.args.get("position")

    def change(fields: Fields) -> Fields:
        index = len(fields)
        if position is not None and position.args["position"].upper() == "FIRST":
            index = 0
        elif position is not None:
            index = _index(fields, position.this.name) + 1
        metadata = {"comment": column.comment} if column.comment else {}
        added = {"name": column.name, "type": _delta(column), "nullable": True, "metadata": metadata}
        return [*fields[:index], added, *fields[index:]]

    return change


def _delta(column: Column) -> types.DeltaType:
    try:
        return types.parse(column.type_text)
    except types.TypeTextError as error:
        raise SqlError("UNSUPPORTED_DATATYPE", str(error)) from error


def _add_constraint(context: Context, table: Table, constraint: exp.Expression) -> None:
    if not isinstance(constraint, exp.Constraint | exp.PrimaryKey):
        raise unsupported(f"ADD {constraint.sql('databricks')}")
    declaration = Declaration()
    rules = constraint.expressions if isinstance(constraint, exp.Constraint) else [constraint]
    if len(rules) == 1 and isinstance(rules[0], exp.ForeignKey):
        context.tables.add_foreign_key(table.full_name, _foreign_key(context, table, rules[0], constraint.name))
        return
    for rule in rules:
        if not isinstance(rule, exp.PrimaryKey):
            raise unsupported(f"ADD CONSTRAINT {rule.sql('databricks')}", "PRIMARY KEY and FOREIGN KEY are there")
        primary_key(rule, declaration, constraint.name if isinstance(constraint, exp.Constraint) else None)
    context.tables.set_primary_key(
        table.full_name, declaration.primary_key, timeseries=declaration.timeseries, name=declaration.primary_key_name
    )


def _foreign_key(context: Context, table: Table, rule: exp.ForeignKey, name: str) -> ForeignKey:
    """`FOREIGN KEY (a) REFERENCES parent [(b)]`; informational, as on Databricks."""
    only(rule, ("expressions", "reference"), "FOREIGN KEY")
    reference = rule.args["reference"]
    for option in reference.args.get("options") or []:
        if str(option).upper() not in ("NOT ENFORCED", "RELY", "NORELY"):
            raise unsupported(f"{option} of a foreign key")
    target = reference.this
    named = target.this if isinstance(target, exp.Schema) else target
    parent = context.session.full_name(named)
    require_table(context.catalog, parent, "READ")
    columns = [column.name for column in rule.expressions]
    return ForeignKey(
        name or f"{table.name}_{named.name}_fk",
        columns,
        context.sources.known(parent).full_name,
        [column.name for column in target.expressions] if isinstance(target, exp.Schema) else [],
    )


def _drop_constraint(context: Context, table: Table, action: exp.Drop) -> None:
    (name,) = (dropped.name for dropped in action.args["tables"])
    if any(key.name.lower() == name.lower() for key in table.foreign_keys):
        context.tables.drop_foreign_key(table.full_name, name)
        return
    if table.primary_key_name is None or table.primary_key_name.lower() != name.lower():
        if action.args.get("exists"):
            return
        raise SqlError(
            "DELTA_CONSTRAINT_DOES_NOT_EXIST", f"Cannot drop nonexistent constraint {name} from {table.full_name}"
        )
    context.tables.drop_primary_key(table.full_name)


def _alter_column(context: Context, table: Table, action: exp.AlterColumn) -> None:
    only(action, ("this", "allow_null", "drop", "comment"), "ALTER COLUMN")
    column = table.column(action.name)
    if column is None:
        raise SqlError("UNRESOLVED_COLUMN.WITH_SUGGESTION", f"`{action.name}` is not a column of {table.full_name}")
    comment = action.args.get("comment")
    if comment is not None:
        context.tables.change_columns(
            table.full_name, "CHANGE COLUMN", _setting(column.name, comment=constant_text(comment, "COMMENT"))
        )
        return
    if action.args.get("allow_null") is None:
        raise unsupported(action.sql("databricks"))
    nullable = bool(action.args["allow_null"])
    if nullable and column.name in table.primary_key:
        raise SqlError(
            "INVALID_PARAMETER_VALUE", f"column {column.name} is part of the primary key of {table.full_name}"
        )
    if not nullable:
        rows = context.tables.delta(table.full_name).to_pyarrow_table(columns=[column.name])
        if rows.column(0).null_count:
            raise SqlError(
                "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
                f"{rows.column(0).null_count} rows of {table.full_name} have NULL in {column.name}: fill them first",
            )
    context.tables.change_columns(table.full_name, "CHANGE COLUMN", _setting(column.name, nullable=nullable))


def _setting(name: str, *, comment: str | None = None, nullable: bool | None = None) -> Callable[[Fields], Fields]:
    def change(fields: Fields) -> Fields:
        field = fields[_index(fields, name)]
        if comment is not None:
            field["metadata"] = {**field["metadata"], "comment": comment}
        if nullable is not None:
            field["nullable"] = nullable
        return fields

    return change


def _index(fields: Fields, name: str) -> int:
    for index, field in enumerate(fields):
        if field["name"].lower() == name.lower():
            return index
    raise SqlError("UNRESOLVED_COLUMN.WITH_SUGGESTION", f"`{name}` is not a column of the table")

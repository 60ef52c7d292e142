"""INSERT, UPDATE, DELETE and TRUNCATE, each in one commit."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from sqlglot import exp

from workspace.sql.context import Context, only, rows_of
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.names import Session
from workspace.sql.rows import ROW, Changes, writable
from workspace.sql.storing import stored
from workspace.sql.translate import named_outputs
from workspace.unity_catalog.table import Column, Table


def insert(context: Context, tree: exp.Insert) -> Result:
    only(tree, ("this", "expression", "overwrite", "by_name", "with_", "where"), "INSERT")
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    only(target, ("this", "db", "catalog"), "INSERT")
    table = writable(context, target, "INSERT")
    query = tree.expression
    if tree.args.get("with_") is not None:
        query.set("with_", tree.args["with_"])
    if any(node.name.upper() == "DEFAULT" for node in query.find_all(exp.Var)):
        raise unsupported("DEFAULT as a value", "columns that are not named become NULL")
    with context.tables.locked(table.full_name):
        result = context.query(named_outputs(query))
        columns = _insert_columns(tree, table, result)
        rows = stored(result, columns, table.full_name)
        if tree.args.get("where") is not None:
            _replace_where(context, table, tree.args["where"], rows)
        elif tree.args.get("overwrite"):
            context.tables.overwrite(table.full_name, rows)
        else:
            context.tables.append(table.full_name, rows)
    return rows_of({"num_affected_rows": "bigint", "num_inserted_rows": "bigint"}, (rows.num_rows, rows.num_rows))


def _replace_where(context: Context, table: Table, condition: exp.Expression, rows: pa.Table) -> None:
    """Delete the rows that a condition holds for and add others, in one commit; each of these must meet it."""
    name = exp.Table(this=exp.to_identifier(table.name, quoted=True))
    changes = Changes.of(context, table)
    given = context.cursor.register(rows)
    outside = exp.select("*").from_(
        exp.Table(this=exp.to_identifier(given, quoted=True), alias=alias_of(context.session, name))
    )
    met = exp.Coalesce(this=exp.Paren(this=condition.copy()), expressions=[exp.false()])
    if context.query(outside.where(exp.Not(this=met)).limit(1)).rows.num_rows:
        raise SqlError(
            "DELTA_REPLACE_WHERE_MISMATCH",
            f"Written data does not conform to partial table overwrite condition or constraint "
            f"'{condition.sql('databricks')}'.",
            sql_state="44000",
        )
    changes.delete(numbered_query(context, changes, name, exp.Where(this=condition), []))
    changes.inserted.append(rows.select(changes.before.schema.names).cast(changes.before.schema))
    changes.commit(context, "WRITE")


def update(context: Context, tree: exp.Update) -> Result:
    only(tree, ("this", "expressions", "where"), "UPDATE")
    table = writable(context, tree.this, "UPDATE")
    with context.tables.locked(table.full_name):
        changes = Changes.of(context, table)
        columns, values = assignments(table, tree.expressions)
        context_query = numbered_query(context, changes, tree.this, tree.args.get("where"), values)
        changes.update(context_query, columns)
        counts = changes.commit(context, "UPDATE")
    return rows_of({"num_affected_rows": "bigint"}, (counts["updated"],))


def delete(context: Context, tree: exp.Delete) -> Result:
    only(tree, ("this", "where"), "DELETE")
    table = writable(context, tree.this, "DELETE")
    with context.tables.locked(table.full_name):
        changes = Changes.of(context, table)
        changes.delete(numbered_query(context, changes, tree.this, tree.args.get("where"), []))
        counts = changes.commit(context, "DELETE")
    return rows_of({"num_affected_rows": "bigint"}, (counts["deleted"],))


def truncate(context: Context, tree: exp.TruncateTable) -> Result:
    only(tree, ("expressions",), "TRUNCATE TABLE")
    for name in tree.expressions:
        delete(context, exp.Delete(this=name))
    return rows_of({})


def assignments(table: Table, pairs: Sequence[exp.Expression]) -> tuple[list[Column], list[exp.Expression]]:
    """`SET a = x, b = y` as columns and values."""
    columns, values = [], []
    for pair in pairs:
        if not isinstance(pair, exp.EQ) or not isinstance(pair.this, exp.Column):
            raise unsupported(f"SET {pair.sql('databricks')}", "columns are set, not their fields")
        if isinstance(pair.expression, exp.Column | exp.Var) and pair.expression.name.upper() == "DEFAULT":
            raise unsupported("DEFAULT as a value")
        columns.append(column_of(table, pair.this.name))
        values.append(pair.expression)
    names = [column.name for column in columns]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise SqlError("DUPLICATE_ASSIGNMENTS", f"The columns {sorted(doubled)} are assigned more than once")
    return columns, values


def column_of(table: Table, name: str) -> Column:
    column = table.column(name)
    if column is None:
        listed = ", ".join(f"`{found.name}`" for found in table.columns)
        raise SqlError(
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
            f"A column with name `{name}` cannot be resolved in {table.full_name}. Did you mean one of: {listed}?",
            sql_state="42703",
        )
    return column


def alias_of(session: Session, name: exp.Table) -> exp.TableAlias:
    return name.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name.name, quoted=True))


def numbered_query(
    context: Context,
    changes: Changes,
    target: exp.Table,
    where: exp.Where | None,
    values: Sequence[exp.Expression],
) -> Result:
    """The numbers of the target's rows that a condition holds for, and values computed from each."""
    source = context.cursor.register(changes.numbered())
    alias = alias_of(context.session, target)
    number = exp.column(ROW, table=alias.this.copy())
    projections = [exp.alias_(value.copy(), f"__value_{index}") for index, value in enumerate(values)]
    select = exp.Select(expressions=[number, *projections]).from_(
        exp.Table(this=exp.to_identifier(source, quoted=True), alias=alias.copy())
    )
    if where is not None:
        select.set("where", where.copy())
    return context.query(select)


def _insert_columns(tree: exp.Insert, table: Table, result: Result) -> list[Column]:
    """Which column each value goes to."""
    if tree.args.get("by_name"):
        return [column_of(table, column.name) for column in result.columns]
    if isinstance(tree.this, exp.Schema):
        columns = [column_of(table, name.name) for name in tree.this.expressions]
    else:
        columns = list(table.columns)
    if len(columns) != len(result.columns):
        few = "NOT_ENOUGH" if len(result.columns) < len(columns) else "TOO_MANY"
        raise SqlError(
            f"INSERT_COLUMN_ARITY_MISMATCH.{few}_DATA_COLUMNS",
            f"Cannot write to `{table.full_name}`, the reason is {few.lower().replace('_', ' ')} data columns: "
            f"Table columns: {', '.join(column.name for column in columns)}. "
            f"Data columns: {', '.join(column.name for column in result.columns)}.",
            sql_state="21S01",
        )
    return columns

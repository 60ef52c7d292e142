"""MERGE INTO, with all of its clauses, in one commit.

Source: https://docs.databricks.com/sql/language-manual/delta-merge-into.html
"""

from __future__ import annotations

from sqlglot import exp

from workspace.sql.context import Context, only, rows_of
from workspace.sql.dml import alias_of, assignments, column_of
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.rows import ROW, Changes, writable
from workspace.unity_catalog.table import Column, Table


def merge(context: Context, tree: exp.Merge) -> Result:
    """Raises SqlError where more than one row of the source would change one row of the target."""
    only(tree, ("this", "using", "on", "whens", "with_"), "MERGE")
    table = writable(context, tree.this, "MERGE")
    with context.tables.locked(table.full_name):
        changes = Changes.of(context, table)
        _Merge(context, tree, table, changes).run()
        counts = changes.commit(context, "MERGE")
    columns = ("num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows")
    values = (sum(counts.values()), counts["updated"], counts["deleted"], counts["inserted"])
    return rows_of(dict.fromkeys(columns, "bigint"), values)


class _Merge:
    def __init__(self, context: Context, tree: exp.Merge, table: Table, changes: Changes) -> None:
        self._context = context
        self._tree = tree
        self._table = table
        self._changes = changes
        self._target = exp.Table(
            this=exp.to_identifier(context.cursor.register(changes.numbered()), quoted=True),
            alias=alias_of(context.session, tree.this).copy(),
        )
        self._source_alias = self._alias_of_source()
        self._source_columns: list[Column] = []
        self._source = self._number_source()

    def run(self) -> None:
        whens = self._tree.args["whens"].expressions
        matched = [when for when in whens if when.args.get("matched")]
        absent = [when for when in whens if not when.args.get("matched") and not when.args.get("source")]
        orphaned = [when for when in whens if not when.args.get("matched") and when.args.get("source")]
        self._check_matches(matched)
        for earlier, when in _with_earlier(matched):
            self._change(when, self._joined(), self._is(earlier, when))
        for earlier, when in _with_earlier(absent):
            self._insert(when, self._is(earlier, when))
        for earlier, when in _with_earlier(orphaned):
            self._change(when, self._unmatched(self._target, self._source), self._is(earlier, when))

    def _change(self, when: exp.When, select: exp.Select, condition: exp.Expr | None) -> None:
        """Update or delete rows of the target."""
        number = exp.column(ROW, table=self._target.args["alias"].this.copy())
        select = select if condition is None else select.where(condition)
        action = when.args["then"]
        if isinstance(action, exp.Var) and action.name.upper() == "DELETE":
            # A row may be deleted by several rows of the source; it is deleted once.
            self._changes.delete(self._context.query(select.select(number).distinct()))
            return
        if not isinstance(action, exp.Update):
            raise unsupported(f"{action.sql('databricks')} in MERGE")
        if _is_star(action.expressions):
            columns = [column_of(self._table, column.name) for column in self._source_columns]
            values: list[exp.Expression] = [self._source_column(column.name) for column in self._source_columns]
        else:
            columns, values = assignments(self._table, action.expressions)
        projections = [exp.alias_(value.copy(), f"__value_{index}") for index, value in enumerate(values)]
        self._changes.update(self._context.query(select.select(number, *projections)), columns)

    def _insert(self, when: exp.When, condition: exp.Expr | None) -> None:
        action = when.args["then"]
        if not isinstance(action, exp.Insert):
            raise unsupported(f"{action.sql('databricks')} in WHEN NOT MATCHED")
        if isinstance(action.this, exp.Star):
            columns = [column_of(self._table, column.name) for column in self._source_columns]
            values: list[exp.Expression] = [self._source_column(column.name) for column in self._source_columns]
        else:
            if action.this is None:
                raise unsupported("INSERT without columns in MERGE", "name the columns, or use INSERT *")
            columns = [column_of(self._table, name.name) for name in action.this.expressions]
            values = list(action.expression.expressions)
        if len(columns) != len(values):
            raise SqlError(
                "INSERT_COLUMN_ARITY_MISMATCH", f"{len(columns)} columns and {len(values)} values in MERGE's INSERT"
            )
        select = self._unmatched(self._source, self._target)
        if condition is not None:
            select = select.where(condition)
        projections = [exp.alias_(value.copy(), f"__value_{index}") for index, value in enumerate(values)]
        self._changes.insert(self._context.query(select.select(*projections)), columns)

    def _joined(self) -> exp.Select:
        return exp.Select().from_(self._target.copy()).join(self._source.copy(), on=self._on())

    def _unmatched(self, kept: exp.Table, other: exp.Table) -> exp.Select:
        """Rows of one side that no row of the other matches."""
        partner = exp.Select(expressions=[exp.Literal.number(1)]).from_(other.copy()).where(self._on())
        return exp.Select().from_(kept.copy()).where(exp.Not(this=exp.Exists(this=partner)))

    def _check_matches(self, matched: list[exp.When]) -> None:
        """One row of the target, one row of the source that changes it; unless all that happens is that it goes."""
        only_deletes = len(matched) == 1 and isinstance(matched[0].args["then"], exp.Var)
        if not matched or (only_deletes and matched[0].args.get("condition") is None):
            return
        conditions = [when.args.get("condition") for when in matched]
        touched = (
            None if any(c is None for c in conditions) else exp.or_(*(c.copy() for c in conditions if c is not None))
        )
        number = exp.column(ROW, table=self._target.args["alias"].this.copy())
        select = self._joined().select(number).group_by(number.copy()).having("count(*) > 1").limit(1)
        if touched is not None:
            select = select.where(touched)
        if self._context.query(select).rows.num_rows:
            raise SqlError(
                "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE",
                "Cannot perform Merge as multiple source rows matched and attempted to modify the same target row in "
                f"the Delta table `{self._table.full_name}` in possibly conflicting ways. "
                "Make the source unique on the keys of ON.",
                sql_state="21506",
            )

    def _is(self, earlier: list[exp.When], when: exp.When) -> exp.Expr | None:
        """Whether this is the first of its clauses that applies."""
        parts: list[exp.Expr] = []
        for other in earlier:
            condition = other.args.get("condition")
            if condition is None:
                raise SqlError(
                    "NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION", "only the last of its WHEN clauses omits its condition"
                )
            # What is NULL does not apply either.
            parts.append(exp.Not(this=exp.Coalesce(this=exp.Paren(this=condition.copy()), expressions=[exp.false()])))
        if when.args.get("condition") is not None:
            parts.append(exp.Paren(this=when.args["condition"].copy()))
        return exp.and_(*parts) if parts else None

    def _on(self) -> exp.Expression:
        on: exp.Expression = self._tree.args["on"].copy()
        return on

    def _alias_of_source(self) -> exp.TableAlias:
        using = self._tree.args["using"]
        if isinstance(using, exp.Table):
            return alias_of(self._context.session, using)
        alias = using.args.get("alias")
        return alias if alias is not None else exp.TableAlias(this=exp.to_identifier("__using", quoted=True))

    def _number_source(self) -> exp.Table:
        """Compute the source once: it may be a query whose rows come in another order the second time."""
        using = self._tree.args["using"].copy()
        if isinstance(using, exp.Table):
            using.set("alias", None)
            query = exp.select("*").from_(using)
        else:
            query = using.this
        if self._tree.args.get("with_") is not None:
            query.set("with_", self._tree.args["with_"].copy())
        result = self._context.query(query)
        self._source_columns = [Column(column.name, column.type_text) for column in result.columns]
        name = self._context.cursor.register(result.rows)
        return exp.Table(this=exp.to_identifier(name, quoted=True), alias=self._source_alias.copy())

    def _source_column(self, name: str) -> exp.Expression:
        return exp.column(exp.to_identifier(name, quoted=True), table=self._source_alias.this.copy())


def _with_earlier(whens: list[exp.When]) -> list[tuple[list[exp.When], exp.When]]:
    return [(whens[:index], when) for index, when in enumerate(whens)]


def _is_star(expressions: list[exp.Expression]) -> bool:
    return len(expressions) == 1 and isinstance(expressions[0], exp.Star)

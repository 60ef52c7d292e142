"""COPY INTO: files of a volume, each loaded once.

Source: https://docs.databricks.com/sql/language-manual/delta-copy-into.html
"""

from __future__ import annotations

from sqlglot import exp

from workspace.sql.authorization import require_table
from workspace.sql.context import Context, only, rows_of
from workspace.sql.engine import Result
from workspace.sql.errors import SqlError, unsupported
from workspace.sql.rows import writable
from workspace.sql.storing import stored
from workspace.unity_catalog.table import Column, Table

_COPY_OPTIONS = frozenset({"force", "mergeschema"})


def copy_into(context: Context, tree: exp.Copy) -> Result:
    only(tree, ("this", "kind", "credentials", "files", "params"), "COPY INTO")
    if not tree.args.get("kind") or len(tree.args["files"]) != 1:
        raise unsupported("COPY INTO without FROM one path")
    if any(tree.args["credentials"].args.values()):
        raise unsupported("COPY INTO with credentials")
    (source,) = tree.args["files"]
    if not isinstance(source, exp.Literal):
        raise unsupported(f"COPY INTO ... FROM {source.sql('databricks')}", "give a path as a text")
    require_table(context.catalog, context.session.full_name(tree.this), "MODIFY")
    table = writable(context, tree.this, "COPY INTO")
    form, options, copy_options, pattern = _parameters(tree)
    files = context.external.files(source.name, pattern)
    with context.tables.locked(table.full_name):
        loaded = context.loaded_files(table.table_id)
        new = files if copy_options.get("force") == "true" else [one for one in files if one[0] not in loaded]
        count = 0
        if new:
            rows = context.external.read(new, {**options, "format": form}, rescued=False)
            result = context.result_of(rows)
            columns = _columns(table, result)
            written = stored(result, columns, table.full_name)
            context.tables.append(table.full_name, written)
            context.remember_loaded(table.table_id, [one[0] for one in new])
            count = written.num_rows
    names = ("num_affected_rows", "num_inserted_rows", "num_skipped_corrupt_files")
    return rows_of(dict.fromkeys(names, "bigint"), (count, count, 0))


def _columns(table: Table, result: Result) -> list[Column]:
    """The columns of the table, by the names in the files."""
    columns = []
    for found in result.columns:
        column = table.column(found.name)
        if column is None:
            raise SqlError(
                "DELTA_FAILED_TO_MERGE_FIELDS",
                f"the files have a column `{found.name}` that {table.full_name} has not; add it first "
                "(ALTER TABLE ... ADD COLUMN): mergeSchema is not carried out here",
                sql_state="22005",
            )
        columns.append(column)
    return columns


def _parameters(tree: exp.Copy) -> tuple[str, dict[str, str], dict[str, str], str | None]:
    form, options, copy_options, pattern = "", {}, {}, None
    for parameter in tree.args.get("params") or []:
        name = parameter.this.name.upper()
        if name == "FILEFORMAT" and parameter.expression is not None:
            form = parameter.expression.name.lower()
        elif name == "FORMAT_OPTIONS":
            options = _pairs(parameter)
        elif name == "COPY_OPTIONS":
            copy_options = _pairs(parameter)
        elif name == "PATTERN" and parameter.expression is not None:
            pattern = parameter.expression.name
        else:
            raise unsupported(f"{parameter.sql('databricks')} in COPY INTO")
    if not form:
        raise unsupported("COPY INTO without FILEFORMAT")
    unknown = sorted(set(copy_options) - _COPY_OPTIONS)
    if unknown or copy_options.get("mergeschema", "false") == "true":
        raise unsupported(f"COPY_OPTIONS {', '.join(unknown) or 'mergeSchema'}", "force is there")
    if options.pop("mergeschema", "false") == "true":
        raise unsupported("FORMAT_OPTIONS mergeSchema")
    # Without it COPY INTO reads texts, which the columns' types take by CAST on Databricks too.
    options.setdefault("inferschema", "true") if form in ("csv", "json") else None
    return form, options, copy_options, pattern


def _pairs(parameter: exp.Expression) -> dict[str, str]:
    return {item.this.name.lower(): item.args["value"].name.lower() for item in parameter.expressions}

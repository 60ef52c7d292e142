"""What a statement's caller needs before it runs, in Unity Catalog's terms.

Sources: page "Unity Catalog privileges and securable objects" (SELECT, MODIFY with SELECT, CREATE TABLE), page "ALTER
TABLE" (which clauses MODIFY is enough for), error class INSUFFICIENT_PERMISSIONS. A view is read with SELECT on the
view alone, as its owner's right to what is below counts there.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from workspace.http import Caller
from workspace.identity.caller import current_caller
from workspace.sql.errors import SqlError
from workspace.sql.names import Session, tables_of
from workspace.sql.translate import TABLE_CHANGES
from workspace.sql.udfs import called_names
from workspace.unity_catalog.privileges import PrivilegeError, schema_of
from workspace.unity_catalog.securables import CATALOG, FUNCTION, SCHEMA, TABLE
from workspace.unity_catalog.service import UnityCatalog

_CHANGES_ROWS = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable)
# ALTER TABLE clauses that MODIFY is enough for; all others need MANAGE or ownership.
_MODIFIES = (exp.AlterSet, exp.ColumnDef, exp.Schema, exp.AlterColumn)


def authorize(
    tree: exp.Expression, session: Session, catalog: UnityCatalog, is_function: Callable[[str], bool]
) -> None:
    """Raises PrivilegeError naming the first privilege that the caller does not have.

    `is_function` tells a function that a user defined, by its full name.
    """
    _Statement(tree, session, catalog, is_function, current_caller()).check()


def require_table(catalog: UnityCatalog, full_name: str, privilege: str) -> None:
    """A privilege on a table, `MANAGE` (also by ownership of what is above it) or `READ` (its columns, not its rows).

    Where there is no such table: the right to know that. Raises PrivilegeError.
    """
    caller, privileges = current_caller(), catalog.privileges
    if not catalog.tables.exists(full_name):
        # That it is missing is said by what runs next, to those who may know.
        parts = schema_of(full_name, TABLE).split(".")
        if catalog.containers.has_schema(*parts):
            privileges.require_read(caller, SCHEMA, ".".join(parts))
    elif privilege == "MANAGE":
        privileges.require_manage(caller, TABLE, full_name)
    elif privilege == "READ":
        privileges.require_read(caller, TABLE, full_name)
    else:
        privileges.require(caller, privilege, TABLE, full_name)


def insufficient(error: PrivilegeError) -> SqlError:
    """A refusal of Unity Catalog, as a statement's failure."""
    return SqlError("INSUFFICIENT_PERMISSIONS", f"Insufficient privileges:\n{error.message}", sql_state="42501")


class _Statement:
    def __init__(
        self,
        tree: exp.Expression,
        session: Session,
        catalog: UnityCatalog,
        is_function: Callable[[str], bool],
        caller: Caller,
    ) -> None:
        self._tree = tree
        self._is_function = is_function
        self._session = session
        self._catalog = catalog
        self._privileges = catalog.privileges
        self._caller = caller

    def check(self) -> None:
        tree = self._tree
        if isinstance(tree, _CHANGES_ROWS):
            self._check_change(tree)
        elif isinstance(tree, exp.Create):
            self._check_create(tree)
        elif isinstance(tree, exp.Drop):
            self._check_drop(tree)
        elif isinstance(tree, exp.Alter):
            target = self._session.full_name(tree.this)
            for action in tree.args["actions"]:
                self._on_table(target, "MODIFY" if isinstance(action, _MODIFIES) else "MANAGE")
        elif isinstance(tree, exp.Comment):
            if isinstance(tree.this, exp.Table):
                self._on_table(self._session.full_name(tree.this), "MODIFY")
        elif isinstance(tree, exp.Describe):
            if isinstance(tree.this, exp.Table):
                self._on_table(self._session.full_name(tree.this), "READ")
        elif isinstance(tree, exp.Query | exp.Values):
            self._check_reads(tree)

    def _check_reads(self, tree: exp.Expression, besides: str = "") -> None:
        for full_name in self._named(tree):
            if full_name != besides:
                self._on_table(full_name, "SELECT")
        for full_name in called_names(tree, self._session):
            if self._is_function(full_name):
                self._privileges.require(self._caller, "EXECUTE", FUNCTION, full_name)

    def _named(self, tree: exp.Expression) -> list[str]:
        holder = exp.Paren(this=tree.copy())
        found = [self._session.full_name(table) for table in tables_of(holder)]
        for table in holder.find_all(exp.Table):
            function = table.this
            if isinstance(function, exp.Anonymous) and function.name.lower() == TABLE_CHANGES and function.expressions:
                found.append(self._session.full_name(exp.to_table(function.expressions[0].name, dialect="databricks")))
        return list(dict.fromkeys(found))

    def _check_change(self, tree: exp.Expression) -> None:
        target = tree.expressions[0] if isinstance(tree, exp.TruncateTable) else tree.this
        target = target.this if isinstance(target, exp.Schema) else target
        full_name = self._session.full_name(target)
        self._on_table(full_name, "MODIFY")
        if not isinstance(tree, exp.Insert):
            self._on_table(full_name, "SELECT")
        self._check_reads(tree, besides=full_name)

    def _check_create(self, tree: exp.Create) -> None:
        kind = str(tree.args["kind"]).upper()
        if kind in ("SCHEMA", "DATABASE"):
            catalog, schema = self._session.schema_parts(tree.this)
            if tree.args.get("exists") and self._catalog.containers.has_schema(catalog, schema):
                return
            there = any(one["name"] == catalog for one in self._catalog.containers.catalogs())
            if there and not self._privileges.is_metastore_admin(self._caller):
                self._privileges.require_create(self._caller, "CREATE_SCHEMA", CATALOG, catalog)
            return
        if kind not in ("TABLE", "VIEW"):
            return
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        full_name = self._session.full_name(target)
        if self._catalog.tables.exists(full_name):
            if tree.args.get("replace"):
                self._on_table(full_name, "MANAGE")
            elif tree.args.get("exists"):
                self._privileges.require_way(self._caller, TABLE, full_name)
                return
        else:
            catalog, schema = schema_of(full_name, TABLE).split(".")
            # A container that is missing is named by what runs next.
            if self._catalog.containers.has_schema(catalog, schema):
                self._privileges.require_create(self._caller, "CREATE_TABLE", SCHEMA, f"{catalog}.{schema}")
        if tree.args.get("expression") is not None:
            self._check_reads(tree.expression)

    def _check_drop(self, tree: exp.Drop) -> None:
        kind = str(tree.args["kind"]).upper()
        for name in tree.args["tables"]:
            if kind in ("TABLE", "VIEW"):
                self._on_table(self._session.full_name(name), "MANAGE")
            elif kind == "FUNCTION":
                full_name = self._session.full_name(name)
                if self._is_function(full_name):
                    self._privileges.require_manage(self._caller, FUNCTION, full_name)
            elif kind in ("SCHEMA", "DATABASE"):
                catalog, schema = self._session.schema_parts(name)
                if self._catalog.containers.has_schema(catalog, schema):
                    self._privileges.require_manage(self._caller, SCHEMA, f"{catalog}.{schema}")

    def _on_table(self, full_name: str, privilege: str) -> None:
        require_table(self._catalog, full_name, privilege)

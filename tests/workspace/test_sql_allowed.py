"""Nothing of a query is left out: every kind of node that the parser knows is carried out or refused by name."""

from __future__ import annotations

import inspect

import pytest
from sqlglot import exp

from workspace.sql.allowed import PARTS, REFUSED, check_node
from workspace.sql.errors import SqlError
from workspace.sql.functions import check_function, rewrites
from workspace.sql.parsing import parse
from workspace.sql.translate import check

SESSION = (exp.CurrentUser, exp.CurrentCatalog, exp.CurrentSchema, exp.CurrentDatabase)


def concrete(kind: type[exp.Expr]) -> bool:
    """Whether the parser can make nodes of the kind; some are bases of others only."""
    try:
        kind()
    except NotImplementedError:
        return False
    return True


KINDS = sorted(
    (kind for _, kind in inspect.getmembers(exp, inspect.isclass) if issubclass(kind, exp.Expr) and concrete(kind)),
    key=lambda kind: kind.__name__,
)
NODES = [kind for kind in KINDS if not issubclass(kind, exp.Func) and kind not in (*PARTS, *SESSION)]


def test_a_node_that_is_not_in_the_table_is_refused() -> None:
    assert len(KINDS) > 900
    assert len(NODES) > 350
    for kind in NODES:
        with pytest.raises(SqlError, match="UNSUPPORTED_FEATURE"):
            check_node(kind())


def test_a_part_that_is_not_in_the_table_is_refused() -> None:
    refused = 0
    for kind, known in PARTS.items():
        for name in set(kind.arg_types) - known:
            node = kind(**{name: exp.Literal.string("x")})
            with pytest.raises(SqlError, match="UNSUPPORTED_FEATURE"):
                check_node(node)
            refused += 1
    assert refused > 50


def test_a_function_that_is_in_no_table_is_refused() -> None:
    table = rewrites()
    functions = [kind for kind in KINDS if issubclass(kind, exp.Func) and issubclass(kind, exp.Expression)]
    passed = []
    for kind in functions:
        try:
            check_function(kind(this=exp.Literal.string("x")), table)
        except SqlError:
            continue
        else:
            passed.append(kind)
    assert 100 < len(passed) < len(functions) / 2


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("SELECT a FROM t UNION BY NAME SELECT a FROM t", "BY_NAME"),
        ("SELECT a FROM t FETCH FIRST 3 ROWS ONLY", "FETCH FIRST"),
        ("SELECT a COLLATE UTF8_LCASE FROM t", "COLLATE"),
        ("SELECT * RENAME (a AS b) FROM t", "RENAME"),
        ("SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM t", "EXCLUDE"),
        ("SELECT a FROM t WHERE a = ANY (SELECT 1)", "Any"),
        ("SELECT listagg(a) WITHIN GROUP (ORDER BY a) FROM t", "ORDER"),
        ("SELECT a FROM t ORDER BY a LIMIT 3 BY b", "LIMIT|PARSE"),
        ("SELECT INTERVAL '1-2' YEAR TO MONTH", "YEAR TO MONTH"),
    ],
)  # fmt: skip
def test_a_part_that_the_writer_would_leave_out_is_named(query: str, name: str) -> None:
    with pytest.raises(SqlError, match=name):
        check(parse(query))


def test_refusals_have_names() -> None:
    assert all(REFUSED.values())
    assert not set(REFUSED) & set(PARTS)

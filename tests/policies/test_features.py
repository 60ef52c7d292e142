"""POL-04: no OnlineTable without a waiver that says why."""

from __future__ import annotations

from policies.endpoints import MODEL_SERVING
from policies.features import ONLINE_TABLE, no_retired_online_table
from tests.policies.judging import UNKNOWN, Declared, Judgement, judge

TABLE = Declared(ONLINE_TABLE, {"name": "c.s.features_online"})
WAIVED = {"reason": "read by the old app", "owner": "ml-platform", "until": "9999-12-31"}
WAIVER = {"waivers": {"c.s.features_online": WAIVED}}


def test_an_online_table_is_refused_with_the_successor_and_the_waiver_that_would_let_it_pass() -> None:
    (violation,) = judge(no_retired_online_table, [TABLE]).violations
    assert "c.s.features_online is an OnlineTable" in violation
    assert "OnlineStore" in violation
    assert '{"no-retired-online-table": {"waivers": {"c.s.features_online": {"reason": "why it stays"' in violation


def test_other_resources_pass() -> None:
    assert judge(no_retired_online_table, [Declared(MODEL_SERVING, {"name": "e"})]) == Judgement([])


def test_a_name_not_known_yet_is_refused_unless_a_waiver_might_be_meant_for_it() -> None:
    unknown = Declared(ONLINE_TABLE, {"name": UNKNOWN}, name="features")
    (violation,) = judge(no_retired_online_table, [unknown]).violations
    assert "features is an OnlineTable" in violation
    assert judge(no_retired_online_table, [unknown], WAIVER) == Judgement([], "name")

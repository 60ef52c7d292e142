"""What the faults stand in for (workspace/parity.py). The paths below `/_workspace/` are no API of the service."""

from __future__ import annotations

from workspace.parity import Behaviour, Source

_TESTS = "tests/workspace/test_faults.py::"
_LAGS = "tests/workspace/test_consistency.py::"
_SDK = "databricks-sdk 0.156"

BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        path="POST /_workspace/faults",
        behaviour="429, 500, 503 and 504 carry the error codes that clients know as errors of their own.",
        source=Source.CLIENT,
        reference=f"{_SDK} `errors/platform.py`, `errors/overrides.py`",
        test=f"{_TESTS}test_a_refused_call_raises_the_clients_own_error_and_has_no_effect",
    ),
    Behaviour(
        path="POST /_workspace/faults",
        behaviour="Retry-After is in whole seconds; clients wait that long and try again.",
        source=Source.CLIENT,
        reference=f"{_SDK} `_base_client._BaseClient._is_retryable`",
        test=f"{_TESTS}test_the_client_gets_through_once_the_rules_count_is_used_up",
    ),
    Behaviour(
        path="POST /_workspace/faults",
        behaviour="The words of the refusals.",
        source=Source.ASSUMPTION,
        reference="the service words them by the place they come from",
        test=f"{_TESTS}test_a_refusal_carries_the_services_shape_and_retry_after",
    ),
    Behaviour(
        path="POST /_workspace/faults",
        behaviour="A reset cuts the connection before or after the effect.",
        source=Source.CLIENT,
        reference=f"{_SDK} `_base_client`: connection errors are tried again",
        test=f"{_TESTS}test_a_reset_cuts_the_connection_and_says_nothing",
    ),
    Behaviour(
        path="POST /_workspace/faults",
        behaviour="For a while after a write, reads may answer as before it (settings `..._staleness_seconds`).",
        source=Source.ASSUMPTION,
        reference="Unity Catalog and serving answer from caches; how long they lag is not documented",
        test=f"{_LAGS}test_an_alias_is_read_as_it_was_until_the_time_is_over",
    ),
)

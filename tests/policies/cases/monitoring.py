"""Cases of the rules about monitoring."""

from __future__ import annotations

from policies import monitoring
from tests.policies.cases.building import LATENCY_ALERT, LOGGED, TABLE_ON, Case, alert, endpoint, monitor, of_type
from tests.policies.judging import UNKNOWN, Declared

CASES = (
    Case(
        rule=monitoring.inference_table_is_on,
        passes=[[LOGGED]],
        refuses=[
            ([endpoint()], "fares-prod keeps no inference table"),
            (
                [endpoint(aiGateway={"inferenceTableConfig": {**TABLE_ON, "enabled": False}})],
                "keeps no inference table",
            ),
            (
                [LOGGED, endpoint(name="second", aiGateway={"inferenceTableConfig": TABLE_ON})],
                "2 endpoints of the stack write to c.s.fares_payload",
            ),
        ],
        unknown=[([endpoint(aiGateway=UNKNOWN)], "aiGateway")],
    ),
    Case(
        rule=monitoring.endpoint_is_watched,
        passes=[
            [LOGGED, monitor(), alert(), LATENCY_ALERT],
            [
                LOGGED,
                Declared(monitoring.QUALITY_MONITOR, {"tableName": UNKNOWN}, name="monitor", after=("endpoint",)),
                Declared(monitoring.ALERT, {"queryText": UNKNOWN}, name="alert", sources={"queryText": "endpoint"}),
            ],
        ],
        refuses=[
            ([LOGGED], "lacks a monitor, an alert on availability, an alert on latency"),
            ([LOGGED, monitor(), alert()], "lacks an alert on latency"),
            ([LOGGED, monitor(tableName="c.s.other"), alert(), LATENCY_ALERT], "lacks a monitor:"),
        ],
    ),
    Case(
        rule=monitoring.monitor_measures_the_business,
        passes=[
            [monitor(slicingExprs=["region", "fare > 10"])],
            [monitor(inferenceLog=None, snapshot={}, customMetrics=[])],
        ],
        refuses=[
            ([monitor(customMetrics=[])], "monitor of c.s.fares_unpacked has no custom metric"),
            ([monitor(slicingExprs=["region", "name = 'a"])], "slicingExprs[1] is 'name = 'a'"),
        ],
        unknown=[([monitor(customMetrics=UNKNOWN)], "customMetrics")],
    ),
    Case(
        rule=monitoring.monitor_has_a_baseline,
        passes=[
            [monitor()],
            [monitor(inferenceLog=None, snapshot={}, baselineTableName=None)],
            [
                of_type(
                    monitoring.DATA_QUALITY_MONITOR,
                    dataProfilingConfig={"inferenceLog": {}, "baselineTableName": "c.s.baseline"},
                )
            ],
        ],
        refuses=[
            ([monitor(baselineTableName=None)], "monitor of c.s.fares_unpacked has no baseline"),
            ([monitor(baselineTableName="")], "has no baseline"),
            (
                [of_type(monitoring.DATA_QUALITY_MONITOR, dataProfilingConfig={"inferenceLog": {}})],
                "set baselineTableName",
            ),
        ],
        unknown=[([monitor(baselineTableName=UNKNOWN)], "baselineTableName")],
    ),
    Case(
        rule=monitoring.no_superseded_monitoring_resources,
        passes=[[monitor()]],
        refuses=[
            ([of_type(kind, name="old")], f"declare {successor} instead")
            for kind, successor in monitoring.SUPERSEDED.items()
        ],
    ),
    Case(
        rule=monitoring.monitor_watches_unpacked_requests,
        passes=[[monitor()], [monitor(tableName="c.s.fares_payload", inferenceLog=None, timeSeries={})]],
        refuses=[([monitor(tableName="c.s.fares_payload")], "JSON texts")],
        unknown=[([monitor(tableName=UNKNOWN)], "tableName")],
    ),
    Case(
        rule=monitoring.alert_tells_somebody,
        passes=[[alert()]],
        refuses=[([alert(evaluation={})], "alert alert tells nobody")],
        unknown=[([alert(evaluation=UNKNOWN)], "evaluation")],
    ),
    Case(
        rule=monitoring.production_schedules_run,
        passes=[[monitor(schedule={"pauseStatus": "UNPAUSED"})], [alert()]],
        refuses=[([alert(schedule={"pauseStatus": "PAUSED"})], "the schedule of alert is paused")],
        unknown=[([monitor(schedule={"pauseStatus": UNKNOWN})], "schedule.pauseStatus")],
    ),
)

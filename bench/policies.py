"""`python -m bench.policies`: what the policy pack adds to the preview of a stack of 300 resources.

The same program is previewed without and with the pack, turn about, on the engine and a provider that accepts
everything, so that nothing but the engine, the program and the pack is measured. Exit code 1 where the goal is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.report import Figure, published
from tests.support.engine import PROJECT, EngineProject

RESULTS = PROJECT / ".local" / "bench" / "policies.json"
PROVIDER = PROJECT / "tests" / "policies" / "accepting_provider.py"
ENDPOINTS = 60
"""Each with permissions, a monitor and two alerts: five resources."""
GOAL = 1.2

PROGRAM = """
import pulumi_databricks as databricks

for number in range({endpoints}):
    name = f"fares-{{number}}-staging"
    endpoint = databricks.ModelServing(
        name,
        name=name,
        config=databricks.ModelServingConfigArgs(
            served_entities=[
                databricks.ModelServingConfigServedEntityArgs(
                    name=f"m-{{version}}",
                    entity_name="c.s.m",
                    entity_version=str(version),
                    workload_size="Small",
                    scale_to_zero_enabled=True,
                )
                for version in (1, 2)
            ],
            traffic_config=databricks.ModelServingConfigTrafficConfigArgs(
                routes=[
                    databricks.ModelServingConfigTrafficConfigRouteArgs(served_model_name=entity, traffic_percentage=50)
                    for entity in ("m-1", "m-2")
                ]
            ),
        ),
        ai_gateway=databricks.ModelServingAiGatewayArgs(
            inference_table_config=databricks.ModelServingAiGatewayInferenceTableConfigArgs(
                enabled=True, catalog_name="c", schema_name="s", table_name_prefix=f"fares_{{number}}_staging"
            )
        ),
        tags=[databricks.ModelServingTagArgs(key=key, value="x") for key in ("environment", "owner", "cost_center")],
    )
    databricks.Permissions(
        name,
        serving_endpoint_id=endpoint.serving_endpoint_id,
        access_controls=[databricks.PermissionsAccessControlArgs(group_name="apps", permission_level="CAN_QUERY")],
    )
    databricks.QualityMonitor(
        name,
        table_name=f"c.s.fares_{{number}}_staging_unpacked",
        assets_dir=f"/Shared/fares/{{number}}",
        output_schema_name="c.s",
        snapshot={{}},
    )
    for column in ("status_code", "execution_duration_ms"):
        databricks.AlertV2(
            f"{{name}}-{{column}}",
            display_name=f"{{name}}-{{column}}",
            warehouse_id="w",
            query_text=f"SELECT max({{column}}) AS worst FROM c.s.fares_{{number}}_staging_payload",
            schedule=databricks.AlertV2ScheduleArgs(quartz_cron_schedule="0 0 * * * ?", timezone_id="UTC"),
            evaluation=databricks.AlertV2EvaluationArgs(
                comparison_operator="GREATER_THAN",
                source=databricks.AlertV2EvaluationSourceArgs(name="worst"),
                notification=databricks.AlertV2EvaluationNotificationArgs(
                    subscriptions=[
                        databricks.AlertV2EvaluationNotificationSubscriptionArgs(user_email="oncall@example.com")
                    ]
                ),
            ),
        )
"""


def measure(folder: Path, rounds: int) -> list[Figure]:
    """Medians of `rounds` previews of each kind, and their ratio.

    Raises:
        RuntimeError: a preview failed, or did not have the resources that were asked for.
    """
    project = EngineProject.of_program(folder, PROGRAM.format(endpoints=ENDPOINTS), stack="staging")
    project.install_plugin("resource-databricks-v1.118.0", PROVIDER)
    pack = ("--policy-pack", str(PROJECT / "policies"))
    took: dict[bool, list[float]] = {False: [], True: []}
    _seconds(project)
    for _ in range(rounds):
        for judged in took:
            took[judged].append(_seconds(project, *(pack if judged else ())))
    without, judged_too = (statistics.median(took[judged]) for judged in (False, True))
    return [
        Figure(f"preview of {5 * ENDPOINTS} resources, without the pack", without, "s", None),
        Figure(f"preview of {5 * ENDPOINTS} resources, with the pack", judged_too, "s", None),
        Figure("ratio of the medians", judged_too / without, "x", GOAL),
        Figure("ratio of the shortest", min(took[True]) / min(took[False]), "x", None),
    ]


def _seconds(project: EngineProject, *arguments: str) -> float:
    started = time.perf_counter()
    outcome = project.preview(*arguments)
    took = time.perf_counter() - started
    if not outcome.ok or len(outcome.operations()) != 5 * ENDPOINTS:
        raise RuntimeError(str(outcome))
    return took


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.policies", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="previews of each kind (default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        figures = measure(Path(scratch) / "project", options.rounds)
    return published(figures, RESULTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The requests, operations and states that the official plugin was recorded with are the stand-in's, too."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.toolchain.provider.fake import Server
from tests.toolchain.provider.replay import HIDDEN, Outcome, Stack, concrete
from toolchain.provider import codec
from toolchain.provider.state import prune

GOLDEN = Path(__file__).parent / "golden"
JsonObject = dict[str, object]

# Steps where the stand-in fails on purpose; the requests are compared all the same.
FAILS_ON_PURPOSE = {
    (
        "ModelServing-single-entity",
        "remove-aigateway",
    ): "the official plugin crashes and loses the block from its state",
}
# Differences that the official plugin sees between an empty map and none, beside the change that was asked for.
EMPTY_IS_NONE = {
    ("ModelServing", "replace-route-optimized"): "config",
    ("Job-tasks-sorted", "update-name-queue-parameters"): "tasks",
}
# Outputs that the official plugin shows wrongly after an update, until a refresh; the stand-in shows what is there.
SHOWN_BETTER = {
    "QualityMonitor": {"monitorId"},
    "SqlTable": {"effectiveProperties"},
}


def scenarios() -> Iterator[object]:
    for path in sorted(GOLDEN.glob("*.json")):
        cases = json.loads(path.read_text())
        for name in dict.fromkeys(case["scenario"] for case in cases):
            yield pytest.param([case for case in cases if case["scenario"] == name], id=name)


def canonical(value: object) -> object:
    """Sets (tags, grants, access lists, privileges) have no order, and the JSON does not say which lists are sets."""
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def recorded_requests(case: JsonObject, server: Server) -> list[object]:
    requests = concrete(case["requests"], server)
    assert isinstance(requests, list)
    return [[r["method"], r["path"], canonical(r.get("query") or {}), canonical(r.get("body") or {})] for r in requests]


def sent_requests(server: Server) -> list[object]:
    return [[r.method, r.path, canonical(r.query), canonical(r.body)] for r in server.fake.requests]


def prepare(case: JsonObject, server: Server) -> None:
    """What the recording's fake was told: refusals, failing deployments, grants that were there before."""
    fake = server.fake
    fake.requests.clear()
    requests = concrete(case["requests"], server)
    assert isinstance(requests, list)
    if case["resource"] == "ModelServing":
        fake.deployment = "UPDATE_FAILED" if case["step"] == "create-update-failed" else "NOT_UPDATING"
    for request in requests:
        if request.get("status") == 409:
            fake.refuse[request["method"], request["path"]] = 409
        if case["resource"] in ("Grants", "Grant") and case["step"] == "create" and request["method"] == "PATCH":
            changes = request["body"]["changes"]
            held = [{"principal": c["principal"], "privileges": c["remove"]} for c in changes if c.get("remove")]
            segments = request["path"].split("/")
            fake.objects[f"grants {segments[-2]} {segments[-1]}"] = {"privilege_assignments": held}


def program(case: JsonObject, server: Server, last: JsonObject) -> JsonObject:
    """The inputs of the step, with the secret ones filled in."""
    given = case.get("program_inputs") or case.get("inputs")
    if given is None:
        return last
    inputs = concrete(given, server)
    assert isinstance(inputs, dict)
    secrets = case.get("secret_inputs")
    if isinstance(secrets, dict):
        inputs |= {key: codec.Secret(value) for key, value in secrets.items()}
    return inputs


def play(case: JsonObject, stack: Stack, inputs: JsonObject) -> Outcome:
    step = case["step"]
    if step == "refresh":
        return stack.refresh() if stack.id else Outcome([])
    if step == "destroy":
        return stack.destroy()
    if step == "no-change-preview":
        return stack.plan(inputs)[0]
    if step == "retry-with-refresh":
        stack.refresh()
        outcome = stack.up(inputs)
        return Outcome(
            ["refresh", *outcome.operations], outcome.diffs, outcome.replace_keys, outcome.detailed, outcome.error
        )
    return stack.up(inputs)


@pytest.mark.parametrize("cases", list(scenarios()))
def test_a_recorded_scenario_sends_the_same_requests_and_ends_in_the_same_state(
    cases: list[JsonObject], server: Server
) -> None:
    options = cases[0].get("resource_options")
    stack = Stack(server, str(cases[0]["token"]), options if isinstance(options, dict) else {})
    inputs: JsonObject = {}
    expected: JsonObject = {}
    for case in cases:
        step = f"{case['scenario']}/{case['step']}"
        prepare(case, server)
        inputs = program(case, server, inputs)
        outcome = play(case, stack, inputs)
        assert sent_requests(server) == recorded_requests(case, server), step
        expected = next_state(case, expected, server)
        if (case["scenario"], case["step"]) in FAILS_ON_PURPOSE:
            assert outcome.error is not None, step
            continue
        check_engine(case, outcome, step)
        if stack.id and case.get("id"):
            assert stack.id == concrete(case["id"], server), step
            better = SHOWN_BETTER.get(str(case["resource"]), set())
            shown, wanted = ({k: v for k, v in part.items() if k not in better} for part in (stack.state, expected))
            assert canonical(prune(hidden(shown, wanted))) == canonical(prune(wanted)), step


def hidden(shown: object, wanted: object) -> object:
    """``shown`` with the values hidden that the recording hides; whether they are secrets, other tests say."""
    if wanted == HIDDEN:
        return HIDDEN
    if isinstance(shown, Mapping) and isinstance(wanted, Mapping):
        secrets = {key: HIDDEN for key, value in wanted.items() if value == HIDDEN}
        return {**{key: hidden(value, wanted.get(key)) for key, value in shown.items()}, **secrets}
    return shown


def check_engine(case: JsonObject, outcome: Outcome, step: str) -> None:
    events = case["engine"]
    assert isinstance(events, list)
    if outcome.error is not None and "409" not in step and not outcome.error.init_failed:
        return
    assert outcome.operations == [event["op"] for event in events], step
    change: JsonObject = next((event for event in events if event.get("diffs")), {})
    nothing = EMPTY_IS_NONE.get((str(case["scenario"]), str(case["step"])))
    recorded = change.get("diffs", [])
    assert isinstance(recorded, list)
    assert outcome.diffs == [key for key in recorded if key != nothing], step
    assert outcome.replace_keys == change.get("replaceKeys", []), step


def next_state(case: JsonObject, before: JsonObject, server: Server) -> JsonObject:
    if isinstance(case.get("state_outputs"), dict):
        full = concrete(reveal(case["state_outputs"], case), server)
        assert isinstance(full, dict)
        return full
    changed = concrete(case.get("state_outputs_changed") or {}, server)
    assert isinstance(changed, dict)
    removed = case.get("state_outputs_removed")
    gone = removed if isinstance(removed, list) else []
    return {key: value for key, value in {**before, **changed}.items() if key not in gone}


def reveal(outputs: object, case: JsonObject) -> JsonObject:
    assert isinstance(outputs, dict)
    secrets = case.get("secret_inputs")
    return {**outputs, **(secrets if isinstance(secrets, dict) else {})}

"""The engine's contract: previews, imports, errors, secrets, cancellation."""

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2

from tests.toolchain.provider.fake import Server
from tests.toolchain.provider.replay import TOKEN, AbortedError, FakeContext, Lines, Stack
from toolchain.provider import codec
from toolchain.provider.servicer import Provider
from toolchain.provider.settings import ALLOW_REMOTE
from toolchain.provider.workspace import Workspace

JsonObject = dict[str, object]


def token(kind: str) -> str:
    return f"databricks:index/{kind[0].lower()}{kind[1:]}:{kind}"


def endpoint(version: object = "1", **more: object) -> JsonObject:
    entity = {
        "name": "champion",
        "entityName": "main.rec.ranker",
        "entityVersion": version,
        "workloadSize": "Small",
        "scaleToZeroEnabled": True,
    }
    return {"name": "ep", "config": {"servedEntities": [entity]}, **more}


def preview_create(stack: Stack, inputs: JsonObject) -> JsonObject:
    request = provider_pb2.CreateRequest(urn=stack.urn, properties=stack.check(inputs), preview=True)
    return codec.decode(stack.provider.Create(request, FakeContext()).properties)


def test_a_previewed_create_sends_nothing_and_knows_what_the_server_will_not_decide(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    shown = preview_create(stack, endpoint())
    assert server.fake.requests == []
    assert shown["name"] == "ep"
    assert shown["servingEndpointId"] is codec.UNKNOWN
    config = shown["config"]
    assert isinstance(config, dict)
    assert config["servedEntities"][0]["entityVersion"] == "1"
    assert config["trafficConfig"] is codec.UNKNOWN


def test_a_previewed_update_keeps_outputs_that_do_not_change(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    stack.up(endpoint())
    server.fake.requests.clear()
    request = provider_pb2.UpdateRequest(
        id=stack.id,
        urn=stack.urn,
        olds=stack.outputs,
        news=stack.check(endpoint("2")),
        old_inputs=stack.inputs,
        preview=True,
    )
    shown = codec.decode(stack.provider.Update(request, FakeContext()).properties)
    assert shown["servingEndpointId"] == "servingEndpointId-1"
    assert server.fake.requests == []


@pytest.mark.parametrize(
    "inputs", [endpoint(codec.UNKNOWN), {**endpoint(), "name": codec.UNKNOWN}, endpoint(tags=codec.UNKNOWN)]
)
def test_an_unknown_input_is_a_difference_but_never_a_replacement(server: Server, inputs: JsonObject) -> None:
    stack = Stack(server, token("ModelServing"))
    stack.up(endpoint(tags=[{"key": "a", "value": "b"}]))
    outcome, _, _ = stack.plan(inputs)
    assert outcome.operations == ["update"]
    assert outcome.replace_keys == []


@pytest.mark.parametrize(
    ("kind", "made", "identity"),
    [
        ("RegisteredModel", {"catalogName": "main", "schemaName": "rec", "name": "m"}, "main.rec.m"),
        ("ModelServing", endpoint(), "ep"),
        (
            "Grants",
            {"table": "main.rec.t", "grants": [{"principal": "p", "privileges": ["SELECT"]}]},
            "table/main.rec.t",
        ),
        ("Grant", {"model": "main.rec.m", "principal": "p", "privileges": ["EXECUTE"]}, "model/main.rec.m/p"),
        (
            "Permissions",
            {"servingEndpointId": "e1", "accessControls": [{"groupName": "g", "permissionLevel": "CAN_QUERY"}]},
            "/serving-endpoints/e1",
        ),
    ],
)
def test_an_import_by_id_gives_inputs_that_plan_no_change(
    server: Server, kind: str, made: JsonObject, identity: str
) -> None:
    first = Stack(server, token(kind))
    first.up(made)
    assert first.id == identity
    imported = Stack(server, token(kind), id=identity)
    imported.refresh()
    assert imported.id == identity
    assert imported.plan(made)[0].operations == ["same"]
    imported.check(codec.reveal_all(codec.decode(imported.inputs)))


def test_an_object_that_is_gone_leaves_the_state_on_refresh_and_is_deleted_without_an_error(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    stack.up(endpoint())
    server.fake.drop("endpoint ep")
    assert stack.destroy().operations == ["delete"]
    stack.id = "ep"
    stack.refresh()
    assert stack.id == ""


def test_an_unknown_type_is_refused_by_name_with_the_known_ones(server: Server) -> None:
    stack = Stack(server, token("Cluster"))
    with pytest.raises(
        AbortedError, match=r"does not know the type `databricks:index/cluster:Cluster`.*`ModelServing`"
    ):
        stack.check({})


@pytest.mark.parametrize(
    ("kind", "inputs", "words"),
    [
        ("OnlineStore", {"name": "s"}, "needs `capacity`"),
        ("OnlineStore", {"name": "s", "capacity": "CU_1", "colour": "red"}, "no property `colour`"),
        ("OnlineStore", {"name": "s", "capacity": "CU_1", "readReplicaCount": "many"}, "must be of type integer"),
        ("Grants", {"table": "t", "schema": "s", "grants": []}, "exactly one securable, got 2"),
        (
            "Permissions",
            {"jobId": "1", "accessControls": [{"groupName": "g", "permissionLevel": "CAN_QUERY"}]},
            "no level `CAN_QUERY`",
        ),
        (
            "ModelServing",
            {"name": "e", "config": {"servedEntities": [{"entityNam": "x"}]}},
            r"servedEntities\[0\].entityNam",
        ),
    ],
)
def test_check_names_the_property_and_the_remedy(server: Server, kind: str, inputs: JsonObject, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        Stack(server, token(kind)).check(inputs)


def test_an_automatic_name_stays_and_lets_the_successor_come_first(server: Server) -> None:
    stack = Stack(server, token("RegisteredModel"))
    stack.up({"catalogName": "main", "schemaName": "rec"})
    name = stack.state["name"]
    assert isinstance(name, str)
    assert name.startswith("r-")
    outcome = stack.up({"catalogName": "main", "schemaName": "rec", "comment": "c"})
    assert (outcome.operations, stack.state["name"]) == (["update"], name)
    _, _, first = stack.plan({"catalogName": "other", "schemaName": "rec"})
    assert first is False


def configure(settings: JsonObject, environment: dict[str, str], log: Lines | None = None) -> Provider:
    provider = Provider(log or Lines(), lambda given: Workspace(given, environment, reach_seconds=0.1))
    provider.Configure(provider_pb2.ConfigureRequest(args=codec.encode(settings)), FakeContext())
    return provider


def test_a_host_elsewhere_is_refused_unless_allowed() -> None:
    with pytest.raises(AbortedError, match=ALLOW_REMOTE):
        configure({"host": "https://workspace.example.com"}, {})
    with pytest.raises(AbortedError, match=r"no workspace answers at https://workspace\.invalid"):
        configure({"host": "https://workspace.invalid"}, {ALLOW_REMOTE: "1"})


def test_a_host_where_nothing_listens_is_an_error_at_once(server: Server) -> None:
    server.close()
    with pytest.raises(AbortedError, match="no workspace answers"):
        configure({"host": server.url, "token": TOKEN}, {})


def test_without_a_host_the_error_says_where_to_set_one() -> None:
    with pytest.raises(AbortedError, match="DATABRICKS_HOST"):
        configure({}, {"DATABRICKS_CONFIG_FILE": "/nonexistent"})


def test_every_configuration_names_the_stand_in_and_the_host(server: Server) -> None:
    log = Lines()
    configure({"host": server.url, "token": TOKEN}, {}, log)
    assert [kind for kind, _ in log.lines] == ["info"]
    assert "stand-in" in log.lines[0][1]
    assert server.url in log.lines[0][1]


def test_the_workspace_id_comes_from_me_when_the_metadata_has_none(server: Server) -> None:
    server.fake.has_metadata = False
    stack = Stack(server, token("OnlineStore"))
    stack.up({"name": "s", "capacity": "CU_1"})
    assert stack.state["providerConfig"] == {"workspaceId": "6051921418418893"}


def test_secrets_are_marked_in_outputs_and_blanked_in_errors(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    inputs = endpoint()
    inputs["description"] = codec.Secret("hidden-words")
    stack.up(inputs)
    assert isinstance(codec.decode(stack.outputs)["description"], codec.Secret)
    server.fake.refuse["DELETE", "/api/2.0/serving-endpoints/ep"] = 400
    server.fake.refusal = f"no hidden-words for {TOKEN}"
    with pytest.raises(AbortedError) as refused:
        stack.destroy()
    assert "no [secret] for [secret]" in refused.value.details


def test_a_deployment_that_does_not_end_in_time_is_deleted_again(server: Server) -> None:
    server.fake.deployment = "IN_PROGRESS"
    stack = Stack(server, token("ModelServing"))
    request = provider_pb2.CreateRequest(urn=stack.urn, properties=stack.check(endpoint()), timeout=0.2)
    with pytest.raises(AbortedError, match="still IN_PROGRESS after"):
        stack.provider.Create(request, FakeContext())
    assert "endpoint ep" not in server.fake.objects


def test_when_the_engine_is_gone_nothing_more_is_sent_and_nothing_is_deleted(server: Server) -> None:
    server.fake.deployment = "IN_PROGRESS"
    stack = Stack(server, token("ModelServing"))
    context = FakeContext()
    route = server.fake.route

    def leave(fake: object, request: object) -> JsonObject:
        context.active = len(server.fake.requests) < 2
        return route(server.fake, server.fake.requests[-1])

    server.fake.route = leave
    request = provider_pb2.CreateRequest(urn=stack.urn, properties=stack.check(endpoint()), timeout=5)
    with pytest.raises(AbortedError) as stopped:
        stack.provider.Create(request, context)
    assert stopped.value.code is grpc.StatusCode.CANCELLED
    assert [entry.method for entry in server.fake.requests] == ["POST", "GET"]


def test_what_the_api_cannot_change_is_said_aloud(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    stack.up(endpoint())
    stack.up(endpoint(description="new words"))
    assert any("`description` is not sent" in warning for warning in stack.log.warnings)


def test_taking_the_gateway_out_fails_in_the_preview_and_sends_nothing(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    stack.up(endpoint(aiGateway={"usageTrackingConfig": {"enabled": True}}))
    server.fake.requests.clear()
    request = provider_pb2.UpdateRequest(
        id=stack.id,
        urn=stack.urn,
        olds=stack.outputs,
        news=stack.check(endpoint()),
        old_inputs=stack.inputs,
        preview=True,
    )
    with pytest.raises(AbortedError, match="keep the block and disable"):
        stack.provider.Update(request, FakeContext())
    assert server.fake.requests == []


def test_a_secret_that_its_own_replacement_deletes_is_said_aloud(server: Server) -> None:
    stack = Stack(server, token("Secret"))
    stack.up({"scope": "s", "key": "k", "stringValue": "value-one"})
    stack.up({"scope": "s", "key": "k", "stringValue": "value-two"})
    assert any("delete_before_replace=True" in warning for warning in stack.log.warnings)
    assert "secret s k" not in server.fake.objects


def test_a_function_answers_in_wire_names_and_an_unknown_one_is_refused(server: Server) -> None:
    stack = Stack(server, token("RegisteredModel"))
    stack.up({"catalogName": "main", "schemaName": "rec", "name": "m"})
    arguments = codec.encode({"fullName": "main.rec.m"})
    request = provider_pb2.InvokeRequest(tok="databricks:index/getRegisteredModel:getRegisteredModel", args=arguments)
    result = stack.provider.Invoke(request, FakeContext())
    found = codec.decode(getattr(result, "return"))
    assert isinstance(found["modelInfos"], dict)
    assert found["modelInfos"]["fullName"] == "main.rec.m"
    with pytest.raises(AbortedError, match="does not know the function `getClusters`"):
        stack.provider.Invoke(provider_pb2.InvokeRequest(tok="databricks:index/getClusters:getClusters"), FakeContext())


def test_properties_survive_the_wire(server: Server) -> None:
    values: JsonObject = {"a": codec.Secret("s"), "b": [1, 2.5, True, "x"], "c": {"d": {}}}
    decoded = codec.decode(struct_pb2.Struct.FromString(codec.encode(values).SerializeToString()))
    assert codec.reveal_all(decoded) == codec.reveal_all(values)
    assert isinstance(decoded["a"], codec.Secret)


def test_a_workspace_that_dies_while_an_endpoint_deploys_leaves_the_endpoint_in_the_state(server: Server) -> None:
    server.fake.deployment = "IN_PROGRESS"
    stack = Stack(server, token("ModelServing"))
    route = server.fake.route

    def die(fake: object, request: object) -> JsonObject:
        answer = route(server.fake, server.fake.requests[-1])
        if server.fake.requests[-1].method == "GET":
            server.socket.close()
        return answer

    server.fake.route = die
    error = stack.up(endpoint()).error
    assert error is not None
    assert error.init_failed is not None
    assert error.init_failed.id == "ep"


def test_an_endpoint_that_was_left_deploying_is_waited_for_by_the_next_run(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    stack.up(endpoint())
    stack.init_error = True
    server.fake.objects["endpoint ep"]["state"] = {"config_update": "IN_PROGRESS"}
    route = server.fake.route
    server.fake.requests.clear()

    def finish(fake: object, request: object) -> JsonObject:
        if len(server.fake.requests) == 3:
            server.fake.objects["endpoint ep"]["state"] = {"config_update": "NOT_UPDATING"}
        return route(server.fake, server.fake.requests[-1])

    server.fake.route = finish
    assert stack.up(endpoint()).error is None
    assert [request.method for request in server.fake.requests] == ["GET", "GET", "GET"]
    assert not stack.init_error


def test_a_failed_rollout_is_an_initialization_error_that_names_the_state(server: Server) -> None:
    stack = Stack(server, token("ModelServing"))
    stack.up(endpoint())
    server.fake.objects["endpoint ep"]["state"] = {"config_update": "UPDATE_FAILED"}
    outcome = stack.up(endpoint("2"))
    assert outcome.error is not None
    assert "UPDATE_FAILED" in outcome.error.details
    assert stack.init_error


def test_without_automatic_names_a_name_must_be_given(server: Server) -> None:
    stack = Stack(server, token("RegisteredModel"))
    disabled = provider_pb2.CheckRequest.AutonamingOptions(mode=provider_pb2.CheckRequest.AutonamingOptions.DISABLE)
    news = codec.encode({"catalogName": "main", "schemaName": "rec"})
    response = stack.provider.Check(
        provider_pb2.CheckRequest(urn=stack.urn, news=news, autonaming=disabled), FakeContext()
    )
    assert [failure.property for failure in response.failures] == ["name"]

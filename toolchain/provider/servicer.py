"""The ResourceProvider service: Pulumi's protocol on one side, the table's engine on the other."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NoReturn, Protocol

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from toolchain.provider import codec, foresight, functions, settings, table
from toolchain.provider.check import DEFAULTS, check
from toolchain.provider.diff import Change, Difference, difference
from toolchain.provider.engine import Log
from toolchain.provider.errors import CancelledError, PartialFailureError, PluginError
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Resource
from toolchain.provider.text import listed
from toolchain.provider.workspace import Workspace

VERSION: Final = "1.118.0"
"""The pulumi-databricks release whose names the table has (``pulumi-plugin.json`` in the installed package)."""

Properties = Mapping[str, object]
_Diff = provider_pb2.PropertyDiff


class Context(Protocol):
    """What is used of gRPC's ServicerContext."""

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn: ...

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None: ...

    def is_active(self) -> bool: ...


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One plugin process. Requests come in parallel; what they share is the workspace client.

    Args:
        log: the engine's log.
        workspace: how to make the client from the provider's arguments (tests put another one in).
    """

    def __init__(self, log: Log, workspace: Callable[[Properties], Workspace] = Workspace) -> None:
        self._log = log
        self._new_workspace = workspace
        self._workspace: Workspace | None = None
        self._stop = threading.Event()

    # Plugin

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: Context
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: provider_pb2.GetSchemaRequest, context: Context) -> provider_pb2.GetSchemaResponse:
        known: dict[str, object] = {
            "resources": {token: {} for token in table.RESOURCES},
            "functions": {f"databricks:index/{name}:{name}": {} for name in functions.FUNCTIONS},
        }
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "databricks", "version": VERSION, **known}))

    def GetMapping(self, request: provider_pb2.GetMappingRequest, context: Context) -> provider_pb2.GetMappingResponse:
        return provider_pb2.GetMappingResponse()

    def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        self._stop.set()
        return empty_pb2.Empty()

    # Configuration

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        news = codec.decode(request.news)
        inputs = {
            key: codec.Secret(value) if key in settings.SECRETS and not isinstance(value, codec.Secret) else value
            for key, value in news.items()
        }
        unknown = [key for key in news if key not in settings.KNOWN | settings.ENGINE_KEYS and not key.startswith("__")]
        failures = [
            provider_pb2.CheckFailure(
                property=key,
                reason=f"the provider `databricks` has no argument `{key}`; it has {listed(settings.KNOWN)}",
            )
            for key in unknown
        ]
        return provider_pb2.CheckResponse(inputs=codec.encode(inputs), failures=failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        olds, news = codec.reveal_all(codec.decode(request.olds)), codec.reveal_all(codec.decode(request.news))
        keys = sorted(key for key in {*olds, *news} if olds.get(key) != news.get(key))
        changes = provider_pb2.DiffResponse.DIFF_SOME if keys else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, diffs=keys)

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Context) -> provider_pb2.ConfigureResponse:
        given = codec.decode(request.args)
        with self._reported(context):
            if isinstance(given.get("host"), codec.Unknown):
                self._log.info(
                    "databricks: the host is not known yet, so nothing is asked of a workspace in this preview"
                )
            else:
                plain = {
                    key: value for key, value in codec.reveal_all(given).items() if not isinstance(value, codec.Unknown)
                }
                workspace = self._new_workspace(plain)
                workspace.hide(str(plain[key]) for key in settings.SECRETS if plain.get(key))
                workspace.guard()
                self._workspace = workspace
                self._log.info(
                    f"databricks: the stand-in plugin manages {workspace.host}; it covers {len(table.RESOURCES)} "
                    "types of resource "
                    "(docs/stand-in-provider.md), the official plugin covers all"
                )
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    # Resources

    def Check(self, request: provider_pb2.CheckRequest, context: Context) -> provider_pb2.CheckResponse:
        with self._reported(context):
            row = _row(request.urn)
            news, olds = codec.decode(request.news), codec.reveal_all(codec.decode(request.olds))
            own = news.pop("providerConfig", None)
            proposed = request.autonaming.proposed_name if request.HasField("autonaming") else ""
            result = check(
                row,
                news,
                {"name": proposed, **olds} if proposed else olds,
                name=_logical_name(request.urn),
                seed=request.randomSeed,
            )
            if (
                request.autonaming.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE
                and DEFAULTS in result.inputs
            ):
                result.failures.append(("name", "automatic names are disabled for this stack, so `name` must be set"))
            if own is not None:
                result.inputs["providerConfig"] = own
            if row.deprecated:
                self._log.warning(f"{row.type_name} is deprecated. {row.deprecated}", request.urn)
            failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in result.failures]
            return provider_pb2.CheckResponse(inputs=codec.encode(result.inputs), failures=failures)

    def Diff(self, request: provider_pb2.DiffRequest, context: Context) -> provider_pb2.DiffResponse:
        with self._reported(context):
            row = _row(request.urn)
            news, state = (codec.reveal_all(codec.decode(part)) for part in (request.news, request.olds))
            found = difference(row, news, state, tuple(request.ignoreChanges))
            return _diff_response(row, found)

    def Create(self, request: provider_pb2.CreateRequest, context: Context) -> provider_pb2.CreateResponse:
        row = _row_or_abort(request.urn, context)
        inputs = codec.decode(request.properties)
        with self._reported(context, inputs):
            op = self._operation(
                row, request.urn, context, inputs, {}, seconds=request.timeout, preview=request.preview
            )
            if request.preview:
                row.strategy.preview(op)
                return provider_pb2.CreateResponse(
                    properties=_encoded(row, foresight.foresee(row, op.inputs, {}), inputs)
                )
            for warning in row.strategy.warnings(op):
                op.warn(warning)
            state = row.strategy.create(op)
            return provider_pb2.CreateResponse(id=op.id, properties=_encoded(row, state, inputs))

    def Update(self, request: provider_pb2.UpdateRequest, context: Context) -> provider_pb2.UpdateResponse:
        row = _row_or_abort(request.urn, context)
        inputs, state, before = (codec.decode(part) for part in (request.news, request.olds, request.old_inputs))
        known = {**state, "__inputs": inputs, "__before": before}
        with self._reported(context, known):
            op = self._operation(
                row,
                request.urn,
                context,
                inputs,
                state,
                identity=request.id,
                seconds=request.timeout,
                preview=request.preview,
            )
            op.old_inputs = codec.reveal_all(before)
            for warning in row.strategy.warnings(op):
                op.warn(warning)
            if request.preview:
                row.strategy.preview(op)
                return provider_pb2.UpdateResponse(
                    properties=_encoded(row, foresight.foresee(row, op.inputs, op.state), known)
                )
            return provider_pb2.UpdateResponse(properties=_encoded(row, row.strategy.update(op), known))

    def Read(self, request: provider_pb2.ReadRequest, context: Context) -> provider_pb2.ReadResponse:
        row = _row_or_abort(request.urn, context)
        state, inputs = codec.decode(request.properties), codec.decode(request.inputs)
        known = {**state, "__inputs": inputs}
        with self._reported(context, known):
            op = self._operation(row, request.urn, context, inputs, state, identity=request.id, seconds=request.timeout)
            importing = not state
            found = row.strategy.read(op, _from_id(row, request.id) if importing else op.state, whole=importing)
            if found is None:
                return provider_pb2.ReadResponse()
            shown = row.strategy.shown(op, found)
            ours = foresight.inputs_of(row, shown) if importing else foresight.refreshed(row, op.inputs, shown)
            return provider_pb2.ReadResponse(
                id=op.id, properties=_encoded(row, shown, known), inputs=_encoded(row, ours, known)
            )

    def Delete(self, request: provider_pb2.DeleteRequest, context: Context) -> empty_pb2.Empty:
        row = _row_or_abort(request.urn, context)
        state, inputs = codec.decode(request.properties), codec.decode(request.old_inputs)
        with self._reported(context, {**state, "__inputs": inputs}):
            op = self._operation(row, request.urn, context, inputs, state, identity=request.id, seconds=request.timeout)
            row.strategy.delete(op)
        return empty_pb2.Empty()

    # Functions

    def Invoke(self, request: provider_pb2.InvokeRequest, context: Context) -> provider_pb2.InvokeResponse:
        with self._reported(context):
            arguments = codec.reveal_all(codec.decode(request.args))
            arguments.pop("providerConfig", None)
            result = functions.call(self._known_workspace(), request.tok, arguments)
            answer = provider_pb2.InvokeResponse()
            struct_pb2.Struct.CopyFrom(getattr(answer, "return"), codec.encode(result))
            return answer

    # Common to all

    def _known_workspace(self) -> Workspace:
        if self._workspace is None:
            raise PluginError(
                "the provider `databricks` is not configured: its host was not known; set `databricks:host`"
            )
        return self._workspace

    def _operation(
        self,
        row: Resource,
        urn: str,
        context: Context,
        inputs: Properties,
        state: Properties,
        *,
        identity: str = "",
        seconds: float = 0.0,
        preview: bool = False,
    ) -> Operation:
        workspace = self._workspace if self._workspace is not None or preview else self._known_workspace()
        if workspace is not None:
            workspace.hide((*codec.secret_texts(dict(inputs)), *codec.secret_texts(dict(state))))
        return Operation(
            resource=row,
            # A preview without a known host plans all the same: it sends nothing.
            workspace=workspace if workspace is not None else Workspace({"host": "http://127.0.0.1"}),
            inputs=codec.reveal_all(inputs),
            state=codec.reveal_all(state),
            id=str(
                codec.reveal(state.get("id")) or identity
            ),  # a rename in place changes it, and the engine's own stays
            seconds=seconds,
            alive=context.is_active,
            warn=lambda message: self._log.warning(message, urn),
            stop=self._stop,
            started=time.monotonic(),
        )

    @contextmanager
    def _reported(self, context: Context, secrets: Properties | None = None) -> Iterator[None]:
        """Turns our errors into the protocol's, with everything secret taken out of their words."""
        try:
            yield
        except PartialFailureError as error:
            self._abort_partially(context, error, secrets or {})
        except CancelledError as error:
            context.abort(grpc.StatusCode.CANCELLED, self._redacted(str(error)))
        except PluginError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, self._redacted(str(error)))

    def _redacted(self, message: str) -> str:
        return self._workspace.redact(message) if self._workspace is not None else message

    def _abort_partially(self, context: Context, error: PartialFailureError, secrets: Properties) -> None:
        """The object exists: the engine stores its state and an initialization error, and updates it next time."""
        message = self._redacted(str(error))
        texts, keys = frozenset(codec.secret_texts(dict(secrets))), codec.opaque_secret_keys(secrets)
        detail = provider_pb2.ErrorResourceInitFailed(
            id=error.id,
            properties=codec.encode(codec.conceal(error.state, texts, keys)),
            inputs=codec.encode(codec.conceal(error.inputs, texts, keys)),
            reasons=[message],
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, message)


def _row(urn: str) -> Resource:
    return table.find(urn.split("::")[2].rsplit("$", 1)[-1])


def _row_or_abort(urn: str, context: Context) -> Resource:
    try:
        return _row(urn)
    except PluginError as error:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


def _logical_name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _from_id(row: Resource, identity: str) -> dict[str, object]:
    """The fields that an imported resource's id is made of.

    Raises:
        PluginError: the id does not have that form.
    """
    separator, names = row.import_id
    wires = [next(item.wire for item in row.fields if item.api == name) for name in names.split()]
    parts = identity.split(separator) if separator else [identity]
    if wires and len(parts) != len(wires):
        raise PluginError(
            f"`{identity}` is no id of {row.type_name}; it looks like {separator.join(f'<{wire}>' for wire in wires)}"
        )
    return dict(zip(wires, parts, strict=False))


def _encoded(row: Resource, values: Properties, known: Properties) -> struct_pb2.Struct:
    """``values`` with everything marked secret that came in as a secret, or that the table calls one."""
    texts = frozenset(codec.secret_texts(dict(known)))
    keys = codec.opaque_secret_keys(known) | {item.wire for item in row.fields if item.secret}
    return codec.encode(codec.conceal(values, texts, keys))


def _diff_response(row: Resource, found: Difference) -> provider_pb2.DiffResponse:
    kinds = {
        (Change.ADD, False): _Diff.ADD,
        (Change.ADD, True): _Diff.ADD_REPLACE,
        (Change.UPDATE, False): _Diff.UPDATE,
        (Change.UPDATE, True): _Diff.UPDATE_REPLACE,
        (Change.DELETE, False): _Diff.DELETE,
        (Change.DELETE, True): _Diff.DELETE_REPLACE,
    }
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found.keys else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=found.keys,
        replaces=found.replace_keys,
        deleteBeforeReplace=bool(found.replace_keys) and found.delete_first,
        hasDetailedDiff=True,
    )
    for entry in found.entries:
        response.detailedDiff[entry.path].kind = kinds[entry.change, entry.replaces]
    if not found.replace_keys:
        response.stables.extend(item.wire for item in row.fields if item.stable or item.replaces)
    return response

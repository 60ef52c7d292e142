"""The calls of the engine's `LanguageRuntime` service, answered as the official Python host answers them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from toolchain.language_host.children import Children
from toolchain.language_host.install import install_command
from toolchain.language_host.interpreter import Interpreter, InterpreterError, interpreter_for
from toolchain.language_host.packages import PluginFileError, RequiredPlugin, dependencies, required_plugins

#: `pulumi-language-python-exec` ends so when it has already shown the user what went wrong.
EXIT_MESSAGE_SHOWN = 32


class PythonLanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """One engine's Python language host.

    Args:
        executor: path of `pulumi-language-python-exec`.
        engine_address: where the engine listens, as it said when it started this host.
        version: what `pulumi about` and plugin listings show, a semver.
        children: the processes started on the engine's behalf.
    """

    def __init__(self, *, executor: Path, engine_address: str, version: str, children: Children) -> None:
        self._executor = executor
        self._engine_address = engine_address
        self._version = version
        self._children = children

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._engine_address = request.engine_address or self._engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        interpreter = _interpreter(request.info, context)
        return language_pb2.AboutResponse(
            executable=str(interpreter.executable),
            version=interpreter.description["version"],
            metadata={"prefix": interpreter.description["prefix"]},
        )

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        return language_pb2.GetRequiredPackagesResponse(
            packages=[_package(plugin) for plugin in _plugins(request.info, context)]
        )

    def GetRequiredPlugins(
        self, request: language_pb2.GetRequiredPluginsRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        return language_pb2.GetRequiredPluginsResponse(
            plugins=[
                plugin_pb2.PluginDependency(
                    name=plugin.name, kind="resource", version=plugin.version, server=plugin.server
                )
                for plugin in _plugins(request.info, context)
            ]
        )

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        folders = _interpreter(request.info, context).import_folders
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version)
                for name, version in dependencies(folders, transitive=request.transitiveDependencies)
            ]
        )

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        folder = Path(request.info.program_directory or request.directory)
        root = Path(request.info.root_directory or folder)
        commands = install_command(_options(request.info), root, folder)
        if not commands:
            yield language_pb2.InstallDependenciesResponse(stdout=b"The environment is there; nothing to install.\n")
        for command in commands:
            yield language_pb2.InstallDependenciesResponse(stdout=f"{' '.join(command)}\n".encode())
            code = yield from self._stream_install(command, folder, context)
            if code:
                context.abort(
                    grpc.StatusCode.INTERNAL, f"`{' '.join(command)}` in {folder} ended with exit code {code}"
                )

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        interpreter = _interpreter(request.info, context)
        environment = interpreter.environ(os.environ)
        environment["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        environment["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        command = [str(interpreter.executable), "-u", str(self._executor), *self._run_arguments(request)]
        # The folder the engine was started in may differ from the program's; `--pwd` moves the program there.
        folder = Path(request.info.program_directory or request.pwd)
        try:
            child = self._children.start(
                command, folder=folder, environment=environment, capture=False, own_group=False
            )
        except OSError as error:
            return language_pb2.RunResponse(
                error=f"Problem executing program (could not run language executor): {error}"
            )
        context.add_callback(lambda: self._children.stop(child))
        code = child.wait()
        self._children.forget(child)
        if code == EXIT_MESSAGE_SHOWN:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"Program was ended by signal {-code}")
        return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}" if code else "")

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        interpreter = _interpreter(request.info, context)
        environment = interpreter.environ(dict(pair.split("=", 1) for pair in request.env if "=" in pair) or os.environ)
        program = Path(request.info.program_directory or request.program)
        if request.kind == "analyzer":
            arguments = ["-u", "-m", "pulumi.policy", *request.args, str(program)]
            folder = program
        else:
            arguments = ["-u", str(program), *request.args]
            folder = Path(request.pwd)
        try:
            child = self._children.start(
                [str(interpreter.executable), *arguments],
                folder=folder,
                environment=environment,
                capture=True,
                own_group=True,
            )
        except OSError as error:
            context.abort(grpc.StatusCode.INTERNAL, f"plugin {program} could not be started: {error}")
        # The engine ends a plugin by cancelling this call.
        context.add_callback(lambda: self._children.stop(child))
        for from_stdout, content in _output(child):
            if from_stdout:
                yield language_pb2.RunPluginResponse(stdout=content)
            else:
                yield language_pb2.RunPluginResponse(stderr=content)
        code = child.wait()
        self._children.forget(child)
        yield language_pb2.RunPluginResponse(exitcode=code)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        # A program is not stopped here: the engine lets running operations finish first.
        return empty_pb2.Empty()

    def _run_arguments(self, request: language_pb2.RunRequest) -> list[str]:
        flags = {
            "monitor": request.monitor_address,
            "engine": self._engine_address,
            "project": request.project,
            "root_directory": request.info.root_directory,
            "stack": request.stack,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "false",
            "parallel": str(request.parallel),
            "organization": request.organization,
        }
        arguments = [part for name, value in flags.items() if value for part in (f"--{name}", value)]
        program = os.path.join(request.info.program_directory, request.info.entry_point or ".")
        return [*arguments, program if request.info.program_directory else request.program or ".", *request.args]

    def _stream_install(
        self, command: Sequence[str], folder: Path, context: grpc.ServicerContext
    ) -> Generator[language_pb2.InstallDependenciesResponse, None, int]:
        child = self._children.start(command, folder=folder, environment=os.environ, capture=True, own_group=True)
        context.add_callback(lambda: self._children.stop(child))
        for from_stdout, content in _output(child):
            if from_stdout:
                yield language_pb2.InstallDependenciesResponse(stdout=content)
            else:
                yield language_pb2.InstallDependenciesResponse(stderr=content)
        code = child.wait()
        self._children.forget(child)
        return code


def _output(child: subprocess.Popen[bytes]) -> Iterator[tuple[bool, bytes]]:
    """What the child writes, as it writes it: (whether it is from stdout, bytes), until both streams are closed."""
    chunks: queue.Queue[tuple[bool, bytes]] = queue.Queue()

    def pump(stream: IO[bytes], from_stdout: bool) -> None:
        with stream:
            while chunk := os.read(stream.fileno(), 65536):
                chunks.put((from_stdout, chunk))
        chunks.put((from_stdout, b""))

    still_open = 0
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            still_open += 1
            threading.Thread(target=pump, args=(stream, stream is child.stdout), daemon=True).start()
    while still_open:
        from_stdout, content = chunks.get()
        if content:
            yield from_stdout, content
        else:
            still_open -= 1


def _options(info: language_pb2.ProgramInfo) -> Mapping[str, object]:
    options: dict[str, Any] = json_format.MessageToDict(info.options)
    return options


def _interpreter(info: language_pb2.ProgramInfo, context: grpc.ServicerContext) -> Interpreter:
    try:
        return interpreter_for(_options(info), Path(info.root_directory or "."))
    except InterpreterError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _plugins(info: language_pb2.ProgramInfo, context: grpc.ServicerContext) -> list[RequiredPlugin]:
    try:
        return required_plugins(_interpreter(info, context).import_folders)
    except PluginFileError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _package(plugin: RequiredPlugin) -> plugin_pb2.PackageDependency:
    parameterization = None
    if plugin.parameterization is not None:
        given = plugin.parameterization
        parameterization = plugin_pb2.PackageParameterization(name=given.name, version=given.version, value=given.value)
    return plugin_pb2.PackageDependency(
        name=plugin.name,
        kind="resource",
        version=plugin.version,
        server=plugin.server,
        parameterization=parameterization,
    )

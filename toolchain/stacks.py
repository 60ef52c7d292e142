"""The commands on a stack: everything it needs is brought up, then Pulumi does what it was asked to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from toolchain.adoption import find_created, is_looked_up, workspace_of
from toolchain.databases import CONFIG_FILE, private_database, stop_database
from toolchain.embedded import running_workspace, stop_workspace
from toolchain.engine import ensure_engine
from toolchain.layout import Layout
from toolchain.locks import clear_lock, holder_is_gone, read_locks
from toolchain.orphans import find_orphans, stop
from toolchain.pending import Pending, known_urns, pending_operations, rewrite_state, taken_over, unread_creations
from toolchain.project import Pipeline, Project, driver_of, drop_salt, find_project, pipeline_of
from toolchain.provider_plugin import ensure_plugin
from toolchain.report import Steps, ToolchainError, say
from toolchain.shell import LOCAL_STACK, Variables, combined, engine_variables, workspace_variables
from toolchain.stream import run_shown


class CommandFailed(Exception):  # noqa: N818 - the command failed, and has said why; this only carries its exit code
    """A command that was run for the user failed, and has said why."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        project: the Pulumi project, as `find_project` takes it; the clone's root when empty.
        data: folder with real data for the project's pipeline; sample data when empty.
        stop_workspace: with `down`, stop the embedded workspace as well.
    """

    layout: Layout
    project: str = ""
    stack: str = LOCAL_STACK
    data: str = ""
    stop_workspace: bool = False

    @property
    def is_local(self) -> bool:
        return self.stack == LOCAL_STACK


@dataclass(frozen=True)
class Session:
    """A project with everything in place for the engine to work on one of its stacks."""

    request: Request
    project: Project
    engine: Path
    environ: Mapping[str, str]

    @property
    def state_is_here(self) -> bool:
        return self.environ["PULUMI_BACKEND_URL"] == f"file://{self.request.layout.state}"

    @property
    def state_file(self) -> Path:
        return self.project.state_file(self.request.layout, self.request.stack)

    def pulumi(self, *arguments: str) -> None:
        """Runs a command on the stack in front of the user.

        Raises:
            CommandFailed: it ended with another exit code than 0.
        """
        now = datetime.now()
        log = self.request.layout.logs / f"{now:%Y%m%d-%H%M%S}-{self.request.stack}-{arguments[0]}.log"
        command = [str(self.engine), *arguments, "--stack", self.request.stack]
        code = run_shown(command, self.project.folder, self.environ, log)
        if code:
            raise CommandFailed(code)

    def rewrite_state(self, change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        """Puts a changed deployment in place of the stack's, without notes of pending operations.

        Raises:
            ToolchainError: the engine refuses it; the state is as it was.
        """
        rewrite_state(self.engine, self.project.folder, self.request.stack, self.environ, change)


def engine_ready(layout: Layout, stack: str, environ: Mapping[str, str], steps: Steps) -> tuple[Path, Variables]:
    """Brings up engine and plugin; returns the engine and the variables it needs for the stack."""
    with steps.step("engine"):
        engine = ensure_engine(layout, environ)
    variables = engine_variables(layout, engine, environ, stack)
    with steps.step("databricks plugin"):
        ensure_plugin(layout, engine.executable, variables.applied(environ), environ)
    # The engine does not make the folder of a file backend.
    layout.state.mkdir(parents=True, exist_ok=True)
    return engine.executable, variables


def shell_variables(request: Request, environ: Mapping[str, str], steps: Steps) -> tuple[Path, Variables]:
    """The same, and for the local stack the running workspace and its credentials."""
    layout = request.layout
    engine, variables = engine_ready(layout, request.stack, environ, steps)
    if not request.is_local:
        return engine, variables
    with steps.step("workspace"):
        workspace = running_workspace(layout, environ, layout.python)
    # A shell that was made for another project names that one's copy of a stack file.
    parts = [variables, workspace_variables(workspace.address, workspace.token, environ), Variables({}, (CONFIG_FILE,))]
    database = private_database(layout, find_project(layout, request.project), request.stack)
    if database is not None:
        database.copy_stack_file()
        parts.append(database.variables)
    return engine, combined(*parts)


def up(request: Request, steps: Steps) -> None:
    """Environment, engine, workspace, pipeline, `pulumi up`, outputs."""
    session = _ready(request, steps)
    try:
        interrupted = _take_over_pending(session, steps, "it is carried out again")
        driver = driver_of(request.layout, session.project)
        with steps.step("pulumi up" if driver is None else driver):
            if driver is None:
                session.pulumi("up", "--yes", "--skip-preview", "--suppress-outputs")
            else:
                _drive(session, driver)
        _settle_pending(session, interrupted)
        with steps.step("outputs"):
            session.pulumi("stack", "output")
    finally:
        _leave(session)


def preview(
    request: Request, steps: Steps, arguments: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> None:
    """What `up` would change; `arguments` and `variables` are the engine's, besides its own."""
    session = _ready(request, steps)
    session = replace(session, environ={**session.environ, **(variables or {})})
    try:
        with steps.step("pulumi preview"):
            session.pulumi("preview", *arguments)
    finally:
        _leave(session)


def abort(request: Request, steps: Steps) -> None:
    """Ends the release that another run is at work on. The stack is that run's, and is left alone."""
    project = find_project(request.layout, request.project)
    _, variables = shell_variables(request, os.environ, steps)
    command = [str(request.layout.python), "-m", "components.release.abort", str(project.stack_file(request.stack))]
    with steps.step("abort"):
        code = subprocess.run(
            command, cwd=request.layout.root, env=variables.applied(os.environ), check=False
        ).returncode
    if code:
        raise CommandFailed(code)


def down(request: Request, steps: Steps) -> None:
    """`pulumi destroy`. The stack itself stays, empty; so does the workspace, unless it is to be stopped."""
    layout = request.layout
    project = find_project(layout, request.project)
    if request.is_local and not project.state_file(layout, request.stack).is_file():
        say(f"stack {request.stack} of {project.name} does not exist; there is nothing to destroy")
    else:
        session = _session(request, project, steps)
        try:
            _take_over_pending(session, steps, "what that made, if anything, is in no state and stays")
            with steps.step("pulumi destroy"):
                session.pulumi("destroy", "--yes", "--skip-preview")
        finally:
            _leave(session)
    if request.is_local and request.stop_workspace:
        with steps.step("stop workspace"):
            stop_workspace(layout, layout.python)
            stop_database(layout)


def _ready(request: Request, steps: Steps) -> Session:
    """The session of a stack that exists and is selected, its pipeline run."""
    project = find_project(request.layout, request.project)
    session = _session(request, project, steps)
    database = private_database(request.layout, project, request.stack) if request.is_local else None
    if database is not None:
        with steps.step("database"):
            database.start()
    pipeline = pipeline_of(request.layout, project, request.stack) if request.is_local else None
    if pipeline is not None:
        with steps.step("pipeline"):
            _run_pipeline(session, pipeline)
    with steps.step("select stack"):
        command = [str(session.engine), "stack", "select", "--create", request.stack]
        selected = subprocess.run(
            command, cwd=project.folder, env=dict(session.environ), capture_output=True, text=True, check=False
        )
    if selected.returncode:
        say(f"{selected.stdout}{selected.stderr}".strip())
        raise CommandFailed(selected.returncode)
    if database is not None:
        database.set_secrets(session.engine, session.environ)
    return session


def _session(request: Request, project: Project, steps: Steps) -> Session:
    engine, variables = shell_variables(request, os.environ, steps)
    session = Session(request, project, engine, variables.applied(os.environ))
    _leave(session)
    _clear_the_way(session)
    return session


def _leave(session: Session) -> None:
    # Before a run, for the line that a by-hand command in the shell of `make env` has left; after it, for our own.
    if session.request.is_local:
        drop_salt(session.project.stack_file(session.request.stack))


def _run_pipeline(session: Session, pipeline: Pipeline) -> None:
    request = session.request
    place = ["--catalog", pipeline.catalog, "--schema", pipeline.schema]
    command = [str(request.layout.python), "-m", pipeline.module, *place]
    if request.data:
        folder = Path(request.data).expanduser().resolve()
        if not folder.is_dir():
            raise ToolchainError(
                f"DATA is {request.data!r}, but {folder} is not a folder; name the one with the real data."
            )
        command += ["--data", str(folder)]
    code = subprocess.run(command, cwd=request.layout.root, env=dict(session.environ), check=False).returncode
    if code:
        raise CommandFailed(code)


def _drive(session: Session, module: str) -> None:
    command = [str(session.request.layout.python), "-m", module, "--stack", session.request.stack]
    code = subprocess.run(command, cwd=session.request.layout.root, env=dict(session.environ), check=False).returncode
    if code:
        raise CommandFailed(code)


def _clear_the_way(session: Session) -> None:
    """Removes what a killed engine has left in the way of the next one, and says so.

    Raises:
        ToolchainError: another engine is at work on the stack, or may be.
    """
    request = session.request
    orphans = find_orphans(request.layout.pulumi_home)
    if orphans:
        listed = ", ".join(str(process.pid) for process in orphans)
        say(f"stopping plugin processes that outlived a killed engine: {listed}")
        stop(orphans)
    if not session.state_is_here:
        return
    for lock in read_locks(request.layout.state, session.project.name, request.stack):
        if not holder_is_gone(lock):
            raise ToolchainError(
                f"stack {request.stack} of {session.project.name} is locked by {lock}. Wait for it to end. "
                f"If it certainly has, run in the shell of `make env`: pulumi cancel --stack {request.stack}"
            )
        clear_lock(lock)
        say(f"cleared the lock of a dead process: {lock}")


def _take_over_pending(session: Session, steps: Steps, otherwise: str) -> list[Pending]:
    """What an interrupted run has made goes into the state; says so, and what becomes of the rest.

    Args:
        otherwise: what becomes of an operation that is not taken over.

    Returns:
        The operations that are left.
    """
    if not session.state_is_here:
        return []
    known = known_urns(session.state_file)
    created: dict[str, str] = {}
    left: list[Pending] = []
    for pending in pending_operations(session.state_file):
        if pending.kind == "creating" and pending.urn in known:
            continue
        found = _created(session, pending) if pending.kind == "creating" else None
        if found is None:
            say(f"an earlier run was interrupted while {pending}; {otherwise}")
            left.append(pending)
        else:
            say(f"an earlier run was interrupted while {pending}; {found} is there and is taken over")
            created[pending.urn] = found
    if created:
        session.rewrite_state(lambda deployment: taken_over(deployment, created))
    # More than those where a run was killed right here.
    unread = unread_creations(session.state_file, is_looked_up)
    if unread:
        targets = [word for urn in unread for word in ("--target", urn)]
        with steps.step("take over"):
            session.pulumi("refresh", "--yes", "--skip-preview", "--suppress-outputs", *targets)
    return left


def _created(session: Session, pending: Pending) -> str | None:
    if not is_looked_up(pending.type_token):
        return None
    return find_created(workspace_of(session.environ), pending.type_token, pending.inputs)


def _settle_pending(session: Session, interrupted: Sequence[Pending]) -> None:
    """After an update that succeeded: the notes go, and what it did not carry out again is named."""
    if not session.state_is_here:
        return
    known = known_urns(session.state_file)
    for pending in interrupted:
        if pending.kind == "creating" and pending.urn not in known:
            say(
                f"{pending} was interrupted earlier and the program no longer declares it: what it made, if anything, "
                "is in no state; look whether it exists"
            )
    if pending_operations(session.state_file):
        session.rewrite_state(dict)

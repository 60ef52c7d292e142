"""`make policy`: a preview under the policy pack, and the report on it. The report itself is the pack's own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from toolchain.layout import Layout
from toolchain.project import Project, find_project
from toolchain.report import Steps, ToolchainError, say
from toolchain.stacks import CommandFailed, Request, preview

PREVIEW_FAILED = 2
"""The report's exit code where the preview did not get through, so that nothing is proven."""
#: RFC 2606: no host has such a name.
_PLACEHOLDER = re.compile(r"^\s*databricks:host:\s*[\"']?(https://\S+\.example)\b", re.MULTILINE)


def judge(request: Request, events: str, steps: Steps) -> int:
    """Judges a stack by the pack; returns the report's exit code: 0, 1 with mandatory findings, 2 without a result.

    Args:
        events: file with the events of a preview that was made elsewhere; a preview is made when empty.

    Raises:
        ToolchainError: the stack cannot be previewed here, or its events are not there.
    """
    layout = request.layout
    if events:
        log = Path(events).expanduser().resolve()
        if not log.is_file():
            raise ToolchainError(
                f"EVENTS is {events!r}, but {log} is no file; give one that `PULUMI_DEBUG_COMMANDS=true pulumi preview "
                f"-s {request.stack} --policy-pack policies --event-log FILE` has written."
            )
    else:
        log = _previewed(request, steps)
    with steps.step("report"):
        command = [str(layout.python), "-m", "policies.report", str(log), "--stack", request.stack]
        code = subprocess.run([*command, "--to", str(layout.policy)], cwd=layout.root, check=False).returncode
    if code == PREVIEW_FAILED and not request.is_local:
        say(_needs(request.stack))
    return code


def policy_arguments(layout: Layout, stack: str) -> list[str]:
    """What the engine is told of the pack, and of the stack's configuration of it where there is one."""
    arguments = ["--policy-pack", str(layout.root / "policies")]
    config = layout.root / "policies" / "config" / f"{stack}.json"
    return [*arguments, "--policy-pack-config", str(config)] if config.is_file() else arguments


def _previewed(request: Request, steps: Steps) -> Path:
    layout = request.layout
    if not request.is_local:
        _refuse_placeholder(find_project(layout, request.project), request.stack)
    log = layout.policy / f"{request.stack}.events.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    # The engine appends; what an earlier preview said is over.
    log.unlink(missing_ok=True)
    arguments = [*policy_arguments(layout, request.stack), "--event-log", str(log)]
    try:
        # The engine shows --event-log with this variable only.
        preview(request, steps, arguments, {"PULUMI_DEBUG_COMMANDS": "true"})
    except CommandFailed:
        # Mandatory findings end a preview this way too; without events there is nothing to tell them by.
        if not log.is_file():
            if not request.is_local:
                say(_needs(request.stack))
            raise
    return log


def _refuse_placeholder(project: Project, stack: str) -> None:
    try:
        text = project.stack_file(stack).read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if (found := _PLACEHOLDER.search(text)) is not None:
        raise ToolchainError(
            f"{project.stack_file(stack).name} names {found.group(1)}, which is no workspace. {_needs(stack)}"
        )


def _needs(stack: str) -> str:
    return (
        f"A preview of {stack} reads model versions and permissions of its real workspace. It needs: databricks:host "
        f"of that workspace in Pulumi.{stack}.yaml; credentials for it in the environment (DATABRICKS_CLIENT_ID and "
        "DATABRICKS_CLIENT_SECRET, DATABRICKS_TOKEN, or a profile); the backend of its state (PULUMI_BACKEND_URL, "
        "PULUMI_CONFIG_PASSPHRASE). Where only a build server has those: make the preview there with --event-log, and "
        f"run `make policy STACK={stack} EVENTS=<file>` here (docs/ci/)."
    )

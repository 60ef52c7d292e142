"""Where the outputs of a stack come from: the Pulumi CLI, its JSON, the Automation API, or another Pulumi program."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .outputs import OutputsError, ServingOutputs

if TYPE_CHECKING:
    import pulumi
    from pulumi import automation

CLI_SECONDS = 120.0


def outputs_from_json(text: str) -> ServingOutputs:
    """The outputs in the text that `pulumi stack output --json` printed.

    Raises:
        OutputsError: the text is no JSON object, or not the outputs of a serving stack.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise OutputsError(f"stack outputs must be JSON: {error}; received {text[:80]!r}") from None
    if not isinstance(document, dict):
        raise OutputsError(f"stack outputs must be a JSON object; received {text[:80]!r}")
    return ServingOutputs.read(document)


def outputs_from_cli(stack: str, *, folder: str | Path = ".") -> ServingOutputs:
    """The outputs of `stack` of the Pulumi project in `folder`, asked from the `pulumi` command.

    Raises:
        OutputsError: the command is not there, failed, or took longer than two minutes; or its answer cannot be read.
    """
    command = ["pulumi", "stack", "output", "--json", "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=CLI_SECONDS, check=False)
    except FileNotFoundError:
        raise OutputsError(
            f"{folder} is no folder or pulumi is not on PATH: pass the outputs with outputs_from_json instead"
        ) from None
    except subprocess.TimeoutExpired:
        raise OutputsError(f"`{' '.join(command)}` did not answer within {CLI_SECONDS:.0f} s") from None
    if done.returncode:
        raise OutputsError(f"`{' '.join(command)}` in {folder} failed: {done.stderr.strip()}")
    return outputs_from_json(done.stdout)


def outputs_from_automation(stack: automation.Stack) -> ServingOutputs:
    """The outputs of a stack of Pulumi's Automation API. Raises OutputsError."""
    return ServingOutputs.read({name: output.value for name, output in stack.outputs().items()})


def outputs_from_reference(reference: pulumi.StackReference) -> pulumi.Output[ServingOutputs]:
    """The outputs of another stack, in a Pulumi program; OutputsError fails the program when they cannot be read."""

    def read(document: Mapping[str, Any] | None) -> ServingOutputs:
        return ServingOutputs.read(document or {})

    return reference.outputs.apply(read)

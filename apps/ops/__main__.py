"""`python -m apps.ops {verify,status,doctor,adopt} --stack <stack>`: the result on stdout, as text or as JSON.

Exit code 0: all is well. 1: something is wrong. 2: nothing could be looked at, and stderr says why. 3: nothing is wrong
as far as is known, and something is not known.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.ops.adopt import adopt, next_steps
from apps.ops.doctor import doctor
from apps.ops.findings import NOT_RUN, PASSED, OpsError, as_json, as_text, exit_code
from apps.ops.stack import StackFile, outputs_of_file
from apps.ops.verify import screen, verify

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        file = StackFile.read(_folder(options.project), options.stack)
        if options.command == "doctor":
            findings = doctor(file, tools=options.tool)
            print(as_json("doctor", file.stack, findings) if options.json else as_text(findings))
            return exit_code(findings)
        if options.command == "adopt":
            findings = adopt(file, file.client(), options.file)
            print(as_json("adopt", file.stack, findings) if options.json else as_text(findings))
            if not options.json:
                print(next_steps(file, options.file))
            # Without a finding everything is in the stack's state already.
            return exit_code(findings) if findings else PASSED
        outputs = outputs_of_file(options.outputs) if options.outputs else file.outputs()
        asks = options.command == "verify" and not options.no_query
        findings = verify(file, outputs, file.client(), query=asks)
    except OpsError as error:
        print(f"error: {error}", file=sys.stderr)
        return NOT_RUN
    if options.json:
        print(as_json(options.command, file.stack, findings))
    else:
        print(as_text(findings) if options.command == "verify" else screen(file.stack, outputs, findings))
    return exit_code(findings) if options.command == "verify" else PASSED


def _folder(project: str) -> Path:
    """A folder, or the name of an example; the root's stack is called taxi."""
    if project in ("", "taxi"):
        return ROOT
    example = ROOT / "examples" / project
    return example if example.is_dir() else Path(project)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apps.ops", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "verify": "the deployed stack against its outputs; asks the endpoint its smoke query",
        "status": "what is deployed and how it is, on one screen; asks nothing; exit code 0 whenever it could be read",
        "doctor": "what has to be there before a stack is set up",
        "adopt": "a file for `pulumi import` with what the stack declares and the workspace has already",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.add_argument("--stack", default="local", help="stack (default: %(default)s)")
        command.add_argument("--project", default="", help="folder of the Pulumi project, or of examples")
        command.add_argument("--json", action="store_true", help="one JSON document instead of text")
        if name == "doctor":
            command.add_argument("--tool", action="append", default=[], help="a program that is needed as well")
        if name == "adopt":
            command.add_argument("--file", type=Path, default=Path("adopt.json"), help="to write (%(default)s)")
        if name in ("doctor", "adopt"):
            continue
        command.add_argument(
            "--outputs", type=Path, help="JSON of `pulumi stack output --json`, in place of the engine"
        )
        if name == "verify":
            command.add_argument("--no-query", action="store_true", help="do not ask the endpoint")
    return parser


if __name__ == "__main__":
    sys.exit(main())

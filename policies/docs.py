"""`python -m policies.docs`: writes `docs/policies.md` from what the rules say about themselves."""

from __future__ import annotations

import json
from pathlib import Path

from policies.pack import CONCERNS, NAME, RULES
from policies.rule import TRIAL_STACKS, TRIAL_SUFFIX, ResourceRule, Rule
from policies.waivers import OPTION

GUIDE = Path(__file__).with_name("guide.md")
"""What no rule says about itself; `REMEDIES` in it stands for the list of them."""
PAGE = Path(__file__).resolve().parents[1] / "docs" / "policies.md"

_TRIALS = ", ".join(f"`{name}`" for name in sorted(TRIAL_STACKS))
_REMEDIES = "\n".join(
    f"- `{rule.name}`: {rule.remedied}" for rule in RULES if isinstance(rule, ResourceRule) and rule.remedy
)
_HEAD = f"""\
# Policies

Written by `python -m policies.docs` from the rules themselves and `policies/guide.md`; change them, not
this page.

The pack `{NAME}` ({len(RULES)} rules) judges a stack in preview, before anything is changed, and again during the
update:

```sh
pulumi preview -s staging --policy-pack policies
```

Stacks named {_TRIALS} are trials; every other one counts as production. A rule whose
levels differ appears to the engine as two: under its own name in production, with `{TRIAL_SUFFIX}` in trials
(one that is off in production has its own name there). A level can be changed by policy configuration, as any option:
`--policy-pack-config FILE`, with `{{"<rule>": "advisory"}}` or
`{{"<rule>": {{"enforcementLevel": "advisory", "<option>": ...}}}}`.

Every rule takes waivers, by the name of the resource: `{{"<rule>": {{"{OPTION}": {{"<resource>": {{"reason": "...",
"owner": "...", "until": "YYYY-MM-DD"}}}}}}}}`. A waiver holds to the end of its last day; after it the rule fails, and
says whose waiver it was.

A value that is not known before the update is not judged in preview; the engine says so as an advisory.
"""


def page() -> str:
    """The whole page."""
    tables = "".join(_table(concern, rules) for concern, rules in CONCERNS.items())
    guide = GUIDE.read_text().replace("REMEDIES", _REMEDIES)
    return f"{_HEAD}\n{guide}{tables}" + "".join(_section(rule) for rule in RULES)


def _table(concern: str, rules: tuple[Rule, ...]) -> str:
    lines = [
        f"\n## {concern.capitalize()}\n",
        "| id | rule | severity | trial | production |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rule in rules:
        levels = f"{rule.staging.value} | {rule.prod.value}"
        lines.append(f"| {rule.id} | [{rule.name}](#{rule.name}) | {rule.severity.value} | {levels} |")
    return "\n".join(lines) + "\n"


def _section(rule: Rule) -> str:
    options = "".join(
        f"\nOption `{name}` (default `{json.dumps(schema['default'])}`): {schema['description']}\n"
        for name, schema in rule.options.items()
    )
    return (
        f"\n### {rule.name}\n{rule.description} To satisfy it: {rule.remediation} ([source]({rule.source}))\n{options}"
    )


def main() -> None:
    PAGE.write_text(page())


if __name__ == "__main__":
    main()

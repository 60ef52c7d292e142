"""The quickstart stack: the alias that bulk scoring goes by, moved past its gate, and the job that scores."""

from __future__ import annotations

import pulumi

from components.config import OBSERVED
from components.config.batch import CONSUMER
from components.dynamic import ModelAlias, ModelAliasArgs
from components.registry import resolve_aliases
from components.stack import connect, load_stack_config
from examples.quickstart.batch import make_batch
from examples.quickstart.config import QuickstartConfig
from examples.quickstart.proof import validation_evidence

config = load_stack_config(QuickstartConfig)
client = connect()
versions = resolve_aliases(config.model, client)
aliases = [
    ModelAlias(
        alias,
        ModelAliasArgs(
            model=config.model.name,
            alias=alias,
            version=versions[alias],
            # No endpoint proves a version here: what its validation wrote on it does.
            evidence=validation_evidence(client, config.model.name, versions[alias]),
            require_evidence=True,
            requires=config.model.settings_of(alias).requires,
            on_delete=config.model.settings_of(alias).on_delete or config.defaults.alias_on_delete,
        ),
    )
    for alias, stated in config.model.aliases.items()
    if stated != OBSERVED
]
workflow = make_batch(config, aliases)

pulumi.export("profile", config.profile)
pulumi.export("environment", config.environment)
pulumi.export("modelName", config.model.name)
pulumi.export("modelUri", f"models:/{config.model.name}@{config.model.consumers[CONSUMER]}")
pulumi.export("aliases", versions)
pulumi.export(
    "consumers", {who: {"alias": alias, "version": versions[alias]} for who, alias in config.model.consumers.items()}
)
pulumi.export("jobIds", workflow.job_ids)
pulumi.export("predictionsTable", config.qualified(config.batch.output_table))

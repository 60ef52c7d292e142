"""`ModelRegistration`: a registered model, who may use it, where its training runs are kept, and its ladder of aliases.

Versions are made by training, which tags them too (Git commit, date, metrics): the ladder asks for those tags. Aliases
are moved by `ModelAlias`, because the provider's `RegisteredModel.aliases` is dropped silently by the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .dynamic import ModelAlias, ModelAliasArgs
from .names import ThreePartName, check_alias, check_version
from .options import child_options, main_options

ModelPrivilege = Literal["EXECUTE", "APPLY_TAG", "CREATE_MODEL_VERSION", "MANAGE"]


@dataclass(frozen=True, kw_only=True)
class RungArgs(Arguments):
    """An alias of the model, and the version that it points to."""

    alias: str
    """In lower case, such as `champion`."""
    version: pulumi.Input[str]
    """Version number; READY."""
    requires: Mapping[str, str] = field(default_factory=dict)
    """Tags that a version must have before this alias moves to it, beside `version_tags`: name to value, an empty text
    for any value.
    """
    bootstrap: bool = False
    """Lets the alias skip the rung below while it points to nothing."""
    on_delete: Literal["keep", "remove", "restore_previous"] = "keep"
    """What becomes of the alias when the resource goes."""


@dataclass(frozen=True, kw_only=True)
class ModelRegistrationArgs(Arguments):
    """What a `ModelRegistration` is made of."""

    model: str
    """Registered model, `catalog.schema.model`. Another name is another model."""
    comment: str
    """What it predicts, from what, and whom to ask; readers of the catalog see it."""
    owner: pulumi.Input[str] | None = None
    """Who owns it; who deploys when left out."""
    grants: Mapping[str, Sequence[ModelPrivilege]] = field(default_factory=dict)
    """Principal to privileges. Authoritative: the stack owns this model."""
    experiment: str | None = None
    """Workspace path of the MLflow experiment of its training runs; none is made when left out."""
    ladder: Sequence[RungArgs] = ()
    """Aliases that the stack moves, lowest rung first, such as challenger, champion: a version needs the one below, or
    must have had it, before it gets the next.
    """
    version_tags: Sequence[str] = ()
    """Tags that a version must have before any alias moves to it, such as `git_sha`, `training_date`, its metrics."""
    evidence: pulumi.Input[str] | None = None
    """Digest of what proved the versions (`SmokeQuery.digest`): kept with each move, which waits for it."""
    protect: bool = True
    """Whether `destroy` refuses to delete it: a model takes all its versions with it."""


class ModelRegistration(pulumi.ComponentResource):
    """A registered model of Unity Catalog, its grants, its experiment and its aliases.

    Raises:
        ValueError: the name has not three parts, the comment is empty, or the experiment is no path; nothing has been
            registered then.
    """

    model_name: pulumi.Output[str]
    """Full name, once the model is there."""
    experiment_id: pulumi.Output[str] | None
    """Id of the experiment."""
    aliases: dict[str, ModelAlias]
    """By alias. Depend on one with what may only happen after its move."""

    def __init__(self, name: str, args: ModelRegistrationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        full_name = ThreePartName.parse(args.model, what="model")
        if not args.comment.strip():
            raise ValueError(f"model {full_name} has no comment; say what it predicts, from what, and whom to ask")
        if args.experiment is not None and not args.experiment.startswith("/"):
            raise ValueError(
                f"experiment {args.experiment!r} of model {full_name} is no workspace path; write it from the root, "
                f"such as /Shared/{full_name.name}"
            )
        _check_ladder(full_name, args.ladder)
        super().__init__("databricks-serving:index:ModelRegistration", name, None, opts)
        child = child_options(self, opts, has_main=True)
        self.model = databricks.RegisteredModel(
            name,
            catalog_name=full_name.catalog,
            schema_name=full_name.schema,
            name=full_name.name,
            comment=args.comment,
            owner=args.owner,
            opts=pulumi.ResourceOptions.merge(
                main_options(self, opts), pulumi.ResourceOptions(protect=args.protect or None)
            ),
        )
        self.grants = (
            databricks.Grants(
                f"{name}-grants",
                model=self.model.id,
                grants=[
                    databricks.GrantsGrantArgs(principal=principal, privileges=sorted(privileges))
                    for principal, privileges in sorted(args.grants.items())
                ],
                opts=pulumi.ResourceOptions(parent=self),
            )
            if args.grants
            else None
        )
        self.experiment = (
            None
            if args.experiment is None
            else databricks.MlflowExperiment(f"{name}-experiment", name=args.experiment, opts=child)
        )
        self.aliases = self._ladder(name, str(full_name), args)
        self.model_name = self.model.id
        self.experiment_id = None if self.experiment is None else self.experiment.experiment_id
        self.register_outputs(
            {
                "model_name": self.model_name,
                "experiment_id": self.experiment_id,
                "aliases": {alias: one.version for alias, one in self.aliases.items()},
            }
        )

    def _ladder(self, name: str, model: str, args: ModelRegistrationArgs) -> dict[str, ModelAlias]:
        """One after the other: a rung is moved when the one below has been."""
        made: dict[str, ModelAlias] = {}
        below: RungArgs | None = None
        for rung in args.ladder:
            made[rung.alias] = ModelAlias(
                f"{name}-{rung.alias}",
                ModelAliasArgs(
                    model=model,
                    alias=rung.alias,
                    version=rung.version,
                    evidence=args.evidence,
                    require_evidence=args.evidence is not None,
                    requires={**dict.fromkeys(args.version_tags, ""), **rung.requires},
                    after=None if below is None else below.alias,
                    after_version=None if below is None else below.version,
                    bootstrap=rung.bootstrap,
                    on_delete=rung.on_delete,
                ),
                pulumi.ResourceOptions(parent=self, depends_on=[self.model, *list(made.values())[-1:]]),
            )
            below = rung
        return made


def _check_ladder(model: ThreePartName, ladder: Sequence[RungArgs]) -> None:
    aliases = [check_alias(rung.alias) for rung in ladder]
    if len(set(aliases)) != len(aliases):
        raise ValueError(f"ladder of {model} names an alias twice: {', '.join(aliases)}; every alias is one rung")
    for rung in ladder:
        if isinstance(rung.version, str):
            check_version(rung.version)

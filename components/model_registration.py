"""`ModelRegistration`: a registered model, who may use it, and where its training runs are kept.

Versions and aliases are not part of it: versions are made by training, aliases are moved by `ModelAlias` (the
provider's `RegisteredModel.aliases` is dropped silently by the service).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .names import ThreePartName
from .options import child_options, main_options

ModelPrivilege = Literal["EXECUTE", "APPLY_TAG", "CREATE_MODEL_VERSION", "MANAGE"]


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
    protect: bool = True
    """Whether `destroy` refuses to delete it: a model takes all its versions with it."""


class ModelRegistration(pulumi.ComponentResource):
    """A registered model of Unity Catalog, its grants and its experiment.

    Raises:
        ValueError: the name has not three parts, the comment is empty, or the experiment is no path; nothing has been
            registered then.
    """

    model_name: pulumi.Output[str]
    """Full name, once the model is there."""
    experiment_id: pulumi.Output[str] | None
    """Id of the experiment."""

    def __init__(self, name: str, args: ModelRegistrationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        full_name = ThreePartName.parse(args.model, what="model")
        if not args.comment.strip():
            raise ValueError(f"model {full_name} has no comment; say what it predicts, from what, and whom to ask")
        if args.experiment is not None and not args.experiment.startswith("/"):
            raise ValueError(
                f"experiment {args.experiment!r} of model {full_name} is no workspace path; write it from the root, "
                f"such as /Shared/{full_name.name}"
            )
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
        self.model_name = self.model.id
        self.experiment_id = None if self.experiment is None else self.experiment.experiment_id
        self.register_outputs({"model_name": self.model_name, "experiment_id": self.experiment_id})

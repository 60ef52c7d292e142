"""`LakebaseStore`: a Lakebase Autoscaling project that feature tables are synced into.

A project comes with a branch `production` and an endpoint that reads and writes (documentation "Lakebase projects");
both are the project's own, so nothing else is declared for them. Feature lookups of Model Serving go through online
stores (`FeatureOnlineStore`); synced tables are for apps that read Postgres themselves, and for lookups where the
workspace serves them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pulumi

from . import databricks
from .arguments import Arguments
from .options import main_options

BRANCH = "production"
_PROJECT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class LakebaseStoreArgs(Arguments):
    """What a `LakebaseStore` is made of."""

    project_id: str
    """Id of the project: lower case letters, digits and dashes. Another one is another project; the old one goes first,
    with all that is in it.
    """
    display_name: str | None = None
    """For people; the id when left out."""
    min_cu: float = 1.0
    """Least compute units of the read-write endpoint."""
    max_cu: float = 1.0
    """Most compute units; the endpoint grows to them by itself."""
    pg_version: int = 17
    """Version of Postgres. Another one is another project: the old one goes first, with all that is in it."""
    protect: bool = False
    """Whether `destroy` refuses to delete it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _PROJECT_ID.fullmatch(self.project_id):
            raise ValueError(
                f"project_id {self.project_id!r} is none; use lower case letters, digits and dashes, a letter first"
            )
        if not 0 < self.min_cu <= self.max_cu:
            raise ValueError(
                f"Lakebase project {self.project_id} has {self.min_cu} to {self.max_cu} CU; the least first"
            )


class LakebaseStore(pulumi.ComponentResource):
    """A Lakebase project with its branch `production`."""

    branch: pulumi.Output[str]
    """`projects/<id>/branches/production`, where tables are synced into."""

    def __init__(self, name: str, args: LakebaseStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("databricks-serving:index:LakebaseStore", name, None, opts)
        self.project = databricks.PostgresProject(
            name,
            project_id=args.project_id,
            spec=databricks.PostgresProjectSpecArgs(
                display_name=args.display_name or args.project_id,
                pg_version=args.pg_version,
                default_endpoint_settings=databricks.PostgresProjectSpecDefaultEndpointSettingsArgs(
                    autoscaling_limit_min_cu=args.min_cu, autoscaling_limit_max_cu=args.max_cu
                ),
            ),
            opts=pulumi.ResourceOptions.merge(
                main_options(self, opts),
                # Another version of Postgres is another project of the same id, and the provider would make it first.
                pulumi.ResourceOptions(protect=args.protect or None, delete_before_replace=True),
            ),
        )
        # Never by the resource's id: it is the same text for every resource of this family.
        self.branch = self.project.name.apply(lambda project: f"{project}/branches/{BRANCH}")
        self.register_outputs({"branch": self.branch})

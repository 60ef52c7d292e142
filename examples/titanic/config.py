"""The schema of this project's stack files: what all serving stacks have, the MySQL store, and the job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from components.config import FeatureTableConfig, OnlineStoreConfig, ServingConfig, StackConfig
from components.config.external_store import ExternalStoreConfig
from components.config.fields import Cron, Email, Filled, Section

DEFAULT_PACKAGES = (
    "mlflow==3.17.2",
    "databricks-sdk==0.156.0",
    "scikit-learn==1.7.2",
    "pandas==2.3.3",
    "xgboost-cpu==3.2.0",
    "pymysql==1.2.4",
)


class WorkflowConfig(Section):
    """The job that makes features, publishes them, and fits the model."""

    folder: str = Field(pattern="^/", description="Workspace folder of the notebooks and their code, from the root.")
    experiment: str = Field(
        default="/Shared/passenger_fit_model", pattern="^/", description="MLflow experiment of the training runs."
    )
    cron: Cron = Field(default="0 0 3 * * ?", description="Quartz expression, UTC: when it runs.")
    paused: bool = Field(default=False, description="Whether the schedule waits for somebody to start it.")
    packages: list[Filled] = Field(
        default_factory=lambda: list(DEFAULT_PACKAGES), description="What the notebooks run with, pinned."
    )
    run_as: Filled | None = Field(
        default=None, description="Application id of a service principal; mysql.publishPrincipal where both are named."
    )
    notify_on_failure: list[Email] = Field(default_factory=list)


class PassengerConfig(ServingConfig):
    """A stack file with `mysql.enabled: true`: the model reads a MySQL store, and the online store is left alone."""

    mysql: ExternalStoreConfig
    workflow: WorkflowConfig
    online_store: OnlineStoreConfig | None = Field(default=None, description="Not used while mysql is enabled.")
    feature_tables: list[FeatureTableConfig] = Field(default_factory=list, description="The same.")

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if self.workflow.run_as not in (None, self.mysql.publish_principal):
            yield (
                f"workflow.runAs is {self.workflow.run_as!r} and mysql.publishPrincipal is "
                f"{self.mysql.publish_principal!r}: whoever the job runs as reads the writer's password; name one "
                "principal in both"
            )
        if self.mysql.publish_principal == self.serving_principal:
            yield (
                f"mysql.publishPrincipal and servingPrincipal are both {self.serving_principal!r}: whoever serves "
                "could write to the store; use two service principals"
            )
        if self.environment == "prod":
            yield from self._prod_problems()

    def _prod_problems(self) -> Iterator[str]:
        if self.mysql.client_host == "%":
            yield (
                "mysql.clientHost is %, so both users may come from anywhere; name the addresses of the workspace's "
                "network, such as 10.20.%"
            )
        if self.mysql.tls.ca is None:
            yield "mysql.tls.ca is missing: prod trusts the authority of its database alone; name its PEM file"
        if self.workflow.run_as is None:
            yield "workflow.runAs is missing: in prod the job runs as mysql.publishPrincipal; write it there, too"


class OnlinePassengerConfig(StackConfig):
    """A stack file of the default: one table, published to an online store, and looked up by the endpoint."""

    mysql: ExternalStoreConfig = ExternalStoreConfig()
    workflow: WorkflowConfig

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if len(self.feature_tables) != 1:
            yield (
                f"featureTables names {len(self.feature_tables)} tables; publish online_feature_table alone, which the "
                "two others are joined into"
            )


def schema_of(values: Mapping[str, Any]) -> type[PassengerConfig] | type[OnlinePassengerConfig]:
    """The schema of a stack file, by `mysql.enabled`. What is wrong with that is the schema's to say."""
    section = values.get("mysql")
    enabled = isinstance(section, Mapping) and section.get("enabled") is True
    return PassengerConfig if enabled else OnlinePassengerConfig

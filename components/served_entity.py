"""What can stand behind an endpoint: a registered model, an external model, a foundation model with throughput.

Rules are those of the serving API and of its provider (`ModelServingConfigServedEntity`): what either refuses at apply,
or lets through to an endless diff, is refused when the arguments are made. Whether a workload type or a provider is
offered in a region only the service knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal

import pulumi

from . import databricks
from .arguments import Arguments
from .names import ThreePartName, check_served_entity_name, check_version

WorkloadSize = Literal["Small", "Medium", "Large"]
WorkloadType = Literal[
    "CPU",
    "CPU_MEDIUM",
    "CPU_LARGE",
    "GPU_SMALL",
    "GPU_MEDIUM",
    "GPU_LARGE",
    "GPU_XLARGE",
    "GPU_XLARGE_8",
    "MULTIGPU_MEDIUM",
]
Task = Literal["llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"]

SECRET_REFERENCE = re.compile(r"\{\{secrets/[^/{}\s]+/[^/{}\s]+\}\}")
CONCURRENCY_STEP = 4
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY", re.IGNORECASE)


class ServedEntityError(ValueError):
    """A served entity breaks a rule: which entity, which field, the value received, the fix."""


@dataclass(frozen=True, kw_only=True)
class ServedEntityArgs(Arguments):
    """One version of a registered model behind the endpoint."""

    model: str
    """Registered model, `catalog.schema.model`."""
    version: str
    """Version number: digits. Aliases are resolved before (components/registry.py)."""
    traffic_percentage: int
    """Whole percent of the requests, 0 to 100."""
    scale_to_zero_enabled: bool
    """Stated always: the service refuses a custom model without it."""
    name: str | None = None
    """Name of the served entity; `<model>-<version>` when left out."""
    workload_size: WorkloadSize | None = None
    """Provisioned concurrency: Small 4, Medium 8 to 16, Large 16 to 64. Small when neither this nor a concurrency is
    given.
    """
    min_provisioned_concurrency: int | None = None
    """Requests at a time that are always provisioned for, a multiple of 4; takes the place of `workload_size`."""
    max_provisioned_concurrency: int | None = None
    """Requests at a time that the entity may grow to, a multiple of 4; together with the minimum."""
    workload_type: WorkloadType = "CPU"
    """CPU, CPU_MEDIUM, CPU_LARGE or a GPU type that the region offers."""
    environment_vars: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """For the model's process; secrets only as `{{secrets/<scope>/<key>}}`: the service shows these values to
    readers.
    """
    instance_profile_arn: str | None = None
    """AWS only: the role that the model's process assumes."""

    kind: ClassVar[str] = "registered model"

    def __post_init__(self) -> None:
        super().__post_init__()
        minimum, maximum = self.min_provisioned_concurrency, self.max_provisioned_concurrency
        if (minimum is None) != (maximum is None):
            raise self._error("min/max_provisioned_concurrency", (minimum, maximum), "give both, or neither")
        if minimum is not None and maximum is not None:
            if self.workload_size is not None:
                raise self._error(
                    "workload_size", self.workload_size, "remove it: the provisioned concurrency takes its place"
                )
            if minimum % CONCURRENCY_STEP or maximum % CONCURRENCY_STEP or not 0 <= minimum <= maximum or maximum == 0:
                raise self._error(
                    "min/max_provisioned_concurrency", (minimum, maximum), "use multiples of 4, the minimum first"
                )
            if minimum == 0 and not self.scale_to_zero_enabled:
                raise self._error(
                    "min_provisioned_concurrency", 0, "use 4 or more: only an entity that scales to zero starts at 0"
                )
        check_variables(f"served entity of {self.model} version {self.version}", self.environment_vars)

    @property
    def entity_name(self) -> str:
        """Name of the served entity. Raises ValueError where the model's or the given name cannot be one."""
        return check_served_entity_name(
            self.name or f"{ThreePartName.parse(self.model).name}-{check_version(self.version)}"
        )

    @property
    def scales_to_zero(self) -> bool:
        return self.scale_to_zero_enabled

    @property
    def checked_variables(self) -> dict[str, pulumi.Input[str]]:
        """The variables; one that is known late raises ServedEntityError when it is, before the service sees it."""
        whose = f"served entity of {self.model} version {self.version}"
        return {
            variable: value if isinstance(value, str) else _checked_later(value, partial(_check_value, whose, variable))
            for variable, value in self.environment_vars.items()
        }

    def inputs(self) -> databricks.ModelServingConfigServedEntityArgs:
        """The entity as the resource takes it. Raises ValueError for a name that is none."""
        sized = self.min_provisioned_concurrency is not None
        return databricks.ModelServingConfigServedEntityArgs(
            name=self.entity_name,
            entity_name=str(ThreePartName.parse(self.model)),
            entity_version=check_version(self.version),
            workload_size=None if sized else (self.workload_size or "Small"),
            min_provisioned_concurrency=self.min_provisioned_concurrency,
            max_provisioned_concurrency=self.max_provisioned_concurrency,
            workload_type=self.workload_type,
            scale_to_zero_enabled=self.scale_to_zero_enabled,
            environment_vars=self.checked_variables or None,
            instance_profile_arn=self.instance_profile_arn,
        )

    def _error(self, where: str, value: object, fix: str) -> ServedEntityError:
        return ServedEntityError(f"served entity of {self.model} version {self.version}: {where} is {value}; {fix}")


def check_variables(whose: str, variables: Mapping[str, pulumi.Input[str]]) -> None:
    """The environment of a model's process: names, secret references, and no secret as a literal.

    Args:
        whose: for the message.

    Raises:
        ServedEntityError: the first variable that breaks a rule. A value that is not known yet is checked when it is
            (`ServedEntityArgs.checked_variables`).
    """
    for variable, value in variables.items():
        if not _VARIABLE.fullmatch(variable):
            raise ServedEntityError(
                f"{whose}: environment_vars[{variable!r}] is {variable}; a variable's name has letters, digits and "
                "underscores"
            )
        if isinstance(value, str):
            _check_value(whose, variable, value)


def _check_value(whose: str, variable: str, value: str) -> str:
    where = f"{whose}: environment_vars[{variable!r}]"
    if "{{" in value and not SECRET_REFERENCE.fullmatch(value):
        raise ServedEntityError(
            f"{where} is {value}; a secret reference is {{{{secrets/<scope>/<key>}}}}, nothing else"
        )
    if _SECRET_NAME.search(variable) and not SECRET_REFERENCE.fullmatch(value):
        # The value is not repeated: it is what must not be seen.
        raise ServedEntityError(
            f"{where} is a literal; put the value into a secret scope and write {{{{secrets/<scope>/<key>}}}}: the "
            "service shows environment variables to everybody who can view the endpoint"
        )
    return value


def _checked_later(value: pulumi.Input[str], check: Callable[[str], str]) -> pulumi.Output[str]:
    return pulumi.Output.from_input(value).apply(check)


@dataclass(frozen=True)
class _Provider:
    """The block of one external provider: its class, the field it needs, its fields, those of them that are secrets."""

    block: str
    args: type[Any]
    needed: tuple[str, ...]
    plain: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


PROVIDERS: Mapping[str, _Provider] = {
    "ai21labs": _Provider(
        "ai21labs_config",
        databricks.ModelServingConfigServedEntityExternalModelAi21labsConfigArgs,
        ("ai21labs_api_key",),
        secret=("ai21labs_api_key",),
    ),
    "amazon-bedrock": _Provider(
        "amazon_bedrock_config",
        databricks.ModelServingConfigServedEntityExternalModelAmazonBedrockConfigArgs,
        ("aws_region", "bedrock_provider"),
        plain=("aws_region", "bedrock_provider", "instance_profile_arn", "uc_service_credential_name"),
        secret=("aws_access_key_id", "aws_secret_access_key"),
    ),
    "anthropic": _Provider(
        "anthropic_config",
        databricks.ModelServingConfigServedEntityExternalModelAnthropicConfigArgs,
        ("anthropic_api_key",),
        secret=("anthropic_api_key",),
    ),
    "cohere": _Provider(
        "cohere_config",
        databricks.ModelServingConfigServedEntityExternalModelCohereConfigArgs,
        ("cohere_api_key",),
        plain=("cohere_api_base",),
        secret=("cohere_api_key",),
    ),
    "databricks-model-serving": _Provider(
        "databricks_model_serving_config",
        databricks.ModelServingConfigServedEntityExternalModelDatabricksModelServingConfigArgs,
        ("databricks_workspace_url", "databricks_api_token"),
        plain=("databricks_workspace_url",),
        secret=("databricks_api_token",),
    ),
    "google-cloud-vertex-ai": _Provider(
        "google_cloud_vertex_ai_config",
        databricks.ModelServingConfigServedEntityExternalModelGoogleCloudVertexAiConfigArgs,
        ("project_id", "region", "private_key"),
        plain=("project_id", "region"),
        secret=("private_key",),
    ),
    "openai": _Provider(
        "openai_config",
        databricks.ModelServingConfigServedEntityExternalModelOpenaiConfigArgs,
        (),
        plain=(
            "openai_api_base",
            "openai_api_type",
            "openai_api_version",
            "openai_deployment_name",
            "openai_organization",
            "microsoft_entra_client_id",
            "microsoft_entra_tenant_id",
        ),
        secret=("openai_api_key", "microsoft_entra_client_secret"),
    ),
    "palm": _Provider(
        "palm_config",
        databricks.ModelServingConfigServedEntityExternalModelPalmConfigArgs,
        ("palm_api_key",),
        secret=("palm_api_key",),
    ),
}


@dataclass(frozen=True, kw_only=True)
class ExternalModelArgs(Arguments):
    """A model that somebody else hosts, behind the workspace's gateway. All external models of an endpoint share a
    task.
    """

    provider: str
    """Who hosts it: one of `PROVIDERS`."""
    model: str
    """The provider's name of the model."""
    task: Task
    """What it does, in the gateway's words."""
    traffic_percentage: int
    """Whole percent of the requests, 0 to 100."""
    settings: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """The provider's block, by the field names of the plugin; keys and secrets as `{{secrets/<scope>/<key>}}` only."""
    name: str | None = None
    """Name of the served entity; the model's name with `.` and `:` turned into `-` when left out."""

    kind: ClassVar[str] = "external model"
    # Nothing runs here that could.
    scales_to_zero: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.provider not in PROVIDERS:
            raise self._error("provider", self.provider, f"use one of {', '.join(sorted(PROVIDERS))}")
        known = PROVIDERS[self.provider]
        for key, value in self.settings.items():
            if key.endswith("_plaintext"):
                raise self._error(
                    key, "a secret in plain text", f"use {key.removesuffix('_plaintext')} with a reference"
                )
            if key not in known.plain and key not in known.secret:
                raise self._error("settings", key, f"{self.provider} has {', '.join((*known.plain, *known.secret))}")
            if key in known.secret and isinstance(value, str):
                self._check_secret(key, value)
        if missing := [key for key in known.needed if key not in self.settings]:
            raise self._error("settings", sorted(self.settings) or "empty", f"add {', '.join(missing)}")

    @property
    def entity_name(self) -> str:
        """Name of the served entity. Raises ValueError where it cannot be one."""
        return check_served_entity_name(self.name or re.sub(r"[.:/]", "-", self.model))

    def inputs(self) -> databricks.ModelServingConfigServedEntityArgs:
        """The entity as the resource takes it."""
        provider = PROVIDERS[self.provider]
        settings = {
            key: _checked_later(value, partial(self._check_secret, key))
            if key in provider.secret and not isinstance(value, str)
            else value
            for key, value in self.settings.items()
        }
        external = databricks.ModelServingConfigServedEntityExternalModelArgs(
            name=self.model, provider=self.provider, task=self.task, **{provider.block: provider.args(**settings)}
        )
        return databricks.ModelServingConfigServedEntityArgs(name=self.entity_name, external_model=external)

    def _check_secret(self, key: str, value: str) -> str:
        if not SECRET_REFERENCE.fullmatch(value):
            raise self._error(key, "a literal", "put it into a secret scope and write {{secrets/<scope>/<key>}}")
        return value

    def _error(self, where: str, value: object, fix: str) -> ServedEntityError:
        return ServedEntityError(f"external model {self.model}: {where} is {value}; {fix}")


@dataclass(frozen=True, kw_only=True)
class FoundationModelArgs(Arguments):
    """A foundation model of Unity Catalog (`system.ai...`) with provisioned throughput in tokens per second.

    Newer models are sold in model units: `ProvisionedThroughputEndpoint`.
    """

    model: str
    """Model in Unity Catalog, `system.ai.<model>` or a fine-tuned one."""
    version: str
    """Version number: digits."""
    traffic_percentage: int
    """Whole percent of the requests, 0 to 100."""
    max_provisioned_throughput: int
    """Tokens per second, a multiple of the model's chunk (`get-model-optimization-info` tells it)."""
    min_provisioned_throughput: int = 0
    """Tokens per second that are always there; 0 scales down to nothing."""
    name: str | None = None
    """Name of the served entity; `<model>-<version>` when left out."""

    kind: ClassVar[str] = "foundation model"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.min_provisioned_throughput <= self.max_provisioned_throughput > 0:
            raise ServedEntityError(
                f"foundation model {self.model}: min/max_provisioned_throughput is "
                f"{self.min_provisioned_throughput}/{self.max_provisioned_throughput}; use tokens per second, "
                "0 or more, the minimum first"
            )

    @property
    def entity_name(self) -> str:
        """Name of the served entity. Raises ValueError where it cannot be one."""
        return check_served_entity_name(
            self.name or f"{ThreePartName.parse(self.model).name}-{check_version(self.version)}".replace(".", "-")
        )

    @property
    def scales_to_zero(self) -> bool:
        return self.min_provisioned_throughput == 0

    def inputs(self) -> databricks.ModelServingConfigServedEntityArgs:
        """The entity as the resource takes it; `scale_to_zero_enabled` always reads back false for these."""
        return databricks.ModelServingConfigServedEntityArgs(
            name=self.entity_name,
            entity_name=str(ThreePartName.parse(self.model)),
            entity_version=check_version(self.version),
            min_provisioned_throughput=self.min_provisioned_throughput,
            max_provisioned_throughput=self.max_provisioned_throughput,
            scale_to_zero_enabled=False,
        )


AnyServedEntity = ServedEntityArgs | ExternalModelArgs | FoundationModelArgs


def check_together(entities: list[AnyServedEntity]) -> None:
    """Rules across the entities of one endpoint.

    Raises:
        ServedEntityError: external and hosted models are mixed, or external models differ in their task.
    """
    kinds = {entity.kind for entity in entities}
    if ExternalModelArgs.kind in kinds and len(kinds) > 1:
        raise ServedEntityError(
            f"an endpoint of external models holds nothing else; received {', '.join(sorted(kinds))}: make two "
            f"endpoints"
        )
    tasks = {entity.task for entity in entities if isinstance(entity, ExternalModelArgs)}
    if len(tasks) > 1:
        raise ServedEntityError(f"external models of one endpoint share a task; received {', '.join(sorted(tasks))}")

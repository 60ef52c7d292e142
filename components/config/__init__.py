"""The one schema of a stack file: what may stand under `<project>:serving`, and every rule across its fields.

The engine hands the object over as it stands in `Pulumi.<stack>.yaml`; keys are camelCase there. All mistakes are
reported at once, each with its path, the value received and the fix (`components/config/errors.py`).
"""

from components.config.alerts import AlertsConfig
from components.config.endpoint import (
    EndpointConfig,
    InferenceTableConfig,
    ModelConfig,
    NotificationsConfig,
    PermissionConfig,
    RateLimitConfig,
    ServedEntityConfig,
)
from components.config.features import FeatureTableConfig, OnlineStoreConfig
from components.config.fields import NEWEST, OBSERVED
from components.config.monitor import MonitorConfig
from components.config.promotion import AliasPromotionConfig, PromotedFromConfig
from components.config.rollout import ErrorBudgetConfig, GateConfig, RolloutConfig
from components.config.smoke import (
    GoldenConfig,
    SmokeConfig,
    SmokeExpectationConfig,
    SmokeLatencyConfig,
    SmokeQueryConfig,
)
from components.config.stack import ServingConfig, StackConfig

__all__ = [
    "NEWEST",
    "OBSERVED",
    "AlertsConfig",
    "AliasPromotionConfig",
    "EndpointConfig",
    "ErrorBudgetConfig",
    "FeatureTableConfig",
    "GateConfig",
    "GoldenConfig",
    "InferenceTableConfig",
    "ModelConfig",
    "MonitorConfig",
    "NotificationsConfig",
    "OnlineStoreConfig",
    "PermissionConfig",
    "PromotedFromConfig",
    "RateLimitConfig",
    "RolloutConfig",
    "ServedEntityConfig",
    "ServingConfig",
    "SmokeConfig",
    "SmokeExpectationConfig",
    "SmokeLatencyConfig",
    "SmokeQueryConfig",
    "StackConfig",
]

"""The one schema of a stack file: what may stand under `<project>:serving`, and every rule across its fields.

The engine hands the object over as it stands in `Pulumi.<stack>.yaml`; keys are camelCase there. All mistakes are
reported at once, each with its path, the value received and the fix (`components/config/errors.py`).
"""

from .alerts import AlertsConfig
from .endpoint import (
    EndpointConfig,
    InferenceTableConfig,
    ModelConfig,
    NotificationsConfig,
    PermissionConfig,
    RateLimitConfig,
    ServedEntityConfig,
)
from .features import FeatureTableConfig, OnlineStoreConfig
from .fields import NEWEST, OBSERVED
from .monitor import MonitorConfig
from .promotion import AliasPromotionConfig, PromotedFromConfig
from .rollout import ErrorBudgetConfig, GateConfig, RolloutConfig
from .smoke import (
    GoldenConfig,
    SmokeConfig,
    SmokeExpectationConfig,
    SmokeLatencyConfig,
    SmokeQueryConfig,
)
from .stack import PlaceConfig, ServingConfig, StackConfig

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
    "PlaceConfig",
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

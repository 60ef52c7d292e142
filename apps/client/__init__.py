"""What an app needs of a serving stack: its outputs, and predictions.

stack = outputs_from_cli("prod", folder="infrastructure")
with PredictionClient(stack.endpoint_url, authorization()) as client:
    answer = client.predict([{"customer_id": "0002-ORFBO"}], deadline_seconds=2.0)
"""

from .aio import AsyncPredictionClient
from .answers import DeadlineError, PredictionError, Predictions, RequestRefusedError
from .credentials import CredentialsError, authorization
from .endpoint import PredictionClient
from .fallback import FallbackClient, entity_url
from .fares import FareRequest, rounded_dropoff_datetime, rounded_pickup_datetime
from .outputs import OutputsError, ServingOutputs
from .retries import RetryPolicy
from .sources import outputs_from_automation, outputs_from_cli, outputs_from_json, outputs_from_reference

__all__ = [
    "AsyncPredictionClient",
    "CredentialsError",
    "DeadlineError",
    "FallbackClient",
    "FareRequest",
    "OutputsError",
    "PredictionClient",
    "PredictionError",
    "Predictions",
    "RequestRefusedError",
    "RetryPolicy",
    "ServingOutputs",
    "authorization",
    "entity_url",
    "outputs_from_automation",
    "outputs_from_cli",
    "outputs_from_json",
    "outputs_from_reference",
    "rounded_dropoff_datetime",
    "rounded_pickup_datetime",
]

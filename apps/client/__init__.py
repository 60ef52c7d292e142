"""What an app needs of a serving stack: its outputs, and predictions.

stack = outputs_from_cli("prod", folder="infrastructure")
with PredictionClient(stack.endpoint_url, authorization()) as client:
    answer = client.predict([{"customer_id": "0002-ORFBO"}], deadline_seconds=2.0)
"""

from apps.client.aio import AsyncPredictionClient
from apps.client.answers import PredictionError, Predictions, RequestRefusedError
from apps.client.credentials import CredentialsError, authorization
from apps.client.endpoint import PredictionClient
from apps.client.fares import FareRequest, rounded_dropoff_datetime, rounded_pickup_datetime
from apps.client.outputs import OutputsError, ServingOutputs
from apps.client.retries import RetryPolicy
from apps.client.sources import outputs_from_automation, outputs_from_cli, outputs_from_json, outputs_from_reference

__all__ = [
    "AsyncPredictionClient",
    "CredentialsError",
    "FareRequest",
    "OutputsError",
    "PredictionClient",
    "PredictionError",
    "Predictions",
    "RequestRefusedError",
    "RetryPolicy",
    "ServingOutputs",
    "authorization",
    "outputs_from_automation",
    "outputs_from_cli",
    "outputs_from_json",
    "outputs_from_reference",
    "rounded_dropoff_datetime",
    "rounded_pickup_datetime",
]

"""Who hears of an evaluation, and in which words.

Sources: `databricks.sdk.service.sql.AlertV2Notification` (when a notification is repeated, and sent on OK),
"Databricks SQL alerts" (variables of custom templates), "SQL alert webhook payload". Assumptions: a failed evaluation
notifies nobody, and a failure between two triggered evaluations does not count as a way out of the triggered state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workspace.alerts.destinations import Destinations
from workspace.alerts.evaluation import OK, TRIGGERED, Outcome
from workspace.alerts.outbox import Outbox
from workspace.documents import Document

KIND = "SQL_ALERT"

_HTML = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MARKDOWN = re.compile(r"@([A-Z][A-Z_]+)")
_SIGNS = {
    "EQUAL": "=",
    "NOT_EQUAL": "!=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "<=",
    "IS_NULL": "is null",
    "IS_NOT_NULL": "is not null",
}


@dataclass(frozen=True)
class Decision:
    """What follows from an evaluation."""

    notify: bool
    open: bool
    """Whether the alert is triggered as far as its subscribers know."""


def decide(record: Mapping[str, Any], state: str, now: float) -> Decision:
    """Whether the new state is news, after what the record says was sent before."""
    notification = record["alert"]["evaluation"].get("notification", {})
    was_open = bool(record["open"])
    if state == TRIGGERED:
        every = notification.get("retrigger_seconds") or 0
        again = was_open and every > 0 and now - (record["notified_at"] or 0.0) >= every
        return Decision(not was_open or again, open=True)
    if state == OK:
        return Decision(was_open and bool(notification.get("notify_on_ok")), open=False)
    return Decision(notify=False, open=was_open)


class Messenger:
    """Puts notifications into the outbox."""

    def __init__(self, outbox: Outbox, destinations: Destinations, host: str) -> None:
        self._outbox = outbox
        self._destinations = destinations
        self._host = host

    def send(self, record: Document, outcome: Outcome, now_ms: int) -> None:
        """To every subscriber; a destination that is gone is passed over."""
        alert = record["alert"]
        subject, body = _words(record, outcome)
        about = {"alert_id": record["id"], "alert_name": alert["display_name"], "state": outcome.state}
        people = []
        for subscription in alert["evaluation"].get("notification", {}).get("subscriptions", []):
            if subscription.get("user_email"):
                people.append(subscription["user_email"])
                continue
            destination = self._destinations.find(subscription["destination_id"])
            if destination is not None:
                payload = self._payload(record, outcome, subject, body, now_ms)
                self._outbox.deliver(destination, kind=KIND, subject=subject, body=body, about=about, payload=payload)
        if people:
            self._outbox.send(people, kind=KIND, subject=subject, body=body, about=about)

    def _payload(self, record: Document, outcome: Outcome, subject: str, body: str, now_ms: int) -> dict[str, Any]:
        """The JSON of a webhook; fields without values are left out."""
        alert = record["alert"]
        inner = {
            "id": record["id"],
            "name": alert["display_name"],
            "owner": {"name": record["owner"], "email": record["owner"]},
            "created_at": record["created_ms"],
            "query_text": alert["query_text"],
            "warehouse_id": alert["warehouse_id"],
            "custom_summary": alert.get("custom_summary"),
            "custom_description": alert.get("custom_description"),
            "evaluations": [
                {
                    "source": alert["evaluation"]["source"],
                    "comparison_operator": alert["evaluation"]["comparison_operator"],
                    "threshold": alert["evaluation"].get("threshold"),
                    "state": outcome.state,
                    "value": None if outcome.value is None else str(outcome.value),
                    "evaluated_at": now_ms,
                }
            ],
        }
        return {
            "event": "alert_state_change",
            "url_base": f"{self._host}/sql",
            "alert": {
                "title": subject,
                "description": body,
                "state": outcome.state,
                "alert": {name: value for name, value in inner.items() if value is not None},
            },
        }


def _words(record: Document, outcome: Outcome) -> tuple[str, str]:
    alert = record["alert"]
    evaluation = alert["evaluation"]
    condition = _SIGNS[evaluation["comparison_operator"]]
    variables = {
        "ALERT_NAME": alert["display_name"],
        "ALERT_STATUS": outcome.state,
        "ALERT_CONDITION": condition,
        "ALERT_COLUMN": evaluation["source"]["name"],
        "ALERT_THRESHOLD": _shown(outcome.threshold),
        "ALERT_URL": f"/sql/alerts-v2/{record['id']}",
        "QUERY_RESULT_VALUE": _shown(outcome.value),
    }
    pattern = _MARKDOWN if alert.get("custom_template_format") == "MARKDOWN" else _HTML

    def filled(template: str) -> str:
        # A variable that does not exist stays as it is written: a reader sees what is wrong with the template.
        return pattern.sub(lambda found: str(variables.get(found[1], found[0])), template)

    subject = alert.get("custom_summary") or f'Alert "{alert["display_name"]}" changed status to {outcome.state}'
    compared = "" if outcome.threshold is None else f" {_shown(outcome.threshold)}"
    body = alert.get("custom_description") or (
        f"{evaluation['source']['name']} is {_shown(outcome.value)}; the condition is {condition}{compared}."
    )
    return filled(subject), filled(body)


def _shown(value: Any) -> str:
    return "NULL" if value is None else str(value)

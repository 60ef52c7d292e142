"""MLflow experiments: CAN_READ, CAN_EDIT, CAN_MANAGE, for their runs, logged models and artifacts, too.

Source: page "Access control lists", section "MLflow experiment ACLs".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workspace.access.rules import Rights, Rule, listed
from workspace.access.workspace_rules import require_folder
from workspace.errors import ApiError
from workspace.http import Call, Json

KIND = "experiments"
PATH = "/api/2.0/mlflow"
READ, EDIT, MANAGE = "CAN_READ", "CAN_EDIT", "CAN_MANAGE"

ExperimentOf = Callable[[str], str | None]
"""The id of the experiment of a run, or of a logged model, by its id; None where there is none."""


class TrackingRules:
    """What each call of the tracking API needs. Ids may come in path, query or body: all that are there are checked."""

    def __init__(self, rights: Rights, of_run: ExperimentOf, of_logged_model: ExperimentOf) -> None:
        self._rights = rights
        self._of_run = of_run
        self._of_logged_model = of_logged_model

    def all(self) -> list[Rule]:
        model = f"{PATH}/logged-models/{{model_id}}"
        by_level = {
            READ: [
                f"GET {PATH}/experiments/get",
                f"GET {PATH}/runs/get",
                f"POST {PATH}/runs/search",
                f"GET {PATH}/metrics/get-history",
                f"GET {PATH}/artifacts/list",
                f"POST {PATH}/logged-models/search",
                f"GET {model}",
                f"GET {model}/artifacts/directories",
            ],
            EDIT: [
                *(f"POST {PATH}/runs/{action}" for action in _RUN_WRITES),
                *(f"POST {PATH}/experiments/{action}" for action in ("set-experiment-tag", "delete-experiment-tag")),
                f"POST {PATH}/logged-models",
                *(f"{method} {model}" for method in ("PATCH", "DELETE")),
                f"PATCH {model}/tags",
                f"DELETE {model}/tags/{{tag_key}}",
                f"POST {model}/params",
            ],
            MANAGE: [f"POST {PATH}/experiments/{action}" for action in ("update", "delete", "restore")],
        }
        searches = (("GET", f"{PATH}/experiments/search"), ("POST", f"{PATH}/experiments/search"))
        return [
            *(Rule(method=method, path=path, show=listed("experiments", self._readable)) for method, path in searches),
            Rule(method="GET", path=f"{PATH}/experiments/get-by-name", show=self._by_name),
            Rule(method="POST", path=f"{PATH}/experiments/create", check=_may_create, reads_body=True),
            *(
                Rule(
                    method=route.partition(" ")[0],
                    path=route.partition(" ")[2],
                    check=self._checked(level),
                    reads_body=True,
                )
                for level, routes in by_level.items()
                for route in routes
            ),
        ]

    def _checked(self, level: str) -> Callable[[Call], None]:
        def check(call: Call) -> None:
            for experiment_id in set(self._experiments(call)):
                try:
                    self._rights.require(call.caller, level, KIND, experiment_id)
                except ApiError as error:
                    # One that is not there holds nothing: what is answered then is the service's.
                    if error.status != 404:
                        raise

        return check

    def _experiments(self, call: Call) -> Iterator[str]:
        """The experiments that a request is about."""
        for source in (call.path, call.query, call.body):
            for key, of in (("experiment_id", str), ("run_id", self._of_run), ("run_uuid", self._of_run)):
                if source.get(key) and (found := of(str(source[key]))):
                    yield found
            if source.get("model_id") and (found := self._of_logged_model(str(source["model_id"]))):
                yield found
            listed_ids = source.get("experiment_ids")
            for one in listed_ids if isinstance(listed_ids, list) else [listed_ids] if listed_ids else []:
                yield str(one)

    def _readable(self, call: Call, experiment: Json) -> bool:
        return self._rights.has(call.caller, READ, KIND, str(experiment["experiment_id"]))

    def _by_name(self, call: Call, answer: Json) -> Json:
        self._rights.require(call.caller, READ, KIND, str(answer["experiment"]["experiment_id"]))
        return answer


_RUN_WRITES = (
    *("create", "update", "delete", "restore", "log-metric", "log-parameter", "log-batch", "log-model", "log-inputs"),
    *("outputs", "set-tag", "delete-tag"),
)


def _may_create(call: Call) -> None:
    require_folder(call, str(call.body.get("name") or ""))

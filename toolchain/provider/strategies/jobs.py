"""Job: settings are replaced as a whole, and the tasks of an answer are kept in the order of their keys."""

from collections.abc import Mapping

from toolchain.provider import state as states
from toolchain.provider.operation import Operation
from toolchain.provider.schema import Call
from toolchain.provider.state import Properties, mapping, objects
from toolchain.provider.strategies.plain import Plain

_RESET = Call(method="POST", path="/api/2.2/jobs/reset", sends=())


class Job(Plain):
    """Jobs API 2.2 (facts sheet, 6.1)."""

    def send_create(self, op: Operation, planned: Properties) -> Properties:
        tasks = sorted(objects(planned.get("tasks")), key=lambda task: str(task.get("taskKey")))
        return op.send(op.resource.create, {**planned, "tasks": tasks})

    def send_update(self, op: Operation, planned: Properties) -> Properties:
        settings = states.body(op.resource.create, op.resource.fields, planned, op.state)
        return op.send(_RESET, planned, more_body={"job_id": int(op.id), "new_settings": settings})

    def shape(self, op: Operation, answer: Properties, planned: Mapping[str, object]) -> Properties:
        settings = mapping(answer.get("settings"))
        if not settings:
            return answer
        tasks = sorted(objects(settings.get("tasks")), key=lambda task: str(task.get("task_key")))
        run_as = settings.get("run_as") or (
            {"user_name": answer["run_as_user_name"]} if answer.get("run_as_user_name") else None
        )
        return {**settings, "tasks": tasks, "run_as": run_as, "job_id": answer.get("job_id")}

    def send_delete(self, op: Operation) -> None:
        op.send(op.resource.delete, op.state, more_body={"job_id": int(op.id)})

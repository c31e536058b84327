"""What a person does to a run of the database from elsewhere: cancel a task, replace its result, answer a question.

Each is one transaction: who worked on the task has lost it, and whoever waits for it goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import events as ev
from agent.archive import Request
from agent.control import asked_for
from agent.postgres.archive import Record, write_of_run
from agent.postgres.tasks import begin, end_run, end_task
from agent.task import FINISHED, ROOT

if TYPE_CHECKING:
    from agent.postgres.database import Connection


def do(record: Record, request: Request) -> str:
    """Do what is asked for; why not, where it cannot be done."""
    match request.kind:
        case "watch":
            return ""  # whoever looks on sees all that is committed
        case "answer":
            return record.database.transaction(lambda connection: _answer(connection, record, request))
        case "cancel" if request.task == ROOT:
            ended = ev.RunEnded(ROOT, "cancelled", f"cancelled by {request.by}", 130)
            record.database.transaction(lambda c: end_run(c, record.run, ended, record.now()))
            return ""
        case "cancel" | "replace":
            return record.database.transaction(lambda connection: _end(connection, record, request))
        case "background":
            return f"run {record.run} is in the database: whatever worker is there goes on with it"
        case _:
            return "a task of a run that machines share is not tried again by itself; resume the run when it has ended"


def _answer(connection: Connection, record: Record, request: Request) -> str:
    connection.execute("SELECT 1 FROM zooid_run WHERE id = %s FOR UPDATE", (record.run,))
    tree = record.tree()
    asked = asked_for(tree, request.task)
    if asked is None:
        return f"run {record.run} asks nothing"
    _note(connection, record, ev.Answered(asked.task, asked.kind, request.value, asked.call, by=request.by))
    if tree.ended is not None:
        _note(connection, record, ev.RunResumed(ROOT, tree.settings))
        begin(connection, record.run)
    return ""


def _end(connection: Connection, record: Record, request: Request) -> str:
    """Let a person's word end a task that was handed over, and all that was handed over below it."""
    tree = record.tree()
    task = tree.tasks[request.task]
    handed = "SELECT 1 FROM zooid_task WHERE run = %s AND id = %s AND status IN ('queued', 'running')"
    if task.status in FINISHED:
        return f"task {task.id} is {task.status} already, and what waits for it goes on"
    if not connection.execute(handed, (record.run, task.id)).fetchone():
        whole = next((above.id for above in tree.ancestors(task) if above.status not in FINISHED), ROOT)
        return f"task {task.id} is done together with {whole}; cancel or replace that one"
    is_new = request.kind == "replace"
    status, why = ("done", "") if is_new else ("cancelled", f"cancelled by {request.by}")
    ended = ev.TaskEnded(
        task.id, status, request.value if is_new else None, blocked=why, origin="person", by=request.by
    )
    below = [one.id for one in tree.subtree(task.id) if one.id != task.id]
    end_task(connection, record.run, ended, below, record.now())
    return ""


def _note(connection: Connection, record: Record, event: ev.Event) -> None:
    write_of_run(connection, record.run, [(record.now(), event.type, event.task, event.packed())])

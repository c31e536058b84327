"""What a person does to a run of the database from elsewhere: cancel or retry a task, replace its result, answer.

Each is one transaction: who worked on the task has lost it, and whoever waits for it goes on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent import events as ev
from agent.archive import Request
from agent.control import LATE, asked_for, why_not
from agent.jobs import cancelling
from agent.postgres.archive import Record, read, write_of_run
from agent.postgres.tasks import begin, end_run, end_task, wake
from agent.task import FINISHED, ROOT, Task
from agent.tree import Tree

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
            return record.database.transaction(lambda connection: _end_run(connection, record, request))
        case "retry":
            return record.database.transaction(lambda connection: _retry(connection, record, request))
        case "cancel" | "replace":
            return record.database.transaction(lambda connection: _end(connection, record, request))
        case _:
            return f"run {record.run} is in the database: whatever worker is there goes on with it"


def _answer(connection: Connection, record: Record, request: Request) -> str:
    tree = _locked(connection, record)
    asked = asked_for(tree, request.task)
    if asked is None:
        return f"run {record.run} asks nothing"
    _note(connection, record, ev.Answered(asked.task, asked.kind, request.value, asked.call, by=request.by))
    if tree.ended is not None:
        _note(connection, record, ev.RunResumed(ROOT, tree.settings))
        begin(connection, record.run)
    return ""


def _end_run(connection: Connection, record: Record, request: Request) -> str:
    """Let a person's word end a run for good, and in it each task that has not ended."""
    tree = _locked(connection, record)
    end_run(connection, record.run, cancelling(tree, request.by), record.now())
    return ""


def _retry(connection: Connection, record: Record, request: Request) -> str:
    """Have a task tried again: whoever waits for it is run again for that, or the whole run where that has ended."""
    tree = _locked(connection, record)
    if why := why_not(tree, request):
        return why
    opened = tree.reopening(tree.tasks[request.task])
    above = tree.tasks[opened[-1].parent or ROOT]
    if tree.ended is None and not wake(connection, record.run, _handed_over(connection, record.run, tree, above)):
        return LATE
    hint = str(request.value or "")
    _note(connection, record, ev.TaskReopened(request.task, hint, request.by, [task.id for task in opened]))
    if tree.ended is not None:
        _note(connection, record, ev.RunResumed(ROOT, tree.settings))
        _note(connection, record, ev.RunQueued(ROOT, tree.settings, by=request.by))
        begin(connection, record.run, by_anybody=True)
    return ""


def _handed_over(connection: Connection, run: str, tree: Tree, task: Task) -> str:
    """The handed-over task whose owner works on a task: that one itself, or the nearest above it."""
    query = "SELECT id FROM zooid_task WHERE run = %s AND id = ANY (%s)"
    ids = [task.id, *(above.id for above in tree.ancestors(task))]
    handed = {id for (id,) in connection.execute(query, (run, ids)).fetchall()}
    return next((id for id in ids if id in handed), ROOT)


def _end(connection: Connection, record: Record, request: Request) -> str:
    """Let a person's word end a task that was handed over, and all that was handed over below it."""
    tree = _locked(connection, record)
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


def _locked(connection: Connection, record: Record) -> Tree:
    """The tree with all that has been committed, while nobody else changes the course of the run."""
    connection.execute("SELECT 1 FROM zooid_run WHERE id = %s FOR NO KEY UPDATE", (record.run,))
    tree = Tree(record.run)
    for _, (at, type_, task, body) in read(connection, record.run, "run = %s", (record.run,)):
        tree.apply(ev.from_body(type_, task, json.loads(body)), at)
    return tree


def _note(connection: Connection, record: Record, event: ev.Event) -> None:
    write_of_run(connection, record.run, [(record.now(), event.type, event.task, event.packed())])

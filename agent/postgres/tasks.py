"""Handed-over tasks: which process has which, and which wait for whom. What happens to one is in functions.sql."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from agent.events import Event, TaskEnded
from agent.postgres.archive import me, version, write, write_of_run
from agent.task import FINISHED, ROOT
from tools.registry import Tool

if TYPE_CHECKING:
    from agent.postgres.database import Connection, Cursor

RENEWED_EVERY = 0.5  # seconds; a lease lasts as long as zooid_lease in functions.sql says
JOB = "solve"


# -- queues


def sitting_queue(run: str) -> str:
    """The queue of a run that only the process takes from in which a person started it."""
    return f"run:{run}"


def everybody() -> str:
    """The queue of tasks that every worker of this version can do."""
    return f"zooid {version()}"


def tool_queue(name: str, version_: str) -> str:
    """The queue of tasks that need a tool that not every worker has, in just this version."""
    return f"{everybody()}: {name} {version_}"


def is_everywhere(tool: Tool) -> bool:
    """Whether a tool comes with zooid."""
    return tool.source == "built-in"


def _queue(connection: Connection, run: str) -> str:
    """Where a run's tasks go: to every worker where one is there, or else to the process that the run was begun in."""
    query = "SELECT zooid_is_served(version) FROM zooid_run WHERE id = %s"
    row = connection.execute(query, (run,)).fetchone()
    return everybody() if row and row[0] else sitting_queue(run)


# -- what is decided about a run as a whole, or from outside


def begin(connection: Connection, run: str, by_anybody: bool = False) -> None:
    """Queue a run's goal; what an earlier sitting had queued is taken up from there. Nobody owns any of it any more."""
    connection.execute(
        "UPDATE zooid_task SET status = 'let go', owner = NULL, fence = fence + 1, open = 0, woken = false "
        "WHERE run = %s AND NOT status = ANY (%s)",
        (run, list(FINISHED)),
    )
    connection.execute("UPDATE zooid_run SET since = NULL WHERE id = %s", (run,))
    queue = everybody() if by_anybody else _queue(connection, run)
    connection.execute(
        "INSERT INTO zooid_task (run, id, waiter, queue, depth) VALUES (%s, %s, %s, %s, 0) "
        "ON CONFLICT (run, id) DO UPDATE SET status = 'queued', queue = excluded.queue",
        (run, ROOT, ROOT, queue),
    )
    connection.execute("SELECT zooid_defer(%s, %s)", (run, [ROOT]))


def end_run(connection: Connection, run: str, events: Iterable[Event], at: float) -> bool:
    """Record by these events how a run ended; False where it had ended already.

    Whoever still works on a part of it has lost that.
    """
    row = connection.execute("SELECT status FROM zooid_run WHERE id = %s FOR NO KEY UPDATE", (run,)).fetchone()
    if row is None or row[0] != "running":
        return False
    write_of_run(connection, run, [(at, event.type, event.task, event.packed()) for event in events])
    connection.execute(
        "UPDATE zooid_task SET owner = NULL, fence = fence + 1, status = 'let go' WHERE run = %s AND is_open", (run,)
    )
    return True


def end_task(connection: Connection, run: str, event: TaskEnded, below: list[str], at: float) -> None:
    """End a handed-over task from outside: its owner, and those of what was handed over below it, have lost it."""
    connection.execute(
        "UPDATE zooid_task SET owner = NULL, fence = fence + 1, status = 'cancelled' "
        "WHERE run = %s AND is_open AND id = ANY (%s)",
        (run, [*below, event.task]),
    )
    write(connection, run, event.task, [(at, event.type, event.task, event.packed())])
    connection.execute("SELECT zooid_end(%s, %s, %s)", (run, event.task, event.status))


def wake(connection: Connection, run: str, task: str) -> bool:
    """Have a handed-over task gone on with that waits for others; False where somebody is at it, or it has ended."""
    row = connection.execute("SELECT zooid_wake(%s, %s)", (run, task)).fetchone()
    return row == (True,)


# -- being there


def beat(connection: Connection, mine: Iterable[tuple[str, str]], queues: list[str]) -> Cursor:
    """Renew this process's leases on the tasks (run, id) that it works on, and save what the dead have left.

    The tasks that it still owns are to be fetched when the transaction is over.
    """
    runs, ids = zip(*mine, strict=True) if mine else ((), ())
    owned = connection.execute("SELECT run, id FROM zooid_renew(%s, %s, %s)", (me(), list(runs), list(ids)))
    say_here(connection, queues)
    connection.execute("SELECT zooid_rescue(%s)", (version(),))
    return owned


def say_here(connection: Connection, queues: list[str]) -> None:
    """Keep that this process takes tasks of these queues."""
    connection.execute(
        "INSERT INTO zooid_worker (id, version, queues) VALUES (%s, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET seen = clock_timestamp(), queues = excluded.queues",
        (me(), version(), queues),
    )
    connection.execute("DELETE FROM zooid_worker WHERE seen < clock_timestamp() - interval '1 hour'")


def say_gone(connection: Connection) -> None:
    """Keep that this process takes no more tasks."""
    connection.execute("DELETE FROM zooid_worker WHERE id = %s", (me(),))


def put_back(connection: Connection, run: str, task: str) -> None:
    """Queue a task again whose job was taken by somebody who does not have it, where nobody has it."""
    connection.execute("SELECT zooid_put_back(%s, %s)", (run, task))

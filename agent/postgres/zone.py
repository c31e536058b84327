"""A task that was handed over, as the one that works on it has it: its record, its lease, and what it hands on.

A zone is the task with all below it that its owner does itself. Its owner alone writes there, for as long as it holds a
lease on the server's clock; the lease has a fencing number, so that an owner that slept through its end writes nothing
when it wakes (M. Kleppmann, "How to do distributed locking", 2016).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.errors import LeaseLost, ZooidError
from agent.events import Event, RunEnded, TaskEnded, from_body
from agent.postgres import ledger
from agent.postgres.archive import ALIVE, OF_THE_RUN, Row, last_number, me, read, version, write, write_of_run
from agent.postgres.database import Database, many, synced
from agent.postgres.ledger import Charge
from agent.task import FINISHED, ROOT, Task
from agent.tree import Tree
from tools.registry import Tool

if TYPE_CHECKING:
    from agent.postgres.database import Connection

LEASE = "4 seconds"
RENEWED_EVERY = 0.5  # seconds
JOB = "solve"

_OPEN = "status IN ('queued', 'running')"
# Whether a worker is there that takes the tasks of a run r.
_SERVED = (
    "EXISTS (SELECT 1 FROM zooid_worker w WHERE 'zooid ' || r.version = ANY (w.queues) "
    f"AND w.seen > clock_timestamp() - interval '{ALIVE}')"
)
# A lease that ran out while the server was down could not be renewed. Its owner may be at work: it is given a while.
_HELD = (
    f"(lease > clock_timestamp() OR lease < pg_postmaster_start_time() + interval '{LEASE}' "
    "AND clock_timestamp() < pg_postmaster_start_time() + interval '5 seconds')"
)


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


@dataclass(slots=True)
class Zone:
    """The store of a run for one handed-over task, and the others that its tasks are handed on to."""

    database: Database
    run: str
    task: str
    fence: int
    next: int  # the number of the next event
    queue: str  # where tasks that need nothing special are handed on
    since: float  # when this sitting of the run began
    away: set[str]  # tasks that were handed on and have not ended
    tree: Tree
    _rows: list[Row] = field(default_factory=list)
    _handed: list[tuple[Any, ...]] = field(default_factory=list)
    _charges: list[Charge] = field(default_factory=list)
    _must_sync: bool = False
    _is_due: bool = False  # what waits is kept in a moment
    _lost: bool = False

    # -- the record

    def now(self) -> float:
        return self.database.now()

    def append(self, event: Event, at: float, synced: bool = False) -> int:
        self._rows.append((at, event.type, event.task, event.packed()))
        self._must_sync = self._must_sync or synced
        if change := ledger.charge(self.tree, event):
            self._charges.append(change)
        return self.next + len(self._rows) - 1

    def is_due(self) -> bool:
        return True

    def commit(self) -> None:
        """Have what was appended and what was handed on kept, together with all that comes up in the same moment.

        Nothing outside sees the difference: before a request is sent and before an effect the loop does not go on until
        it is kept (`books`, `synced`). Raises LeaseLost where another owns the task.
        """
        if self._lost:
            raise self._another()
        if self._must_sync:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def flush(self, then: Callable[[Connection], None] | None = None) -> None:
        """Keep all that was appended, and do `then`, at once; raises LeaseLost where another owns the task."""
        if self._lost:
            raise self._another()
        if not (self._rows or self._handed or then):
            return

        def keep(connection: Connection) -> None:
            last = self._owned(connection)
            if last == self.next - 1:
                self._keep(connection)
            elif last != self.next - 1 + len(self._rows):  # else the server went away after it had taken them
                raise LeaseLost(f"the server has lost what was done last of task {self.task} of run {self.run}")
            if then:
                then(connection)

        try:
            self.database.transaction(keep)
        except LeaseLost:
            self._lost = True
            raise
        self.next += len(self._rows)
        self._rows.clear()
        self._handed.clear()
        self._charges.clear()
        self._must_sync = False

    def _flush(self) -> None:
        self._is_due = False
        try:
            self.flush()
        except ZooidError:
            self._lost = True  # the next commit says so, where somebody listens

    def _keep(self, connection: Connection) -> None:
        if self._must_sync or (self._handed and not self._rows):  # nobody could tell that these were lost
            synced(connection)
        write(connection, self.run, self.task, self.next, self._rows)
        ledger.keep(connection, self.run, self._charges)
        self._hand_on(connection)
        if status := self._ended():
            if self.away:
                _drop(connection, self.run, self.away)
            if self.task != ROOT:
                _end(connection, self.run, self.task, status)

    def close(self) -> None:
        """Nothing: whoever works on the task lets go of it."""

    def _ended(self) -> str:
        """How the zone's own task ended, where that is among what is to be kept."""
        ends = (body for _, type_, task, body in self._rows if type_ == "task.ended" and task == self.task)
        return next((str(json.loads(body)["status"]) for body in ends), "")

    def _owned(self, connection: Connection) -> int:
        """The number of the task's last event; raises LeaseLost where another owns the task."""
        row = connection.execute(
            f"SELECT {_HELD}, (SELECT max(n) FROM zooid_event e WHERE e.run = t.run AND e.zone = t.id) "
            "FROM zooid_task t WHERE run = %s AND id = %s AND owner = %s AND fence = %s FOR UPDATE",
            (self.run, self.task, me(), self.fence),
        ).fetchone()
        if not row or not row[0]:
            raise self._another()
        return row[1] or 0

    def _another(self) -> LeaseLost:
        return LeaseLost(f"task {self.task} of run {self.run} is another's by now")

    @contextmanager
    def books(self) -> Iterator[None]:
        """Holds the run's accounts, put into the tree as they are; what is committed within goes with them."""
        self.flush()
        try:
            with self.database.held() as connection:
                self.tree.accounts |= ledger.held(connection, self.run, self.tree.accounts)
                yield
                self.flush()
        except LeaseLost:
            self._lost = True
            raise

    # -- handing on

    def have(self, task: Task) -> bool:
        return task.id in self.away

    def take(self, task: Task, tool: Tool | None, awaited: bool) -> bool:
        if task.items is not None or (tool is not None and _is_soon_done(tool)):
            return False
        self.away.add(task.id)
        special = task.tool and (tool is None or not is_everywhere(tool))
        queue = tool_queue(task.tool, task.tool_version) if special else self.queue
        self._handed.append((self.run, task.id, self.task, queue, task.depth, awaited))
        self.commit()
        return True

    def _hand_on(self, connection: Connection) -> None:
        if not self._handed:
            return
        many(
            connection,
            "INSERT INTO zooid_task (run, id, waiter, queue, depth, awaited) VALUES (%s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (run, id) DO UPDATE SET status = 'queued', waiter = excluded.waiter, queue = excluded.queue, "
            "owner = NULL, fence = zooid_task.fence + 1, open = 0, woken = false",
            self._handed,
        )
        connection.execute(
            "UPDATE zooid_task SET open = open + %s WHERE run = %s AND id = %s",
            (len(self._handed), self.run, self.task),
        )
        defer(connection, [(run, id, queue, depth) for run, id, _, queue, depth, _ in self._handed])

    # -- letting go

    def wait(self) -> None:
        """Let go of the task until what it handed on has ended; where it has by now, the task is queued again."""
        self.flush(lambda connection: _release(connection, self.run, self.task))

    def give_back(self) -> None:
        """Let go of a task that is not done; others may have it at once."""

        def let_go(connection: Connection) -> None:
            connection.execute("UPDATE zooid_task SET woken = true WHERE run = %s AND id = %s", (self.run, self.task))
            _release(connection, self.run, self.task)

        self.flush(let_go)

    def leave(self) -> None:
        """Let go of a task that cannot be done here; others have a second to take it."""

        def let_go(connection: Connection) -> None:
            row = connection.execute(
                "UPDATE zooid_task SET owner = NULL, lease = NULL, woken = true WHERE run = %s AND id = %s "
                "RETURNING run, id, queue, depth",
                (self.run, self.task),
            ).fetchone()
            defer(connection, [row] if row else [], "clock_timestamp() + interval '1 second'")

        self.flush(let_go)

    def end_run(self, status: str, blocked: str, code: int) -> None:
        """Record how the whole run ended."""
        ended = RunEnded(ROOT, status, blocked, code)
        self.flush(lambda connection: end_run(connection, self.run, ended, self.now()))


def _is_soon_done(tool: Tool) -> bool:
    """Whether handing a call on would take longer than the call."""
    return (is_everywhere(tool) and tool.effect not in ("network", "execute")) or hasattr(tool.run, "many")


# -- claiming a task, and what is known of it


def claim(database: Database, run: str, task: str) -> tuple[Zone, Tree] | None:
    """Become the owner of a task that nobody owns; None where there is nothing to do about it."""

    def take(connection: Connection) -> tuple[int, str, int, set[str], list[tuple[int, Row]]] | None:
        row = connection.execute(
            f"UPDATE zooid_task t SET owner = %s, fence = fence + 1, status = 'running', woken = false, "
            f"lease = clock_timestamp() + interval '{LEASE}', "
            f"open = (SELECT count(*) FROM zooid_task c WHERE c.run = t.run AND c.waiter = t.id AND c.id <> t.id "
            f"        AND c.{_OPEN}) "
            f"WHERE run = %s AND id = %s AND {_OPEN} AND (owner IS NULL OR NOT {_HELD}) "
            "AND EXISTS (SELECT 1 FROM zooid_run r WHERE r.id = t.run AND r.status = 'running' AND r.version = %s) "
            "RETURNING fence",
            (me(), run, task, version()),
        ).fetchone()
        if row is None:
            return None
        known = connection.execute(
            f"SELECT {_SERVED}, (SELECT max(n) FROM zooid_event e WHERE e.run = t.run AND e.zone = t.id), "
            f"ARRAY(SELECT id FROM zooid_task c WHERE c.run = t.run AND c.waiter = t.id AND c.id <> t.id AND {_OPEN}) "
            "FROM zooid_task t JOIN zooid_run r ON r.id = t.run WHERE t.run = %s AND t.id = %s",
            (run, task),
        )
        rows = _events(connection, run, task)  # sent together
        is_served, last, away = known.fetchone() or (False, 0, [])
        queue = everybody() if is_served else sitting_queue(run)
        return int(row[0]), queue, last or 0, set(away), rows

    found = database.transaction(take)
    if found is None:
        return None
    fence, queue, last, away, rows = found
    tree, since = _grown(run, rows)
    return Zone(database, run, task, fence, last + 1, queue, since, away, tree), tree


def _queue(connection: Connection, run: str) -> str:
    """Where a run's tasks go: to every worker where one is there, or else to the process that the run was begun in."""
    row = connection.execute(f"SELECT {_SERVED} FROM zooid_run r WHERE r.id = %s", (run,)).fetchone()
    return everybody() if row and row[0] else sitting_queue(run)


def _events(connection: Connection, run: str, task: str) -> list[tuple[int, Row]]:
    """What a task's owner must know: its zone, what is above it, and of what it handed on only the tasks themselves."""
    wanted = (
        "run = %s AND (zone IN (%s, %s) OR task = %s OR task = ANY (%s) AND type LIKE 'task.%%' "
        "OR task IN (SELECT id FROM zooid_task WHERE run = %s AND waiter = %s))"
    )
    return read(connection, run, wanted, (run, OF_THE_RUN, task, task, _above(task), run, task))


def _above(task: str) -> list[str]:
    """The ids of the tasks above one, nearest first: an id begins with its parent's."""
    found = []
    while (cut := max(task.rfind("."), task.rfind("["))) > 0:
        task = re.sub(r"~\d+$", "", task[:cut])
        found.append(task)
    return found


def _grown(run: str, rows: list[tuple[int, Row]]) -> tuple[Tree, float]:
    """A tree of the events that are about tasks which are known, and when the run's latest sitting began."""
    tree, since = Tree(run), 0.0
    for _, (at, type_, task, body) in rows:
        event = from_body(type_, task, json.loads(body))
        if type_ in ("run.started", "run.resumed", "run.queued"):
            since = at
        if type_.startswith(("run.", "task.planned")) or task in tree.tasks or task == ROOT:
            tree.apply(event, at)
    return tree, since


# -- what changes where several look on


def defer(connection: Connection, tasks: list[tuple[str, str, str, int]], at: str = "NULL") -> None:
    """Have procrastinate hand tasks (run, id, queue, depth) to whoever is free, the deepest first."""
    job = f"ROW(%s, %s, %s, NULL, NULL, %s::jsonb, {at})::procrastinate_job_to_defer_v1"
    values: list[Any] = []
    for run, id, queue, depth in tasks:
        values += [queue, JOB, depth, json.dumps({"run": run, "task": id})]
    if tasks:
        connection.execute(f"SELECT procrastinate_defer_jobs_v1(ARRAY[{', '.join([job] * len(tasks))}])", values)


def _end(connection: Connection, run: str, task: str, status: str) -> None:
    """A task has ended: whoever waits for it goes on once it has all, or at once where this one was awaited."""
    row = connection.execute(
        "UPDATE zooid_task SET status = %s, owner = NULL, lease = NULL WHERE run = %s AND id = %s "
        "RETURNING waiter, awaited",
        (status, run, task),
    ).fetchone()
    if row is None:
        return
    waiter, awaited = row
    query = "SELECT open, woken, owner, queue, depth FROM zooid_task WHERE run = %s AND id = %s FOR UPDATE"
    waiting = connection.execute(query, (run, waiter)).fetchone()
    if waiting is None:
        return
    left, woken, owner, queue, depth = waiting
    wakes = awaited or left <= 1
    change = "UPDATE zooid_task SET open = greatest(open - 1, 0), woken = woken OR %s WHERE run = %s AND id = %s"
    connection.execute(change, (wakes, run, waiter))
    if wakes and not woken and owner is None:
        defer(connection, [(run, waiter, queue, depth)])


def end_task(connection: Connection, run: str, event: TaskEnded, below: list[str], at: float) -> None:
    """End a handed-over task from outside: its owner, and those of what was handed over below it, have lost it."""
    query = f"UPDATE zooid_task SET owner = NULL, fence = fence + 1, status = 'cancelled' WHERE run = %s AND {_OPEN} "
    connection.execute(query + "AND id = ANY (%s)", (run, below))
    connection.execute(query + "AND id = %s", (run, event.task))
    number = last_number(connection, run, event.task) + 1
    write(connection, run, event.task, number, [(at, event.type, event.task, event.packed())])
    _end(connection, run, event.task, event.status)


def _drop(connection: Connection, run: str, tasks: Iterable[str]) -> None:
    """What was handed on by a task that has ended is worked on no more."""
    connection.execute(
        f"UPDATE zooid_task SET owner = NULL, fence = fence + 1, status = 'cancelled' WHERE run = %s AND {_OPEN} "
        "AND EXISTS (SELECT 1 FROM unnest(%s::text[]) AS above WHERE id = above OR starts_with(id, above || '.') "
        "OR starts_with(id, above || '[') OR starts_with(id, above || '~'))",
        (run, list(tasks)),
    )


def _release(connection: Connection, run: str, task: str) -> None:
    row = connection.execute(
        "UPDATE zooid_task SET owner = NULL, lease = NULL WHERE run = %s AND id = %s RETURNING woken, queue, depth",
        (run, task),
    ).fetchone()
    if row and row[0]:
        defer(connection, [(run, task, row[1], row[2])])


def begin(connection: Connection, run: str, by_anybody: bool = False) -> None:
    """Queue a run's goal; what an earlier sitting had queued is taken up from there. Nobody owns any of it any more."""
    connection.execute(
        "UPDATE zooid_task SET status = 'let go', owner = NULL, fence = fence + 1, open = 0, woken = false "
        "WHERE run = %s AND NOT status = ANY (%s)",
        (run, list(FINISHED)),
    )
    queue = everybody() if by_anybody else _queue(connection, run)
    connection.execute(
        "INSERT INTO zooid_task (run, id, waiter, queue, depth) VALUES (%s, %s, %s, %s, 0) "
        "ON CONFLICT (run, id) DO UPDATE SET status = 'queued', queue = excluded.queue",
        (run, ROOT, ROOT, queue),
    )
    defer(connection, [(run, ROOT, queue, 0)])


def end_run(connection: Connection, run: str, event: RunEnded, at: float) -> None:
    """Record how a run ended, once; whoever still works on a part of it has lost that."""
    row = connection.execute("SELECT status FROM zooid_run WHERE id = %s FOR UPDATE", (run,)).fetchone()
    if row is None or row[0] != "running":
        return
    write_of_run(connection, run, [(at, event.type, event.task, event.packed())])
    connection.execute(
        f"UPDATE zooid_task SET owner = NULL, fence = fence + 1, status = 'let go' WHERE run = %s AND {_OPEN}", (run,)
    )


# -- keeping what one has, and saving what a dead process had


def renew(connection: Connection, tasks: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Renew this process's leases on the tasks (run, id) that it works on; those that it still owns."""
    runs, ids = zip(*tasks, strict=True) if tasks else ((), ())
    query = (
        f"UPDATE zooid_task t SET lease = clock_timestamp() + interval '{LEASE}' "
        "FROM unnest(%s::text[], %s::text[]) AS mine (run, id) "
        f"WHERE t.run = mine.run AND t.id = mine.id AND owner = %s AND {_HELD} RETURNING t.run, t.id"
    )
    return [(run, id) for run, id in connection.execute(query, (list(runs), list(ids), me())).fetchall()]


def rescue(connection: Connection) -> int:
    """Queue again what belonged to a process that is gone; how many tasks that were."""
    late = (
        f"UPDATE zooid_task SET owner = NULL, lease = NULL, fence = fence + 1, woken = true WHERE (run, id) IN ("
        f"SELECT run, id FROM zooid_task WHERE owner IS NOT NULL AND NOT {_HELD} FOR UPDATE SKIP LOCKED) "
        "RETURNING run, id, queue, depth"
    )
    found = connection.execute(late).fetchall()
    left = (
        f"UPDATE zooid_task t SET queue = %s FROM zooid_run r WHERE r.id = t.run AND r.status = 'running' "
        f"AND r.version = %s AND t.queue = 'run:' || r.id AND t.owner IS NULL AND t.{_OPEN} AND NOT EXISTS ("
        f"SELECT 1 FROM zooid_worker w WHERE w.id = r.sitting AND w.seen > clock_timestamp() - interval '{ALIVE}') "
        "RETURNING t.run, t.id, t.queue, t.depth"
    )
    found += connection.execute(left, (everybody(), version())).fetchall()
    defer(connection, found)
    gone = (
        "DELETE FROM procrastinate_jobs j WHERE status = 'doing' AND NOT EXISTS (SELECT 1 FROM procrastinate_workers w "
        f"WHERE w.id = j.worker_id AND w.last_heartbeat > clock_timestamp() - interval '{ALIVE}') "
        "RETURNING args ->> 'run', args ->> 'task'"
    )
    put_back(connection, connection.execute(gone).fetchall())
    return len(found)


def put_back(connection: Connection, tasks: list[tuple[str, str]]) -> None:
    """Queue tasks (run, id) again whose job was taken by somebody who does not have them, where nobody has them."""
    if not tasks:
        return
    runs, ids = zip(*tasks, strict=True)
    found = connection.execute(
        "SELECT t.run, t.id, t.queue, t.depth FROM zooid_task t JOIN unnest(%s::text[], %s::text[]) AS job (run, id) "
        "USING (run, id) WHERE owner IS NULL AND (status = 'queued' OR woken AND status = 'running')",
        (list(runs), list(ids)),
    ).fetchall()
    defer(connection, found)

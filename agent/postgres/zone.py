"""A task that was handed over, as the one that works on it has it: its record, its lease, and what it hands on.

A zone is the task with all below it that its owner does itself. Its owner alone writes there, for as long as it holds a
lease on the server's clock; the lease has a fencing number, so that an owner that slept through its end writes nothing
when it wakes (M. Kleppmann, "How to do distributed locking", 2016).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.errors import LeaseLost, StorageError, ZooidError
from agent.events import AttemptReserved, Event, RunEnded, from_body
from agent.postgres import ledger, tasks
from agent.postgres.archive import Row, checked, me, packed, version
from agent.postgres.database import Database, synced
from agent.postgres.ledger import Charge
from agent.task import ROOT, Task
from agent.tree import Tree
from tools.registry import Tool

if TYPE_CHECKING:
    from agent.postgres.database import Connection


@dataclass(slots=True)
class Zone:
    """The store of a run for one handed-over task, and the others that its tasks are handed on to."""

    database: Database
    run: str
    task: str
    fence: int
    next: int  # the number of the next event
    queue: str  # where tasks that need nothing special are handed on
    since: float  # when the work of this sitting of the run began
    away: set[str]  # tasks that were handed on and have not ended
    tree: Tree
    _rows: list[Row] = field(default_factory=list)
    _handed: list[dict[str, Any]] = field(default_factory=list)
    _charges: list[Charge] = field(default_factory=list)
    _admitted: AttemptReserved | None = None  # in the ledger already
    _must_sync: bool = False
    _is_to_be_told: bool = False  # a request is sent next
    _is_due: bool = False  # what waits is kept in a moment
    _failure: ZooidError | None = None  # nothing more is kept: another has the task, or the database cannot be used

    # -- the record

    def now(self) -> float:
        return self.database.now()

    def append(self, event: Event, at: float, synced: bool = False) -> int:
        self._rows.append((at, event.type, event.task, event.packed()))
        self._must_sync = self._must_sync or synced
        self._is_to_be_told = self._is_to_be_told or isinstance(event, AttemptReserved)
        if event != self._admitted and (change := ledger.charge(self.tree, event)):
            self._charges.append(change)
        return self.next + len(self._rows) - 1

    def is_due(self) -> bool:
        return True

    def commit(self) -> None:
        """Have what was appended and what was handed on kept, together with all that comes up in the same moment.

        Nothing outside sees the difference: before a request is sent and before an effect the loop does not go on until
        it is kept. Raises LeaseLost where another owns the task.
        """
        if self._failure:
            raise self._failure
        if self._must_sync or self._is_to_be_told:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def flush(self, then: Callable[[Connection], object] | None = None) -> None:
        """Keep all that was appended, and do `then`, at once; raises LeaseLost where another owns the task."""
        if self._failure:
            raise self._failure
        if not (self._rows or self._handed or then):
            return
        keep = "SELECT zooid_keep(%s, %s, %s, %s, %s, %s)"
        kept = (*self._mine, self.next, self._waiting())
        is_synced = self._must_sync or (self._handed and not self._rows)  # nobody could tell that these were lost

        def keep_all(connection: Connection) -> None:
            if is_synced:
                synced(connection)
            connection.execute(keep, kept)
            if then:
                then(connection)

        with self._owning():
            if then or is_synced:
                self.database.transaction(keep_all)
            else:
                self.database.call(keep, kept)
        self.next += len(self._rows)
        self._rows.clear()
        self._handed.clear()
        self._charges.clear()
        self._must_sync = self._is_to_be_told = False

    def _flush(self) -> None:
        self._is_due = False
        with suppress(ZooidError):  # the next commit says so, where somebody listens
            self.flush()

    def _waiting(self) -> str:
        """What is to be kept, as zooid_keep in functions.sql takes it."""
        what: dict[str, Any] = {
            "events": packed(self.run, self.task, self.next, self._rows),
            "charges": self._charges,
            "handed": self._handed,
        }
        if self.task != ROOT and (status := self._ended()):
            what |= {"ended": status, "away": list(self.away)}
        return json.dumps(what, ensure_ascii=False)

    def close(self) -> None:
        """Nothing: whoever works on the task lets go of it."""

    def _ended(self) -> str:
        """How the zone's own task ended, where that is among what is to be kept."""
        ends = (body for _, type_, task, body in self._rows if type_ == "task.ended" and task == self.task)
        return next((str(json.loads(body)["status"]) for body in ends), "")

    @property
    def _mine(self) -> tuple[str, str, str, int]:
        """What the functions of the database know an owner by."""
        return self.run, self.task, me(), self.fence

    @contextmanager
    def _owning(self) -> Iterator[None]:
        try:
            yield
        except (LeaseLost, StorageError) as error:
            self._failure = error
            raise

    # -- the ledger

    def admit(self, reserved: AttemptReserved, most: dict[str, int]) -> bool:
        wanted = json.dumps(ledger.charge(self.tree, reserved)), json.dumps(most)
        with self._owning():
            found = self.database.call("SELECT zooid_admit(%s, %s, %s, %s, %s, %s)", (*self._mine, *wanted))
        is_admitted = (True,) in found.fetchall()
        self._admitted = reserved if is_admitted else None
        return is_admitted

    @contextmanager
    def books(self) -> Iterator[None]:
        """Holds the run's accounts, put into the tree as they are; what is committed within goes with them."""
        if self._failure or self._charges:  # the accounts are to have these in them
            self.flush()
        with self._owning(), self.database.held() as connection:
            self.tree.accounts |= ledger.held(connection, self.run, self.tree.accounts)
            yield
            self.flush()

    # -- handing on

    def have(self, task: Task) -> bool:
        return task.id in self.away

    def take(self, task: Task, tool: Tool | None, awaited: bool) -> bool:
        if tool is not None and task.tool_version not in ("", tool.version):
            tool = None  # another version is another tool
        if task.items is not None or (tool is not None and _is_soon_done(tool)):
            return False
        self.away.add(task.id)
        has_it = tool is not None and (tasks.is_everywhere(tool) or self.queue == tasks.sitting_queue(self.run))
        queue = tasks.tool_queue(task.tool, task.tool_version) if task.tool and not has_it else self.queue
        self._handed.append({"id": task.id, "queue": queue, "depth": task.depth, "awaited": awaited})
        self.commit()
        return True

    # -- letting go

    def wait(self) -> None:
        """Let go of the task until what it handed on has ended; where it has by now, the task is queued again."""
        self._let_go(again=False)

    def give_back(self) -> None:
        """Let go of a task that is not done; others may have it at once."""
        self._let_go(again=True)

    def leave(self) -> None:
        """Let go of a task that cannot be done here; others have a second to take it."""
        self._let_go(again=True, after="1 second")

    def _let_go(self, again: bool, after: str | None = None) -> None:
        query, values = "SELECT zooid_release(%s, %s, %s, %s)", (self.run, self.task, again, after)
        self.flush(lambda connection: connection.execute(query, values))

    def end_run(self, status: str, blocked: str, code: int) -> bool:
        """Record how the whole run ended; False where it had ended already."""
        ended, said = RunEnded(ROOT, status, blocked, code), [False]
        self.flush(lambda connection: said.append(tasks.end_run(connection, self.run, [ended], self.now())))
        return said[-1]


def _is_soon_done(tool: Tool) -> bool:
    """Whether handing a call on would take longer than the call."""
    return (tasks.is_everywhere(tool) and tool.effect not in ("network", "execute")) or hasattr(tool.run, "many")


# -- claiming a task, and what is known of it


def claim(database: Database, run: str, task: str) -> tuple[Zone, Tree] | None:
    """Become the owner of a task that nobody owns; None where there is nothing to do about it."""

    query = (
        "SELECT fence, last, is_served, away, since, seq, zone, n, at, type, e.task, body, hash "
        "FROM zooid_claim(%s, %s, %s, %s) AS c, LATERAL zooid_known(%s, c.task, %s) AS e"
    )
    found = database.call(query, (run, task, me(), version(), run, _above(task))).fetchall()
    if not found:
        return None
    fence, last, is_served, away, since, *_ = found[0]
    tree = _grown(run, checked(run, (row[5:] for row in found)))
    queue = tasks.everybody() if is_served else tasks.sitting_queue(run)
    return Zone(database, run, task, fence, last + 1, queue, since, set(away), tree), tree


def _above(task: str) -> list[str]:
    """The ids of the tasks above one, nearest first: an id begins with its parent's."""
    found = []
    while (cut := max(task.rfind("."), task.rfind("["))) > 0:
        task = re.sub(r"~\d+$", "", task[:cut])
        found.append(task)
    return found


def _grown(run: str, rows: list[tuple[int, Row]]) -> Tree:
    """A tree of the events that are about tasks which are known."""
    tree = Tree(run)
    for _, (at, type_, task, body) in rows:
        if type_.startswith(("run.", "task.planned", "task.reopened")) or task in tree.tasks or task == ROOT:
            tree.apply(from_body(type_, task, json.loads(body)), at)
    return tree

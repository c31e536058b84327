"""A run in a database as the process has it that a person started it in: it looks on, asks them, and takes tasks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent import events as ev
from agent.archive import Store
from agent.budget import Limits
from agent.errors import LimitHit, PersonError
from agent.planners import Planner
from agent.postgres import tasks
from agent.postgres.archive import Record, lacks
from agent.postgres.site import Prepare, Site, limit_of_seconds
from agent.routes import Routes
from agent.run import Listener, Person
from agent.task import ROOT
from agent.tree import Tree

_LOOKS_EVERY = 0.05  # seconds
_ASKS_EVERY = 2.0  # seconds between two looks at what is waited for
_GRACE = 1.0  # seconds for those who work on the run to come to its limit themselves


@dataclass
class SharedRun:
    """Stands where `Run` does on one machine."""

    tree: Tree
    store: Record
    site: Site
    seconds: float  # that a sitting may take
    planners: Sequence[Planner] = ()
    routes: Routes | None = None
    person: Person | None = None
    listeners: list[Listener] = field(default_factory=list)
    seen: int = 0  # the number of the last event that is in the tree
    _missing: str = ""
    _at: float = 0.0  # when that happened
    _connection: int = 0

    def emit(self, event: ev.Event, *, commit: bool = False, synced: bool = False) -> None:
        """Record something about the run as a whole; it reaches the tree with all else that happened."""
        self.store.append(ev.redacted(event), self.store.now())
        self.store.commit()

    async def work(self) -> Tree:
        """Have the run worked on, here and wherever workers are, until it ends."""
        self._look()
        serving = asyncio.create_task(self.site.serve())
        try:
            begin(self.store, self.tree)
            while True:
                await self._until_it_rests(serving)
                if self.tree.status != "paused" or self.person is None or not await self._ask():
                    break
                begin(self.store, self.tree)
        except asyncio.CancelledError:
            self._end("interrupted", "", 130)
            raise
        finally:
            serving.cancel()
            with contextlib.suppress(BaseException):
                await serving
            self.site.leave()
        if self.tree.status in ("stopped", "interrupted"):
            raise _told(self.tree.blocked or "it was stopped from elsewhere", self.tree.exit_code or 130)
        return self.tree

    async def _until_it_rests(self, serving: asyncio.Task[None]) -> None:
        began = asked = self.store.now()
        while True:
            self._look()
            if self.tree.ended is not None:
                return
            if serving.done():
                serving.result()  # which raises what ended it
            if (now := self.store.now()) > began + self.seconds + _GRACE:  # nobody is at work who would say so
                self._end("stopped", limit_of_seconds(self.seconds), LimitHit.exit_code)
            elif now > asked + _ASKS_EVERY:
                asked = now
                self._say_what_is_missing()
            await asyncio.sleep(_LOOKS_EVERY)

    def _say_what_is_missing(self) -> None:
        """Tell those who look on, once, what tasks wait for that no process has."""
        missing = self.store.database.transaction(lambda connection: lacks(connection, self.store.run))
        if missing != self._missing:
            self._missing = missing
            for listener in self.listeners if missing else ():
                listener(self.seen, self.store.now(), ev.Note(ROOT, missing))

    def _look(self) -> None:
        """Take in what has happened; all of it anew where the server has lost some."""
        if self._connection != self.store.database.connections:
            self._connection = self.store.database.connections
            if self._at and not self.store.has(self.seen, self._at):
                vars(self.tree).update(vars(self.store.tree()))
                self.seen, self._at = self.store.seen, 0.0
        for seq, at, event in self.store.rows(self.seen):
            self.tree.apply(event, at)
            self.seen, self._at = seq, at
            for listener in self.listeners:
                listener(seq, at, event)

    async def _ask(self) -> bool:
        """Have the person answer what the run waits for; whether there was anything."""
        waiting = [asked for asked in self.tree.asked.values() if self.tree.tasks[asked.task].status == "paused"]
        for asked in waiting:
            said = await self._said(asked)
            self.emit(ev.Answered(asked.task, asked.kind, said, asked.call, by="person"))
        if waiting:
            self.emit(ev.RunResumed(ROOT, self.tree.settings))
            self._look()
        return bool(waiting)

    async def _said(self, asked: ev.Asked) -> str:
        assert self.person is not None
        if asked.kind == "approval":
            return "yes" if await self.person.approve(asked) else "no"
        return await self.person.answer(asked.text)

    def _end(self, status: str, why: str, code: int) -> None:
        event = ev.RunEnded(ROOT, status, why, code)
        self.store.database.transaction(lambda c: tasks.end_run(c, self.store.run, [event], self.store.now()))
        self._look()


def begin(record: Record, tree: Tree, by_anybody: bool = False) -> None:
    """Queue a run's goal; `by_anybody`: it waits for a worker where none is there."""
    for event in tree.planted():
        record.append(ev.redacted(event), record.now())
    record.commit()
    record.database.transaction(lambda connection: tasks.begin(connection, record.run, by_anybody))


def share(
    store: Store, tree: Tree, planners: Sequence[Planner], prepare: Prepare, limits: Limits, routes: Routes
) -> SharedRun:
    """A run of the database that this process looks on at, and takes tasks of where no worker is there."""
    assert isinstance(store, Record)
    site = Site(store.database, [tasks.sitting_queue(store.run)], limits.parallel, prepare)
    return SharedRun(
        tree, store, site, limits.seconds, planners, routes, listeners=[routes.listener(tree)], seen=store.seen
    )


def _told(why: str, code: int) -> PersonError:
    error = PersonError(why)
    vars(error)["exit_code"] = code
    return error

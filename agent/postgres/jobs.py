"""The background of runs in a database: workers take them, wherever they are."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import events as ev
from agent.archive import Log, Request
from agent.errors import UsageError
from agent.jobs import Job, Jobs, person
from agent.postgres.archive import PostgresArchive, Record
from agent.postgres.shared import begin
from agent.task import FINISHED, ROOT
from agent.tree import Tree


@dataclass
class SharedJobs(Jobs):
    """Runs that were sent to the background; any worker of the database goes on with them, on any machine."""

    runs: PostgresArchive  # type: ignore[assignment] # all that needs this machine's files is done otherwise here

    def listed(self, most: int | None = None) -> list[Job]:
        query = "SELECT id FROM zooid_run WHERE is_job ORDER BY touched DESC LIMIT %s"
        rows = self.runs.database.transaction(lambda c: c.execute(query, (most,)).fetchall())
        return [self.job(run) for (run,) in rows]

    def job(self, run: str) -> Job:
        summary = self.runs.summary(run)
        state = "asks" if summary.status == "paused" and summary.asks else summary.status
        return Job(summary, state)

    def is_busy(self, run: str) -> bool:
        query = "SELECT status FROM zooid_run WHERE id = %s"
        row = self.runs.database.transaction(lambda c: c.execute(query, (run,)).fetchone())
        return bool(row and row[0] == "running")

    def log(self, run: str) -> Path:
        """What workers do is in the run's record; there is no file of what they wrote."""
        raise UsageError(f"workers of a database keep no log of a run; see what happened with: zooid log {run}")

    def queue(self, store: Log, tree: Tree, settings: dict[str, Any], output: str = "") -> None:
        if output:
            raise UsageError(
                "with a database a worker on another machine may end the run; get its answer with: jobs wait"
            )
        assert isinstance(store, Record)
        with contextlib.closing(store):
            if tree.root is not None:
                store.append(ev.RunResumed(ROOT, settings), store.now())
            store.append(ev.RunQueued(ROOT, settings, "", person()), store.now())
            store.commit()
            begin(store, store.tree(), by_anybody=True)

    def go_on(self, run: str, start: bool = True) -> None:
        store, tree = self.runs.open(run)
        with contextlib.closing(store):
            store.own()
        self.queue(store, tree, tree.settings)

    def start_due(self) -> None:
        """Workers do."""

    def cancel(self, run: str) -> str:
        store, tree = self.runs.open(run)
        if not self.is_busy(tree.run) and tree.root is not None and tree.root.status in FINISHED:
            raise UsageError(f"run {tree.run} is {tree.root.status} already; see: zooid tree {tree.run}")
        if tree.status == "cancelled":
            raise UsageError(f"run {tree.run} is cancelled already; see: zooid tree {tree.run}")
        store.post(Request("cancel", ROOT, by=person()))
        return tree.run

    def remove(self, run: str) -> str:
        run = self.runs.summary(run).run
        if self.is_busy(run):
            raise UsageError(f"run {run} is at work or queued; end it first with: zooid jobs cancel {run}")
        change = "UPDATE zooid_run SET is_job = false WHERE id = %s AND is_job RETURNING id"
        if not self.runs.database.transaction(lambda c: c.execute(change, (run,)).fetchone()):
            raise UsageError(f"run {run} is no job, it was not in the background; see: zooid runs")
        return run

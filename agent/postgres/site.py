"""A process that takes handed-over tasks and works on them: `zooid worker`, or the process that a run was begun in.

What to do next comes from procrastinate (LISTEN/NOTIFY, SKIP LOCKED). That a task is given out twice does no harm: who
owns it is decided when it is claimed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from agent.errors import LeaseLost, LimitHit, PersonError, StorageError, ZooidError, first
from agent.events import RunEnded
from agent.postgres import tasks
from agent.postgres.database import PATIENCE, Database
from agent.postgres.tasks import JOB, RENEWED_EVERY
from agent.postgres.zone import Zone, claim
from agent.run import exit_code
from agent.task import FINISHED, ROOT, Task
from agent.tree import Tree

if TYPE_CHECKING:
    from agent.run import Run

_PAUSE = 1.0  # seconds before procrastinate is started again on a server that went away
_STOPS_WITHIN = 1.5
_DEFECT = 70

Prepare = Callable[[Tree, Zone], "Run"]  # the run of a task: tools, planners and limits, by the run's own settings


class Site:
    """Works on the tasks of some queues, `slots` of them at a time."""

    def __init__(self, database: Database, queues: Sequence[str], slots: int, prepare: Prepare) -> None:
        self.database, self.queues, self.slots = database, list(queues), slots
        self._prepare = prepare
        self.note: Callable[[str], None] = lambda text: None  # what whoever started this process should know
        self.on_end: Callable[[str], None] | None = None  # called beside the loop with a run that was ended here
        self._telling: set[asyncio.Future[None]] = set()
        self._left: set[tuple[str, str]] = set()  # runs that cannot be worked on here, and why
        self._at_work: dict[tuple[str, str], asyncio.Task[Any]] = {}

    async def serve(self) -> None:
        """Work until cancelled. Raises StorageError where the database stays away."""
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # what goes wrong is said here
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)
        self.arrive()
        jobs = Jobs(self.database.url, self.queues, self.slots, self._work_on)
        try:
            await self._beat()
        finally:
            await jobs.stop()
            await self._let_go()

    async def _let_go(self) -> None:
        """Stop what is in work; others may have it at once. Who is being told that a run has ended hears it out."""
        at_work = list(self._at_work.values())
        for task in at_work:
            task.cancel()
        if at_work:
            await asyncio.wait(at_work, timeout=_STOPS_WITHIN)
        if self._telling:
            await asyncio.wait(self._telling)

    async def _work_on(self, run: str, task: str) -> None:
        """Work on one task as far as it goes here."""
        claimed = claim(self.database, run, task)
        if claimed is None:
            return
        zone, tree = claimed
        current = asyncio.current_task()
        assert current is not None
        if earlier := self._at_work.get((run, task)):
            earlier.cancel()  # the server has lost that it was taken
        self._at_work[run, task] = current
        try:
            await self._solve(zone, tree)
        except asyncio.CancelledError:
            with contextlib.suppress(ZooidError):
                zone.give_back()
            raise
        except BaseException as raised:
            self._failed(zone, first(raised))
        finally:
            if self._at_work[run, task] is current:
                del self._at_work[run, task]

    async def _solve(self, zone: Zone, tree: Tree) -> None:
        try:
            work = self._prepare(tree, zone)
        except PersonError as error:  # a workspace, a key, a model file that this machine has not
            self._say_left(zone.run, str(error))
            zone.leave()
            return
        task = await self._in_time(work, zone)
        if task.status not in FINISHED and task.status != "paused":
            zone.wait()
        elif zone.task == ROOT:
            if zone.end_run(task.status, task.blocked, exit_code(task.status)):
                self._tell(zone.run)
        else:
            zone.flush()

    def _say_left(self, run: str, why: str) -> None:
        if (run, why) not in self._left:
            self._left.add((run, why))
            self.note(f"run {run} is left to other workers: {why}")

    async def _in_time(self, work: Run, zone: Zone) -> Task:
        """Work on the zone's task in the seconds that are left to the whole run."""
        most = work.limits.seconds
        try:
            async with asyncio.timeout(zone.since + most - zone.now()) as deadline:
                return await work.work_on(zone.task)
        except LimitHit as limit:
            if limit.task == ROOT:
                raise
            return work.cut_short(work.tree.tasks[zone.task], str(limit))
        except TimeoutError:
            if not deadline.expired():
                raise
            raise LimitHit(limit_of_seconds(most)) from None

    def _failed(self, zone: Zone, error: BaseException) -> None:
        """What ends the whole run, wherever it comes up. What is lost to another process is that one's business."""
        if isinstance(error, LeaseLost):
            with contextlib.suppress(StorageError):  # the server may have lost that it was taken
                self.database.transaction(lambda c: tasks.put_back(c, zone.run, zone.task))
            return
        with contextlib.suppress(ZooidError):
            zone.flush()
        if isinstance(error, PersonError):
            self._stop(zone, str(error), error.exit_code)
        else:
            self._stop(zone, f"a defect of zooid: {type(error).__name__}: {error}", _DEFECT)

    def _stop(self, zone: Zone, why: str, code: int) -> None:
        event = RunEnded(ROOT, "stopped", why, code)
        try:
            if self.database.transaction(lambda c: tasks.end_run(c, zone.run, [event], self.database.now())):
                self._tell(zone.run)
        except StorageError as error:
            self.note(f"run {zone.run} was to be stopped ({why}), and that could not be kept: {error}")

    def _tell(self, run: str) -> None:
        if self.on_end is not None:
            told = asyncio.ensure_future(asyncio.to_thread(self.on_end, run))
            self._telling.add(told)
            told.add_done_callback(self._telling.discard)

    # -- being there

    async def _beat(self) -> None:
        """Say that this process is there, keep its leases, drop what it has lost, and save what the dead have left."""
        while True:
            await asyncio.sleep(RENEWED_EVERY)
            owned = self.database.transaction(lambda c: tasks.beat(c, list(self._at_work), self.queues)).fetchall()
            for key, task in list(self._at_work.items()):
                if key not in owned:
                    task.cancel()

    def arrive(self) -> None:
        """Say that this process takes tasks; raises StorageError where the database cannot be used."""
        self.database.transaction(lambda c: tasks.say_here(c, self.queues))

    def leave(self) -> None:
        """Say that this process takes no more."""
        with contextlib.suppress(StorageError):
            self.database.transaction(tasks.say_gone)


def limit_of_seconds(most: float) -> str:
    return f"the limit of {most:g} seconds is reached; go on with: zooid resume"


class Jobs:
    """Procrastinate's worker, in a thread with a loop of its own.

    While a server is away the main loop waits for it, and connections that nobody tends would keep it from ending.
    """

    def __init__(
        self, url: str, queues: list[str], slots: int, solve: Callable[[str, str], Coroutine[Any, Any, None]]
    ) -> None:
        self._url, self._queues, self._slots, self._solve = url, queues, slots, solve
        self._main, self._loop = asyncio.get_running_loop(), asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Take no more, and have what is in work let go."""
        self._loop.call_soon_threadsafe(self._ending.set)
        await asyncio.to_thread(self._thread.join, _STOPS_WITHIN)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._until_ending())

    async def _until_ending(self) -> None:
        taking, ending = asyncio.create_task(self._take()), asyncio.create_task(self._ending.wait())
        await asyncio.wait((taking, ending), return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await taking

    async def _take(self) -> None:
        """Have procrastinate take jobs, begun again whenever the server has been away."""
        import procrastinate

        while True:
            connector = procrastinate.PsycopgConnector(
                pool_factory=_pool, conninfo=self._url, min_size=1, max_size=3, timeout=3, configure=_configure
            )
            app = procrastinate.App(connector=connector)
            app.task(name=JOB)(self._hand_over)
            # Whatever ends it, its connections or its own rows were lost; those that count are in our tables.
            with contextlib.suppress(Exception):
                async with app.open_async():
                    await app.run_worker_async(
                        queues=self._queues,
                        concurrency=self._slots,
                        delete_jobs="always",
                        install_signal_handlers=False,
                        shutdown_graceful_timeout=0.05,
                        fetch_job_polling_interval=1.0,
                        update_heartbeat_interval=RENEWED_EVERY,
                        stalled_worker_timeout=PATIENCE,
                    )
            await asyncio.sleep(_PAUSE)

    async def _hand_over(self, run: str, task: str) -> None:
        """Work on a task in the main loop, also when procrastinate is through: a server that is away ends no call."""
        working = asyncio.run_coroutine_threadsafe(self._solve(run, task), self._main)
        await asyncio.shield(asyncio.wrap_future(working))


def _pool(**settings: Any) -> Any:
    """Connections for procrastinate, not tried out before each use: one that is broken is replaced with all else."""
    from psycopg_pool import AsyncConnectionPool

    return AsyncConnectionPool(**settings | {"check": None})


async def _configure(connection: Any) -> None:
    """Its statements are each a transaction, and what becomes of them in a power cut does not matter."""
    await connection.set_autocommit(True)
    await connection.execute("SET synchronous_commit = off")

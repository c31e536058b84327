"""Looking at a run from another terminal: the live tree as in the foreground, and its questions."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from agent import control, session, signals, view
from agent import events as ev
from agent.archive import Request, Store
from agent.errors import Pause, UsageError
from agent.jobs import Jobs, interrupted, person
from agent.output import Output
from agent.report import stream
from agent.run import Listener
from agent.tree import Tree

_EVERY = 0.15  # seconds between two looks at what is new
_FRESH = 1.0  # seconds between two looks whether a silent run is still there


def attach(jobs: Jobs, run: str, output: Output) -> int:
    """Show a run until it ends or waits for somebody, or until one leaves; the exit code: 0 for who leaves."""
    store, tree = jobs.runs.open(run)
    with contextlib.closing(store):
        onlooker = Onlooker(jobs, store, tree, output)
        left = asyncio.run(onlooker.look())
    if left:
        output.new_line()
        output.say(f"run {tree.run} goes on without you; look at it again with: zooid jobs attach {tree.run}")
        return 0
    if tree.ended is None:
        interrupted(tree)
    return session.show(tree, output, None, tree.exit_code, "", (tree.ended or time.time()) - tree.started)


@dataclass
class Onlooker:
    """Follows a run's events into a tree and a view of its own, and puts its questions to the person who looks on."""

    jobs: Jobs
    store: Store
    tree: Tree
    output: Output
    _asked: set[tuple[str, str]] = field(default_factory=set)  # the questions that were left open here

    def __post_init__(self) -> None:
        self._view = view.for_run(self.output, self.tree)
        self._listeners: list[Listener] = [self._view]
        if self.output.json:
            self._listeners.append(stream(self.output, self.tree))
        at_terminal = sys.stdin is not None and sys.stdin.isatty() and self.output.stderr.isatty()
        at_hand = at_terminal and not self.output.json
        self._person = view.AtTerminal(self.output, self._view, self.tree) if at_hand else None
        self._last = max((seq for seq, _, _ in self.store.rows()), default=0)
        self.store.post(Request("watch"))

    async def look(self) -> bool:
        """Whether the person left before the run came to its end."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def leave(number: int) -> None:
            loop.call_soon_threadsafe(task.cancel)

        with signals.handled(leave, lambda: None):
            try:
                async with self._view.running(), self._asking():
                    await self._follow()
            except asyncio.CancelledError:
                return True
        return False

    async def _follow(self) -> None:
        seen = time.monotonic()
        while True:
            for seq, at, event in list(self.store.rows(self._last)):
                self._last, seen = seq, time.monotonic()
                self.tree.apply(event, at)
                for listener in self._listeners:
                    listener(seq, at, event)
            if (self.tree.ended is not None or time.monotonic() > seen + _FRESH) and self._is_over():
                return
            await asyncio.sleep(_EVERY)

    def _is_over(self) -> bool:
        """Whether nothing more will come, and nobody here may still answer."""
        if self.jobs.is_busy(self.tree.run):
            return False
        return self._question() is None and not any(self.store.rows(self._last))

    # -- questions

    def _question(self) -> ev.Asked | None:
        """What this person is to be asked now."""
        asked = control.asked_for(self.tree)
        return asked if self._person and asked and (asked.task, asked.call) not in self._asked else None

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        asking = asyncio.create_task(self._ask_on())
        try:
            yield
        finally:
            asking.cancel()

    async def _ask_on(self) -> None:
        while True:
            if asked := self._question():
                answering = asyncio.create_task(self._ask(asked))
                while not answering.done() and self._question() == asked:  # another may answer it meanwhile
                    await asyncio.wait([answering], timeout=_EVERY)
                answering.cancel()
            await asyncio.sleep(_EVERY)

    async def _ask(self, asked: ev.Asked) -> None:
        assert self._person is not None
        try:
            if asked.kind == "approval":
                said = "yes" if await self._person.approve(asked) else "no"
            else:
                said = await self._person.answer(asked.text)
            await asyncio.to_thread(self._send, Request("answer", asked.task, said, person()))
        except Pause:
            pass
        self._asked.add((asked.task, asked.call))

    def _send(self, request: Request) -> None:
        try:
            self.jobs.request(self.tree.run, request)
        except UsageError as error:
            self.output.tell(str(error))

"""What a person sees while a run goes on: a live tree on a terminal, plain lines elsewhere; and how they are asked.

A view is a listener of the run. The live tree is a window: the active path, what runs, and how much is done beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from agent import approval
from agent import events as ev
from agent.errors import Pause
from agent.output import MARKS, Output, clean, counted, duration, preview, spent
from agent.task import FINISHED, ROOT, Task
from agent.tree import Tree

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_EVERY = 0.25  # seconds between two pictures
_FIRST = 0.3  # seconds before the first: a run that is over by then needs none
_FEW = 8  # children that are all shown; of more, those at work
_LINES = 40  # of plain lines about one parent's children; of more, only what went wrong


class View(Protocol):
    def __call__(self, seq: int, at: float, event: ev.Event) -> None: ...

    def running(self) -> contextlib.AbstractAsyncContextManager[None]: ...

    def aside(self) -> contextlib.AbstractContextManager[None]: ...


def for_run(output: Output, tree: Tree) -> View:
    """The view that fits where standard error goes."""
    if output.json or output.quiet:
        return Nothing()
    if output.stderr.isatty() and not output.dumb:
        return LiveTree(output, tree)
    return Lines(output, tree)


class Nothing:
    """Shows nothing."""

    def __call__(self, seq: int, at: float, event: ev.Event) -> None:
        pass

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        yield


class Lines(Nothing):
    """A line for a finished step of the goal's own plans, and for whatever needs attention; all steps when verbose."""

    def __init__(self, output: Output, tree: Tree) -> None:
        self._output, self._tree = output, tree
        self._said: Counter[str | None] = Counter()

    def __call__(self, seq: int, at: float, event: ev.Event) -> None:
        match event:
            case ev.TaskEnded() if event.task != ROOT and event.status != "paused":
                self._ended(self._tree.tasks[event.task])
            case ev.Note():
                self._output.say(f"  {clean(event.text)}")
            case ev.TaskReopened():
                goal, hint = preview(self._tree.tasks[event.task].goal), f": {event.hint}" if event.hint else ""
                self._output.say(f"{self._output.mark('pending')} {goal}, once more, by {clean(event.by + hint)}")
            case ev.AttemptStarted() if self._output.verbose:
                task = self._tree.tasks[event.task]
                self._output.say(f"{self._output.mark('running')} {preview(task.goal)} [{event.worker}]")
            case ev.AttemptEnded() if self._output.verbose and event.verdict.startswith("failed"):
                self._output.say(f"  {preview(event.verdict, 200)}")

    def _ended(self, task: Task) -> None:
        near = task.depth <= 1 or task.status != "done"
        self._said[task.parent] += 1
        if self._output.verbose or (near and self._said[task.parent] <= _LINES):
            self._output.say(step(self._output, task))


def step(output: Output, task: Task, width: int = 60) -> str:
    """A task on one line: its mark, its goal, and what came of it."""
    said = preview(task.result, width) if task.status == "done" else preview(task.blocked, 2 * width)
    return f"{output.mark(task.status)} {preview(task.goal, width)}" + (f" → {said}" if said else "")


class LiveTree:
    """A tree that is drawn again in place, four times a second at most."""

    def __init__(self, output: Output, tree: Tree) -> None:
        self._output, self._tree = output, tree
        self._window = Window(tree)
        self._live: Live | None = None
        self._console: Console | None = None
        self._asking = False
        self._notes: list[str] = []

    def __call__(self, seq: int, at: float, event: ev.Event) -> None:
        self._window.take(event)
        if isinstance(event, ev.Note):
            self._notes.append(event.text)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Draw for as long as the run goes on; the tree is gone from the screen afterwards."""
        drawing = asyncio.create_task(self._draw_on())
        try:
            yield
        finally:
            drawing.cancel()
            self._stop()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the screen to a question."""
        self._stop()
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    async def _draw_on(self) -> None:
        await asyncio.sleep(_FIRST)
        while True:
            if not self._asking:
                self._draw()
            await asyncio.sleep(_EVERY)

    def _draw(self) -> None:
        if self._live is None:
            self._live = self._started()
        notes, self._notes = self._notes, []
        for note in notes:
            self._live.console.print(clean(note), style="dim", markup=False, highlight=False)
        self._live.update(self._picture(self._live.console), refresh=True)

    def _started(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        if self._console is None:
            colours: Any = None if self._output.plain else "auto"  # rich alone would still write bold and dim
            self._console = Console(file=self._output.stderr, color_system=colours, highlight=False)
        live = Live(console=self._console, auto_refresh=False, transient=True)
        live.start()
        return live

    def _picture(self, console: Console) -> RenderableType:
        from rich.text import Text

        rows = self._window.rows(max(3, console.height - 2))
        lines = [Text.assemble(*self._row(row), no_wrap=True, overflow="ellipsis") for row in rows]
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)

    def _row(self, row: Row) -> list[str | tuple[str, str]]:
        indent = "  " * row.level
        if row.task is None:
            return [(f"{indent}  {row.text}", "dim")]
        mark, _, colour = MARKS[row.status]
        return [indent, (mark, colour), f" {preview(row.task.goal, 100)}", (row.text, "dim")]

    def _stop(self) -> None:
        """Take the tree off the screen and give the cursor back."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


class Row:
    """A line of the window: a task with what is known of it, or words in its place."""

    __slots__ = ("level", "status", "task", "text")

    def __init__(self, level: int, task: Task | None, text: str, status: str = "") -> None:
        self.level, self.task, self.text, self.status = level, task, text, status


def _ended(tree: Tree) -> Counter[str | None]:
    """How many of each task's children have ended."""
    return Counter(task.parent for task in tree.tasks.values() if task.status in FINISHED)


def _at_work(tree: Tree) -> Iterator[Task]:
    return (task for task in tree.tasks.values() if task.status == "running" and task.attempts)


class Window:
    """The part of the tree that is worth a look, found without walking the rest of it."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._begun = {t.id: (time.monotonic(), t.attempts[-1].worker) for t in _at_work(tree)}  # since when, by whom
        self._ended = _ended(tree)
        self._start = time.monotonic()

    def take(self, event: ev.Event) -> None:
        match event:
            case ev.AttemptStarted():
                self._begun[event.task] = (time.monotonic(), event.worker)
            case ev.TaskEnded():
                self._begun.pop(event.task, None)
                self._ended[self._tree.tasks[event.task].parent] += event.status != "paused"
            case ev.TaskReopened():
                self._ended = _ended(self._tree)

    def rows(self, most: int) -> list[Row]:
        """At most `most` rows, the newest work among them whatever is left out."""
        if self._tree.root is None:
            return [Row(0, None, "waiting for its turn" if self._tree.status == "queued" else "starting")]
        active = self._active()
        for few in (_FEW, _FEW // 2, 2, 1):
            rows = list(self._below(self._tree.root, 0, few, active))
            if len(rows) <= most:
                return rows
        left_out = len(rows) - most + 1
        return [rows[0], Row(1, None, f"… {left_out} more"), *rows[left_out + 1 :]]

    def _active(self) -> set[str]:
        """The tasks at work and all above them."""
        found: set[str] = set()
        for id in self._begun:
            above: str | None = id
            while above is not None and above not in found:
                found.add(above)
                above = self._tree.tasks[above].parent
        return found

    def _below(self, task: Task, level: int, few: int, active: set[str]) -> Iterator[Row]:
        status = "running" if task.id in active and task.status == "pending" else task.status
        yield Row(level, task, self._about(task), status)
        if not task.children or task.id not in active:
            return
        at_work = (id for id in task.children if id in active)  # the first of them are in flight, the others queue
        shown = task.children if len(task.children) <= few else list(islice(at_work, few))
        ended, total = self._ended[task.id], len(task.children)
        if len(shown) < total and ended:
            yield Row(level + 1, None, f"+{ended:,} done")
        for id in shown:
            yield from self._below(self._tree.tasks[id], level + 1, few, active)
        waiting = total - ended - len(shown)
        if len(shown) < total and waiting > 0:
            yield Row(level + 1, None, f"+{waiting:,} to do")

    def _about(self, task: Task) -> str:
        if task.id == ROOT:
            done = sum(self._ended.values())
            took, paid = duration(time.monotonic() - self._start), spent(self._tree.accounts[ROOT].spent)
            return f"  {took}, {counted(len(self._tree.tasks) - 1, 'task')}, {done:,} done, {paid}"
        if task.status == "done":
            return f" → {preview(task.result, 40)}"
        if task.status in ("failed", "partial", "paused"):
            return f": {preview(task.blocked, 80)}"
        if task.id in self._begun and not task.children:
            since, worker = self._begun[task.id]
            return f"  {worker} {duration(time.monotonic() - since)}"
        return ""


class AtTerminal:
    """A person at the terminal that the run was started from. Where they end the input, the run pauses."""

    def __init__(self, output: Output, view: View, tree: Tree) -> None:
        self._output, self._view, self._tree = output, view, tree
        self._typed: asyncio.Future[str] | None = None

    def leave(self) -> None:
        """Whatever is being asked is left open, as at the end of input."""
        if self._typed is not None and not self._typed.done():
            self._typed.set_result("")

    async def approve(self, asked: ev.Asked) -> bool:
        question = f"{self._output.paint('May it', 'bold')} {clean(asked.text)}?"
        call = approval.in_full(asked, self._tree)
        shown = approval.screenful(call, shutil.get_terminal_size(), self._tree.run)
        said = await self._ask("\n".join([question, *shown]), "[y/N] ")
        if not said:
            raise Pause(asked.text)
        return said.strip().lower() in ("y", "yes")

    async def answer(self, text: str) -> str:
        said = (await self._ask(clean(text), "> ")).strip()
        if not said:
            raise Pause(text)
        return said

    async def _ask(self, text: str, prompt: str) -> str:
        import termios

        with self._view.aside():
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)  # what was typed before is no answer to this
            self._output.tell(text)
            self._output.stderr.write(prompt)
            self._output.stderr.flush()
            said = await self._line()
            if not said:
                self._output.tell("")
            return said

    async def _line(self) -> str:
        """The next line that is typed; empty at the end of input. Waits without a thread, which no signal could end."""
        loop, number = asyncio.get_running_loop(), sys.stdin.fileno()
        typed: asyncio.Future[str] = loop.create_future()
        self._typed = typed

        def read() -> None:
            if not typed.done():
                typed.set_result(os.read(number, 65536).decode(errors="replace"))

        loop.add_reader(number, read)
        try:
            return await typed
        finally:
            loop.remove_reader(number)

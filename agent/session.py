"""A person's sitting with a run: work on it, show it, ask them, and say at the end what came of it and how to go on."""

from __future__ import annotations

import asyncio
import contextlib
import select
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import approval, report, signals, view
from agent import events as ev
from agent.costs import Estimate, in_words
from agent.errors import PersonError, UsageError
from agent.output import Output, clean, counted, spent
from agent.output import preview as preview_of
from agent.run import Run
from agent.task import ROOT, Answer, Decision, Plan, PlannedTask, Question, Task, Usage, to_json
from agent.tree import Tree
from tools.schema import as_text
from tools.workspace import write_atomically

if TYPE_CHECKING:
    from agent.postgres.shared import SharedRun

_RESUMABLE = (3, 75, 77)
_MOST_INPUT = 16 * 2**20  # bytes
_PATIENCE = 2.0  # seconds before a word about what is being waited for


@dataclass
class Sitting:
    """A run with the events that open this sitting: that it started, or that it goes on, and with which answer."""

    run: Run | SharedRun
    opening: Sequence[ev.Event]
    warnings: Sequence[str] = ()


@dataclass
class Preview:
    """What a planner would do about a goal; `asks` are the tasks that may need an approval."""

    planner: str
    decision: Decision
    usage: Usage
    asks: dict[str, bool]
    estimate: Estimate | None = None  # of what carrying it out would cost, where a model may be asked


Leave = Callable[[Run, view.View, Output], str]  # go on without the terminal; why not, where that cannot be


def work(sitting: Sitting, output: Output, file: Path | None = None, leave: Leave | None = None) -> int:
    """Work on a run until it ends, is stopped or has to wait; the exit code."""
    run, started = sitting.run, time.monotonic()
    watcher = view.for_run(output, run.tree)
    run.listeners.append(watcher)
    if output.json:
        run.listeners.append(report.stream(output, run.tree))
    if sys.stdin is not None and sys.stdin.isatty() and output.stderr.isatty() and not output.json:
        run.person = view.AtTerminal(output, watcher, run.tree)
    for warning in sitting.warnings:
        output.say(f"{output.paint('warning:', 'yellow')} {clean(warning)}")
    try:
        for event in sitting.opening:
            run.emit(event, commit=True)
        code, failure = asyncio.run(_until_it_rests(run, watcher, output, leave))
    except Exception:
        output.tell(_go_on(run.tree.run))
        raise
    finally:
        run.store.close()
    code = show(run.tree, output, file, code, failure, time.monotonic() - started)
    if run.routes is not None:  # the answer is there: learning from what was done may take its time
        with contextlib.suppress(PersonError, ImportError):
            run.routes.catch_up()
    return code


async def _until_it_rests(
    run: Run | SharedRun, watcher: view.View, output: Output, leave: Leave | None
) -> tuple[int, str]:
    """The exit code, and what the person has to be told."""
    loop, task, signal = asyncio.get_running_loop(), asyncio.current_task(), 0

    def stop(number: int) -> None:
        nonlocal signal
        signal = number
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    def farewell() -> None:
        output.farewell(_go_on(run.tree.run))

    if leave is not None and isinstance(run, Run):
        run.control.to_background = partial(leave, run, watcher, output)
        if output.stderr.isatty():  # Ctrl-Z
            loop.add_signal_handler(signals.SUSPEND, run.control.to_background)
    with signals.handled(stop, farewell):
        try:
            async with watcher.running():
                await run.work()
        except asyncio.CancelledError:
            return 128 + signal, "interrupted"
        except PersonError as error:
            return error.exit_code, str(error)
    return run.tree.exit_code, ""


def show(tree: Tree, output: Output, file: Path | None, code: int, failure: str, took: float) -> int:
    """Say what came of a run: the answer on standard output, all else beside it."""
    value = tree.answer
    if file is not None and code == 0:
        _write(file, as_text(value))
    elif not output.json and code != 4:  # what a paused run has so far is no answer yet
        output.answer(value)
    if code > 128:
        output.new_line()
    for line in _why(tree, code, failure):
        output.tell(line)
    output.say(output.paint(report.summary(tree, took), "dim"))
    return code


def _why(tree: Tree, code: int, failure: str) -> list[str]:
    """Why the goal is not met, and the way on."""
    id, blocked = tree.run, clean(failure or tree.blocked)
    if code == 0:
        return []
    if code == 4:
        return _asks(tree)
    if tree.status == "cancelled":
        return [f"zooid: {blocked}", f"  undo that with: zooid jobs retry {id}"]
    if code in _RESUMABLE or code > 128:
        return [f"zooid: {blocked}", *_missing(tree), _go_on(id)]
    return [f"zooid: the goal is not met: {blocked}", *_stuck(tree)]


def _asks(tree: Tree) -> list[str]:
    """What a paused run waits for, and how it is given."""
    id, lines = tree.run, []
    for asked in report.waiting(tree):
        if asked.kind == "approval":
            lines.append(f"zooid: paused, it needs an approval: {clean(asked.text)}")
            call = approval.in_full(asked, tree)
            lines += [f"  {line}" for line in approval.screenful(call, shutil.get_terminal_size(), id)]
            way = f"zooid resume {id} --answer yes (or no)"
            if tree.settings.get("approve", "ask") == "ask":
                way += "; --approve auto allows what follows too, unless text from outside has a hand in it"
        else:
            lines.append(f"zooid: paused, it asks: {clean(asked.text)}")
            way = f'zooid resume {id} --answer "…"'
        lines.append(f"  go on with: {way}")
    return lines or [f"zooid: paused: {clean(tree.blocked)}", _go_on(id)]


def _stuck(tree: Tree, most: int = 3) -> list[str]:
    """What was tried about each task that is missing, and how a person can help."""
    open_ = report.open_tasks(tree)
    lines = [f"  missing: {preview_of(task.goal, 60)}{_tried(task)}" for task in open_[:most]]
    if len(open_) > most:
        lines.append(f"  and {counted(len(open_) - most, 'more task')}; see: zooid tree {tree.run}")
    if open_:
        lines.append(f'  give a hint, and it is tried again: zooid jobs retry {tree.run} {open_[0].id} --hint "…"')
    return lines


def _tried(task: Task) -> str:
    """Who tried a task, how often, and what the last try came to."""
    times = Counter(attempt.worker for attempt in task.attempts)
    if not times:
        return " (not begun)"
    who = ", ".join(f"{clean(worker)} {n} times" if n > 1 else clean(worker) for worker, n in times.items())
    return f" (tried by {who}; {preview_of(task.blocked.removeprefix('failed: '), 100)})"


def _missing(tree: Tree, most: int = 5) -> list[str]:
    """What the answer so far is without: the tasks that were to be done, the nearest to the goal first."""
    open_ = report.open_tasks(tree)
    if tree.answer is None or not open_:
        return []
    more = f" and {counted(len(open_) - most, 'more task')}" if len(open_) > most else ""
    named = "; ".join(preview_of(task.goal, 60) for task in open_[:most])
    return [f"  the answer is not whole; not done: {named}{more}"]


def _go_on(id: str) -> str:
    return f"  what is done is kept; go on with: zooid resume {id}"


def check_file(file: Path | None) -> None:
    """Raise UsageError where an answer could not be written to `file` when it is there."""
    if file is None:
        return
    if file.is_dir():
        raise UsageError(f"-o {file} is a folder; name a file in it")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"-o {file}: there is no folder {file.absolute().parent}; make it first")


def _write(file: Path, text: str) -> None:
    try:
        data = (text.removesuffix("\n") + "\n").encode("utf-8", "backslashreplace")
        write_atomically(file.absolute(), data)
    except OSError as error:
        raise UsageError(f"the answer cannot be written to {file}: {error.strerror}; the run keeps it") from error


# -- what a person gives a run to go on with


def give(run: Run | SharedRun, text: str) -> ev.Answered:
    """The answer to what a run waits for first; raises UsageError where it waits for nothing, or for a yes or a no."""
    asked = next(iter(report.waiting(run.tree)), None)
    if asked is None:
        raise UsageError(f"run {run.tree.run} asks nothing; go on with: zooid resume {run.tree.run}")
    if asked.kind == "approval":
        word = {"y": "yes", "n": "no"}.get(text.strip().lower(), text.strip().lower())
        if word not in ("yes", "no"):
            raise UsageError(f"run {run.tree.run} waits for an approval; give --answer yes or --answer no")
        text = word
    return ev.Answered(asked.task or ROOT, asked.kind, text, asked.call, by="person")


def check_goal(goal: str) -> None:
    """Raise UsageError for a goal that says nothing."""
    if not goal.strip():
        raise UsageError('the goal is empty; say what is to be done, such as: zooid run "count the lines of a.txt"')


def piped(output: Output) -> dict[str, Any]:
    """What is piped into the command, as the goal's inputs. Never waits for a terminal."""
    stdin = sys.stdin
    if stdin is None or stdin.closed or stdin.isatty():
        return {}
    if not select.select([stdin], [], [], _PATIENCE)[0]:
        output.say("waiting for what is piped in; where nothing is, run it with < /dev/null")
    data = stdin.buffer.read(_MOST_INPUT + 1)
    if len(data) > _MOST_INPUT:
        raise UsageError(f"more than {_MOST_INPUT >> 20} MB are piped in; put it in a file and name that")
    if b"\0" in data:
        raise UsageError("what is piped in is no text; put it in a file and name that")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:  # any bytes can be read as the older Western encoding
        text = data.decode("latin-1")
    return {"input": text} if text.strip() else {}


# -- a plan that is only shown


def show_plan(preview: Preview, output: Output) -> int:
    """Show what a planner would do. Nothing is done and nothing is kept."""
    estimate = asdict(preview.estimate) if preview.estimate else None
    data = to_json(preview.decision) | {"usage": asdict(preview.usage), "estimate": estimate}
    output.page(_plan_lines(preview), data)
    if preview.estimate:
        output.say(in_words(preview.estimate))
    output.say(output.paint(f"{preview.planner}: {spent(preview.usage)}; nothing was done", "dim"))
    return 0


def _plan_lines(preview: Preview) -> Iterator[str]:
    match preview.decision:
        case Plan():
            for task in preview.decision.tasks:
                yield _planned_line(task, preview.asks.get(task.id, False))
            yield f"answer: {preview.decision.answer or 'what the planner says when it has seen the results'}"
        case Answer():
            yield f"it would answer at once: {preview_of(preview.decision.value)}"
        case Question():
            yield f"it would ask: {clean(preview.decision.text)}"
        case wish:
            yield f"it would need a tool that is not there: {clean(wish.signature or wish.name)}"


def _planned_line(task: PlannedTask, asks: bool) -> str:
    args = ", ".join(f"{name}={preview_of(value)}" for name, value in task.args.items())
    parts = [f"{clean(task.id)}: {clean(task.tool)}({args})" if task.tool else f"{clean(task.id)}: {clean(task.goal)}"]
    if task.each is not None:
        parts.append(f"for each of {preview_of(task.each)}")
    if task.after:
        parts.append(f"after {', '.join(task.after)}")
    if asks:
        parts.append("(needs an approval where it replaces or reaches something)")
    return "  ".join(parts)

"""Runs, trees and logs as data and as lines: what `runs`, `tree`, `log` and the event stream show."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from agent import approval, provenance
from agent import events as ev
from agent.archive import Archive, Store, Summary
from agent.errors import UsageError
from agent.output import Output, as_json, clean, cost, counted, duration, preview, spent
from agent.run import Listener
from agent.task import ROOT, Task, Usage
from agent.tree import Tree

# -- the event stream


def stream(output: Output, tree: Tree) -> Listener:
    """A listener that writes each event as one JSON object a line; the last one carries the answer."""

    def write(seq: int, at: float, event: ev.Event) -> None:
        output.record(as_record(tree, seq, at, event))

    return write


def as_record(tree: Tree, seq: int, at: float, event: ev.Event) -> dict[str, Any]:
    """An event as others read it."""
    task = tree.tasks.get(event.task)
    parent = task.parent if task else None
    record: dict[str, Any] = {"v": ev.VERSION, "seq": seq, "run": tree.run, "task": event.task, "parent": parent}
    record |= {"type": event.type, "at": at} | event.body()
    if isinstance(event, ev.AttemptReserved | ev.AttemptDecided | ev.AttemptEnded) and event.usage is not None:
        record["usage"] = asdict(event.usage)
    if isinstance(event, ev.RunEnded) and tree.root is not None:
        record |= {"answer": tree.answer, "verified": tree.root.verified, "usage": asdict(tree.usage())}
        record["origin"] = provenance.worst(tree.root.gave)
    return record


# -- a tree


def tree_data(tree: Tree) -> dict[str, Any]:
    """The whole tree as one JSON object."""
    usages = subtree_usages(tree)
    return {
        "v": ev.VERSION,
        "run": tree.run,
        "status": tree.status,
        "goal": tree.goal,
        "workspace": tree.workspace,
        "started": tree.started,
        "ended": tree.ended,
        "exit_code": tree.exit_code,
        "blocked": tree.blocked,
        "settings": tree.settings,
        "usage": asdict(tree.usage()),
        "waits_for": [asdict(asked) for asked in waiting(tree)],
        "tree": _nested(tree, usages),
    }


def _nested(tree: Tree, usages: dict[str, Usage]) -> dict[str, Any] | None:
    """The tasks, each with its children in it. Needs no recursion: parents come first in the tree."""
    data = {id: _task_data(task, usages[id]) for id, task in tree.tasks.items()}
    for id, task in tree.tasks.items():
        data[id]["children"] = [data[child] for child in task.children]
    return data.get(ROOT)


def _task_data(task: Task, subtree: Usage) -> dict[str, Any]:
    return {
        "id": task.id,
        "goal": task.goal,
        "tool": task.tool or None,
        "inputs": task.inputs,
        "status": task.status,
        "worker": task.worker or None,
        "by": task.by or None,
        "result": task.result,
        "check": asdict(task.check) if task.check else None,
        "budget": asdict(task.budget) if task.budget else None,
        "verified": task.verified,
        "origins": {"goal": task.origin, "inputs": task.origins, "result": task.gave},
        "blocked": task.blocked,
        "usage": {"own": asdict(task.usage), "subtree": asdict(subtree)},
        "attempts": [_attempt_data(attempt) for attempt in task.attempts],
    }


def _attempt_data(attempt: Any) -> dict[str, Any]:
    kind = (attempt.decision or {}).get("kind")
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "decision": kind,
        "verdict": attempt.verdict,
        "usage": asdict(attempt.usage),
    }


def subtree_usages(tree: Tree) -> dict[str, Usage]:
    """What each task cost with all below it, in one pass from the leaves up."""
    usages = {id: task.usage for id, task in tree.tasks.items()}
    for id, task in reversed(tree.tasks.items()):
        if task.parent is not None:
            usages[task.parent] += usages[id]
    return usages


def tree_lines(output: Output, tree: Tree, ids: bool = False) -> Iterator[str]:
    """The tree for a person: a line of what the run is, then a line a task, with `ids` by its name."""
    took = (tree.ended or time.time()) - tree.started
    yield f"{output.mark(tree.status, output.stdout)} {tree.run} {tree.status}  {_total(tree, took)}"
    if tree.blocked:
        yield f"  {clean(tree.blocked)}"
    if tree.root is None:
        return
    yield from _origin_lines(tree)
    usages = subtree_usages(tree)
    width = shutil.get_terminal_size().columns if output.stdout.isatty() else 240
    stack = [(tree.root, "", "")]
    while stack:
        task, lead, indent = stack.pop()
        lead += f"{task.id}  " if ids else ""
        yield lead + _task_line(output, task, usages[task.id], width - len(lead))
        children = [tree.tasks[id] for id in task.children]
        last = len(children) - 1
        for n, child in reversed(list(enumerate(children))):
            branch, below = ("└─ ", "   ") if n == last else ("├─ ", "│  ")
            stack.append((child, indent + branch, indent + below))


def _origin_lines(tree: Tree) -> Iterator[str]:
    """On which text from outside an answer rests, where it does."""
    if tree.root is None or tree.root.result is None or provenance.worst(tree.root.gave) != "outside":
        return
    found = [f"{preview(task.goal, 80)}" for task in provenance.sources(tree)]
    found += ["what was piped in"] if tree.inputs else []
    more = f" and {len(found) - _SOURCES} more" if len(found) > _SOURCES else ""
    yield f"  the answer rests on text from outside: {', '.join(found[:_SOURCES])}{more}"


_SOURCES = 5  # calls that are named as where an answer's text came from


def _task_line(output: Output, task: Task, subtree: Usage, width: int) -> str:
    """A task on one line of `width` cells, as far as what it is about leaves room."""
    out = output.stdout
    about = [task.worker] if task.worker else []
    about += [f"by {task.by}"] if task.by else []
    if task.status == "done":
        about.append("verified" if task.verified else "unverified")
    if subtree.calls:
        own = f" (own {spent(task.usage)})" if task.children and task.usage.calls else ""
        about.append(spent(subtree) + own)
    from rich.cells import cell_len

    told = ", ".join(about)
    room = max(40, min(150, width - cell_len(told) - 9))
    goal = preview(task.goal, room if task.result is None else room * 3 // 5)
    parts = [f"{output.mark(task.status, out)} {goal}"]
    if task.result is not None:
        parts.append(f"→ {preview(task.result, room - cell_len(goal))}")
    parts.append(output.paint(told, "dim", out))
    if task.blocked and task.status != "done":
        parts.append(output.paint(preview(task.blocked, 160), "yellow", out))
    return "  ".join(part for part in parts if part)


def _total(tree: Tree, took: float) -> str:
    tasks = max(0, len(tree.tasks) - 1)
    return f"{duration(took)}, {counted(tasks, 'task')}, {spent(tree.usage())}"


def summary(tree: Tree, took: float) -> str:
    """A run in one line, with the next command."""
    return f"{tree.run} {tree.status}: {_total(tree, took)}; zooid tree {tree.run}"


def waiting(tree: Tree) -> list[ev.Asked]:
    """What a person is asked for, by tasks that are still held up by it: of each what it asked last."""
    latest = {asked.task: asked for asked in tree.asked.values()}
    return [asked for task, asked in latest.items() if tree.tasks[task].status == "paused"]


def open_tasks(tree: Tree) -> list[Task]:
    """The tasks of the latest plans that are not done, the nearest to the goal first, without those above them."""
    waiting, found = [tree.root] if tree.root else [], []
    while waiting:
        task = waiting.pop(0)
        below = [child for child in tree.latest(task) if child.status not in ("done", "cancelled")]
        waiting += below
        if not below and task.status != "done" and task.parent is not None:
            found.append(task)
    return found


# -- a log


def log_lines(output: Output, rows: list[tuple[int, float, ev.Event]]) -> Iterator[str]:
    """A run's events, each with its time since the start of the run."""
    start = rows[0][1] if rows else 0.0
    for seq, at, event in rows:
        head = output.paint(f"{seq:5} {at - start:9.3f}s", "dim", output.stdout)
        yield f"{head}  {event.type:16} {clean(event.task)}  {_details(event)}".rstrip()


def _details(event: ev.Event) -> str:
    shown = []
    for name, value in event.body().items():
        if isinstance(value, Usage):
            value = spent(value) if value.calls else ""
        if value not in (None, "", [], {}) and name != "parent":
            text = value if isinstance(value, str) else as_json(value)
            shown.append(f"{name}={preview(text, 80)}")
    return " ".join(shown)


# -- all runs

HEAD = ("run", "status", "age", "tasks", "tokens", "cost", "goal")


def _row(one: Summary, now: float) -> tuple[str, ...]:
    tokens = one.usage.tokens_in + one.usage.tokens_out
    paid = cost(one.usage) if one.usage.calls else "-"
    goal = f"{one.goal} ({one.blocked})".strip() if one.status == "damaged" else one.goal
    return one.run, one.status, age(now - one.started), str(one.tasks), f"{tokens:,}", paid, preview(goal, 200)


def age(seconds: float) -> str:
    """How long ago something was, in one word: `now`, `5m`, `3h`, `12d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "now"


# -- what the commands show


def show_runs(output: Output, archive: Archive, most: int | None, ids: Sequence[str] = ()) -> None:
    """The newest runs, or those that are named, each by a beginning of its id."""
    found, now = archive.summaries(None if ids else most), archive.now()
    found = [one for one in found if not ids or one.run.startswith(tuple(ids))]
    if not found:
        output.say('there are no runs yet; start one with: zooid run "…"')
    if found or output.json:
        output.table(HEAD, [_row(one, now) for one in found], [asdict(one) for one in found])


def show_tree(output: Output, archive: Archive, run: str, ids: bool = False) -> None:
    tree = _opened(archive, run)[1]
    output.page(tree_lines(output, tree, ids), None if not output.json else tree_data(tree))


def show_asked(output: Output, archive: Archive, run: str) -> None:
    """All that a run asks, with the calls that it wants approved whole."""
    opened, tree = _opened(archive, run)
    opened.close()
    if not tree.asked:
        raise UsageError(f"run {tree.run} asks nothing; look at it with: zooid tree {tree.run}")
    lines = []
    for asked in tree.asked.values():
        lines += [f"{asked.task} asks: {clean(asked.text)}", *approval.in_full(asked, tree)]
    output.page(lines, None)


def show_log(output: Output, archive: Archive, run: str) -> None:
    opened, tree = _opened(archive, run)
    rows = list(opened.rows())
    if output.json:
        for seq, at, event in rows:
            output.record(as_record(tree, seq, at, event))
        return
    output.page(log_lines(output, rows), None)


def _opened(archive: Archive, run: str) -> tuple[Store, Tree]:
    """A run as it stands. One whose process is gone without a word is shown as interrupted."""
    opened, tree = archive.open(run)
    if archive.is_running(opened.run):
        tree.status = "running"
    elif tree.ended is None and tree.status != "queued":
        tree.status = "interrupted"
    return opened, tree

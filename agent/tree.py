"""The task tree of a run: what its events add up to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent import events as ev
from agent.task import ROOT, Attempt, Check, Task, Usage
from tools.schema import Mapped


def labels_of(value: Any) -> dict[str, Any] | None:
    """What the items of a mapped result are known by, and those of the mapped results in it."""
    if not isinstance(value, Mapped):
        return None
    inner = [labels_of(item) for item in value]
    return {"items": value.items_} | ({"inner": inner} if any(inner) else {})


def _labelled(value: Any, labels: dict[str, Any] | None) -> Any:
    if labels is None or not isinstance(value, list):
        return value
    inner = labels.get("inner") or [None] * len(value)
    return Mapped(map(_labelled, value, inner), labels["items"])


class Tree:
    """A fold over events. The loop is its only writer, by way of `Run.emit`."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.goal = ""
        self.workspace = ""
        self.inputs: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.status = "running"
        self.blocked = ""
        self.exit_code = 0
        self.started = 0.0
        self.ended: float | None = None
        self.tasks: dict[str, Task] = {}
        self.asked: dict[tuple[str, str], ev.Asked] = {}  # by task and call, while nobody has answered
        self.answers: dict[tuple[str, str], ev.Answered] = {}

    @property
    def root(self) -> Task | None:
        return self.tasks.get(ROOT)

    def usage(self, task_id: str = ROOT) -> Usage:
        """What a task and all below it cost."""
        total, waiting = Usage(), [task_id] if task_id in self.tasks else []
        while waiting:
            task = self.tasks[waiting.pop()]
            total += task.usage
            waiting += task.children
        return total

    def ancestors(self, task: Task) -> Iterator[Task]:
        """The tasks above `task`, nearest first."""
        parent = task.parent
        while parent is not None:
            yield self.tasks[parent]
            parent = self.tasks[parent].parent

    def apply(self, event: ev.Event, at: float) -> None:
        """Take one event in; `at` is in seconds since the epoch."""
        match event:
            case ev.TaskPlanned():
                self._planned(event)
            case ev.RunStarted() | ev.RunResumed() | ev.RunEnded():
                self._run(event, at)
            case ev.Asked():
                self.asked[event.task, event.call] = event
            case ev.Answered():
                self.answers[event.task, event.call] = event
                self.asked.pop((event.task, event.call), None)
            case ev.Note():
                pass
            case _:
                self._task(event)

    def _planned(self, event: ev.TaskPlanned) -> None:
        self.tasks[event.task] = Task(
            event.task, event.goal, event.parent, event.depth, event.tool, origin=event.origin
        )
        if event.parent is not None:
            self.tasks[event.parent].children.append(event.task)

    def _run(self, event: ev.Event, at: float) -> None:
        match event:
            case ev.RunStarted():
                self.goal, self.inputs, self.workspace = event.goal, event.inputs, event.workspace
                self.settings, self.started = event.settings, at
            case ev.RunResumed():
                self.settings, self.status, self.ended, self.blocked = event.settings, "running", None, ""
                for task in self.tasks.values():
                    if task.status in ("paused", "running"):
                        task.status = "pending"
            case ev.RunEnded():
                self.status, self.blocked, self.exit_code, self.ended = event.status, event.blocked, event.exit_code, at

    def _task(self, event: ev.Event) -> None:
        task = self.tasks[event.task]
        match event:
            case ev.TaskBound():
                task.goal, task.inputs, task.items = event.goal, event.inputs, event.items
                task.labels, task.origin, task.origins = event.labels, event.origin, event.origins
                task.check = Check(**event.check) if event.check else None
            case ev.AttemptStarted():
                task.status = "running"
                attempt = self._attempt(task, event.number, event.worker)
                attempt.call, attempt.before = event.call, event.before
                self.answers.pop((event.task, f"again:{event.call}"), None)  # a word to do it again holds once
            case ev.AttemptDecided():
                attempt = self._attempt(task, event.number, event.worker)
                attempt.decision, attempt.usage = event.decision, event.usage
            case ev.AttemptEnded():
                attempt = self._attempt(task, event.number)
                attempt.verdict, attempt.ended = event.verdict, True
                attempt.usage += event.usage or Usage()
            case ev.TaskEnded():
                task.status, task.verified, task.worker = event.status, event.verified, event.worker  # type: ignore[assignment]
                task.blocked, task.gave = event.blocked, event.origin
                task.result = self._result(task, event)

    def _result(self, task: Task, event: ev.TaskEnded) -> Any:
        """A task's result; JSON alone does not keep by what the items of a mapped one are known."""
        if task.items is not None and isinstance(event.result, list) and len(event.result) == len(task.children):
            return Mapped([self.tasks[child].result for child in task.children], task.labels or task.items)
        return _labelled(event.result, event.labels)

    def _attempt(self, task: Task, number: int, worker: str = "") -> Attempt:
        attempt = task.attempt(number)
        if attempt is None:
            attempt = Attempt(number, worker)
            task.attempts.append(attempt)
        return attempt

"""The task tree of a run: what its events add up to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent import events as ev
from agent.task import FINISHED, ROOT, Attempt, Check, Task, Usage
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


def family_of(task: str, number: int) -> str:
    """What the ids of the tasks begin with that the plan of an attempt at `task` consists of."""
    return task if number == 1 else f"{task}~{number}"


def family(id: str) -> str:
    """What the ids of the tasks of the same plan, or of the same `each`, begin with."""
    return id[: max(id.rfind("."), id.rfind("["))]


def planned_by(id: str, parent: str) -> int:
    """The number of the attempt at `parent` whose plan the task `id` is part of."""
    number = family(id).removeprefix(parent).removeprefix("~")
    return int(number) if number else 1


class Tree:
    """A fold over events. The loop is its only writer, by way of `Run.emit`."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.goal = ""
        self.workspace = ""
        self.inputs: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.status = "running"
        self.output = ""  # the file that the answer of a run in the background is written to
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
        return sum((task.usage for task in self.subtree(task_id)), Usage())

    def subtree(self, task_id: str) -> Iterator[Task]:
        """A task and all below it."""
        waiting = [task_id] if task_id in self.tasks else []
        while waiting:
            task = self.tasks[waiting.pop()]
            yield task
            waiting += task.children

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
            case ev.RunStarted() | ev.RunResumed() | ev.RunQueued() | ev.RunEnded():
                self._run(event, at)
            case ev.Asked():
                self.asked[event.task, event.call] = event
            case ev.Answered():
                self.answers[event.task, event.call] = event
                self.asked.pop((event.task, event.call), None)
            case ev.Note():
                pass
            case ev.TaskReopened():
                self._reopened(event)
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
            case ev.RunQueued():
                self.settings, self.status, self.ended, self.blocked = event.settings, "queued", None, ""
                self.output = event.output or self.output
            case ev.RunEnded():
                self.status, self.blocked, self.exit_code, self.ended = event.status, event.blocked, event.exit_code, at

    def _reopened(self, event: ev.TaskReopened) -> None:
        task = self.tasks[event.task]
        task.hint, task.by = event.hint, event.by
        if task.status in ("failed", "partial"):  # one that was stopped goes on where it was
            task.given_up = max((attempt.number for attempt in task.attempts), default=0)
        for opened in self.reopening(task):
            opened.status, opened.blocked = "pending", ""
            above = self.tasks.get(opened.parent or "")
            if above is not None and (attempt := above.attempt(planned_by(opened.id, above.id))):
                attempt.ended, attempt.verdict = False, ""

    def reopening(self, task: Task) -> list[Task]:
        """The tasks that are open again once `task` is: those below it that were stopped with it, those that were held
        up by it, and those above it that had ended, the topmost last.
        """
        found = self._stopped_with(task)
        while True:
            found += self._held_up_by(task)
            above = self.tasks.get(task.parent or "")
            if above is None or (above.status not in FINISHED and above.status != "paused"):
                return [*found, task]
            found.append(task)
            task = above

    def _stopped_with(self, task: Task) -> list[Task]:
        """The tasks below one that was stopped that had not ended before."""
        found: list[Task] = []
        waiting = list(task.children) if task.status in ("cancelled", "paused") else []
        while waiting:
            below = self.tasks[waiting.pop()]
            if below.status == task.status and not below.by:
                found.append(below)
                waiting += below.children
        return found

    def _held_up_by(self, task: Task) -> list[Task]:
        """The tasks of the same plan that ended without a try, because of this one or of another like it."""
        beside = self.tasks[task.parent].children if task.parent else ()
        of_plan = (self.tasks[id] for id in beside if family(id) == family(task.id) and id != task.id)
        return [
            one for one in of_plan if one.status in ("failed", "paused", "cancelled") and not (one.attempts or one.by)
        ]

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
                task.blocked, task.gave, task.by = event.blocked, event.origin, event.by
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

"""The task tree of a run: what its events add up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agent import events as ev
from agent import provenance
from agent.plan import names
from agent.task import FINISHED, ROOT, Attempt, Check, Share, Task, Usage, child_id, family, item_of, planned_by
from tools.schema import Mapped, as_text


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


@dataclass(slots=True)
class Account:
    """What a task that has limits, and all below it, have used of them."""

    tasks: int = 0
    spent: Usage = field(default_factory=Usage)  # settled
    reserved: dict[tuple[str, int], Usage] = field(default_factory=dict)  # by task and attempt: not settled

    @property
    def used(self) -> Usage:
        return sum(self.reserved.values(), self.spent)

    def settle(self, key: tuple[str, int], usage: Usage) -> None:
        """What an attempt did cost takes the place of what was reserved for it."""
        self.reserved.pop(key, None)
        self.spent += usage


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
        self.changes = 0  # calls that may have changed something
        self.accounts: dict[str, Account] = {}  # by task: the goal's own, and those with a share of the budget
        self.questions: dict[tuple[str, str], set[tuple[str, int]]] = {}  # the attempts that put one
        self.asked: dict[tuple[str, str], ev.Asked] = {}  # by task and call, while nobody has answered
        self.answers: dict[tuple[str, str], ev.Answered] = {}

    @property
    def root(self) -> Task | None:
        return self.tasks.get(ROOT)

    @property
    def answer(self) -> Any:
        """The goal's result; of a run that a limit or its server stopped, what there is of it."""
        if self.root is None or self.status != "stopped":
            return self.root and self.root.result
        return self.so_far(self.root)

    def usage(self, task_id: str = ROOT) -> Usage:
        """What a task and all below it cost."""
        if task_id in self.accounts:
            return self.accounts[task_id].used
        return sum((task.usage for task in self.subtree(task_id)), Usage())

    def subtree(self, task_id: str) -> Iterator[Task]:
        """A task and all below it."""
        waiting = [task_id] if task_id in self.tasks else []
        while waiting:
            task = self.tasks[waiting.pop()]
            yield task
            waiting += task.children

    def was_cancelled(self, task: Task) -> bool:
        """Whether a person cancelled a task, or one below it."""
        return any(one.status == "cancelled" and one.by for one in self.subtree(task.id))

    def ancestors(self, task: Task) -> Iterator[Task]:
        """The tasks above `task`, nearest first."""
        parent = task.parent
        while parent is not None:
            yield self.tasks[parent]
            parent = self.tasks[parent].parent

    def accounts_of(self, task_id: str) -> Iterator[tuple[Task, Account]]:
        """The accounts that a task's costs go to, its own or the nearest above it first, the whole tree's last."""
        id: str | None = task_id
        while id is not None:
            if account := self.accounts.get(id):
                yield self.tasks[id], account
            id = self.tasks[id].parent

    def latest(self, task: Task) -> list[Task]:
        """The tasks of a task's latest plan, or of its items."""
        number = plan.number if (plan := task.latest_plan()) else 0
        return [self.tasks[id] for id in task.children if not number or id.startswith(child_id(task.id, number, ""))]

    def so_far(self, task: Task) -> Any:
        """What there is of a task's result: of its latest plan what the answer would have used, or else the last."""
        if task.result is not None or not task.children:
            return task.result
        parts = {child.id: value for child in self.latest(task) if (value := self.so_far(child)) is not None}
        wanted = set(parts)
        if (plan := task.latest_plan()) and plan.decision:
            wanted = {child_id(task.id, plan.number, name) for name in names(plan.decision["answer"] or "")}
        shown = [id for id in parts if id in wanted] or list(parts)[-1:]
        return "\n".join(f"{self.tasks[id].goal}: {as_text(parts[id])}" for id in shown) or None

    def planted(self) -> Iterator[ev.Event]:
        """The events by which the goal becomes the root. It is the person's; what is piped in is whoever's wrote it."""
        if self.root is None:
            yield ev.TaskPlanned(ROOT, None, self.goal, origin="person")
            piped = dict.fromkeys(self.inputs, "outside")
            yield ev.TaskBound(ROOT, self.goal, self.inputs, origin="person", origins=piped)

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
        task = self.tasks[event.task] = Task(
            event.task, event.goal, event.parent, event.depth, event.tool, event.tool_version, origin=event.origin
        )
        task.budget, task.approve = Share(**event.budget) if event.budget else None, event.approve
        if event.parent is not None:
            above = self.tasks[event.parent]
            above.children.append(event.task)
            above.called |= {event.tool} if event.tool else set()
        if task.budget or event.parent is None:
            self.accounts[event.task] = Account()
        for _, account in self.accounts_of(event.task):
            account.tasks += 1

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
        task = self.tasks.get(event.task)  # whoever shares a run may know only what is held up by it
        opening = [self.tasks[id] for id in event.opened if id in self.tasks]
        self.questions.clear()  # that a person wants another try is something new
        if task is not None:
            opening = opening or self.reopening(task)
            task.hint, task.by = event.hint, event.by
            if task.status in ("failed", "partial"):  # one that was stopped goes on where it was
                task.given_up = max((attempt.number for attempt in task.attempts), default=0)
        for opened in opening:
            opened.status, opened.blocked = "pending", ""
            above = self.tasks.get(opened.parent or "")
            if above is not None and (attempt := above.attempt(planned_by(opened.id, above.id))):
                attempt.ended, attempt.verdict = False, ""
                above.heard = 0
                self._hear(above, map(self.tasks.__getitem__, above.children))

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
                if event.question:  # one that is put again after a kill is not another one
                    self.questions.setdefault((item_of(task.id), event.question), set()).add((task.id, event.number))
                self.changes += event.effect not in ("none", "read")
                self.answers.pop((event.task, f"again:{event.call}"), None)  # a word to do it again holds once
            case ev.AttemptReserved():
                attempt = self._attempt(task, event.number, event.worker)
                attempt.reserved, attempt.charged = event.usage, event.worker
                for _, account in self.accounts_of(task.id):
                    account.reserved[task.id, event.number] = event.usage
            case ev.AttemptDecided():
                attempt = self._attempt(task, event.number, event.worker)
                attempt.decision = event.decision
                self._settle(task, attempt, event.usage)
            case ev.AttemptEnded():
                attempt = self._attempt(task, event.number)
                attempt.verdict, attempt.ended, attempt.changes = event.verdict, True, self.changes
                self._settle(task, attempt, event.usage)
            case ev.TaskEnded():
                task.status, task.verified, task.worker = event.status, event.verified, event.worker  # type: ignore[assignment]
                task.blocked, task.gave, task.by = event.blocked, event.origin, event.by or task.by
                task.result = self._result(task, event)
                if task.parent is not None:
                    self._hear(self.tasks[task.parent], [task])

    @staticmethod
    def _hear(above: Task, below: Iterable[Task]) -> None:
        """Whoever works on a task hears what came of those below it that have ended, or why nothing did."""
        for task in below:
            came = task.result if task.status == "done" else "why"
            if task.status in FINISHED and provenance.has_words(came, task.gave, provenance.STEERS):
                number = planned_by(task.id, above.id)
                above.heard = min(above.heard or number, number)

    def _settle(self, task: Task, attempt: Attempt, usage: Usage | None) -> None:
        """What an attempt did cost takes the place of what was reserved for it."""
        if usage is None or not (usage.calls or attempt.reserved):
            return
        attempt.usage, attempt.reserved = attempt.usage + usage, None
        for _, account in self.accounts_of(task.id):
            account.settle((task.id, attempt.number), usage)

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

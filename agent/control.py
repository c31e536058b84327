"""What a person does to the tasks of a run from elsewhere while it goes on: cancel, retry, replace, answer.

Only the loop writes the tree, so whoever else wants something leaves a request in the run's store; its owner looks
there a few times a second, and what it does about one is committed together with the reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent import events as ev
from agent.archive import Inbox, Request
from agent.errors import StorageError
from agent.task import FINISHED, Task, family, planned_by
from agent.tree import Tree

if TYPE_CHECKING:
    from agent.run import Run

_EVERY = 0.2  # seconds between two looks at the requests; one costs some 10 µs
LATE = "its part of the run is just coming to an end; ask again in a moment"


@dataclass
class Control:
    """The tasks of a run that are being worked on, such that one can be stopped or tried again."""

    run: Run
    to_background: Callable[[], str] | None = None  # why not, where it cannot be
    asking: dict[str, asyncio.Timeout] = field(default_factory=dict)  # by task: a person who is being asked
    _watched: bool = False  # somebody looks on: what has happened is kept at once, for them to see
    _scopes: dict[str, asyncio.Timeout] = field(default_factory=dict)
    _again: dict[str, Callable[[Task], object]] = field(default_factory=dict)  # by family: how one is worked on again

    # -- what the loop tells

    @asynccontextmanager
    async def over(self, task: Task) -> AsyncIterator[None]:
        """Work on a task that ends early where a person ends the task."""
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes[task.id] = scope
                yield
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._scopes.pop(task.id, None)

    @contextmanager
    def within(self, family: str, again: Callable[[Task], object]) -> Iterator[None]:
        """Work on the tasks of one plan, any of which may be opened again meanwhile."""
        self._again[family] = again
        try:
            yield
        finally:
            del self._again[family]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Do what is asked for, now and for as long as the run is worked on."""
        self._take(live=False)
        listener = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            listener.cancel()

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                self._take(live=True)
            except StorageError:
                return  # the loop finds out for itself, and tells the person

    # -- what a person asks for

    def _take(self, live: bool) -> None:
        inbox = self.run.store
        if not isinstance(inbox, Inbox):  # of a handed-over task
            return
        requests = inbox.requests()
        for request in requests:
            inbox.settle(request, self._do(request, live))
        if requests or self._watched:
            self.run.store.commit()

    def _do(self, request: Request, live: bool) -> str:
        """Do what is asked for; why not, where it cannot be done."""
        if request.kind == "watch":
            self._watched = True
            return ""
        if request.kind == "background":
            return self.to_background() if self.to_background else "it is in the background already"
        tree = self.run.tree
        if why := why_not(tree, request):
            return why
        if request.kind == "answer":
            return self._answer(request, live)
        task = tree.tasks[request.task]
        match request.kind:
            case "cancel":
                self._end(task, ev.TaskEnded(task.id, "cancelled", blocked=f"cancelled by {request.by}", by=request.by))
                return ""
            case "retry":
                return self._reopen(task, request, live)
            case _:
                return self._replace(task, request, live)

    def _end(self, task: Task, ended: ev.TaskEnded) -> None:
        """Let a person's word end a task, and with it all below it that has not ended."""
        self.run.end_below(task, f"by {ended.by}")
        self.run.emit(ended)
        if scope := self._scopes.get(task.id):
            scope.reschedule(asyncio.get_running_loop().time())

    def _answer(self, request: Request, live: bool) -> str:
        asked = asked_for(self.run.tree, request.task)
        assert asked is not None  # or there would be a reason not to
        task = self.run.tree.tasks[asked.task]
        if task.status == "paused" and (why := self._reopen(task, request, live)):
            return why
        self.run.emit(ev.Answered(asked.task, asked.kind, request.value, asked.call, by=request.by))
        if asking := self.asking.get(asked.task):  # somebody else was asked, and need not be any more
            asking.reschedule(asyncio.get_running_loop().time())
        return ""

    def _replace(self, task: Task, request: Request, live: bool) -> str:
        if task.status == "done":
            why = self._go_on(task, live)
        else:
            has_come_to_rest = task.status in FINISHED or task.status == "paused"
            why = self._reopen(task, request, live) if has_come_to_rest else ""
        if not why:
            self._end(task, ev.TaskEnded(task.id, "done", request.value, origin="person", by=request.by))
        return why

    def _reopen(self, task: Task, request: Request, live: bool) -> str:
        """Open a task again that has ended or waits, and whatever was held up by it; why not, where it cannot be."""
        opened = self.run.tree.reopening(task)
        if why := self._go_on(opened[-1], live, *opened):
            return why
        for one in opened:
            self.run.started_over(one)
        hint = str(request.value or "") if request.kind == "retry" else ""
        self.run.emit(ev.TaskReopened(task.id, hint, request.by))
        return ""

    def _go_on(self, topmost: Task, live: bool, *opened: Task) -> str:
        """Have the loop work again on the topmost of the opened tasks and on those beside it; why not, where it cannot.

        The loop begins with them when the caller is through; where it has not begun at all, it comes to them by itself.
        """
        if not live:
            return ""
        again = self._again.get(family(topmost.id))
        if again is None or any(one.id in self._scopes for one in opened):
            return LATE
        beside = [one for one in opened if one.parent == topmost.parent and one is not topmost]
        for one in (topmost, *beside):
            again(one)
        return ""


def why_not(tree: Tree, request: Request) -> str:
    """Why a request cannot be done to a run as its tree stands; empty where it can."""
    if request.kind == "background":
        is_over = tree.root is not None and tree.root.status in FINISHED
        return f"run {tree.run} is {tree.status} already; see: zooid tree {tree.run}" if is_over else ""
    if request.kind == "answer":
        return _no_answer(tree, request)
    task = tree.tasks.get(request.task)
    if task is None:
        return f"run {tree.run} has no task {request.task!r}; see their names with: zooid tree {tree.run} --ids"
    by = f" (by {task.by})" if task.by else ""
    if request.kind == "cancel":
        return f"task {task.id} is {task.status} already{by}" if task.status in FINISHED else ""
    if request.kind == "retry" and task.status not in ("failed", "partial", "cancelled"):
        way = f"; give it another result with: zooid jobs replace {tree.run} {task.id} VALUE" * (task.status == "done")
        return f"task {task.id} is {task.status}, only one that failed or was cancelled is tried again{way}"
    if task.status == "done" and (user := _used_by(tree, task)):
        return f"the result of {task.id} is used already, by {user}"
    return _out_of_reach(tree, task) if task.status in FINISHED else ""


def asked_for(tree: Tree, task: str = "") -> ev.Asked | None:
    """What a person was asked first of all that is still open, by `task` where one is named."""
    of_open = (asked for asked in tree.asked.values() if tree.tasks[asked.task].status not in FINISHED)
    return next((asked for asked in of_open if task in ("", asked.task)), None)


def _no_answer(tree: Tree, request: Request) -> str:
    asked = asked_for(tree, request.task)
    if asked is None:
        return f"run {tree.run} asks nothing" + (f" for task {request.task}" if request.task else "")
    if asked.kind == "approval" and request.value not in ("yes", "no"):
        return f"run {tree.run} waits for an approval; answer yes or no"
    return ""


def _used_by(tree: Tree, task: Task) -> str:
    """Who has made use of a task's result: a task of the same plan that has begun, or the one above."""
    above = tree.tasks.get(task.parent or "")
    if above is None:
        return "the person"
    if above.status in FINISHED:
        return above.id
    begun = [id for id in above.children if id != task.id and tree.tasks[id].status != "pending"]
    plan = above.attempt(planned_by(task.id, above.id))
    name = task.id.removeprefix(family(task.id)).lstrip(".")
    tasks = (plan.decision or {}).get("tasks", []) if plan else []
    needs = {f"{family(task.id)}.{one['id']}" for one in tasks if name in one["after"] or f"${name}" in repr(one)}
    return next((id for id in begun if id in needs), "")


def _out_of_reach(tree: Tree, task: Task) -> str:
    """Why a task that has ended can change nothing any more."""
    for above in tree.ancestors(task):
        if above.status == "done":
            return f"task {above.id} is done without {task.id}"
        number, latest = planned_by(task.id, above.id), max((attempt.number for attempt in above.attempts), default=0)
        given_up = number <= above.given_up or (above.status not in FINISHED and number < latest)
        if above.items is None and given_up:
            return f"task {above.id} goes another way by now, without {task.id}"
        task = above
    return ""

"""What happens in a run, as data: the loop yields these, and the tree is what they add up to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from agent.task import Usage
from tools import redact

VERSION = 1


@dataclass(slots=True)
class Event:
    """Something that happened to a task of a run. `type` is the class's own name in the stream."""

    task: str

    @property
    def type(self) -> str:
        return NAMES[type(self)]

    def body(self) -> dict[str, Any]:
        """All but the task; the usage, which is data too, is left for the writer to unfold."""
        return {name: getattr(self, name) for name in _FIELDS[type(self)]}

    def packed(self) -> str:
        """The body as JSON, as a store keeps it."""
        body = _JSON.encode(self.body())
        return body.encode("utf-8", "backslashreplace").decode()  # lone surrogates have no UTF-8


@dataclass(slots=True)
class RunStarted(Event):
    goal: str
    inputs: dict[str, Any]
    workspace: str
    settings: dict[str, Any]


@dataclass(slots=True)
class RunResumed(Event):
    settings: dict[str, Any]


@dataclass(slots=True)
class RunQueued(Event):
    """The run waits to go on in the background, under these settings."""

    settings: dict[str, Any]
    output: str = ""  # the file that its answer is written to
    by: str = ""


@dataclass(slots=True)
class RunEnded(Event):
    status: str
    blocked: str = ""
    exit_code: int = 0


@dataclass(slots=True)
class TaskPlanned(Event):
    """A task joined the tree; its arguments may still wait for the results they refer to."""

    parent: str | None
    goal: str
    tool: str = ""
    depth: int = 0
    origin: str = "program"  # of what its plan wrote out
    budget: dict[str, Any] | None = None  # its share of the run's
    approve: str = ""
    tool_version: str = ""


@dataclass(slots=True)
class TaskBound(Event):
    """A task is ready: its references are bound to values."""

    goal: str
    inputs: dict[str, Any]
    items: list[Any] | None = None
    labels: list[Any] | None = None  # what the items' results are known by, where that is not the items
    check: dict[str, Any] | None = None
    origin: str = "program"  # of the goal's text
    origins: dict[str, Any] = field(default_factory=dict)  # the marks of the inputs


@dataclass(slots=True)
class AttemptStarted(Event):
    number: int
    worker: str
    effect: str = "none"
    call: str = ""  # hash of the exact call, where it has an effect
    before: dict[str, str] = field(default_factory=dict)  # hash of each file it may replace
    question: str = ""  # hash of what a planner's model is asked


@dataclass(slots=True)
class AttemptReserved(Event):
    """A call of a model is about to be made for an attempt, and its cost is set aside.

    `usage` is what the attempt's calls that are not settled cost so far, and what this one may cost at most. Where
    nothing settles it, because the process was killed, the call may have been billed, and this is what it counts for.
    """

    number: int
    worker: str
    usage: Usage


@dataclass(slots=True)
class AttemptDecided(Event):
    """A worker's decision; for a model it holds what was paid for, so it is never asked for twice."""

    number: int
    worker: str
    decision: dict[str, Any]
    usage: Usage


@dataclass(slots=True)
class AttemptEnded(Event):
    number: int
    verdict: str
    usage: Usage | None = None  # beside that of the decision: of a try that came to none, or of a judge
    worker: str = ""  # whose usage that is


@dataclass(slots=True)
class TaskEnded(Event):
    status: str
    result: Any = None
    verified: bool = False
    worker: str = ""
    blocked: str = ""
    labels: dict[str, Any] | None = None  # what the items of a mapped result are known by, where the task was not
    origin: Any = "program"  # the marks of the result
    by: str = ""  # the person who ended it, where one did


@dataclass(slots=True)
class TaskReopened(Event):
    """A person has a task tried again that had come to an end, and with it what was held up by it."""

    hint: str = ""
    by: str = ""
    opened: list[str] = field(default_factory=list)  # that task and those; found in the tree where nothing is said


@dataclass(slots=True)
class Asked(Event):
    """A person is needed: to approve an exact call, or to answer a question."""

    kind: str  # approval or question
    text: str
    call: str = ""


@dataclass(slots=True)
class Answered(Event):
    kind: str
    text: str
    call: str = ""
    by: str = ""


@dataclass(slots=True)
class Note(Event):
    """Something worth knowing that changes nothing: a retry, a fallback, progress."""

    text: str


NAMES: dict[type[Event], str] = {
    RunStarted: "run.started",
    RunResumed: "run.resumed",
    RunQueued: "run.queued",
    RunEnded: "run.ended",
    TaskPlanned: "task.planned",
    TaskBound: "task.bound",
    AttemptStarted: "attempt.started",
    AttemptReserved: "attempt.reserved",
    AttemptDecided: "attempt.decided",
    AttemptEnded: "attempt.ended",
    TaskEnded: "task.ended",
    TaskReopened: "task.reopened",
    Asked: "asked",
    Answered: "answered",
    Note: "note",
}
_FIELDS = {cls: [f.name for f in fields(cls) if f.name != "task"] for cls in NAMES}
TYPES = {name: cls for cls, name in NAMES.items()}


def redacted(event: Event) -> Event:
    """The event without any key in it."""
    body = event.body()
    without = redact.value(body)
    return event if without is body else replace(event, **without)


def _unfold(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"a {type(value).__name__} cannot be written into the tree")


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_unfold)


def from_body(type_: str, task: str, body: dict[str, Any]) -> Event:
    """The event that was written as `type_` and `body`."""
    if body.get("usage"):
        body = {**body, "usage": Usage(**body["usage"])}
    return TYPES[type_](task, **body)

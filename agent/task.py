"""Tasks, decisions and plans: pure data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["pending", "running", "done", "partial", "failed", "paused", "cancelled"]
FINISHED: frozenset[str] = frozenset({"done", "partial", "failed", "cancelled"})

ROOT = "root"


@dataclass(slots=True)
class Check:
    """An acceptance check: how a task's result is judged. Each part that is set must hold."""

    schema: dict[str, Any] | None = None  # JSON schema of the result
    equals: Any = None
    pattern: str = ""  # a regular expression found in the result's text
    file: str = ""  # a file of the workspace that must exist; `pattern` is then looked for in it
    command: str = ""  # a program whose exit code 0 means yes; its standard input is the result
    examples: list[dict[str, Any]] | None = None  # rows of input and output that the result must agree with
    judge: str = ""  # a question that a model other than the maker's call answers with yes or no


@dataclass(slots=True)
class Share:
    """What a task and all below it may use of the budget; None where the task has no limit of its own."""

    cost: float | None = None  # US dollars
    tokens: int | None = None  # in and out together
    tokens_in: int | None = None  # of prompts
    tokens_out: int | None = None  # of replies
    seconds: float | None = None  # from when it is begun in this sitting
    tasks: int | None = None  # itself and all below it
    depth: int | None = None  # levels below it
    parallel: int | None = None  # calls in flight at once

    @property
    def is_paid(self) -> bool:
        """Whether money or tokens are limited."""
        return any(most is not None for most in (self.cost, self.tokens, self.tokens_in, self.tokens_out))


@dataclass(slots=True)
class PlannedTask:
    """A task as a plan gives it. Strings of `args`, `each` and `goal` may refer to `$id` or `$id.field`."""

    id: str
    goal: str = ""
    tool: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    each: Any = None  # "$id" or a list: one task an item, `$item` in goal and args
    after: list[str] = field(default_factory=list)
    check: Check | None = None
    budget: Share | None = None
    approve: str = ""  # a policy for it and all below it, where that is stricter than the one above


@dataclass(slots=True)
class Answer:
    value: Any
    confidence: float | None = None


@dataclass(slots=True)
class Plan:
    """A graph of tasks. `answer` is a template over their ids; without one the planner looks at the results."""

    tasks: list[PlannedTask]
    answer: str | None = None
    notes: str = ""  # what the planner wants to remember when it looks at the results


@dataclass(slots=True)
class Question:
    """Something that only a person can say."""

    text: str


@dataclass(slots=True)
class Wish:
    """The wish for a tool that does not exist."""

    name: str
    signature: str
    why: str = ""


Decision = Answer | Plan | Question | Wish


@dataclass(slots=True)
class Usage:
    """What work cost. `cost` is in US dollars; None where the price of a model is not known."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0
    estimated: bool = False  # the server did not say; counted here

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Usage(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.seconds + other.seconds,
            cost,
            self.estimated or other.estimated,
        )


@dataclass(slots=True)
class Attempt:
    """One try of one worker at one task."""

    number: int
    worker: str
    verdict: str = ""  # verified, unverified, planned, or "failed: why"
    decision: dict[str, Any] | None = None
    usage: Usage = field(default_factory=Usage)  # settled
    reserved: Usage | None = None  # for what is not settled: a call in flight, or one that a kill has cut short
    charged: str = ""  # who made the calls that is for
    ended: bool = False
    call: str = ""  # hash of the exact call, where it has an effect
    before: dict[str, str] = field(default_factory=dict)
    changes: int = 0  # that the run had made when this ended


@dataclass(slots=True)
class Task:
    """A node of the tree."""

    id: str
    goal: str
    parent: str | None = None
    depth: int = 0
    tool: str = ""
    tool_version: str = ""  # as it was planned with; empty for one that comes with zooid
    inputs: dict[str, Any] = field(default_factory=dict)  # for a tool call its arguments, bound
    items: list[Any] | None = None  # of a task mapped over a list
    labels: list[Any] | None = None  # what the items' results are known by
    check: Check | None = None
    budget: Share | None = None  # its part of the run's
    approve: str = ""  # what may be done unasked in it and below it, where its plan says
    status: Status = "pending"
    result: Any = None
    verified: bool = False
    worker: str = ""
    blocked: str = ""  # why it is not done
    by: str = ""  # the person who ended it or had it tried again, where one did
    hint: str = ""  # that person's, for the next try
    given_up: int = 0  # attempts that were made before a person had it tried again
    attempts: list[Attempt] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    called: set[str] = field(default_factory=set)  # the tools that its plans have named
    heard: int = 0  # the first of its attempts whose plan brought in words of others; 0: none
    origin: str = "program"  # where its goal, and what its plan wrote out, came from; see agent/provenance.py
    origins: dict[str, Any] = field(default_factory=dict)  # where its inputs came from
    gave: Any = "program"  # where its result came from

    def attempt(self, number: int) -> Attempt | None:
        """The attempt of that number, where one has begun."""
        latest_first = reversed(self.attempts)
        return next((attempt for attempt in latest_first if attempt.number == number), None)

    def latest_plan(self) -> Attempt | None:
        """The attempt that planned last."""
        plans = (a for a in reversed(self.attempts) if a.decision and a.decision["kind"] == "plan")
        return next(plans, None)

    @property
    def usage(self) -> Usage:
        """What this task cost by itself, every attempt counted, and what is not settled by what was reserved for it."""
        return sum((attempt.usage + (attempt.reserved or Usage()) for attempt in self.attempts), Usage())


def item_of(id: str) -> str:
    """The item of an `each` that a task belongs to, in the innermost; empty outside of one."""
    return id[: id.rfind("]") + 1]


def family_of(parent: str, number: int) -> str:
    """What the ids of the tasks in the plan of a parent's attempt `number` begin with."""
    return parent if number == 1 else f"{parent}~{number}"


def child_id(parent: str, number: int, name: str) -> str:
    """The id in the tree of the task that the plan of a parent's attempt `number` calls `name`."""
    return f"{family_of(parent, number)}.{name}"


def family(id: str) -> str:
    """What the ids of the tasks of the same plan, or of the same `each`, begin with."""
    return id[: max(id.rfind("."), id.rfind("["))]


def planned_by(id: str, parent: str) -> int:
    """The number of the parent's attempt whose plan a task is part of."""
    number = family(id).removeprefix(parent).removeprefix("~")
    return int(number) if number else 1


def to_json(decision: Decision) -> dict[str, Any]:
    """A decision as the tree keeps it."""
    data = _shallow(decision)
    if isinstance(decision, Plan):
        data["tasks"] = [_planned_json(planned_) for planned_ in decision.tasks]
    return {"kind": type(decision).__name__.lower(), **data}


def _planned_json(planned_: PlannedTask) -> dict[str, Any]:
    check, budget = planned_.check, planned_.budget
    whole = {"check": asdict(check) if check else None, "budget": asdict(budget) if budget else None}
    return _shallow(planned_) | whole


def _shallow(given: Any) -> dict[str, Any]:
    """The fields of a dataclass, as they are: `asdict` would copy all that they hold."""
    return {name: getattr(given, name) for name in given.__slots__}


def from_json(data: dict[str, Any]) -> Decision:
    """The decision that `to_json` wrote."""
    rest = {key: value for key, value in data.items() if key != "kind"}
    match data["kind"]:
        case "plan":
            return Plan([planned(task) for task in rest["tasks"]], rest["answer"], rest["notes"])
        case "answer":
            return Answer(**rest)
        case "question":
            return Question(**rest)
        case _:
            return Wish(**rest)


def planned(data: dict[str, Any]) -> PlannedTask:
    """A planned task from its JSON form."""
    check, budget = data.get("check"), data.get("budget")
    return PlannedTask(
        **{**data, "check": Check(**check) if check else None, "budget": Share(**budget) if budget else None}
    )

"""Where runs are kept, whatever keeps them: a folder of SQLite files, or a database that several machines share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from agent.events import Event
from agent.task import Usage
from agent.tree import Tree


@dataclass(slots=True)
class Request:
    """What a person asks of a run from elsewhere."""

    kind: str  # cancel, retry, replace, answer, background or watch
    task: str = ""
    value: Any = None  # the hint, the result or the answer
    by: str = ""
    number: int = 0  # in its run; given when it is posted


class Log(Protocol):
    """What happens is written here. `append` buffers; `commit` keeps all that was appended, at once."""

    @property
    def run(self) -> str: ...

    def now(self) -> float:
        """Seconds since the epoch, by the clock that the record goes by."""
        ...

    def append(self, event: Event, at: float, synced: bool = False) -> int: ...

    def commit(self) -> None: ...

    def is_due(self) -> bool:
        """Whether what was appended should be kept now: what took no longer to come to may wait for the next commit."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Inbox(Protocol):
    """Where a person leaves requests to the process that works on a run."""

    def post(self, request: Request) -> int:
        """Leave a request to the owner, now or later; its number. Whoever can open a run may do it."""
        ...

    def reply(self, number: int) -> str | None:
        """What the owner said to a request: nothing is said where it was done; None while it waits."""
        ...

    def requests(self) -> list[Request]:
        """Those that wait for the owner, in order."""
        ...

    def settle(self, request: Request, why_not: str) -> None:
        """Reply to a request, as part of the next commit."""
        ...


class Store(Log, Inbox, Protocol):
    """The record of one run."""

    def own(self, lock: int | None = None) -> None:
        """Become the only writer; raises UsageError while somebody else is.

        `lock` is what a process that owned it on this machine handed over.
        """
        ...

    def rows(self, after: int = 0) -> Iterator[tuple[int, float, Event]]:
        """The committed events past number `after`, in order."""
        ...


class Archive(Protocol):
    """All runs of a person, or of the machines that share a database."""

    def create(self) -> Store:
        """A new run's store, owned; raises StorageError where it cannot be written."""
        ...

    def open(self, run: str) -> tuple[Store, Tree]:
        """The store and the tree of a run, named whole or by a beginning that is its own; raises NotFound."""
        ...

    def ids(self) -> list[str]:
        """Every run, the one that was touched last first."""
        ...

    def summaries(self, most: int | None = None) -> list[Summary]:
        """The newest runs first. One that cannot be read is a row too."""
        ...

    def summary(self, run: str) -> Summary:
        """The same of one run; raises NotFound."""
        ...

    def is_running(self, run: str) -> bool:
        """Whether somebody works on the run."""
        ...

    def now(self) -> float:
        """Seconds since the epoch, by the clock that the records go by."""
        ...


@dataclass(slots=True)
class Summary:
    """What the record of a run says of it, read without loading its tree."""

    run: str
    status: str
    goal: str = ""
    started: float = 0.0
    ended: float | None = None
    exit_code: int | None = None
    tasks: int = 0
    usage: Usage = field(default_factory=Usage)
    blocked: str = ""
    asks: dict[str, str] = field(default_factory=dict)  # the open questions, by call

    def take(self, type_: str, body: dict[str, Any], at: float) -> None:
        """Take in an event about the run as a whole."""
        if type_ in ("asked", "answered"):
            self.asks.pop(body["call"], None)
            self.asks |= {body["call"]: body["text"]} if type_ == "asked" else {}
            return
        if type_ == "run.started":
            self.goal, self.started = body["goal"], at
        ended = type_ == "run.ended"
        self.status = body["status"] if ended else "queued" if type_ == "run.queued" else "interrupted"
        self.ended, self.exit_code = (at, body["exit_code"]) if ended else (None, None)
        self.blocked = body.get("blocked", "")

"""The budget: one ledger for the whole tree, of money, tokens, seconds, tasks, depth and calls in flight.

What has been used is what the tree's events add up to (`agent.tree.Account`); here are the limits, and the decision
whether a call may be made. A call's cost is reserved before it and settled after it. Between the decision and the event
that records it nothing else runs, so calls side by side cannot pass a limit together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from agent import events as ev
from agent.errors import ConfigError, LimitHit, first
from agent.prices import Price
from agent.task import ROOT, Share, Task, Usage
from agent.tree import Account, Tree

LEAST = 256  # tokens of a reply; with room for fewer a call is not worth making
USUAL = 1024  # tokens of a reply that nothing limits, as far as that has to be guessed
LONGEST = 8192  # tokens that a reply may have under a limit of money or tokens, thinking included
_PATIENCE = 30.0  # seconds to wait for them: some may never end, their process was killed
_LOOK = 0.2  # seconds between two looks whether calls that others make have ended
_T = TypeVar("_T")
Books = Callable[[], AbstractContextManager[object]]
Admit = Callable[[ev.AttemptReserved, dict[str, int]], bool]


@dataclass(frozen=True, slots=True)
class Limits:
    depth: int = 6  # levels of tasks below the goal
    width: int = 64  # tasks that one plan may name
    tasks: int = 1000  # tasks in the whole tree
    seconds: float = 3600.0  # of one sitting; a resumed run starts afresh
    parallel: int = 8  # calls of tools and models in flight
    replans: int = 2  # times a planner may mend a plan that did not do
    looks: int = 200  # times a planner may look at results and go on
    tool_seconds: float = 60.0  # that one call of a tool may take
    cost: float | None = None  # US dollars, of all sittings together
    tokens: int | None = None  # in and out together, of all sittings
    tokens_in: int | None = None  # of prompts
    tokens_out: int | None = None  # of replies


class Budget:
    """What may still be used. Only calls take a slot: a task that waits for its children holds none.

    `record` keeps an event for good before it returns. Within `books` the accounts are as they are in truth, and
    stay so until what was decided by them is recorded: others may work on the same run. For a call that nothing limits
    but how many are in flight, by account, nobody has to hold them: whoever keeps them may `admit` it.
    """

    def __init__(
        self,
        limits: Limits,
        tree: Tree,
        record: Callable[[ev.Event], None],
        books: Books = nullcontext,
        admit: Admit | None = None,
    ) -> None:
        self.limits, self.books, self._admit = limits, books, admit
        self._slots = {ROOT: asyncio.Semaphore(limits.parallel)}  # by task: of those whose calls in flight are limited
        self.record = record
        self._tree = tree
        self._meters: dict[tuple[str, int], Meter] = {}  # of the attempts that are being made
        self._settled = asyncio.Event()
        self._deadline = time.monotonic() + limits.seconds

    @property
    def seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def share(self, task: Task) -> Share:
        """The limits that an account is held to."""
        if task.parent is None:
            own = self.limits
            money = own.cost, own.tokens, own.tokens_in, own.tokens_out
            return Share(*money, self.seconds_left, own.tasks, own.depth, own.parallel)
        return task.budget or Share()

    # -- tasks, depth, seconds

    def may_plan(self, task: Task) -> bool:
        """Whether a task may still be split: its children would be one level deeper."""
        depths = ((owner, self.share(owner).depth) for owner, _ in self._tree.accounts_of(task.id))
        return all(depth is None or task.depth - owner.depth < depth for owner, depth in depths)

    def join(self, parent: Task) -> None:
        """Raise LimitHit where the tree has no room for one more task below `parent`."""
        for owner, account in self._tree.accounts_of(parent.id):
            most = self.share(owner).tasks
            if most is not None and account.tasks >= most:
                raise self._hit(owner, f"{most} tasks", "with a higher --max-tasks")

    def slot(self, task: Task) -> AbstractAsyncContextManager[None]:
        """A call may be made while this is entered; it takes a slot of the nearest share first, then of those above."""
        return self._slots[ROOT] if len(self._tree.accounts) == 1 else self._slots_above(task)

    @asynccontextmanager
    async def _slots_above(self, task: Task) -> AsyncIterator[None]:
        async with AsyncExitStack() as entered:
            for owner, _ in self._tree.accounts_of(task.id):
                if owner.id not in self._slots and owner.budget and owner.budget.parallel:
                    self._slots[owner.id] = asyncio.Semaphore(owner.budget.parallel)
                if owner.id in self._slots:
                    await entered.enter_async_context(self._slots[owner.id])
            yield

    async def within(self, task: Task, work: Awaitable[_T]) -> _T:
        """Do `work` in the seconds that a task has; raises LimitHit where they do not do, and all of it is stopped."""
        if task.id not in self._tree.accounts:
            return await work
        seconds = self.share(task).seconds
        try:
            async with asyncio.timeout(seconds) as deadline:
                return await work
        except TimeoutError:
            if not deadline.expired():
                raise
            most = self.limits.seconds if task.parent is None else seconds
            raise self._hit(task, f"{most:g} seconds", "with: zooid resume") from None
        except BaseExceptionGroup as group:
            raise first(group) from group

    # -- money and tokens

    def meter(self, task: Task, number: int, worker: str) -> Meter:
        """What the calls of one attempt are reserved with; to be entered with `with`."""
        return Meter(self, task, number, worker)

    async def reserve(self, meter: Meter, sent: int, most: int | None, price: Price | None) -> int | None:
        """Set aside what a call may cost; the tokens that its reply may have, None where nothing limits them.

        Near a limit it waits for calls in flight, which seldom cost as much as was set aside for them. Raises LimitHit
        where there is no room for the call, ConfigError where money is limited and a price is not known.
        """
        if self._is_admitted(meter, sent, most, price):
            return self._set_aside(meter, sent, most, price, None)
        patience = time.monotonic() + _PATIENCE
        while True:
            with self.books():
                room = self._room(meter, sent, most or LONGEST, price)
                if self._too_many(meter, patience):
                    pass  # calls in flight, here and elsewhere together
                elif room is None or room.tokens >= (most or LONGEST) or not self._in_flight(room.owner, patience):
                    return self._set_aside(meter, sent, most, price, room)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), _LOOK)

    def _set_aside(
        self, meter: Meter, sent: int, most: int | None, price: Price | None, room: _Room | None
    ) -> int | None:
        if room and room.tokens < min(LEAST, most or LONGEST):
            raise self._hit(room.owner, room.limit, f"with a higher {room.flag}")
        granted = most if room is None else room.tokens
        meter.held = _longest(sent, granted, price)
        self.record(ev.AttemptReserved(meter.task.id, meter.number, meter.worker, meter.total))
        return granted

    def _is_admitted(self, meter: Meter, sent: int, most: int | None, price: Price | None) -> bool:
        """Whether a call has been reserved that no limit of money or tokens is about."""
        if self._admit is None:
            return False
        shares = {owner.id: self.share(owner) for owner, _ in self._tree.accounts_of(meter.task.id)}
        if any(share.is_paid for share in shares.values()):
            return False
        wanted = meter.total + _longest(sent, most, price)
        in_flight = {owner: share.parallel for owner, share in shares.items() if share.parallel is not None}
        return self._admit(ev.AttemptReserved(meter.task.id, meter.number, meter.worker, wanted), in_flight)

    def wake(self) -> None:
        """Let those look again that wait for room."""
        self._settled.set()
        self._settled = asyncio.Event()

    def _room(self, meter: Meter, sent: int, most: int, price: Price | None) -> _Room | None:
        """The least room that a limit leaves for a call; None where there is no limit of money or tokens."""
        rooms = []
        for owner, account in self._tree.accounts_of(meter.task.id):
            share = self.share(owner)
            if share.is_paid:
                used = self._used(account)
                rooms += [_Room(min(left, most), owner, *limit) for left, *limit in _left(share, used, sent)]
                if share.cost is not None:
                    left = _affordable(share.cost, used.cost, sent, most, price, meter.worker)
                    rooms.append(_Room(left, owner, f"${share.cost:g}", "--max-cost"))
        return min(rooms, key=lambda room: room.tokens, default=None)

    def _used(self, account: Account) -> Usage:
        """What an account has used; of an attempt that is being made more may be known than was recorded."""
        meters = (self._meters.get(key) for key in account.reserved)
        known = zip(meters, account.reserved.values(), strict=True)
        return sum((meter.total if meter else reserved for meter, reserved in known), account.spent)

    def _in_flight(self, owner: Task, patience: float) -> bool:
        """Whether a call is being made that counts for `owner`: here, or, as long as there is `patience`, elsewhere."""
        reserved = self._tree.accounts[owner.id].reserved
        if self.books is not nullcontext and time.monotonic() < patience and reserved.keys() - self._meters.keys():
            return True
        return any(meter.held.calls and key in reserved for key, meter in self._meters.items())

    def _too_many(self, meter: Meter, patience: float) -> bool:
        """Whether as many calls are in flight as may be, where others make some of them."""
        if self.books is nullcontext or time.monotonic() > patience:
            return False
        accounts = self._tree.accounts_of(meter.task.id)
        limits = ((self.share(owner).parallel, account.reserved.keys() - {meter.key}) for owner, account in accounts)
        return any(most is not None and len(others) >= most for most, others in limits)

    def enter(self, meter: Meter) -> None:
        self._meters[meter.key] = meter

    def leave(self, meter: Meter) -> None:
        """The attempt is made. Where that settled nothing, what its finished calls cost is recorded."""
        del self._meters[meter.key]
        if meter.spent.calls and not meter.held.calls and meter.key in self._tree.accounts[ROOT].reserved:
            self.record(ev.AttemptReserved(meter.task.id, meter.number, meter.worker, meter.total))
        self.wake()

    @staticmethod
    def _hit(owner: Task, limit: str, way: str) -> LimitHit:
        if owner.parent is None:
            return LimitHit(f"the limit of {limit} is reached; go on {way}", owner.id)
        return LimitHit(f"its own limit of {limit} is reached", owner.id)


@dataclass(frozen=True, slots=True)
class _Room:
    """The tokens that a reply may have under one limit of one task."""

    tokens: int
    owner: Task
    limit: str
    flag: str


def _longest(sent: int, most: int | None, price: Price | None) -> Usage:
    """What a call may cost whose reply has `most` tokens, or as many as is usual."""
    said = most or USUAL
    return Usage(1, sent, said, cost=price.cost(sent, said) if price else None, estimated=True)


def _left(share: Share, used: Usage, sent: int) -> Iterator[tuple[int, str, str]]:
    """What limits of tokens leave for the reply to a prompt of `sent` tokens, how each is called, and its flag."""
    if share.tokens is not None:
        left = share.tokens - used.tokens_in - used.tokens_out - sent
        yield left, f"{share.tokens:,} tokens", "--max-tokens"
    if share.tokens_in is not None:
        fits = used.tokens_in + sent <= share.tokens_in
        yield LONGEST if fits else -1, f"{share.tokens_in:,} tokens in", "--max-tokens-in"
    if share.tokens_out is not None:
        yield share.tokens_out - used.tokens_out, f"{share.tokens_out:,} tokens out", "--max-tokens-out"


def _affordable(limit: float, spent: float | None, sent: int, most: int, price: Price | None, worker: str) -> int:
    """The tokens of a reply that the money left will buy, `most` at most."""
    if price is None or spent is None:
        what = f"the price of {worker}" if price is None else "what this run has cost so far"
        raise ConfigError(
            f"{what} is not known, so a limit of money cannot be kept; set prices in the settings (zooid config path), "
            "or limit tokens with --max-tokens"
        )
    left = limit - spent - price.cost(sent, 0)
    if left < 0:
        return -1
    return min(most, int(left / price.cost(0, 1))) if price.output else most


class Meter:
    """Counts the calls of models that one attempt makes: each is reserved before it and settled after it."""

    def __init__(self, budget: Budget, task: Task, number: int, worker: str) -> None:
        self.task, self.number, self.worker = task, number, worker
        self.key = (task.id, number)
        attempt = task.attempt(number)
        self.lost = (attempt and attempt.reserved) or Usage()  # to a process that was killed in this attempt
        self.spent = Usage()  # by the calls that have ended
        self.held = Usage()  # for the call in flight
        self._budget = budget

    @property
    def total(self) -> Usage:
        return self.lost + self.spent + self.held

    async def reserve(self, sent: int, most: int | None, price: Price | None) -> int | None:
        """See Budget.reserve."""
        return await self._budget.reserve(self, sent, most, price)

    def settle(self, used: Usage) -> None:
        """The call in flight has ended, and cost this."""
        self.spent, self.held = self.spent + used, Usage()
        self._budget.wake()

    def __enter__(self) -> Meter:
        self._budget.enter(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._budget.leave(self)

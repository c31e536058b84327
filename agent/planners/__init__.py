"""Planners: workers that answer a task with a decision. One protocol, three kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.prices import Price
from agent.task import Decision, Usage
from tools.registry import Tool


class Meter(Protocol):
    """Counts a planner's calls of its model: each is reserved before it and settled after it."""

    spent: Usage  # by the calls that have ended
    held: Usage  # for the call in flight

    async def reserve(self, sent: int, most: int | None, price: Price | None) -> int | None:
        """Set aside a call of `sent` tokens and a reply of at most `most` (None: the model's own limit).

        Gives the tokens that the reply may have, None where nothing limits them. Raises LimitHit where there is no
        room for the call; it is then not made.
        """
        ...

    def settle(self, used: Usage) -> None:
        """The call in flight has ended, and cost this."""
        ...


@dataclass(slots=True)
class Unlimited:
    """The meter of calls that belong to no run."""

    spent: Usage = field(default_factory=Usage)
    held: Usage = field(default_factory=Usage)

    async def reserve(self, sent: int, most: int | None, price: Price | None) -> int | None:
        self.held = Usage(1, sent, cost=price.cost(sent, 0) if price else None, estimated=True)
        return most

    def settle(self, used: Usage) -> None:
        self.spent, self.held = self.spent + used, Usage()


@dataclass(slots=True)
class Ask:
    """What a planner is told of a task: its own goal and inputs and the tools that fit, nothing of what others did."""

    goal: str
    inputs: dict[str, Any] = field(default_factory=dict)
    tools: Sequence[Tool] = ()  # best fit first; at a look those that the plan used come before all others
    may_plan: bool = True  # False at the depth limit: only an answer or a question
    results: dict[str, Any] = field(default_factory=dict)  # of the plan that is looked at, by task id
    notes: str = ""  # what the planner wanted to remember of what came before
    failure: str = ""  # why the last attempt did not do
    max_tasks: int = 64  # the most tasks a plan may have
    used: int = 1  # how many of the tools the plan that is looked at used
    meter: Meter = field(default_factory=Unlimited)


@dataclass(slots=True)
class Reply:
    """A planner's decision and what it cost: what the ask's meter has counted, failed calls too."""

    decision: Decision
    usage: Usage = field(default_factory=Usage)


class Planner(Protocol):
    """Answers a task with a decision.

    `decide` raises UnsoundPlan where no decision can be had from the model, LimitHit where the ask's meter allows no
    call, ProviderUnavailable or KeyRefused where the model cannot be reached. `note` tells the person of a retry.
    """

    name: str

    async def decide(self, ask: Ask, note: Callable[[str], None]) -> Reply: ...

    async def close(self) -> None: ...

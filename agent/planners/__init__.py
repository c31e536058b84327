"""Planners: workers that answer a task with a decision. One protocol, three kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.task import Decision, Usage
from tools.registry import Tool


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


@dataclass(slots=True)
class Reply:
    """A planner's decision and what it cost. `usage` counts every call made for it, failed ones too."""

    decision: Decision
    usage: Usage = field(default_factory=Usage)


class Planner(Protocol):
    """Answers a task with a decision.

    `decide` raises UnsoundPlan where no decision can be had from the model (with `.usage` set to what was spent),
    ProviderUnavailable or KeyRefused where the model cannot be reached. `note` tells the person of a retry.
    """

    name: str

    async def decide(self, ask: Ask, note: Callable[[str], None]) -> Reply: ...

    async def close(self) -> None: ...

"""The limits of a run, one set for the whole tree: depth, width, tasks, time, calls in flight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agent.errors import LimitHit
from agent.task import Task


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


class Budget:
    """What is left of the limits. Only calls take a slot: a task that waits for its children holds none."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.tasks = 0
        self.slots = asyncio.Semaphore(limits.parallel)
        self._deadline = time.monotonic() + limits.seconds

    @property
    def seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    @contextmanager
    def reserve(self, task: Task) -> Iterator[None]:
        """Count a task that is about to be worked on; raises LimitHit where the tree has no room for it."""
        if self.tasks >= self.limits.tasks:
            raise LimitHit(f"the limit of {self.limits.tasks} tasks is reached; go on with a higher --max-tasks")
        if self.seconds_left <= 0:
            raise LimitHit(f"the limit of {self.limits.seconds:g} seconds is reached; go on with: zooid resume")
        self.tasks += 1
        yield

    def may_plan(self, task: Task) -> bool:
        """Whether a task may still be split: its children would be one level deeper."""
        return task.depth < self.limits.depth

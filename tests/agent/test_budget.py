"""One set of limits for the whole tree."""

from __future__ import annotations

import time

import pytest

from agent.budget import Budget, Limits
from agent.errors import LimitHit
from agent.task import Task


def test_as_many_tasks_as_allowed_and_not_one_more() -> None:
    budget = Budget(Limits(tasks=2))
    for _ in range(2):
        with budget.reserve(Task("t", "g")):
            pass
    with pytest.raises(LimitHit, match="--max-tasks") as raised, budget.reserve(Task("t", "g")):
        pass
    assert raised.value.exit_code == 3


def test_time_runs_out() -> None:
    budget = Budget(Limits(seconds=0.01))
    time.sleep(0.02)
    assert budget.seconds_left < 0
    with pytest.raises(LimitHit, match="resume"), budget.reserve(Task("t", "g")):
        pass


def test_what_fails_inside_is_passed_on_and_counted() -> None:
    budget = Budget(Limits())
    with pytest.raises(KeyError), budget.reserve(Task("t", "g")):
        raise KeyError
    assert budget.tasks == 1


@pytest.mark.parametrize(("depth", "may"), [(0, True), (2, True), (3, False), (9, False)])
def test_how_deep_a_task_may_be_split(depth: int, may: bool) -> None:
    assert Budget(Limits(depth=3)).may_plan(Task("t", "g", depth=depth)) is may

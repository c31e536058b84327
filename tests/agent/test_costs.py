"""What runs have cost, by model, tool and hour, and what a plan may cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent import costs
from agent.costs import Estimate
from agent.prices import Price
from agent.store import Folder
from agent.task import Plan, PlannedTask, Usage
from tests.agent.test_budget import PRICE, cut_after
from tests.agent.test_run import World, call, goal, plan
from tests.scripted import Reply


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def say(body: dict[str, Any]) -> Reply:
    """A plan for the goal, and an answer for all else; each bills its own tokens."""
    if "Goal: the goal" not in body["messages"][1]["content"]:
        return Reply({"answer": "read"}, billed=(200, 20))
    steps = plan(call("r", "read_file", path="none.txt"), goal("g", "part"), call("n", "count_words", text="a b"))
    return Reply({**steps, "answer": "$r $g $n"}, billed=(1000, 100))


def test_totals_by_model_tool_and_hour_add_up_to_what_the_tree_says(world: World) -> None:
    done = world.run(say, price=PRICE)
    found = costs.gather(Folder(world.runs), [])
    assert found.runs == [world.last] and found.total.calls == len(done.server.requests) == 3
    assert found.total.cost == pytest.approx(done.tree.usage().cost) == pytest.approx((1400 * 2 + 140 * 10) / 1e6)
    assert found.models.keys() == {"openai:scripted"}
    assert [sum(hour.tokens_in for hour in found.hours.values()), len(found.hours)] in ([1400, 1], [1400, 2])
    read, count = found.tools["read_file"], found.tools["count_words"]
    assert (read.calls, read.failed, read.usage.tokens_in) == (1, 1, 200)
    assert (count.calls, count.failed, count.usage.calls) == (1, 0, 0)


def test_calls_without_a_price_are_counted_apart(world: World) -> None:
    world.run(say, price=PRICE)
    world.run(say)
    found = costs.gather(Folder(world.runs), [])
    assert (found.unpriced, found.total.calls) == (3, 6) and found.total.cost == pytest.approx(4200 / 1e6)
    bare = costs.gather(Folder(world.runs), [world.last])
    assert bare.total.cost is None and {usage.cost for usage in bare.hours.values()} == {None}
    assert next(iter(costs._lines(bare))).endswith("unpriced")
    assert next(iter(costs._lines(found))).endswith("$0.0042, and 3 calls without a price")


def test_what_a_kill_cut_short_is_in_the_totals_and_in_the_list_of_runs(world: World) -> None:
    import agent.events as ev

    world.run(say, price=PRICE)
    held = cut_after(world, ev.AttemptReserved).usage()
    assert held.cost and costs.gather(Folder(world.runs), []).total == held
    assert Folder(world.runs).summaries()[0].usage == held


# -- estimates


PARTS = Plan([PlannedTask("a", "part"), PlannedTask("b", tool="count_words", each=["x", "y"])], "$a")


def test_without_a_record_an_estimate_is_a_guess() -> None:
    found = costs.estimate(PARTS, [], Price(*PRICE))
    assert found.tasks == 0 and 0 < found.low.calls < found.high.calls and "a guess" in costs.in_words(found)


def test_the_record_says_what_such_tasks_cost(world: World) -> None:
    sizes = iter(range(100, 1100, 100))
    parts = [goal(f"g{n}", f"part {n}") for n in range(10)]

    def grow(body: dict[str, Any]) -> Reply:
        is_plan = "Goal: the goal" in body["messages"][1]["content"]
        return Reply(plan(*parts, answer="$g0") if is_plan else {"answer": 1}, billed=(next(sizes, 1000), 10))

    world.run(grow, price=PRICE)
    found = costs.estimate(PARTS, costs.record(Folder(world.runs)), Price(*PRICE))
    assert found.tasks == 10 and found.low.calls == found.high.calls == 1
    assert 100 <= found.low.tokens_in < 500 < found.high.tokens_in <= 1000
    assert found.high.cost == pytest.approx((found.high.tokens_in * 2 + 100) / 1e6)


def test_an_estimate_in_words() -> None:
    low, high = Usage(1, 100, 10, cost=0.001), Usage(3, 900, 90, cost=0.01)
    assert costs.in_words(Estimate(low, high, 12)) == (
        "estimate: 1 to 3 model calls, 110 to 990 tokens, $0.0010 to $0.0100 (from 12 tasks of the record)"
    )
    assert costs.in_words(Estimate(Usage(), Usage(), 3)) == "estimate: no model calls"

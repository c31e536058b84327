"""A mended plan does nothing twice that is finished, and a call that finds out nothing new is not made for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent.test_run import AtHand, World, by_goal, call, goal, plan

BAD = call("bad", "read_file", path="none.txt")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def made(world: World) -> list[str]:
    """The calls that were made of tools of every kind."""
    calls: list[str] = []

    def shout(text: str) -> str:
        """Shout a text."""
        calls.append(f"shout {text}")
        return text.upper()

    def peek(name: str) -> str:
        """Look at something.

        Effect: read
        """
        calls.append(f"peek {name}")
        return f"{name} {len(calls)}"

    def note(text: str) -> str:
        """Keep a text.

        Effect: write
        """
        calls.append(f"note {text}")
        return text

    def start(name: str) -> str:
        """Run something.

        Effect: execute
        """
        calls.append(f"start {name}")
        return name

    for tool in (shout, peek, note, start):
        world.tool(tool)
    return calls


def mended(world: World, *plans: Any, **how: Any) -> Any:
    """A person is there who allows all: what steers a mended plan may come from outside, which is asked about."""
    return world.run(by_goal({"the goal": list(plans)}), approve="auto", person=AtHand(), **how)


# -- what is finished is not done twice


def test_a_mended_plan_that_repeats_its_finished_calls_takes_their_results(world: World, made: list[str]) -> None:
    steps = [call("a", "shout", text="x"), call("b", "note", text="y"), call("c", "start", name="z", after=["b"])]
    done = mended(world, plan(*steps, BAD, answer="$a $bad"), plan(*steps, answer="$a $b $c"))
    assert (done.code, done.root.result) == (0, "X y z") and sorted(made) == ["note y", "shout x", "start z"]
    assert done.task("root~2.a").attempts == [] and done.task("root~2.a").worker == "shout"


def test_results_of_every_plan_before_may_be_referred_to_and_are_shown(world: World, made: list[str]) -> None:
    first = plan(call("a", "shout", text="x"), BAD, answer="$a $bad")
    second = plan(call("b", "shout", text="$a y"), BAD, answer="$b $bad")
    third = plan(call("c", "shout", text="$a $b z"), answer="$c")
    done = mended(world, first, second, third)
    assert done.root.result == "X X Y Z" and len(made) == 3
    assert "$a: X" in done.prompts[-1] and "$b: X Y" in done.prompts[-1] and "none.txt" in done.prompts[-1]


def test_only_the_items_that_failed_are_done_again(world: World) -> None:
    tried: list[str] = []

    def fetch(name: str) -> str:
        """Fetch a thing."""
        tried.append(name)
        if name == "b" and tried.count("b") < 2:
            raise ValueError("not now")
        return name.upper()

    world.tool(fetch)
    steps = plan(call("f", "fetch", each=["a", "b", "c"], name="$item"), answer="$f")
    done = mended(world, steps, steps)
    assert (done.code, done.root.result) == (0, ["A", "B", "C"]) and sorted(tried) == ["a", "b", "b", "c"]


def test_a_goal_that_a_copy_has_met_is_not_asked_about_again(world: World) -> None:
    steps = [goal("a", "part a"), BAD]
    script = by_goal(
        {"the goal": [plan(*steps, answer="$a $bad"), plan(steps[0], answer="$a")], "part a": [{"answer": "met"}]}
    )
    done = world.run(script)
    assert done.root.result == "met" and sum(text.startswith("Goal: part a") for text in done.prompts) == 1


def test_what_looks_or_runs_is_done_again_once_something_was_changed(world: World, made: list[str]) -> None:
    looks = [call("p", "peek", name="x"), call("s", "start", name="t", after=["p"])]
    done = mended(
        world,
        plan(*looks, BAD, answer="$bad"),
        plan(call("w", "note", text="fix"), call("p", "peek", name="x", after=["w"]), answer="$p"),
    )
    assert done.code == 0 and made == ["peek x", "start t", "note fix", "peek x"]


def test_a_write_that_was_overwritten_meanwhile_is_made_again(world: World, made: list[str]) -> None:
    plans = [plan(call("w", "note", text=text), BAD, answer="$bad") for text in "ab"]
    done = mended(world, *plans, plan(call("w", "note", text="a"), answer="$w"))
    assert done.code == 0 and made == ["note a", "note b", "note a"]


def test_a_check_that_is_new_is_held_against_a_new_result(world: World, made: list[str]) -> None:
    first = plan(call("a", "shout", text="x"), BAD, answer="$bad")
    second = plan(call("a", "shout", text="x", check={"equals": "X"}), answer="$a")
    done = mended(world, first, second)
    assert done.root.verified and made == ["shout x", "shout x"]


def test_a_look_at_what_may_have_changed_is_not_a_mended_plan(world: World, made: list[str]) -> None:
    poll = plan(call("p", "peek", name="x"))
    done = mended(world, poll, poll, poll, {"answer": "seen"})
    assert done.root.result == "seen" and made == ["peek x"] * 3


def test_the_next_rung_knows_what_the_one_before_it_finished(world: World, made: list[str]) -> None:
    steps = plan(call("a", "shout", text="x"), BAD, answer="$a $bad")
    done = mended(world, steps, steps, steps, replans=2)
    assert done.code == 1 and made == ["shout x"]


def test_a_resumed_run_takes_the_same_results(world: World, made: list[str]) -> None:
    steps = [call("a", "shout", text="x"), call("b", "note", text="y")]
    done = world.run(by_goal({"the goal": [plan(*steps, BAD, answer="$bad"), {"ask": "Which?"}]}), approve="auto")
    assert done.code == 4
    on = world.resume([plan(*steps, answer="$a $b")], answer="any", approve="auto", person=AtHand())
    assert (on.code, on.root.result) == (0, "X y") and sorted(made) == ["note y", "shout x"]


# -- no call for ever


def test_polling_what_stays_the_same_ends_after_five_times(world: World) -> None:
    calls: list[str] = []

    def state(name: str) -> str:
        """Say how it stands.

        Effect: read
        """
        calls.append(name)
        return "running"

    world.tool(state)
    poll = plan(call("s", "state", name="x"))
    done = world.run(lambda body: poll, replans=1)
    assert done.code == 1 and len(calls) == 5
    assert "this very call was made 5 times" in done.root.blocked
    assert len(done.server.requests) == 7  # the sixth and the seventh plan were told, and there were no more


def test_polling_what_changes_is_progress(world: World) -> None:
    calls: list[str] = []

    def state(name: str) -> str:
        """Say how it stands.

        Effect: read
        """
        calls.append(name)
        return f"{len(calls)} of 20"

    world.tool(state)

    def say(body: dict[str, Any]) -> Any:
        return {"answer": "done"} if len(calls) == 20 else plan(call("s", "state", name="x"))

    done = world.run(say)
    assert (done.code, done.root.result, len(calls)) == (0, "done", 20)


def test_something_new_in_between_lets_a_call_be_made_again(world: World, made: list[str]) -> None:
    turns = iter(range(12))

    def say(body: dict[str, Any]) -> Any:
        turn = next(turns)
        return {"answer": "done"} if turn == 11 else plan(call("a", "shout", text="x" if turn % 2 else f"new {turn}"))

    assert world.run(say).code == 0 and made.count("shout x") == 5


def test_to_try_again_after_a_change_is_progress_also_where_it_comes_to_the_same(world: World, made: list[str]) -> None:
    turns = iter(range(9))

    def say(body: dict[str, Any]) -> Any:
        turn = next(turns)
        cycle = plan(call("w", "note", text=f"fix {turn}"), call("t", "start", name="tests", after=["w"]))
        return {"answer": "green"} if turn == 8 else cycle

    done = world.run(say, approve="auto", person=AtHand())
    assert done.root.result == "green" and made.count("start tests") == 8


def test_a_list_may_hold_the_same_item_often(world: World, made: list[str]) -> None:
    done = mended(world, plan(call("a", "shout", each=["x"] * 12, text="$item"), answer="$a"))
    assert done.root.result == ["X"] * 12 and len(made) == 12

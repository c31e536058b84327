"""Acceptance checks of every kind: what they accept, what they say, and that only a check makes a result verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.check import by_examples, by_value, flaw
from agent.task import Check
from tests.agent.test_run import World, by_goal, call, goal, plan
from tools import workspace

OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

BY_VALUE: list[tuple[Check, Any, str]] = [
    (Check(schema={"type": "integer"}), 3, ""),
    (Check(schema={"type": "integer"}), "three", "must be int"),
    (Check(schema={"type": "number"}), 3.5, ""),
    (Check(schema=OBJECT), {"n": 1}, ""),
    (Check(schema=OBJECT), {}, "lacks 'n'"),
    (Check(schema=OBJECT), {"n": "x"}, "the result.n must be int"),
    (Check(schema={"type": "array", "items": {"type": "integer"}}), [1, "y"], "the result[1]"),
    (Check(schema={"enum": ["a", "b"]}), "c", "one of 'a', 'b'"),
    (Check(schema={"type": "string", "format": "date"}), "yesterday", "must be a date"),
    (Check(equals=3), 3, ""),
    (Check(equals=3), "3", ""),
    (Check(equals="x"), " x\n", ""),
    (Check(equals=3), 4, "is '4', not '3'"),
    (Check(equals=[1, 2]), [1, 2], ""),
    (Check(equals=False), True, "is 'yes', not 'no'"),
    (Check(pattern=r"^\d+$"), 42, ""),
    (Check(pattern=r"^\d+$"), "42 words", "does not match"),
    (Check(file="there.txt"), None, ""),
    (Check(file="not.txt"), None, "not.txt is not there"),
    (Check(file="there.txt", pattern="tot.l"), "anything", ""),
    (Check(file="there.txt", pattern="nothing"), "nothing", "there.txt does not match"),
    (Check(schema={"type": "integer"}, equals=3, pattern="3"), 3, ""),
    (Check(schema={"type": "integer"}, equals=3, pattern="4"), 3, "does not match"),
]


@pytest.mark.parametrize(("check", "value", "said"), BY_VALUE, ids=lambda value: repr(value)[:40])
def test_what_needs_no_program_and_no_model(tmp_path: Path, check: Check, value: Any, said: str) -> None:
    workspace.enter(tmp_path)
    (tmp_path / "there.txt").write_text("the total\n")
    why = by_value(check, value)
    assert (said in why) if said else why == ""
    assert flaw(check) == ""


def judged(world: World, check: Any, text: str = "forty two", **how: Any) -> Any:
    """A goal-only task with that check, answered twice by its model."""
    script = by_goal(
        {
            "the goal": [plan(goal("g", "say it", check=check), answer="$g")],
            "say it": [{"answer": "wrong"}, {"answer": text}],
            "Is it polite? Answer yes, or no with the reason.": [
                {"answer": "No: it is rude."},
                {"answer": "yes, very"},
            ],
        }
    )
    return world.run(script, **how)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"equals": "forty two"}, "is 'wrong', not 'forty two'"),
        ({"pattern": "^forty"}, "does not match the pattern"),
        ({"command": "grep -q forty"}, "ended with 1"),
        ({"judge": "Is it polite?"}, "the judge said: No: it is rude."),
        ({"pattern": "^f", "command": "test 1 = 1", "judge": "Is it polite?"}, "does not match"),
    ],
)
def test_a_result_that_is_not_accepted_is_told_and_mended(world: World, check: Any, said: str) -> None:
    if len(check) == 3:  # the model that judges is only asked about what has passed the rest
        check = check | {"judge": ""}
    done = judged(world, check, approve="auto")
    task = done.task("root.g")
    assert (done.code, task.result, task.verified, done.root.verified) == (0, "forty two", True, True)
    again = [text for text in done.prompts if text.startswith("Goal: say it")][1]
    assert said in again and [a.verdict.split(":")[0] for a in task.attempts] == ["failed", "verified"]


def test_without_a_check_a_models_result_is_unverified(world: World) -> None:
    done = judged(world, None)
    assert (done.task("root.g").verified, done.root.verified, done.root.result) == (False, False, "wrong")
    assert done.task("root.g").attempts[0].verdict == "unverified"


def test_what_a_judge_costs_is_counted(world: World) -> None:
    done = judged(world, {"judge": "Is it polite?"})
    assert done.tree.usage().calls == len(done.server.requests) == 5
    assert done.tree.usage("root.g").calls == 4


def test_a_judge_that_cannot_be_read_accepts_nothing(world: World) -> None:
    script = by_goal(
        {
            "the goal": [plan(goal("g", "say it", check={"judge": "Is it polite?"}), answer="$g")],
            "say it": [{"answer": 1}] * 9,
        },
        "no decision at all",
    )
    done = world.run(script, replans=0)
    assert done.code == 1 and "the judge gave no answer" in done.root.blocked


def test_a_judge_sees_the_result_as_data(world: World) -> None:
    done = judged(world, {"judge": "Is it polite?"})
    asked = next(body for body in done.server.requests if "Is it polite?" in json.dumps(body))
    user = asked["messages"][-1]["content"]
    assert "$result: wrong" in user and "$goal: say it" in user


def test_a_tools_result_is_held_against_the_check_too(world: World) -> None:
    steps = plan(call("n", "count_words", text="a b", check={"equals": 3}), answer="$n")
    done = world.run([steps, {"answer": 3}])
    task = done.task("root.n")
    assert (task.result, task.worker, task.verified) == (3, "openai:scripted", True)
    assert "is '2', not '3'" in task.attempts[0].verdict


def test_each_item_is_held_against_the_check(world: World) -> None:
    steps = plan(call("n", "count_words", each=["a", "b c"], text="$item", check={"equals": 1}), answer="$n")
    done = world.run([steps, {"answer": 1}])
    assert done.task("root.n").result == [1, 1] and done.task("root.n[1]").worker == "openai:scripted"


def test_a_file_that_a_task_was_to_make(world: World) -> None:
    write = call("w", "write_file", path="t.txt", text="the total is 3", check={"file": "t.txt", "pattern": "total"})
    assert world.run([plan(write, answer="$w")]).root.verified


# -- examples

ROWS = [{"input": "cats", "output": "cat"}, {"input": "mice", "output": "mouse"}]


def test_a_result_that_is_an_example_must_be_as_the_example_says(world: World) -> None:
    script = by_goal(
        {
            "the goal": [plan(goal("g", "singular of $item", each=["cats", "dogs", "mice"], check={"examples": ROWS}))],
            "singular of cats": [{"answer": "cat"}],
            "singular of dogs": [{"answer": "dog"}],
            "singular of mice": [{"answer": "mice"}, {"answer": "mouse"}],
        }
    )
    done = world.run(script)
    one, two, three = (done.task(f"root.g[{n}]") for n in range(3))
    assert [one.verified, two.verified, three.verified] == [True, False, True] and three.result == "mouse"
    assert "for 'mice' the result is 'mice', and the example says 'mouse'" in three.attempts[0].verdict


@pytest.mark.parametrize(
    ("value", "said"),
    [({"cats": "cat", "dogs": "dog"}, ""), ({"cats": "cats"}, "the example says 'cat'"), ("anything", ""), ([], "")],
)
def test_an_object_that_holds_examples_must_agree_with_them(value: Any, said: str) -> None:
    why = by_examples(Check(examples=ROWS), {"text": "cats and dogs"}, value)
    assert (said in why) if said else why == ""


@pytest.mark.parametrize("rows", [[], "cats", [{"input": 1}], {"cats": "cat"}])
def test_examples_that_are_none(rows: Any) -> None:
    assert "examples must be a list" in flaw(Check(examples=rows))


# -- programs


def test_a_program_needs_a_word(world: World) -> None:
    done = judged(world, {"command": "touch ran"})
    assert done.code == 4 and "run the check's command: touch ran" in done.root.blocked
    assert not (world.work / "ran").exists()
    on = world.resume(answer="yes")
    assert (on.code, on.server.requests) == (0, []) and (world.work / "ran").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("nosuchprogram", "ended with 127: sh: 1: nosuchprogram: not found"),
        ("sh -c 'echo why; exit 3'", "ended with 3: why"),
        ("sh -c 'kill -9 $$'", "-9"),
    ],
)
def test_a_program_that_fails(world: World, command: str, said: str) -> None:
    done = judged(world, {"command": command}, approve="auto", replans=0)
    assert done.code == 1 and said in done.root.blocked


def test_a_program_that_does_not_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.check._SECONDS", 0.3)
    done = judged(world, {"command": "sleep 60"}, approve="auto", replans=0)
    assert done.code == 1 and "did not end within" in done.root.blocked and done.seconds < 5


def test_a_program_reads_the_result_also_where_it_holds_half_a_character(world: World) -> None:
    def odd(text: str) -> str:
        """Give half a character."""
        return "\udc80"

    world.tool(odd)
    check = {"command": r"grep -q udc80"}
    assert world.run([plan(call("o", "odd", text="x", check=check), answer="$o")], approve="auto").root.verified

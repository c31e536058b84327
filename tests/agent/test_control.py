"""What a person does to a run from elsewhere: cancel, retry, replace, answer, while it goes on and while it does not.

Another process is a second connection to the run's store: it only leaves requests there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import control
from agent.archive import Request
from agent.store import Store
from tests.agent.test_run import GIVE_UP, Ended, World, call, goal, plan
from tests.scripted import Reply


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Elsewhere:
    """A model's script in which others do things when a goal comes up; `replies` are what they were told."""

    def __init__(self, world: World, says: dict[str, Any]) -> None:
        self.world, self.says = world, says
        self.asked: list[str] = []
        self.posted: list[int] = []

    def __call__(self, body: dict[str, Any]) -> Any:
        text = str(body["messages"][-1]["content"])
        name = text.splitlines()[0].removeprefix("Goal: ")
        self.asked.append(name)
        said = self.says.get(name, GIVE_UP)
        return said(text) if callable(said) else said

    def post(self, *requests: Request) -> None:
        store, _ = Store.open(self.world.runs, self.world.last)
        self.posted += [store.post(request) for request in requests]
        store.close()

    def replies(self) -> list[str | None]:
        store, _ = Store.open(self.world.runs, self.world.last)
        found = [store.reply(number) for number in self.posted]
        store.close()
        return found

    def slow(self, *requests: Request, seconds: float = 1.0, said: Any = "slow") -> Callable[[str], Reply]:
        """A reply that takes a while, in which others ask for something."""

        def reply(text: str) -> Reply:
            self.post(*requests)
            return Reply({"answer": said}, delay=seconds)

        return reply


def by(kind: str, task: str = "", value: Any = None) -> Request:
    return Request(kind, task, value, "ada@loom")


def run(world: World, says: dict[str, Any], **how: Any) -> tuple[Ended, Elsewhere]:
    script = Elsewhere(world, says)
    return world.run(script, **how), script


# -- cancel


def test_a_cancelled_task_is_stopped_at_once_and_the_rest_goes_on(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("a", "quick"), goal("b", "endless"), goal("c", "after b", after=["b"]), answer="$a $c")
    script.says = {
        "the goal": steps,
        "quick": {"answer": 1},
        "endless": script.slow(by("cancel", "root.b"), seconds=30),
    }
    done = world.run(script)
    assert (done.code, done.root.status, done.root.result) == (1, "partial", "quick: 1") and done.seconds < 4
    assert (done.task("root.b").status, done.task("root.b").by) == ("cancelled", "ada@loom")
    assert done.task("root.b").blocked == "cancelled by ada@loom"
    assert (done.task("root.c").status, done.task("root.c").by) == ("cancelled", "") and "root.b" in done.root.blocked
    assert sorted(script.asked) == ["endless", "quick", "the goal"]  # and nobody plans a way round it
    assert script.replies() == [""]


def test_an_answer_that_can_do_without_it_is_given(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("a", "quick"), goal("b", "endless"), goal("c", "after $b"), answer="$a")
    script.says = {
        "the goal": steps,
        "quick": {"answer": 1},
        "endless": script.slow(by("cancel", "root.b"), seconds=30),
    }
    done = world.run(script)
    assert (done.code, done.root.result) == (0, 1) and done.seconds < 4


def test_all_below_it_is_cancelled_with_it(world: World) -> None:
    script = Elsewhere(world, {})
    deep = plan(goal("x", "endless"), goal("y", "later", after=["x"]))
    script.says = {
        "the goal": plan(goal("a", "deep"), goal("b", "quick"), answer="$b"),
        "deep": deep,
        "quick": {"answer": 2},
        "endless": script.slow(by("cancel", "root.a"), seconds=30),
    }
    done = world.run(script)
    assert {id: task.status for id, task in done.tree.tasks.items()} == {
        "root": "done", "root.a": "cancelled", "root.b": "done", "root.a.x": "cancelled", "root.a.y": "cancelled",
    }  # fmt: skip
    assert done.code == 0 and done.seconds < 4


def test_one_item_of_many(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("e", "look at $item", each=["a", "b", "c"]), answer="$e")
    script.says = {"the goal": steps} | {f"look at {item}": {"answer": item} for item in "ac"}
    script.says["look at b"] = script.slow(by("cancel", "root.e[1]"), seconds=30)
    done = world.run(script)
    assert (done.task("root.e").status, done.task("root.e").result) == ("partial", ["a", None, "c"])
    assert (done.code, done.root.status, done.seconds < 4) == (1, "partial", True)


def test_the_goal_itself(world: World) -> None:
    script = Elsewhere(world, {})
    script.says = {"the goal": script.slow(by("cancel", "root"), seconds=30)}
    done = world.run(script)
    assert (done.code, done.tree.status, done.root.blocked) == (130, "cancelled", "cancelled by ada@loom")
    assert world.resume().tree.status == "cancelled"
    script.says, script.posted = {"the goal": {"answer": 3}}, []
    script.post(by("retry", "root"))
    assert world.resume(script).root.result == 3


# -- retry


def hinted(text: str) -> Any:
    return {"answer": "found"} if "A person's hint: look in old/" in text else GIVE_UP


def test_a_failed_task_is_tried_again_with_a_hint_while_others_are_at_work(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("a", "hard"), goal("s", "slow"), goal("b", "what of $a", after=["a"]), answer="$b and $s")
    script.says = {
        "the goal": steps,
        "hard": hinted,
        "slow": lambda text: (time.sleep(0.5), script.slow(by("retry", "root.a", "look in old/"))(text))[1],
        "what of found": {"answer": "well"},
    }
    done = world.run(script)
    assert (done.code, done.root.result) == (0, "well and slow"), script.replies()
    task = done.task("root.a")
    assert (task.hint, task.by, task.given_up, len(task.attempts)) == ("look in old/", "ada@loom", 1, 2)
    assert script.asked.count("slow") == script.asked.count("the goal") == 1
    assert script.asked.index("what of found") > script.asked.index("hard")


def test_after_the_run_has_ended_it_goes_on_from_the_task(world: World) -> None:
    steps = plan(goal("a", "hard"), goal("d", "deep"), answer="$a $d")
    says = {
        "the goal": steps,
        "hard": hinted,
        "deep": plan(goal("x", "hard"), goal("y", "quick"), answer="$x $y"),
        "quick": {"answer": 1},
    }
    done, script = run(world, says, replans=0)
    assert (done.code, done.root.status) == (1, "partial")
    asked = len(script.asked)
    script.post(by("retry", "root.a", "look in old/"), by("retry", "root.d.x", "look in old/"))
    done = world.resume(script, replans=0)
    assert (done.code, done.root.result) == (0, "found found 1") and script.replies() == ["", ""]
    assert script.asked[asked:] == ["hard", "hard"]  # and nothing that is done is done again
    assert world.resume().root.result == "found found 1"


def test_it_is_tried_again_as_often_as_one_likes(world: World) -> None:
    done, script = run(world, {"the goal": GIVE_UP})
    for n in range(1, 3):
        script.post(by("retry", "root", f"hint {n}"))
        done = world.resume(script)
        assert (done.code, len(done.root.attempts), done.root.given_up) == (1, n + 1, n)
    script.says = {"the goal": {"answer": "at last"}}
    script.post(by("retry", "root"))
    assert world.resume(script).root.result == "at last"


def test_an_item_is_tried_again_while_others_are_at_work(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("e", "look at $item", each=["a", "b"]), answer="$e")
    late = script.slow(by("retry", "root.e[0]", "look in old/"))
    script.says = {"the goal": steps, "look at a": hinted, "look at b": lambda text: (time.sleep(0.5), late(text))[1]}
    done = world.run(script)
    assert (done.code, done.root.result) == (0, ["found", "slow"]), script.replies()


# -- replace


def test_a_result_by_hand_ends_what_was_at_work_on_it(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("a", "endless"), call("b", "count_words", text="$a"), answer="$b")
    script.says = {"the goal": steps, "endless": script.slow(by("replace", "root.a", "one two three"), seconds=30)}
    done = world.run(script)
    assert (done.code, done.root.result, done.root.verified, done.seconds < 4) == (0, 3, False, True)
    task = done.task("root.a")
    assert (task.result, task.verified, task.by, task.gave) == ("one two three", False, "ada@loom", "person")


def test_a_result_by_hand_in_place_of_a_failure_and_before_it_is_wanted(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(
        goal("a", "hard"),
        goal("s", "slow"),
        goal("later", "never asked", after=["s"]),
        call("n", "count_words", text="$a $later"),
        answer="$n",
    )
    requests = by("replace", "root.a", "one"), by("replace", "root.later", "two three")
    script.says = {"the goal": steps, "hard": GIVE_UP}
    script.says["slow"] = lambda text: (time.sleep(0.5), script.slow(*requests)(text))[1]
    done = world.run(script)
    assert (done.code, done.root.result) == (0, 3), script.replies()
    assert "never asked" not in script.asked and script.replies() == ["", ""]


def test_a_result_that_is_there_is_replaced_as_long_as_nobody_has_used_it(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("a", "quick"), goal("s", "slow"), call("n", "count_words", text="$a $s"), answer="$n")
    script.says = {"the goal": steps, "quick": {"answer": "one"}}
    script.says["slow"] = lambda text: (time.sleep(0.3), script.slow(by("replace", "root.a", "one two"))(text))[1]
    done = world.run(script)
    assert (done.code, done.root.result, script.replies()) == (0, 3, [""])
    assert "is used already" in control.why_not(done.tree, by("replace", "root.a", "x"))


# -- answer


def test_an_answer_from_elsewhere_is_taken_up_while_others_are_at_work(world: World) -> None:
    script = Elsewhere(world, {})
    steps = plan(goal("a", "unclear"), goal("s", "slow"), goal("b", "with $a", after=["a"]), answer="$b $s")
    script.says = {
        "the goal": steps,
        "unclear": lambda text: {"answer": "clear"} if "said: red" in text else {"ask": "which colour?"},
        "slow": lambda text: (time.sleep(0.5), script.slow(by("answer", "", "red"))(text))[1],
        "with clear": {"answer": "fine"},
    }
    done = world.run(script)
    assert (done.code, done.root.result) == (0, "fine slow"), script.replies()
    assert [answer.by for answer in done.tree.answers.values()] == ["ada@loom"]


def test_who_is_at_the_terminal_need_not_answer_any_more(world: World) -> None:
    class Away:
        async def approve(self, asked: Any) -> bool:
            raise AssertionError

        async def answer(self, text: str) -> str:
            script.post(by("answer", "root", "red"))
            await __import__("asyncio").sleep(30)
            raise AssertionError

    script = Elsewhere(world, {})
    script.says = {"the goal": lambda text: {"answer": "so"} if "said: red" in text else {"ask": "which colour?"}}
    done = world.run(script, person=Away())
    assert (done.code, done.root.result, done.seconds < 4) == (0, "so", True)


# -- what cannot be done


def test_what_cannot_be_done_is_said_and_changes_nothing(world: World) -> None:
    steps = plan(call("a", "count_words", text="x"), goal("b", "hard"), answer="$a $b")
    mended = plan(goal("c", "quick"), answer="$c")
    says = {"the goal": lambda text: mended if "failed" in text else steps, "hard": GIVE_UP, "quick": {"answer": 1}}
    done, script = run(world, says)
    assert done.code == 0
    for request, said in (
        (by("cancel", "root"), "task root is done already"),
        (by("cancel", "root.z"), "has no task 'root.z'"),
        (by("retry", "root.a"), "task root.a is done, only one that failed or was cancelled is tried again"),
        (by("retry", "root.b"), "task root is done without root.b"),
        (by("replace", "root.b", 1), "task root is done without root.b"),
        (by("replace", "root", 1), "is used already, by the person"),
        (by("answer", "", "x"), "asks nothing"),
    ):
        assert said in control.why_not(done.tree, request), request
        script.post(request)
    before = len(done.tree.tasks["root"].attempts)
    again = world.resume(script)
    assert again.root.result == 1 and len(again.root.attempts) == before
    assert all(script.replies())

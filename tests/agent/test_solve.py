"""The loop: plans carried out, mended, refused and joined. Models speak from a scripted server over a real socket."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import prompts
from agent.errors import LimitHit
from agent.run import Run
from agent.task import Task
from agent.workers import MOST_ROWS
from tests.agent.test_run import GIVE_UP, World, by_goal, call, goal, plan
from tests.scripted import Reply
from tools import micro_tool
from tools.micro import Engine, shipped


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    (made.work / "a.txt").write_text("one two\nthree\n")
    (made.work / "b.txt").write_text("four\n")
    return made


# -- answers and plans


def test_an_answer_at_once_is_unverified(world: World) -> None:
    done = world.run([{"answer": {"n": 4}}])
    assert (done.code, done.root.result, done.root.verified) == (0, {"n": 4}, False)


def test_a_chain_costs_one_call_of_the_model_and_is_joined_by_code(world: World) -> None:
    steps = plan(
        call("r", "read_file", path="a.txt"),
        call("n", "count_words", text="$r"),
        call("w", "write_file", path="n.txt", text="$n words"),
        answer="$n",
    )
    done = world.run([steps])
    assert (done.code, done.root.result, done.root.verified) == (0, 3, True)
    assert (world.work / "n.txt").read_text() == "3 words\n"
    assert len(done.server.requests) == 1 == done.tree.usage().calls


def test_order_by_after_where_no_value_is_passed(world: World) -> None:
    steps = plan(
        call("r", "read_file", path="n.txt", after=["w"]), call("w", "write_file", path="n.txt", text="5"), answer="$r"
    )
    assert world.run([steps]).root.result == "5\n"


def test_each_maps_and_keeps_what_the_results_are_of(world: World) -> None:
    steps = plan(call("l", "list_files"), call("s", "file_size", each="$l", path="$item"), answer="$s")
    done = world.run([steps])
    assert done.root.result == [14, 5] and done.root.result.items_ == ["a.txt", "b.txt"]
    assert done.task("root.s").labels == ["a.txt", "b.txt"]
    again = world.resume()
    assert again.root.result.items_ == ["a.txt", "b.txt"]


def test_each_over_nothing_a_text_and_one_value(world: World) -> None:
    steps = plan(
        call("l", "list_files", pattern="*.none"),
        call("e", "file_size", each="$l", path="$item"),
        call("t", "change_case", each="$text", text="$item", case="upper"),
        call("o", "change_case", each="$one", text="$item", case="upper"),
        answer="[$e] $t $o",
    )
    done = world.run([steps], inputs={"text": "x\ny", "one": 5})
    assert done.code == 0 and done.task("root.e").result == []
    assert done.root.result == "[] x: X\ny: Y 5: 5"


def test_mapping_over_mapped_results_and_over_lists_in_them(world: World) -> None:
    steps = plan(
        call("f", "list_files"),
        call("t", "read_file", each="$f", path="$item"),
        call("n", "count_words", each="$t", text="$item"),
        goal("g", "upper each line of $item", each="$t"),
        answer="$n\n$g",
    )
    inner = plan(call("u", "change_case", each="$item", text="$item", case="upper"), answer="$u")
    done = world.run(lambda body: steps if "the goal" in str(body["messages"][-1]) else inner)
    assert done.code == 0
    assert done.task("root.n").labels == ["a.txt", "b.txt"]
    assert done.root.result == "a.txt: 3\nb.txt: 1\na.txt:\n  one two: ONE TWO\n  three: THREE\nb.txt: four: FOUR"


def test_one_item_that_fails_leaves_the_others(world: World) -> None:
    steps = plan(call("s", "file_size", each=["a.txt", "none.txt", "b.txt"], path="$item"), answer="$s")
    done = world.run(lambda body: steps if "Goal: the goal" in str(body) else GIVE_UP)
    mapped = done.task("root.s")
    assert (done.code, mapped.status, mapped.result) == (1, "partial", [14, None, 5])
    assert done.root.status == "partial" and "none.txt" in done.root.blocked and "14" in done.root.result


def test_an_item_of_the_wrong_type_fails_alone(world: World) -> None:
    steps = plan(call("r", "round_number", each=["1.6", "x", "2.4"], number="$item"), answer="$r")
    done = world.run([steps, GIVE_UP])
    assert done.error is None and done.task("root.r").result == [2, None, 2]
    assert done.task("root.r[1]").status == "failed" and "number" in done.task("root.r[1]").blocked
    assert "number" in done.prompts[1]


def test_a_long_text_that_a_mapped_goal_refers_to_goes_with_it(world: World) -> None:
    steps = plan(goal("g", "is $item in $doc?", each=["a", "b"]), answer="$g")
    done = world.run([steps, {"answer": "yes"}, {"answer": "no"}], inputs={"doc": "word " * 200})
    assert done.code == 0 and "$doc" in done.prompts[1] and "word word" in done.prompts[1]


def test_references_to_fields_and_lists_of_objects(world: World) -> None:
    people = [{"name": "Ann", "age": 4}, {"name": "Bo", "age": 6}]
    steps = plan(
        call("m", "mean_numbers", numbers="$people.age"),
        call("u", "change_case", text="$people[1].name costs $$5", case="upper"),
        answer="$m $u",
    )
    assert world.run([steps], inputs={"people": people}).root.result == "5 BO COSTS $5"


# -- side by side


def slow(world: World) -> list[int]:
    at_once, peak, lock = 0, [0], threading.Lock()

    def wait(text: str) -> str:
        """Wait a fifth of a second."""
        nonlocal at_once
        with lock:
            at_once += 1
            peak[0] = max(peak[0], at_once)
        time.sleep(0.2)
        with lock:
            at_once -= 1
        return text

    world.tool(wait)
    return peak


def best_ratio(eight: Any, one: Any) -> float:
    """The least of a few measurements: other work on the machine only ever adds to them."""
    ratio = 9.0
    for _ in range(4):
        ratio = min(ratio, eight() / one())
        if ratio < 1.5:
            break
    return ratio


def test_eight_tools_take_the_time_of_one(world: World) -> None:
    peak = slow(world)

    def waits(count: int) -> float:
        steps = plan(*[call(f"w{n}", "wait", text=str(n)) for n in range(count)], answer="$w0")
        return world.run([steps]).seconds

    assert best_ratio(lambda: waits(8), lambda: waits(1)) < 1.5
    assert peak == [8]


def test_eight_model_calls_take_the_time_of_one(world: World) -> None:
    def asks(count: int) -> float:
        steps = plan(*[goal(f"g{n}", f"part {n}") for n in range(count)], answer="$g0")
        done = world.run(by_goal({"the goal": [steps]}, {"answer": "x"}), delay=0.2)
        assert done.server.at_once == count
        return done.seconds

    assert best_ratio(lambda: asks(8), lambda: asks(1)) < 1.5


def test_nothing_waits_for_ever_with_one_call_in_flight(world: World) -> None:
    peak = slow(world)
    steps = plan(*[goal(f"g{n}", f"part {n}") for n in range(3)], answer="$g0 $g1 $g2")
    part = plan(goal("i", "inner"), call("w", "wait", text="x"), answer="$i$w")
    inner = plan(call("w", "wait", each=["a", "b"], text="$item"), answer="$w")

    script = by_goal({"the goal": [steps], "inner": [inner] * 3}, part)
    done = world.run(script, parallel=1)
    assert done.code == 0 and peak == [1] and done.server.at_once == 1
    assert done.task("root.g2.i.w[1]").result == "b"


# -- any sound plan


@st.composite
def graphs(draw: Any) -> list[dict[str, Any]]:
    """Calls that refer to each other without a circle, in any order, some of them mapped over what they refer to."""
    tasks = []
    for n in range(draw(st.integers(1, 8))):
        wants = draw(st.lists(st.sampled_from(range(n)), max_size=3, unique=True)) if n else []
        after = [f"t{w}" for w in draw(st.lists(st.sampled_from(range(n)), max_size=2, unique=True))] if n else []
        text = f"t{n}(" + " ".join(f"$t{w}" for w in wants) + ")"
        each = draw(st.sampled_from([None, "$two"]))
        tasks.append(call(f"t{n}", "note", each=each, after=after, text=f"{text} $item" if each else text))
    return draw(st.permutations(tasks))


@given(graphs(), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_any_sound_plan_runs_in_order_with_every_reference_bound(tasks: list[dict[str, Any]], parallel: int) -> None:
    ended: list[str] = []

    def note(text: str) -> str:
        """Note a text."""
        ended.append(text.split("(")[0])
        return text

    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.tool(note)
        done = world.run(
            [plan(*tasks, answer=" ".join(f"$t{n}" for n in range(len(tasks))))],
            "the goal",
            {"two": [1, 2]},
            parallel=parallel,
        )
    assert done.code == 0 and "$" not in done.root.result
    for task in tasks:
        for other in {*re.findall(r"\$(t\d)", task["args"]["text"]), *task.get("after", ())}:
            last = max(n for n, id in enumerate(ended) if id == other)
            assert last < ended.index(task["id"])


# -- limits on plans


def test_at_the_depth_limit_splitting_is_not_offered(world: World) -> None:
    down = plan(goal("d", "a smaller part"), call("c", "count_words", text="x"), answer="$d")
    done = world.run([down, {"answer": "done"}], depth=1)
    assert (done.code, done.root.result) == (0, "done")
    systems = [body["messages"][0]["content"] for body in done.server.requests]
    assert systems == [prompts.render("plan", {}), prompts.render("answer", {})]
    assert "count_words" not in done.prompts[1]


def test_a_plan_at_the_depth_limit_is_refused_with_the_reason(world: World) -> None:
    done = world.run([plan(goal("d", "smaller"), goal("e", "other"), answer="$d"), {"answer": "so be it"}], depth=0)
    assert done.root.result == "so be it" and len(done.tree.tasks) == 1
    assert "may not be split" in done.prompts[1]


def test_a_plan_that_is_too_wide_is_refused_with_the_reason(world: World) -> None:
    wide = plan(*[call(f"c{n}", "count_words", text="x") for n in range(4)], answer="$c0")
    done = world.run([wide, {"answer": 1}], width=3)
    assert "4 tasks, and 3 are allowed" in done.prompts[1] and len(done.tree.tasks) == 1


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (plan(goal("x", "The goal!"), answer="$x"), "restates its parent"),
        (plan(goal("x", "the goal", args={"a": "b"}), answer="$x"), "restates its parent"),
        (plan(goal("x", "the goal"), call("c", "count_words", text="x"), answer="$x"), "restates its parent"),
    ],
)
def test_a_plan_that_repeats_its_task_is_refused_and_the_planner_told(world: World, again: Any, said: str) -> None:
    done = world.run([again, {"answer": "otherwise"}])
    assert done.root.result == "otherwise" and said in done.prompts[1] and len(done.tree.tasks) == 1


def test_a_task_that_repeats_an_ancestor_is_refused(world: World) -> None:
    script = by_goal(
        {
            "the goal": [plan(goal("a", "first half"), goal("b", "second half"), answer="$a$b")],
            "first half": [plan(goal("x", "the goal"), goal("y", "more"), answer="$x"), {"answer": "1"}],
            "second half": [{"answer": "2"}],
        }
    )
    done = world.run(script)
    assert done.root.result == "12"
    assert any("x restates an ancestor" in text for text in done.prompts)


def test_a_task_that_becomes_its_ancestor_once_it_is_bound_is_refused(world: World) -> None:
    script = by_goal(
        {
            "the goal": [plan(goal("a", "do $what"), goal("b", "other"), answer="$a")] * 3,
            "do this": [plan(goal("c", "do $what"), goal("d", "other"), answer="$c")] * 3,
            "other": [{"answer": "x"}] * 9,
        }
    )
    done = world.run(script, inputs={"what": "this"})
    assert done.code == 1 and "it would never end" in done.root.blocked


# -- looking at results


def test_a_look_shows_the_results_of_the_last_plan_and_nothing_older(world: World) -> None:
    done = world.run(
        [
            plan(call("first", "read_file", path="a.txt"), notes="begun with a"),
            plan(call("second", "read_file", path="b.txt")),
            {"answer": "seen"},
        ]
    )
    assert (done.code, done.root.result) == (0, "seen")
    assert "one two" in done.prompts[1] and "begun with a" in done.prompts[1]
    assert "four" in done.prompts[2] and "one two" not in done.prompts[2] and "begun with a" not in done.prompts[2]


def test_a_later_plan_may_refer_to_what_earlier_ones_found(world: World) -> None:
    done = world.run(
        [
            plan(call("first", "count_words", text="a b")),
            plan(call("second", "count_words", text="a b c")),
            plan(call("sum", "calculate", expression="$first + $second"), answer="$sum"),
        ]
    )
    assert done.root.result == 5


def test_looking_ends_at_its_limit(world: World) -> None:
    done = world.run(lambda body: plan(call("r", "count_words", text="x")), looks=5)
    assert done.code == 1 and len(done.server.requests) == 5 and "5 times" in done.root.blocked


# -- mending


def test_a_plan_that_failed_is_mended_and_what_is_finished_is_not_repeated(world: World) -> None:
    read = []

    def fetch(name: str) -> str:
        """Fetch a thing."""
        read.append(name)
        if name == "bad":
            raise ValueError("no such thing")
        return name.upper()

    world.tool(fetch)
    first = plan(call("a", "fetch", name="good"), call("b", "fetch", name="bad"), answer="$a $b")
    script = by_goal({"the goal": [first, plan(call("c", "fetch", name="other"), answer="$a $c")]})
    done = world.run(script)
    assert (done.code, done.root.result) == (0, "GOOD OTHER")
    assert sorted(read) == ["bad", "good", "other"]
    mended = [text for text in done.prompts if text.startswith("Goal: the goal")][1]
    assert "no such thing" in mended and "GOOD" in mended


def test_mending_ends_after_as_many_times_as_allowed(world: World) -> None:
    bad = plan(call("r", "read_file", path="none.txt"), answer="$r")
    for replans in (0, 2):
        done = world.run(lambda body: bad if "Goal: the goal" in str(body) else GIVE_UP, replans=replans)
        asked = [text for text in done.prompts if text.startswith("Goal: the goal")]
        assert done.code == 1 and len(asked) == 1 + replans and "none.txt" in done.root.blocked


def test_an_answer_that_cannot_be_made_keeps_the_results_for_the_mended_plan(world: World) -> None:
    done = world.run(
        [
            plan(call("n", "count_words", text="a b c"), answer="$n.total words"),
            plan(call("m", "calculate", expression="$n + 1"), answer="$m"),
        ]
    )
    assert (done.code, done.root.result) == (0, 4)
    assert "$n.total leads nowhere" in done.prompts[1] and "$n: 3" in done.prompts[1]


def test_a_task_that_waits_for_a_failed_one_is_not_begun(world: World) -> None:
    steps = plan(
        call("r", "read_file", path="none.txt"),
        call("n", "count_words", text="$r"),
        call("m", "count_words", text="$n"),
        answer="$m",
    )
    done = world.run([steps, GIVE_UP, GIVE_UP])
    assert done.task("root.m").status == "failed" and done.task("root.m").attempts == []
    assert "none.txt" in done.task("root.m").blocked and "task root.r" in done.root.blocked


def test_the_best_partial_result_comes_with_what_blocked_it(world: World) -> None:
    steps = plan(call("a", "count_words", text="x y"), call("b", "read_file", path="none.txt"), answer="$a and $b")
    done = world.run(lambda body: steps if "Goal: the goal" in str(body) else GIVE_UP)
    assert (done.code, done.root.status) == (1, "partial")
    assert "2" in done.root.result and "none.txt" in done.root.blocked


def test_a_wish_names_the_way_to_a_tool(world: World) -> None:
    wish = {"want": {"name": "fly", "signature": "fly(to: str) -> bool", "why": "to get there"}}
    done = world.run([wish])
    assert done.code == 1 and "zooid tools new fly" in done.root.blocked and "fly(to: str)" in done.root.blocked


def test_a_model_that_cannot_be_read_is_a_failure_and_no_crash(world: World) -> None:
    done = world.run(lambda body: "I would rather not.")
    assert done.code == 1 and done.error is None and done.tree.usage().calls == len(done.server.requests)


def test_unknown_tools_and_references_are_told_and_put_right(world: World) -> None:
    done = world.run(
        [
            plan(call("n", "count_word", text="x"), answer="$n"),
            plan(call("n", "count_words", text="$zz"), answer="$n"),
            plan(call("n", "count_words", text="x"), answer="$n"),
        ]
    )
    assert done.root.result == 1
    assert "did you mean count_words" in done.prompts[1] and "$zz" in done.prompts[2]


# -- the ladder


def test_a_planner_takes_over_from_a_tool_that_failed_and_is_not_called_verified(world: World) -> None:
    steps = plan(call("r", "read_file", path="none.txt"), answer="$r")
    done = world.run([steps, {"answer": "I know it by heart"}])
    task = done.task("root.r")
    assert (task.status, task.worker, task.verified) == ("done", "openai:scripted", False)
    assert done.root.verified is False and done.root.result == "I know it by heart"
    assert "none.txt" in done.prompts[1]


def test_a_planner_does_not_answer_a_failed_call_by_the_same_call(world: World) -> None:
    same = plan(call("r", "read_file", path="none.txt"), answer="$r")
    done = world.run([same, same, GIVE_UP])
    assert "repeats the call read_file" in done.prompts[2]


# -- tools that misbehave


class Rude(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def misbehaving() -> dict[str, Any]:
    def raises(text: str) -> str:
        """Raise."""
        raise KeyError(text)

    def exits(text: str) -> str:
        """Exit."""
        raise SystemExit(3)

    def rude(text: str) -> str:
        """Raise what cannot be shown."""
        raise Rude

    def lies(text: str) -> int:
        """Return the wrong type."""
        return text  # type: ignore[return-value]

    def object_(text: str) -> Any:
        """Return what is no value."""
        return object()

    def huge(text: str) -> int:
        """Return a number that has no text."""
        return 10**5000

    def endless(text: str) -> list[Any]:
        """Return a list that holds itself."""
        found: list[Any] = []
        found.append(found)
        return found

    def flood(text: str) -> list[str]:
        """Return more than is kept."""
        return ["x" * 2**20] * 17

    def hangs(text: str) -> str:
        """Hang."""
        time.sleep(2)
        return text

    return {
        "raises": (raises, "KeyError: 'x'"),
        "exits": (exits, "SystemExit"),
        "rude": (rude, "Rude"),
        "lies": (lies, "must be int"),
        "object_": (object_, "cannot be kept"),
        "huge": (huge, "cannot be kept"),
        "endless": (endless, "endless"),
        "flood": (flood, "a result may have"),
        "hangs": (hangs, "did not end within"),
    }


@pytest.mark.parametrize("name", misbehaving())
def test_a_tool_that_misbehaves_costs_its_own_task_alone(world: World, name: str) -> None:
    function, said = misbehaving()[name]
    world.tool(function)
    steps = plan(call("bad", name, text="x"), call("good", "count_words", text="x y"), answer="$good $bad")
    done = world.run([steps, GIVE_UP, {"answer": "without it"}], tool_seconds=0.3 if name == "hangs" else 30)
    assert done.error is None and done.root.result == "without it"
    assert done.task("root.good").result == 2
    assert said in done.task("root.bad").attempts[0].verdict


def test_a_set_and_a_megabyte_are_kept(world: World) -> None:
    def letters(text: str) -> set[str]:
        """The letters of a text."""
        return set(text)

    def megabyte() -> str:
        """Give a megabyte of text."""
        return "ö" * 2**20

    world.tool(letters)
    world.tool(megabyte)
    done = world.run([plan(call("l", "letters", text="aab"), call("m", "megabyte"))] + [{"answer": "$m"}])
    assert sorted(done.task("root.l").result) == ["a", "b"] and len(done.task("root.m").result) == 2**20
    assert max(len(text) for text in done.prompts) < 80_000  # a prompt carries what there is room for


# -- what a resumed run takes from the tree


def test_a_judged_attempt_is_judged_once_also_when_the_run_goes_on(world: World) -> None:
    step = goal("g", "write a poem", check={"judge": "Is it good?"})
    first = world.run(
        by_goal(
            {
                "the goal": [plan(step, answer="$g")],
                "write a poem": [{"answer": "roses"}, Reply(status=503), Reply(status=503)],
                "Is it good? Answer yes, or no with the reason.": [{"answer": "no, too short"}],
            }
        )
    )
    assert first.code == 75 and first.tree.usage("root.g").calls >= 2
    then = world.resume(
        by_goal(
            {
                "write a poem": [{"answer": "roses are red"}],
                "Is it good? Answer yes, or no with the reason.": [{"answer": "Yes."}],
            }
        )
    )
    assert (then.code, then.root.result, then.task("root.g").verified) == (0, "roses are red", True)
    assert len(then.server.requests) == 2 and "too short" in then.prompts[0]


def test_a_call_that_was_not_accepted_or_failed_is_not_made_again(world: World) -> None:
    sent: list[str] = []

    def send(text: str) -> str:
        """Send a text.

        Effect: network
        """
        sent.append(text)
        if text == "bad":
            raise OSError("lost the connection")
        return text

    world.tool(send)
    steps = plan(call("a", "send", text="bad"), call("b", "send", text="good", check={"equals": "x"}), answer="$a $b")
    first = world.run([steps, *[Reply(status=503)] * 4], approve="auto")
    assert first.code == 75 and sorted(sent) == ["bad", "good"]
    then = world.resume([{"answer": "x"}, {"answer": "x"}], approve="auto")
    assert (then.code, then.root.result, sorted(sent)) == (0, "x x", ["bad", "good"])
    assert {then.task(f"root.{id}").worker for id in "ab"} == {"openai:scripted"} and not then.task("root.a").verified
    assert "lost the connection" in "".join(then.prompts) and "not accepted" in "".join(then.prompts)


# -- a micro-model reads the items of a list as one batch


@pytest.fixture
def batches(world: World, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of each batch that the plural model was given."""
    seen: list[list[str]] = []
    real = micro_tool.Asking.many

    def many(asking: micro_tool.Asking, rows: Any) -> list[Any]:
        seen.append([row["word"] for row in rows])
        return real(asking, rows)

    monkeypatch.setattr(micro_tool.Asking, "many", many)
    monkeypatch.setattr(micro_tool.Asking, "__call__", lambda *_: pytest.fail("asked alone"))
    monkeypatch.setattr(micro_tool, "_engine", Engine(gpu_layers=0))
    world.tools.add(micro_tool.from_folder(folder) for folder in shipped() if folder.name == "plural")
    return seen


WORDS = ["wolf", "x" * 500, "city", "child", "box"]
PLURALS = ["wolves", None, "cities", "children", "boxes"]


def test_each_over_a_micro_model_is_one_batch(world: World, batches: list[list[str]]) -> None:
    done = world.run([plan(call("p", "plural", each=WORDS, word="$item"), answer="$p"), GIVE_UP, GIVE_UP])
    assert batches == [WORDS]
    assert (done.task("root.p").status, done.task("root.p").result) == ("partial", PLURALS)
    assert "more than 48 bytes" in done.task("root.p[1]").attempts[0].verdict
    assert [len(done.task(f"root.p[{n}]").attempts) for n in (0, 2, 3, 4)] == [1] * 4


def test_many_items_go_in_several_batches(world: World, batches: list[list[str]]) -> None:
    words = [f"{a}{b}" for a in ("cat", "dog", "cow", "hen") for b in "bcdfghjklmnpqrstvwz" for _ in "12"]
    steps = plan(call("p", "plural", each=words, word="$item"), answer="$p")
    done = world.run([steps], parallel=2)
    assert len(words) > MOST_ROWS and [len(batch) for batch in batches] == [MOST_ROWS, len(words) - MOST_ROWS]
    assert done.task("root.p").result[-1] == "henzes" and done.code == 0


def test_what_an_earlier_process_finished_is_not_asked_again(
    world: World, batches: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, real = [], Run.attempt_ended

    def end(run: Run, task: Task, *what: Any) -> None:
        ended.append(task.id)
        if len(ended) > 2:
            raise LimitHit("stopped here")
        real(run, task, *what)

    words = [word for word in WORDS if len(word) < 50]
    monkeypatch.setattr(Run, "attempt_ended", end)
    world.run([plan(call("p", "plural", each=words, word="$item"), answer="$p")])
    monkeypatch.setattr(Run, "attempt_ended", real)
    done = world.resume()
    assert done.root.result == [plural for plural in PLURALS if plural]
    assert batches == [words, words[2:]]


def test_an_error_of_the_model_is_each_items_own(world: World, batches: list[list[str]], tmp_path: Path) -> None:
    tool = world.tools.get("plural")
    assert tool is not None
    asking = tool.run
    gone = replace(asking.model, folder=tmp_path)  # type: ignore[attr-defined]
    world.tools.add([replace(tool, about=replace(tool.about, name="lost"), run=micro_tool.Asking(gone))])
    done = world.run([plan(call("p", "lost", each=["a", "b"], word="$item"), answer="$p"), *[GIVE_UP] * 3])
    assert [done.task(f"root.p[{n}]").status for n in (0, 1)] == ["failed"] * 2
    assert "cannot be read" in done.task("root.p[1]").attempts[0].verdict

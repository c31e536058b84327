"""Plans: what makes one unsound, and how references become values."""

from __future__ import annotations

import contextlib
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import plan
from agent.errors import UnsoundPlan
from agent.task import ROOT, Check, Plan, PlannedTask, Task
from tools import workspace
from tools.registry import Registry, built_in
from tools.schema import Mapped

TOOLS = Registry()
TOOLS.add(built_in())


def task(id: str, /, goal: str = "", tool: str = "", **rest: Any) -> PlannedTask:
    known = {name: rest.pop(name) for name in ("each", "after", "check") if name in rest}
    return PlannedTask(id, goal, tool, rest, **known)


def check(
    *tasks: PlannedTask, answer: str | None = None, known: Any = (), width: int = 9, above: list[Task] | None = None
) -> None:
    first, *rest = above or [Task(ROOT, "the goal")]
    plan.check(Plan(list(tasks), answer), first, rest, known, TOOLS, width)


READ = task("r", tool="read_file", path="a.txt")

UNSOUND = {
    "no tasks": ([], "no tasks"),
    "too wide": ([task(f"t{n}", "x") for n in range(10)], "10 tasks, and 9 are allowed"),
    "no id": ([task("", "x")], "no task id"),
    "an id that is a number": ([task("1", "x")], "no task id"),
    "the id item": ([task("item", "x")], "no task id"),
    "an id with a space": ([task("a b", "x")], "no task id"),
    "the same id twice": ([task("a", "x"), task("a", "y")], "two tasks have the id 'a'"),
    "neither goal nor tool": ([task("a", "  ")], "neither a goal nor a tool"),
    "an unknown tool": ([task("a", tool="read_fil", path="x")], "did you mean read_file"),
    "a tool like no other": ([task("a", tool="zzzzqq")], "use one of the tools"),
    "an unknown argument": ([task("a", tool="read_file", path="x", mode="r")], "no argument 'mode'"),
    "a missing argument": ([task("a", tool="read_file")], "needs the argument 'path'"),
    "an argument of the wrong type": ([task("a", tool="round_number", number="many")], "number must be float"),
    "an argument out of the choice": ([task("a", tool="change_case", text="x", case="odd")], "must be one of"),
    "a path that leaves the workspace": ([task("a", tool="read_file", path="../x")], "out of the workspace"),
    "a path that is absolute": ([task("a", tool="read_file", path="/etc/passwd")], "outside the workspace"),
    "a reference in arguments": ([task("a", tool="count_words", text="$b")], "refers to $b"),
    "a reference deep in arguments": ([task("a", tool="mean_numbers", numbers=["$b", 1])], "refers to $b"),
    "a reference in a goal": ([task("a", "use $b")], "refers to $b"),
    "a reference in each": ([task("a", "use $item", each="$b")], "refers to $b"),
    "a reference in after": ([task("a", "x", after=["b"])], "refers to $b"),
    "an item without a list": ([task("a", "use $item")], "refers to $item"),
    "a circle of one": ([task("a", tool="count_words", text="$a")], "in a circle"),
    "a circle of three": ([task("a", "$c"), task("b", "$a"), task("c", "x", after=["b"])], "in a circle"),
    "its parent alone": ([task("a", "The  goal.")], "restates its parent"),
    "its parent, mapped": ([task("a", "the goal", each=["x"])], "restates its parent"),
    "its parent beside others": ([task("a", "the goal"), READ], "restates its parent"),
    "a pattern that is none": ([task("a", "x", check=Check(pattern="("))], "check that cannot be carried out"),
    "a command that is none": ([task("a", "x", check=Check(command="'"))], "check that cannot be carried out"),
    "an empty command": ([task("a", "x", check=Check(command=" "))], "command is empty"),
    "a file elsewhere": ([task("a", "x", check=Check(file="../x"))], "out of the workspace"),
    "a schema of no type": ([task("a", "x", check=Check(schema={"type": "thing"}))], "has the type 'thing'"),
    "types in a list": ([task("a", "x", check=Check(schema={"type": ["string"]}))], "has the type"),
    "a schema beyond us": ([task("a", "x", check=Check(schema={"minimum": 3}))], "'minimum', which is not looked at"),
    "one deep within": (
        [task("a", "x", check=Check(schema={"type": "array", "items": {"pattern": "x"}}))],
        "'pattern', which is not looked at",
    ),
    "a schema of odd shape": ([task("a", "x", check=Check(schema={"enum": 5}))], "'enum' of its schema"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_plan_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    tasks, said = UNSOUND[name]
    workspace.enter(tmp_path)
    with pytest.raises(UnsoundPlan, match=r".") as raised:
        check(*tasks)
    assert said in str(raised.value)


def test_an_answer_that_refers_to_nothing() -> None:
    with pytest.raises(UnsoundPlan, match=r"\$b, which is no task"):
        check(READ, answer="$b")


def test_a_task_that_repeats_an_ancestor() -> None:
    above = [Task("root.a.b", "part of a part"), Task("root.a", "part", inputs={"x": 1}), Task(ROOT, "the goal")]
    with pytest.raises(UnsoundPlan, match="restates an ancestor"):
        check(task("p", "Part!", x=1), READ, above=above)
    with pytest.raises(UnsoundPlan, match="restates an ancestor"):
        check(task("p", "the goal", other=3), above=above)  # alone, also with other inputs
    check(task("p", "part", x=2), READ, above=above)


def test_a_call_that_repeats_the_one_it_stands_in_for() -> None:
    above = [Task("root.r", "read it", tool="read_file", inputs={"path": "a.txt"})]
    with pytest.raises(UnsoundPlan, match="repeats the call"):
        check(READ, above=above)
    check(task("r", tool="read_file", path="b.txt"), above=above)


def test_sound_plans() -> None:
    check(READ, task("n", tool="count_words", text="$r"), answer="$n of $r")
    check(task("n", tool="count_words", text="$input"), answer="$n", known=["input"])
    check(task("s", tool="file_size", each="$files", path="docs/$item"), known=["files"], answer="$s")
    check(task("m", tool="mean_numbers", numbers=["$a", 3]), task("a", tool="calculate", expression="1"))
    check(task("a", "x", check=Check(schema={"type": "object", "properties": {"n": {"type": "integer"}}})))


def test_bound_goals_are_held_against_ancestors_too() -> None:
    above = [Task(ROOT, "do this", inputs={"a": 1})]
    plan.check_new("do this", {"a": 2}, above)
    with pytest.raises(UnsoundPlan, match="never end"):
        plan.check_new("Do this", {"a": 1}, above)


# -- references


SCOPE = {
    "a": 3,
    "text": "some words",
    "rows": [{"n": 1, "tags": ["x", "y"]}, {"n": 2, "tags": []}],
    "deep": {"in": {"the": ["middle"]}},
    "of": Mapped([1, 2], ["p", "q"]),
    "no": None,
}

BOUND: list[tuple[Any, Any]] = [
    ("$a", 3),
    ("$a ", "3 "),
    ("is $a.", "is 3."),
    ("$a$a", "33"),
    ("$$a", "$a"),
    ("$$$a", "$3"),
    ("costs $5", "costs $5"),
    ("$rows[0]", {"n": 1, "tags": ["x", "y"]}),
    ("$rows[1].n", 2),
    ("$rows.n", [1, 2]),
    ("$rows[0].tags[1]", "y"),
    ("$rows.1.n", 2),
    ("$deep.in.the[0]", "middle"),
    ("the $deep.in.the[0]", "the middle"),
    ("$of", [1, 2]),
    ("all: $of", "all: p: 1\nq: 2"),
    ("[$no]", "[]"),
    ({"x": ["$a", {"y": "$text"}], "z": 4}, {"x": [3, {"y": "some words"}], "z": 4}),
    (True, True),
]


@pytest.mark.parametrize(("value", "bound"), BOUND, ids=lambda value: repr(value)[:30])
def test_binding(value: Any, bound: Any) -> None:
    assert plan.bind(value, SCOPE) == bound


@pytest.mark.parametrize("lost", ["$b", "$a.x", "$rows[7]", "$rows.age", "$deep.on", "$text[0]", "$no.x", "in $deep.x"])
def test_a_reference_that_leads_nowhere(lost: str) -> None:
    with pytest.raises(UnsoundPlan, match="leads nowhere"):
        plan.bind(lost, SCOPE)


def test_fields_of_mapped_results_keep_what_they_are_of() -> None:
    assert plan.bind("$m.n", {"m": Mapped([{"n": 1}, {"n": 2}], ["p", "q"])}).items_ == ["p", "q"]


def test_a_goal_takes_in_short_values_and_names_long_ones() -> None:
    assert plan.bind_goal("sum $a of $$ $long", SCOPE | {"long": "x" * 500}) == "sum 3 of $ $long"


def test_names_and_needs() -> None:
    assert plan.names({"x": ["$a.b", "$$c", {"y": "$d[0] and $e"}]}) == {"a", "d", "e"}
    mapped = PlannedTask("m", "use $item and $z", each="$list", after=["first"])
    assert plan.needs(mapped) == {"z", "list", "first"}
    assert plan.needs(PlannedTask("m", "use $item")) == {"item"}


# -- any plan and any value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_whole_reference_takes_any_value_as_it_is(value: Any) -> None:
    assert plan.bind("$x", {"x": value}) == value
    assert plan.bind({"k": ["$x"]}, {"x": value}) == {"k": [value]}


@given(st.text())
def test_a_text_with_its_dollars_doubled_is_that_text(text: str) -> None:
    assert plan.bind(text.replace("$", "$$"), {}) == text


@given(JSON)
def test_nothing_that_a_model_writes_crashes_a_check(value: Any) -> None:
    with contextlib.suppress(UnsoundPlan):
        plan.bind(value, {"a": 1})
    with contextlib.suppress(UnsoundPlan):
        check(PlannedTask("a", "x", args={"k": value}, each=value), known=["a"])


@st.composite
def graphs(draw: Any) -> list[PlannedTask]:
    """Tasks that refer to any of each other, themselves included."""
    ids = [f"t{letter}" for letter in string.ascii_lowercase[: draw(st.integers(1, 7))]]
    return [
        PlannedTask(
            id, f"do {id} " + " ".join(f"${other}" for other in draw(st.lists(st.sampled_from(ids), max_size=2)))
        )
        for id in ids
    ]


@given(graphs())
def test_a_graph_is_sound_just_when_it_has_an_order(tasks: list[PlannedTask]) -> None:
    wants = {task.id: plan.needs(task) for task in tasks}
    order: list[str] = []
    while len(order) < len(tasks):
        ready = [id for id in wants if id not in order and wants[id] <= set(order)]
        if not ready:
            break
        order += ready
    try:
        check(*tasks)
    except UnsoundPlan as error:
        assert "circle" in str(error) and len(order) < len(tasks)
    else:
        assert len(order) == len(tasks)

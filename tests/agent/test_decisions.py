"""What a model writes becomes a decision, or words that it can act on; never anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import UnsoundPlan
from agent.planners import decisions
from agent.planners.decisions import parse
from agent.task import Answer, Check, Plan, PlannedTask, Question, Wish

PLAN = {
    "tasks": [
        {"id": "a", "tool": "list_files", "args": {"path": "docs"}},
        {"id": "b", "tool": "count_words", "args": {"text": "$item"}, "each": "$a", "after": ["a"]},
    ],
    "answer": "$b",
    "notes": "n",
}
READ = Plan(
    [
        PlannedTask("a", tool="list_files", args={"path": "docs"}),
        PlannedTask("b", tool="count_words", args={"text": "$item"}, each="$a", after=["a"]),
    ],
    "$b",
    "n",
)


@pytest.mark.parametrize(
    ("said", "decision"),
    [
        (PLAN, READ),
        (json.dumps(PLAN), READ),
        (f"Sure! Here it is:\n```json\n{json.dumps(PLAN, indent=2)}\n```\nHope {{this}} helps.", READ),
        (f'<think>maybe {{"answer": 1}}?</think>{json.dumps(PLAN)}', READ),
        (json.dumps(PLAN).replace("}]", "},]"), READ),
        (str(PLAN), READ),  # as Python writes it
        ('{"answer": 4}', Answer(4)),
        ('{"answer": false, "tasks": [], "ask": ""}', Answer(False)),
        ('{"answer": {"a": [1, null]}, "colour": "red"}', Answer({"a": [1, None]})),
        ('{"ask": "Which file?", "answer": ""}', Question("Which file?")),
        ('{"want": {"name": "sing", "signature": "sing(text: str) -> str"}}', Wish("sing", "sing(text: str) -> str")),
        (
            '{"tasks": [{"id": "a", "goal": "g", "check": {"pattern": "^x"}, "args": null, "each": ""}]}',
            Plan([PlannedTask("a", "g", check=Check(pattern="^x"))]),
        ),
        ('{"tasks": [{"id": "a", "tool": "t", "args": "{\\"n\\": 1}", "after": "$b"}], "answer": ""}',
         Plan([PlannedTask("a", tool="t", args={"n": 1}, after=["b"])])),
    ],
)  # fmt: skip
def test_decisions_are_read(said: Any, decision: Any) -> None:
    assert parse(said) == decision


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I would count the words first.", "one JSON object"),
        ("", "one JSON object"),
        ("[1, 2]", "no decision"),
        ("{}", "no decision"),
        ('{"answer": null}', "empty"),
        ('{"answer": ""}', "empty"),
        ('{"answer": NaN}', "no "),
        ('{"answer": 1} {"answer": 2}', "more than one"),
        ('{"tasks": "a"}', "`tasks` must be a list of objects, not text"),
        ('{"tasks": [3]}', "tasks[0] must be an object"),
        ('{"tasks": [{"id": 1, "tool": "t"}]}', "`tasks[0].id` must be text, not a number"),
        ('{"tasks": [{"tool": "t"}]}', 'no "id"'),
        ('{"tasks": [{"id": "a"}]}', "neither a tool nor a goal"),
        ('{"tasks": [{"id": "a", "tool": "t", "args": [1]}]}', "`tasks[0].args` must be an object"),
        ('{"tasks": [{"id": "a", "tool": "t", "each": 3}]}', "`tasks[0].each` must be a reference"),
        ('{"tasks": [{"id": "a", "tool": "t", "after": [3]}]}', "`tasks[0].after` must be a list"),
        ('{"tasks": [{"id": "a", "tool": "t", "check": "x"}]}', "`tasks[0].check` must be an object"),
        ('{"tasks": [{"id": "a", "tool": "t"}], "answer": {"x": "$a"}}', "`answer` of a plan must be text"),
        ('{"answer": "\\ud800"}', "no valid text"),
        ('{"tasks": [{"id": "a", "tool": "t"}], "tasks": [{"id": "b", "tool": "u"}]}', "not plain"),
        ('{"answer": ' + "[" * 100_000, "nested too deep"),
        ('{"answer": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
    ],
)
def test_what_cannot_be_read_is_told(said: Any, told: str) -> None:
    with pytest.raises(UnsoundPlan) as caught:
        parse(said)
    assert told in str(caught.value)


def test_a_plan_that_was_cut_off_is_never_run_by_halves() -> None:
    whole = json.dumps(PLAN)
    for end in range(1, len(whole)):
        with pytest.raises(UnsoundPlan):
            parse(whole[:end])


@pytest.mark.parametrize(
    "said",
    [
        '{"tasks": [{"id": "a", "tool": "t"}, {"id": "b" "tool": "u" // the second\n}]}',
        '{"tasks": [{"id": "a", "tool": "t", "args": {"text": "he said "no" to it"}}]}',
    ],
)
def test_mending_that_would_change_the_words_is_left_to_the_model(said: str) -> None:
    try:
        mended = parse(said)
    except UnsoundPlan:
        return
    assert isinstance(mended, Plan)
    kept = json.dumps([vars_of(task) for task in mended.tasks])
    assert all(word in kept for word in ("he said", "no", "to it"))


def vars_of(task: PlannedTask) -> dict[str, Any]:
    return {"id": task.id, "tool": task.tool, "args": task.args}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["tasks", "answer", "ask", "want", "notes", "id", "goal", "tool", "args", "each", "after", "check", "name", "x"]
    ), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(json_values, st.integers(0, 400), st.sampled_from(["", "so: ", "```json\n", "{'", "}"]))
def test_parse_raises_nothing_but_unsound_plan(value: Any, end: int, before: str) -> None:
    for said in (value, before + json.dumps(value), json.dumps(value)[:end], before + str(value)[:end]):
        try:
            decisions.parse(said)
        except UnsoundPlan as error:
            assert str(error)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='{}[]",:\\ tasknwer$01"\'\n', max_size=80))
def test_parse_of_any_text(text: str) -> None:
    for said in (text, '{"answer": ' + text, '{"tasks": [{"id": "a", ' + text + "}]}"):
        try:
            decisions.parse(said)
        except UnsoundPlan as error:
            assert str(error)

"""Known wordings: what they match, what they must not, and the arguments of a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.examples import PERSON, RECORD, Known
from agent.phrases import Phrases, fill, said
from tools import workspace
from tools.registry import Tool, from_function


def passed(known: str, tool: str = "t", runs: int = 2, **args: Any) -> Known:
    return Known(known, tool, RECORD, args, tuple(map(str, range(runs))))


def found(known: Known | list[Known], text: str, **inputs: Any) -> Any:
    return Phrases(known if isinstance(known, list) else [known]).find(text, inputs)


@pytest.mark.parametrize(
    ("known", "text", "args"),
    [
        (passed("the plural of child", word="child"), "The plural of mouse?", {"word": "mouse"}),
        (passed("round 3.14159 to 2 places", x=3.14159, n=2), "round 2.5 to 1 places.", {"x": 2.5, "n": 1}),
        (passed("how big is a.txt?", path="a.txt"), "how  big is docs/b.md", {"path": "docs/b.md"}),
        (passed("spell 'one two' backwards", text="one two"), "please spell 'a b c' backwards", {"text": "a b c"}),
        (passed("what is 2 + 2", expression="2 + 2"), "what is (3*4) - 1?", {"expression": "(3*4) - 1"}),
        (passed("sort it downwards", text="$input", reverse=True), "Sort it downwards", {"text": "x", "reverse": True}),
    ],
)
def test_a_wording_is_known_again_with_other_values(known: Known, text: str, args: dict[str, Any]) -> None:
    inputs = {"input": "x"} if "$input" in (known.args or {}).values() else {}
    assert found(known, text, **inputs) == ("t", args)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (passed("the plural of child", word="child"), "the plural of child in German"),
        (passed("the plural of child", word="child"), "the singular of mice"),
        (passed("the plural of child", word="child", runs=1), "the plural of mouse"),
        (passed("round 3.14 to 2 places", x=3.14, n=2), "round pi to 2 places"),
        (passed("which day is tomorrow", date="2026-03-01", days=1), "which day is tomorrow"),
        (passed("the files of docs", folder="docs", pattern="*.md"), "the files of docs"),
        (passed("copy a to a", path="a"), "copy b to c"),
        (passed("translate good morning", text="good morning"), "translate good evening to French"),
        (passed("t.txt", path="t.txt"), "u.txt"),
    ],
)
def test_nothing_is_guessed(known: Known, text: str) -> None:
    assert found(known, text) is None


def test_inputs_that_a_wording_says_nothing_of_make_nothing_sure() -> None:
    assert found(passed("what is 2 + 2", expression="2 + 2"), "what is 3 + 3", input="some text") is None
    assert found(passed("count it", text="$input"), "count it") is None


def test_a_wording_that_has_meant_two_things_means_nothing_sure() -> None:
    both = [passed("show a.txt", "first", path="a.txt"), passed("show b.txt", "second", path="b.txt")]
    assert found(both, "show c.txt") is None
    again = [passed("show a.txt", "first", path="a.txt"), Known("show a.txt", "", RECORD, None, ("1", "2"))]
    assert found(again, "show a.txt") is None and found(again, "show d.txt") == ("first", {"path": "d.txt"})


def test_a_persons_phrase_counts_at_once_and_may_leave_places() -> None:
    known = Known("how much is {expression}!", "calculate", PERSON)
    assert found(known, "How much is 2 + 2?") == ("calculate", {"expression": "2 + 2"})
    assert found(Known("what is here", "list_files", PERSON), " what is here? ") == ("list_files", None)
    two = Known("from {start} to {end}", "span", PERSON)
    assert found(two, "from a to b") == ("span", {"start": "a", "end": "b"})


def test_words_that_mean_something_to_a_pattern_are_words() -> None:
    assert found(Known("what (on earth) is [this]* {x}", "t", PERSON), "what (on earth) is [this]* 3") == (
        "t",
        {"x": "3"},
    )


# -- arguments


def taking(kind: Any, **defaults: Any) -> Tool:
    def tool(value: Any) -> str:
        """Do something."""
        return str(value)

    def optional(value: Any, times: int = 1) -> str:
        """Do something."""
        return str(value)

    chosen = optional if defaults else tool
    chosen.__annotations__["value"] = kind
    return from_function(chosen, "test")


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    workspace.enter(tmp_path)


@pytest.mark.parametrize(
    ("kind", "text", "inputs", "args"),
    [
        (str, "do it", {"input": "the text"}, {"value": "the text"}),
        (str, 'do it to "one two"', {}, {"value": "one two"}),
        (int, "do it to 12", {}, {"value": 12}),
        (float, "do it to -1.5", {}, {"value": -1.5}),
        (Path, "do it to a.txt", {}, {"value": "a.txt"}),
        (Path, "do it to b.txt", {}, None),  # no such file
        (Path, "do it to ../a.txt", {}, None),  # outside
        (str, "do it to a.txt", {}, None),  # its name, or what is in it?
        (str, "do it to 'a' and 'b'", {}, None),
        (str, "do it to 'a'", {"input": "b"}, None),
        (int, "do it to 'a'", {}, None),
        (str, "do it", {}, None),
        (str, "it's Ada's", {}, None),
    ],
)
def test_a_call_has_arguments_only_where_there_is_no_choice(kind: Any, text: str, inputs: Any, args: Any) -> None:
    assert fill(taking(kind), text, inputs, exact=False) == args


def test_an_optional_parameter_leaves_a_choice_unless_the_wording_is_exact() -> None:
    assert fill(taking(str, times=1), "do 'it'", {}, exact=False) is None
    assert fill(taking(str, times=1), "do 'it'", {}, exact=True) == {"value": "it"}


def test_the_values_of_a_text_are_read_once_each() -> None:
    assert said("put 'a.txt 3' into docs/b.md 2 times, 1.5 or v2") == [
        ("text", "a.txt 3"),
        ("path", "docs/b.md"),
        ("number", 2),
        ("number", 1.5),
    ]

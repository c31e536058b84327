"""The command `intents`: what a person teaches, tries and forgets; and once with the installed command."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import teach
from agent.errors import NotFound, UsageError
from agent.examples import RECORD, Known
from agent.output import Output
from agent.routes import Routes
from tests.e2e.command import ZOOID, Piped
from tools import workspace
from tools.registry import Registry, built_in, from_function

TOOLS = Registry()
TOOLS.add(built_in())


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    workspace.enter(tmp_path)
    return Routes(tmp_path / "router")


def shown(do: Callable[..., None], routes: Routes, *args: Any, **how: Any) -> Any:
    """What a command says, as JSON; with `words` as a person reads it, what goes with it behind."""
    words = how.pop("words", False)
    out, err = io.StringIO(), io.StringIO()
    output = Output(json=not words, stdout=out, stderr=err)
    do(output, Routes(routes.folder), *args)
    return out.getvalue() + err.getvalue() if words else json.loads(out.getvalue())


def test_a_phrase_is_added_listed_tried_and_forgotten(routes: Routes) -> None:
    phrases = ["how much is {expression}", "work out {expression}"]
    assert shown(teach.add, routes, TOOLS, "calculate", phrases) == {"intent": "calculate", "new": 2}
    assert shown(teach.show_intents, routes, TOOLS) == [
        {"intent": "calculate", "person": 2, "record": 0, "state": "yes"}
    ]
    tried = shown(teach.try_text, routes, TOOLS, "How much is 2 * 3?")
    assert tried["choice"] == {"tool": "calculate", "args": {"expression": "2 * 3"}, "confidence": 1.0}
    assert shown(teach.try_text, routes, TOOLS, "how are you")["choice"] is None
    assert shown(teach.forget, routes, "calculate")["forgotten"] == 2
    assert shown(teach.show_intents, routes, TOOLS) == []
    assert "nothing is known yet" in shown(teach.show_intents, routes, TOOLS, words=True)


def test_a_name_that_is_no_tool_is_refused_with_those_near_it(routes: Routes, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no tool 'calculat'; did you mean calculate"):
        teach.add(Output(), routes, TOOLS, "calculat", ["how much"])
    file = tmp_path / "rows.csv"
    file.write_text("text,intent\nhow are you,\ncount it,count_word\n")
    with pytest.raises(UsageError, match="row 2: .*'count_word'; did you mean .*count_words"):
        teach.learn(Output(), routes, TOOLS, file)
    assert not routes.folder.exists()
    with pytest.raises(NotFound, match="nothing is known of 'calculate'"):
        teach.forget(Output(), routes, "calculate")
    with pytest.raises(UsageError, match="zooid intents learn FILE"):
        teach.learn(Output(), routes, TOOLS, None)


@pytest.mark.parametrize("phrase", ["", " {expression} ", "?!", "how much is {sum}"])
def test_a_phrase_that_cannot_be_one_is_refused(routes: Routes, phrase: str) -> None:
    with pytest.raises(UsageError, match=r"no words of its own|no argument 'sum'.*takes expression"):
        teach.add(Output(), routes, TOOLS, "calculate", ["fine", phrase])
    assert not routes.folder.exists()


def rows(tools: dict[str, str]) -> list[dict[str, str]]:
    fill = "Paris Oslo Rome Bonn York Lima Kyoto Cairo Quito Accra".split()
    return [
        {"text": shape.format(word), "intent": name}
        for name, shapes in tools.items()
        for shape in shapes.split("|")
        for word in fill
    ]


def test_a_file_of_examples_is_learnt_and_more_of_it_beside(routes: Routes, tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    asked = {
        "word_frequencies": "how often is each word said in {}|which words does {} repeat|words of {} by number",
        "count_words": "how many words has {}|number of words in {}|how long in words is {}",
        "": "who lives in {}|book a flight to {}",
    }
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(asked)))
    found = shown(teach.learn, routes, TOOLS, file)
    assert found["trained"] and found["intents"] == ["count_words", "word_frequencies"] and found["examples"] == 80
    tried = shown(teach.try_text, routes, TOOLS, "how many words has Berlin")
    assert tried["choice"] is None and tried["others"][0]["intent"] == "count_words"
    said = shown(teach.try_text, routes, TOOLS, "how many words has Berlin", words=True)
    assert said.startswith("a planner is asked; the nearest:\n  count_words")
    assert "learnt from 80 examples" in shown(teach.show_intents, routes, TOOLS, words=True)
    shown(teach.forget, routes, "none")
    assert Routes(routes.folder).learnt() == 60
    assert "too few" in shown(teach.learn, routes, TOOLS, None, words=True)


def test_what_may_not_be_asked_alone_is_said(routes: Routes) -> None:
    routes.examples.add([Known("gone {x}", "gone"), Known("no", "", RECORD)])
    words = shown(teach.show_intents, routes, TOOLS, words=True)
    assert "no: it is not there" in words and "(no single tool)" in words
    assert "has the effect write" in shown(teach.add, routes, writing(), "wipe", ["wipe it"], words=True)


def writing() -> Registry:
    def wipe(path: str) -> str:
        """Wipe a file.

        Effect: write
        """
        return path

    found = Registry()
    found.add([from_function(wipe, "test")])
    return found


def test_the_installed_command_learns_and_then_needs_no_planner(tmp_path: Path) -> None:
    if not Path(ZOOID).exists():
        pytest.skip(f"the command is not installed at {ZOOID}")
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    zooid = Piped(tmp_path / "home", tmp_path / "work")
    assert zooid("intents", "add", "calculate", "what makes {expression}").returncode == 0
    assert "calculate(expression=6 * 7)" in zooid("run", "--plan", "What makes 6 * 7?").stdout
    done = zooid("run", "what makes 6 * 7", "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["answer"], last["verified"], done.returncode) == (42, False, 0)
    wrong = zooid("intents", "add", "calculat", "x y")
    assert wrong.returncode == 2 and "did you mean calculate?" in wrong.stderr
    assert "Examples:" in zooid("intents", "try", "--help").stdout

"""The learned router on the ladder: what goes to a tool before any planner, and what must not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent import events as ev
from agent.errors import StorageError
from agent.examples import PERSON, RECORD, Examples, Known
from agent.router import Router
from agent.routes import LEAST, Routes
from agent.run import Run
from tests.agent.test_run import Ended, World, call, plan
from tools import workspace
from tools.registry import Registry, built_in, from_function

TOOLS = Registry()
TOOLS.add(built_in())


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    workspace.enter(tmp_path)
    return Routes(tmp_path / "router")


def teach(routes: Routes, *known: Known) -> Routes:
    routes.examples.add(known)
    return Routes(routes.folder)


def asked(routes: Routes, text: str, tools: Registry = TOOLS, **inputs: Any) -> Any:
    choice = routes.choose(text, inputs, tools)
    return choice and (choice.tool.name, choice.args)


# -- choosing


def test_without_examples_nothing_is_chosen_made_or_read(routes: Routes) -> None:
    assert asked(routes, "how much is 2 + 2") is None
    assert not routes.folder.exists() and routes.said() == {} and not routes.due()


def test_numpy_is_imported_only_for_a_router_that_was_trained(routes: Routes) -> None:
    teach(routes, Known("how much is {expression}", "calculate", PERSON))
    code = (
        "import sys; from pathlib import Path; from agent.routes import Routes; from tools.registry import *\n"
        "tools = Registry(); tools.add(built_in())\n"
        f"routes = Routes(Path({str(routes.folder)!r}))\n"
        "assert routes.choose('how much is 2', {}, tools) and not routes.choose('how are you', {}, tools)\n"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "False", done.stderr


def test_a_taught_wording_goes_to_its_tool(routes: Routes) -> None:
    taught = teach(routes, Known("how much is {expression}", "calculate", PERSON), Known("what day", "today", PERSON))
    assert asked(taught, "How much is 3 * 4?") == ("calculate", {"expression": "3 * 4"})
    assert asked(taught, "how many is 3 * 4?") is None


def test_a_tool_that_changes_something_or_is_not_there_is_never_chosen(routes: Routes) -> None:
    def wipe(path: str) -> str:
        """Wipe a file.

        Effect: write
        """
        return path

    tools = Registry()
    tools.add([from_function(wipe, "test")])
    taught = teach(routes, Known("wipe {path}", "wipe", PERSON), Known("gone {x}", "gone", PERSON))
    assert asked(taught, "wipe a.txt", tools) is None and asked(taught, "gone a", tools) is None


def test_arguments_that_do_not_fit_are_left_to_a_planner(routes: Routes) -> None:
    taught = teach(routes, Known("lines of {path}", "read_file", PERSON))
    assert asked(taught, "lines of ../../etc/passwd") is None


# -- like what was asked before

_SHAPES = {
    "plural": "plural of '{}'|what is the plural of '{}'|put '{}' in the plural|more than one '{}'|many of '{}'",
    "language": "which language is '{}'|what language is '{}' in|tell the language of '{}'|'{}' is in which language",
}
_WORDS = "child mouse house goose tooth city leaf wolf box hero baby knife ox man day bus fox echo".split()


def many() -> list[Known]:
    found = [
        Known(shape.format(word), tool, RECORD, None, ("1",))
        for tool, shapes in _SHAPES.items()
        for shape in shapes.split("|")
        for word in _WORDS
    ]
    others = "who painted the ceiling of {}|why is {} see-through|play some {} for me|book a table at {}|wake me at {}"
    return found + [Known(shape.format(word), "", RECORD) for shape in others.split("|") for word in _WORDS[:9]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Routes:
    pytest.importorskip("numpy")
    routes = Routes(tmp_path_factory.mktemp("trained") / "router")
    routes.examples.add(many())
    assert routes.due() and routes.catch_up() and not Routes(routes.folder).due()
    router = routes.router
    assert router and router.sure.alone > 1  # two hundred examples show too little for that
    router.sure.alone = 0.7
    router.save(routes.folder)
    return routes


def tools() -> Registry:
    def plural(word: str) -> str:
        """The plural of a word."""
        return word + "s"

    def language(text: str) -> str:
        """The language of a text."""
        return text

    found = Registry()
    found.add([from_function(plural, "test"), from_function(language, "test")])
    return found


def test_what_is_like_known_requests_goes_where_they_went(trained: Routes) -> None:
    fresh = Routes(trained.folder)
    assert asked(fresh, "what would be the plural of 'sheep'", tools()) == ("plural", {"word": "sheep"})
    assert asked(fresh, "in which language is 'guten Tag'", tools()) == ("language", {"text": "guten Tag"})
    for unlike in ("who painted the plural", "buy 'sheep' for me", "", "sing 'guten Tag' on stage"):
        assert asked(fresh, unlike, tools()) is None
    assert asked(fresh, "what would be the plural of 'sheep' and 'cow'", tools()) is None


def test_a_choice_costs_less_than_a_millisecond(trained: Routes) -> None:
    known, times = tools(), []
    for _ in range(60):
        started = time.perf_counter()
        trained.choose("what would be the plural of 'sheep'", {}, known)
        times.append(time.perf_counter() - started)
    assert sorted(times)[15] < 0.001


def test_it_is_learnt_anew_when_there_is_much_more(trained: Routes, tmp_path: Path) -> None:
    routes = Routes(tmp_path / "router")
    routes.examples.add(many()[:LEAST])
    assert not routes.due()  # of one tool alone
    routes = teach(routes, *many()[::4])
    asked(routes, "anything", tools())
    assert Routes(routes.folder).learnt() == len(routes.known) >= LEAST
    routes = teach(routes, Known("one more", "plural", PERSON))
    assert not routes.due()


def test_a_damaged_router_costs_the_choice_and_no_more(trained: Routes, tmp_path: Path) -> None:
    routes = Routes(tmp_path / "router")
    routes.examples.add(many())
    (routes.folder / "router.npz").write_bytes(b"not a router")
    (routes.folder / "learnt.json").write_text('{"examples": 400}')
    assert asked(routes, "what would be the plural of 'sheep'", tools()) is None
    with pytest.raises(StorageError, match="zooid intents learn"):
        _ = Routes(routes.folder).router


# -- the ladder


class Taught(World):
    """A world whose runs are routed and are learnt from."""

    async def _work(self, run: Run, opening: list[ev.Event]) -> None:  # type: ignore[override]
        run.routes = Routes(self.folder / "router")
        run.listeners.append(run.routes.listener(run.tree))
        await World._work(run, opening)

    @property
    def examples(self) -> Examples:
        return Examples(self.folder / "router" / "examples.jsonl")


@pytest.fixture
def world(tmp_path: Path) -> Taught:
    return Taught(tmp_path)


def test_a_known_request_costs_no_model_call(world: Taught) -> None:
    world.examples.add([Known("how much is {expression}", "calculate", PERSON)])
    ended = world.run([], "how much is 6 * 7")
    assert ended.root.result == 42 and ended.root.worker == "calculate" and not ended.server.requests
    assert ended.root.status == "done" and not ended.root.verified  # nothing has checked it


def test_what_fails_goes_on_to_the_planner(world: Taught) -> None:
    world.examples.add([Known("how much is {expression}", "calculate", PERSON)])
    ended = world.run([{"answer": "a lot"}], "how much is the moon")
    assert ended.root.result == "a lot" and len(ended.server.requests) == 1
    assert [attempt.worker for attempt in ended.root.attempts] == ["calculate", "openai:scripted"]


def test_what_fails_its_check_goes_on_to_the_planner(world: Taught) -> None:
    world.examples.add([Known("how much is {expression}", "calculate", PERSON)])
    step = {"id": "a", "goal": "how much is 2 + 2", "check": {"equals": 5}}
    script = [plan(step, answer="$a"), {"answer": 5}]
    ended = world.run(script, "the goal")
    assert ended.root.result == 5 and ended.task("root.a").verified
    calls = [attempt for attempt in ended.task("root.a").attempts if attempt.worker == "calculate"]
    assert len(calls) == 1 and calls[0].verdict.startswith("failed")


def test_a_tool_of_the_plan_is_not_routed(world: Taught) -> None:
    world.examples.add([Known("count it", "calculate", PERSON)])
    ended = world.run([plan(call("a", "count_words", text="one two"), answer="$a")], "count them")
    assert ended.root.result == 2 and ended.task("root.a").worker == "count_words"


def learnt(world: Taught) -> list[tuple[str, str, Any]]:
    return [(one.text, one.intent, one.args) for one in world.examples.read()]


def sums(world: Taught, text: str, expression: str) -> Ended:
    return world.run([plan(call("a", "calculate", expression=expression), answer="$a")], text)


def test_what_passed_in_two_runs_is_done_without_a_planner_in_the_third(world: Taught) -> None:
    assert sums(world, "add up 1 + 2", "1 + 2").server.requests
    assert learnt(world) == [("add up 1 + 2", "calculate", {"expression": "1 + 2"})]
    assert sums(world, "add up 1 + 2", "1 + 2").server.requests
    ended = world.run([], "add up 30 + 12")
    assert ended.root.result == 42 and not ended.server.requests
    assert len(learnt(world)) == 1  # what nothing has checked teaches nothing


def test_a_run_that_is_not_done_teaches_nothing(world: Taught) -> None:
    world.run([plan(call("a", "calculate", expression="1 + 2"), call("b", "calculate", expression="("))], "add")
    assert learnt(world) == []


# -- what a planner is shown


def test_a_tool_that_answered_the_like_before_is_moved_up() -> None:
    def zyx(text: str) -> str:
        """Do what it does."""
        return text

    tools = [*TOOLS, from_function(zyx, "test")]
    text = "tell me the mood of this review"
    before = [tool.name for _, tool in Router(tools).rank(text)].index("zyx")
    known = {"zyx": ["what is the mood of that review"]}
    assert [tool.name for _, tool in Router(tools, known).rank(text)][0] == "zyx" and before > 0
    assert [tool.name for _, tool in Router(tools, known).rank("sum these numbers")][0] != "zyx"

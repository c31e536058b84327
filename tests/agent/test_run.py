"""A run from beginning to end: limits, pauses, approvals, and going on. Models speak from a scripted server.

`World` is what the tests of the loop share: a workspace, a folder of runs and a registry of tools.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent import events as ev
from agent.budget import Limits
from agent.errors import LimitHit, PersonError, ProviderUnavailable, StorageError
from agent.planners.openai import OpenAIPlanner
from agent.run import Person, Run
from agent.store import Store
from agent.task import ROOT, Task
from agent.tree import Tree
from tests.scripted import Reply, Server
from tools import workspace
from tools.registry import Registry, built_in, from_function
from tools.schema import as_text

GIVE_UP = {"want": {"name": "nothing", "signature": "nothing() -> str"}}


def call(id: str, tool: str, /, each: Any = None, after: Iterable[str] = (), check: Any = None, **args: Any) -> Any:
    """A planned call of a tool, as a model writes it."""
    task: dict[str, Any] = {"id": id, "tool": tool, "args": args}
    return task | {k: v for k, v in (("each", each), ("after", list(after)), ("check", check)) if v}


def goal(id: str, text: str, **more: Any) -> Any:
    """A planned task that is planned by itself."""
    return {"id": id, "goal": text, **more}


def plan(*tasks: Any, answer: str | None = None, notes: str = "") -> Any:
    return {"tasks": list(tasks), "answer": answer, "notes": notes}


def prompt(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def by_goal(replies: dict[str, list[Any]], otherwise: Any = GIVE_UP) -> Callable[[dict[str, Any]], Any]:
    """A script that answers each goal from a list of its own."""
    left = {text: iter(said) for text, said in replies.items()}

    def say(body: dict[str, Any]) -> Any:
        found = re.match(r"Goal: (.*)", body["messages"][1]["content"])
        assert found
        return next(left.get(found[1], iter(())), otherwise)

    return say


@dataclass
class Ended:
    """What came of a sitting with a run."""

    tree: Tree
    server: Server
    error: PersonError | None
    seconds: float

    @property
    def root(self) -> Task:
        assert self.tree.root
        return self.tree.root

    @property
    def code(self) -> int:
        return self.tree.exit_code

    @property
    def prompts(self) -> list[str]:
        return [prompt(body) for body in self.server.requests]

    def task(self, id: str) -> Task:
        return self.tree.tasks[id]


@dataclass
class World:
    folder: Path
    tools: Registry = field(default_factory=Registry)
    last: str = ""

    def __post_init__(self) -> None:
        self.runs, self.work = self.folder / "runs", self.folder / "work"
        self.work.mkdir()
        self.tools.add(built_in())

    def tool(self, function: Any) -> Any:
        self.tools.add([from_function(function, "test")])
        return function

    def run(self, script: Any, text: str = "the goal", inputs: dict[str, Any] | None = None, **how: Any) -> Ended:
        store = Store.create(self.runs)
        self.last = store.run
        opening = [ev.RunStarted(ROOT, text, inputs or {}, str(self.work), {})]
        return self._sit(Tree(store.run), store, opening, script, **how)

    def resume(self, script: Any = (), answer: str | None = None, **how: Any) -> Ended:
        store, tree = Store.open(self.runs, self.last)
        store.own()
        opening: list[ev.Event] = [ev.RunResumed(ROOT, {})]
        if answer is not None:
            asked = next(iter(tree.asked.values()))
            opening.append(ev.Answered(asked.task, asked.kind, answer, asked.call, by="person"))
        return self._sit(tree, store, opening, script, **how)

    def _sit(
        self,
        tree: Tree,
        store: Store,
        opening: list[Any],
        script: Any,
        approve: Any = "ask",
        person: Person | None = None,
        delay: float = 0.0,
        price: tuple[float, float] | None = None,
        **limits: Any,
    ) -> Ended:
        run = Run(tree, store, self.tools, [], Limits(**limits), approve, person)
        error = None
        with Server(script, delay=delay) as server:
            prices = {"scripted": {"input": price[0], "output": price[1]}} if price else None
            planner = OpenAIPlanner("scripted", server.base_url, "key", max_retries=1, backoff=0.01, own_prices=prices)
            run.planners = [planner]
            started = time.monotonic()
            try:
                asyncio.run(self._work(run, opening))
            except PersonError as raised:
                error = raised
            finally:
                store.close()
            seconds = time.monotonic() - started
        if not isinstance(error, StorageError):  # where the disk takes no more, the tree is ahead of it
            same(tree, self.reload())
        return Ended(tree, server, error, seconds)

    @staticmethod
    async def _work(run: Run, opening: list[ev.Event]) -> None:
        for event in opening:
            run.emit(event, commit=True)
        await run.work()

    def reload(self) -> Tree:
        store, tree = Store.open(self.runs, self.last)
        store.close()
        return tree


def same(one: Tree, other: Tree) -> None:
    """What lies on the disk adds up to the tree that the loop worked on, to the letter."""
    assert vars(one) == vars(other)
    for id, task in one.tasks.items():
        assert as_text(task.result) == as_text(other.tasks[id].result)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# -- limits


def thirty() -> Any:
    return plan(
        call("l", "list_files", folder="."), call("s", "file_size", each="$l", path="$item"), answer="sizes\n$s"
    )


def test_the_limit_of_tasks_is_exact_and_the_run_goes_on_under_a_higher_one(world: World) -> None:
    for n in range(27):
        (world.work / f"{n:02}.txt").write_text("x" * n)
    done = world.run([thirty()], tasks=12)
    assert isinstance(done.error, LimitHit) and (done.code, len(done.tree.tasks)) == (3, 12)
    assert "--max-tasks" in str(done.error)
    again = world.resume(tasks=12)
    assert (again.code, len(again.tree.tasks)) == (3, 12)
    on = world.resume(tasks=30)
    assert (on.code, len(on.tree.tasks), on.server.requests) == (0, 30, [])
    assert on.root.result.splitlines()[-1] == "26.txt: 26"


def test_a_plan_over_the_limit_of_tasks_keeps_what_joined(world: World) -> None:
    (world.work / "a.txt").write_text("one")
    steps = [call(f"s{n}", "read_file", path="a.txt") for n in range(6)]
    done = world.run([plan(*steps, answer="$s5")], tasks=4)
    assert (done.code, len(done.tree.tasks)) == (3, 4)
    on = world.resume(tasks=7)
    assert (on.code, on.root.result, on.server.requests) == (0, "one", [])


def test_the_limit_of_time_ends_a_sitting_and_not_the_run(world: World) -> None:
    calls = []

    def slow(text: str) -> str:
        """Take a while."""
        calls.append(text)
        time.sleep(3 if len(calls) == 2 else 0)
        return text

    world.tool(slow)
    steps = plan(call("a", "slow", text="1"), call("b", "slow", text="$a", after=["a"]), answer="$a$b")
    done = world.run([steps], seconds=1.0)
    assert isinstance(done.error, LimitHit) and done.code == 3 and "resume" in str(done.error)
    on = world.resume()
    assert (on.code, on.root.result, on.server.requests) == (0, "11", [])
    assert calls == ["1"] * 3  # the one that was cut off was done again


def test_no_time_at_all(world: World) -> None:
    done = world.run([{"answer": 1}], seconds=0.0)
    assert done.code == 3 and done.server.requests == []


def test_a_provider_that_fails_leaves_a_run_to_go_on_with(world: World) -> None:
    (world.work / "a.txt").write_text("one")
    first = plan(call("r", "read_file", path="a.txt"))
    done = world.run([first, *[Reply(status=503)] * 2])
    assert isinstance(done.error, ProviderUnavailable) and (done.code, done.tree.status) == (75, "stopped")
    on = world.resume([{"answer": "seen"}])
    assert (on.code, on.root.result, len(on.server.served)) == (0, "seen", 1)


def test_a_model_that_fails_beside_others_is_what_the_person_is_told(world: World) -> None:
    script = by_goal(
        {
            "the goal": [plan(*[goal(f"g{n}", f"part {n}") for n in range(4)], answer="$g0")],
            "part 0": [Reply({"answer": "zero"}, delay=0.5)],
            "part 1": [Reply(status=401, error={"message": "no"})],
        },
        Reply({"answer": "x"}, delay=0.5),
    )
    done = world.run(script)
    assert done.code == 77 and "key" in str(done.error)


# -- the person


def test_a_question_pauses_and_its_answer_reaches_the_planner(world: World) -> None:
    done = world.run([{"ask": "Which file?"}])
    assert (done.code, done.root.status, done.root.blocked) == (4, "paused", "Which file?")
    assert world.resume().code == 4
    on = world.resume([{"answer": "a.txt"}], answer="the first one")
    assert (on.code, on.root.result) == (0, "a.txt")
    assert "Which file?" in on.prompts[0] and "the first one" in on.prompts[0]


def test_a_question_that_was_answered_is_not_put_again_for_ever(world: World) -> None:
    world.run([{"ask": "Which file?"}])
    on = world.resume([{"ask": "Which file?"}] * 9, answer="the first one")
    assert on.code == 1 and len(on.server.requests) == 3
    assert "asked that already" in on.prompts[1] and "the first one" in on.prompts[1]


class AtHand:
    """A person who is there."""

    def __init__(self, yes: bool = True, said: str = "blue", first: Callable[[], None] | None = None) -> None:
        self.yes, self.said, self.first = yes, said, first
        self.heard: list[str] = []

    async def approve(self, asked: ev.Asked) -> bool:
        self.heard.append(asked.text)
        if self.first:
            self.first()
            self.first = None
        return self.yes

    async def answer(self, text: str) -> str:
        self.heard.append(text)
        return self.said


def test_a_person_who_is_there_is_asked_one_thing_at_a_time(world: World) -> None:
    person = AtHand()
    asks = plan(goal("a", "ask a"), goal("b", "ask b"), answer="$a $b")
    script = by_goal(
        {
            "the goal": [asks],
            "ask a": [{"ask": "A?"}, {"answer": "one"}],
            "ask b": [{"ask": "B?"}, {"answer": "two"}],
        }
    )
    done = world.run(script, person=person)
    assert (done.code, done.root.result, sorted(person.heard)) == (0, "one two", ["A?", "B?"])


REPLACE = plan(call("w", "write_file", path="b.txt", text="new"), answer="wrote $w")


def test_replacing_a_file_waits_for_a_word(world: World) -> None:
    (world.work / "b.txt").write_text("old")
    done = world.run([REPLACE])
    assert (done.code, (world.work / "b.txt").read_text()) == (4, "old")
    assert [asked.kind for asked in done.tree.asked.values()] == ["approval"]
    on = world.resume(answer="yes")
    assert (on.code, on.root.result, (world.work / "b.txt").read_text()) == (0, "wrote b.txt", "new\n")


def test_a_file_that_changed_since_it_was_approved_is_asked_about_again(world: World) -> None:
    (world.work / "b.txt").write_text("old")
    world.run([REPLACE])
    (world.work / "b.txt").write_text("changed by somebody")
    assert world.resume(answer="yes").code == 4
    assert (world.work / "b.txt").read_text() == "changed by somebody"


def test_a_file_that_changes_while_a_person_thinks_is_asked_about_again(world: World) -> None:
    target = world.work / "b.txt"
    target.write_text("old")
    person = AtHand(first=lambda: target.write_text("changed") and None)
    assert world.run([REPLACE], person=person).code == 0
    assert len(person.heard) == 2


def test_what_was_refused_is_not_done_and_the_planner_is_told(world: World) -> None:
    (world.work / "b.txt").write_text("old")
    done = world.run([REPLACE, {"answer": "left alone"}], person=AtHand(yes=False))
    assert (done.root.result, (world.work / "b.txt").read_text()) == ("left alone", "old")
    assert done.prompts[1].startswith("Goal: the goal") and "not approved" in done.prompts[1]
    never = world.run([REPLACE, {"answer": "left alone"}], approve="never")
    assert never.root.result == "left alone" and "not allowed" in never.prompts[1]


def test_two_that_wait_are_answered_one_after_the_other(world: World) -> None:
    for name in "ab":
        (world.work / f"{name}.txt").write_text("old")
    writes = [call(name, "write_file", path=f"{name}.txt", text="new") for name in "ab"]
    done = world.run([plan(*writes, call("n", "count_words", text="x y"), answer="$a $b $n")])
    assert done.code == 4 and len(done.tree.asked) == 2 and done.task("root.n").status == "done"
    half = world.resume(answer="yes")
    assert half.code == 4 and len(half.tree.asked) == 1
    on = world.resume(answer="yes")
    assert (on.code, on.root.result) == (0, "a.txt b.txt 2")
    assert {a.verdict for task in on.tree.tasks.values() for a in task.attempts} == {"verified"}


# -- going on where an effect was cut short


class Cut(BaseException):
    """Stands in for a kill: nothing that comes after it is written."""


def cut(world: World, script: Any, when: Callable[[ev.Event], bool], **how: Any) -> None:
    """Begin a run that ends without a trace right after the event that `when` is true of."""
    store = Store.create(world.runs)
    world.last = store.run
    run = Run(Tree(store.run), store, world.tools, [], Limits(), **how)
    commit, dead = store.commit, []

    def listen(seq: int, at: float, event: ev.Event) -> None:
        if when(event) and not dead:
            dead.append(event)
            store.commit = lambda: None  # type: ignore[method-assign]
            raise Cut

    run.listeners.append(listen)
    with Server(script) as server, pytest.raises(BaseException) as raised:  # noqa: PT011 - a group, or Cut itself
        run.planners = [OpenAIPlanner("scripted", server.base_url, "key")]
        asyncio.run(World._work(run, [ev.RunStarted(ROOT, "the goal", {}, str(world.work), {})]))
    assert dead, raised
    store.commit = commit  # type: ignore[method-assign]
    store.close()


def started(tool: str) -> Callable[[ev.Event], bool]:
    return lambda event: isinstance(event, ev.AttemptStarted) and event.worker == tool


def test_an_effect_of_which_nobody_can_tell_is_asked_about_every_time(world: World) -> None:
    sent: list[str] = []

    def send(text: str) -> str:
        """Send a text.

        Effect: network
        """
        sent.append(text)
        return f"sent {text}"

    world.tool(send)
    cut(world, [plan(call("s", "send", text="hello"), answer="$s")], started("send"), approve="auto")
    for _ in range(2):  # also with all approved, and also a second time
        paused = world.resume(approve="auto")
        assert paused.code == 4 and "cut short" in paused.root.blocked and sent == []
    done = world.resume(answer="yes", approve="auto")
    assert (done.code, done.root.result, sent) == (0, "sent hello", ["hello"])


def test_a_word_to_do_it_again_holds_once(world: World) -> None:
    tree = Tree("x")
    tree.apply(ev.TaskPlanned(ROOT, None, "g"), 0)
    tree.apply(ev.AttemptStarted(ROOT, 1, "send", "network", "c1"), 0)
    tree.apply(ev.Answered(ROOT, "approval", "yes", "again:c1"), 0)
    assert (ROOT, "again:c1") in tree.answers
    tree.apply(ev.AttemptStarted(ROOT, 1, "send", "network", "c1"), 0)
    assert (ROOT, "again:c1") not in tree.answers


def test_a_tool_that_can_tell_is_not_asked_about(world: World) -> None:
    writes = 0

    def publish(path: Path, text: str) -> None:
        """Publish a text.

        Effect: write
        """
        nonlocal writes
        writes += 1
        path.write_text(text)

    publish.done = lambda path, text: path.is_file() and path.read_text() == text  # type: ignore[attr-defined]
    publish.done.__annotations__ = {"path": Path, "text": str, "return": bool}  # type: ignore[attr-defined]
    world.tool(publish)
    script = [plan(call("p", "publish", path="p.txt", text="x"), answer="done $p")]
    cut(world, script, started("publish"))
    (world.work / "p.txt").write_text("x")
    done = world.resume()
    assert (done.code, done.root.result, writes) == (0, "done ", 0)
    (world.work / "p.txt").unlink()
    cut(world, script, started("publish"))
    assert (world.resume().code, writes) == (0, 1)


def test_an_effect_that_happened_is_kept_before_its_check_waits_for_a_word(world: World) -> None:
    sent: list[str] = []

    def send(text: str) -> str:
        """Send a text.

        Effect: network
        """
        sent.append(text)
        return text

    world.tool(send)
    person = AtHand()
    script = [plan(call("s", "send", text="hi", check={"command": "grep -q hi"}), answer="$s")]
    first = world.run(script, approve="ask")
    assert first.code == 4
    second = world.resume(answer="yes")
    assert (second.code, sent) == (4, ["hi"]) and "grep" in second.root.blocked
    assert (world.resume(person=person).code, sent) == (0, ["hi"])


def test_a_run_without_a_workspace_of_its_own_enters_it(world: World) -> None:
    (world.work / "here.txt").write_text("1")
    workspace.enter(world.folder)
    assert world.run([plan(call("l", "list_files"), answer="$l")]).root.result == ["here.txt"]

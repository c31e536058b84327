"""Kills at random times, again and again, while slow models and many tools are at work; two processes on one run."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Piped
from tests.e2e.test_kill import HAPPENED, Case, End, World, answered, call, mark, worlds
from tests.scripted import Reply, Server

RUNS, KILLS = 200, 6  # so often is each run killed, if it does not end before

FAN = [
    call("files", "list_files", pattern="*.txt"),
    {"id": "parts", "goal": "look after part $item", "each": ["p", "q", "r", "s"]},
    call("sizes", "file_size", each="$files", path="$item"),
]
CALLS = 6  # of the model, in a run that nothing disturbs
LINES = Counter(f"part {part}" for part in "pqrs")


def part(name: str) -> list[dict[str, Any]]:
    return [
        call("text", "read_file", path="a.txt"),
        call("saved", "write_file", path=f"{name}.md", text="$text"),
        call("noted", "append_line", text=f"part {name}", after=["saved"]),
    ]


def slow(body: dict[str, Any]) -> Reply:
    """What the model says, after a while that differs from prompt to prompt."""
    text = body["messages"][-1]["content"]
    goal = text.splitlines()[0].removeprefix("Goal: ")
    delay = 0.02 + random.Random(text[:200]).random() * 0.1
    if "The last try failed" in text:
        return Reply({"want": {"name": "another try", "signature": "none"}})
    if goal.startswith("look after part"):
        return Reply({"tasks": part(goal[-1]), "answer": "$noted", "notes": goal}, delay=delay)
    if "\nResults:" in text:
        return Reply({"answer": "all is done"}, delay=delay)
    return Reply({"tasks": FAN, "answer": None, "notes": goal}, delay=delay)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from worlds(tmp_path_factory.mktemp("faults"), slow)


def go_on(case: Case, **how: Any) -> End:
    """Resume the run; start it where it was killed before its goal was kept."""
    if any(case.runs.glob("*.db")):
        end = case.resume(**how)
        if not (end.code == 2 and "start it again" in end.said):
            return end
        assert not case.asked() and not case.lines()
        shutil.rmtree(case.runs)
    return case.run(**how)


EVERYDAY = 2
SEEDS = [*range(EVERYDAY), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(EVERYDAY, RUNS))]


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random_times(world: World, seed: int) -> None:
    chance, case = random.Random(seed), world.case("look after all parts")
    kept: dict[str, int] = {}  # the model calls that are in the tree, and how often they had been made by then
    done: Counter[str] = Counter()
    kills = 0
    for _ in range(KILLS):
        end = go_on(case, after=chance.uniform(0.02, 0.6))
        if end.code != -signal.SIGKILL:
            break
        kills += 1
        time.sleep(0.05)  # what the plugin's process had begun, it has ended by now
        now = case.committed()
        assert kept.keys() <= now.keys(), "what was committed is lost"
        assert all(case.asked()[said] == count for said, count in kept.items()), "a finished call was made again"
        assert not case.lines() - LINES, "an effect was repeated"
        kept, done = {said: kept.get(said, case.asked()[said]) for said in now}, case.lines()
    if end.code == -signal.SIGKILL:
        end = go_on(case)
    outcome, end = answered(case, end, done)
    print(f"\nseed {seed}: {kills} kills, {outcome}")
    assert not case.lines() - LINES and set(case.writes().values()) == {1}
    assert all(case.asked()[said] == count for said, count in kept.items())
    if outcome != HAPPENED:
        assert (end.code, end.answer) == (0, "all is done\n"), end.said
        assert case.lines() == LINES and {f"{name}.md" for name in "pqrs"} <= case.files().keys()


def test_the_run_that_is_killed_is_the_one_that_is_measured(world: World) -> None:
    case = world.case("look after all parts")
    end = case.run()
    assert (end.code, end.answer) == (0, "all is done\n")
    assert sum(case.asked().values()) == CALLS and mark({"answer": "all is done"}) in case.asked()


def test_two_processes_on_one_run(zooid: Piped, work: Path) -> None:
    model = {"OPENAI_API_KEY": "key"}
    with Server([{"tasks": [call("r", "read_file", path="a.txt")]}, Reply({"answer": "in peace"}, delay=4)]) as server:
        planner = ["--planner", "openai", "--model", "scripted", "--base-url", server.base_url]
        with zooid.start("run", "take your time", *planner, **model) as first:
            end = time.monotonic() + 20
            while len(server.requests) < 2:
                assert time.monotonic() < end
                time.sleep(0.02)
            second = zooid("resume", "--last", **model)
            assert (second.returncode, second.stdout) == (2, "")
            assert "being worked on by another process; watch it with: zooid tree" in second.stderr
            assert second.stderr.count("\n") == 1
            assert zooid("tree", zooid.last()).returncode == 0  # to look on is no intrusion
            said, _ = first.communicate(timeout=20)
    assert (first.returncode, said, len(server.requests)) == (0, "in peace\n", 2)

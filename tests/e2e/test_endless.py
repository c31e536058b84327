"""Models that never come to an end: each is stopped exactly at its limit, and no call is made for ever."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Piped
from tests.e2e.test_command import by, plan
from tests.scripted import Reply, Server

KEY = {"OPENAI_API_KEY": "sk-secret-of-the-test"}
WORDS = "sort count order weigh list gather check compare sum up look through".split()
Script = Callable[[dict[str, Any]], Any]


def goal(body: dict[str, Any]) -> str:
    return str(body["messages"][1]["content"]).splitlines()[0].removeprefix("Goal: ")


def may_plan(body: dict[str, Any]) -> bool:
    return "tasks" in json.dumps(body.get("response_format", {}))


def deeper(number: itertools.count[int]) -> Script:
    """A smaller task each time, for ever; an answer where it may not plan."""
    return lambda body: (
        plan({"id": "d", "goal": f"Step {next(number)} down"}, answer="$d") if may_plan(body) else {"answer": "up"}
    )


def jittered(chance: random.Random) -> Script:
    """The same task in other words each time, twice."""

    def say(body: dict[str, Any]) -> Any:
        if not may_plan(body):
            return {"answer": "x"}
        return plan(*({"id": f"t{n}", "goal": " ".join(chance.sample(WORDS, 5))} for n in range(2)), answer="$t0")

    return say


def mutual(body: dict[str, Any]) -> Any:
    """Two tasks, each made of the other."""
    return (
        plan({"id": "t", "goal": "Do B" if goal(body).endswith("A") else "Do A"}) if may_plan(body) else {"answer": 1}
    )


def turns(number: itertools.count[int]) -> Script:
    """One tiny call a turn, for ever."""
    return lambda body: plan({"id": "a", "tool": "calculate", "args": {"expression": f"{next(number)} + 1"}})


def again(body: dict[str, Any]) -> Any:
    """The same call that fails, for ever."""
    return plan({"id": "a", "tool": "flaky", "args": {"text": "x"}}, {"id": "b", "goal": "Go on", "after": ["a"]})


def wide(body: dict[str, Any]) -> Any:
    return plan(
        *({"id": f"t{n}", "tool": "calculate", "args": {"expression": f"{n}"}} for n in range(200)), answer="$t0"
    )


def tasks(tree: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """All tasks of a tree with their depth."""
    found, waiting = [], [(0, tree)]
    while waiting:
        depth, task = waiting.pop()
        found.append((depth, task))
        waiting += [(depth + 1, child) for child in task["children"]]
    return found


class Ended:
    def __init__(self, zooid: Piped, script: Script, *flags: str) -> None:
        with Server(script) as server:
            done = zooid("run", "Do A", "--approve", "auto", *by(server), *flags, **KEY)
        self.code, self.said = done.returncode, done.stderr
        self.tasks = tasks(json.loads(zooid("tree", zooid.last(), "--json").stdout)["tree"])
        self.asked = Counter(json.dumps(body["messages"]) for body in server.requests)
        assert "Traceback" not in self.said and "defect" not in self.said

    @property
    def depth(self) -> int:
        return max(depth for depth, _ in self.tasks)


def test_depth(zooid: Piped) -> None:
    ended = Ended(zooid, deeper(itertools.count()), "--max-depth", "3")
    assert ended.depth == 3 and len(ended.tasks) == 4
    assert max(ended.asked.values()) <= 5


@pytest.mark.slow
@pytest.mark.parametrize("script", [mutual, jittered(random.Random(1))])
def test_recursion(zooid: Piped, script: Script) -> None:
    ended = Ended(zooid, script, "--max-depth", "4", "--max-tasks", "12")
    assert ended.depth <= 4 and len(ended.tasks) <= 12 and ended.code in (0, 1, 3), ended.said
    assert max(ended.asked.values()) <= 5


@pytest.mark.slow
def test_tasks(zooid: Piped) -> None:
    ended = Ended(zooid, jittered(random.Random(2)), "--max-depth", "99", "--max-tasks", "40")
    assert (ended.code, len(ended.tasks)) == (3, 40) and "the limit of 40 tasks" in ended.said


@pytest.mark.slow
def test_width(zooid: Piped) -> None:
    ended = Ended(zooid, wide, "--max-width", "8")
    assert ended.code == 1 and len(ended.tasks) == 1 and "8 are allowed" in ended.said
    assert max(ended.asked.values()) <= 5


@pytest.mark.slow
def test_a_thousand_turns(zooid: Piped) -> None:
    ended = Ended(zooid, turns(itertools.count()), "--max-tasks", "2000")
    assert ended.code in (1, 3) and 100 <= len(ended.tasks) <= 1001, (ended.code, len(ended.tasks), ended.said[-500:])


def test_a_storm_of_tries(zooid: Piped, home: Path, work: Path) -> None:
    (tools := home / "config" / "zooid" / "tools").mkdir(parents=True)
    code = '    with open("calls.log", "a") as log:\n        log.write("x")\n    raise OSError("not now")\n'
    (tools / "flaky.py").write_text(f'def flaky(text: str) -> str:\n    """Fails."""\n{code}')
    ended = Ended(zooid, again, "--max-tasks", "500", "--max-replans", "100")
    assert ended.code in (1, 3)
    assert 1 <= len((work / "calls.log").read_text()) <= 5, (ended.code, ended.said[-800:])
    assert max(ended.asked.values()) <= 5


def test_the_same_question_is_counted_over_all_sittings(zooid: Piped) -> None:
    """A plan that cannot be carried out, twice a sitting; then the server takes the key no more."""
    sitting = [plan({"id": "a", "tool": "nosuch", "args": {}})] * 2 + [Reply(status=401, error={"message": "no"})]
    asked: Counter[str] = Counter()
    for command in (["run", "Do A", "--max-replans", "100"], *[["resume", "--last"]] * 3):
        with Server(sitting) as server:
            done = zooid(*command, *by(server), **KEY)
        asked.update(json.dumps(body["messages"]) for body in server.requests[:2])
    assert done.returncode == 1 and sorted(asked.values()) == [1, 5], (asked.values(), done.stderr)


@pytest.mark.slow
def test_a_server_that_always_fails_is_asked_five_times(zooid: Piped) -> None:
    with Server(lambda body: Reply(status=500, headers={"Retry-After": "0"}, error={"message": "no"})) as server:
        done = zooid("run", "Do A", *by(server), **KEY)
    assert done.returncode == 75 and len(server.requests) == 5

"""Malformed outputs of a model, by the thousand, through the whole loop: no tool runs on arguments that do not fit."""

from __future__ import annotations

import datetime
import itertools
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import pytest

from agent.task import FINISHED
from tests.agent.test_run import GIVE_UP, World, call, plan

A_RUN = 50  # outputs


class Tools:
    """Tools that write down the calls whose arguments are not what their types say."""

    def __init__(self) -> None:
        self.calls, self.wrong = Counter[str](), list[str]()

    def took(self, name: str, *are: bool) -> str:
        self.calls[name] += 1
        if not all(are):
            self.wrong.append(name)
        return name

    def all(self) -> list[Callable[..., Any]]:
        def plus(a: int, b: float = 0.5) -> str:
            """Add."""
            return self.took("plus", type(a) is int, isinstance(b, (int, float)) and not isinstance(b, bool))

        def shout(text: str, times: int = 1, loud: bool = True) -> str:
            """Shout."""
            return self.took("shout", type(text) is str, type(times) is int, type(loud) is bool)

        def choose(items: list[str], mode: Literal["first", "last"] = "first") -> str:
            """Choose."""
            whole = isinstance(items, list) and all(type(item) is str for item in items)
            return self.took("choose", whole, mode in ("first", "last"))

        def when(day: datetime.date, where: Path | None = None) -> str:
            """Say when."""
            return self.took("when", type(day) is datetime.date, where is None or isinstance(where, Path))

        return [plus, shout, choose, when]


SOUND: list[dict[str, Any]] = [
    plan(call("a", "plus", a=3, b=1.5), call("b", "shout", text="$a", times=2), answer="$b"),
    plan(call("a", "choose", items=["x", "y"], mode="last"), call("b", "shout", each=["p", "q"], text="$item")),
    plan(call("a", "when", day="2024-02-29", where="a.txt"), call("b", "plus", a=1, after=["a"]), answer="$a and $b"),
    plan(call("a", "shout", text="hi", check={"pattern": "(s|sh)+out$", "schema": {"type": "string"}}), answer="$a"),
    {"answer": {"n": [1, 2]}}, {"ask": "which?"}, {"want": {"name": "t", "signature": "t() -> int"}},
]  # fmt: skip
WORDS = "tasks answer ask want notes id goal tool args each after check name pattern file schema text times items day a"
ODD: list[Any] = [
    None, True, False, 0, -1, 2**70, 1e400, float("nan"), "", "$", "$a", "$a.b[9]", "$nobody", "item", "\x00", "\ud800",
    "(a+)+$", "../../etc/passwd", "2024-02-30", [], [[]], {}, {"$a": "$b"}, ["$a", 1, None], "x" * 3000, "plus", "🙂",
]  # fmt: skip


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that is in a JSON value."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at, *(place for key, value in inner for place in places(value, (*at, key)))]


def bent(chance: random.Random) -> Any:
    """A decision in which a few things are not as they should be."""
    data = deepcopy(chance.choice(SOUND))
    for _ in range(chance.choice((1, 1, 2, 4))):
        *above, last = chance.choice(places(data)[1:] or [("answer",)])
        data = data or {"answer": 1}
        holder = data
        for key in above:
            holder = holder[key]
        what = chance.randrange(5)
        if what == 0:
            del holder[last]
        elif what == 1 and isinstance(holder, dict):
            holder[chance.choice(WORDS.split())] = holder.pop(last)
        elif what == 2 and isinstance(holder, list):
            holder.append(deepcopy(holder[last]))
        else:
            holder[last] = deepcopy(chance.choice([*ODD, chance.choice(SOUND)]))
    return data


def garbled(text: str, chance: random.Random) -> str:
    """A text of which a part is lost, doubled, moved, or wrapped in others."""
    a, b = sorted(chance.randrange(len(text) + 1) for _ in "ab")
    ways = [
        text[:a], text[a:], text[:a] + text[b:], text[:b] + text[a:], text[a:b] + text[:a] + text[b:],
        text.replace('"', "'"), text.replace(",", ",,", 1), text.replace("}", ",}"), text.replace(": ", " "),
        f"Sure! ```json\n{text}\n``` and {text}", f"<think>{text[:a]}</think>{text}", f"[{text}]", text[::-1],
        text[:a] + chance.choice('{}[]",:\\\x00\x1b$') + text[a:], text + text, json.dumps(text), "\ufeff" + text,
    ]  # fmt: skip
    return chance.choice(ways)


def output(number: int) -> str:
    """The malformed output of that number; a few of them are sound, or near enough."""
    chance = random.Random(number)
    text = json.dumps(bent(chance), ensure_ascii=chance.random() < 0.5)
    return garbled(text, chance) if chance.random() < 0.6 else text


def said(numbers: range) -> Callable[[dict[str, Any]], Any]:
    """What the model says: one task an output, and the next malformed one where it is asked to mend."""
    more = itertools.count(10**6 + numbers.start)

    def say(body: dict[str, Any]) -> Any:
        text = body["messages"][1]["content"]
        part = re.match(r"Goal: part (\d+)$", text.splitlines()[0])
        if part:
            return output(next(more) if "The last try failed" in text or len(body["messages"]) > 2 else int(part[1]))
        if text.startswith("Goal: the goal") and "The last try failed" not in text:
            items = [f"{n}" for n in numbers]
            return plan({"id": "all", "goal": "part $item", "each": items}, answer="$all")
        return GIVE_UP

    return say


def outputs(folder: Path, numbers: range) -> Counter[str]:
    """Run the loop on those outputs; the calls that were made, and how the tasks ended."""
    folder.mkdir()
    world, tools = World(folder), Tools()
    for tool in tools.all():
        world.tool(tool)
    ended = world.run(said(numbers), approve="never", tasks=100_000, tool_seconds=5.0, replans=1)
    assert ended.error is None, ended.error
    parts = [task for task in ended.tree.tasks.values() if re.fullmatch(r"part \d+", task.goal)]
    assert len(parts) == len(numbers) and all(task.status in (*FINISHED, "paused") for task in parts)
    assert not tools.wrong, tools.wrong
    return tools.calls + Counter(f"task {task.status}" for task in parts)


def test_some_malformed_outputs(tmp_path: Path) -> None:
    found = outputs(tmp_path / "a", range(40))
    assert found["task failed"] > 5 and all(found[name] for name in ("plus", "shout", "choose", "when", "task done"))


@pytest.mark.slow
def test_ten_thousand_malformed_outputs(tmp_path: Path) -> None:
    found, started = Counter[str](), time.monotonic()
    for start in range(0, 10_000, A_RUN):
        try:
            found += outputs(tmp_path / f"{start}", range(start, start + A_RUN))
        except Exception as error:
            raise AssertionError(f"among the outputs {start} to {start + A_RUN}: {error!r}") from error
    print(f"\n10,000 outputs in {time.monotonic() - started:.0f} s: {dict(found)}")

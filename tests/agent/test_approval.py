"""Whoever approves a call can see all of it, and what nobody can see is spelled out."""

from __future__ import annotations

from typing import Any

import pytest

from agent import events as ev
from agent.approval import in_full, screenful
from agent.task import ROOT
from agent.tree import Tree

CODE = "import os\n" + "".join(f"x{n} = {n}\n" for n in range(100)) + "os.remove('a.txt')\n"


def shown(text: str = "run_python(…)", **inputs: Any) -> list[str]:
    tree = Tree("r7f3")
    for event in (
        ev.TaskPlanned(ROOT, None, "the goal", tool="run_python"),
        ev.TaskBound(ROOT, "the goal", inputs),
        asked := ev.Asked(ROOT, "approval", text, "c"),
    ):
        tree.apply(event, 1.0)
    return in_full(asked, tree)


def test_what_the_question_cuts_is_shown_whole() -> None:
    assert shown(code=CODE, tier="full") == ["code:", *(f"  {line}" for line in CODE.splitlines())]
    assert shown(code="1 + 1", lines=[1, 2]) == []
    assert shown(lines=["x" * 100]) == ["lines:", "  [", f'   "{"x" * 100}"', "  ]"]
    assert shown("run the check's command: make test", code=CODE) == []  # which the question says whole


@pytest.mark.parametrize(
    ("hidden", "spelled"),
    [("\x1b[2J", "\\x1b[2J"), ("a\rb", "a\\x0db"), ("\u200b", "\\u200b"), ("\u202e", "\\u202e"), ("\xa0", "\\xa0"),
     ("\U000e0041", "\\U000e0041"), ("\ud800", "\\ud800"), ("\u2028", "\\u2028")],
)  # fmt: skip
def test_what_nobody_can_see_is_spelled_out(hidden: str, spelled: str) -> None:
    assert shown(code=f"ls{hidden}") == ["code:", f"  ls{spelled}"]


def test_a_screen_shows_the_beginning_the_end_and_how_to_see_the_rest() -> None:
    lines = shown(code=CODE)
    few = screenful(lines, (80, 30), "r7f3")
    assert len(few) <= 23 and few[:2] == ["code:", "  import os"] and few[-1] == "  os.remove('a.txt')"
    left = len(lines) - len(few) + 1
    assert f"… {left} of 103 lines are not shown here; see all of it with: zooid jobs answer r7f3 …" in few
    assert screenful(lines, (80, 200), "r7f3") == lines
    one = screenful(["code:", "x" * 100_000], (80, 24), "r7f3")  # a line that no screen holds
    assert one[0] == "code:" and "1 of 2 lines" in one[1] and len(one) == 2

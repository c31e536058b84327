"""What is allowed, asked about and refused, and what an approval is bound to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agent import policy
from tools import workspace
from tools.registry import Tool, from_function


def tool(effect: str, with_path: bool = True, default: str = "") -> Tool:
    def function(path: Path, text: str = "") -> str:
        return text

    def pathless(text: str = "") -> str:
        return text

    def optional(text: str = "", path: Path = Path(default or ".")) -> str:
        return text

    chosen: Any = optional if default else function if with_path else pathless
    chosen.__doc__ = f"Do it.\n\nEffect: {effect}"
    return from_function(chosen, "test")


def call(made: Tool, origins: dict[str, Any] | None = None, origin: str = "program", **args: Any) -> policy.Call:
    return policy.Call(made, args, policy.before(made, args), origins or {}, origin)


@pytest.fixture(autouse=True)
def root(tmp_path: Path) -> Path:
    workspace.enter(tmp_path)
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "folder").mkdir()
    return tmp_path


VERDICTS = [
    # effect, path given, approve: ask, auto, never
    ("none", "old.txt", "allow", "allow", "allow"),
    ("read", "old.txt", "allow", "allow", "allow"),
    ("write", "new.txt", "allow", "allow", "allow"),
    ("write", "old.txt", "ask", "allow", "refuse"),
    ("write", "folder", "ask", "allow", "refuse"),
    ("write", None, "ask", "allow", "refuse"),  # it does not say where
    ("network", "new.txt", "ask", "allow", "refuse"),
    ("network", None, "ask", "allow", "refuse"),
    ("execute", "new.txt", "ask", "allow", "refuse"),
    ("execute", None, "ask", "allow", "refuse"),
]


@pytest.mark.parametrize(("effect", "path", "ask", "auto", "never"), VERDICTS)
def test_verdicts(effect: str, path: str | None, ask: str, auto: str, never: str) -> None:
    made = tool(effect, path is not None)
    found = call(made, **({"path": path} if path else {}))
    assert [policy.judge(found, how)[0] for how in ("ask", "auto", "never")] == [ask, auto, never]


def test_a_file_that_a_default_names_counts() -> None:
    made = tool("write", default="old.txt")
    assert policy.judge(call(made, text="x"), "ask")[0] == "ask"
    assert policy.judge(call(made, path="new.txt"), "ask")[0] == "allow"


def test_an_approval_is_for_one_call_and_one_content(root: Path) -> None:
    made = tool("write")

    def identity(**args: Any) -> str:
        return policy.call_hash(made, args, policy.before(made, args))

    first = identity(path="old.txt", text="a")
    assert first == identity(text="a", path="old.txt")
    assert first != identity(path="old.txt", text="b")
    assert first != policy.call_hash(tool("write", False), {"path": "old.txt", "text": "a"}, {})
    (root / "old.txt").write_text("older")
    assert first != identity(path="old.txt", text="a")
    (root / "old.txt").write_text("old")
    assert first == identity(path="old.txt", text="a")


def test_half_a_character_in_the_arguments_is_no_hindrance() -> None:
    assert policy.call_hash(tool("write"), {"text": "\udc80"}, {}) != policy.call_hash(tool("write"), {"text": "x"}, {})


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert policy.before(tool("write"), {"path": "pipe"}) == {"pipe": "special"}


def test_the_question_says_what_would_happen() -> None:
    text = policy.question(call(tool("write"), path="old.txt", text="x" * 500))
    assert text.startswith("replace old.txt: function(") and len(text) < 200
    assert "use the network" in policy.question(call(tool("network")))
    assert "run programs" in policy.question(call(tool("execute"), path="old.txt"))

"""What is allowed, asked about and refused, and what an approval is bound to."""

from __future__ import annotations

import datetime
import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent import policy
from agent.approve import approve_of, tightened, unasked
from tools import programs, workspace
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
    # effect, path given, approve: ask, auto, never, read, write, execute and network
    ("none", "old.txt", "allow", "allow", "allow", "allow", "allow", "allow"),
    ("read", "old.txt", "allow", "allow", "allow", "allow", "allow", "allow"),
    ("write", "new.txt", "allow", "allow", "allow", "refuse", "allow", "allow"),
    ("write", "old.txt", "ask", "allow", "refuse", "refuse", "allow", "ask"),
    ("write", ".git/hooks/new", "ask", "allow", "refuse", "refuse", "allow", "ask"),
    ("write", "folder/../.Zooid/new", "ask", "allow", "refuse", "refuse", "allow", "ask"),
    ("write", "folder", "ask", "allow", "refuse", "refuse", "allow", "ask"),
    ("write", None, "ask", "allow", "refuse", "refuse", "allow", "ask"),  # it does not say where
    ("network", "new.txt", "ask", "allow", "refuse", "refuse", "ask", "allow"),
    ("network", None, "ask", "allow", "refuse", "refuse", "ask", "allow"),
    ("execute", "new.txt", "ask", "allow", "refuse", "refuse", "ask", "allow"),
    ("execute", None, "ask", "allow", "refuse", "refuse", "ask", "allow"),
]


POLICIES = ("ask", "auto", "never", "read", "write", "execute,network")


@pytest.mark.parametrize(("effect", "path", "verdicts"), [(row[0], row[1], row[2:]) for row in VERDICTS])
def test_verdicts(effect: str, path: str | None, verdicts: tuple[str, ...]) -> None:
    found = call(tool(effect, path is not None), **({"path": path} if path else {}))
    assert tuple(policy.judge(found, approve)[0] for approve in POLICIES) == verdicts


def test_a_program_that_uses_the_network_needs_both() -> None:
    run = from_function(programs.run_command, "built-in")
    for network, wanted in ((False, ["ask", "allow", "ask", "allow"]), (True, ["ask", "ask", "ask", "allow"])):
        found = call(run, command="make", network=network)
        approved = ("ask", "execute", "network", "execute,network")
        assert [policy.judge(found, approve)[0] for approve in approved] == wanted
    assert "may run programs and use the network: run_command(" in policy.question(found)


def test_policies_are_only_ever_tightened() -> None:
    for one, other in itertools.product(POLICIES, POLICIES):
        both = tightened(one, other)
        assert tightened(both, one) == both == tightened(other, one)
        assert unasked(both) <= unasked(one) & unasked(other)
    assert tightened("auto", "write,network", "write") == "write" and tightened("write", "network") == "ask"
    assert approve_of("network, write,execute") == "auto" and approve_of("write,write") == "write"
    for wrong in ("", "yes", "ask,write", "read,write", "none"):
        with pytest.raises(ValueError, match="commas"):
            approve_of(wrong)


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
    changed = replace(made, version="other code")
    assert first != policy.call_hash(
        changed, {"path": "old.txt", "text": "a"}, policy.before(changed, {"path": "old.txt"})
    )
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


# -- where an effect goes


def said(lines: str, function: Any = None) -> Tool:
    def send(to: str, text: str, amount: float = 0.0, day: datetime.date | None = None) -> str:
        return text

    chosen = function or send
    chosen.__doc__ = f"Do it.\n\n{lines}"
    return from_function(chosen, "test")


def test_a_tool_that_declares_no_destinations_may_send_any_text_anywhere() -> None:
    assert policy.destinations(said("Effect: network")) == ["to", "text"]
    assert policy.destinations(said("Effect: network\n\nDestinations: to")) == ["to"]
    assert policy.destinations(said("Effect: network\n\nDestinations: nothing")) == []
    assert policy.destinations(said("Effect: execute\n\nDestinations: everything")) == ["to", "text", "amount", "day"]
    assert policy.destinations(tool("write")) == ["path"]
    assert policy.destinations(tool("write", with_path=False)) == ["text"]
    assert policy.destinations(tool("network")) == ["path", "text"]


def test_a_declared_destination_must_be_a_parameter() -> None:
    with pytest.raises(TypeError, match="Destinations: nobody"):
        said("Effect: network\n\nDestinations: nobody")


def test_paths_in_lists_are_destinations_and_their_files_are_looked_at() -> None:
    def pack(paths: list[Path], into: Path | None = None) -> None: ...

    made = said("Effect: write", pack)
    assert policy.destinations(made) == ["paths", "into"]
    assert list(policy.before(made, {"paths": ["old.txt", "new.txt"], "into": "folder"})) == ["old.txt", "folder"]
    assert policy.judge(call(made, paths=["new.txt", "old.txt"]), "ask")[0] == "ask"


STEERED = [
    # origins of to and text, of the plan; what --approve auto says of a message
    ("person", "person", "program", "allow", ""),
    ("tool", "tool", "program", "allow", ""),
    ("listed", "person", "program", "allow", ""),
    ("outside", "person", "program", "ask", "its to comes from outside"),
    ("person", "outside", "program", "ask", "its text holds text from outside"),
    ("person", "person", "outside", "ask", "it was planned after text from outside was read"),
]


@pytest.mark.parametrize(("to", "text", "by", "verdict", "why"), STEERED)
def test_a_message_is_sent_unasked_where_no_outside_text_has_a_hand_in_it(
    to: str, text: str, by: str, verdict: str, why: str
) -> None:
    found = call(said("Effect: network\n\nDestinations: to"), {"to": to, "text": text}, by, to="ann", text="hello")
    assert policy.judge(found, "auto") == (verdict, why)
    assert policy.judge(found, "never")[0] == "refuse" and policy.judge(found, "ask")[0] == "ask"
    assert policy.question(found, why).endswith(why or 'text="hello")')


def test_numbers_and_dates_from_outside_fill_a_message_s_slots() -> None:
    made = said("Effect: network\n\nDestinations: to")
    origins = {"amount": "outside", "day": "outside", "text": "person", "to": "person"}
    assert policy.judge(call(made, origins, to="ann", text="rent", amount=5, day="2026-01-31"), "auto")[0] == "allow"


def test_a_call_that_names_no_recipient_reaches_nobody() -> None:
    def invite(title: str, guests: list[str] | None = None) -> None: ...

    made = said("Effect: network\n\nDestinations: guests", invite)
    assert policy.judge(call(made, {"title": "outside"}, title="reunion"), "auto")[0] == "allow"
    assert policy.judge(call(made, {"title": "outside"}, title="reunion", guests=["ann"]), "auto")[0] == "ask"


def test_reading_is_never_asked_about() -> None:
    for effect in ("none", "read"):
        found = call(tool(effect), {"path": "outside"}, "outside", path="old.txt")
        assert policy.judge(found, "never") == ("allow", "")


def test_part_of_an_argument_is_enough() -> None:
    made = said("Effect: network\n\nDestinations: to")
    assert policy.judge(call(made, {"to": ["person", "outside"]}, to="x", text="y"), "auto")[0] == "ask"

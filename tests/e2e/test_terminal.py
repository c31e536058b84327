"""The command in a pseudo-terminal: the live tree, questions, signals, and a screen that is clean at the end."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Piped, in_terminal
from tests.scripted import Reply, Server

KEY = {"OPENAI_API_KEY": "sk-secret-of-the-test"}


def slow(parts: int, seconds: float = 1.2) -> Server:
    """A plan of parts that each take a model a while."""

    def reply(body: dict[str, Any]) -> Reply:
        if "Do part" in body["messages"][-1]["content"]:
            return Reply({"answer": "\x1b[31mred\x1b[0m"}, delay=seconds)
        tasks = [{"id": f"p{n}", "goal": f"Do part {n}"} for n in range(parts)]
        return Reply({"tasks": tasks, "answer": "all is $p0"})

    return Server(reply)


def replacing() -> Server:
    task = {"id": "w", "tool": "write_file", "args": {"path": "b.txt", "text": "new"}}
    wish = {"want": {"name": "replace", "signature": "replace(path: path) -> str"}}
    return Server([{"tasks": [task], "answer": "wrote $w"}, *[wish] * 9])


def by(server: Server) -> list[str]:
    return ["--planner", "openai", "--model", "m", "--base-url", server.base_url]


def test_the_live_tree_is_drawn_and_taken_away(home: Path, work: Path) -> None:
    with slow(4) as server, in_terminal(home, work, "run", "do the parts", *by(server), **KEY) as terminal:
        terminal.until("Do part 3")
        drawn = terminal.screen()
        assert drawn[0].startswith("● do the parts")
        assert [line.split("  ")[1].strip() for line in drawn[1:5]] == [f"● Do part {n}" for n in range(4)]
        assert terminal.end() == 0
        left = terminal.screen()
    assert left[0] == r"all is \x1b[31mred\x1b[0m"
    assert re.match(r"\w{4} done: .*; zooid tree \w{4}$", left[1]) and len(left) == 2
    assert terminal.seen.rstrip().endswith("\x1b[0m") or "\x1b[?25h" in terminal.seen  # the cursor is back


def test_a_tall_tree_is_a_window(home: Path, work: Path) -> None:
    with slow(40) as server, in_terminal(home, work, "run", "do the parts", *by(server), rows=14, **KEY) as terminal:
        terminal.until(r"\+\d+ done")
        drawn = terminal.screen()
        assert terminal.end() == 0
    assert len(drawn) <= 13
    assert any("to do" in line for line in drawn) and any("● Do part" in line for line in drawn)


def test_it_is_drawn_four_times_a_second_at_most(home: Path, work: Path) -> None:
    with slow(3, seconds=2.0) as server, in_terminal(home, work, "run", "do the parts", *by(server), **KEY) as terminal:
        terminal.until("Do part 2")
        time.sleep(1.0)
        before = terminal.read().count("do the parts")
        assert before <= 6
        assert terminal.end() == 0


def test_no_color_writes_no_colours(home: Path, work: Path) -> None:
    with (
        slow(2) as server,
        in_terminal(home, work, "run", "do the parts", *by(server), **KEY, NO_COLOR="1") as terminal,
    ):
        assert terminal.end() == 0
    assert "● Do part 1" in terminal.seen
    assert not re.search(r"\x1b\[[\d;]*m", terminal.seen)


def test_a_dumb_terminal_gets_plain_lines(home: Path, work: Path) -> None:
    with slow(2) as server, in_terminal(home, work, "run", "do the parts", *by(server), **KEY, TERM="dumb") as terminal:
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen and "Do part 1" in terminal.seen


def test_it_asks_before_a_file_is_replaced(home: Path, work: Path) -> None:
    for typed, code, content in (("y\n", 0, "new\n"), ("\n", 1, "four\n")):
        (work / "b.txt").write_text("four\n")
        with replacing() as server, in_terminal(home, work, "run", "replace", *by(server), **KEY) as terminal:
            terminal.until(r"\[y/N\] ")
            assert "replace b.txt" in terminal.seen and (work / "b.txt").read_text() == "four\n"
            terminal.send(typed)
            assert terminal.end() == code
        assert (work / "b.txt").read_text() == content


def test_what_was_typed_ahead_approves_nothing(home: Path, work: Path) -> None:
    with replacing() as server, in_terminal(home, work, "run", "replace", *by(server), **KEY) as terminal:
        terminal.send("y\n")
        terminal.until(r"\[y/N\] ")
        time.sleep(0.3)
        assert (work / "b.txt").read_text() == "four\n"
        terminal.send("n\n")
        assert terminal.end() == 1


def test_the_end_of_input_pauses(home: Path, work: Path) -> None:
    with replacing() as server, in_terminal(home, work, "run", "replace", *by(server), **KEY) as terminal:
        terminal.until(r"\[y/N\] ")
        terminal.send("\x04")
        assert terminal.end() == 4
    assert "zooid resume" in terminal.seen


def test_it_asks_a_question(home: Path, work: Path) -> None:
    script = [{"ask": "Which file?"}, {"answer": "done"}]
    with Server(script) as server, in_terminal(home, work, "run", "count", *by(server), **KEY) as terminal:
        terminal.until("Which file\\?\r\n> ")
        terminal.send("a.txt\n")
        assert terminal.end() == 0
    assert "a.txt" in server.requests[-1]["messages"][-1]["content"]


def test_control_c_at_a_question_and_in_the_tree(home: Path, work: Path) -> None:
    with replacing() as server, in_terminal(home, work, "run", "replace", *by(server), **KEY) as terminal:
        terminal.until(r"\[y/N\] ")
        terminal.send("\x03")
        assert terminal.end(2) == 130
    assert re.search(r"zooid resume \w{4}", terminal.seen) and "Traceback" not in terminal.seen
    with slow(4, seconds=30) as server, in_terminal(home, work, "run", "parts", *by(server), **KEY) as terminal:
        terminal.until("Do part 3")
        terminal.send("\x03")
        assert terminal.end(2) == 130
    left = terminal.screen()
    assert left[0] == "zooid: interrupted" and "zooid resume" in left[1] and len(left) == 3


def test_tables_are_cut_to_the_terminal(zooid: Piped, home: Path, work: Path) -> None:
    with in_terminal(home, work, "tools", columns=60) as terminal:
        assert terminal.end() == 0
    assert all(len(line) <= 60 for line in terminal.screen())


# -- text from outside

HOSTILE = "\x1b]0;owned\x07\x1b[31337m\x1b[2J\x1bPq\x1b\\\x9b31338m\x85\u202e\u2066\u2028\x08\x0c\x7f"
PLAYS = re.compile(r"\x1b[^\[]|\x1b\[3133|\x1b\[2J|[\x00-\x07\x0b\x0c\x0e-\x1a\x7f-\x9f\u202e\u2066\u2028]")


def hostile_script(body: dict[str, Any]) -> Reply | dict[str, Any]:
    """Text that would play with a terminal, wherever a model can put some."""
    text = body["messages"][-1]["content"]
    if "a part of it" in text:
        return Reply({"answer": f"part {HOSTILE}"}, delay=0.8)
    if "The person said" in text:
        return {"answer": f"all of it {HOSTILE}"}
    if "\nResults:" in text or "The last try failed" in text:
        return {"ask": f"Which one {HOSTILE}"}
    tasks = [
        {"id": "p", "goal": f"a part of it {HOSTILE}"},
        {"id": "n", "tool": "no_file", "args": {"name": HOSTILE}},
        {"id": "w", "tool": "write_file", "args": {"path": "b.txt", "text": f"new {HOSTILE}"}},
    ]
    return {"tasks": tasks, "notes": HOSTILE}


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_text_from_outside_never_plays_with_the_terminal(home: Path, work: Path, every: int) -> None:
    (tools := home / "config" / "zooid" / "tools").mkdir(parents=True)
    code = f'def no_file(name: str) -> str:\n    """Opens {HOSTILE!r}."""\n    raise OSError(name)\n'
    (tools / "hostile.py").write_text(code.replace(f"{HOSTILE!r}", HOSTILE.replace("\\", "\\\\").replace("\x0c", "")))
    (tools / f"bro{HOSTILE}ken.py").write_text("import nothing_of_the_kind")
    (work / f"odd{HOSTILE}.txt").write_text(HOSTILE)
    refusal = Reply(status=429, error={"message": f"slow down {HOSTILE}"}, headers={"Retry-After": "0.4"})
    first = iter([refusal])
    seen: dict[str, str] = {}
    with Server(lambda body: next(first, None) or hostile_script(body)) as server:
        with in_terminal(home, work, "run", f"do it {HOSTILE}".replace("\x00", ""), *by(server), **KEY) as terminal:
            terminal.until(r"\[y/N\] ")
            terminal.send("y\n")
            while terminal.process.poll() is None:
                terminal.read()
                if terminal.seen.endswith("> "):
                    terminal.send("this\n")
                    terminal.until("this\r\n$|this\r\n.")
            terminal.end()
            seen["run"] = terminal.seen
        looks = [["tree"], ["tree", "--json"], ["log"], ["log", "--json"]]
        id = str(Piped(home, work).last())
        commands = [[look[0], id, *look[1:]] for look in looks]
        commands += [["runs"], ["runs", "--json"], ["tools"], ["tools", "--json"], ["tools", "show", "no_file"]]
        commands += [
            ["tools", "call", "no_file", f"name={HOSTILE}"],
            ["run", HOSTILE],
            ["tools", "call", f"x{HOSTILE}"],
        ]
        commands += [["tools", "call", "read_file", f"path=odd{HOSTILE}.txt"], ["run", "--plan", "x", *by(server)]]
        for words in commands[::every]:
            with in_terminal(home, work, *words, **KEY) as terminal:
                terminal.end()
                seen[" ".join(words)] = terminal.seen
    for name, text in seen.items():
        assert not (found := PLAYS.search(text)), (name, found, text[-2000:])
    assert r"all of it \x1b]0;owned\x07" in seen["run"] and r"\u202e" in seen["run"]

"""What is written where, and how: colours, control characters, tables, JSON, figures."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from agent import output as out
from agent.output import Output
from agent.task import Usage


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def make(terminal: bool = False, environ: dict[str, str] | None = None, **more: Any) -> Output:
    kind = Screen if terminal else io.StringIO
    return Output(stdout=kind(), stderr=kind(), environ=environ or {"TERM": "xterm"}, **more)


def written(o: Output) -> tuple[str, str]:
    assert isinstance(o.stdout, io.StringIO) and isinstance(o.stderr, io.StringIO)
    return o.stdout.getvalue(), o.stderr.getvalue()


def test_an_answer_ends_with_one_newline() -> None:
    for value, text in (("a", "a\n"), ("a\n", "a\n"), (3, "3\n"), (["a", "b"], "a\nb\n"), (None, ""), ("", "")):
        o = make()
        o.answer(value)
        assert written(o) == (text, "")


def test_control_characters_reach_a_pipe_but_no_terminal() -> None:
    text = "a\x1b[2Jb\rc\u202ed\x07\te\n"
    piped, shown = make(), make(terminal=True)
    piped.answer(text)
    shown.answer(text)
    assert written(piped)[0] == text
    assert written(shown)[0] == "a\\x1b[2Jb\\x0dc\\u202ed\\x07\te\n"


def test_quiet_leaves_out_what_is_only_worth_knowing() -> None:
    o = make(quiet=True)
    o.say("progress")
    o.tell("trouble")
    assert written(o) == ("", "trouble\n")


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colours_only_where_they_are_seen_and_wanted(terminal: bool, environ: dict[str, str], coloured: bool) -> None:
    o = Output(stdout=io.StringIO(), stderr=Screen() if terminal else io.StringIO(), environ=environ)
    for style in ("bold", "dim", "red"):
        assert ("\x1b" in o.paint("x", style)) is coloured


def test_marks_fall_back_where_the_stream_cannot_write_them() -> None:
    ascii_stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    o = Output(stdout=ascii_stream, stderr=ascii_stream, environ={})
    assert o.mark("done") == "+" and o.mark("interrupted") == "="
    o.answer("caf\xe9 \ud800")
    assert ascii_stream.buffer.getvalue() == b"caf\\xe9 \\ud800\n"  # type: ignore[attr-defined]


def test_an_error_is_one_message_and_with_json_an_object_too() -> None:
    o = make(json=True)
    o.error("no such thing", 2)
    stdout, stderr = written(o)
    assert stderr == "zooid: no such thing\n"
    assert json.loads(stdout) == {"v": 1, "type": "error", "message": "no such thing", "exit_code": 2}


def test_a_table_is_aligned_by_cells() -> None:
    lines = out.columns([("name", "what"), ("日本", "x"), ("abcdef", "y\nz")])
    assert lines == ["name    what", "日本    x", "abcdef  y\nz"]
    assert out.columns([("a", "b" * 50)], 20) == ["a  " + "b" * 16 + "…"]


def test_json_takes_any_text() -> None:
    assert json.loads(out.as_json({"a": "\ud800é"})) == {"a": "\ud800é"}


def test_a_preview_is_one_short_line() -> None:
    assert out.preview("a\n b\x1b") == "a b\\x1b"
    assert out.preview("x" * 100, 10) == "x" * 9 + "…"
    assert out.preview("word " * 1000, 12) == "word word w…"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert out.duration(seconds) == text


def test_a_price_that_is_not_known_is_never_nothing() -> None:
    assert out.spent(Usage()) == "no model calls"
    assert out.spent(Usage(1, 1000, 234, cost=None)) == "1 model call, 1,234 tokens, unpriced"
    assert out.spent(Usage(2, 10, 5, cost=0.00123, estimated=True)) == "2 model calls, about 15 tokens, $0.0012"

"""Output: the one object that knows human, JSON and quiet. Commands hand it what is to be said, and never print.

Standard output carries what was asked for and nothing else; everything else goes to standard error.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from agent.errors import StorageError
from agent.events import VERSION
from agent.task import Usage
from tools import redact
from tools.schema import as_text

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
MARKS = {
    "done": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "partial": ("◐", "~", "yellow"),
    "paused": ("‖", "=", "yellow"),
    "running": ("●", ">", "cyan"),
    "pending": ("○", ".", "dim"),
    "cancelled": ("–", "-", "dim"),
    "queued": ("○", ".", "dim"),
}
_SAME_MARK = {"stopped": "paused", "interrupted": "paused", "damaged": "failed", "warn": "partial"}

# All that could move the cursor, change the screen or turn the order of the letters around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Output:
    """Where a command's words go. `json` and `quiet` are the person's wish; colours are found out."""

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.json, self.quiet, self.verbose = json, quiet, verbose
        self.stdout = _usable(stdout or sys.stdout)
        self.stderr = _usable(stderr or sys.stderr)
        self.plain = bool(environ.get("NO_COLOR"))
        self.dumb = environ.get("TERM", "") in ("", "dumb")

    # -- what was asked for

    def answer(self, value: Any) -> None:
        """A result, alone on standard output; raises StorageError where it cannot be written."""
        text = as_text(value)
        if text:
            text = clean(text) if self.stdout.isatty() else text
            self._write(self.stdout, text.removesuffix("\n") + "\n")

    def text(self, text: str) -> None:
        """Some of a longer text, as it is."""
        self._write(self.stdout, clean(text, keep_styles=True) if self.stdout.isatty() else text)

    def record(self, data: Mapping[str, Any]) -> None:
        """One JSON object on a line of its own."""
        self._write(self.stdout, as_json(data) + "\n")

    def page(self, lines: Iterable[str], data: Any) -> None:
        """What a command is about: lines for a person, or `data` as JSON."""
        text = as_json(data) if self.json else "\n".join(lines)
        if text:
            self._write(self.stdout, text + "\n")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], data: Any) -> None:
        """Rows in columns. On a terminal the last column is cut to fit."""
        width = shutil.get_terminal_size().columns if self.stdout.isatty() else None
        laid_out = columns([head, *rows], width)
        self.page([self.paint(laid_out[0], "dim", self.stdout), *laid_out[1:]], data)

    # -- what goes with it

    def say(self, *lines: str) -> None:
        """Something worth knowing; left out when quiet."""
        if not self.quiet:
            self.tell(*lines)

    def tell(self, *lines: str) -> None:
        """Something that a person must know: errors, what a run waits for."""
        self._write(self.stderr, "".join(f"{line}\n" for line in lines))

    def error(self, message: str, code: int, **about: Any) -> None:
        """One message for something that went wrong; a reader of JSON gets it as the stream's last object too."""
        self.tell(f"{self.paint('zooid:', 'red')} {clean(message)}")
        if self.json:
            self.record({"v": VERSION, "type": "error", "message": message, "exit_code": code, **about})

    def new_line(self) -> None:
        """Begin a line of its own on a terminal, over what was typed there, such as the sign of Ctrl-C."""
        if self.stderr.isatty() and not self.dumb:
            self._write(self.stderr, "\r\x1b[K", own=True)

    def farewell(self, text: str) -> None:
        """The last words of a program that ends at once, from wherever it is: no lock is taken, no buffer used."""
        cursor = "\x1b[?25h\r\x1b[J" if self.stderr.isatty() and not self.dumb else ""
        with contextlib.suppress(OSError, ValueError):
            os.write(self.stderr.fileno(), f"{cursor}{text}\n".encode(errors="replace"))

    # -- looks

    def paint(self, text: str, style: str, stream: TextIO | None = None) -> str:
        """`text` in a colour or weight, where the stream is a terminal that may show one."""
        target = stream or self.stderr
        if self.plain or self.dumb or not text or not target.isatty():
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def mark(self, status: str, stream: TextIO | None = None) -> str:
        """The sign of a status, in its colour."""
        target = stream or self.stderr
        sign, plain_sign, style = MARKS[_SAME_MARK.get(status, status)]
        return self.paint(sign if _can_write(target, sign) else plain_sign, style, target)

    def _write(self, stream: TextIO, text: str, own: bool = False) -> None:
        """Write, without keys and, where it may be a terminal, without what could play with one (`own` may)."""
        if not own and (stream is self.stderr or stream.isatty()):
            text = clean(text, keep_styles=True)
        try:
            stream.write(redact.text(text))
            stream.flush()
        except BrokenPipeError:  # the reader has had enough: nothing more is written, and nothing is wrong
            _silence(stream)
        except (OSError, ValueError) as error:
            _silence(stream)
            if stream is self.stdout:
                full = isinstance(error, OSError) and error.errno == errno.ENOSPC
                why = "there is no space left" if full else str(error)
                raise StorageError(f"the output cannot be written: {why}; the run keeps it, see: zooid runs") from error


# -- streams


def _usable(stream: TextIO | None) -> TextIO:
    """The stream, set up so that no character can make it fail; one that was closed swallows what it gets."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _silence(stream: TextIO) -> None:
    """Send all that is still buffered or yet to come to nowhere, so that the interpreter ends without a word."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _can_write(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True


# -- words


def as_json(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, default=str)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # half characters and what JSON itself lets pass


def clean(text: str, *, keep_styles: bool = False) -> str:
    """`text` with its control characters spelled out, so that no result can play with a terminal.

    `keep_styles` lets through the few sequences that `Output.paint` writes.
    """
    text = text.replace("\r\n", "\n")
    if keep_styles and "\x1b" in text:
        parts = re.split(r"(\x1b\[(?:0|1|2|31|32|33|36)m)", text)
        return "".join(part if n % 2 else clean(part) for n, part in enumerate(parts))
    return _CONTROL.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def preview(value: Any, width: int = 60) -> str:
    """The beginning of a value on one line."""
    text = as_text(value)
    cut = text[: 4 * width]
    line = clean(" ".join(cut.split()))
    return line if len(line) <= width and len(cut) == len(text) else line[: width - 1] + "…"


def columns(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Rows as lines with their columns aligned; `width` cuts each line to that many cells."""
    from rich.cells import cell_len, set_cell_size

    widths = [max(cell_len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [set_cell_size(clean(cell), width) for cell, width in zip(row[:-1], widths, strict=False)]
        line = "  ".join([*cells, clean(row[-1])]).rstrip()
        lines.append(set_cell_size(line, width - 1) + "…" if width and cell_len(line) > width else line)
    return lines


def duration(seconds: float) -> str:
    """Seconds in few words: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def cost(usage: Usage) -> str:
    """What was paid: a price that is not known is never shown as nothing."""
    if usage.cost is None:
        return "unpriced"
    return f"${usage.cost:.4f}" if usage.cost < 1 else f"${usage.cost:.2f}"


def spent(usage: Usage) -> str:
    """Model calls, tokens and money in one phrase."""
    tokens = usage.tokens_in + usage.tokens_out
    if not usage.calls and not tokens:
        return "no model calls"
    about = "about " if usage.estimated else ""
    return f"{counted(usage.calls, 'model call')}, {about}{tokens:,} tokens, {cost(usage)}"


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

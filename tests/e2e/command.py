"""The installed command, driven in a pipe and in a pseudo-terminal of its own, in a home of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ZOOID = str(Path(sys.executable).parent / "zooid")


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables that the command runs under: nothing of the machine's own settings, keys or servers."""
    kept = {k: v for k, v in os.environ.items() if not re.match(r"(ZOOID|OPENAI|XDG|NO_COLOR|TERM|COLUMNS|LINES)", k)}
    folders = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {**kept, "HOME": str(home), "TERM": "xterm-256color", **folders, "ZOOID_MICRO_IDLE_SECONDS": "2", **more}


class Piped:
    """Runs the command with its streams in pipes."""

    def __init__(self, home: Path, folder: Path, **variables: str) -> None:
        self.home, self.folder = home, folder
        self.variables = variables

    def __call__(self, *words: str, text: str | bytes | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        data = text.encode() if isinstance(text, str) else text
        stdin: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        done = subprocess.run(
            [ZOOID, *words],
            cwd=self.folder,
            env=environment(self.home, **{**self.variables, **more}),
            capture_output=True,
            timeout=60,
            **stdin,
        )
        return subprocess.CompletedProcess(
            words, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )

    @contextlib.contextmanager
    def start(self, *words: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """The command, begun and not waited for."""
        with subprocess.Popen(
            [ZOOID, *words],
            cwd=self.folder,
            env=environment(self.home, **{**self.variables, **more}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's job in the background has none
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self("runs", "--json").stdout or "[]")
        return found

    def last(self) -> str:
        return str(self.runs()[0]["run"])


class Terminal:
    """The command in a pseudo-terminal; `seen` is all that was written to it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process, self._master = process, master
        self.seen = ""

    def read(self, seconds: float = 0.05) -> str:
        """Take in what is there; empty where nothing came in that time."""
        if not select.select([self._master], [], [], seconds)[0]:
            return ""
        try:
            new = os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # the other side is closed
            return ""
        self.seen += new
        return new

    def until(self, pattern: str, seconds: float = 20.0) -> str:
        """All that was seen, once the pattern is in it."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            if time.monotonic() > end:
                raise AssertionError(f"{pattern!r} was not seen in {seconds} s; there was: {self.seen[-3000:]!r}")
            self.read()
        return self.seen

    def send(self, text: str) -> None:
        os.write(self._master, text.encode())

    def kill(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 20.0) -> int:
        """The exit code, once the command has ended and all that it wrote was read."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it did not end in {seconds} s; there was: {self.seen[-3000:]!r}")
            self.read()
        while self.read():
            pass
        return self.process.returncode

    def screen(self, columns: int = 100) -> list[str]:
        """The lines that are left when all that was written has been carried out, as far as zooid and rich write."""
        return _screen(self.seen)


def _screen(text: str) -> list[str]:
    """A terminal of unlimited height: text, carriage return, line feed, cursor up, and erasing a line or all below."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b"):
            count = int(re.sub(r"\D", "", part) or 1)
            if part.endswith("A"):
                row = max(0, row - count)
            elif part.endswith("K"):
                lines[row] = "" if part == "\x1b[2K" else lines[row][:column]
            elif part.endswith("J"):
                lines[row:] = [lines[row][:column]]
        else:
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines if line.strip()]


@contextlib.contextmanager
def in_terminal(
    home: Path,
    folder: Path,
    *words: str,
    columns: int = 100,
    rows: int = 30,
    program: str = ZOOID,
    **variables: str,
) -> Iterator[Terminal]:
    """The command, or another program, with a terminal for all its streams."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [program, *words],
        cwd=folder,
        env=environment(home, **variables),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(master)

"""Output of a gigabyte, without end, or of no text: capped and said to be, and memory stays where it was."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import ZOOID, environment
from tests.e2e.test_command import by, plan
from tests.scripted import Server

GROWTH = 64  # MB
KEY = {"OPENAI_API_KEY": "sk-secret-of-the-test"}

PLUGIN = '''
import sys


def a_gigabyte() -> str:
    """Gives a gigabyte."""
    return "x" * (1 << 30)


def as_much_as_may_be() -> list[str]:
    """Gives a list of nearly four megabytes."""
    return [f"row {n} of very many" for n in range(150_000)]


def prints() -> str:
    """Prints a gigabyte."""
    for _ in range(1 << 10):
        sys.stdout.write("x" * (1 << 20))
    return "printed"


def no_text() -> str:
    """Gives halves of characters and what plays with terminals."""
    return "\\x1b[31m\\udcff\\x9b" * 1000


def without_end() -> list[int]:
    """Never comes to its end."""
    found = []
    while True:
        found = [1]
'''


def call(tool: str, **args: Any) -> dict[str, Any]:
    return {"id": "a", "tool": tool, "args": args}


def checked(check: dict[str, Any]) -> dict[str, Any]:
    return call("count_words", text="a b") | {"check": check}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a plain call": (call("count_words", text="a b"), "done"),
    "a plugin that gives a gigabyte": (call("a_gigabyte"), "returned more than 4 MiB"),
    "a check that writes without end": (checked({"command": "yes"}), "went over its limit of output"),
}
SLOW: dict[str, tuple[dict[str, Any], str]] = {
    "a check of a large file": (checked({"file": "big.txt", "pattern": "x"}), "has more than 16 MiB"),
    "a file of a gigabyte": (call("read_file", path="big.txt"), "over 4 MB, too large to be read as one text"),
    "a file of no text": (call("read_file", path="bytes.txt"), "is not a text file"),
    "no text": (call("no_text"), "done"),
    "the most that a plugin may give": (call("as_much_as_may_be"), "done"),
    "a plugin that prints a gigabyte": (call("prints"), "done"),
    "a plugin without end": (call("without_end"), "did not end within 45 seconds"),
    "a search in 256 MB": (call("search_text", pattern="nothing there", path="long.txt"), "done"),
    "a search that finds 256 MB": (call("search_text", pattern="word", path="long.txt"), "lines hold 'word'"),
    "all lines of that": (call("read_file", path="long.txt"), "over 4 MB"),
}


def most_memory(words: list[str], home: Path, work: Path) -> tuple[str, int]:
    """What the command said, and the most memory, in MB, that its own process has held."""
    env = environment(home, **KEY, ZOOID_TOOL_SECONDS="45")
    with subprocess.Popen([ZOOID, *words], cwd=work, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:  # fmt: skip
        most = [0]

        def watch() -> None:
            while process.returncode is None:
                try:
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    most.append(int(status.split("VmHWM:")[1].split()[0]) >> 10)
                except (OSError, IndexError):  # it has ended
                    return
                if most[-1] > 1000:
                    process.kill()  # before the machine is at its end
                time.sleep(0.01)

        (watching := threading.Thread(target=watch)).start()
        assert process.stdout
        said = process.stdout.read().decode(errors="replace")
        process.wait()
        watching.join()
    return said, max(most)


@pytest.fixture
def outsized(home: Path, work: Path) -> Path:
    (tools := home / "config" / "zooid" / "tools").mkdir(parents=True)
    (tools / "outsized.py").write_text(PLUGIN)
    with (work / "big.txt").open("wb") as file:
        file.truncate(1 << 30)
    (work / "bytes.txt").write_bytes(b"\x00\xff\xfe\x80\x1b]0;x\x07" * 1000)
    return work


def check_all(cases: dict[str, tuple[dict[str, Any], str]], home: Path, work: Path) -> None:
    usual = 0
    for name, (task, told) in cases.items():
        with Server([plan(task), *[{"answer": "given up"}] * 9]) as server:
            said, memory = most_memory(["run", "do it", "-v", "--approve", "auto", *by(server)], home, work)
        usual = usual or memory
        assert told in said and "Traceback" not in said, (name, said[-3000:])
        assert 0 < memory < usual + GROWTH, (name, memory, usual)
        print(f"{name}: {memory} MB, {memory - usual} more than usual")


def test_what_tools_give(outsized: Path, home: Path) -> None:
    check_all(CASES, home, outsized)


@pytest.mark.slow
def test_what_tools_give_by_the_gigabyte(outsized: Path, home: Path) -> None:
    with (outsized / "long.txt").open("wb") as file:
        for _ in range(1 << 8):
            file.write(b"a word in a line\n" * 61_680)
    check_all({"a plain call": CASES["a plain call"]} | SLOW, home, outsized)

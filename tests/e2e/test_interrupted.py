"""The clock of the day set to and fro, many processes on one run, and every way of being told to end."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import ZOOID, Piped, environment
from tests.e2e.test_command import by, plan
from tests.e2e.test_disk import built
from tests.scripted import Reply, Server

KEY = {"OPENAI_API_KEY": "sk-secret-of-the-test"}
PROCESSES = 16

# -- the clock


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables under which the clock of the day jumps by a year, to and fro, each time it is read."""
    return {"LD_PRELOAD": str(built(tmp_path_factory.mktemp("clock"))), "FAULTS_CLOCK": "swings"}


@pytest.mark.slow
def test_a_clock_that_is_set_ends_nothing_early(zooid: Piped, clock: dict[str, str]) -> None:
    script = [plan({"id": "a", "goal": "wait a while"}, answer="$a"), Reply({"answer": "in time"}, delay=1.0)]
    with Server(script) as server:
        done = zooid("run", "take your time", "--max-seconds", "30", *by(server), **KEY, **clock)
    assert (done.returncode, done.stdout) == (0, "in time\n"), done.stderr
    assert zooid("tree", zooid.last(), **clock).returncode == 0 and zooid("runs", **clock).returncode == 0


def test_a_clock_that_is_set_puts_nothing_off(zooid: Piped, clock: dict[str, str]) -> None:
    with Server(lambda body: Reply(hang=True)) as server:
        done = zooid("run", "take your time", "--max-seconds", "1.5", *by(server), **KEY, **clock)
        assert done.returncode == 3 and "limit of 1.5 s" in done.stderr
        took = re.search(r"stopped: ([\d.]+) s", done.stderr)
        assert took and 1.4 < float(took[1]) < 2.5
        later = Reply(status=429, headers={"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"}, error={"message": "wait"})
    with Server(lambda body: later) as server:
        done = zooid("run", "take your time", "--max-seconds", "4", *by(server), **KEY, **clock)
        assert done.returncode == 3 and len(server.requests) == 1


# -- many processes


@pytest.mark.parametrize("processes", [3, pytest.param(PROCESSES, marks=pytest.mark.slow)])
def test_a_run_has_one_owner(zooid: Piped, processes: int) -> None:
    step = plan({"id": "r", "tool": "read_file", "args": {"path": "a.txt"}})
    with Server([step, Reply(hang=True)]) as server, zooid.start("run", "work", *by(server), **KEY) as process:
        until(lambda: len(server.requests) == 2)
        process.send_signal(signal.SIGKILL)
    with Server(lambda body: Reply({"answer": "in peace"}, delay=3.0)) as server:
        words = ["resume", "--last", "--base-url", server.base_url]
        with ThreadPoolExecutor(processes) as pool:
            ended = list(pool.map(lambda _: zooid(*words, **KEY), range(processes)))
    codes = Counter(done.returncode for done in ended)
    assert codes[0] >= 1 and codes[0] + codes[2] == processes, [done.stderr for done in ended]
    assert len(server.requests) == 1, "two of them worked on it"
    assert all(done.stdout == "in peace\n" for done in ended if done.returncode == 0)
    refused = [done.stderr for done in ended if done.returncode == 2]
    assert all("another process" in said and "Traceback" not in said for said in refused)
    assert zooid("tree", zooid.last()).returncode == 0


# -- being told to end

HANG = """
import os
import subprocess
import time
from pathlib import Path


def hang(text: str) -> str:
    \"\"\"Hang, with a process of its own.\"\"\"
    child = subprocess.Popen(["sleep", "600"])
    Path("pids").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)
    return text
"""


def until(met: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


WAYS = {"INT": [2], "INT twice": [2, 2], "TERM": [15], "HUP": [1], "TERM and INT": [15, 2], "KILL": [9]}


@pytest.mark.parametrize(
    "way", [way if way in ("INT twice", "HUP") else pytest.param(way, marks=pytest.mark.slow) for way in WAYS]
)
def test_what_is_told_to_end_leaves_nothing_behind(zooid: Piped, home: Path, work: Path, way: str) -> None:
    (tools := home / "config" / "zooid" / "tools").mkdir(parents=True)
    (tools / "hang.py").write_text(HANG)
    steps = plan(
        {"id": "r", "tool": "read_file", "args": {"path": "a.txt"}},
        {"id": "h", "tool": "hang", "args": {"text": "x"}, "after": ["r"]},
    )
    with Server([steps]) as server, zooid.start("run", "hang", "--approve", "auto", *by(server), **KEY) as process:
        until(lambda: (work / "pids").exists() and len((work / "pids").read_text().split()) == 2)
        started = time.monotonic()
        for number in WAYS[way]:
            process.send_signal(number)
            time.sleep(0.01)
        _, said = process.communicate(timeout=10)
        assert time.monotonic() - started < 2
    number = WAYS[way][0]
    assert process.returncode == (128 + number if number != 9 else -9)
    assert number == 9 or (f"zooid resume {zooid.last()}" in said and "Traceback" not in said)
    until(lambda: not any(is_there(int(pid)) for pid in (work / "pids").read_text().split()), 2.0)
    tree = zooid("tree", zooid.last()).stdout
    assert "read_file" in tree and "one two" in tree  # what was done is kept


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_pipe_disturbs_no_run(home: Path, work: Path, stream: str) -> None:
    with Server(
        [plan({"id": "a", "goal": "say it"}, answer="$a"), Reply({"answer": "x\n" * 1000}, delay=0.3)]
    ) as server:
        process = subprocess.Popen(
            [ZOOID, "run", "say it", *by(server)], cwd=work, env=environment(home, **KEY),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        getattr(process, stream).close()
        other = process.stderr if stream == "stdout" else process.stdout
        assert other
        said = other.read().decode()
        other.close()
        assert process.wait(10) in (0, 141) and "Traceback" not in said
    assert Piped(home, work).runs()[0]["status"] == "done"

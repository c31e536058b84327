"""Runs in the background, as processes of the installed command: queued, looked at, answered, killed, cancelled."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.jobs import Jobs
from agent.store import Folder
from tests.e2e.command import ZOOID, Piped, in_terminal
from tests.scripted import Reply, Server

KEY = {"OPENAI_API_KEY": "sk-secret-of-the-test"}
SLEEPER = '''
import time

def doze(seconds: float) -> str:
    """Doze for some seconds."""
    time.sleep(seconds)
    return "rested"
'''


class Held(Server):
    """A server whose replies to parts that are `held` wait for a word of the test."""

    def __init__(self) -> None:
        super().__init__(say)
        self.released = threading.Event()

    def wait(self, reply: Reply, client: socket.socket) -> None:
        self.released.wait(60) if reply.delay < 0 else super().wait(reply, client)

    def asked(self, goal: str) -> int:
        return sum(body["messages"][-1]["content"].startswith(f"Goal: {goal}\n") for body in self.requests)


def say(body: dict[str, Any]) -> Reply:
    """Parts that are held, a question, or at once what the goal is."""
    text = body["messages"][-1]["content"]
    goal = text.splitlines()[0].removeprefix("Goal: ")
    if goal.startswith("part "):
        return Reply({"answer": goal}, delay=-1 if "held" in goal else 0)
    if goal.startswith("parts of"):
        tasks = [{"id": f"p{n}", "goal": f"part {n} {goal[9:]}"} for n in range(3)]
        return Reply({"tasks": tasks, "answer": "all: $p0"})
    if goal.startswith("ask"):
        heard = re.search("said: (.*)", text)
        return Reply({"answer": f"heard: {heard[1]}"} if heard else {"ask": "Which file?"})
    if goal.startswith("fill"):
        return Reply({"tasks": [{"id": f"p{n}", "goal": f"much {n}"} for n in range(20)], "answer": "$p0"})
    if goal.startswith("much"):
        return Reply({"answer": "much " * 10_000}, delay=int(goal.split()[-1]) / 50)
    if goal.startswith("doze"):
        return Reply({"tasks": [{"id": "d", "tool": "doze", "args": {"seconds": 60}}], "answer": "$d"})
    return Reply({"answer": goal})


@pytest.fixture
def server() -> Iterator[Held]:
    with Held() as server:
        yield server


@pytest.fixture
def zooid(home: Path, work: Path, server: Held) -> Iterator[Piped]:
    plugins = home / "config" / "zooid" / "tools"
    plugins.mkdir(parents=True)
    (plugins / "doze.py").write_text(SLEEPER)
    yield Piped(home, work, OPENAI_BASE_URL=server.base_url, ZOOID_PLANNER="openai", ZOOID_MODEL="m", **KEY)
    for pid in processes(home):
        os.kill(pid, signal.SIGKILL)


def processes(home: Path) -> list[int]:
    """All that runs under this home, whoever started it; micro-models' shared workers are none of a job's."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"HOME={home}".encode() in (path / "environ").read_bytes().split(b"\0")
            ended = (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if mine and not ended:
            found.append(int(path.name))
    return found


def start(zooid: Piped, goal: str, **more: str) -> str:
    done = zooid("run", "-q", "--bg", goal, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def jobs_of(home: Path) -> Jobs:
    state = home / "state" / "zooid"
    return Jobs(state / "jobs", Folder(state / "runs"))


def states(home: Path) -> dict[str, str]:
    """What the list shows, read without a command's start: it is looked at often."""
    return {job.summary.run: job.state for job in jobs_of(home).listed()}


def newest(home: Path) -> str:
    return jobs_of(home).runs.ids()[0]


def owner(home: Path, run: str) -> int:
    """The process of a job that is at work."""
    return int(until(lambda: jobs_of(home).runs.owner(run)))


def until(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
    return found


# -- from beginning to end


def test_a_job_goes_on_by_itself_and_says_when_it_has_ended(zooid: Piped, home: Path, work: Path) -> None:
    (home / "config" / "zooid" / "config.toml").write_text(
        """[jobs]\non_end = ["sh", "-c", 'echo "$ZOOID_JOB_STATUS $ZOOID_JOB_GOAL" > told.txt']\n"""
    )
    goal = "say $(touch b) `x` 'y'"
    done = zooid("run", "--bg", goal, "-o", "answer.txt", text="context")
    assert done.returncode == 0
    id = done.stdout.removesuffix("\n")
    assert id.isalnum() and all(f"zooid jobs {command} {id}" in done.stderr for command in ("attach", "wait", "cancel"))
    waited = zooid("jobs", "wait", id)
    assert (waited.returncode, waited.stdout) == (0, goal + "\n")
    assert (work / "answer.txt").read_text() == goal + "\n"
    assert until(lambda: (work / "told.txt").exists() and (work / "told.txt").read_text()) == f"done {goal}\n"
    assert f"{id} done" in zooid("jobs", "logs", id).stdout
    assert states(home) == {id: "done"}
    assert zooid("jobs", "rm", id).returncode == 0
    assert states(home) == {} and newest(home) == id and not (work / "b").exists()
    until(lambda: not processes(home))


def test_jobs_queue_in_order_and_one_that_is_killed_blocks_nobody(zooid: Piped, home: Path) -> None:
    limit = {"ZOOID_JOBS_MAX_RUNNING": "1"}
    first = start(zooid, "parts of held", **limit)
    rest = [start(zooid, f"say {n}", **limit) for n in range(3)]
    assert states(home) == {first: "running"} | dict.fromkeys(rest, "queued")
    os.kill(owner(home, first), signal.SIGKILL)
    assert zooid("jobs", "wait", *rest, **limit).stdout == "say 0\nsay 1\nsay 2\n"
    jobs = json.loads(zooid("jobs", "--json", **limit).stdout)
    ends = {job["run"]: job["ended"] for job in jobs}
    assert sorted(rest, key=lambda run: ends[run]) == rest
    assert {job["run"]: job["state"] for job in jobs} == {first: "interrupted"} | dict.fromkeys(rest, "done")


def test_after_a_restart_of_the_machine_all_goes_on(zooid: Piped, home: Path, server: Held) -> None:
    runs = [start(zooid, f"parts of held {n}") for n in range(2)]
    until(lambda: all(server.asked(f"part 2 held {n}") for n in range(2)))
    for pid in processes(home):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not processes(home))
    until(lambda: set(states(home).values()) == {"interrupted"})  # a lock is held a moment longer than its process
    server.released.set()
    assert zooid("jobs", "resume", "--all").returncode == 0
    waited = zooid("jobs", "wait", *runs)
    assert (waited.returncode, waited.stdout) == (0, "all: part 0 held 0\nall: part 0 held 1\n")
    assert "no job was interrupted" in zooid("jobs", "resume", "--all").stderr


def test_a_job_outlives_its_terminal(home: Path, work: Path, zooid: Piped, server: Held) -> None:
    with in_terminal(home, work, "run", "--bg", "parts of held", **zooid.variables) as terminal:
        assert terminal.end() == 0
        id = terminal.screen()[0]
    until(lambda: server.asked("part 2 held"))
    os.kill(owner(home, id), signal.SIGHUP)
    server.released.set()
    assert zooid("jobs", "wait", id).stdout == "all: part 0 held\n"


@pytest.mark.slow
def test_kills_at_random_times_lose_no_job(zooid: Piped, home: Path, server: Held) -> None:
    """Jobs, and those who look and start them, are killed in turn; every job that was taken on ends right."""
    limit, chance, kills = {"ZOOID_JOBS_MAX_RUNNING": "2"}, random.Random(7), 0
    runs: list[str] = []
    while kills < 30:
        done = zooid("run", "-q", "--bg", f"parts of {len(runs)}", **limit)
        runs += done.stdout.split()
        with zooid.start("jobs", "resume", "--all", **limit):
            time.sleep(chance.random() * 0.6)
            there = processes(home)
            if there:
                os.kill(chance.choice(there), signal.SIGKILL)
                kills += 1
    end = time.monotonic() + 60
    while set(states(home).values()) != {"done"}:
        assert time.monotonic() < end, states(home)
        zooid("jobs", "resume", "--all", **limit)
        zooid("jobs", "wait", *runs, **limit)
    assert set(states(home)) == set(runs) and len(runs) > 10
    assert zooid("jobs", "wait", *runs, **limit).stdout.split("\n")[:-1] == [
        f"all: part 0 {n}" for n in range(len(runs))
    ]


# -- ending one


def test_cancel_leaves_nothing_behind_within_two_seconds(zooid: Piped, home: Path, server: Held) -> None:
    asks, calls = start(zooid, "parts of held"), start(zooid, "doze")
    until(lambda: server.asked("part 2 held") and len(processes(home)) == 3)  # two jobs, and a tool that dozes
    began = time.monotonic()
    assert zooid("jobs", "cancel", asks, calls).returncode == 0
    assert time.monotonic() - began < 2 * 2 + 1 and not processes(home)  # the command's own start is in it
    again = zooid("jobs", "cancel", asks)
    assert again.returncode == 2 and f"run {asks} is cancelled already by " in again.stderr
    assert states(home) == {asks: "cancelled", calls: "cancelled"} and zooid("jobs", "wait", asks).returncode == 130


def test_what_does_not_react_is_killed_and_what_waits_is_taken_out(zooid: Piped, home: Path) -> None:
    limit = {"ZOOID_JOBS_MAX_RUNNING": "1"}
    stuck, waits = start(zooid, "parts of held", **limit), start(zooid, "say nothing", **limit)
    os.kill(owner(home, stuck), signal.SIGSTOP)
    done = zooid("jobs", "cancel", waits, stuck, **limit)
    assert done.returncode == 0 and not processes(home)
    assert states(home) == {stuck: "cancelled", waits: "cancelled"}


# -- looking at one, and answering


def test_attach_shows_the_live_tree_and_leaving_leaves_the_run_alone(
    home: Path, work: Path, zooid: Piped, server: Held
) -> None:
    id = start(zooid, "parts of held")
    with in_terminal(home, work, "jobs", "attach", id, **zooid.variables) as terminal:
        terminal.until("part 2 held.*openai:m ")
        parts = [f"● part {n} held" for n in range(3)]
        assert [line[:15].strip() for line in terminal.screen()] == ["● parts of held", *parts]
        terminal.send("\x03")
        assert terminal.end() == 0 and f"zooid jobs attach {id}" in terminal.screen()[-1]
    server.released.set()
    with in_terminal(home, work, "jobs", "attach", id, **zooid.variables) as terminal:
        assert terminal.end() == 0
        assert terminal.screen()[0] == "all: part 0 held"


def test_a_question_is_answered_where_one_looks_or_from_elsewhere(home: Path, work: Path, zooid: Piped) -> None:
    one, other = start(zooid, "ask once"), start(zooid, "ask twice")
    with in_terminal(home, work, "jobs", "attach", one, **zooid.variables) as terminal:
        terminal.until("Which file\\?\r\n> ")
        terminal.send("a.txt\n")
        assert terminal.end() == 0 and "heard: a.txt" in terminal.screen()[2]
    until(lambda: states(home)[other] == "asks")
    listed = zooid("jobs")
    assert "asks: Which file?" in listed.stdout and f"zooid jobs answer {other}" in listed.stderr
    with in_terminal(home, work, "jobs", "attach", other, **zooid.variables) as terminal:
        terminal.until("Which file")
        assert zooid("jobs", "answer", other, "b.txt").returncode == 0
        assert terminal.end() == 0 and "heard: b.txt" in terminal.seen
    said = [e for e in map(json.loads, zooid("log", other, "--json").stdout.splitlines()) if e["type"] == "answered"]
    assert [event["text"] for event in said] == ["b.txt"] and "@" in said[0]["by"]


# -- from the foreground to the background


def test_control_z_sends_a_run_to_the_background_and_nothing_is_done_twice(
    home: Path, work: Path, zooid: Piped, server: Held
) -> None:
    with in_terminal(home, work, "--norc", "-i", program="bash", **zooid.variables) as terminal:
        terminal.send(f"{ZOOID} run 'parts of held'\n")
        terminal.until("part 2 held.*openai:m")
        terminal.send("\x1a")
        terminal.until("goes on in the background(?s:.)*Stopped")
        terminal.send("echo there is a $((1 + 1))nd prompt\n")
        terminal.until("there is a 2nd prompt")
        id = newest(home)
        assert states(home) == {id: "running"}
    server.released.set()  # the terminal is closed by now, and its shell is gone
    assert zooid("jobs", "wait", id).stdout == "all: part 0 held\n"
    assert [server.asked(goal) for goal in ("parts of held", *(f"part {n} held" for n in range(3)))] == [1] * 4
    assert "all: part 0 held" in zooid("jobs", "logs", id).stdout
    until(lambda: not processes(home))


def test_it_is_sent_there_from_elsewhere_too_with_its_question_left_open(home: Path, work: Path, zooid: Piped) -> None:
    with in_terminal(home, work, "run", "ask thrice", **zooid.variables) as terminal:
        terminal.until("Which file")
        id = newest(home)
        assert zooid("jobs", "bg", id).returncode == 0
        terminal.until("goes on in the background")
        assert terminal.end() == 4
    assert states(home) == {id: "asks"}
    assert zooid("jobs", "answer", id, "c.txt").returncode == 0
    assert zooid("jobs", "wait", id).stdout == "heard: c.txt\n"


# -- changing the course of one that goes on


def test_a_task_is_cancelled_and_another_replaced_from_another_terminal(zooid: Piped, server: Held) -> None:
    id = start(zooid, "parts of held")
    until(lambda: server.asked("part 2 held"))
    assert all(f"root.p{n}  " in zooid("tree", id, "--ids").stdout for n in range(1))
    assert zooid("jobs", "cancel", id, "--task", "root.p1").returncode == 0
    assert zooid("jobs", "replace", id, "root.p0", "by hand").returncode == 0
    assert zooid("jobs", "replace", id, "root.p2", "[1, 2]").returncode == 0
    assert zooid("jobs", "wait", id).stdout == "all: by hand\n"
    tree = json.loads(zooid("tree", id, "--json").stdout)["tree"]
    assert [(child["status"], child["result"]) for child in tree["children"]] == [
        ("done", "by hand"), ("cancelled", None), ("done", [1, 2]),
    ]  # fmt: skip
    assert all("@" in child["by"] for child in tree["children"])


# -- a service


def test_a_worker_works_through_the_queue_and_leaves_it_whole(zooid: Piped, home: Path, server: Held) -> None:
    limit = {"ZOOID_JOBS_MAX_RUNNING": "1"}
    with zooid.start("worker", **limit) as worker:
        until(lambda: "working through" in str(worker.stderr and worker.stderr.readline()))
        long, waits = start(zooid, "parts of held", **limit), start(zooid, "say more", **limit)
        until(lambda: server.asked("part 2 held"))
        assert zooid("worker").returncode == 2
        worker.terminate()
        assert worker.wait(10) == 0 and f"run {long} is queued again" in worker.communicate()[1]
    assert not processes(home)
    server.released.set()
    with zooid.start("worker", **limit):
        assert zooid("jobs", "wait", long, waits).stdout == "all: part 0 held\nsay more\n"


def test_the_unit_of_the_service(zooid: Piped, work: Path) -> None:
    done = zooid("worker", "--print-unit")
    assert done.returncode == 0 and f"ExecStart={ZOOID} worker\n" in done.stdout and "systemctl" in done.stderr
    if shutil.which("systemd-analyze"):
        (work / "zooid.service").write_text(done.stdout)
        subprocess.run(["systemd-analyze", "verify", "--user", str(work / "zooid.service")], check=True)


# -- a disk that fills


def test_a_disk_that_fills_ends_the_job_and_loses_nothing(zooid: Piped, home: Path, server: Held) -> None:
    disk = home / "state"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("a disk can only be mounted by root")
    try:
        id = start(zooid, "fill the disk")
        waited = zooid("jobs", "wait", id)
        assert waited.returncode == 3 and f"zooid resume {id}" in waited.stderr
        assert states(home) == {id: "stopped"}
        assert "the disk does not take" in zooid("jobs", "logs", id).stdout
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        assert zooid("jobs", "resume", id).returncode == 0
        assert zooid("jobs", "wait", id).returncode == 0
        until(lambda: not processes(home))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert server.asked("fill the disk") == 1


# -- wrong words


def test_wrong_words_are_told_and_change_nothing(zooid: Piped, work: Path, home: Path) -> None:
    id = start(zooid, "parts of held")
    for words, said in (
        (["answer", id, "x"], f"run {id} asks nothing"),
        (["cancel", "nosuch"], "there is no run 'nosuch'"),
        (["rm", id], "is at work or queued"),
    ):
        done = zooid("jobs", *words)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, words
    assert states(home) == {id: "running"}


def test_a_workspace_that_is_gone_is_told_and_nothing_is_lost(zooid: Piped, home: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    moved = zooid("run", "-q", "--bg", "ask where", "--workspace", str(place)).stdout.strip()
    until(lambda: set(states(home).values()) == {"asks"})
    place.rename(tmp_path / "elsewhere")
    assert zooid("jobs", "answer", moved, "here").returncode == 0
    waited = zooid("jobs", "wait", moved)
    assert waited.returncode == 2 and "is not there" in waited.stderr
    assert states(home) == {moved: "stopped"}
    (tmp_path / "elsewhere").rename(place)
    assert zooid("jobs", "resume", moved).returncode == 0
    assert zooid("jobs", "wait", moved).stdout == "heard: here\n"

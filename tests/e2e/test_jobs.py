"""Runs in the background, as processes of the installed command: queued, looked at, answered, killed, cancelled."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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


def say(body: dict[str, Any]) -> Reply:
    """Parts that take as long as their goal says, a question, or at once what the goal is."""
    text = body["messages"][-1]["content"]
    goal = text.splitlines()[0].removeprefix("Goal: ")
    if goal.startswith("part "):
        return Reply({"answer": goal}, delay=float(goal.split()[-1]))
    if goal.startswith("parts of"):
        tasks = [{"id": f"p{n}", "goal": f"part {n} {goal.split()[-1]}"} for n in range(3)]
        return Reply({"tasks": tasks, "answer": "all: $p0"})
    if goal.startswith("ask"):
        heard = re.search("said: (.*)", text)
        return Reply({"answer": f"heard: {heard[1]}"} if heard else {"ask": "Which file?"})
    if goal.startswith("fill"):
        return Reply({"tasks": [{"id": f"p{n}", "goal": f"much {n}"} for n in range(20)], "answer": "$p0"})
    if goal.startswith("much"):
        return Reply({"answer": "much " * 10_000}, delay=int(goal.split()[-1]) / 20)
    if goal.startswith("doze"):
        return Reply({"tasks": [{"id": "d", "tool": "doze", "args": {"seconds": 60}}], "answer": "$d"})
    return Reply({"answer": goal})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(say) as server:
        yield server


@pytest.fixture
def zooid(home: Path, work: Path, server: Server) -> Iterator[Piped]:
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


def states(zooid: Piped, **more: str) -> dict[str, str]:
    return {job["run"]: job["state"] for job in json.loads(zooid("jobs", "--json", **more).stdout)}


def owner(home: Path, run: str) -> int:
    """The process of a job that is at work."""
    lock = home / "state" / "zooid" / "runs" / f"{run}.lock"
    return int(until(lambda: lock.read_text().split()[2:3])[0])


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
    assert states(zooid) == {id: "done"}
    assert zooid("jobs", "rm", id).returncode == 0
    assert states(zooid) == {} and zooid.last() == id and not (work / "b").exists()
    until(lambda: not processes(home))


def test_jobs_queue_in_order_and_one_that_is_killed_blocks_nobody(zooid: Piped, home: Path) -> None:
    limit = {"ZOOID_JOBS_MAX_RUNNING": "1"}
    first = start(zooid, "parts of 60", **limit)
    rest = [start(zooid, f"say {n}", **limit) for n in range(3)]
    assert states(zooid, **limit) == {first: "running"} | dict.fromkeys(rest, "queued")
    os.kill(owner(home, first), signal.SIGKILL)
    assert zooid("jobs", "wait", *rest, **limit).stdout == "say 0\nsay 1\nsay 2\n"
    jobs = json.loads(zooid("jobs", "--json", **limit).stdout)
    ends = {job["run"]: job["ended"] for job in jobs}
    assert sorted(rest, key=lambda run: ends[run]) == rest
    assert {job["run"]: job["state"] for job in jobs} == {first: "interrupted"} | dict.fromkeys(rest, "done")


def test_after_a_restart_of_the_machine_all_goes_on(zooid: Piped, home: Path, server: Server) -> None:
    runs = [start(zooid, f"parts of 1.{n}") for n in (3, 4)]
    until(lambda: all(f"part 2 1.{n}" in str(server.requests) for n in (3, 4)))
    for pid in processes(home):
        os.kill(pid, signal.SIGKILL)
    assert set(states(zooid).values()) == {"interrupted"} and not processes(home)
    assert zooid("jobs", "resume", "--all").returncode == 0
    waited = zooid("jobs", "wait", *runs)
    assert (waited.returncode, waited.stdout) == (0, "all: part 0 1.3\nall: part 0 1.4\n")
    assert "no job was interrupted" in zooid("jobs", "resume", "--all").stderr


def test_a_job_outlives_its_terminal(home: Path, work: Path, zooid: Piped) -> None:
    with in_terminal(home, work, "run", "--bg", "parts of 1", **zooid.variables) as terminal:
        assert terminal.end() == 0
        id = terminal.screen()[0]
    for pid in processes(home):
        os.kill(pid, signal.SIGHUP)
    assert zooid("jobs", "wait", id).stdout == "all: part 0 1\n"


# -- ending one


def test_cancel_leaves_nothing_behind_within_two_seconds(zooid: Piped, home: Path) -> None:
    for goal in ("parts of 60", "doze"):
        id = start(zooid, goal)
        until(lambda id=id: len(zooid("tree", id).stdout.splitlines()) > 2)
        began = time.monotonic()
        assert zooid("jobs", "cancel", id).returncode == 0
        assert time.monotonic() - began < 4 and not processes(home)  # the command's own start is in it
    again = zooid("jobs", "cancel", id)
    assert again.returncode == 2 and f"run {id} is cancelled already by " in again.stderr
    assert set(states(zooid).values()) == {"cancelled"} and zooid("jobs", "wait", id).returncode == 130


def test_what_does_not_react_is_killed_and_what_waits_is_taken_out(zooid: Piped, home: Path) -> None:
    limit = {"ZOOID_JOBS_MAX_RUNNING": "1"}
    stuck, waits = start(zooid, "parts of 60", **limit), start(zooid, "say nothing", **limit)
    os.kill(owner(home, stuck), signal.SIGSTOP)
    done = zooid("jobs", "cancel", waits, stuck, **limit)
    assert done.returncode == 0 and not processes(home)
    assert states(zooid) == {stuck: "cancelled", waits: "cancelled"}


# -- looking at one, and answering


def test_attach_shows_the_live_tree_and_leaving_leaves_the_run_alone(home: Path, work: Path, zooid: Piped) -> None:
    id = start(zooid, "parts of 3")
    with in_terminal(home, work, "jobs", "attach", id, **zooid.variables) as terminal:
        terminal.until("openai:m ")
        parts = [f"● part {n} 3" for n in range(3)]
        assert [line[:12].strip() for line in terminal.screen()] == ["● parts of 3", *parts]
        terminal.send("\x03")
        assert terminal.end() == 0 and f"zooid jobs attach {id}" in terminal.screen()[-1]
    with in_terminal(home, work, "jobs", "attach", id, **zooid.variables) as terminal:
        assert terminal.end() == 0
        assert terminal.screen()[0] == "all: part 0 3"


def test_a_question_is_answered_where_one_looks_or_from_elsewhere(home: Path, work: Path, zooid: Piped) -> None:
    one, other = start(zooid, "ask once"), start(zooid, "ask twice")
    with in_terminal(home, work, "jobs", "attach", one, **zooid.variables) as terminal:
        terminal.until("Which file\\?\r\n> ")
        terminal.send("a.txt\n")
        assert terminal.end() == 0 and "heard: a.txt" in terminal.screen()[2]
    until(lambda: states(zooid)[other] == "asks")
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
    home: Path, work: Path, zooid: Piped, server: Server
) -> None:
    with in_terminal(home, work, "--norc", "-i", program="bash", **zooid.variables) as terminal:
        terminal.send(f"{ZOOID} run 'parts of 2.5'\n")
        terminal.until("part 2 2.5.*openai:m")
        terminal.send("\x1a")
        terminal.until("goes on in the background(?s:.)*Stopped")
        terminal.send("echo there is a $((1 + 1))nd prompt\n")
        terminal.until("there is a 2nd prompt")
        id = zooid.last()
        assert states(zooid) == {id: "running"}
    # the terminal is closed, and its shell is gone
    assert zooid("jobs", "wait", id).stdout == "all: part 0 2.5\n"
    asked = [body["messages"][-1]["content"].splitlines()[0] for body in server.requests]
    assert sum(goal.endswith(" 2.5") for goal in asked) == 4  # the plan and three parts, each once
    assert "all: part 0 2.5" in zooid("jobs", "logs", id).stdout
    until(lambda: not processes(home))


def test_it_is_sent_there_from_elsewhere_too_with_its_question_left_open(home: Path, work: Path, zooid: Piped) -> None:
    with in_terminal(home, work, "run", "ask thrice", **zooid.variables) as terminal:
        terminal.until("Which file")
        id = zooid.last()
        assert zooid("jobs", "bg", id).returncode == 0
        terminal.until("goes on in the background")
        assert terminal.end() == 4
    assert states(zooid) == {id: "asks"}
    assert zooid("jobs", "bg", id).returncode == 0  # it goes on, and asks the same again
    assert zooid("jobs", "answer", id, "c.txt").returncode == 0
    assert zooid("jobs", "wait", id).stdout == "heard: c.txt\n"


# -- changing the course of one that goes on


def test_a_task_is_cancelled_replaced_and_tried_again_from_another_terminal(zooid: Piped) -> None:
    id = start(zooid, "parts of 60")
    until(lambda: "root.p2" in (shown := zooid("tree", "--ids", id).stdout) and "● root.p2" not in shown)
    assert zooid("jobs", "cancel", id, "--task", "root.p1").returncode == 0
    assert zooid("jobs", "replace", id, "root.p0", "by hand").returncode == 0
    assert zooid("jobs", "replace", id, "root.p2", "[1, 2]").returncode == 0
    assert zooid("jobs", "wait", id).stdout == "all: by hand\n"
    tree = json.loads(zooid("tree", id, "--json").stdout)["tree"]
    assert [(child["status"], child["result"]) for child in tree["children"]] == [
        ("done", "by hand"), ("cancelled", None), ("done", [1, 2]),
    ]  # fmt: skip
    assert all("@" in child["by"] for child in tree["children"])
    assert len(re.findall(r"by \S+@\S+", zooid("tree", id).stdout)) >= 3
    again = zooid("jobs", "retry", id, "root.p1")
    assert again.returncode == 2 and "task root is done without root.p1" in again.stderr


# -- a service


def test_a_worker_works_through_the_queue_and_leaves_it_whole(zooid: Piped, home: Path) -> None:
    limit = {"ZOOID_JOBS_MAX_RUNNING": "1"}
    with zooid.start("worker", **limit) as worker:
        until(lambda: (home / "state" / "zooid" / "jobs" / "worker.lock").exists())
        time.sleep(0.3)
        quick, long, waits = (start(zooid, goal, **limit) for goal in ("say it", "parts of 3", "say more"))
        until(lambda: states(zooid)[long] == "running")
        assert zooid("worker").returncode == 2
        worker.terminate()
        assert worker.wait(10) == 0 and f"run {long} is queued again" in worker.communicate()[1]
    assert not processes(home)
    with zooid.start("worker", **limit):
        assert zooid("jobs", "wait", quick, long, waits).stdout == "say it\nall: part 0 3\nsay more\n"


def test_the_unit_of_the_service(zooid: Piped, work: Path) -> None:
    done = zooid("worker", "--print-unit")
    assert done.returncode == 0 and f"ExecStart={ZOOID} worker\n" in done.stdout and "systemctl" in done.stderr
    if shutil.which("systemd-analyze"):
        (work / "zooid.service").write_text(done.stdout)
        subprocess.run(["systemd-analyze", "verify", "--user", str(work / "zooid.service")], check=True)


# -- a disk that fills


def test_a_disk_that_fills_ends_the_job_and_loses_nothing(zooid: Piped, home: Path, server: Server) -> None:
    disk = home / "state"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("a disk can only be mounted by root")
    try:
        id = start(zooid, "fill the disk")
        waited = zooid("jobs", "wait", id)
        assert waited.returncode in (3, 130) and f"zooid resume {id}" in waited.stderr
        assert set(states(zooid).values()) <= {"stopped", "interrupted"}
        assert "the disk does not take" in zooid("jobs", "logs", id).stdout
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        assert zooid("jobs", "resume", id).returncode == 0
        assert zooid("jobs", "wait", id).returncode == 0
        until(lambda: not processes(home))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    asked = [str(body["messages"][-1]["content"].splitlines()[0]) for body in server.requests]
    assert asked.count("Goal: fill the disk") == 1


# -- wrong words


def test_wrong_words_are_told_and_change_nothing(zooid: Piped, work: Path, home: Path) -> None:
    id = start(zooid, "parts of 60")
    foreground = zooid("run", "-q", "say it") and zooid.last()
    for words, said in (
        (["answer", id, "x"], f"run {id} asks nothing"),
        (["cancel", "nosuch"], "there is no run 'nosuch'"),
        (["wait", "nosuch"], "there is no run 'nosuch'"),
        (["rm", id], "is at work or queued"),
        (["logs", foreground], "was not in the background"),
        (["resume", id], "is being worked on by another process"),
        (["resume"], "name the runs, or give --all"),
        (["retry", id, "root.p9"], "has no task 'root.p9'"),
        (["replace", foreground, "root", "x"], "is used already"),
    ):
        done = zooid("jobs", *words)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, words
    assert states(zooid) == {id: "running"}


def test_a_workspace_that_is_gone_is_told_and_nothing_is_lost(zooid: Piped, work: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    id = start(zooid, "ask about it", ZOOID_JOBS_MAX_RUNNING="1")
    moved = zooid("run", "-q", "--bg", "ask where", "--workspace", str(place)).stdout.strip()
    until(lambda: set(states(zooid).values()) == {"asks"})
    place.rename(tmp_path / "elsewhere")
    assert zooid("jobs", "answer", moved, "here").returncode == 0
    waited = zooid("jobs", "wait", moved)
    assert waited.returncode == 2 and "is not there" in waited.stderr
    assert states(zooid) == {id: "asks", moved: "stopped"}
    (tmp_path / "elsewhere").rename(place)
    assert zooid("jobs", "resume", moved).returncode == 0
    assert zooid("jobs", "wait", moved).stdout == "heard: here\n"

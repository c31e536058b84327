"""Runs in a database, worked on by several processes: they share, they die, they sleep, the server is restarted."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.jobs import person
from tests.e2e.command import Piped
from tests.e2e.shared import MODEL, count, goal_of, growing, grown, until, workers
from tests.postgres import Postgres
from tests.scripted import Reply, Server


@pytest.fixture
def database(postgres: Postgres) -> str:
    return postgres.database()


def test_a_run_without_workers_is_worked_on_where_it_was_begun(zooid: Piped, database: str) -> None:
    goal = "count the words of a.txt and of b.txt and add them up"
    done = zooid("run", goal, ZOOID_DATABASE=database)
    assert done.returncode == 0 and done.stdout.strip() == "4", done.stderr
    listed = zooid("runs", "--json", ZOOID_DATABASE=database)
    assert '"status": "done"' in listed.stdout and goal in listed.stdout
    assert zooid("runs").stdout == ""  # nothing of it is kept in files


def test_two_workers_share_one_run(zooid: Piped, database: str) -> None:
    with Server(growing(3, 4, 0.3)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-first", "ZOOID_MAX_PARALLEL": "4"}
        second = {**model, "OPENAI_API_KEY": "sk-second"}
        with workers(zooid, database, 1, **model), workers(zooid, database, 1, there=1, **second):
            done = zooid("run", "grow", *MODEL, "--max-parallel", "8", ZOOID_DATABASE=database, **model)
        assert done.returncode == 0 and done.stdout.split() == grown(3, 4).split(), done.stderr
        assert len(server.requests) == 1 + 3 + 12
        assert {key.split()[-1] for key in server.keys} == {"sk-first", "sk-second"}
    owners = "SELECT count(DISTINCT zone) FROM zooid_event WHERE zone <> ''"
    assert count(database, owners) == 16


def test_a_worker_that_is_killed_costs_no_finished_call(zooid: Piped, database: str) -> None:
    with Server(growing(3, 6, 0.4)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "2"}
        with workers(zooid, database, 3, **model) as found, _growing(zooid, database, model) as run:
            until(lambda: len(server.requests) >= 8)
            lost = _owned(database, found[0].pid)
            found[0].send_signal(signal.SIGKILL)
            killed = time.monotonic()
            until(lambda: not _owned(database, found[0].pid))
            assert time.monotonic() - killed < 6
            out, err = run.communicate(timeout=40)
        assert run.returncode == 0 and out.split() == grown(3, 6).split(), err
        again = Counter(goal_of(body) for body in server.requests)
        assert len(again) == 1 + 3 + 18
        assert sum(again.values()) - len(again) <= max(2, len(lost)), "more was repeated than was in flight"


def test_a_worker_that_slept_past_its_lease_writes_nothing(zooid: Piped, database: str) -> None:
    with Server(growing(2, 2, 0.8)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "2"}
        with workers(zooid, database, 2, **model) as found, _growing(zooid, database, model) as run:
            until(lambda: bool(_owned(database, found[0].pid)))
            fences = _owned(database, found[0].pid)
            found[0].send_signal(signal.SIGSTOP)
            out, err = run.communicate(timeout=40)
            written = "SELECT count(*) FROM zooid_event"
            before = count(database, written)
            found[0].send_signal(signal.SIGCONT)
            time.sleep(1.5)
            assert count(database, written) == before
        assert run.returncode == 0 and out.split() == grown(2, 2).split(), err
        for task, fence in fences.items():
            assert count(database, f"SELECT fence FROM zooid_task WHERE id = '{task}'") > fence


@pytest.mark.parametrize("mode", ["immediate", pytest.param("fast", marks=pytest.mark.slow)])
def test_a_server_that_is_restarted(zooid: Piped, database: str, postgres: Postgres, mode: str) -> None:
    with Server(growing(3, 4, 0.4)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "4"}
        with workers(zooid, database, 2, **model), _growing(zooid, database, model) as run:
            until(lambda: len(server.requests) >= 5)
            threading.Thread(target=postgres.restart, args=(mode,)).start()
            out, err = run.communicate(timeout=150)
        assert run.returncode == 0 and out.split() == grown(3, 4).split(), err
        if mode == "fast":  # which loses nothing
            made = Counter(goal_of(body) for body in server.requests)
            assert sum(made.values()) - len(made) <= 8, "more was repeated than was in flight"


def test_a_run_that_asks_goes_on_when_it_is_answered(zooid: Piped, database: str, work: Path) -> None:
    (work / "c.txt").write_text("old")
    there = {"ZOOID_DATABASE": database}
    asked = zooid("run", "write the number of words in a.txt to c.txt", **there)
    assert asked.returncode == 4 and "it needs an approval" in asked.stderr, asked.stderr
    run = asked.stderr.split("zooid resume ")[1].split()[0]
    done = zooid("resume", run, "--answer", "yes", **there)
    assert done.returncode == 0 and (work / "c.txt").read_text().strip() == "3", done.stderr


@pytest.mark.parametrize(
    ("flag", "most", "said"),
    [
        ("--max-tasks", "9", "9 tasks"),
        ("--max-tokens", "8000", "8,000 tokens"),
        pytest.param("--max-tokens-in", "5000", "5,000 tokens in", marks=pytest.mark.slow),
        ("--max-tokens-out", "350", "350 tokens out"),
    ],
)
def test_a_limit_holds_for_all_workers_together(zooid: Piped, database: str, flag: str, most: str, said: str) -> None:
    with Server(growing(3, 4, 0.1)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "4"}
        with workers(zooid, database, 2, **model):
            stopped = zooid("run", "grow", *MODEL, flag, most, ZOOID_DATABASE=database, **model)
            assert stopped.returncode == 3 and f"the limit of {said} is reached" in stopped.stderr, stopped.stderr
            if flag == "--max-tasks":
                assert count(database, "SELECT tasks FROM zooid_account WHERE owner = 'root'") <= 9
            else:
                used = _used(zooid, database, flag)
                assert 0 < used <= int(most), used
            done = zooid("resume", "--last", "-q", flag, "1000000", ZOOID_DATABASE=database, **model)
    assert done.returncode == 0 and done.stdout.split() == grown(3, 4).split(), done.stderr
    assert max(Counter(goal_of(body) for body in server.requests).values()) <= 2  # what was in flight at the limit


def test_at_a_limit_other_workers_stop_within_two_seconds(zooid: Piped, database: str) -> None:
    few, many = growing(2, 2, 0.1), growing(2, 20, 1.5)

    def script(body: dict[str, Any]) -> Reply:
        if goal_of(body).startswith("leaf"):
            return Reply(hang=True)
        return (many if goal_of(body) == "branch 1" else few)(body)

    with Server(script) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "2"}
        with workers(zooid, database, 3, **model):
            words = ["run", "grow", *MODEL, "--max-tasks", "9", "--max-parallel", "6"]
            stopped = zooid(*words, ZOOID_DATABASE=database, **model)
            assert stopped.returncode == 3 and "the limit of 9 tasks is reached" in stopped.stderr, stopped.stderr
            until(lambda: server.left == 2, seconds=6)  # 2 on a machine that does nothing else


def test_calls_in_flight_are_limited_for_all_workers_together(zooid: Piped, database: str) -> None:
    with Server(growing(2, 4, 0.2)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "4"}
        with workers(zooid, database, 2, **model):
            done = zooid("run", "-q", "grow", *MODEL, "--max-parallel", "3", ZOOID_DATABASE=database, **model)
    assert done.returncode == 0 and done.stdout.split() == grown(2, 4).split(), done.stderr
    assert server.at_once <= 3


def test_a_job_waits_for_a_worker_and_is_ended_from_elsewhere(zooid: Piped, database: str) -> None:
    with Server(growing(2, 3, 0.3)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_DATABASE": database}
        sent = [zooid("run", "--bg", "grow", *MODEL, **model).stdout.strip() for _ in range(2)]
        listed = {row["run"]: row["state"] for row in json.loads(zooid("jobs", "--json", **model).stdout)}
        assert listed == dict.fromkeys(sent, "queued") and not server.requests
        assert count(database, "SELECT count(*) FROM zooid_run WHERE since IS NULL") == 2  # no limit of time runs yet
        ended = zooid("jobs", "cancel", sent[1], **model)
        assert ended.returncode == 0 and "is cancelled" in ended.stderr
        assert "cancelled already" in zooid("jobs", "cancel", sent[1], **model).stderr
        with workers(zooid, database, 1, **model):
            done = zooid("jobs", "wait", sent[0], **model)
            assert done.returncode == 0 and done.stdout.split() == grown(2, 3).split(), done.stderr
    states = {row["run"]: row["state"] for row in json.loads(zooid("jobs", "--json", ZOOID_DATABASE=database).stdout)}
    assert states == {sent[0]: "done", sent[1]: "cancelled"}
    assert zooid("jobs", "rm", sent[0], ZOOID_DATABASE=database).returncode == 0
    assert "no log of a run; see" in zooid("jobs", "logs", sent[1], ZOOID_DATABASE=database).stderr


TOOL = '''"""Shouting."""
import pathlib
import time


def shout(text: str) -> str:
    """Make a text loud. {more}"""
    while pathlib.Path({flag!r}).exists():
        time.sleep(0.05)
    return text.upper()
'''


def test_a_tool_of_ones_own_without_workers(zooid: Piped, database: str, home: Path, tmp_path: Path) -> None:
    plugin = home / "config" / "zooid" / "tools" / "shout.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(TOOL.format(more="", flag=str(tmp_path / "flag")))
    plan = {"tasks": [{"id": "a", "tool": "shout", "args": {"text": "hey"}}], "answer": "$a"}
    with Server(lambda body: plan) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_DATABASE": database}
        done = zooid("run", "make hey loud", *MODEL, "--max-seconds", "10", **model)
    assert done.returncode == 0 and done.stdout.strip() == "HEY", done.stderr


def test_a_task_waits_for_a_worker_that_has_its_tool_in_its_version(
    zooid: Piped, database: str, home: Path, tmp_path: Path
) -> None:
    plugin, flag = home / "config" / "zooid" / "tools" / "shout.py", tmp_path / "flag"
    plugin.parent.mkdir(parents=True)
    first, second = (TOOL.format(more=more, flag=str(flag)) for more in ("First.", "Second."))
    plugin.write_text(first)
    flag.touch()
    plan = {"tasks": [{"id": "a", "tool": "shout", "args": {"text": "hey"}}], "answer": "$a"}
    with Server(lambda body: plan) as server:
        there = {"ZOOID_DATABASE": database}
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", **there}
        with workers(zooid, database, 1, **model) as found:
            run = zooid("run", "--bg", "make hey loud", *MODEL, **model).stdout.strip()
            until(lambda: bool(_owned(database, found[0].pid).get("root.a")))
            found[0].kill()
        flag.unlink()
        plugin.write_text(second)
        with workers(zooid, database, 1, **model):
            until(lambda: "that has the tool shout in version" in zooid("jobs", **there).stdout)
            assert "task root.a waits for a worker" in zooid("tree", run, **there).stdout
            plugin.write_text(first)
            with workers(zooid, database, 1, there=1, **model):
                done = zooid("jobs", "wait", run, **there)
    assert done.returncode == 0 and done.stdout.strip() == "HEY", done.stderr


@pytest.mark.slow
def test_whoever_looks_on_is_told_what_is_waited_for_and_when_time_is_up(
    zooid: Piped, database: str, home: Path, tmp_path: Path
) -> None:
    plugin, flag = home / "config" / "zooid" / "tools" / "shout.py", tmp_path / "flag"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(TOOL.format(more="", flag=str(flag)))
    flag.touch()
    plan = {"tasks": [{"id": "a", "tool": "shout", "args": {"text": "hey"}}], "answer": "$a"}
    with Server(lambda body: plan) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_DATABASE": database}
        with (
            workers(zooid, database, 1, **model) as [lost],
            zooid.start("run", "make hey loud", *MODEL, "--max-seconds", "12", **model) as run,
        ):
            until(lambda: bool(_owned(database, lost.pid).get("root.a")))
            lost.kill()
            out, err = run.communicate(timeout=40)
    assert run.returncode == 3 and "the limit of 12 seconds is reached" in err, err
    assert err.count("task root.a waits for a worker that has the tool shout in version") == 1, err


def test_a_result_is_replaced_while_workers_are_at_it(zooid: Piped, database: str) -> None:
    quick = growing(3, 2, 0.1)

    def script(body: dict[str, Any]) -> Reply:
        reply = quick(body)
        reply.delay = 20.0 if goal_of(body).startswith("leaf 0") else 0.1
        return reply

    with Server(script) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_DATABASE": database}
        with workers(zooid, database, 2, **model):
            run = zooid("run", "--bg", "grow", *MODEL, **model).stdout.strip()
            until(lambda: any(goal_of(body).startswith("leaf 0") for body in server.requests))
            assert zooid("jobs", "replace", run, "root.b0", '"by hand"', **model).returncode == 0
            done = zooid("jobs", "wait", run, **model)
    assert done.returncode == 0 and done.stdout.strip() == "by hand 1.0 1.1 2.0 2.1", done.stderr
    events = [json.loads(line) for line in zooid("log", run, "--json", ZOOID_DATABASE=database).stdout.splitlines()]
    assert [one["by"] for one in events if one["type"] == "task.ended" and one["task"] == "root.b0"] == [person()]


def test_a_worker_without_the_workspace_leaves_the_run_to_others(zooid: Piped, database: str, work: Path) -> None:
    there = {"ZOOID_DATABASE": database}
    begun = zooid("run", "--bg", "how many words has a.txt?", **there)
    run, away = begun.stdout.strip(), work.with_name("away")
    assert begun.returncode == 0, begun.stderr
    work.rename(away)
    elsewhere = Piped(zooid.home, away)
    with workers(elsewhere, database, 1, ZOOID_DATABASE=database) as [worker]:
        assert worker.stderr is not None
        said = next(line for line in worker.stderr if "left to other workers" in line)
        assert f"run {run}" in said and f"the workspace {work} is not there" in said
        assert elsewhere("runs", "--json", **there).stdout.count('"status": "running"') == 1
        away.rename(work)
        until(lambda: '"status": "done"' in zooid("runs", "--json", **there).stdout)
    assert "3" in zooid("tree", run, **there).stdout


def test_a_worker_of_another_version_takes_nothing(zooid: Piped, database: str, tmp_path: Path) -> None:
    other = tmp_path / "other" / "zooid-99.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: zooid\nVersion: 99.0\n")
    there = {"ZOOID_DATABASE": database}
    with workers(zooid, database, 1, PYTHONPATH=str(other.parent), **there):
        run = zooid("run", "--bg", "how many words has a.txt?", **there).stdout.strip()
        time.sleep(1.5)
        assert count(database, "SELECT count(*) FROM zooid_worker WHERE version = '99.0'") == 1
        assert count(database, f"SELECT count(*) FROM zooid_task WHERE run = '{run}' AND fence > 0") == 0
        with workers(zooid, database, 1, there=1, **there):
            until(lambda: '"status": "done"' in zooid("runs", "--json", **there).stdout)


def test_a_password_in_the_address_is_shown_nowhere(zooid: Piped, database: str) -> None:
    url = database.replace("postgres@", "postgres:letmein-7@")
    shown = [zooid(*words, ZOOID_DATABASE=url) for words in (["run", "how much is 1 + 1"], ["runs", "--json"])]
    shown.append(zooid("config", "show", ZOOID_DATABASE=url))
    shown.append(zooid("run", "how much is 1 + 1", ZOOID_DATABASE=url.replace("/zooid", "/nothing")))
    assert [done.returncode for done in shown] == [0, 0, 0, 3]
    assert not any("letmein-7" in done.stdout + done.stderr for done in shown)
    assert count(database, "SELECT count(*) FROM zooid_event WHERE body LIKE '%letmein-7%'") == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/name", "is of a kind that is not known; give postgresql://HOST/NAME"),
        ("postgresql://127.0.0.1:9/name", "cannot be used"),
    ],
)
def test_a_database_that_is_none(zooid: Piped, url: str, said: str) -> None:
    for words in (["runs"], ["run", "how much is 1 + 1"], ["worker"]):
        done = zooid(*words, ZOOID_DATABASE=url)
        assert done.returncode in (2, 3) and said in done.stderr and "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(("format", "said"), [(99, "newer format (99"), (0, "older format (0")])
def test_a_database_of_another_version(zooid: Piped, database: str, format: int, said: str) -> None:
    assert zooid("runs", ZOOID_DATABASE=database).returncode == 0
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE zooid_meta SET format = %s", (format,))
    done = zooid("run", "how much is 1 + 1", ZOOID_DATABASE=database)
    assert done.returncode == 3 and said in done.stderr and done.stdout == ""


def _used(zooid: Piped, database: str, flag: str) -> int:
    """The tokens that the last run has used, of the kind that a flag limits."""
    usage = json.loads(zooid("runs", "--json", ZOOID_DATABASE=database).stdout)[0]["usage"]
    return int(usage["tokens_in"] * (flag != "--max-tokens-out") + usage["tokens_out"] * (flag != "--max-tokens-in"))


def _owned(database: str, pid: int) -> dict[str, int]:
    """The tasks that a process holds, with their fencing numbers."""
    query = "SELECT id, fence FROM zooid_task WHERE owner LIKE %s AND lease > clock_timestamp()"
    with psycopg.connect(database, autocommit=True) as connection:
        return dict(connection.execute(query, (f"%:{pid}:%",)).fetchall())


def _growing(zooid: Piped, database: str, model: dict[str, str]) -> AbstractContextManager[subprocess.Popen[str]]:
    return zooid.start("run", "-q", "grow", *MODEL, ZOOID_DATABASE=database, **model)

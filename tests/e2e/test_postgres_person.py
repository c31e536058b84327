"""What a person does to runs in a database from elsewhere: retry with a hint, answer, cancel; what they are told."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Piped
from tests.e2e.shared import MODEL, Held, count, goal_of, growing, until, workers
from tests.postgres import Postgres
from tests.scripted import Reply, Server

HINT = "the folder is data/old"
ENDED = "SELECT count(*) FROM zooid_task WHERE id = 'root.b0' AND NOT is_open"


@pytest.fixture
def database(postgres: Postgres) -> str:
    return postgres.database()


def needing_a_hint(held: str = "") -> Callable[[dict[str, Any]], Reply]:
    """Grows two branches of two leaves, of which `leaf 0 1` cannot be done without a hint; `held` waits."""
    grow = growing(2, 2, 0.1)

    def script(body: dict[str, Any]) -> Reply:
        if goal_of(body) == "leaf 0 1" and HINT not in body["messages"][-1]["content"]:
            return Reply({"want": {"name": "find_folder"}}, delay=0.1)
        reply = grow(body)
        reply.delay = -1 if goal_of(body) == held else 0.1
        return reply

    return script


def test_a_task_of_a_run_that_has_ended_is_tried_again_with_a_hint(zooid: Piped, database: str) -> None:
    with Server(needing_a_hint()) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_DATABASE": database}
        with workers(zooid, database, 1, **model):
            failed = zooid("run", "grow", *MODEL, "--max-replans", "0", **model)
            assert failed.returncode == 1 and "find_folder" in failed.stderr, failed.stderr
            run = json.loads(zooid("runs", "--json", **model).stdout)[0]["run"]
            again = zooid("jobs", "retry", run, "root.b0.l1", "--hint", HINT, **model)
            assert again.returncode == 0, again.stderr
            done = zooid("jobs", "wait", run, **model)
    assert done.returncode == 0 and done.stdout.split() == ["0.0", "0.1", "1.0", "1.1"], done.stderr
    assert Counter(map(goal_of, server.requests)) == Counter(
        {"grow": 1, "branch 0": 1, "branch 1": 1, "leaf 0 0": 1, "leaf 0 1": 2, "leaf 1 0": 1, "leaf 1 1": 1}
    )


def test_a_task_is_tried_again_while_the_run_goes_on(zooid: Piped, database: str) -> None:
    with Held(needing_a_hint(held="leaf 1 0")) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_DATABASE": database}
        with workers(zooid, database, 1, **model):
            run = zooid("run", "--bg", "grow", *MODEL, "--max-replans", "0", **model).stdout.strip()
            until(lambda: count(database, ENDED) == 1)
            done = zooid("jobs", "retry", run, "root.b0.l0", **model)
            assert done.returncode == 2 and "task root.b0.l0 is done" in done.stderr, done.stderr
            again = zooid("jobs", "retry", run, "root.b0.l1", "--hint", HINT, **model)
            assert again.returncode == 0, again.stderr
            until(
                lambda: count(database, "SELECT count(*) FROM zooid_task WHERE id = 'root.b0' AND status = 'done'") == 1
            )
            server.released.set()
            done = zooid("jobs", "wait", run, **model)
    assert done.returncode == 0 and done.stdout.split() == ["0.0", "0.1", "1.0", "1.1"], done.stderr
    assert max(Counter(map(goal_of, server.requests)).values()) == 2  # of the leaf that failed


def test_a_run_that_was_cancelled_is_taken_up_again(zooid: Piped, database: str) -> None:
    with Server(growing(2, 2, 0.2)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_DATABASE": database}
        run = zooid("run", "--bg", "grow", *MODEL, **model).stdout.strip()
        assert zooid("jobs", "cancel", run, **model).returncode == 0
        twice = zooid("jobs", "cancel", run, **model)
        assert twice.returncode == 2 and f"run {run} is cancelled already" in twice.stderr
        waited = zooid("jobs", "wait", run, **model)
        assert waited.returncode == 130 and f"zooid jobs retry {run}" in waited.stderr
        assert zooid("jobs", "retry", run, **model).returncode == 0
        with workers(zooid, database, 1, **model):
            done = zooid("jobs", "wait", run, **model)
    assert done.returncode == 0 and done.stdout.split() == ["0.0", "0.1", "1.0", "1.1"], done.stderr


def test_a_run_that_asks_nothing_is_not_answered(zooid: Piped, database: str) -> None:
    there = {"ZOOID_DATABASE": database}
    run = zooid("run", "--bg", "how many words has a.txt?", **there).stdout.strip()
    for words in (["jobs", "answer", run, "yes"], ["resume", run, "--answer", "yes"]):
        said = zooid(*words, **there)
        assert said.returncode == 2 and f"run {run} asks nothing" in said.stderr, said.stderr
    with workers(zooid, database, 1, **there):
        done = zooid("jobs", "wait", run, **there)
    assert done.returncode == 0 and done.stdout.strip() == "3", done.stderr


def test_whoever_ends_a_job_calls_the_command(zooid: Piped, database: str, home: Path, work: Path) -> None:
    told = home / "told.txt"
    settings = home / "config" / "zooid" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    command = f'echo "$ZOOID_JOB_ID $ZOOID_JOB_STATUS $ZOOID_JOB_SAYS" >> {shlex.quote(str(told))}'
    settings.write_text(f"[jobs]\non_end = ['sh', '-c', '{command}']\n".replace(f"'{command}'", json.dumps(command)))
    (work / "c.txt").write_text("old")
    there = {"ZOOID_DATABASE": database}
    with workers(zooid, database, 1, **there):
        done = zooid("run", "--bg", "how many words has a.txt?", **there).stdout.strip()
        asks = zooid("run", "--bg", "write the number of words in a.txt to c.txt", **there).stdout.strip()
        zooid("run", "how much is 17 * 3", **there)  # is no job
        until(lambda: told.exists() and told.read_text().count("\n") == 2)
        cancelled = zooid("jobs", "cancel", asks, **there)
        assert cancelled.returncode == 0, cancelled.stderr
    lines = sorted(told.read_text().splitlines(), key=lambda line: asks in line)
    assert lines[0] == f"{done} done 3" and lines[1].startswith(f"{asks} asks "), lines

"""Many kills at random times, of files and of a database, and a thousand runs over four workers."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from agent import events as ev
from agent.postgres.archive import PostgresArchive
from agent.postgres.database import Database
from agent.postgres.shared import begin
from agent.task import ROOT
from tests.e2e.command import Piped
from tests.e2e.shared import MODEL, count, goal_of, growing, grown, until, workers
from tests.postgres import Postgres
from tests.scripted import Server

KILLS, RUNS = 30, 1000
BRANCHES, LEAVES = 3, 4


def _repeated(server: Server) -> int:
    """How many calls were made more than once, each time counted; all of the tree were made."""
    made = Counter(goal_of(body) for body in server.requests)
    assert len(made) == 1 + BRANCHES + BRANCHES * LEAVES
    return sum(made.values()) - len(made)


@pytest.mark.slow
def test_thirty_kills_of_a_run_in_a_file(zooid: Piped) -> None:
    chance = random.Random(1)
    for _ in range(KILLS):
        with Server(growing(BRANCHES, LEAVES, 0.1)) as server:
            model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x"}
            with zooid.start("run", "-q", "grow", *MODEL, "--max-parallel", "4", **model) as run:
                after = chance.randrange(1, 16)
                until(lambda: len(server.requests) >= after)  # noqa: B023 - it is over before the next
                time.sleep(chance.random() * 0.1)
                run.send_signal(signal.SIGKILL)
                run.wait()
            done = zooid("resume", "--last", "-q", **model)
            assert done.stdout.split() == grown(BRANCHES, LEAVES).split(), done.stderr
            assert _repeated(server) <= 4  # what was in flight


@pytest.mark.slow
def test_thirty_kills_of_one_of_three_workers(zooid: Piped, postgres: Postgres) -> None:
    chance = random.Random(2)
    database = postgres.database()
    for _ in range(KILLS):
        with Server(growing(BRANCHES, LEAVES, 0.2)) as server:
            model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "2"}
            with (
                workers(zooid, database, 3, there=_there(database), **model) as found,
                zooid.start("run", "-q", "grow", *MODEL, ZOOID_DATABASE=database, **model) as run,
            ):
                after = chance.randrange(1, 16)
                until(lambda: len(server.requests) >= after)  # noqa: B023 - it is over before the next
                time.sleep(chance.random() * 0.2)
                lost = chance.choice(found)
                lost.send_signal(signal.SIGKILL)
                out, err = run.communicate(timeout=60)
            assert out.split() == grown(BRANCHES, LEAVES).split(), err
            assert _repeated(server) <= 2  # what the one that was killed had in flight


@pytest.mark.slow
def test_a_thousand_runs_over_four_workers(zooid: Piped, postgres: Postgres, work: Path) -> None:
    database = postgres.database()
    archive = PostgresArchive(Database(database))
    for _ in range(RUNS):
        record = archive.create()
        record.append(ev.RunStarted(ROOT, "how much is 17 * 3", {}, str(work), {"planner": "embedded"}), record.now())
        record.commit()
        begin(record, record.tree(), by_anybody=True)
        record.close()
    archive.database.close()
    ended = "SELECT count(*) FROM zooid_event WHERE type = 'run.ended' AND body LIKE '%done%'"
    with workers(zooid, database, 4, ZOOID_DATABASE=database):
        until(lambda: count(database, ended) >= RUNS, seconds=300)
    assert count(database, ended) == RUNS
    again = "SELECT 1 FROM zooid_event WHERE type = 'attempt.ended' GROUP BY run, task HAVING count(*) > 1"
    twice = f"SELECT count(*) FROM ({again}) AS x"
    assert count(database, twice) == 0
    answers = "SELECT count(*) FROM zooid_event WHERE type = 'task.ended' AND task = 'root' AND body LIKE '%51%'"
    assert count(database, answers) == RUNS


def _there(database: str) -> int:
    return count(database, "SELECT count(*) FROM zooid_worker WHERE queues[1] LIKE 'zooid %'")

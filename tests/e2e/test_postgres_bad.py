"""Machines that share a database and are not alike, and what they share that is not there: clocks, models, disks."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.command import Piped
from tests.e2e.shared import MODEL, Held, count, goal_of, growing, grown, until, workers
from tests.e2e.test_disk import built
from tests.postgres import Postgres
from tests.scripted import Reply, Server
from tools.micro import shipped

HOUR = 3600


@pytest.fixture
def database(postgres: Postgres) -> str:
    return postgres.database()


@pytest.mark.parametrize("ahead", [HOUR, pytest.param(-HOUR, marks=pytest.mark.slow)])
def test_a_clock_that_is_off_by_an_hour(zooid: Piped, database: str, tmp_path: Path, ahead: int) -> None:
    wrong = {"LD_PRELOAD": str(built(tmp_path)), "FAULTS_CLOCK": str(ahead)}
    with Server(growing(3, 4, 0.3)) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "2"}
        with (
            workers(zooid, database, 1, **model),
            workers(zooid, database, 1, there=1, **model, **wrong) as [off],
            zooid.start("run", "-q", "grow", *MODEL, "--max-seconds", "50", ZOOID_DATABASE=database, **model) as run,
        ):
            owned = f"SELECT count(*) FROM zooid_task WHERE owner LIKE '%:{off.pid}:%' AND lease > clock_timestamp()"
            until(lambda: len(server.requests) >= 6 and count(database, owned) > 0)
            off.kill()
            out, err = run.communicate(timeout=40)
    assert run.returncode == 0 and out.split() == grown(3, 4).split(), err
    took = "SELECT ceil(max(at) - min(at)) FROM zooid_event"
    assert count(database, took) < 40 and count(database, f"{took} WHERE at < extract(epoch FROM now())") < 40
    [listed] = zooid("runs", ZOOID_DATABASE=database, **wrong).stdout.splitlines()[1:]
    assert " now " in listed or "1m" in listed, listed


@pytest.mark.slow
def test_a_task_waits_for_a_worker_that_has_its_model_in_its_version(zooid: Piped, database: str, home: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        if goal_of(body) == "leaf 0":
            return Reply({"answer": "I love it, it is wonderful"}, delay=-1)
        tasks = [{"id": "a", "goal": "leaf 0"}, {"id": "b", "tool": "mood", "args": {"text": "$a"}}]
        return Reply({"tasks": tasks, "answer": "$b"})

    _have_model(home, "tone")
    with Held(script) as server:
        there = {"ZOOID_DATABASE": database}
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", **there}
        run = zooid("run", "--bg", "what tone has it", *MODEL, **model).stdout.strip()
        with workers(zooid, database, 1, **model) as [first]:
            until(lambda: len(server.requests) == 2)
            first.kill()
        _have_model(home, "language")
        with workers(zooid, database, 1, **model):
            server.released.set()
            until(lambda: "task root.b waits for a worker that has the tool mood" in zooid("jobs", **there).stdout)
            _have_model(home, "tone")
            with workers(zooid, database, 1, there=1, **model):
                done = zooid("jobs", "wait", run, **there)
    assert done.returncode == 0 and done.stdout.strip() == "positive", done.stderr


def test_a_workspace_that_is_gone_when_a_run_goes_on(zooid: Piped, database: str, work: Path) -> None:
    (work / "c.txt").write_text("old")
    there = {"ZOOID_DATABASE": database}
    asked = zooid("run", "write the number of words in a.txt to c.txt", **there)
    assert asked.returncode == 4, asked.stderr
    run, away = asked.stderr.split("zooid resume ")[1].split()[0], work.with_name("away")
    work.rename(away)
    gone = Piped(zooid.home, away)("resume", run, "--answer", "yes", **there)
    assert gone.returncode == 2 and f"the workspace {work} is not there" in gone.stderr, gone.stderr
    assert gone.stderr.count("\n") == 1 and (away / "c.txt").read_text() == "old"
    away.rename(work)
    done = zooid("resume", run, "--answer", "yes", **there)
    assert done.returncode == 0 and (work / "c.txt").read_text().strip() == "3", done.stderr


@pytest.mark.slow
def test_a_database_that_says_nothing(zooid: Piped) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/name"
        done = zooid("runs", ZOOID_DATABASE=url)
    assert done.returncode == 3 and "cannot be used: connection timeout" in done.stderr, done.stderr
    assert "check that the server runs" in done.stderr and done.stderr.count("\n") == 1


def test_a_database_of_something_else_with_tables_of_the_same_name(zooid: Piped, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE zooid_run (name text)")
    done = zooid("runs", ZOOID_DATABASE=database)
    assert done.returncode == 3 and "zooid_run" in done.stderr and "Traceback" not in done.stderr, done.stderr
    with psycopg.connect(database, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE tablename ~ '^(zooid|proc)'").fetchone() == (1,)


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk of its own."""
    folder = Path(tempfile.mkdtemp(prefix="zooid-disk-"))  # where the server's user may go
    folder.chmod(0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=11m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("a disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_disk_of_the_server_that_fills_under_a_job(zooid: Piped, postgres: Postgres, disk: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        if goal_of(body) == "grow":
            tasks = [{"id": f"l{n}", "goal": f"leaf {n}"} for n in range(30)]
            return Reply({"tasks": tasks, "answer": "$l0"})
        text = "".join(chr(0x4E00 + (n * n + int(goal_of(body).split()[1])) % 20000) for n in range(60_000))
        return Reply({"answer": text})

    there = {"ZOOID_DATABASE": postgres.database(disk)}
    with Server(script) as server:
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-x", "ZOOID_MAX_PARALLEL": "2", **there}
        with workers(zooid, there["ZOOID_DATABASE"], 1, **model):
            run = zooid("run", "--bg", "grow", *MODEL, **model).stdout.strip()
            waited = zooid("jobs", "wait", run, **there)
            assert waited.returncode == 3 and "the disk of the database" in waited.stderr, waited.stderr
            assert f"zooid resume {run}" in waited.stderr
            subprocess.run(["mount", "-o", "remount,size=80m", str(disk)], check=True)
            assert zooid("jobs", "resume", run, **there).returncode == 0
            done = zooid("jobs", "wait", run, **there)
    assert done.returncode == 0, done.stderr
    made = [goal_of(body) for body in server.requests]
    assert made.count("grow") == 1 and len(made) - len(set(made)) <= 4  # what was in flight, and could not be kept
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        name = there["ZOOID_DATABASE"].rpartition("/")[2]
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]
        connection.execute(f"DROP TABLESPACE {name}")  # type: ignore[arg-type]


def _have_model(home: Path, name: str) -> None:
    """The person's own tool `mood` is one of the micro-models that come with zooid."""
    folder = home / "config" / "zooid" / "tools" / "mood"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(next(path for path in shipped() if path.name == name), folder)
    manifest = (folder / "manifest.toml").read_text("utf-8")
    (folder / "manifest.toml").write_text(manifest.replace(f'name = "{name}"', 'name = "mood"', 1), "utf-8")

"""Jobs as their folder and their runs' records have them: the queue, requests, the hook. Their processes are real."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import cli
from agent import assemble, background
from agent import events as ev
from agent.archive import Request
from agent.errors import NotFound, UsageError
from agent.jobs import Jobs
from agent.store import Store
from agent.task import ROOT
from agent.tree import Tree


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    for name in [name for name in os.environ if name.startswith(("ZOOID", "OPENAI", "XDG_CONFIG", "XDG_STATE"))]:
        monkeypatch.delenv(name)
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.chdir(tmp_path)
    made = assemble.jobs()
    yield made
    for child in made.children.values():
        child.kill()
        child.wait()


def kept(jobs: Jobs, *events: ev.Event, goal: str = "how many words has 'one two'", **settings: Any) -> str:
    """A run with a record of its own that nobody works on."""
    store = Store.create(jobs.runs.path)
    started = ev.RunStarted(ROOT, goal, {}, str(jobs.runs.path), settings)
    for event in (started, *events):
        store.append(event, store.now())
    store.commit()
    store.close()
    return store.run


def queued(jobs: Jobs, **about: Any) -> str:
    run = kept(jobs, **about)
    jobs.go_on(run, start=False)
    return run


def planned(*events: ev.Event) -> list[ev.Event]:
    return [ev.TaskPlanned(ROOT, None, "the goal"), ev.TaskBound(ROOT, "the goal", {}), *events]


# -- the queue


def test_whoever_looks_at_the_same_time_starts_each_job_once_and_no_more_than_may_run(jobs: Jobs) -> None:
    jobs.max_running = lambda: 2
    runs = [queued(jobs) for _ in range(3)]
    others = [Jobs(jobs.folder, jobs.runs, jobs.max_running, is_worker=True) for _ in range(6)]  # which start no next
    starting = [threading.Thread(target=other.start_due) for other in others]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    children = [(run, child) for other in others for run, child in other.children.items()]
    assert sorted(run for run, _ in children) == sorted(runs[:2])
    assert [child.wait(30) for _, child in children] == [0, 0]
    assert jobs.job(runs[2]).state == "queued"
    assert all(jobs.log(run).read_text().count(f"{run} done") == 1 for run in runs[:2])


def test_a_job_without_its_key_stops_and_does_not_do_with_less(jobs: Jobs) -> None:
    run = queued(jobs, goal="tell me a story", planner="embedded,openai")
    tree = jobs.wait(run)
    assert (tree.status, tree.exit_code) == ("stopped", 2) and "needs a key" in tree.blocked
    assert jobs.job(run).says == tree.blocked and "needs a key" in jobs.log(run).read_text()


def test_what_is_left_of_a_killed_job_is_taken_away(jobs: Jobs) -> None:
    run = kept(jobs, ev.RunResumed(ROOT, {}))
    jobs.adopt(run)
    assert jobs.job(run).state == "interrupted"
    assert not jobs.is_busy(run) and not list(jobs.folder.glob("*.due"))
    (jobs.folder / "gone.due").touch()
    (jobs.folder / "gone.log").touch()
    jobs.start_due()
    assert not list(jobs.folder.glob("*.due"))
    assert [job.summary.run for job in jobs.listed()] == [run]  # of a run that was deleted by hand nothing is shown


def test_a_job_whose_queue_place_was_lost_is_shown_as_interrupted_and_goes_on(jobs: Jobs) -> None:
    run = queued(jobs)
    (jobs.folder / f"{run}.due").unlink()
    assert jobs.job(run).state == "interrupted"
    jobs.go_on(run)
    assert jobs.wait(run).exit_code == 0


# -- requests


def test_requests_to_a_run_that_nobody_works_on(jobs: Jobs) -> None:
    asks = kept(
        jobs,
        *planned(
            ev.Asked(ROOT, "approval", "replace a file", "c1"),
            ev.TaskEnded(ROOT, "paused", blocked="replace a file"),
            ev.RunEnded(ROOT, "paused", "replace a file", 4),
        ),
    )
    jobs.adopt(asks)
    assert jobs.job(asks).state == "asks" and jobs.job(asks).says == "asks: replace a file"
    for request, why in (
        (Request("answer", "", "perhaps"), "answer yes or no"),
        (Request("answer", "root.x", "yes"), "asks nothing for task root.x"),
        (Request("cancel", "root.x"), "has no task 'root.x'"),
        (Request("retry", ROOT), "task root is paused"),
    ):
        with pytest.raises(UsageError, match=why):
            jobs.request(asks, request)
    with pytest.raises(NotFound):
        jobs.request("nosuch", Request("answer", "", "yes"))
    assert jobs.runs.open(asks)[0].requests() == []
    with pytest.raises(UsageError, match="is done already"):
        jobs.request(kept(jobs, *planned(ev.TaskEnded(ROOT, "done"), ev.RunEnded(ROOT, "done"))), Request("background"))


def test_cancel_of_what_nobody_works_on_is_kept_with_who_did_it(jobs: Jobs) -> None:
    began = [ev.TaskPlanned("root.a", ROOT, "a part", depth=1), ev.AttemptStarted("root.a", 1, "openai:m")]
    for run in (queued(jobs), kept(jobs, *planned(*began))):
        jobs.cancel(run)
        store, tree = Store.open(jobs.runs.path, run)
        store.close()
        assert tree.status == "cancelled" and tree.root is not None and "@" in tree.root.by
        assert {task.status for task in tree.tasks.values()} == {"cancelled"}
        with pytest.raises(UsageError, match="is cancelled already by .*@"):
            jobs.cancel(run)
    assert not list(jobs.folder.glob("*.due"))


# -- being told


def test_the_hook_gets_what_it_should_know_and_no_shell_sees_it(
    jobs: Jobs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told"
    code = "import os, sys; open(sys.argv[1], 'w').write('|'.join(os.environ['ZOOID_JOB_' + n] for n in sys.argv[2:]))"
    tree = Tree("7f3k")
    goal = "two\nlines; $(touch b) \0 'x'"
    for event in (ev.RunStarted(ROOT, goal, {}, "/", {}), *planned(ev.TaskEnded(ROOT, "done", "42"))):
        tree.apply(event, 1.0)
    tree.apply(ev.RunEnded(ROOT, "done"), 2.0)
    background.call_hook([sys.executable, "-c", code, str(told), "ID", "STATUS", "GOAL", "SAYS"], tree)
    assert told.read_text() == f"7f3k|done|{goal.replace(chr(0), '')}|42"
    background.call_hook(["/no/such/program"], tree)
    assert "jobs.on_end could not be run" in capfd.readouterr().err
    background.call_hook([], tree)


# -- help


def commands(app: typer.Typer) -> Iterator[Any]:
    yield from app.registered_commands
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance)


def test_every_command_has_examples_in_its_help() -> None:
    shown = [command for command in commands(cli.app) if not command.hidden]
    assert len(shown) > 30
    for command in shown:
        assert "\b\n    Examples:\n      " in command.callback.__doc__, command.callback.__name__

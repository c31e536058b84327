"""What the commands about jobs do: send one off, list them, read a log, wait, ask for a change, work as a service."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from agent import detach, report, session
from agent import events as ev
from agent.archive import Request, Store
from agent.ending import DEFECT
from agent.errors import StorageError, UsageError
from agent.jobs import Job, Jobs, person
from agent.output import Output, clean, cost, preview
from agent.run import Run
from agent.session import Sitting
from agent.task import ROOT
from agent.tree import Tree
from agent.view import View
from tools import redact

_HOOK_SECONDS = 60.0  # that the person's command may take
_HEAD = ("job", "state", "age", "cost", "goal", "says")


# -- sending one off, and being one


def send(jobs: Jobs, sitting: Sitting, settings: dict[str, Any], output: Output, file: Path | None) -> int:
    """Have a run go on in the background; its id goes to standard output, what can be done with it beside."""
    run = sitting.run
    try:
        for event in sitting.opening:
            run.emit(event, commit=True)
    except BaseException:
        run.store.close()
        raise
    jobs.queue(run.store, run.tree, settings, str(file.absolute()) if file else "")
    jobs.start_due()
    id = run.tree.run
    output.record({"run": id, "log": str(jobs.log(id))}) if output.json else output.answer(id)
    for warning in sitting.warnings:
        output.say(f"{output.paint('warning:', 'yellow')} {clean(warning)}")
    state = "is at work" if jobs.runs.is_running(id) else "waits for its turn"
    output.say(f"run {id} {state}; look: zooid jobs attach {id}")
    output.say(f"  wait: zooid jobs wait {id}; end: zooid jobs cancel {id}")
    return 0


def work(jobs: Jobs, run: str, lock: int, alone: bool, output: Output, go_on: Callable[..., Sitting], hook: Any) -> int:
    """Be a job: take a queued run over from the process that started this one, and work on it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # whoever closes a terminal or logs out does not mean this
    store, tree = jobs.runs.open(run)
    store.own(lock)
    try:
        try:
            sitting = go_on(store, tree, {})
        except Exception as error:
            with contextlib.closing(store):
                _stopped(store, tree, error)
            raise
        jobs.hold_room(run)
        try:
            return session.work(sitting, output, Path(tree.output) if tree.output else None)
        finally:
            if tree.exit_code == StorageError.exit_code:
                jobs.last_words(run, tree.blocked)
    finally:
        jobs.ended(run, alone)
        if tree.status != "cancelled":
            call_hook(hook(), tree)


def in_foreground(jobs: Jobs, sitting: Sitting, output: Output, file: Path | None, hook: Any) -> int:
    """Work on a run at the terminal; it becomes a job where it is sent to the background meanwhile."""
    sent: list[str] = []

    def leave(run: Run, watcher: View, output: Output) -> str:
        if sent:
            return f"run {run.tree.run} is in the background already"
        sent.append(run.tree.run)
        return detach.detach(jobs, run, watcher, output)

    try:
        return session.work(sitting, output, file, leave)
    finally:
        for run in sent:
            jobs.ended(run)
            call_hook(hook(), sitting.run.tree)


def _stopped(store: Store, tree: Tree, error: Exception) -> None:
    """Keep why a job could not even begin."""
    ended, at = ev.RunEnded(ROOT, "stopped", str(error), getattr(error, "exit_code", DEFECT)), store.now()
    store.append(ended, at, synced=True)
    store.commit()
    tree.apply(ended, at)


def call_hook(command: Sequence[str], tree: Tree) -> None:
    """Tell the person's command, or their desktop, that a run has ended or asks. Never by way of a shell."""
    asked = next(iter(report.waiting(tree)), None)
    status = "asks" if asked else tree.status
    says = asked.text if asked else tree.blocked or preview(tree.root.result if tree.root else "", 200)
    if tuple(command) == ("desktop",):
        found = shutil.which("notify-send")
        command = (
            [found, "--app-name=zooid", "--", f"zooid: {status}", preview(f"{tree.goal}: {says}", 300)] if found else []
        )
    if not command:
        return
    told = {"ZOOID_JOB_ID": tree.run, "ZOOID_JOB_STATUS": status, "ZOOID_JOB_GOAL": tree.goal, "ZOOID_JOB_SAYS": says}
    try:
        subprocess.run(
            command,
            env=redact.environment() | {name: value.replace("\0", "") for name, value in told.items()},
            stdin=subprocess.DEVNULL,
            timeout=_HOOK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        print(f"zooid: jobs.on_end could not be run: {error}", file=sys.stderr)


# -- looking at them


def show(jobs: Jobs, output: Output, most: int | None) -> None:
    """List the jobs."""
    jobs.start_due()
    found, now = jobs.listed(most), jobs.runs.now()
    if not found:
        output.say('there are no jobs yet; start one with: zooid run --bg "…"')
    if found or output.json:
        output.table(_HEAD, [_row(job, now) for job in found], [_data(job) for job in found])
    for job in found:
        if job.state == "asks":
            output.say(f'{job.summary.run} waits for you: zooid jobs answer {job.summary.run} "…"')


def _row(job: Job, now: float) -> tuple[str, ...]:
    one = job.summary
    paid = cost(one.usage) if one.usage.calls else "-"
    return one.run, job.state, report.age(now - one.started), paid, preview(one.goal, 40), preview(job.says, 200)


def _data(job: Job) -> dict[str, Any]:
    return asdict(job.summary) | {"state": job.state, "says": job.says}


def show_log(jobs: Jobs, run: str, output: Output, follow: bool) -> None:
    """What a job wrote; with `follow` also what it goes on to write, until it ends."""
    run = jobs.runs.summary(run).run
    try:
        log = open(jobs.log(run), encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        raise UsageError(f"run {run} has no log, it was not in the background; see: zooid log {run}") from None
    with log:
        while True:
            busy = follow and jobs.is_busy(run)
            while said := log.read(65536):
                output.text(said)
            if not busy:
                return
            time.sleep(0.2)


def wait(jobs: Jobs, runs: Sequence[str], output: Output) -> int:
    """Wait for runs to end, and give their answers; the exit code of the first that did not meet its goal, or 0."""
    codes = []
    for run in [jobs.runs.summary(run).run for run in runs]:  # all are known before the first is waited for
        tree = jobs.wait(run)
        took = (tree.ended or jobs.runs.now()) - tree.started
        codes.append(session.show(tree, output, None, tree.exit_code, "", took))
    return next((code for code in codes if code), 0)


# -- changing their course


def cancel(jobs: Jobs, runs: Sequence[str], task: str, output: Output) -> None:
    for run in runs:
        if task and task != ROOT:
            said = jobs.request(run, Request("cancel", task, by=person()))
            output.say(f"task {task}: {'cancelled' if said == 'done' else said}")
        else:
            id = jobs.cancel(run)
            output.say(f"run {id} is cancelled; what it did is kept: zooid tree {id}")


def ask(jobs: Jobs, run: str, kind: str, task: str, given: Any, output: Output) -> None:
    """Have something done to a run from here."""
    if kind == "answer" and given.strip().lower() in ("y", "n", "yes", "no"):
        given = {"y": "yes", "n": "no"}.get(given.strip().lower(), given.strip().lower())
    output.say(jobs.request(run, Request(kind, task, given, person())))


def value(given: str) -> Any:
    """A result as a person gives it: JSON, or else a text."""
    try:
        return json.loads(given)
    except ValueError:
        return given


def remove(jobs: Jobs, runs: Sequence[str], output: Output) -> None:
    for run in runs:
        id = jobs.remove(run)
        output.say(f"job {id} is off the list and its log is deleted; the run itself is kept: zooid tree {id}")


def resume(jobs: Jobs, runs: Sequence[str], all: bool, output: Output) -> None:
    """Queue interrupted jobs again."""
    if bool(runs) == all:
        raise UsageError("name the runs, or give --all for every interrupted job; see them with: zooid jobs")
    jobs.start_due()
    found = [job.summary.run for job in jobs.listed() if job.state == "interrupted"] if all else runs
    for run in found:
        jobs.go_on(run)
        output.say(f"run {run} goes on in the background: zooid jobs attach {run}")
    if not found:
        output.say("no job was interrupted")


# -- as a service


def serve(jobs: Jobs, output: Output) -> int:
    """Start what is due for as long as this process lives. Asked to end, it has its jobs rest and queues them again."""
    ending: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        ending.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with jobs.as_worker():
        output.say("working through the queue; Ctrl-C ends it, and what is at work goes on the next time")
        while not ending:
            jobs.start_due()
            jobs.reap()
            time.sleep(0.25)
        for run in jobs.rest():
            output.say(f"run {run} is queued again")
    return 0


_UNIT = """\
[Unit]
Description=zooid: works through queued runs

[Service]
ExecStart={command} worker
KillMode=mixed
TimeoutStopSec=20
Restart=on-failure
# Keys that the runs need, one NAME=value a line:
# EnvironmentFile=%h/.config/zooid/worker.env

[Install]
WantedBy=default.target
"""


def print_unit(output: Output) -> int:
    """A systemd user unit for the worker."""
    command = shutil.which(sys.argv[0]) or os.path.abspath(sys.argv[0])
    output.page(
        [_UNIT.format(command=command.replace("%", "%%")).rstrip("\n")], {"unit": _UNIT.format(command=command)}
    )
    output.say(
        "to have it started by systemd, also while you are logged out:",
        "  mkdir -p ~/.config/systemd/user; zooid worker --print-unit > ~/.config/systemd/user/zooid.service",
        "  systemctl --user enable --now zooid; loginctl enable-linger",
    )
    return 0

"""Sending a run that is worked on at a terminal to the background: the process goes on, and the terminal is free.

Nothing is handed over, so nothing is cut short or done twice: the same process lets go of its terminal, writes to a log
from then on, and no longer heeds the terminal's closing. The shell gives a prompt because the process, with all of its
group, stops for a moment; somebody who is not part of the group has to wake it up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from agent.jobs import Jobs
from agent.output import Output
from agent.run import Run
from agent.view import AtTerminal, Lines, View

_WAKE = 'for n in 1 2 3 4 5; do sleep 0.2; kill -s CONT -- "-$0"; done'  # more than once: it may be late to stop


def detach(jobs: Jobs, run: Run, watcher: View, output: Output) -> str:
    """Go on without the terminal; why not, where that cannot be."""
    try:
        log = os.open(jobs.adopt(run.tree.run), os.O_WRONLY | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
    except OSError as error:
        return f"its log cannot be written: {error.strerror}"
    watcher.aside().__enter__()  # for good
    output.new_line()
    output.tell(f"run {run.tree.run} goes on in the background; look: zooid jobs attach {run.tree.run}")
    output.tell("  (your shell may call it stopped: that is for a moment)")
    group = _group_at_terminal()
    for stream, target in ((0, nothing), (1, log), (2, log)):
        if os.isatty(stream):
            os.dup2(target, stream)
    for number in (signal.SIGHUP, signal.SIGTTOU, signal.SIGTTIN):
        signal.signal(number, signal.SIG_IGN)
    person, run.person = run.person, None
    if isinstance(person, AtTerminal):
        person.leave()
    if not isinstance(watcher, Lines):
        run.listeners.append(Lines(output, run.tree))
    if group:
        _stop_for_a_moment(group)
    return ""


def _group_at_terminal() -> int:
    """This process's group, where a terminal is waiting for it; else 0."""
    for stream in (0, 1, 2):
        with contextlib.suppress(OSError):
            if os.tcgetpgrp(stream) == os.getpgrp():
                return os.getpgrp()
    return 0


def _stop_for_a_moment(group: int) -> None:
    nowhere = subprocess.DEVNULL
    wake = ["sh", "-c", _WAKE, str(group)]
    _alarms.append(subprocess.Popen(wake, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True))
    os.killpg(group, signal.SIGSTOP)


_alarms: list[subprocess.Popen[bytes]] = []  # kept, so that none is missed by its warden

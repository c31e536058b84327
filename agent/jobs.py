"""Jobs: runs that go on without a terminal, so many at once. There is no daemon: each is a detached process.

The run's own record says all about a job that matters. Beside it a folder holds, by the run's id, `ID.log`, what the
job wrote, and `ID.due`, a file while the run waits for its turn or is at work: an index, and no second truth.
Its age is its place in the queue; one that is left over from a job that was killed is taken away by whoever comes by.
Whoever starts a job owns the run and hands the lock to the new process, so that no two ever start the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import control
from agent import events as ev
from agent.archive import Log, Request, Summary
from agent.errors import NotFound, PersonError, StorageError, UsageError
from agent.store import Folder, is_held
from agent.task import FINISHED, ROOT
from agent.tree import Tree

GRACE = 2.0  # seconds that a job has to come to rest when it is cancelled
_REPLY = 5.0  # seconds to wait for a word of the process that works on a run
_ROOM = 2**16  # bytes that a job holds free for its last words
_LOOK = 0.1  # seconds between two looks at what is waited for
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cli import main; main()"


@dataclass(slots=True)
class Job:
    """A run in the background as it stands."""

    summary: Summary
    state: str  # that of the run, or queued, or asks

    @property
    def says(self) -> str:
        """What it asks, or why it is not done."""
        asked = next(iter(self.summary.asks.values()), "") if self.state in ("asks", "running", "queued") else ""
        return f"asks: {asked}" if asked else self.summary.blocked


@dataclass
class Jobs:
    folder: Path
    runs: Folder
    max_running: Callable[[], int] = lambda: 1  # read where something may be started
    is_worker: bool = False
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)  # that this process started

    # -- what there is

    def listed(self, most: int | None = None) -> list[Job]:
        """The jobs, the one that moved last first."""
        logs = sorted(self.folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        found = []
        for log in logs[:most]:
            with contextlib.suppress(NotFound):  # its record was deleted by hand
                found.append(self.job(log.stem))
        return found

    def job(self, run: str) -> Job:
        """A run as a job; raises NotFound."""
        summary = self.runs.summary(run)
        state = summary.status
        if state == "queued" and not self._due(summary.run).exists():
            state = "interrupted"
        elif state == "paused" and summary.asks:
            state = "asks"
        return Job(summary, state)

    def log(self, run: str) -> Path:
        return self.folder / f"{run}.log"

    def is_busy(self, run: str) -> bool:
        """Whether a run is at work or waits for its turn. Whoever looks starts what is due."""
        if self.runs.is_running(run):
            return True
        self.start_due()
        return self._due(run).exists() or self.runs.is_running(run)

    # -- the queue

    def queue(self, store: Log, tree: Tree, settings: dict[str, Any], output: str = "") -> None:
        """Have a run that this process owns go on in the background when its turn comes."""
        self.adopt(tree.run)
        with contextlib.closing(store):
            _append(store, ev.RunQueued(ROOT, settings, output, person()))

    def adopt(self, run: str) -> Path:
        """Make a job of a run that this process works on; where its log goes."""
        self._make_folder()
        with _writing(self.log(run)):
            self.log(run).touch(0o600)
            self._due(run).touch(0o600)
        return self.log(run)

    def go_on(self, run: str, start: bool = True) -> None:
        """Queue a run that nobody works on, and start it where its turn has come.

        Raises UsageError where somebody works on it, or where it is queued already.
        """
        store, tree = self.runs.open(run)
        if tree.status == "queued" and self._due(tree.run).exists():
            store.close()
            raise UsageError(f"run {tree.run} is queued already; see: zooid jobs")
        try:
            store.own()
        except BaseException:
            store.close()
            raise
        self.queue(store, tree, tree.settings)
        if start:
            self.start_due()

    def start_due(self) -> None:
        """Start the queued runs whose turn it is; with a worker alive that is for the worker to do."""
        if not any(self.folder.glob("*.due")) or (self._worker_lives() and not self.is_worker):
            return
        with self._locked("queue"):
            due = sorted(self.folder.glob("*.due"), key=lambda path: (path.stat().st_mtime_ns, path.stem))
            waiting = [path.stem for path in due if not self.runs.is_running(path.stem)]
            room = self.max_running() - (len(due) - len(waiting))
            for run in waiting:
                if room <= 0:
                    break
                room -= self._start(run)

    def _start(self, run: str) -> bool:
        """Start a queued run in a process of its own, which takes the lock over; whether that was possible."""
        try:
            store, tree = self.runs.open(run)
        except PersonError:
            self._due(run).unlink(missing_ok=True)
            return False
        with contextlib.closing(store):
            if tree.status != "queued":  # its process was killed, or it was worked on in the foreground
                self._due(run).unlink(missing_ok=True)
                return False
            try:
                store.own()
                self.children[run] = self._detached(run, tree.workspace, store.lock)
            except (PersonError, OSError):
                return False
        return True

    def _detached(self, run: str, workspace: str, lock: int) -> subprocess.Popen[bytes]:
        """A process in a session of its own, whose streams are the log."""
        words = [str(Path(__file__).resolve().parent.parent), "jobs", "work", run, "--lock", str(lock)]
        with open(self.log(run), "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-c", _START, *words, *(["--alone"] if self.is_worker else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
                cwd=workspace if os.path.isdir(workspace) else "/",
            )

    def hold_room(self, run: str) -> None:
        """Set a little of the disk aside for the last words of a job, which is at work."""
        with contextlib.suppress(OSError):
            self._due(run).write_bytes(b"." * _ROOM)

    def last_words(self, run: str, why: str) -> None:
        """Keep why a job ended that could not keep it itself because the disk is full."""
        with contextlib.suppress(OSError, PersonError):
            os.truncate(self._due(run), 0)
            with open(self.log(run), "r+b") as log:  # first: to open a store may take room too
                if why.encode() not in log.read():
                    log.write(f"\nzooid: {why}\n".encode())
            store, tree = self.runs.open(run)
            with contextlib.closing(store):
                if tree.ended is None:
                    store.own()
                    _append(store, ev.RunEnded(ROOT, "stopped", why, StorageError.exit_code))

    def ended(self, run: str, alone: bool = False) -> None:
        """The job's process is through with its run: the next one may start."""
        self._due(run).unlink(missing_ok=True)
        if not alone:
            self.start_due()

    # -- what a person does

    def wait(self, run: str) -> Tree:
        """The tree of a run once it has ended, or waits for a person."""
        run = self.runs.summary(run).run
        while self.is_busy(run):
            time.sleep(_LOOK)
        store, tree = self.runs.open(run)
        store.close()
        if tree.ended is None:
            interrupted(tree)
        return tree

    def request(self, run: str, request: Request) -> str:
        """Have a request done by the process that works on a run; what is said of it.

        Where nobody works on it, it is done as soon as the run goes on, which all but a cancelled task is a reason for.
        Raises UsageError where it cannot be done.
        """
        end = time.monotonic() + _REPLY
        while (reply := self._reply(run, request, end)) == control.LATE and time.monotonic() < end:
            time.sleep(_LOOK)
        if reply:
            raise UsageError(reply)
        if reply is not None:
            return "done"
        id = self.runs.summary(run).run
        if self.runs.is_running(id) or request.kind == "cancel" or self.job(id).state == "queued":
            return f"kept; it is done when the run goes on: zooid jobs resume {id}"
        self.go_on(id)
        return f"run {id} goes on in the background: zooid jobs attach {id}"

    def _reply(self, run: str, request: Request, end: float) -> str | None:
        """What the process says that works on a run; None where none does, or where it says nothing until `end`."""
        store, tree = self.runs.open(run)
        with contextlib.closing(store):
            if why := control.why_not(tree, request):
                return why
            number = store.post(request)
            while store.reply(number) is None and self.runs.is_running(tree.run) and time.monotonic() < end:
                time.sleep(_LOOK / 2)
            return store.reply(number)  # once more: it may have been the last thing that the process did

    def cancel(self, run: str) -> str:
        """End a run for good, within `GRACE` seconds whatever it does; raises UsageError where it has ended."""
        store, tree = self.runs.open(run)
        run, root = tree.run, tree.root
        with contextlib.closing(store):
            if root is not None and root.status in FINISHED and not self.runs.is_running(run):
                by = f" by {root.by}" if root.by else ""
                raise UsageError(f"run {run} is {root.status} already{by}; see: zooid tree {run}")
            pid = self.runs.owner(run)
            if pid is not None:
                store.post(Request("cancel", ROOT, by=person()))
                self._end(run, pid)
        store, tree = self.runs.open(run)
        with contextlib.closing(store):
            if tree.root is None or tree.root.status not in FINISHED:
                store.own()
                _append(store, *cancelling(tree, person()))
        self._due(run).unlink(missing_ok=True)
        self.start_due()
        return run

    def _end(self, run: str, pid: int) -> None:
        """Wait for a job's process to come to rest, and kill it where it does not."""
        end = time.monotonic() + GRACE
        while time.monotonic() < end:
            if not self.runs.is_running(run) and not _is_alive(pid):
                return
            time.sleep(_LOOK / 4)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while self.runs.is_running(run):
            time.sleep(_LOOK / 4)

    def remove(self, run: str) -> str:
        """Take a job off the list, with its log; raises UsageError while it is at work or queued."""
        run = self.runs.summary(run).run
        if self.is_busy(run):
            raise UsageError(f"run {run} is at work or queued; end it first with: zooid jobs cancel {run}")
        if not self.log(run).exists():
            raise UsageError(f"run {run} is no job, it was not in the background; see: zooid runs")
        self.log(run).unlink()
        return run

    # -- a process that lives for the queue

    @contextlib.contextmanager
    def as_worker(self) -> Iterator[None]:
        """Be the one that starts what is due; raises UsageError where another worker is."""
        self._make_folder()
        with open(self.folder / "worker.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError("a worker is there already; it works through the queue") from None
            self.is_worker = True
            yield

    def reap(self) -> None:
        """Forget the processes that have ended."""
        self.children = {run: child for run, child in self.children.items() if child.poll() is None}

    def rest(self) -> list[str]:
        """Have the processes that this one started come to rest, and queue what they were at work on again."""
        self.reap()
        for child in self.children.values():
            child.terminate()
        end, queued = time.monotonic() + 2 * GRACE, []
        for run, child in self.children.items():
            try:
                child.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if self.job(run).state in ("interrupted", "queued"):
                with contextlib.suppress(PersonError):
                    self.go_on(run, start=False)
                queued.append(run)
        return queued

    # -- one place for those who start

    def _due(self, run: str) -> Path:
        return self.folder / f"{run}.due"

    def _make_folder(self) -> None:
        with _writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with open(self.folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _worker_lives(self) -> bool:
        return is_held(self.folder / "worker.lock")


def interrupted(tree: Tree) -> None:
    """Mark the tree of a run whose process is gone without a word."""
    tree.status, tree.exit_code = "interrupted", 130
    tree.blocked = f"its process was ended from outside, or could keep no more; see: zooid jobs logs {tree.run}"


def person() -> str:
    """Who is at this machine, as the tree keeps it: user@host."""
    import getpass
    import socket

    return f"{getpass.getuser()}@{socket.gethostname()}"


def _append(store: Log, *events: ev.Event) -> None:
    """Add to the record of a run that this process owns and does not work on."""
    for event in events:
        store.append(event, store.now(), synced=True)
    store.commit()


def cancelling(tree: Tree, by: str) -> Iterator[ev.Event]:
    """What is written into the record of a run that nobody works on to end it for good."""
    yield from tree.planted()
    for task in reversed(tree.tasks.values()):
        if task.id != ROOT and task.status not in FINISHED:
            yield ev.TaskEnded(task.id, "cancelled", blocked=f"task {ROOT} was ended by {by}")
    yield ev.TaskEnded(ROOT, "cancelled", blocked=f"cancelled by {by}", by=by)
    yield ev.RunEnded(ROOT, "cancelled", f"cancelled by {by}", 130)


def _is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # a system without /proc
        return True


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; check the folder and its free space") from error

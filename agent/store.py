"""Where trees are kept: one SQLite file a run, an append-only record of events.

Each row carries a hash over itself and the row before it, because SQLite alone does not notice most damage.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from agent.archive import Request, Summary
from agent.damage import damaged_files, kept_aside, set_aside
from agent.errors import DamagedRun, NotFound, StorageError, UsageError
from agent.events import Event, from_body
from agent.task import Usage
from agent.tree import Tree
from tools import redact

FORMAT = 1
_SYNC_EVERY = 0.25  # seconds; waiting for the disk at every commit costs more than all else that a step does
_SOON = 0.001  # seconds
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that reads like another character

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE event (
    seq  INTEGER PRIMARY KEY,
    at   REAL NOT NULL,
    type TEXT NOT NULL,
    task TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
);
"""
_INBOX = "CREATE TABLE IF NOT EXISTS inbox (number INTEGER PRIMARY KEY, body TEXT NOT NULL, reply TEXT)"


class Store:
    """The events of one run. `append` buffers; `commit` keeps all that was appended, at once.

    A process that is killed loses nothing that was committed. A power cut loses at most the last quarter of a second
    before it, and nothing that was appended with `synced`.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, last: bytes = b"", seq: int = 0) -> None:
        self.path = path
        self._database = database
        self._last, self._seq = last, seq
        self._waiting: list[tuple[int, float, str, str, str, bytes]] = []
        self._owner: int | None = None  # the open lock file
        self._replies: list[tuple[str, int]] = []
        self._synced = 0.0  # when the disk was last waited for
        self._must_sync = False
        self._waits: bool | None = None  # whether the database waits for the disk at a commit; None: as it was opened

    @property
    def run(self) -> str:
        return self.path.stem

    @classmethod
    def create(cls, folder: Path) -> Store:
        """A new run's store, owned by this process; raises StorageError where it cannot be written."""
        with _storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = _unused(folder)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            database = _connect(path)
            database.executescript(f"BEGIN; {_SCHEMA} INSERT INTO meta VALUES ('format', '{FORMAT}'); COMMIT;")
        store = cls(path, database)
        store.own()
        return store

    @classmethod
    def open(cls, folder: Path, run: str) -> tuple[Store, Tree]:
        """The store and the tree of a run that is there.

        Raises NotFound for an unknown run, StorageError for one of a newer zooid, and DamagedRun for one that is
        damaged, whose file is set aside.
        """
        path = find(folder, run)
        known = _last_known(path)  # before the rows are read: another process may be adding some
        # It is set aside before SQLite closes it, which tidies away what it cannot read of a journal.
        with ExitStack() as opened, _kept_aside(path), _storage_errors(path):
            database = opened.enter_context(closing(_connect(path)))
            store = cls(path, database)
            tree = store._load(known)
            opened.pop_all()
        if not store._seq:
            store.close()
            raise NotFound(f"run {store.run} was ended before its goal was kept; start it again with: zooid run")
        return store, tree

    def own(self, lock: int | None = None) -> None:
        """Become the only process that writes this run; raises UsageError while another one does.

        `lock` is the open lock file of a process that owned it and hands it over.
        """
        with _storage_errors(self.path):
            lock = os.open(_lock_file(self.path), os.O_RDWR | os.O_CREAT, 0o600) if lock is None else lock
        try:
            os.set_inheritable(lock, False)
            _lock(lock, self.run)
            self._check_last()
        except BaseException:
            os.close(lock)
            raise
        with _storage_errors(self.path):
            self._database.execute(_INBOX)
        self._owner = lock
        self._note_last()

    @property
    def lock(self) -> int:
        """The open lock file of the owner, for a process that takes the run over."""
        assert self._owner is not None
        return self._owner

    def _check_last(self) -> None:
        """Raise UsageError where another process has added events since this one read them."""
        with _storage_errors(self.path):
            last = self._database.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
        if last != self._seq:
            raise UsageError(f"run {self.run} was worked on by another process just now; try again")

    def _note_last(self) -> None:
        """Keep the number of the last committed event beside the database, where its loss would be seen."""
        if self._owner is not None:
            with suppress(OSError):  # the events are there, which is what counts
                last = self._seq - len(self._waiting)
                os.pwrite(self._owner, f"{last:012d} {last:012d}\n{os.getpid():012d}\n".encode(), 0)

    def append(self, event: Event, at: float, synced: bool = False) -> int:
        """Take an event in, in memory until the next commit; its number in the run.

        With `synced` that commit waits until it, and all before it, is on the disk itself.
        """
        body = event.packed()
        self._seq += 1
        self._last = _digest(self._last, self._seq, at, event.type, event.task, body)
        self._waiting.append((self._seq, at, event.type, event.task, body, self._last))
        self._must_sync = self._must_sync or synced
        return self._seq

    def commit(self) -> None:
        """Keep every appended event; raises StorageError where the disk does not take them."""
        if not (self._waiting or self._replies):
            return
        synced = self._must_sync or time.monotonic() - self._synced > _SYNC_EVERY
        with _storage_errors(self.path):
            if synced != self._waits:
                self._database.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
                self._waits = synced
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", self._waiting)
                if self._replies:
                    self._database.executemany("UPDATE inbox SET reply = ? WHERE number = ?", self._replies)
                self._database.execute("COMMIT")
            except BaseException:
                self._database.rollback()
                raise
            self._waiting.clear()
            self._replies.clear()
        if synced:
            self._synced, self._must_sync = time.monotonic(), False
            self._note_last()

    def is_due(self) -> bool:
        """What took less time than keeping it takes is sooner done again after a kill."""
        return bool(self._waiting) and not 0 <= self.now() - self._waiting[0][1] < _SOON

    def post(self, request: Request) -> int:
        with _storage_errors(self.path):
            self._database.execute(_INBOX)  # of a run that was made before there was one
            body = json.dumps(redact.value(asdict(request)), ensure_ascii=False)
            return self._database.execute("INSERT INTO inbox (body) VALUES (?)", (body,)).lastrowid or 0

    def reply(self, number: int) -> str | None:
        with _storage_errors(self.path):
            row = self._database.execute("SELECT reply FROM inbox WHERE number = ?", (number,)).fetchone()
        return row[0] if row else None

    def requests(self) -> list[Request]:
        with _storage_errors(self.path):
            rows = self._database.execute(
                "SELECT number, body FROM inbox WHERE reply IS NULL ORDER BY number"
            ).fetchall()
            return [Request(**json.loads(body) | {"number": number}) for number, body in rows]

    def settle(self, request: Request, why_not: str) -> None:
        self._replies.append((why_not, request.number))

    def close(self) -> None:
        with _storage_errors(self.path):
            self._database.close()  # which syncs
        if self._owner is not None:
            self._note_last()
            os.close(self._owner)
            self._owner = None

    def now(self) -> float:
        return time.time()

    def rows(self, after: int = 0) -> Iterator[tuple[int, float, Event]]:
        """The committed events past number `after`, in order; raises StorageError at the first damaged one."""
        with _storage_errors(self.path):
            last, expected = self._hash_of(after), after + 1
            for seq, at, type_, task, body, digest in self._database.execute(
                "SELECT seq, at, type, task, body, hash FROM event WHERE seq > ? ORDER BY seq", (after,)
            ):
                last = _digest(last, seq, at, type_, task, body)
                if digest != last or seq != expected:
                    raise DamagedRun(_damaged(self.path, f"row {seq} does not match its hash"))
                expected += 1
                with self._as_written():
                    event = from_body(type_, task, json.loads(body))
                yield seq, at, event

    def _load(self, known: int) -> Tree:
        """The tree; `known` is the number of an event that must be there."""
        tree = Tree(self.run)
        if self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._check_format()
            for seq, at, event in self.rows():
                with self._as_written():
                    tree.apply(event, at)
                self._seq = seq
            self._last = self._hash_of(self._seq)
        if known > self._seq:
            raise DamagedRun(_damaged(self.path, f"its last {known - self._seq} events are missing"))
        if not self._seq:  # the process ended while it made the file, or all is lost
            self._check_whole()
        return tree

    @contextmanager
    def _as_written(self) -> Iterator[None]:
        """What matches its hash is as it was written: where it makes no sense here, that is no damage."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StorageError(f"run {self.run} holds what this zooid does not know ({error}); update zooid") from error

    def _check_whole(self) -> None:
        """Raise DamagedRun where a file without events has lost them: its table of tables may be what is damaged."""
        found = self._database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found == "ok" and self._database.execute("SELECT 1 FROM sqlite_master WHERE name = 'event'").fetchone():
            found = "its rows have no numbers" if self._database.execute("SELECT 1 FROM event").fetchone() else "ok"
        if found != "ok":
            raise DamagedRun(_damaged(self.path, str(found)))

    def _hash_of(self, seq: int) -> bytes:
        row = self._database.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()
        return bytes(row[0]) if row else b""

    def _check_format(self) -> None:
        row = self._database.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if row is None or not str(row[0]).isdigit():
            raise DamagedRun(_damaged(self.path, "it does not say its format"))
        if int(row[0]) > FORMAT:
            raise StorageError(
                f"run {self.run} was written by a newer zooid (format {row[0]}; this one reads {FORMAT}); "
                "update zooid to open it"
            )


class Folder:
    """The runs of this machine, a file each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> Store:
        return Store.create(self.path)

    def open(self, run: str) -> tuple[Store, Tree]:
        return Store.open(self.path, run)

    def ids(self) -> list[str]:
        return [path.stem for path in files(self.path)]

    def summaries(self, most: int | None = None) -> list[Summary]:
        newest = sorted([*files(self.path), *damaged_files(self.path)], key=_changed, reverse=True)[:most]
        found = (_summary(path) for path in newest)
        return [one for one in found if one.started]  # a run that was ended before its first event is none

    def summary(self, run: str) -> Summary:
        return _summary(find(self.path, run))

    def is_running(self, run: str) -> bool:
        return being_worked_on(self.path / f"{run}.db")

    def now(self) -> float:
        return time.time()

    def owner(self, run: str) -> int | None:
        """The process that works on the run; None where none does."""
        path = self.path / f"{run}.db"
        noted = _noted(path) if being_worked_on(path) else []
        return int(noted[2]) if len(noted) == 3 and noted[2].isdigit() else None


def find(folder: Path, run: str) -> Path:
    """The file of a run, named whole or by a beginning that is its own; raises NotFound."""
    path = folder / f"{run}.db"
    if run and path.is_file():
        return path
    known = [found for found in (folder.glob("*.db") if folder.is_dir() else ()) if run and found.stem.startswith(run)]
    if len(known) == 1:
        return known[0]
    if not known and (aside := kept_aside(folder, run)):
        raise DamagedRun(f"run {run} is damaged; {_SET_ASIDE.format(aside)}")
    if known:
        raise NotFound(f"{run!r} begins several runs: {', '.join(sorted(p.stem for p in known))}; give one of them")
    raise NotFound(f"there is no run {run!r}; see what there is with: zooid runs")


def files(folder: Path) -> list[Path]:
    """The files of all runs, newest first."""
    found = folder.glob("*.db") if folder.is_dir() else ()
    return sorted(found, key=_changed, reverse=True)


def _changed(path: Path) -> int:
    return path.stat().st_ctime_ns


def being_worked_on(path: Path) -> bool:
    """Whether a process holds the run of this file."""
    return is_held(_lock_file(path))


def is_held(path: Path) -> bool:
    """Whether a process holds this lock file; one that is not there is held by nobody."""
    try:
        with open(path) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _summary(path: Path) -> Summary:
    aside = path.suffix != ".db"
    found = Summary(path.stem, "damaged", started=path.stat().st_ctime)
    try:
        with closing(_database(path, "immutable=1" if aside else "mode=ro", timeout=2)) as database:
            found = _read(path, database)
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        found.blocked = str(error)
    if aside:
        found.status, found.blocked = "damaged", f"set aside as {path}"
    return found


def _read(path: Path, database: sqlite3.Connection) -> Summary:
    found = Summary(path.stem, "interrupted")
    wanted = "('run.started', 'run.resumed', 'run.queued', 'run.ended', 'asked', 'answered')"
    for at, type_, text in database.execute(f"SELECT at, type, body FROM event WHERE type IN {wanted} ORDER BY seq"):
        found.take(type_, json.loads(text), at)
    found.tasks = max(0, _count(database, "task.planned") - 1)
    found.usage = _usage(database)
    if being_worked_on(path):
        found.status = "running"
    return found


def _count(database: sqlite3.Connection, type_: str) -> int:
    return int(database.execute("SELECT count(*) FROM event WHERE type = ?", (type_,)).fetchone()[0])


def _usage(database: sqlite3.Connection) -> Usage:
    """The sum of what every attempt cost, or had reserved when it was cut short; unpriced as soon as one call is."""
    rows = database.execute(
        "SELECT type, task, json_extract(body, '$.number'), json_extract(body, '$.usage') FROM event "
        "WHERE type IN ('attempt.reserved', 'attempt.decided', 'attempt.ended') "
        "AND json_extract(body, '$.usage.calls') > 0 ORDER BY seq"
    )
    settled, reserved = Usage(), {}
    for type_, task, number, text in rows:
        if type_ == "attempt.reserved":
            reserved[task, number] = Usage(**json.loads(text))
        else:
            reserved.pop((task, number), None)
            settled += Usage(**json.loads(text))
    return sum(reserved.values(), settled)


def _unused(folder: Path) -> Path:
    for length in (4, 4, 4, 5, 6, 8, 10):
        path = folder / ("".join(secrets.choice(_ALPHABET) for _ in range(length)) + ".db")
        if not any(folder.glob(f"{path.stem}.*")):
            return path
    raise StorageError(f"no free name for a run in {folder}; remove old runs there")


def _lock(lock: int, run: str) -> None:
    for pause in (0.02, 0.02, 0.0):  # whoever lists the runs holds it for a moment
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(pause)
    raise UsageError(f"run {run} is being worked on by another process; watch it with: zooid tree {run}")


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".lock")


def _last_known(path: Path) -> int:
    """The number of the last event as it was noted beside the database; 0 where it was not."""
    noted = _noted(path)
    return int(noted[0]) if len(noted) >= 2 and noted[0] == noted[1] and noted[0].isdigit() else 0


def _noted(path: Path) -> list[bytes]:
    """What is written in the lock file: the number of the last event, twice, and the process that owns the run."""
    try:
        return _lock_file(path).read_bytes().split()
    except OSError:
        return []


def _connect(path: Path) -> sqlite3.Connection:
    database = _database(path, "mode=rw", timeout=10)  # one that was set aside just now is not made again
    try:
        database.execute("PRAGMA journal_mode=WAL")
    except BaseException:
        database.close()
        raise
    return database


def _database(path: Path, how: str, timeout: float) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=timeout, check_same_thread=False)


def _digest(last: bytes, seq: int, at: float, type_: str, task: str, body: str) -> bytes:
    head = f"{seq}\0{at!r}\0{type_}\0{task}\0".encode("utf-8", "backslashreplace")
    return hashlib.blake2b(last + head + body.encode(), digest_size=16).digest()


_UNUSABLE = tuple(f"SQLITE_{what}" for what in "CANTOPEN READONLY PERM BUSY LOCKED NOMEM PROTOCOL INTERRUPT".split())
_SET_ASIDE = "its file was set aside, as it is, as {}; start its goal again with: zooid run"


def _damaged(path: Path, how: str) -> str:
    return f"the tree of run {path.stem} is damaged: {how} ({path}); other runs are not touched"


@contextmanager
def _kept_aside(path: Path) -> Iterator[None]:
    """Set a run aside that is found to be damaged."""
    try:
        yield
    except DamagedRun as damage:
        aside = set_aside(path)
        way = _SET_ASIDE.format(aside) if aside else "move that file away"
        raise DamagedRun(f"{damage}; {way}") from damage
    except StorageError:
        find(path.parent, path.stem)  # another process may just have done that
        raise


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """What SQLite and the disk say, as a message that names the file and the way on."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            raise StorageError(f"the disk does not take {path}: {error}; free some space, then resume") from error
        if code.startswith(_UNUSABLE):
            raise StorageError(f"cannot use {path}: {error}; check that its folder can be written") from error
        raise DamagedRun(_damaged(path, str(error))) from error
    except MemoryError as error:
        raise StorageError(f"there is too little memory to read {path}; free some, then try again") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedRun(_damaged(path, str(error))) from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; check the folder and its free space") from error

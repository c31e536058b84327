"""The runs of a PostgreSQL database, and the record of one."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from agent.archive import Request, Summary
from agent.errors import NotFound, StorageError, UsageError
from agent.events import Event, from_body
from agent.postgres import ledger
from agent.postgres.database import Database, synced
from agent.task import Usage
from agent.tree import Tree

if TYPE_CHECKING:
    from agent.postgres.database import Connection

OF_THE_RUN = ""  # the zone of what is about a run as a whole
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"

Row = tuple[float, str, str, str]  # at, type, task, body


@cache
def version() -> str:
    """The version of zooid that a run's machines must share."""
    return metadata.version("zooid")


def me() -> str:
    """This process, as the database knows it."""
    global _me
    if not _me.startswith(f"{socket.gethostname()}:{os.getpid()}:"):
        _me = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
    return _me


_me = ""


@dataclass(slots=True)
class Record:
    """What happened to one run, as the database has it. What it writes itself is about the run as a whole."""

    database: Database
    run: str
    seen: int = 0  # the number of the last event that was read into the tree
    _waiting: list[Row] = field(default_factory=list)
    _replies: list[str] = field(default_factory=list)

    def now(self) -> float:
        return self.database.now()

    def own(self, lock: int | None = None) -> None:
        """Become the process that a person looks on from; raises UsageError while somebody works on the run."""

        def take(connection: Connection) -> bool:
            connection.execute("SELECT 1 FROM zooid_run WHERE id = %s FOR NO KEY UPDATE", (self.run,))
            if _is_running(connection, self.run):
                return False
            connection.execute("UPDATE zooid_run SET sitting = %s WHERE id = %s", (me(), self.run))
            return True

        if not self.database.transaction(take):
            raise UsageError(
                f"run {self.run} is being worked on by another process; watch it with: zooid tree {self.run}"
            )

    def append(self, event: Event, at: float, synced: bool = False) -> int:
        self._waiting.append((at, event.type, event.task, event.packed()))
        return 0

    def is_due(self) -> bool:
        return True

    def commit(self) -> None:
        if not self._waiting:
            return

        def keep(connection: Connection) -> None:
            connection.execute("SELECT 1 FROM zooid_run WHERE id = %s FOR NO KEY UPDATE", (self.run,))
            write_of_run(connection, self.run, self._waiting)
            for _, type_, task, _ in self._waiting:
                if type_ == "task.planned":
                    ledger.keep(connection, self.run, [ledger.joined([task])])

        self.database.transaction(keep)
        self._waiting.clear()

    def rows(self, after: int = 0) -> Iterator[tuple[int, float, Event]]:
        """The events past number `after`, each once all before it are there; raises StorageError for damage."""
        wanted = "run = %s AND seq > %s AND xid < pg_snapshot_xmin(pg_current_snapshot())"
        for seq, row in self.database.transaction(lambda c: read(c, self.run, wanted, (self.run, after))):
            yield seq, row[0], from_body(row[1], row[2], json.loads(row[3]))

    def has(self, seq: int, at: float) -> bool:
        """Whether an event that was read is still there: a crash of the server may lose the latest."""
        query = "SELECT 1 FROM zooid_event WHERE run = %s AND seq = %s AND at = %s"
        return bool(self.database.transaction(lambda c: c.execute(query, (self.run, seq, at)).fetchone()))

    def post(self, request: Request) -> int:
        """Do what a person asks for at once: in a database nobody has to be waited for."""
        from agent.postgres.requests import do

        self._replies.append(do(self, request))
        return len(self._replies)

    def reply(self, number: int) -> str | None:
        return self._replies[number - 1]

    def requests(self) -> list[Request]:
        return []

    def settle(self, request: Request, why_not: str) -> None:
        """Nothing is left to reply to."""

    def tree(self) -> Tree:
        """The tree as it stands."""
        tree = Tree(self.run)
        for seq, at, event in self.rows():
            tree.apply(event, at)
            self.seen = seq
        return tree

    def close(self) -> None:
        with suppress(StorageError):
            query = "UPDATE zooid_run SET sitting = NULL WHERE id = %s AND sitting = %s"
            self.database.transaction(lambda c: c.execute(query, (self.run, me())))


class PostgresArchive:
    """The runs of all machines that share a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self) -> Record:
        def make(connection: Connection) -> str:
            for length in (4, 4, 4, 5, 6, 8, 10):
                id = "".join(secrets.choice(_ALPHABET) for _ in range(length))
                query = "INSERT INTO zooid_run (id, version, sitting) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING "
                if connection.execute(query + "RETURNING id", (id, version(), me())).fetchone():
                    return id
            raise StorageError("no free name for a run in the database; remove old runs there")

        return Record(self.database, self.database.transaction(make))

    def open(self, run: str) -> tuple[Record, Tree]:
        record = Record(self.database, self._found(run))
        tree = record.tree()
        if not record.seen:
            raise NotFound(f"run {record.run} was ended before its goal was kept; start it again with: zooid run")
        if tree.ended is None:
            tree.blocked = self.database.transaction(lambda connection: lacks(connection, record.run))
        return record, tree

    def _found(self, run: str) -> str:
        query = "SELECT id FROM zooid_run WHERE id = %s OR (%s <> '' AND starts_with(id, %s)) ORDER BY id"
        rows = self.database.transaction(lambda c: c.execute(query, (run, run, run)).fetchall())
        known = [id for (id,) in rows]
        if run in known or len(known) == 1:
            return run if run in known else known[0]
        if known:
            raise NotFound(f"{run!r} begins several runs: {', '.join(known)}; give one of them")
        raise NotFound(f"there is no run {run!r}; see what there is with: zooid runs")

    def ids(self) -> list[str]:
        query = "SELECT id FROM zooid_run ORDER BY touched DESC"
        return [id for (id,) in self.database.transaction(lambda c: c.execute(query).fetchall())]

    def summaries(self, most: int | None = None) -> list[Summary]:
        return self.database.transaction(lambda connection: _summaries(connection, most))

    def summary(self, run: str) -> Summary:
        found = self._found(run)
        return self.database.transaction(lambda connection: _summary(connection, found))

    def now(self) -> float:
        return self.database.now()

    def is_job(self, run: str) -> bool:
        """Whether a run was sent to the background."""
        query = "SELECT is_job FROM zooid_run WHERE id = %s"
        return self.database.call(query, (run,)).fetchall() == [(True,)]

    def is_running(self, run: str) -> bool:
        return self.database.transaction(lambda connection: _is_running(connection, run))


# -- reading and writing events


def packed(run: str, zone: str, number: int, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Events of a zone, numbered from `number` up, as zooid_write in functions.sql takes them."""
    return [
        {
            "n": n,
            "at": row[0],
            "type": row[1],
            "task": row[2],
            "body": row[3],
            "hash": _digest(run, zone, n, *row).hex(),
        }
        for n, row in enumerate(rows, number)
    ]


def write(connection: Connection, run: str, zone: str, rows: Iterable[Row]) -> None:
    """Add events to a zone that nobody else writes to meanwhile."""
    row = connection.execute("SELECT max(n) FROM zooid_event WHERE run = %s AND zone = %s", (run, zone)).fetchone()
    number = 1 + (row[0] or 0 if row else 0)
    connection.execute("SELECT zooid_write(%s, %s, %s)", (run, zone, json.dumps(packed(run, zone, number, rows))))


def write_of_run(connection: Connection, run: str, rows: Iterable[Row]) -> None:
    """Add events about a run as a whole, and keep what they say of it; whoever calls holds the run's row.

    They are on the server's disk when the transaction is over.
    """
    rows = list(rows)
    synced(connection)
    write(connection, run, OF_THE_RUN, rows)
    for _, type_, _, body in rows:
        _note_run(connection, run, type_, body)


def read(connection: Connection, run: str, wanted: str, values: tuple[Any, ...]) -> list[tuple[int, Row]]:
    """The events for which the condition `wanted` holds, in order; raises StorageError at the first damaged one."""
    query = f"SELECT seq, zone, n, at, type, task, body, hash FROM zooid_event WHERE {wanted} ORDER BY seq"
    return checked(run, connection.execute(query, values))


def checked(run: str, found: Iterable[tuple[Any, ...]]) -> list[tuple[int, Row]]:
    """The events that a query found; raises StorageError at the first damaged one."""
    rows: list[tuple[int, Row]] = []
    for seq, zone, n, *row, digest in found:
        if bytes(digest) != _digest(run, zone, n, *row):
            raise StorageError(
                f"the tree of run {run} is damaged: event {seq} does not match its hash; other runs are not touched"
            )
        rows.append((seq, (row[0], row[1], row[2], row[3])))
    return rows


def _digest(run: str, zone: str, n: int, at: float, type_: str, task: str, body: str) -> bytes:
    text = f"{run}\0{zone}\0{n}\0{at!r}\0{type_}\0{task}\0{body}"
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).digest()


def _note_run(connection: Connection, run: str, type_: str, body: str) -> None:
    """Keep what an event says of the run as a whole where the runs are listed."""
    data = json.loads(body) if type_.startswith("run.") else {}
    change: dict[str, Any] = {}
    if type_ == "run.started":
        change = {"goal": data["goal"], "status": "running"}
    elif type_ == "run.resumed":
        change = {"status": "running", "version": version()}
    elif type_ == "run.queued":
        change = {"status": "running", "version": version(), "is_job": True}
    elif type_ == "run.ended":
        change = {"status": data["status"]}
    columns = "".join(f"{name} = %s, " for name in change)
    query = f"UPDATE zooid_run SET {columns} touched = clock_timestamp() WHERE id = %s"
    connection.execute(query, (*change.values(), run))


# -- what the lists show


def _is_running(connection: Connection, run: str) -> bool:
    """Whether a run is open and somebody is there who works on it, or may."""
    query = """
        SELECT EXISTS (SELECT 1 FROM zooid_run r JOIN zooid_worker w ON w.seen > clock_timestamp() - zooid_lease()
                       WHERE r.id = %s AND r.status = 'running'
                         AND (w.id = r.sitting AND w.id <> %s OR 'zooid ' || r.version = ANY (w.queues)))"""
    row = connection.execute(query, (run, me())).fetchone()
    return bool(row and row[0])


def _summaries(connection: Connection, most: int | None) -> list[Summary]:
    query = "SELECT id FROM zooid_run ORDER BY touched DESC LIMIT %s"
    found = [_summary(connection, run) for (run,) in connection.execute(query, (most,)).fetchall()]
    return [one for one in found if one.started]


def _summary(connection: Connection, run: str) -> Summary:
    found = Summary(run, "interrupted")
    about = "run = %s AND (type LIKE 'run.%%' OR type IN ('asked', 'answered'))"
    for _, (at, type_, _, body) in read(connection, run, about, (run,)):
        found.take(type_, json.loads(body), at)
    found.status = "running" if _is_running(connection, run) else found.status
    found.blocked = found.blocked or lacks(connection, run)
    counted = "SELECT count(*) FROM zooid_event WHERE run = %s AND type = 'task.planned'"
    found.tasks = max(0, int((connection.execute(counted, (run,)).fetchone() or (0,))[0]) - 1)
    paid = read(connection, run, "run = %s AND type IN ('attempt.decided', 'attempt.ended')", (run,))
    usages = (json.loads(body).get("usage") for _, (_, _, _, body) in paid)
    found.usage = sum((Usage(**usage) for usage in usages if usage and usage["calls"]), Usage())
    return found


def lacks(connection: Connection, run: str) -> str:
    """What tasks of an open run wait for that no process has which is there; empty where they wait for nothing."""
    query = """
        SELECT t.id, t.queue FROM zooid_task t JOIN zooid_run r ON r.id = t.run
        WHERE t.run = %s AND r.status = 'running' AND t.status IN ('queued', 'running') AND t.owner IS NULL
          AND t.open = 0 AND NOT EXISTS (
            SELECT 1 FROM zooid_worker w
            WHERE t.queue = ANY (w.queues) AND w.seen > clock_timestamp() - zooid_lease())
        ORDER BY t.id LIMIT 1"""
    row = connection.execute(query, (run,)).fetchone()
    if not row:
        return ""
    task, queue = row
    kind, _, tool = queue.partition(": ")
    if tool:
        return "task {} waits for a worker that has the tool {} in version {}".format(task, *tool.split(" "))
    if kind.startswith("run:"):
        return f"task {task} waits for: zooid resume {run}"
    return f"task {task} waits for a worker of {kind}; start one with: zooid worker"

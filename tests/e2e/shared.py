"""Runs that several processes share by way of a database: workers that can be killed, and a scripted model."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from tests.e2e.command import Piped
from tests.scripted import Reply, Server

MODEL = ("--planner", "openai", "--model", "scripted")


class Held(Server):
    """A model whose replies with a negative delay wait for a word of the test."""

    def __init__(self, script: Callable[[dict[str, Any]], Reply]) -> None:
        super().__init__(script)
        self.released = threading.Event()

    def wait(self, reply: Reply, client: socket.socket) -> None:
        self.released.wait(60) if reply.delay < 0 else super().wait(reply, client)


def growing(branches: int, leaves: int, seconds: float) -> Callable[[dict[str, Any]], Reply]:
    """A model that splits a goal `grow` into branches and these into leaves, each call in so many seconds."""

    def script(body: dict[str, Any]) -> Reply:
        goal = goal_of(body)
        kind, *numbers = goal.split()
        if kind == "grow":
            tasks = [{"id": f"b{n}", "goal": f"branch {n}"} for n in range(branches)]
            return Reply({"tasks": tasks, "answer": " ".join(f"$b{n}" for n in range(branches))}, delay=seconds)
        if kind == "branch":
            tasks = [{"id": f"l{n}", "goal": f"leaf {numbers[0]} {n}"} for n in range(leaves)]
            return Reply({"tasks": tasks, "answer": " ".join(f"$l{n}" for n in range(leaves))}, delay=seconds)
        return Reply({"answer": ".".join(numbers)}, delay=seconds)

    return script


def grown(branches: int, leaves: int) -> str:
    """The answer to `grow`."""
    return " ".join(f"{b}.{leaf}" for b in range(branches) for leaf in range(leaves))


def goal_of(body: dict[str, Any]) -> str:
    """The goal that a request is about."""
    found = re.search(r"\b(grow|branch|leaf)((?: \d+)*)", body["messages"][-1]["content"])
    return found[0] if found else ""


@contextlib.contextmanager
def workers(
    zooid: Piped, database: str, number: int, there: int = 0, **more: str
) -> Iterator[list[subprocess.Popen[str]]]:
    """So many `zooid worker` processes, once all of them are there, beside those that are `there` already."""
    with contextlib.ExitStack() as stack:
        variables = {"ZOOID_DATABASE": database, **more}
        found = [stack.enter_context(zooid.start("worker", **variables)) for _ in range(number)]
        here = "SELECT count(*) FROM zooid_worker WHERE queues[1] LIKE 'zooid %'"
        until(lambda: count(database, here) >= there + number)
        yield found


def until(holds: Callable[[], bool], seconds: float = 40.0) -> float:
    """Wait until something holds; how long that took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() < start + seconds, f"it did not come to hold in {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - start


def count(database: str, query: str) -> int:
    """A number out of the database; 0 while its tables are not there."""
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
        return 0
    return int(row[0]) if row else 0

"""How a call is ended that nobody waits for any more: whoever does its work says by what.

A thread cannot be ended from outside; a process can, and so can a model's sequence. Code that runs in this process for
long, and says nothing here, goes on until it is done, and its result is thrown away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar


class Stop:
    """The end of one call. `now` may be called from any thread, and does nothing to a call that is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ways: list[Callable[[], None]] = []
        self._wanted = False

    @property
    def wanted(self) -> bool:
        return self._wanted

    def now(self) -> None:
        with self._lock:
            self._wanted, ways = True, list(self._ways)
        for way in ways:
            self._end(way)

    def add(self, way: Callable[[], None]) -> None:
        with self._lock:
            self._ways.append(way)
            wanted = self._wanted
        if wanted:
            self._end(way)

    @staticmethod
    def _end(way: Callable[[], None]) -> None:
        with suppress(OSError):  # it has ended by itself meanwhile
            way()

    def remove(self, way: Callable[[], None]) -> None:
        with self._lock:
            self._ways.remove(way)


current: ContextVar[Stop | None] = ContextVar("stop", default=None)


@contextmanager
def by(way: Callable[[], None]) -> Iterator[None]:
    """While this is open, the call that is being made can be ended by `way`, which must not block."""
    stop = current.get()
    if stop is None:
        yield
        return
    stop.add(way)
    try:
        yield
    finally:
        stop.remove(way)

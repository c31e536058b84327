"""What Ctrl-C, a request to end and a terminal that is gone do to a run.

It comes to rest, and is ended at once where it does not.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SUSPEND = signal.SIGTSTP
_GRACE = 1.5  # seconds that a run may take to come to rest


@contextmanager
def handled(stop: Callable[[int], None], farewell: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal; at the second, or where the first is not heeded in time, end with a farewell."""
    seen: list[int] = []

    def end(number: int) -> None:
        farewell()
        os._exit(128 + number)

    def take(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) > 1:
            end(seen[0])
        watchdog.start()
        stop(number)

    watchdog = threading.Timer(_GRACE, lambda: end(seen[0]))
    watchdog.daemon = True
    before = _taken(take)
    try:
        yield
    finally:
        # After a first signal the watch goes on to the end of the program: what is left to do may hang too.
        if not seen:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def raised() -> Iterator[None]:
    """Have the signals raise KeyboardInterrupt, for work that keeps what it has done as it goes."""

    def take(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = _taken(take)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _taken(take: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Has `take` get the signals that are not ignored; who got them before."""
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, take)
    return before

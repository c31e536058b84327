"""The file of a run that is damaged: kept aside, as it is, under a name by which nothing takes it for a run."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_PATIENCE = 2.0  # seconds to wait for another process that has found the same damage
_ENDINGS = ("", "-wal", "-shm", ".lock")  # of the files of a run, as they are kept aside


def set_aside(path: Path) -> Path | None:
    """Move a run's file, with its journal and its lock, to ID.damaged; where it is then.

    Nothing is deleted and nothing overwritten. Of several processes that find the damage one moves it. None where the
    file stays in its place: a process works on the run, or the folder cannot be written.
    """
    try:
        with _alone(path.with_suffix(".lock")):
            if path.exists():
                _move(path, _free(path))
            else:
                path.with_suffix(".lock").unlink(missing_ok=True)  # made just now; another process was quicker
    except OSError:
        return None
    return kept_aside(path.parent, path.stem)


def kept_aside(folder: Path, run: str) -> Path | None:
    """The file of the run of this name that was set aside last."""
    found = [path for path in damaged_files(folder) if path.stem == run]
    return max(found, key=lambda path: path.stat().st_ctime_ns, default=None)


def damaged_files(folder: Path) -> Iterator[Path]:
    """The files of all runs that were set aside."""
    found = folder.glob("*.damaged*") if folder.is_dir() else ()
    return (path for path in found if re.fullmatch(r"\.damaged\d*", path.suffix))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a run that nobody works on; raises OSError where somebody does."""
    with closing(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb")) as lock:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        yield


def _free(path: Path) -> Path:
    names = [f"{path.stem}.damaged{number}" for number in ("", *range(2, 1000))]
    return next(free for name in names if not (free := path.with_name(name)).exists())


def _move(path: Path, target: Path) -> None:
    """The file first: were the process ended here, its journal would still lie where it was."""
    for ending in _ENDINGS:
        source = path.with_suffix(".lock") if ending == ".lock" else path.with_name(path.name + ending)
        if source.exists():
            source.rename(target.with_name(target.name + ending))

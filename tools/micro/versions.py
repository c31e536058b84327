"""Versions of a micro-model: `NAME/v1`, `NAME/v2`, …, each a whole folder. The newest is the one that is called."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

from tools.micro.manifest import MANIFEST

_VERSION = re.compile(r"v([1-9]\d{0,5})")


def versions(folder: Path) -> list[int]:
    """The numbers of the versions in a model's folder, the oldest first."""
    if not folder.is_dir():
        return []
    found = [_VERSION.fullmatch(path.name) for path in folder.iterdir() if (path / MANIFEST).is_file()]
    return sorted(int(one[1]) for one in found if one)


def newest(folder: Path) -> Path | None:
    """The folder of the newest version, where there is one."""
    found = versions(folder)
    return folder / f"v{found[-1]}" if found else None


def register(made: Path, folder: Path, least: int = 1) -> Path:
    """Makes a finished model the newest version, at once or not at all; its folder. Raises OSError.

    It is copied beside its place first, and forced to the disk, so that a kill or a full disk leaves the version that
    was there. `least` is the lowest number that it may have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(".new-*"):
        shutil.rmtree(old, ignore_errors=True)  # what a killed process left
    beside = folder / f".new-{os.getpid()}"
    try:
        shutil.copytree(made, beside)
        for path in [*beside.iterdir(), beside]:
            _to_disk(path)
        while True:
            place = folder / f"v{max([least - 1, *versions(folder)]) + 1}"
            try:
                os.rename(beside, place)
                break
            except OSError:
                if not place.exists():
                    raise
        _to_disk(folder)
        return place
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def remove(place: Path, into: Path) -> Path:
    """Moves a version, or a whole model, out of the way; where it is now. Nothing is deleted. Raises OSError."""
    into.mkdir(parents=True, exist_ok=True)
    kept = into / f"{place.parent.name}-{place.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    shutil.move(place, kept)
    parent = place.parent
    if parent.is_dir() and _VERSION.fullmatch(place.name) and not any(parent.iterdir()):
        parent.rmdir()
    return kept


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Killed, or out of disk, at any call to the system by which a run changes something that outlives it.

The library of tests/faults.c stands between the command and the system: it counts those calls, and at the one of a
given number kills the process, or has that one and all that follow fail.
"""

from __future__ import annotations

import errno
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.e2e.test_kill import (
    ROOT,
    Undisturbed,
    World,
    goes_on,
    survey,
    sweep,
    undisturbed,
    worlds,
)  # fmt: skip

COUNT, KILL, FAIL = 1, 2, 3
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
EVERYDAY = 2  # points of each kind


def built(folder: Path) -> Path:
    """The library; the test is left out where there is no C compiler."""
    made, compiler = folder / "faults.so", shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler to build the library of faults with")
    source = str(ROOT / "tests" / "faults.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(made), source, "-ldl"], check=True)
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("disk")
    yield from worlds(folder, survey, built(folder))


@pytest.fixture(scope="module")
def whole(world: World) -> Undisturbed:
    return undisturbed(world)


@pytest.fixture(scope="module")
def calls(world: World, whole: Undisturbed) -> list[str]:
    """The calls by which a run that nothing disturbs changes something."""
    case = world.case()
    assert case.run(arm=[COUNT, 0, 0]).code == 0
    made = (case.folder / "calls").read_text().splitlines()
    assert {"write", "sync", "open", "rename", "connect", "start"} <= {call.split()[0] for call in made}
    return made


def some(calls: list[str], count: int, seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(1, len(calls) + 1), count))


def test_killed_at_a_call_here_and_there(world: World, whole: Undisturbed, calls: list[str]) -> None:
    outcomes = sweep(world, whole, ({"arm": [KILL, at, 0]} for at in some(calls, EVERYDAY, 1)))
    assert sum(outcomes.values()) == EVERYDAY, outcomes


@pytest.mark.slow
def test_killed_at_every_call(world: World, whole: Undisturbed, calls: list[str]) -> None:
    started = time.monotonic()
    outcomes = sweep(world, whole, ({"arm": [KILL, at, 0]} for at in range(1, len(calls) + 1)))
    print(f"\n{len(calls)} calls in {time.monotonic() - started:.0f} s: {dict(outcomes)}")
    assert outcomes["went on"] > len(calls) // 2


# -- a disk that takes no more


def fails(world: World, whole: Undisturbed, ways: Iterable[tuple[int, int]]) -> Counter[str]:
    """Runs under a disk that from some call on gives an error, and goes on with them when it does no more."""
    outcomes: Counter[str] = Counter()
    for at, error in ways:
        case = world.case()
        try:
            first = case.run(arm=[FAIL, at, error])
            assert first.code in (0, 1, 3) and "defect" not in first.said and "Traceback" not in first.said, first
            if first.code == 3:
                time.sleep(0.03)
                outcomes[goes_on(case, whole)] += 1
            elif first.code == 0:  # it was a cache, or the run's own end, that could not be kept
                assert first.answer == whole.answer
                outcomes["not disturbed"] += 1
            else:
                assert "the goal is not met" in first.said
                outcomes["not met"] += 1
        except AssertionError as failed:
            raise AssertionError(f"{errno.errorcode[error]} from call {at} on, in {case.folder}: {failed}") from failed
        shutil.rmtree(case.folder)
    return outcomes


def test_a_disk_that_fails_here_and_there(world: World, whole: Undisturbed, calls: list[str]) -> None:
    outcomes = fails(world, whole, zip(some(calls, EVERYDAY, 2), ERRORS * 3, strict=False))
    assert sum(outcomes.values()) == EVERYDAY, outcomes


@pytest.mark.slow
def test_a_disk_that_fails_at_every_call(world: World, whole: Undisturbed, calls: list[str]) -> None:
    started = time.monotonic()
    places = [at for at, call in enumerate(calls, 1) if len(call.split()) > 1]
    outcomes = fails(world, whole, ((at, ERRORS[at % 3]) for at in places))
    print(f"\n{len(places)} calls, one of 3 errors each, in {time.monotonic() - started:.0f} s: {dict(outcomes)}")

"""A home and a workspace of their own for every test that drives the command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import ZOOID, Piped


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    if not Path(ZOOID).exists():
        pytest.fail(f"the command is not installed at {ZOOID}; install it with: pip install -e .")
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder / "cache" / "zooid" / "workers", ignore_errors=True)  # which ends them


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("one two\nthree\n")
    (folder / "b.txt").write_text("four\n")
    return folder


@pytest.fixture
def zooid(home: Path, work: Path) -> Piped:
    return Piped(home, work)

"""What tests share: workers of micro-models that stay within the tests, and a database server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres, programs


@pytest.fixture(scope="session", autouse=True)
def _workers_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield
    shutil.rmtree(folder, ignore_errors=True)  # a worker whose socket is gone ends itself


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server, empty at first."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="zooid-postgres-"))  # where another user may go
    folder.chmod(0o755)
    server = Postgres(folder, found)
    server.start()
    yield server
    server.stop("immediate")
    shutil.rmtree(folder, ignore_errors=True)

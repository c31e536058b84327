"""Network faults under the installed command: exit code, one message, the run kept, and no wait past its limit."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from tests.e2e.command import ZOOID, environment
from tests.faulty import FAULTS, Authority, serving

CODES = {"ConfigError": (2,), "ProviderUnavailable": (75,)}
SECONDS = 12.0  # that a run may take; on a busy machine several go into importing the client
KEY = "sk-canary-2Zt4kLw2vRb8nYc5Qm7x"
EVERY_DAY = ("a bomb of gzip", "302 to http://127.0.0.2:PORT/v1")


async def command(name: str, authority: Authority, home: Path, folder: Path) -> tuple[int, str, int]:
    """The command on that fault: its exit code, what it said, and how often it went elsewhere."""
    home.mkdir()
    env = environment(home, OPENAI_API_KEY=KEY, SSL_CERT_FILE=os.environ["SSL_CERT_FILE"])
    async with serving(FAULTS[name], authority) as served:
        words = ["run", "add", "--planner", "openai", "--model", "m", "--base-url", served.address]
        process = await asyncio.create_subprocess_exec(
            ZOOID, *words, "--max-seconds", f"{SECONDS}", env=env, cwd=folder,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode(), served.elsewhere


async def faults(names: list[str], home: Path, folder: Path) -> None:
    authority, room = Authority(), asyncio.Semaphore(4)
    authority.known.cert_pem.write_to_path(os.environ["SSL_CERT_FILE"])

    async def one(name: str, number: int) -> None:
        async with room:
            code, said, elsewhere = await command(name, authority, home / f"{number}", folder)
        allowed = (*CODES[FAULTS[name].error], *((3,) if FAULTS[name].again else ()))  # tries go on up to the limit
        assert code in allowed and elsewhere == 0, (name, code, said)
        took = float(re.search(r"stopped: ([\d.]+) s", said)[1]) if "stopped: " in said else 0.0  # without its start
        assert took < SECONDS + 1 and KEY[:12] not in said and "Traceback" not in said, (name, said)
        assert code == 2 or "zooid resume" in said or "sent more than" in said, (name, said)

    await asyncio.gather(*(one(name, number) for number, name in enumerate(names)))


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.mark.usefixtures("trusted")
def test_some_faults(home: Path, work: Path) -> None:
    asyncio.run(faults(list(EVERY_DAY), home, work))


@pytest.mark.slow
@pytest.mark.usefixtures("trusted")
def test_all_faults(home: Path, work: Path) -> None:
    asyncio.run(faults(list(FAULTS), home, work))

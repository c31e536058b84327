"""A PostgreSQL server of the tests' own on a loopback port, from the machine's package; without one, tests skip."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

import psycopg


def programs() -> Path | None:
    """The folder of the server's programs, where it is installed."""
    found = shutil.which("initdb")
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: float(path.split("/")[4]))
    return Path(found).resolve().parent if found else Path(folders[-1]) if folders else None


class Postgres:
    """A server whose data are in `folder`; it refuses to run as root, so root runs it as another user."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder, self._programs = folder, programs
        self._user = _other_user() if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._do("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")
        self._databases = 0

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self._control("start", "-o", options, "-l", str(self._folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        self._control("stop", "-m", mode)

    def restart(self, mode: str = "immediate") -> None:
        """`immediate`: as after a crash, no connection is told; `fast`: as it is done by hand."""
        self._control("restart", "-m", mode, "-l", str(self._folder / "log"))

    def database(self, disk: Path | None = None) -> str:
        """The URL of a new, empty database, whose tables are on `disk` where one is given."""
        self._databases += 1
        name = f"zooid{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if disk and self._user:
                shutil.chown(disk, self._user)
            if disk:
                connection.execute(f"CREATE TABLESPACE {name} LOCATION '{disk}'")  # type: ignore[arg-type]
            on = f"TABLESPACE {name}" if disk else ""
            connection.execute(f"CREATE DATABASE {name} {on}")  # type: ignore[arg-type]
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _control(self, *words: str) -> None:
        self._do("pg_ctl", "-D", str(self._folder / "data"), "-w", *words)

    def _do(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words]
        subprocess.run(command, user=self._user, cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=60)


def _other_user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"

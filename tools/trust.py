"""Trust in a project's own tools and settings: nothing of them counts until a person has said so for this content.

What is trusted is a hash over the names and the bytes of `.zooid/config.toml` and of every file under `.zooid/tools`.
One changed byte, one more file, and it is asked for again. The record is kept in the person's data folder.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import workspace

if TYPE_CHECKING:
    from hashlib import _Hash

# What test runners leave behind. Plugin processes never read it, so that it cannot carry code past this.
_LEFT_OUT = {"__pycache__", ".pytest_cache"}


def tools_folder(folder: Path) -> Path:
    """Where a project keeps tools of its own."""
    return folder / ".zooid" / "tools"


def config_file(folder: Path) -> Path:
    """Where a project keeps settings of its own."""
    return folder / ".zooid" / "config.toml"


def digest(folder: Path) -> str:
    """A hash of all in the project `folder` that needs trust; empty where there is nothing of the kind."""
    import hashlib

    parts = [path for path in (config_file(folder), tools_folder(folder)) if path.is_symlink() or path.exists()]
    if not parts:
        return ""
    total = hashlib.sha256()
    for part in parts:
        for path in _walk(part):
            _take_in(total, path, path.relative_to(folder).as_posix())
    return total.hexdigest()


def is_trusted(folder: Path) -> bool:
    """Whether a person has trusted the project as it is now; a project with nothing to trust is."""
    found = digest(folder)
    return not found or _read().get(_key(folder), {}).get("digest") == found


def was_trusted(folder: Path) -> bool:
    """Whether a person has trusted the project at some time, as it was then."""
    return _key(folder) in _read()


def trust(folder: Path) -> str:
    """Trust the project as it is now; gives the digest that is trusted."""
    found = digest(folder)
    with _changing() as trusted:
        trusted[_key(folder)] = {"digest": found, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    return found


def forget(folder: Path) -> bool:
    """Trust the project no more; says whether it was trusted."""
    with _changing() as trusted:
        return trusted.pop(_key(folder), None) is not None


def record_file() -> Path:
    """Where it is written down what is trusted."""
    import platformdirs

    return platformdirs.user_data_path("zooid") / "trusted.json"


def _walk(path: Path) -> Iterator[Path]:
    """A file, or all that a folder holds, in an order that is the same everywhere; links are not followed."""
    yield path
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()):
            if inner.name not in _LEFT_OUT:
                yield from _walk(inner)


def _take_in(total: _Hash, path: Path, name: str) -> None:
    """Add one entry: its name, what it is, and its bytes, each with its length so that none runs into another."""
    parts = [name.encode("utf-8", "surrogateescape")]
    if path.is_symlink():
        parts += [b"link", os.fsencode(os.readlink(path))]
    if path.is_file():
        parts += [b"file", _content(path)]
    elif path.exists():
        parts.append(b"folder" if path.is_dir() else str(stat.S_IFMT(path.stat().st_mode)).encode())
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    total.update(b"\xff" * 8)


def _content(path: Path) -> bytes:
    import hashlib

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:  # what cannot be read cannot be loaded either
        return f"unreadable: {error.strerror}".encode()


def _key(folder: Path) -> str:
    return str(folder.resolve())


def _read() -> dict[str, Any]:
    """What is trusted, by folder. A record that cannot be read trusts nothing."""
    try:
        trusted = json.loads(record_file().read_text("utf-8"))["trusted"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {k: v for k, v in trusted.items() if isinstance(v, dict)} if isinstance(trusted, dict) else {}


@contextmanager
def _changing() -> Iterator[dict[str, Any]]:
    """The record, to be changed by one process at a time and written back at once."""
    import fcntl

    path = record_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        trusted = _read()
        yield trusted
        content = {"v": 1, "trusted": trusted}
        workspace.write_atomically(path, json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")

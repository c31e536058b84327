"""The workspace: the one folder that a run may touch, and the only way a path gets into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar, Token
from pathlib import Path

from tools.errors import OutsideWorkspaceError

_current: ContextVar[Path | None] = ContextVar("workspace", default=None)


def enter(root: Path) -> Token[Path | None]:
    """Make `root` the workspace of the calls made from this context."""
    return _current.set(root.resolve())


def root() -> Path:
    """The workspace of this context: the working folder where none was entered."""
    return _current.get() or Path.cwd().resolve()


def inside(path: str | Path) -> Path:
    """The absolute path of `path`, read relative to the workspace.

    Raises OutsideWorkspaceError where it leaves it: by being absolute, by `..`, or by a link.
    """
    base, given = root(), Path(path)
    if given.is_absolute() and not given.is_relative_to(base):
        raise OutsideWorkspaceError(f"{path} is outside the workspace {base}; name a path inside it, or run there")
    resolved = (base / given).resolve()
    if not resolved.is_relative_to(base):
        raise OutsideWorkspaceError(f"{path} leads out of the workspace {base} (to {resolved}); name a path inside it")
    return resolved


def shown(path: Path) -> str:
    """`path` as a person would write it: relative to the workspace, with forward slashes."""
    base = root()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def walk(folder: Path, pattern: str = "*", *, deep: bool = True) -> Iterator[Path]:
    """The files of `folder` that match `pattern`, sorted by name, hidden ones and those behind links left out."""
    base = root()
    found = folder.rglob(pattern) if deep else folder.glob(pattern)
    for path in sorted(found):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.is_file() and path.resolve().is_relative_to(base):
            yield path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a kill at any moment, sees the old content or the new and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

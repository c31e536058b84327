"""The workspace: the one folder that a run may touch, and the only way a path gets into it."""

from __future__ import annotations

import fnmatch
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextvars import ContextVar, Token
from pathlib import Path, PurePath

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
    """The files of `folder` that match `pattern`, sorted by name, hidden ones and those behind links left out.

    Raises ValueError for a pattern that is none. Folders may be nested as deep as the disk has them.
    """
    wanted = (*(["**"] if deep else ()), *PurePath(pattern).parts)
    if not wanted or any("**" in part and part != "**" for part in wanted):
        raise ValueError("** is a whole part of a pattern")
    depth = sys.maxsize if "**" in wanted else len(wanted)
    base, found = root(), (entry for entry in entries(folder, depth) if entry.is_file())
    inside = (Path(e.path) for e in found if not e.is_symlink() or Path(e.path).resolve().is_relative_to(base))
    yield from sorted(path for path in inside if _fits(path.relative_to(folder).parts, wanted))


def entries(folder: Path, depth: int = sys.maxsize) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder down to a depth, near things first, in the order of their names; nothing that is hidden.

    What cannot be listed, because it is another's or its name too long, is left out, and links are not followed.
    """
    waiting = deque([(str(folder), 1)])
    while waiting:
        place, level = waiting.popleft()
        try:
            inner = [entry for entry in os.scandir(place) if not entry.name.startswith(".")]
        except OSError:
            continue
        yield from sorted(inner, key=lambda entry: entry.name)
        if level < depth:
            waiting += [(entry.path, level + 1) for entry in inner if entry.is_dir(follow_symlinks=False)]


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted or not parts:
        return not parts and all(part == "**" for part in wanted)
    if wanted[0] == "**":
        return any(_fits(parts[at:], wanted[1:]) for at in range(len(parts) + 1))
    return fnmatch.fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


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

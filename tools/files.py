"""Tools that look at files and folders and write them, all inside the workspace."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tools import workspace
from tools.errors import ToolError

__all__ = [
    "list_files",
    "find_files",
    "search_text",
    "read_file",
    "write_file",
    "file_size",
    "checksum",
    "choose_file",
]

_TEXT_LIMIT = 4 * 2**20  # bytes of a text, and characters of the lines that a search finds
_SUGGEST_AMONG = 5000  # files looked at when a name was mistyped
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # what no text holds, be its encoding what it may


def list_files(folder: Path = Path("."), pattern: str = "*") -> list[str]:
    """List the files that lie in a folder, or those of a kind such as *.md.

    Asked as: list the files in …; which files are in …; show the files in the … folder; what is in folder …; every
        file in …; all … files in the folder

    Effect: read

    Outside: nothing

    Args:
        folder: the folder to look in; the workspace where none is named.
        pattern: which files, such as *.md; "**/*.md" looks into the folders below as well.

    >>> list_files(workspace.inside("docs"))
    ['docs/faq.md', 'docs/guide.md']
    >>> list_files(workspace.inside("."), "**/*.md")
    ['docs/faq.md', 'docs/guide.md']
    """
    return [workspace.shown(path) for path in _matching(folder, pattern)]


def find_files(name: str, folder: Path = Path(".")) -> list[str]:
    """Find files by name, part of a name or pattern, in a folder and all folders below it.

    Asked as: find the file …; find files named …; find all … files; where is the file …; locate …; look for files
        called …; which files are called …

    Effect: read

    Outside: nothing

    Args:
        name: a name, a part of one, or a pattern such as *.md.
        folder: where to begin; the workspace where none is named.

    >>> find_files("*.md")
    ['docs/faq.md', 'docs/guide.md']
    >>> find_files("guide")
    ['docs/guide.md']
    """
    wanted = name.strip().strip("/").lower()
    if not wanted:
        raise ToolError("no file name was given; name a file, or a pattern such as *.md")
    if any(mark in wanted for mark in "*?["):
        wanted = wanted if "/" not in wanted else f"*{wanted}"
        matches = [path for path in _deep(folder) if fnmatch.fnmatch(_tail(path, wanted), wanted)]
    else:
        matches = _by_name(list(_deep(folder)), wanted)
    return [workspace.shown(path) for path in matches]


def search_text(pattern: str, path: Path = Path("."), files: str = "*") -> list[str]:
    """Search for a text in a file, or in all files of a folder, and give each line that holds it, as file:line: text.

    Asked as: search for …; grep …; find every … under; find the lines with … in; which lines … contain; lines … that
        contain; which files mention …; where does … occur; where do we have …; where is … mentioned; the matching
        lines of …

    Effect: read

    Args:
        pattern: the text to look for, as it stands; upper and lower case differ only where it has capitals.
        path: a file or a folder; the workspace where none is named.
        files: which files of the folder, such as *.py.

    >>> search_text("tides", workspace.inside("docs"))
    ['docs/guide.md:1: # Tides', 'docs/guide.md:3: Tides rise and fall.']
    >>> search_text("TODO", workspace.inside("."), "*.py")
    ['src/board.py:1: # TODO: colours']
    """
    if not pattern.strip():
        raise ToolError("no text to search for was given")
    path = _absolute(path)
    if not path.exists():
        raise ToolError(f"there is no file or folder {workspace.shown(path)}; {_instead(path, folders=False)}")
    wanted = _search_pattern(pattern.strip())
    within = [path] if path.is_file() else _deep(path, files)
    found, size = list[str](), 0
    for file in within:
        for number, line in _lines_of(file):
            if wanted.search(line):
                found.append(f"{workspace.shown(file)}:{number}: {line.strip()}")
                size += len(found[-1])
            if size > _TEXT_LIMIT:
                raise ToolError(
                    f"more than {len(found):,} lines hold {pattern!r}; search for more words or in fewer files"
                )
    return found


def read_file(path: Path) -> str:
    """Read a file and give its text, its contents.

    Asked as: read …; show the contents of …; show me …; open …; print the file …; what does … say; what is in the
        file …

    Effect: read

    Args:
        path: the file.

    >>> read_file(workspace.inside("names.txt"))
    'Zoe\\nAnna\\n'
    >>> read_file(workspace.inside("docs/faq.md"))
    '# FAQ\\n'
    """
    _existing_file(path)
    if path.stat().st_size > _TEXT_LIMIT:
        raise ToolError(f"{workspace.shown(path)} is over {_TEXT_LIMIT >> 20} MB, too large to be read as one text")
    return _decoded(_bytes_of(path), workspace.shown(path))


def write_file(path: Path, text: str) -> str:
    """Write a text to a file: save, store or put a result into it.

    Asked as: write … to; save … as; save the result in …; store … in; put … into the file; copy … into; copy … to;
        make a file … with; create a file …; export … to

    Effect: write

    Outside: nothing

    Args:
        path: the file to write; what it held before is replaced.
        text: what the file is to hold.

    >>> write_file(workspace.inside("total.txt"), "ninety-five")
    'total.txt'
    >>> read_file(workspace.inside("total.txt"))
    'ninety-five\\n'
    """
    shown = workspace.shown(path)
    if path.is_dir():
        raise ToolError(f"{shown} is a folder; name a file to write, such as {shown}/result.txt")
    try:
        workspace.write_atomically(path, _file_content(text))
    except (FileExistsError, NotADirectoryError):
        raise ToolError(f"{shown} cannot be written: a folder of its path is a file; choose another folder") from None
    except UnicodeEncodeError:
        raise ToolError(f"{shown} was not written: the text holds half a character, which UTF-8 cannot hold") from None
    except OSError as error:
        raise ToolError(f"{shown} was not written: {error.strerror or error}; nothing in it was changed") from error
    return shown


def _already_written(path: Path, text: str) -> bool:
    """Whether the file holds that text already, so that a run that goes on need not write it again."""
    try:
        return path.read_bytes() == _file_content(text)
    except (OSError, UnicodeEncodeError):
        return False


write_file.done = _already_written  # type: ignore[attr-defined]


def file_size(path: Path) -> int:
    """Give the size of a file in bytes.

    Asked as: how big is …; how large is the file …; size of …; file size of …; how many bytes does … have; number of
        bytes in …

    Effect: read

    Outside: nothing

    Args:
        path: the file.

    >>> file_size(workspace.inside("names.txt"))
    9
    >>> file_size(workspace.inside("docs/faq.md"))
    6
    """
    return _existing_file(path).stat().st_size


def checksum(path: Path, algorithm: Literal["sha256", "sha1", "md5", "sha512", "blake2b"] = "sha256") -> str:
    """Compute the checksum, the hash or digest, of a file.

    Asked as: sha256 of …; md5 of …; sha1 of …; sha512 of …; checksum of …; hash of …; compute the sha1 sum of …;
        digest of …; fingerprint of the file …

    Effect: read

    Outside: nothing

    Args:
        path: the file.
        algorithm: which hash function.

    >>> checksum(workspace.inside("names.txt"), "md5")
    'a0ecea4e95a471d65bc0cdc1c8475b44'
    >>> checksum(workspace.inside("names.txt"))[:12]
    '97069edcb067'
    """
    with _existing_file(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def choose_file(
    folder: Path = Path("."),
    which: Literal["largest", "smallest", "newest", "oldest"] = "largest",
    pattern: str = "*",
) -> str:
    """Choose the largest, smallest, newest or oldest file of a folder.

    Asked as: the largest file in …; the biggest file of …; smallest file in …; the newest file in …; the most recent
        file in …; the last changed file of …; the oldest file in …; which file in … is the largest; which file takes
        up the most space; the file that takes the least space; which file takes up the most room

    Effect: read

    Outside: nothing

    Args:
        folder: the folder to look in; the workspace where none is named.
        which: by size (largest, smallest) or by when it was last changed (newest, oldest).
        pattern: among which files, such as *.csv; "**" looks into the folders below as well.

    >>> choose_file(workspace.inside("docs"))
    'docs/guide.md'
    >>> choose_file(workspace.inside("docs"), "smallest", "*.md")
    'docs/faq.md'
    """
    files = list(_matching(folder, pattern))
    if not files:
        raise ToolError(f"no file in {workspace.shown(folder)} matches {pattern}, so there is none to choose")
    by_size = which in ("largest", "smallest")
    choose = max if which in ("largest", "newest") else min
    return workspace.shown(choose(files, key=lambda file: file.stat().st_size if by_size else file.stat().st_mtime_ns))


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    _existing_folder(folder)
    pattern = pattern.strip() or "*"
    if pattern.startswith("/") or ".." in Path(pattern).parts:
        raise ToolError(f"the pattern {pattern} leads out of the folder; give one such as *.md or **/*.md")
    if pattern.endswith("**"):
        pattern += "/*"
    try:
        yield from workspace.walk(_absolute(folder), pattern, deep=False)
    except ValueError as error:
        raise ToolError(f"{pattern} is not a file pattern ({error}); give one such as *.md") from None


def _deep(folder: Path, files: str = "*") -> Iterator[Path]:
    return _matching(folder, files if "**" in files else f"**/{files}")


def _absolute(path: Path) -> Path:
    """A default such as `Path(".")` is meant from the workspace, not from where the process runs."""
    return path if path.is_absolute() else workspace.inside(path)


def _tail(path: Path, pattern: str) -> str:
    return workspace.shown(path).lower() if "/" in pattern else path.name.lower()


def _by_name(files: list[Path], wanted: str) -> list[Path]:
    """The files of that name; where there is none, those of that stem, and then those whose name has it as a part."""
    wanted = wanted.removeprefix("./")
    exact = [path for path in files if f"/{workspace.shown(path)}".lower().endswith(f"/{wanted}")]
    stems = [path for path in files if path.stem.lower() == wanted]
    return exact or stems or [path for path in files if wanted in path.name.lower()]


def _search_pattern(text: str) -> re.Pattern[str]:
    """Plain text; TODOs finds TODO, since a mark in capitals takes its plural only in the question."""
    text = re.sub(r"^([A-Z]{2,})s$", r"\1", text)
    return re.compile(re.escape(text), 0 if text != text.lower() else re.IGNORECASE)


def _lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file; none where it is no text."""
    with path.open("rb") as file:
        start = file.read(4096)
    if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    if path.stat().st_size > _TEXT_LIMIT:
        yield from enumerate(_parts_of(path), 1)
        return
    try:
        text = _decoded(_bytes_of(path), path.name)
    except ToolError:
        return
    yield from enumerate(text.splitlines(), 1)


def _parts_of(path: Path) -> Iterator[str]:
    """The lines of a file that is too large to be held; one that is longer than any line is, in parts."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        while line := file.readline(2**20):
            yield line


def _existing_file(path: Path) -> Path:
    """The path, if there is a file; else an error that names the files it could have meant."""
    if path.is_file():
        return path
    shown = workspace.shown(path)
    if path.is_dir():
        inside = [file.name for file in itertools.islice(workspace.walk(path, deep=False), 5)]
        holds = f"it holds {', '.join(inside)}" if inside else "it holds no files"
        raise ToolError(f"{shown} is a folder, not a file; {holds}")
    if path.exists():
        raise ToolError(f"{shown} is not a regular file, so it cannot be read")
    raise ToolError(f"there is no file {shown}; {_instead(path, folders=False)}")


def _existing_folder(path: Path) -> Path:
    path = _absolute(path)
    if path.is_dir():
        return path
    shown = workspace.shown(path)
    if path.exists():
        raise ToolError(f"{shown} is a file, not a folder; name the folder it lies in")
    raise ToolError(f"there is no folder {shown}; {_instead(path, folders=True)}")


def _instead(path: Path, *, folders: bool) -> str:
    """What a mistyped path could have meant."""
    files = [workspace.shown(file) for file in itertools.islice(workspace.walk(workspace.root()), _SUGGEST_AMONG)]
    known = sorted({parent.as_posix() for file in files for parent in Path(file).parents} - {"."}) if folders else files
    wanted = workspace.shown(path)
    by_path = {name.lower(): name for name in known}
    by_name = {Path(name).name.lower(): name for name in known}
    close = [by_path[key] for key in difflib.get_close_matches(wanted.lower(), by_path, n=3)]
    close += [by_name[key] for key in difflib.get_close_matches(path.name.lower(), by_name, n=3)]
    if close:
        return f"did you mean {' or '.join(list(dict.fromkeys(close))[:3])}?"
    return f"there are {', '.join(known[:5])}" if known else "the workspace holds none"


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ToolError(f"{workspace.shown(path)} cannot be read: {error.strerror or error}") from error


def _decoded(data: bytes, name: str) -> str:
    """The text of a file: UTF-8, UTF-16 where it says so, else Western European; an error where it is no text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _utf16(data, name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if _CONTROL.search(text):
        raise ToolError(f"{name} is not a text file, so it has no text to read; its size and checksum can be asked for")
    return text


def _utf16(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError:
        raise ToolError(f"{name} is not a text file: it begins as UTF-16 and does not go on so") from None


def _file_content(text: str) -> bytes:
    return (text.rstrip("\r\n") + "\n").encode()

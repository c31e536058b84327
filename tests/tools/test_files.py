import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools import files, workspace
from tools.errors import ToolError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """A small project: two documents, a module below src, a hidden file, a file of bytes."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "src/deep").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "docs/guide.md").write_text("# Guide\nTODO: more\n")
    (tmp_path / "docs/faq.md").write_text("# FAQ\n")
    (tmp_path / "docs/notes.txt").write_text("todo later\nnothing\n")
    (tmp_path / "src/deep/main.py").write_text("x = 1  # TODO cache (a.b)\n")
    (tmp_path / ".git/config.md").write_text("TODO hidden")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0\0TODO\0")
    workspace.enter(tmp_path)
    return tmp_path


def inside(path: str) -> Path:
    return workspace.inside(path)


def test_lists_one_folder_and_below_only_when_asked() -> None:
    assert files.list_files() == ["picture.png"]
    assert files.list_files(inside("docs"), "*.md") == ["docs/faq.md", "docs/guide.md"]
    assert files.list_files(inside("."), "**/*.md") == ["docs/faq.md", "docs/guide.md"]
    assert files.list_files(inside("src"), "**") == ["src/deep/main.py"]
    assert files.list_files(inside("docs"), "*.rs") == []


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "docs/../../*", "**/../*"])
def test_a_pattern_that_leaves_the_folder_is_refused(pattern: str) -> None:
    with pytest.raises(ToolError, match=r"leads out of the folder"):
        files.list_files(inside("docs"), pattern)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("main.py", ["src/deep/main.py"]),
        ("MAIN", ["src/deep/main.py"]),
        ("deep/main.py", ["src/deep/main.py"]),
        ("./docs/faq.md", ["docs/faq.md"]),
        ("*.md", ["docs/faq.md", "docs/guide.md"]),
        ("docs/*.md", ["docs/faq.md", "docs/guide.md"]),
        ("gui", ["docs/guide.md"]),
        ("nothing-like-it", []),
    ],
)
def test_finds_by_name_stem_part_and_pattern(name: str, found: list[str]) -> None:
    assert files.find_files(name) == found


def test_searches_plain_text_and_minds_capitals_where_there_are_some() -> None:
    assert files.search_text("TODO") == ["docs/guide.md:2: TODO: more", "src/deep/main.py:1: x = 1  # TODO cache (a.b)"]
    assert files.search_text("TODOs") == files.search_text("TODO")
    assert len(files.search_text("todo")) == 3
    assert files.search_text("(a.b)", inside("src")) == ["src/deep/main.py:1: x = 1  # TODO cache (a.b)"]
    assert files.search_text("(aXb)") == []
    assert files.search_text("todo", inside("docs/notes.txt")) == ["docs/notes.txt:1: todo later"]
    assert files.search_text("todo", inside("."), "*.txt") == ["docs/notes.txt:1: todo later"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfone", "one"),
        ("Grüße €".encode("cp1252"), "Grüße €"),
        ("Grüße".encode("utf-16"), "Grüße"),
        (b"", ""),
        (b"a\r\nb", "a\r\nb"),
    ],
)
def test_reads_text_in_the_usual_encodings(folder: Path, data: bytes, text: str) -> None:
    (folder / "a.txt").write_bytes(data)
    assert files.read_file(inside("a.txt")) == text


def test_what_is_no_text_is_not_read(folder: Path) -> None:
    (folder / "half.txt").write_bytes(b"\xff\xfea")
    for name in ("picture.png", "half.txt"):
        with pytest.raises(ToolError, match=f"{name} is not a text file"):
            files.read_file(inside(name))


def test_a_file_too_large_for_one_text_is_not_read(folder: Path) -> None:
    with (folder / "large.txt").open("wb") as file:
        file.truncate(9 * 2**20)
    with pytest.raises(ToolError, match="over 4 MB"):
        files.read_file(inside("large.txt"))


def test_a_file_that_is_not_there_is_told_with_what_it_could_be() -> None:
    with pytest.raises(ToolError, match=r"no file docs/gide\.md; did you mean docs/guide\.md"):
        files.read_file(inside("docs/gide.md"))
    with pytest.raises(ToolError, match=r"no file guide\.md; did you mean docs/guide\.md"):
        files.file_size(inside("guide.md"))
    with pytest.raises(ToolError, match=r"no folder dcs; did you mean docs"):
        files.list_files(inside("dcs"))
    with pytest.raises(ToolError, match=r"no file or folder zzz; there are docs/faq\.md"):
        files.search_text("x", inside("zzz"))


def test_a_folder_for_a_file_and_a_file_for_a_folder_are_told() -> None:
    with pytest.raises(ToolError, match=r"docs is a folder, not a file; it holds faq\.md"):
        files.checksum(inside("docs"))
    with pytest.raises(ToolError, match="src is a folder, not a file; it holds no files"):
        files.read_file(inside("src"))
    with pytest.raises(ToolError, match=r"docs/faq\.md is a file, not a folder"):
        files.list_files(inside("docs/faq.md"))


def test_nothing_to_look_for_is_told() -> None:
    with pytest.raises(ToolError, match="no file name"):
        files.find_files(" ")
    with pytest.raises(ToolError, match="no text to search for"):
        files.search_text(" ")


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(ToolError, match="not a regular file"):
        files.read_file(inside("pipe"))


def test_folders_may_be_as_deep_as_the_disk_has_them(folder: Path) -> None:
    """Deeper than Python calls functions, and than a path may be long; whoever runs code can make such."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        there = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    try:
        assert files.find_files("*.txt") == ["docs/notes.txt"] and len(files.search_text("todo", Path("."))) == 3
        with pytest.raises(ToolError, match="there is no file notse.txt; did you mean"):
            files.read_file(folder / "notse.txt")
    finally:
        subprocess.run(["rm", "-rf", "d"], cwd=folder, check=True)


def test_files_behind_a_link_that_leaves_are_not_seen(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.md").write_text("TODO secret")
    (folder / "docs/link.md").symlink_to(outside / "secret.md")
    (folder / "away").symlink_to(outside)
    assert "docs/link.md" not in files.list_files(inside("docs"))
    assert files.find_files("secret.md") == []
    assert not any("secret" in line for line in files.search_text("TODO"))


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5", "sha512", "blake2b"])
def test_checksums(folder: Path, algorithm: str) -> None:
    expected = hashlib.new(algorithm, (folder / "picture.png").read_bytes()).hexdigest()
    assert files.checksum(inside("picture.png"), algorithm) == expected  # type: ignore[arg-type]


def test_chooses_by_size_and_age(folder: Path) -> None:
    for age, name in enumerate(("notes.txt", "guide.md", "faq.md")):
        os.utime(folder / "docs" / name, (1000 + age, 1000 + age))
    docs = inside("docs")
    assert files.choose_file(docs) == "docs/guide.md"
    assert files.choose_file(docs, "smallest") == "docs/faq.md"
    assert files.choose_file(docs, "oldest") == "docs/notes.txt"
    assert files.choose_file(docs, "newest") == "docs/faq.md"
    assert files.choose_file(inside("."), "largest", "**/*.py") == "src/deep/main.py"
    with pytest.raises(ToolError, match=r"no file in docs matches \*\.rs"):
        files.choose_file(docs, "largest", "*.rs")


def test_writes_with_one_newline_and_makes_the_folders(folder: Path) -> None:
    assert files.write_file(inside("new/deep/a.txt"), "one\n\n") == "new/deep/a.txt"
    assert (folder / "new/deep/a.txt").read_bytes() == b"one\n"
    (folder / "run.sh").write_text("x")
    (folder / "run.sh").chmod(0o750)
    files.write_file(inside("run.sh"), "y")
    assert (folder / "run.sh").stat().st_mode & 0o777 == 0o750


def test_knows_what_it_has_written(folder: Path) -> None:
    done = files.write_file.done  # type: ignore[attr-defined]
    assert not done(inside("a.txt"), "one")
    files.write_file(inside("a.txt"), "one")
    assert done(inside("a.txt"), "one")
    assert not done(inside("a.txt"), "two")
    assert not done(inside("docs"), "one")


def test_what_cannot_be_written_is_told() -> None:
    with pytest.raises(ToolError, match="docs is a folder; name a file"):
        files.write_file(inside("docs"), "x")
    with pytest.raises(ToolError, match="a folder of its path is a file"):
        files.write_file(inside("picture.png/a.txt"), "x")
    with pytest.raises(ToolError, match="half a character"):
        files.write_file(inside("a.txt"), "\ud800")


def in_a_process(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    begin = f"import os, pathlib\nfrom tools import files, workspace\nworkspace.enter(pathlib.Path({str(folder)!r}))\n"
    return subprocess.run([sys.executable, "-c", begin + code], cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_killed_while_writing_leaves_the_old_file(folder: Path) -> None:
    (folder / "a.txt").write_text("old\n")
    code = "os.replace = lambda *_: os.kill(os.getpid(), 9)\nfiles.write_file(workspace.inside('a.txt'), 'new' * 9999)"
    assert in_a_process(folder, code).returncode == -signal.SIGKILL
    assert (folder / "a.txt").read_text() == "old\n"
    assert files.list_files() == ["a.txt", "picture.png"]


def test_a_disk_that_takes_no_more_leaves_the_old_file(folder: Path) -> None:
    (folder / "a.txt").write_text("old\n")
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "files.write_file(workspace.inside('a.txt'), 'new' * 9999)"
    )
    ended = in_a_process(folder, code)
    assert "a.txt was not written: File too large; nothing in it was changed" in ended.stderr
    assert (folder / "a.txt").read_text() == "old\n"
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["a.txt", "picture.png"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_what_is_written_is_read(folder: Path, text: str) -> None:
    path = inside("a.txt")
    files.write_file(path, text)
    assert files.read_file(path) == text.removeprefix("\ufeff") + "\n"
    assert files.file_size(path) == len((text + "\n").encode())

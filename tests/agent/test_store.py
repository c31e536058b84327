"""Trees on the disk: nothing committed is lost, and whatever is wrong with a file is named."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import events as ev
from agent.damage import damaged_files
from agent.errors import DamagedRun, NotFound, PersonError, StorageError, UsageError
from agent.store import Folder, Store, _digest, files
from agent.task import ROOT
from agent.tree import Tree
from tests.agent.test_run import GIVE_UP, World, call, plan


def grow(store: Store, tree: Tree, events: list[ev.Event], commit: bool = True) -> None:
    for event in events:
        store.append(event, 1.5)
        tree.apply(event, 1.5)
    if commit:
        store.commit()


START: list[ev.Event] = [ev.RunStarted(ROOT, "the goal", {}, "/w", {}), ev.TaskPlanned(ROOT, None, "the goal")]


def made(folder: Path, count: int = 40) -> Path:
    """The file of a run that was closed; its rows are long enough to fill a few pages."""
    store = Store.create(folder)
    grow(store, Tree(store.run), [*START, *(ev.Note(ROOT, f"note {n} " + "x" * 200) for n in range(count))])
    store.close()
    return store.path


def opened(path: Path) -> Tree:
    store, tree = Store.open(path.parent, path.stem)
    store.close()
    return tree


def rows(path: Path) -> int:
    store, _ = Store.open(path.parent, path.stem)
    try:
        return len(list(store.rows()))
    finally:
        store.close()


# -- what is kept


def test_what_was_committed_is_read_back_and_nothing_else(tmp_path: Path) -> None:
    store, tree = Store.create(tmp_path), Tree("x")
    grow(store, tree, START)
    grow(store, tree, [ev.Note(ROOT, "lost")], commit=False)
    assert rows(store.path) == 2  # also while it is open for writing
    store.commit()
    store.commit()
    assert rows(store.path) == 3
    store.close()
    again, tree = Store.open(tmp_path, store.run)
    again.own()
    assert again.append(ev.Note(ROOT, "more"), 2.5) == 4
    again.commit()
    again.close()
    assert rows(store.path) == 4


def test_halves_of_characters_and_huge_texts_survive(tmp_path: Path) -> None:
    odd = "a\udc80\udcffb\0\x1b[31m\u2028" + "ö🙂" * 1000
    huge = "x" * (8 * 2**20)
    store = Store.create(tmp_path)
    events: list[ev.Event] = [*START, ev.TaskBound(ROOT, odd, {odd: huge}), ev.TaskEnded(ROOT, "done", [odd, huge])]
    grow(store, Tree(store.run), events)
    store.close()
    root = opened(store.path).tasks[ROOT]
    assert root.goal == odd and root.inputs == {odd: huge} and root.result == [odd, huge]


def test_only_the_person_can_read_it(tmp_path: Path) -> None:
    path = made(tmp_path / "runs")
    assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0


def test_what_cannot_be_written_leaves_no_gap(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    grow(store, Tree(store.run), START)
    with pytest.raises(TypeError):
        store.append(ev.TaskEnded(ROOT, "done", object()), 1.0)
    store.append(ev.Note(ROOT, "on"), 1.0)
    store.commit()
    store.close()
    assert rows(store.path) == 3


# -- which run


def test_a_run_is_found_by_a_beginning_of_its_own(tmp_path: Path) -> None:
    path = made(tmp_path)
    for name in ("22aa", "22ab"):
        shutil.copy(path, tmp_path / f"{name}.db")
    assert Store.open(tmp_path, "22aa")[1].goal == "the goal"
    for run, said in [("22", "begins several runs: 22aa, 22ab"), ("zz", "no run 'zz'"), ("", "no run ''")]:
        with pytest.raises(NotFound, match=said) as raised:
            Store.open(tmp_path, run)
        assert raised.value.exit_code == 2
    with pytest.raises(NotFound):
        Store.open(tmp_path / "nowhere", "22aa")
    assert {found.stem for found in files(tmp_path)} == {path.stem, "22aa", "22ab"}


def test_a_run_that_never_began_says_so(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    store.close()
    with pytest.raises(NotFound, match="start it again"):
        Store.open(tmp_path, store.run)
    (tmp_path / "half.db").touch()  # killed while the file was made
    with pytest.raises(NotFound, match="start it again"):
        Store.open(tmp_path, "half")


# -- two processes


def ended(code: str) -> None:
    """Run that code in a process that is killed after it."""
    code = f"import os\nfrom tests.agent.test_store import *\n{code}\nos.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_run_has_one_owner(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    grow(store, Tree(store.run), START)
    other, _ = Store.open(tmp_path, store.run)
    with pytest.raises(UsageError, match=f"being worked on by another process; watch it with: zooid tree {store.run}"):
        other.own()
    grow(store, Tree(store.run), START[:1])
    store.close()
    with pytest.raises(UsageError, match="just now; try again"):  # what it has read is not all there is
        other.own()
    other.close()
    later, _ = Store.open(tmp_path, store.run)
    later.own()
    later.close()


def test_an_owner_that_was_killed_is_none(tmp_path: Path) -> None:
    path = made(tmp_path)
    ended(f"Store.open(Path({str(tmp_path)!r}), {path.stem!r})[0].own()")
    store, _ = Store.open(tmp_path, path.stem)
    store.own()
    store.close()


# -- damage


def flips(size: int, count: int) -> list[int]:
    return sorted(random.Random(1).sample(range(size * 8), count))


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_flipped_bit_anywhere_is_named_or_changes_nothing(tmp_path: Path, count: int) -> None:
    path = made(tmp_path)
    good, data = rows(path), path.read_bytes()
    whole = vars(opened(path))
    seen, target = 0, tmp_path / "copy" / path.name
    target.parent.mkdir()
    for bit in flips(len(data), count):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        target.write_bytes(damaged)
        for rest in ("-wal", "-shm"):
            target.with_name(target.name + rest).unlink(missing_ok=True)
        try:
            assert vars(opened(target)) == whole and rows(target) == good
        except StorageError as error:
            seen += 1
            assert path.stem in str(error) and error.exit_code == 3
            aside = target.with_suffix(".damaged")
            kept = aside if isinstance(error, DamagedRun) else target
            assert kept.read_bytes() == damaged, "the damaged file was changed"
            aside.unlink(missing_ok=True)
        except NotFound:
            pytest.fail(f"with bit {bit} flipped a run of {good} events was taken for one that never began")
    assert seen > count // 4  # most of the rest is space that holds nothing
    print(f"\n{count} flipped bits: {seen} named, {count - seen} that change nothing")


@pytest.mark.parametrize("column", ["at", "type", "task", "body", "hash"])
def test_a_change_in_any_row_and_column_is_noticed(tmp_path: Path, column: str) -> None:
    path = made(tmp_path, 3)
    for seq in range(1, 6):
        target = tmp_path / f"r{column}{seq}.db"
        shutil.copy(path, target)
        with sqlite3.connect(target) as database:
            value = database.execute(f"SELECT {column} FROM event WHERE seq = ?", (seq,)).fetchone()[0]
            new: Any = value + 1e-6 if column == "at" else value[:-1] + (b"\0" if column == "hash" else "~")
            database.execute(f"UPDATE event SET {column} = ? WHERE seq = ?", (new, seq))
        database.close()
        with pytest.raises(StorageError, match=f"row {seq} does not match"):
            opened(target)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM event WHERE seq = 2",
        "DELETE FROM event WHERE seq = 1",
        "UPDATE event SET body = x'00' WHERE seq = 2",
        "UPDATE event SET hash = 7 WHERE seq = 5",
        "UPDATE event SET at = 'soon' WHERE seq = 2",
        "INSERT INTO event SELECT 9, at, type, task, body, hash FROM event WHERE seq = 2",
        "DROP TABLE event",
        "DROP TABLE meta",
        "DELETE FROM meta",
        "UPDATE meta SET value = 'x'",
    ],
)
def test_a_change_of_the_tables_is_named(tmp_path: Path, change: str) -> None:
    path = made(tmp_path, 3)
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    with pytest.raises(
        StorageError, match=f"the tree of run {path.stem} is damaged.*set aside, as it is, as .*{path.stem}.damaged;"
    ):
        opened(path)


def test_rows_that_were_cut_off_at_the_end_are_missed(tmp_path: Path) -> None:
    path = made(tmp_path, 3)
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM event WHERE seq > 3")
    database.close()
    with pytest.raises(StorageError, match="last 2 events are missing"):
        opened(path)
    path.with_suffix(".damaged").rename(path)
    path.with_suffix(".lock").write_text("garbage")  # that it is noted there is a help, and no condition
    assert opened(path).goal == "the goal"


def test_a_file_that_was_cut_short(tmp_path: Path) -> None:
    path = made(tmp_path)
    data = path.read_bytes()
    for size in (1, 50, 100, 4096, 5000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(StorageError, match=path.stem):
            opened(path)


def killed(folder: Path) -> Path:
    """The file of a run whose process was killed: its events are still in the -wal."""
    ended(
        f"store = Store.create(Path({str(folder)!r}))\n"
        "for event in [*START, *(ev.Note(ROOT, 'x' * 200) for _ in range(40))]:\n"
        "    store.append(event, 1.0, synced=True)\n"
        "    store.commit()"
    )
    return next(folder.glob("*.db"))


def test_a_missing_or_damaged_wal_is_no_silent_loss(tmp_path: Path) -> None:
    path = killed(tmp_path)
    wal = path.with_name(f"{path.name}-wal")
    kept = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}

    def restored() -> None:
        for name in os.listdir(tmp_path):
            (tmp_path / name).unlink()
        for name, data in kept.items():
            (tmp_path / name).write_bytes(data)

    def check() -> None:
        with pytest.raises(StorageError, match="events are missing"):
            opened(path)

    wal.unlink()
    check()
    restored()
    wal.write_bytes(kept[wal.name][: len(kept[wal.name]) // 2])
    check()
    restored()
    data = bytearray(kept[wal.name])
    data[len(data) // 2] ^= 1
    wal.write_bytes(data)
    check()
    restored()
    assert rows(path) == 42


def test_what_is_damaged_is_kept_aside_whole(tmp_path: Path) -> None:
    path = killed(tmp_path)
    data = bytearray(path.with_name(f"{path.name}-wal").read_bytes())
    data[len(data) // 2] ^= 1
    path.with_name(f"{path.name}-wal").write_bytes(data)
    kept = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path) if not name.endswith("-shm")}
    for number in ("", "2"):
        with pytest.raises(DamagedRun, match=f"set aside, as it is, as .*{path.stem}.damaged{number};"):
            opened(path)
        with pytest.raises(DamagedRun, match=f"run {path.stem} is damaged; its file was set aside"):
            opened(path)
        aside = path.with_suffix(f".damaged{number}")
        for ending in (".db", ".db-wal", ".lock"):
            name = aside.name + ending.removeprefix(".db")
            assert (tmp_path / name).read_bytes() == kept[path.stem + ending]
        assert not list(tmp_path.glob(f"{path.stem}.db*")) and not path.with_suffix(".lock").exists()
        assert [(one.run, one.status, one.blocked) for one in Folder(tmp_path).summaries()][0] == (
            path.stem, "damaged", f"set aside as {aside}"
        )  # fmt: skip
        for name, content in kept.items():  # another file of the same name takes nothing from it
            (tmp_path / name).write_bytes(content)


def test_a_damaged_run_that_somebody_works_on_stays_in_its_place(tmp_path: Path) -> None:
    path = made(tmp_path)
    store, _ = Store.open(tmp_path, path.stem)
    store.own()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE event SET body = '{}' WHERE seq = 2")
    database.close()
    with pytest.raises(DamagedRun, match="move that file away"):
        opened(path)
    store.close()
    with pytest.raises(DamagedRun, match="set aside, as it is, as"):
        opened(path)


def test_what_this_zooid_does_not_know_is_no_damage(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    grow(store, Tree(store.run), START)
    body = '{"text":"from tomorrow","mood":"cheerful"}'
    store._waiting.append((3, 1.0, "note", ROOT, body, _digest(store._last, 3, 1.0, "note", ROOT, body)))
    store.commit()
    store.close()
    with pytest.raises(StorageError, match=f"run {store.run} holds what this zooid does not know .*update zooid"):
        opened(store.path)
    assert store.path.exists()


def test_one_of_many_processes_sets_a_damaged_run_aside(tmp_path: Path) -> None:
    path = made(tmp_path, 30)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE event SET body = '{}' WHERE seq = 9")
    database.close()
    at_once = multiprocessing.get_context("fork")
    together, said = at_once.Barrier(16), at_once.Queue()

    def find_out() -> None:
        together.wait()
        try:
            opened(path)
        except StorageError as error:
            said.put(str(error))

    processes = [at_once.Process(target=find_out) for _ in range(16)]
    for process in processes:
        process.start()
    told = [said.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    aside = path.with_suffix(".damaged")
    assert all(f"set aside, as it is, as {aside}" in text for text in told), told
    assert list(damaged_files(tmp_path)) == [aside] and not list(tmp_path.glob(f"{path.stem}.db*"))
    assert not path.with_suffix(".lock").exists()


def test_what_is_no_database(tmp_path: Path) -> None:
    for name, data in [("text", b"hello " * 99), ("zeros", b"\0" * 8192), ("zip", b"PK\3\4" + os.urandom(5000))]:
        (tmp_path / f"{name}.db").write_bytes(data)
        with pytest.raises(StorageError, match=f"run {name} is damaged"):
            Store.open(tmp_path, name)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(PersonError, match="folder"):
        Store.open(tmp_path, "folder")


def test_a_newer_format_is_not_touched(tmp_path: Path) -> None:
    path = made(tmp_path, 1)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = '2'")
    database.close()
    with pytest.raises(StorageError, match=r"newer zooid \(format 2; this one reads 1\); update zooid"):
        opened(path)


# -- a disk that takes no more


def full(store: Store, tree: Tree) -> int:
    """Write until the disk takes no more; the number of commits that it took."""
    taken = 0
    with pytest.raises(StorageError, match="free some space, then resume") as raised:
        for _ in range(10_000):
            grow(store, tree, [ev.Note(ROOT, "x" * 3000)])
            taken += 1
    assert raised.value.exit_code == 3 and taken
    return taken


FULL_BY_LIMIT = """
import resource, signal, sys
from pathlib import Path
from agent.store import Store
from agent.tree import Tree
from tests.agent.test_store import START, full, grow
store = Store.create(Path(sys.argv[1]))
tree = Tree(store.run)
grow(store, tree, START)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
taken = full(store, tree)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.commit()  # there is space again: what could not be written is written now
store.close()
print(store.run, taken)
"""


def test_a_file_that_may_grow_no_more_loses_nothing(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL_BY_LIMIT, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    run, taken = done.stdout.split()
    assert rows(tmp_path / f"{run}.db") == 2 + int(taken) + 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A disk of its own of half a megabyte, where one can be had."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 100_000)
    store = Store.create(small_disk)
    tree = Tree(store.run)
    grow(store, tree, START)
    taken = full(store, tree)
    (small_disk / "ballast").unlink()
    store.commit()
    store.close()
    assert rows(store.path) == 2 + taken + 1


def test_a_run_on_a_full_disk_ends_with_one_message_and_goes_on(small_disk: Path, tmp_path: Path) -> None:
    world = World(tmp_path)
    world.runs = small_disk
    ballast = small_disk / "ballast"

    def fill(text: str) -> str:
        """Fill the disk."""
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        return text * 50_000

    world.tool(fill)
    steps = plan(call("a", "count_words", text="a b"), call("f", "fill", text="x", after=["a"]), answer="$a")
    done = world.run([steps])
    assert isinstance(done.error, StorageError) and "free some space, then resume" in str(done.error)
    ballast.unlink()
    ballast.mkdir()  # the tool cannot fill the disk again
    on = world.resume([GIVE_UP, {"answer": "$a"}])
    assert on.task("root.a").result == 2 and on.task("root.a").attempts[0].worker == "count_words"
    assert on.error is None and len(on.tree.tasks) == 3


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write .*file"):
        Store.create(tmp_path / "file" / "runs")

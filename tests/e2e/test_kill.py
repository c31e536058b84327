"""A run that is killed at any step goes on to the same end, and repeats no finished model call and no effect.

Both the run and what resumes it are the real command. To try hundreds of kills in minutes they are forked from a
process that has imported it already (`main` below); a sample is started anew, as a person would.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.errors import NotFound
from agent.store import Store
from tests.e2e.command import ZOOID, environment
from tests.scripted import Reply, Server

ROOT = Path(__file__).resolve().parents[2]
EVERYDAY = 43  # of the sweep every day takes every such point
HAPPENED, HAD_NOT = "asked, had happened", "asked, had not happened"

PLUGIN = '''
def append_line(text: str) -> str:
    """Append a line to the log.

    Effect: write

    Outside: nothing
    """
    with open("journal.log", "a") as log:
        log.write(text + "\\\\n")
    return "logged " + text
'''.replace("\\\\n", "\\n")


# -- what the model says: to the same prompt always the same


def call(id: str, tool: str, each: Any = None, after: list[str] | None = None, **args: Any) -> dict[str, Any]:
    return (
        {"id": id, "tool": tool, "args": args} | ({"each": each} if each else {}) | ({"after": after} if after else {})
    )


FILES = ["a.txt", "b.txt", "c.txt"]
SURVEY = [
    call("sizes", "file_size", each=FILES, path="$item"),
    {"id": "words", "goal": "count in $item", "each": FILES},  # what is looked at holds no words of the files
    {"id": "reports", "goal": "report on $item", "each": ["a.txt", "b.txt"]},
    call("table", "write_file", path="sizes.csv", text="$sizes"),
    call("noted", "append_line", text="sizes", after=["table"]),
]
COUNTING = [call("text", "read_file", path="$item"), call("words", "count_words", text="$text")]
REPORT = [
    call("text", "read_file", path="$item"),
    call("words", "count_words", text="$text"),
    call("saved", "write_file", path="reports/$item", text="$words words"),
    call("noted", "append_line", text="report on $item", after=["saved"]),
]
SUM_UP = [
    call("total", "calculate", expression="$words[0] + $words[1] + $words[2]"),
    call("saved", "write_file", path="total.md", text="$total words in all"),
    {"id": "said", "goal": "say in words what $total is", "after": ["saved"]},
    call("noted", "append_line", text="total", after=["said"]),
]
IN_WORDS = [{"id": "spelled", "goal": "spell it out"}, call("count", "count_characters", text="nine")]
LINES = Counter(["sizes", "report on a.txt", "report on b.txt", "total"])
CALLS = 9  # of the model, in a run that nothing disturbs
TASKS = 30


def survey(body: dict[str, Any]) -> dict[str, Any]:
    """What the model says to a prompt. Each plan's notes say to which, so that the tree tells which call it kept."""
    text = body["messages"][-1]["content"]
    goal = text.splitlines()[0].removeprefix("Goal: ")
    if "The last try failed" in text:
        return {"want": {"name": "another try", "signature": "none"}}
    if goal == "survey the folder":
        looks = "\nResults:" in text
        tasks, answer = (SUM_UP, "$total words ($said), $noted, $reports") if looks else (SURVEY, None)
        return {"tasks": tasks, "answer": answer, "notes": f"{goal} {looks}"}
    if goal.startswith("count in"):
        return {"tasks": COUNTING, "answer": "$words", "notes": goal}
    if goal.startswith("report on"):
        return {"tasks": REPORT, "answer": "$words", "notes": goal}
    if goal.startswith("say in words"):
        return {"tasks": IN_WORDS, "answer": "$spelled with $count letters", "notes": goal}
    return {"answer": "nine"}


def mark(said: dict[str, Any]) -> str:
    """By what a reply is known, in the server's record and in the tree's."""
    return str(said.get("notes") or said.get("answer") or "another try")


# -- a world in which a run lives


@dataclass
class End:
    """How a process ended: `code` is negative where a signal did it."""

    code: int
    answer: str  # standard output
    said: str  # standard error
    points: int = 0  # that it passed


@dataclass
class Case:
    """One run with its own workspace, its own record of effects, and its part of the server's record."""

    folder: Path
    home: Path
    server: Server
    begin: Callable[..., End]
    goal: str = "survey the folder"

    def __post_init__(self) -> None:
        self.work = self.folder / "work"
        self.work.mkdir(parents=True)
        for name, text in {"a": "one two three", "b": "four five", "c": "six seven eight nine"}.items():
            (self.work / f"{name}.txt").write_text(f"{text}\n")
        self._first = len(self.server.served)

    @property
    def env(self) -> dict[str, str]:
        return environment(self.home, OPENAI_API_KEY="key", XDG_STATE_HOME=str(self.folder / "state"))

    @property
    def runs(self) -> Path:
        return self.folder / "state" / "zooid" / "runs"

    def run(self, **how: Any) -> End:
        planner = ["--planner", "openai", "--model", "scripted", "--base-url", self.server.base_url]
        words = ["run", self.goal, *planner, "--approve", "auto", "--tools", str(self.home / "plugins")]
        return self._do([*words, "--max-parallel", "4"], **how)

    def resume(self, *words: str, **how: Any) -> End:
        return self._do(["resume", "--last", *words], **how)

    def _do(self, words: list[str], **how: Any) -> End:
        return self.begin(words=words, cwd=self.work, env=self.env, folder=self.folder, **how)

    # what can be seen from outside

    def committed(self) -> Counter[str]:
        """The model calls that are in the tree; a copy is looked at, so that the next process finds all as it was."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        if not self.runs.is_dir():
            return Counter()
        shutil.copytree(self.runs, copy, ignore=shutil.ignore_patterns("*-shm"))
        try:
            store, tree = Store.open(copy, next(copy.glob("*.db"), Path("none")).stem)
        except NotFound:
            return Counter()
        store.close()
        attempts = [a for task in tree.tasks.values() for a in task.attempts if a.worker.startswith("openai")]
        return Counter(mark(a.decision | {"answer": a.decision.get("value")}) for a in attempts if a.decision)

    def asked(self) -> Counter[str]:
        """The model calls that were made."""
        return Counter(mark(self.server.script(body)) for body in self.server.served[self._first :])  # type: ignore[attr-defined]

    def lines(self) -> Counter[str]:
        """What the plugin did."""
        log = self.work / "journal.log"
        return Counter(log.read_text().splitlines() if log.exists() else ())

    def writes(self) -> Counter[str]:
        """The files that were written, as often as they were."""
        log = self.folder / "writes"
        return Counter(log.read_text().splitlines() if log.exists() else ())

    def files(self) -> dict[str, str]:
        """What is in the workspace; a hidden file that was never finished is as good as none."""
        hidden = ("journal.log", ".")
        found = sorted(path for path in self.work.rglob("*") if path.is_file() and not path.name.startswith(hidden))
        return {str(path.relative_to(self.work)): path.read_text() for path in found}


class Zygote:
    """The process that has imported the command, and forks a copy of itself for each use of it.

    With a `shim`, the library of tests/faults.c, it can have the system itself kill or fail a use.
    """

    def __init__(self, shim: Path | None = None) -> None:
        self._env = {**os.environ, "LD_PRELOAD": str(shim)} if shim else None

    def __enter__(self) -> Zygote:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.test_kill"],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def begin(self, words: list[str], cwd: Path, env: dict[str, str], folder: Path, **how: Any) -> End:
        """Use the command, which is killed at the point `kill`, `after` seconds, or as `arm` has it of the shim."""
        assert self._process.stdin and self._process.stdout
        order = {"words": words, "cwd": str(cwd), "env": env, "folder": str(folder), "kill": 0, "after": 0.0, **how}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        files = [folder / name for name in ("answer", "said", "points")]  # one that is killed early makes none
        answer, said, points = (file.read_text() if file.exists() else "" for file in files)
        return End(code, answer, said, points.count("\n"))


def anew(words: list[str], cwd: Path, env: dict[str, str], folder: Path) -> End:
    """The installed command, as a person starts it."""
    done = subprocess.run([ZOOID, *words], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return End(done.returncode, done.stdout, done.stderr)


@dataclass
class World:
    """What all cases share: the server, the home with the plugin, and the end that every run must come to."""

    folder: Path
    server: Server
    zygote: Zygote

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        (self.home / "plugins").mkdir(parents=True)
        (self.home / "plugins" / "log.py").write_text(PLUGIN)
        self._cases = 0

    def case(self, goal: str = "survey the folder") -> Case:
        self._cases += 1
        return Case(self.folder / str(self._cases), self.home, self.server, self.zygote.begin, goal)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from worlds(tmp_path_factory.mktemp("kill"), survey)


def worlds(folder: Path, script: Callable[[dict[str, Any]], Any], shim: Path | None = None) -> Iterator[World]:
    with Server(script) as server, Zygote(shim) as zygote:
        server.script = lambda body: said.said if isinstance(said := script(body), Reply) else said  # type: ignore[attr-defined]
        yield World(folder, server, zygote)


@dataclass
class Undisturbed:
    """The end that every run must come to."""

    answer: str
    files: dict[str, str]
    points: int


@pytest.fixture(scope="module")
def whole(world: World) -> Undisturbed:
    return undisturbed(world)


def undisturbed(world: World) -> Undisturbed:
    case = world.case()
    end = case.run()
    assert end.code == 0, end.said
    store, tree = Store.open(case.runs, next(case.runs.glob("*.db")).stem)
    store.close()
    assert len(tree.tasks) >= TASKS and sum(case.asked().values()) == CALLS
    assert case.lines() == LINES and set(case.writes().values()) == {1} and len(case.writes()) == 4
    return Undisturbed(end.answer, case.files(), end.points)


# -- killed at a point


def killed_and_resumed(case: Case, whole: Undisturbed, **how: Any) -> str:
    """Kill a run at a point, resume it until it ends, and check all that must hold; what came of it in a word."""
    first = case.run(**how)
    if first.code == 0:
        return "ended before"
    assert first.code == -signal.SIGKILL, first.said
    time.sleep(0.03)  # what the plugin's process had begun, it has ended by now
    return goes_on(case, whole)


def goes_on(case: Case, whole: Undisturbed) -> str:
    """Resume what was cut short, as often as it takes, and check all that must hold; what came of it in a word."""
    kept, done = case.committed(), case.lines()
    if not kept and not list(case.runs.glob("*.db*")):
        return "nothing begun"
    end = case.resume()
    if end.code == 2 and "start it again" in end.said:
        assert not kept and not done and not case.writes()
        return "nothing begun"
    outcome, end = answered(case, end, done)
    assert not case.lines() - LINES, "an effect was repeated"
    assert set(case.writes().values()) == {1}, "a file was written twice"
    twice = case.asked()
    assert all(twice[said] == 1 for said in kept), f"a finished call was made again: {twice - Counter(set(twice))}"
    assert all(twice[said] <= 2 for said in twice if said != "another try")
    if outcome != HAPPENED:
        assert (end.code, end.answer) == (0, whole.answer), end.said
        assert case.files() == whole.files and case.lines() == LINES
    return outcome


def answered(case: Case, end: End, done: Counter[str]) -> tuple[str, End]:
    """Answer as a person who has looked, for each of what was cut short at the same time."""
    outcomes = ["went on"]
    while end.code == 4:
        outcomes.append(pauses_rather_than_repeats(case, end, done))
        end = case.resume("--answer", "no" if outcomes[-1] == HAPPENED else "yes")
    return (HAPPENED if HAPPENED in outcomes else outcomes[-1]), end


def pauses_rather_than_repeats(case: Case, end: End, done: Counter[str]) -> str:
    """Nobody but the person can tell whether what a kill cut short has happened."""
    assert "cut short and may have happened" in end.said and "append_line" in end.said and "resume" in end.said
    found = re.search(r'append_line\(text="(.*?)"\)', end.said)
    assert found and case.lines()[found[1]] == done[found[1]] <= 1, "it was repeated before anybody said so"
    return HAPPENED if done[found[1]] else HAD_NOT


def sweep(world: World, whole: Undisturbed, ways: Iterable[dict[str, Any]]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for how in ways:
        case = world.case()
        try:
            outcomes[killed_and_resumed(case, whole, **how)] += 1
        except AssertionError as error:
            at = (case.folder / "at").read_text() if (case.folder / "at").exists() else "?"
            raise AssertionError(f"killed by {how} ({at}) in {case.folder}: {error}") from error
        shutil.rmtree(case.folder)
    return outcomes


def test_killed_at_a_step_here_and_there(world: World, whole: Undisturbed) -> None:
    outcomes = sweep(world, whole, ({"kill": point} for point in range(3, whole.points + 1, EVERYDAY)))
    assert outcomes["went on"]


@pytest.mark.slow
def test_killed_at_every_step(world: World, whole: Undisturbed) -> None:
    started = time.monotonic()
    outcomes = sweep(world, whole, ({"kill": point} for point in range(1, whole.points + 1)))
    print(f"\n{whole.points} points in {time.monotonic() - started:.0f} s: {dict(outcomes)}")
    assert outcomes[HAPPENED] and outcomes[HAD_NOT] and outcomes["went on"]


def test_resumed_by_the_command_as_it_is_installed(world: World, whole: Undisturbed) -> None:
    for point in (whole.points // 3, 2 * whole.points // 3):
        case = world.case()
        assert case.run(kill=point).code == -signal.SIGKILL
        case.begin = anew
        kept, done = case.committed(), case.lines()
        _, end = answered(case, case.resume(), done)
        assert not case.lines() - LINES and all(case.asked()[said] == 1 for said in kept)
        assert end.code in (0, 1) and (end.code == 1 or end.answer == whole.answer)


# -- the process that forks


def main() -> None:
    """Fork for each order on standard input; the end of each process to standard output."""
    sys.argv = ["zooid"]
    for module in ("openai", "agent.planners.openai", "agent.assemble", "agent.session", "agent.view"):
        importlib.import_module(module)
    import cli
    from tools.registry import built_in

    built_in()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            live(order, cli.main)
        print(end_of(pid, order["after"]), flush=True)


def end_of(pid: int, after: float) -> int:
    """The exit code of a process, which is killed after that many seconds."""
    if after:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)  # it is there, or a zombie that has not been waited for
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def live(order: dict[str, Any], command: Callable[[], None]) -> None:
    """Be the command, in a process of its own."""
    code = 70
    try:
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["env"])
        folder = Path(order["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream, name in ((1, "answer"), (2, "said")):
            os.dup2(os.open(folder / name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), stream)
        watch(folder, order["kill"])
        if arm := order.get("arm"):
            record = os.open(folder / "calls", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            ctypes.CDLL(None).faults_arm(*arm, record, bytes(folder))
        sys.argv = ["zooid", *order["words"]]
        command()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def watch(folder: Path, kill: int) -> None:
    """Record every point between two steps, and every write; end the process at that point, where one is given."""
    from tools import host, workspace

    points = os.open(folder / "points", os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
    writes = os.open(folder / "writes", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    lock, passed, work = threading.Lock(), 0, Path.cwd()

    def point(name: str) -> None:
        nonlocal passed
        with lock:
            passed += 1
            os.write(points, f"{name}\n".encode())
            if passed == kill:
                (folder / "at").write_text(name)
                os.kill(os.getpid(), signal.SIGKILL)

    commit, write, ask = Store.commit, workspace.write_atomically, host.Host.call

    def committed(store: Store, *args: Any, **kwargs: Any) -> None:
        types = ",".join(f"{row[2]} {row[3]}" for row in store._waiting)
        if types:
            point(f"before commit of {types}")
        commit(store, *args, **kwargs)
        if types:
            point(f"after commit of {types}")

    def written(path: Path, data: bytes) -> None:
        if not path.is_relative_to(work):  # what zooid keeps for itself
            return write(path, data)
        point(f"before writing {path.name}")
        write(path, data)
        os.write(writes, f"{path}\n".encode())
        point(f"after writing {path.name}")

    def called(one: Any, name: str, args: dict[str, Any], **how: Any) -> Any:
        point(f"before {name} {args}")
        value = ask(one, name, args, **how)
        point(f"after {name} {args}")
        return value

    Store.commit, workspace.write_atomically, host.Host.call = committed, written, called  # type: ignore[method-assign]


if __name__ == "__main__":
    main()

"""At a limit, and when a run is cancelled, what is under way ends within two seconds: requests, processes, models."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from pathlib import Path

import pytest

from agent.workers import in_thread
from tests.agent.test_run import World, by_goal, call, goal, plan
from tests.scripted import Reply
from tools import stop
from tools.errors import ToolError
from tools.micro import Engine, load, shipped
from tools.plugins import PluginFolder, discover

LINGER = '''
import subprocess
import time


def linger(text: str) -> str:
    """Take for ever, and start something that does too."""
    open(text, "w").close()
    subprocess.Popen(["sleep", "86399"])
    time.sleep(86399)
    return text
'''


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def lingering() -> list[str]:
    """The command lines of processes that were to take for ever."""
    lines = map(read, Path("/proc").glob("[0-9]*/cmdline"))
    return [line for line in lines if "sleep 8639" in line]


def read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode()
    except OSError:  # it has ended meanwhile
        return ""


def test_nothing_is_left_within_two_seconds_of_a_limit(world: World) -> None:
    plugins = world.folder / "plugins"
    plugins.mkdir()
    (plugins / "linger.py").write_text(LINGER)
    world.tools.add(discover([PluginFolder(plugins, "user")]))
    steps = plan(
        goal("asks", "part a"),
        call("calls", "linger", text=str(world.folder / "called")),
        call("runs", "count_words", text="x", check={"command": "sh -c 'touch ran; sleep 86398 & sleep 86397'"}),
        call("commands", "run_command", command="touch typed; sleep 86396"),
        call("counts", "count_words", text="one two three"),
        answer="$counts $asks $calls $runs $commands",
    )
    script = by_goal({"the goal": [steps], "part a": [Reply(hang=True)]})
    done = world.run(script, seconds=2.5, approve="auto")
    assert done.code == 3 and done.seconds < 2.5 + 2
    assert all((world.folder / name).exists() for name in ("called", "work/ran", "work/typed"))
    until = time.monotonic() + 1
    while (done.server.left < 1 or lingering()) and time.monotonic() < until:
        time.sleep(0.02)
    assert done.server.left == 1 and lingering() == []
    assert done.tree.so_far(done.root) == "count_words(text='one two three'): 3"


def test_a_share_that_ends_stops_what_is_below_it_and_nothing_else(world: World) -> None:
    steps = plan(
        goal("a", "part a", budget={"seconds": 0.3}),
        goal("b", "part b"),
        call("c", "count_words", text="x"),
        answer="$b",
    )
    script = by_goal(
        {
            "the goal": [steps, {"answer": "seen"}],
            "part a": [Reply(hang=True)],
            "part b": [Reply({"answer": "b"}, delay=1)],
        }
    )
    done = world.run(script)
    assert (done.root.result, done.server.left) == ("seen", 1) and done.task("root.b").result == "b"


def test_a_model_gives_up_a_call_that_nobody_waits_for_and_answers_the_next() -> None:
    plural = next(model for model in map(load, shipped()) if model.name == "plural")
    engine = Engine(gpu_layers=0)
    engine.call(plural, {"word": "cat"})
    many, told, ending = [{"word": f"lamp{n}"} for n in range(4000)], [], stop.Stop()

    def ask() -> None:
        stop.current.set(ending)
        try:
            engine.call_each(plural, many)
        except ToolError as error:
            told.append(str(error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(ask,))
    thread.start()
    time.sleep(0.3)
    assert thread.is_alive()
    ending.now()
    thread.join(1)
    started = time.monotonic()
    assert not thread.is_alive() and "given up" in told[0]
    assert engine.call(plural, {"word": "city"}).value == "cities" and time.monotonic() - started < 0.5
    engine.close()


def test_a_call_that_is_cancelled_before_its_work_began_is_ended_as_well() -> None:
    ended = threading.Event()

    def work() -> None:
        time.sleep(0.1)
        with stop.by(ended.set):
            time.sleep(0.2)

    async def cancelled() -> None:
        task = asyncio.create_task(in_thread(work, 5, "work"))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancelled())
    assert ended.wait(2)

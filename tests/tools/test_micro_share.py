"""Workers that several processes share: one a model, within one budget, and none left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tools.errors import ModelFileError, ToolError
from tools.micro import Engine, MicroModel, Options, load, share, shipped

MODELS = {folder.name: load(folder) for folder in shipped()}
PLURAL, TONE, LANGUAGE = MODELS["plural"], MODELS["tone"], MODELS["language"]
ASKED: list[tuple[MicroModel, dict[str, str], str]] = [
    (PLURAL, {"word": "wolf"}, "wolves"),
    (TONE, {"text": "An absolute delight from start to finish."}, "positive"),
    (LANGUAGE, {"text": "Wo ist der Bahnhof?"}, "German"),
]
ROOT = Path(share.__file__).parents[2]
CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
from tools.micro import Engine, load, shipped
model = next(load(folder) for folder in shipped() if folder.name == "plural")
engine = Engine(gpu_layers=0, shared=True, idle=0.5)
print(engine.call(model, {"word": "wolf"}).value, engine.pids()[0], flush=True)
sys.stdin.read()
"""


def workers(runtime: Path) -> list[int]:
    """The processes that were started as workers with this runtime folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_one = b"tools.micro.service" in (folder / "cmdline").read_bytes()
            is_one = is_one and b"XDG_RUNTIME_DIR=" + bytes(runtime) + b"\0" in (folder / "environ").read_bytes()
            dead = ") Z " in (folder / "stat").read_text() or ") X " in (folder / "stat").read_text()
        except OSError:
            continue
        found += [int(folder.name)] if is_one and not dead else []
    return found


def until(holds: Callable[[], bool], seconds: float = 8.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder whose path is longer than a socket's may be; nothing may be left running in it."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    assert until(lambda: workers(folder) == []), "a worker was left behind"


def engine(budget: int = 512 * 2**20, idle: float = 0.3) -> Engine:
    return Engine(gpu_layers=0, shared=True, idle=idle, budget=budget)


def sockets(runtime: Path) -> list[str]:
    return sorted(path.name for path in (runtime / "zooid").iterdir() if path.name != "lock")


def client() -> subprocess.Popen[str]:
    """Another zooid, which stays until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(ROOT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


# -- one worker a model


def test_processes_that_begin_at_once_end_up_with_one_worker(runtime: Path) -> None:
    clients = [client() for _ in range(4)]
    answers = [said(each) for each in clients]
    assert {answer[0] for answer in answers} == {"wolves"}
    assert len({answer[1] for answer in answers}) == 1 == len(workers(runtime)) == len(sockets(runtime))
    for each in clients:
        each.communicate()


def test_what_runs_otherwise_has_a_worker_of_its_own(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [engine(), engine(), engine()]
    assert engines[0].call(PLURAL, {"word": "wolf"}).value == "wolves"
    assert engines[1].call(replace(PLURAL, template="{word}s\n"), {"word": "wolf"}).value != "wolves"
    monkeypatch.setattr(share, "_code", lambda: [["another version", 1, 1]])
    assert engines[2].call(PLURAL, {"word": "wolf"}).value == "wolves"
    assert len({pid for each in engines for pid in each.pids()}) == 3 == len(sockets(runtime))
    for each in engines:
        each.close()


def test_the_same_model_elsewhere_is_the_same_worker(runtime: Path, tmp_path: Path) -> None:
    one, two = engine(), engine()
    copy = load(Path(shutil.copytree(PLURAL.folder, tmp_path / "copy")))
    assert one.call(PLURAL, {"word": "wolf"}).value == two.call(copy, {"word": "wolf"}).value == "wolves"
    assert one.pids() == two.pids()
    one.close()
    two.close()


def test_a_file_that_was_changed_is_noticed_although_its_worker_runs(runtime: Path, tmp_path: Path) -> None:
    one = engine()
    copy = load(Path(shutil.copytree(PLURAL.folder, tmp_path / "copy")))
    assert one.call(PLURAL, {"word": "wolf"}).value == "wolves"
    data = bytearray(copy.path.read_bytes())
    data[-1] ^= 1
    copy.path.write_bytes(data)
    with pytest.raises(ModelFileError, match="SHA-256"):
        one.call(copy, {"word": "wolf"})
    one.close()


# -- the end of a worker


def test_it_ends_when_nobody_was_there_for_a_while(runtime: Path) -> None:
    one = engine(idle=0.3)
    one.call(PLURAL, {"word": "wolf"})
    time.sleep(0.8)
    assert workers(runtime) == one.pids(), "it must not end while somebody is connected"
    one.close()
    assert until(lambda: workers(runtime) == []) and sockets(runtime) == []
    assert one.call(PLURAL, {"word": "wolf"}).value == "wolves"
    one.close()


def test_a_killed_zooid_leaves_nothing(runtime: Path) -> None:
    killed = client()
    assert said(killed)[0] == "wolves"
    killed.kill()
    killed.communicate()
    assert until(lambda: workers(runtime) == []) and sockets(runtime) == []


def test_it_ends_when_its_folder_is_gone(runtime: Path) -> None:
    one = engine(idle=60)
    one.call(PLURAL, {"word": "wolf"})
    one.close()
    shutil.rmtree(runtime / "zooid")
    assert until(lambda: workers(runtime) == [])


def test_a_socket_that_nobody_serves_is_cleaned_up(runtime: Path) -> None:
    one = engine()
    one.call(PLURAL, {"word": "wolf"})
    os.kill(one.pids()[0], signal.SIGKILL)
    assert until(lambda: workers(runtime) == []) and len(sockets(runtime)) == 1
    two = engine()
    assert two.call(PLURAL, {"word": "wolf"}).value == one.call(PLURAL, {"word": "wolf"}).value == "wolves"
    assert one.pids() == two.pids() and len(sockets(runtime)) == 1
    one.close()
    two.close()


# -- crashes and strangers


def test_a_crash_is_the_error_of_its_call_only(runtime: Path) -> None:
    one, two = engine(), engine()
    right = {PLURAL.inputs[0].name: "wolf"}
    with ThreadPoolExecutor(6) as pool:
        good = [pool.submit(each.call, PLURAL, right) for each in (one, two) * 10]
        broken = pool.submit(one.call, PLURAL, right, Options(grammar='root ::= root "a"'))
        good += [pool.submit(each.call, PLURAL, right) for each in (one, two) * 10]
        assert all(each.result().value == "wolves" for each in good)
        with pytest.raises(ToolError):
            broken.result()
    assert two.call(PLURAL, right).value == "wolves"
    one.close()
    two.close()


def test_what_is_no_request_ends_that_connection_only(runtime: Path) -> None:
    one = engine()
    one.call(PLURAL, {"word": "wolf"})
    for sent in (b"\x05\0\0\0hello", b'\x04\0\0\0["x]', b"\x80\x04\x95\0\0\0\0", b"\x02\0\0\0{}", b"\x03\0\0\0[1]"):
        path = f"/proc/self/fd/{os.open(runtime / 'zooid', os.O_RDONLY)}"
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(5)
            stranger.connect(f"{path}/{sockets(runtime)[0]}")
            stranger.sendall(sent)
            stranger.shutdown(socket.SHUT_WR)
            assert stranger.recv(100) == b""
        os.close(int(path.rpartition("/")[2]))
    pid = one.pids()
    assert one.call(PLURAL, {"word": "wolf"}).value == "wolves" and one.pids() == pid
    one.close()


def test_a_client_that_does_not_read_holds_nobody_up(runtime: Path) -> None:
    one, stopped = engine(), client()
    pid = int(said(stopped)[1])
    stopped.send_signal(signal.SIGSTOP)
    assert one.call(PLURAL, {"word": "wolf"}).value == "wolves" and one.pids() == [pid]
    stopped.kill()
    stopped.communicate()
    one.close()


def _readable(runtime: Path) -> None:
    (runtime / "zooid").mkdir(mode=0o755)


def _link(runtime: Path) -> None:
    (runtime / "elsewhere").mkdir(mode=0o700)
    (runtime / "zooid").symlink_to(runtime / "elsewhere")


def _file(runtime: Path) -> None:
    (runtime / "zooid").write_text("")


@pytest.mark.parametrize("spoil", [_readable, _link, _file])
def test_what_cannot_be_shared_is_private(runtime: Path, spoil: Callable[[Path], None]) -> None:
    spoil(runtime)
    one = engine(idle=60)
    assert one.call(PLURAL, {"word": "wolf"}).value == "wolves"
    assert not [path for path in runtime.rglob("*") if path.is_socket()]
    one.close()
    assert until(lambda: workers(runtime) == [], 2)


def test_without_a_runtime_folder_it_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert share.folder() == tmp_path / "cache" / "zooid" / "workers"


# -- the budget


def test_the_least_recently_used_goes_whoever_used_it(runtime: Path) -> None:
    sizes = [model.path.stat().st_size for model, _, _ in ASKED]
    engines = [engine(budget=sum(sizes) - 1) for _ in ASKED]
    for each, (model, row, right) in zip(engines[:2], ASKED, strict=False):
        assert each.call(model, row).value == right
        time.sleep(0.05)
    assert engines[0].call(PLURAL, {"word": "city"}).value == "cities"
    time.sleep(0.3)
    assert engines[2].call(*ASKED[2][:2]).value == "German"
    assert engines[0].call(PLURAL, {"word": "city"}).value == "cities"
    kept = {*engines[0].pids(), *engines[2].pids()}
    assert until(lambda: {*workers(runtime)} == kept), "tone was not used for the longest time"
    assert engines[1].call(*ASKED[1][:2]).value == "positive"
    assert len(sockets(runtime)) == 2
    for each in engines:
        each.close()


def test_500_calls_of_two_processes_with_room_for_one_model(runtime: Path) -> None:
    engines, most, stop = [engine(budget=1), engine(budget=1)], [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            most[0] = max(most[0], len(sockets(runtime)) if (runtime / "zooid").is_dir() else 0)

    def call(number: int) -> bool:
        model, row, right = ASKED[number % 2]
        return engines[number // 2 % 2].call(model, row).value == right

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(500) as pool:
        assert all(pool.map(call, range(500)))
    stop.set()
    watching.join()
    assert most[0] == 1
    for each in engines:
        each.close()

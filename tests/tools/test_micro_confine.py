"""A worker reads its model and nothing else, in every thread; what it cannot do then is shown to work before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.sandboxes import needs
from tools.micro import load, shipped
from tools.micro.engine import Engine

MODEL = load(next(folder for folder in shipped() if (folder / "model.gguf").is_file()))
TRIES = """
import os, socket, subprocess, sys
from pathlib import Path
import llama_cpp
from tools.micro.confine import confine

model, scratch = sys.argv[1], os.path.dirname(sys.argv[1])
tries = {
    "another file": lambda: open("/etc/passwd").read(),
    "a folder": lambda: os.listdir("/"),
    "the folder of the model": lambda: os.listdir(scratch),
    "writing": lambda: open(scratch + "/x", "w"),
    "writing to the model": lambda: open(model, "r+"),
    "a link": lambda: os.symlink("/etc/passwd", scratch + "/link"),
    "a program": lambda: subprocess.run(["true"], check=True),
    "a socket": lambda: socket.socket(),
    "a signal": lambda: os.kill(os.getppid(), 0),
    "memory of another process": lambda: open(f"/proc/{os.getppid()}/mem", "rb"),
    "limits of another process": lambda: os.setpriority(0, os.getppid(), os.getpriority(0, os.getppid())),
}
if sys.argv[2] == "confined":
    confine(Path(model), -1, False)
assert open(model, "rb").read(4) == b"GGUF"
for name, attempt in tries.items():
    try:
        attempt()
        print(name)
    except OSError:
        pass
"""


@needs("landlock")
def test_what_a_worker_cannot_do(tmp_path: Path) -> None:
    def done(how: str) -> list[str]:
        (tmp_path / how).mkdir()
        (model := tmp_path / how / "model.gguf").write_bytes(b"GGUF")
        command = [sys.executable, "-c", TRIES, str(model), how]
        tried = subprocess.run(command, text=True, capture_output=True, check=True, cwd=Path(__file__).parents[2])
        return tried.stdout.splitlines()

    assert len(done("plain")) == 11
    assert done("confined") == []


@needs("landlock")
def test_every_thread_of_a_worker_is_confined() -> None:
    engine = Engine(gpu_layers=0)
    try:
        engine.call(MODEL, MODEL.examples[0].input)
        (pid,) = engine._pool.pids()
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        assert len(threads) > 1
        for thread in threads:
            status = (thread / "status").read_text()
            assert "NoNewPrivs:\t1" in status
            assert "Seccomp:\t2" in status
    finally:
        engine.close()

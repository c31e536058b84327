"""The pure tier: the ways out of a Python are there under a plain process, and none of them in Monty."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.programs import run_python
from tools.registry import built_in
from tools.sandbox import attacks, findings, pure
from tools.sandbox.attacks import GADGETS


def test_every_gadget_works_under_a_plain_process() -> None:
    with attacks.arena() as arena:
        named = "\n".join(f"{name} = {value!r}" for name, value in arena.values().items()) + "\n"
        for name, code in GADGETS.items():
            try:
                command = [sys.executable, "-I", "-c", named + code]
                done = subprocess.run(command, cwd=arena.root, text=True, capture_output=True, timeout=4)
            except subprocess.TimeoutExpired:
                assert name == "time"
            else:
                assert arena.canary in done.stdout or attacks.ESCAPED in done.stdout, (name, done.stderr)


def test_no_gadget_works_there() -> None:
    found = findings.attack_pure()
    assert found.tried == len(GADGETS)
    assert found.leaks == ()


def test_a_tier_that_leaks_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_known", {"pure": findings.Finding("pure", 5, ("a file by its path",))})
    with pytest.raises(ToolError, match="the pure tier is not used: 1 of 5 escapes succeeded"):
        findings.run_pure("1")


@pytest.mark.parametrize("module", sorted(pure.MODULES - {"__future__"}))
def test_the_modules_that_are_promised_are_there(module: str) -> None:
    assert pure.run(f"import {module}\nprint('there')") == "there\n"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os", "it imports os"),
        ("from pathlib import Path", "it imports pathlib"),
        ("open('x')", "it uses open"),
        ("def f():\n    yield 1", "Yield"),
        ("class A(int):\n    pass", "the class A"),
        ("class A:\n    @property\n    def x(self):\n        return 1", "the class A"),
        ("import json, math\nprint(json.dumps(math.pi))", ""),
        ("x = (", ""),
    ],
)
def test_what_needs_the_full_tier(code: str, why: str) -> None:
    assert why in pure.why_not(code)
    assert bool(pure.why_not(code)) == bool(why)


def test_the_effect_is_that_of_the_call() -> None:
    tool = next(tool for tool in built_in() if tool.name == "run_python")
    assert tool.effect == "execute"
    assert tool.for_call({"code": "1 + 1"}).effect == "none"
    assert tool.for_call({"code": "import os", "tier": "pure"}).effect == "none"
    assert tool.for_call({"code": "import os"}).effect == "execute"
    assert tool.for_call({"code": "1", "tier": "full"}).effect == "execute"
    assert tool.for_call({"code": "1", "network": True}).effect == "execute"


def test_what_went_wrong_is_said() -> None:
    for code, said in {
        "1 / 0": "ZeroDivisionError",
        "x = (": "the code failed",
        "import os\nos.listdir('/')": "tier=full",
        "while True: pass": "TimeoutError",
    }.items():
        with pytest.raises(ToolError, match=said):
            pure.run(code, limits=pure.Limits(seconds=0.3))


def test_values_and_results() -> None:
    assert run_python("[n * 2 for n in numbers]", {"numbers": [1, 2]}, "pure") == "[2, 4]"
    assert run_python("print('a')\n'b'", tier="pure") == "a\nb"
    assert run_python("None", tier="pure") == ""


def test_many_at_once() -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda n=n: found.append(pure.run(f"{n} * {n}"))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, found)) == [n * n for n in range(20)]


_PARENT = """
import sys
from tools.sandbox import pure
pure.run("1")
print(pure._workers() and "started", flush=True)
pure.run("while True: pass", limits=pure.Limits(seconds=30))
"""


def test_nothing_is_left_when_the_parent_is_killed() -> None:
    def workers() -> list[str]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                status = (folder / "status").read_text()
                if status.startswith("Name:\tmonty") and f"NSsid:\t{sid}\n" in status and "State:\tZ" not in status:
                    found.append(folder.name)
        return found

    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        cwd=Path(pure.__file__).parents[2],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    sid = parent.pid
    assert parent.stdout and parent.stdout.readline() == b"started\n"
    time.sleep(0.3)
    assert workers()
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 5
    while workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not workers()

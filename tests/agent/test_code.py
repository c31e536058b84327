"""Code and commands in a plan: what has no effect needs nobody's word, all else does, and runs in a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.test_run import World, call, plan
from tests.sandboxes import needs


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_pure_code_needs_no_approval(world: World) -> None:
    steps = plan(
        call("a", "count_words", text="one two"),
        call("b", "run_python", code="n * 21", values={"n": "$a"}),
        answer="$b",
    )
    done = world.run([steps])
    assert (done.code, done.root.result) == (0, "42")
    (attempt,) = done.task("root.b").attempts
    assert not attempt.call
    assert done.task("root.b").gave != "outside"


@needs("landlock")
def test_other_code_and_commands_wait_for_an_approval(world: World) -> None:
    steps = plan(call("a", "run_python", code="import os\nopen('a.txt', 'w').write('x')\nos.getcwd()"), answer="$a")
    done = world.run([steps])
    assert (done.code, done.task("root.a").status) == (4, "paused")
    assert not (world.work / "a.txt").exists()
    done = world.resume(answer="yes")
    assert (done.code, done.root.result) == (0, str(world.work))
    assert (world.work / "a.txt").read_text() == "x"
    assert done.task("root.a").gave == "outside"


@needs("landlock")
def test_a_command_that_fails_says_what_it_said(world: World) -> None:
    failed = plan(call("a", "run_command", command="echo begun; echo no such thing >&2; exit 3"), answer="$a")
    done = world.run([failed, {"answer": "it failed"}], approve="auto")
    verdict = done.task("root.a").attempts[0].verdict
    assert "exit 3" in verdict and "begun\nno such thing" in verdict

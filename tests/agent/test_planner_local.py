"""The local planner with a real GGUF of random weights, and the openai planner with llama-cpp-python's own server."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from agent.errors import ProviderUnavailable, UnsoundPlan, UsageError
from agent.planners import Ask, Reply, decisions, local
from agent.planners.local import LocalPlanner
from agent.planners.openai import OpenAIPlanner
from agent.task import Answer, Plan, Question, Wish
from tests import tiny_gguf
from tools.errors import ModelFileError
from tools.registry import from_function

for needed in ("llama_cpp", "gguf"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed; it comes with zooid[test]", allow_module_level=True)


def read_text(path: Path, lines: list[int] | None = None) -> str:
    """Read a text file."""
    return ""


def round_number(number: float, decimals: int = 0, way: Literal["up", "down"] = "up", strict: bool = True) -> float:
    """Round a number."""
    return number


def join(parts: list[str], table: dict[str, str], between: str = " ") -> str:
    """Join texts."""
    return between


TOOLS = [from_function(function, "test") for function in (read_text, round_number, join)]
ROOT = Path(__file__).parents[2]
CLOSING = '"}]'  # a model that likes these comes to an end soon


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return tiny_gguf.write(folder / "tiny.gguf", prefer=CLOSING)


def decide(path: Path, ask: Ask, notes: list[str] | None = None, **settings: Any) -> Reply:
    settings = {"context": 2560, "max_tokens": 400, **settings}

    async def run() -> Reply:
        planner = LocalPlanner(path, **settings)
        try:
            return await planner.decide(ask, (notes if notes is not None else []).append)
        finally:
            await planner.close()

    return asyncio.run(run())


@pytest.mark.parametrize("seed", range(2))
def test_random_weights_give_a_decision_that_can_be_read(seed: int, folder: Path) -> None:
    asks = [
        Ask("count the words of notes.txt", {"input": "some text"}, TOOLS),
        Ask("go on", tools=TOOLS, results={"a": [1, 2]}),
        Ask("which language is this?", may_plan=False),
        Ask("no tools at all"),
    ]

    async def run() -> list[Reply]:
        planner = LocalPlanner(path, context=2560, max_tokens=200)
        try:
            return [await planner.decide(ask, lambda text: None) for ask in asks]
        finally:
            await planner.close()

    path = tiny_gguf.write(folder / f"random{seed}.gguf", seed=seed)
    replies = asyncio.run(run())
    assert all(isinstance(reply.decision, (Plan, Answer, Question, Wish)) for reply in replies)
    assert not isinstance(replies[2].decision, Plan)
    assert all(reply.usage.tokens_in > 100 and 0 < reply.usage.tokens_out <= 600 for reply in replies)
    assert all(reply.usage.cost == 0 and not reply.usage.estimated for reply in replies)


def test_the_second_grammar_always_ends_within_the_limit() -> None:
    for most in (60, 100, 200, 400, 1000, 4000):
        for tools in ([], TOOLS):
            wanted, text = local._frugal(Ask("g", tools=tools), most)
            assert local.longest(wanted, text) < most
    wanted, text = local._frugal(Ask("g", tools=TOOLS), 4000)
    assert "tasks" in json.dumps(wanted) and text >= 40


def test_the_bound_of_a_schema_is_the_longest_that_its_grammar_takes() -> None:
    wanted = local.schema(TOOLS[:1], True, 2, 8)
    text, whole = "é" * 5, -111111111111
    widest = {"id": "aaaaaaaa", "tool": "read_text", "args": {"path": text, "lines": [whole] * 8}, "each": [text] * 8}
    said = json.dumps({"tasks": [widest, widest], "answer": text, "notes": text}, ensure_ascii=False)
    assert len(said.replace(" ", "").encode()) <= local.longest(wanted, 5)
    assert isinstance(decisions.parse(said), Plan)


def test_calls_are_one_at_a_time_beside_the_loop(model: Path) -> None:
    async def run() -> tuple[list[Reply], int]:
        planner = LocalPlanner(model, context=2560, max_tokens=200)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        replies = await asyncio.gather(*(planner.decide(Ask(f"goal {n}", tools=TOOLS), str) for n in range(3)))
        ticking.cancel()
        await planner.close()
        return replies, ticks

    replies, ticks = asyncio.run(run())
    assert len(replies) == 3 and ticks > 5


def test_a_cancelled_decision_gives_the_model_free(model: Path) -> None:
    async def run() -> Reply:
        planner = LocalPlanner(model, context=2560, max_tokens=400)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(planner.decide(Ask("first", tools=TOOLS), str), 0.05)
        reply = await planner.decide(Ask("second", may_plan=False), str)
        await planner.close()
        return reply

    assert asyncio.run(run()).usage.calls >= 1


def test_nothing_is_written_to_the_terminal(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    decide(model, Ask("a", may_plan=False))
    assert capfd.readouterr() == ("", "")


def test_a_model_without_a_template_gets_a_plain_prompt(folder: Path) -> None:
    notes: list[str] = []
    path = tiny_gguf.write(folder / "plain.gguf", template=None, prefer=CLOSING)
    decide(path, Ask("g", may_plan=False), notes)
    assert any("no chat template" in note for note in notes)


def test_a_template_that_wants_no_system_message_is_given_none(folder: Path) -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + tiny_gguf.TEMPLATE
    path = tiny_gguf.write(folder / "nosystem.gguf", template=template, prefer=CLOSING)
    assert decide(path, Ask("g", may_plan=False)).usage.calls


@pytest.mark.parametrize(
    ("template", "told"),
    [("{{ raise_exception('never') }}", "template fails"), ("{% if %}", "cannot load")],
)
def test_a_template_that_fails_is_told(template: str, told: str, folder: Path) -> None:
    path = tiny_gguf.write(folder / "failing.gguf", template=template)
    with pytest.raises(ModelFileError, match=f"failing.gguf.*{told}"):
        decide(path, Ask("g", may_plan=False))


def test_a_template_without_end_is_left_behind(folder: Path) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    path = tiny_gguf.write(folder / "endless.gguf", template=loop)
    script = (
        "import asyncio, sys\nfrom agent.planners import Ask\nfrom agent.planners.local import LocalPlanner\n"
        "asyncio.run(LocalPlanner(sys.argv[1], context=2560, timeout=2).decide(Ask('g'), str))"
    )
    ran = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert ProviderUnavailable.__name__ in ran.stderr and "gave no decision within 2 seconds" in ran.stderr


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated", "folder", "architecture"])
def test_a_file_that_cannot_be_used_is_named(damage: str, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    whole = model.read_bytes()
    if damage == "folder":
        path.mkdir()
    elif damage == "architecture":
        tiny_gguf.write(path, architecture="nothing-known")
    elif damage != "missing":
        path.write_bytes({"empty": b"", "text": b"hello" * 100, "truncated": whole[: len(whole) // 2]}[damage])
    with pytest.raises(ModelFileError, match="bad.gguf"):
        decide(path, Ask("g"))


def test_a_goal_over_the_context_is_the_persons_to_shorten(model: Path) -> None:
    with pytest.raises(UsageError, match="tokens long"):
        decide(model, Ask("word " * 1000, tools=TOOLS))


def test_a_long_input_is_trimmed(model: Path) -> None:
    reply = decide(model, Ask("which language?", {"input": "word " * 5000}, may_plan=False))
    assert 1500 < reply.usage.tokens_in <= reply.usage.calls * (2560 - 400)


# -- llama-cpp-python's own server


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    pytest.importorskip("llama_cpp.server.app", reason="needs llama-cpp-python[server]", exc_type=ImportError)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = tiny_gguf.write(folder / "served.gguf", prefer='k"')
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--n_ctx", "4096"]
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/v1/models", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(150):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    pytest.fail("the server of llama-cpp-python did not start")


def test_the_openai_planner_goes_down_to_what_llamas_server_can(server: str) -> None:
    async def run() -> Reply:
        planner = OpenAIPlanner("tiny", server, max_retries=1, max_tokens=800)
        try:
            with contextlib.suppress(UnsoundPlan):  # of weights that mean nothing a whole plan is a lot to ask
                await planner.decide(Ask("add", tools=TOOLS), notes.append)
            return await planner.decide(Ask("add", may_plan=False), notes.append)
        finally:
            await planner.close()

    notes: list[str] = []
    reply = asyncio.run(run())
    assert isinstance(reply.decision, (Answer, Question))
    assert reply.usage.tokens_in > 100 and not reply.usage.estimated
    assert sum("by schema" in note and "by tool" in note for note in notes) == 1


def test_a_prompt_over_the_servers_context_is_told(server: str) -> None:
    async def run() -> None:
        planner = OpenAIPlanner("tiny", server)
        try:
            await planner.decide(Ask("count", {"input": "word " * 2000}, TOOLS), str)
        finally:
            await planner.close()

    with pytest.raises(UsageError, match="4096"):
        asyncio.run(run())

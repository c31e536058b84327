"""The local planner with a real GGUF of random weights, and the openai planner with llama-cpp-python's own server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from agent.errors import ProviderUnavailable, UnsoundPlan, UsageError, ZooidError
from agent.planners import Ask, Reply, decisions, grammar
from agent.planners.local import LocalPlanner
from agent.planners.openai import OpenAIPlanner
from agent.task import Answer, Plan, Question, Wish
from tests import tiny_gguf
from tests.sandboxes import needs
from tools.errors import ModelFileError, ToolError
from tools.function import Param
from tools.micro.chat import SYSTEM, USER, Chat
from tools.registry import Tool, from_function

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
            wanted, text = grammar.widest(Ask("g", tools=tools), most)
            assert grammar.longest(wanted, text) < most
    wanted, text = grammar.widest(Ask("g", tools=TOOLS), 4000)
    assert "tasks" in json.dumps(wanted) and text >= 40


def test_the_bound_of_a_schema_is_the_longest_that_its_grammar_takes() -> None:
    wanted = grammar.schema(TOOLS[:1], True, 2, 8)
    text, whole = "é" * 5, -111111111111
    widest = {"id": "aaaaaaaa", "tool": "read_text", "args": {"path": text, "lines": [whole] * 8}, "each": [text] * 8}
    said = json.dumps({"tasks": [widest, widest], "answer": text, "notes": text}, ensure_ascii=False)
    assert len(said.replace(" ", "").encode()) <= grammar.longest(wanted, 5)
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
    [
        ("{{ raise_exception('never') }}", "template fails .never"),
        ("{% if %}", "template fails .Expected"),
        ("always the same", "template fails .it leaves out"),
        ("{{ 'a' * 10 ** 10 }}" + tiny_gguf.TEMPLATE, "template fails .MemoryError"),
        ("{{ 'a' * 10 ** 7 }}" + tiny_gguf.TEMPLATE, "template fails .it adds too much"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}" + tiny_gguf.TEMPLATE, "template fails .access to attribute"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "end within 2 seconds"),
    ],
)
def test_a_template_that_fails_is_told(template: str, told: str, folder: Path) -> None:
    path = tiny_gguf.write(folder / "failing.gguf", template=template)
    with pytest.raises(ModelFileError, match=f"failing.gguf.*{told}"):
        decide(path, Ask("g", may_plan=False), timeout=2)


def test_what_is_said_cannot_pose_as_a_mark_of_the_model(model: Path) -> None:
    chat = Chat(model, 2560, 0, 1)
    chat.frame(SYSTEM + USER)
    start, *tokens = chat._tokens("<s>", "</s>")
    assert start == 1 and not {1, 2} & {*tokens} and len(tokens) == len("<s></s>" + "<system><user><assistant>") + 2


# -- what goes wrong in the worker


def test_a_file_that_crashes_llama_cpp_is_named(folder: Path) -> None:
    path = tiny_gguf.write(folder / "crashes.gguf", experts=5)
    with pytest.raises(ModelFileError, match=r"crashes.gguf: the process of the model crashed \(SIGABRT\); take"):
        decide(path, Ask("g"))


def test_a_tokenizer_that_hangs_is_ended(folder: Path) -> None:
    path = tiny_gguf.write(folder / "hangs.gguf", tokenizer="rwkv")
    with pytest.raises(ModelFileError, match=r"hangs.gguf: .* did not come to an end within 1 second"):
        decide(path, Ask("g"), timeout=1)


@pytest.mark.parametrize(
    ("number", "told"), [(signal.SIGSEGV, "crashed .SIGSEGV"), (signal.SIGSTOP, "within 2 seconds")]
)
def test_a_crash_and_a_hang_are_errors_of_their_call(number: signal.Signals, told: str, model: Path) -> None:
    async def run() -> Reply:
        planner = LocalPlanner(model, context=2560, max_tokens=200, timeout=2)
        await planner.decide(Ask("first", may_plan=False), str)
        assert planner._model is not None
        os.kill(planner._model._worker.pid, number)
        with pytest.raises(ProviderUnavailable, match=f"tiny.gguf.*{told}.*zooid resume --last"):
            await planner.decide(Ask("second", may_plan=False), str)
        reply = await planner.decide(Ask("third", may_plan=False), str)
        await planner.close()
        return reply

    assert asyncio.run(run()).usage.calls >= 1


@needs("landlock")
def test_every_thread_of_the_worker_is_confined(model: Path) -> None:
    async def run() -> list[str]:
        planner = LocalPlanner(model, context=2560, max_tokens=200, threads=2)
        await planner.decide(Ask("g", may_plan=False), str)
        assert planner._model is not None
        threads = list(Path(f"/proc/{planner._model._worker.pid}/task").iterdir())
        found = [(thread / "status").read_text() for thread in threads]
        await planner.close()
        return found

    threads = asyncio.run(run())
    assert len(threads) > 1 and all("NoNewPrivs:\t1" in one and "Seccomp:\t2" in one for one in threads)


def test_the_worker_goes_with_zooid(model: Path) -> None:
    script = (
        "import asyncio, os, signal, sys\nfrom agent.planners import Ask\n"
        "from agent.planners.local import LocalPlanner\nplanner = LocalPlanner(sys.argv[1], context=2560)\n"
        "asyncio.run(planner.decide(Ask('g', may_plan=False), str))\nprint(planner._model._worker.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ran = subprocess.run([sys.executable, "-c", script, model], capture_output=True, text=True, timeout=30, cwd=ROOT)
    deadline = time.monotonic() + 2
    while Path(f"/proc/{int(ran.stdout)}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{int(ran.stdout)}").exists()


def test_a_model_file_is_known_by_its_hash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    path = tiny_gguf.write(folder / "hashed.gguf", prefer=CLOSING)
    notes: list[str] = []
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for _ in range(2):
        decide(path, Ask("g", may_plan=False), notes, sha256=sha256)
    assert notes == []
    tiny_gguf.write(path, seed=1, prefer=CLOSING)
    decide(path, Ask("g", may_plan=False), notes)
    assert [note for note in notes if "hashed.gguf is another file than when it was last used" in note]
    with pytest.raises(ModelFileError, match=f"hashed.gguf: its SHA-256 is .* and not {sha256}.*model_sha256"):
        decide(path, Ask("g", may_plan=False), sha256=sha256)


def mutated(whole: bytes, chance: random.Random) -> bytes:
    """The file with some of its bytes changed, most of them in its head, or cut short."""
    data = bytearray(whole)
    head = data.index(b"token_embd.weight")
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(head if chance.random() < 0.8 else len(data))
        data[at] = chance.choice((0, 255, chance.randrange(256), data[at] ^ 1 << chance.randrange(8)))
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


@pytest.mark.parametrize("count", [6, pytest.param(405, marks=pytest.mark.slow)])
def test_a_mutated_file_gives_a_decision_or_an_error_that_names_it(count: int, model: Path, tmp_path: Path) -> None:
    chance, whole, ends = random.Random(1), model.read_bytes(), Counter[str]()
    for _ in range(count):
        (path := tmp_path / "mutated.gguf").write_bytes(mutated(whole, chance))
        try:
            decide(path, Ask("what is it?", may_plan=False), context=1024, max_tokens=60, timeout=20)
            ends["decided"] += 1
        except (ToolError, ZooidError) as error:
            died = re.search(r"the process of the model \w+|within 20 seconds|did not come to an end", str(error))
            ends[died[0] if died else type(error).__name__] += 1
            assert "mutated.gguf" in str(error) or isinstance(error, (UnsoundPlan, UsageError)), error
    print(f"\n{count} mutated files: {dict(ends)}")
    assert ends["ModelFileError"] >= count // 3


# -- the grammar


def odd(name: str, params: list[Param]) -> Tool:
    return replace(TOOLS[0], about=replace(TOOLS[0].about, name=name, params=tuple(params)))


def test_what_a_server_declares_makes_no_grammar_long_or_deep(model: Path) -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(500):
        deep = {"type": "array", "items": deep}
    wide = {"enum": ["é\ud800" * 50 for _ in range(1000)]}
    many = [Param(f"p{n}", {"type": "integer"}, n < 2) for n in range(3000)]
    params = [[Param("deep", deep, True)], [Param("wide", wide, False, None, "")], many]
    tools = [odd(f"odd{n}", each) for n, each in enumerate(params)]
    needed = [Param(f"{n}" * 100, {"enum": ["\n", 1]}, True) for n in range(3000)]
    tools.append(odd("left_out", needed))
    rules = grammar.generous(Ask("g", tools=tools))
    assert len(rules) < 20_000 and "odd2" in rules and "left_out" not in rules
    reply = decide(model, Ask("g", tools=tools[:1]), context=8192)
    assert isinstance(reply.decision, (Plan, Answer, Question, Wish))


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "truncated", "folder", "architecture", "split"])
def test_a_file_that_cannot_be_used_is_named(damage: str, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    whole = model.read_bytes()
    if damage == "folder":
        path.mkdir()
    elif damage == "architecture":
        tiny_gguf.write(path, architecture="nothing-known")
    elif damage == "split":
        tiny_gguf.write(path, files=3)
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

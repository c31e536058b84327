"""The engine under load and under attack: the same answers however they are batched, and a crash ends its call only."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import signal
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.errors import ArgumentError, ModelFileError, ToolError
from tools.micro import Engine, MicroModel, MicroResult, Options, gguf, load, shipped
from tools.micro.asker import Asker, Request, whole
from tools.micro.draft import Draft, Habits
from tools.micro.llama import Session, Tuning
from tools.micro.worker import Worker, WorkerDied

MODELS = {folder.name: load(folder) for folder in shipped()}
PLURAL, TONE, LANGUAGE = MODELS["plural"], MODELS["tone"], MODELS["language"]
PLAIN = Options(draft=False)
WORDS = [a + b for a in ("child", "city", "lamp", "house", "glass", "wolf", "tomato") for b in ("", "hood", "man", "x")]
ROWS = [{"word": word} for word in WORDS]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(gpu_layers=0)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    session = Session(PLURAL.path, gpu_layers=0)
    yield Asker(PLURAL, session)
    session.close()


def plain(asker: Asker) -> list[str]:
    """One after the other, nothing guessed."""
    return [str(asker.answer([row], PLAIN)[0][0]) for row in ROWS]


def edited(folder: Path, data: bytes) -> MicroModel:
    """A copy of the plural model with another GGUF."""
    shutil.copytree(PLURAL.folder, folder)
    (folder / "model.gguf").write_bytes(data)
    manifest = folder / "manifest.toml"
    digest = hashlib.sha256(data).hexdigest()
    manifest.write_text(re.sub(r'^sha256 = "\w+"', f'sha256 = "{digest}"', manifest.read_text(), flags=re.MULTILINE))
    return load(folder)


# -- batches, drafts, prefixes


def test_drafts_and_batches_change_no_letter(asker: Asker) -> None:
    alone = plain(asker)
    for options in (PLAIN, Options()):
        assert [answer[0] for answer in asker.answer(ROWS, options)] == alone
        assert [asker.answer([row], options)[0][0] for row in ROWS] == alone


def test_settings_change_no_letter(asker: Asker) -> None:
    alone = plain(asker)
    for tuning in (Tuning(unified=False), Tuning(flash=False, micro_batch=16), Tuning(pairs=False, lanes=3)):
        session = Session(PLURAL.path, 0, tuning=tuning)
        assert [answer[0] for answer in Asker(PLURAL, session).answer(ROWS, Options())] == alone
        session.close()


def test_what_joins_later_is_answered_alike(asker: Asker) -> None:
    alone, waiting, got = plain(asker), list(enumerate(ROWS)), {}
    running: dict[Request, int] = {}
    while waiting or running:
        if waiting:
            number, row = waiting.pop(0)
            running[asker.begin([row], Options())] = number
        for request in asker.step():
            got[running.pop(request)] = whole(asker.result(request))[0][0]
    assert [got[number] for number in range(len(ROWS))] == alone
    assert not asker.busy


def test_drafts_save_passes(asker: Asker) -> None:
    def passes(options: Options) -> int:
        request, count = asker.begin([{"word": "lamp"}], options), 0
        while request.left:
            asker.step()
            count += 1
        return count

    asker.answer([{"word": "stamp"}, {"word": "camp"}], Options())
    assert passes(Options()) < passes(PLAIN) == len("lamps\n")


def test_a_draft_follows_the_input_and_what_was_learnt() -> None:
    habits = Habits()
    draft = Draft([1, 2, 3], habits)
    assert draft.guess(9) == [1, 2, 3]
    draft.took(3, 7)
    again = Draft([1, 2, 3], habits)
    assert again.guess(9) == [1, 2, 3, 7]
    assert again.guess(2) == [1, 2]
    again.took(1, 9)
    assert again.guess(9) == []


def test_a_draft_knows_the_form_that_is_asked_for() -> None:
    """Inputs of a form and a word (the tokens 3, 4, 5): with one form the answer has 7 after it, with another 8."""
    habits, end = Habits(), 1
    for form, ending in ((50, 7), (60, 8)):
        first = Draft([form, 3, 4, 5], habits)
        for token in (3, 4, 5, ending):
            first.took(0, token)
        first.took(0, end, ended=True)
    for form, ending in ((50, 7), (60, 8)):
        assert Draft([form, 2, 9, 5], habits).guess(9) == [2, 9, 5, ending], "and nothing after what ends an answer"


def test_a_stop_text_of_several_tokens_ends_an_answer() -> None:
    session = Session(PLURAL.path, gpu_layers=0)
    stopped = Asker(replace(PLURAL, stop="ies\n"), session)
    for options in (PLAIN, Options(), Options(), Options(grammar='root ::= [a-z]+ "\\n"')):
        value, sure, _, gave, each = stopped.answer([{"word": "city"}], options)[0]
        assert (value, gave, len(each)) == ("cit", len("cities\n"), len("cities\n"))
        assert sure > 0.5
    session.close()


def test_probabilities(asker: Asker, engine: Engine) -> None:
    for options in (PLAIN, Options()):
        value, sure, took, gave, each = asker.answer([{"word": "wolf"}], options)[0]
        assert (value, took, gave, len(each)) == ("wolves", len("wolf\n") + 1, len("wolves\n"), gave)
        assert math.isclose(math.prod(each), sure, rel_tol=1e-6)
    result = engine.call(LANGUAGE, {"text": "Wo ist der Bahnhof?"})
    assert math.isclose(sum(result.probabilities), 1, rel_tol=1e-6)
    assert max(result.probabilities) == result.confidence


def test_sampling(asker: Asker) -> None:
    warm = Options(temperature=3.0, top_k=0, top_p=1.0, seed=5)
    rows = [{"word": "mongoose"}] * 3
    once = [answer[0] for answer in asker.answer(rows, warm)]
    assert len(set(once)) == 1, "the same seed draws the same"
    assert once[0] == asker.answer(rows[:1], replace(warm, draft=False))[0][0]
    drawn = {asker.answer(rows[:1], replace(warm, seed=seed))[0][0] for seed in range(6)}
    assert len(drawn) > 1
    assert asker.answer(rows[:1], Options(temperature=0.1, top_k=1))[0][0] == asker.answer(rows[:1], PLAIN)[0][0]
    with pytest.raises(ArgumentError, match="temperature"):
        Options(temperature=-1)


# -- grammars


def test_a_grammar_binds_the_answer(engine: Engine) -> None:
    bound = Options(grammar='root ::= [a-w]+ "\\n"')
    assert engine.call(PLURAL, {"word": "wolf"}, bound).value == "wolves"
    assert "x" not in str(engine.call(PLURAL, {"word": "box"}, bound).value)
    two = Options(grammar='root ::= ("yes" | "no") "\\n"')
    assert engine.call(PLURAL, {"word": "wolf"}, two).value in ("yes", "no")
    assert engine.call(PLURAL, {"word": "wolf"}, replace(two, draft=False)).value in ("yes", "no")


def test_a_json_schema_binds_the_answer(engine: Engine) -> None:
    schema = json.dumps({"type": "object", "properties": {"n": {"enum": ["a", "b"]}}, "required": ["n"]})
    ended = replace(PLURAL, stop="}")
    result = Engine(gpu_layers=0).call(ended, {"word": "wolf"}, Options(grammar=schema))
    assert json.loads(str(result.value) + "}")["n"] in ("a", "b")


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("nonsense", "cannot be read"),
        ('{"type": "nothing"}', "schema|grammar"),
        ('{"type": ', "JSON schema"),
        ('root ::= root "a"', "grammar|process"),
        ("root ::= " + "(" * 30_000 + '"a"' + ")" * 30_000, "grammar|process"),
    ],
)
def test_a_bad_grammar_is_the_error_of_its_call(engine: Engine, grammar: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        engine.call(PLURAL, {"word": "wolf"}, Options(grammar=grammar))
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ('root ::= "a" root', "as a whole within 56 tokens"),
        ('root ::= "\\U0010FFFF"{200}', "as a whole within 56 tokens"),
        ("root ::= [b-a]", "allows nothing that the model can write"),
    ],
)
def test_a_grammar_that_cannot_match(engine: Engine, grammar: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match=message):
        engine.call(PLURAL, {"word": "wolf"}, Options(grammar=grammar))
    assert time.monotonic() - started < 5
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"


def test_a_grammar_may_be_nested_so_deep_and_no_deeper() -> None:
    Options(grammar="root ::= " + "(" * 100 + '"((("' + ")" * 100)
    for grammar in ("root ::= " + "(" * 101 + '"a"' + ")" * 101, '{"a": ' * 101 + "1" + "}" * 101):
        with pytest.raises(ArgumentError, match="nested more than 100 deep"):
            Options(grammar=grammar)


# -- choices, embeddings


def test_choices_are_weighed(engine: Engine) -> None:
    result = engine.choose(PLURAL, {"word": "wolf"}, ["wolfs\n", "wolves\n", "cats\n"])
    assert result.value == "wolves\n" and result.confidence > 0.9
    assert math.isclose(sum(result.probabilities), 1.0, rel_tol=1e-6)
    written = engine.call(PLURAL, {"word": "wolf"}).confidence
    assert written > 0.5
    with pytest.raises(ArgumentError, match="at least one choice"):
        engine.choose(PLURAL, {"word": "wolf"}, [])


def test_embeddings(engine: Engine) -> None:
    one, two, other = engine.embed(TONE, ["a lovely day", "a lovely day", "it broke at once, terrible"])
    assert math.isclose(sum(x * x for x in one), 1.0, rel_tol=1e-6)
    assert one == two != other
    assert engine.call(TONE, {"text": "a lovely day"}).value == "positive"


# -- crashes


def test_a_worker_killed_in_the_middle_of_calls(engine: Engine) -> None:
    right = [result.value for result in engine.call_many(PLURAL, ROWS)]
    stop, killed = threading.Event(), []

    def kill() -> None:
        while not stop.wait(0.4):
            for pid in engine.pids():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(6) as pool:
            for _ in range(2):
                answers = list(pool.map(lambda _: [r.value for r in engine.call_many(PLURAL, ROWS * 4)], range(6)))
                assert all(answer == right * 4 for answer in answers)
    finally:
        stop.set()
        killer.join()
    assert killed
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"


def test_an_idle_worker_that_was_killed_is_started_again(engine: Engine) -> None:
    engine.call(PLURAL, {"word": "wolf"})
    for pid in engine.pids():
        os.kill(pid, signal.SIGKILL)
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"


def test_the_call_that_crashes_is_found_among_others(engine: Engine) -> None:
    """A grammar that llama.cpp cannot bear, while other calls are in the same batch."""
    bad = Options(grammar='root ::= root "a"')
    with ThreadPoolExecutor(8) as pool:
        good = [pool.submit(engine.call, PLURAL, {"word": "wolf"}) for _ in range(20)]
        broken = pool.submit(engine.call, PLURAL, {"word": "wolf"}, bad)
        good += [pool.submit(engine.call, PLURAL, {"word": "wolf"}) for _ in range(20)]
        assert all(each.result().value == "wolves" for each in good)
        with pytest.raises(ToolError):
            broken.result()


def test_a_model_that_crashes_on_load(tmp_path: Path) -> None:
    """The head check lets through a width that no tensor bears out; whatever llama.cpp does, zooid lives on."""
    engine, whole = Engine(gpu_layers=0), PLURAL.path.read_bytes()
    for number, (key, value) in enumerate(
        [("llama.attention.head_count", 7), ("llama.rope.dimension_count", 3), ("llama.attention.head_count_kv", 0)]
    ):
        data = bytearray(whole)
        at = data.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key) + 4
        data[at : at + 4] = struct.pack("<I", value)
        model = edited(tmp_path / str(number), bytes(data))
        with pytest.raises(ToolError, match=re.escape("plural") + "|" + re.escape(str(model.path))):
            engine.call(model, {"word": "wolf"})
        assert engine.loaded() == []
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"
    engine.close()


def unchecked(folder: Path, monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes) -> MicroModel:
    """A file that makes llama.cpp end the process; the check of the head, which knows it, is left out."""
    monkeypatch.setattr(gguf, "check", lambda path: None)
    whole = PLURAL.path.read_bytes()
    assert old in whole
    return edited(folder, whole.replace(old, new, 1))


@pytest.mark.parametrize("shared", [False, True])
def test_a_gguf_that_crashes_its_worker_on_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    model = unchecked(tmp_path / "m", monkeypatch, b"<0x41>", b"<0x42>")
    engine = Engine(gpu_layers=0, shared=shared, idle=0.2)
    with pytest.raises(ModelFileError, match=r"m/model\.gguf: the process that loaded it crashed \(SIG\w+\); export"):
        engine.call(model, {"word": "wolf"})
    assert engine.loaded() == []
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"
    assert len([path for path in tmp_path.rglob("*") if path.is_socket()]) == int(shared)
    engine.close()


@pytest.mark.parametrize("shared", [False, True])
def test_a_gguf_that_crashes_its_worker_on_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """It has no token for the letter A, over which llama.cpp ends the process."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    model = unchecked(tmp_path / "m", monkeypatch, b"<0x41>", b"<0xab>")
    engine = Engine(gpu_layers=0, shared=shared, idle=0.2)
    rows = [{"word": word} for word in ("wolf", "city", "ABBA", "child", "box")]
    wolves, cities, error, *rest = engine.call_each(model, rows)
    assert [one.value for one in (wolves, cities, *rest) if isinstance(one, MicroResult)] == [
        "wolves", "cities", "children", "boxes"
    ]  # fmt: skip
    assert re.search(r"plural: the process of the model crashed \(SIG\w+\) over 'ABBA'; ask it in", str(error))
    assert engine.call(model, {"word": "wolf"}).value == "wolves"
    engine.close()


def test_a_worker_that_ends_while_it_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, real = Engine(gpu_layers=0), Worker.load

    def load_and_die(worker: Worker, *what: Any) -> None:
        os.kill(worker.pid, signal.SIGABRT)
        real(worker, *what)

    monkeypatch.setattr(Worker, "load", load_and_die)
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(engine.call, PLURAL, {"word": "wolf"}) for _ in range(20)]
        for each in calls:
            with pytest.raises(ModelFileError, match="SIGABRT"):
                each.result()
    monkeypatch.undo()
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"
    engine.close()


def test_a_call_that_takes_too_long() -> None:
    engine = Engine(gpu_layers=0, seconds=0.4)
    engine.call(PLURAL, {"word": "wolf"})
    os.kill(engine.pids()[0], signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(ToolError, match="in time"):
        engine.call(PLURAL, {"word": "wolf"})
    assert time.monotonic() - started < 5
    assert engine.call(PLURAL, {"word": "wolf"}).value == "wolves"
    engine.close()


def test_a_worker_that_died_says_how() -> None:
    worker = Worker()
    worker.load(PLURAL, 0, Tuning())
    os.kill(worker.pid, signal.SIGSEGV)
    with pytest.raises(WorkerDied, match="SIGSEGV"):
        worker.answers(ROWS, Options(), (), 10)
    worker.close()


# -- the budget


def test_500_calls_at_once_with_room_for_one_model() -> None:
    engine = Engine(gpu_layers=0, budget=1)
    asked: list[tuple[MicroModel, dict[str, str], str]] = [
        (PLURAL, {"word": "wolf"}, "wolves"),
        (TONE, {"text": "An absolute delight from start to finish."}, "positive"),
        (LANGUAGE, {"text": "Wo ist der Bahnhof?"}, "German"),
    ]
    most, start = [0], threading.Barrier(500)

    def call(number: int) -> bool:
        model, row, right = asked[number % 3]
        start.wait()
        value = engine.call(model, row).value
        most[0] = max(most[0], len(engine.loaded()))
        return value == right

    with ThreadPoolExecutor(500) as pool:
        assert all(pool.map(call, range(500)))
    assert most[0] == 1
    engine.close()
    assert (engine.loaded(), engine.pids()) == ([], [])


def test_registered_models_cost_nothing_until_called(tmp_path: Path) -> None:
    models = [load(Path(shutil.copytree(PLURAL.folder, tmp_path / f"m{n}"))) for n in range(50)]
    engine = Engine(gpu_layers=0, budget=3 * PLURAL.path.stat().st_size)
    assert engine.pids() == []
    for model in models[:12]:
        assert engine.call(model, {"word": "wolf"}).value == "wolves"
        assert len(engine.loaded()) <= 3
    assert engine.loaded() == [model.path for model in models[9:12]]
    engine.close()


def test_another_version_of_the_same_file_is_loaded_anew(tmp_path: Path) -> None:
    engine = Engine(gpu_layers=0)
    first = edited(tmp_path / "m", PLURAL.path.read_bytes())
    assert engine.call(first, {"word": "wolf"}).value == "wolves"
    second = replace(first, template="{word}s\n")
    assert engine.call(second, {"word": "wolf"}).value != "wolves"
    assert engine.call(first, {"word": "wolf"}).value == "wolves"
    engine.close()

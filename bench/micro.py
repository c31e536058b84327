"""The engine of the micro-models against llama-cpp-python's own call, and against llama.cpp with nothing around it.

    python bench/micro.py [--data FOLDER] [--model FOLDER --rows FILE] [--rounds N] [--quick] [--cpu]

Everything runs in turns, a small piece of each at a time, on other rows in every turn, and what is printed is the
median of the ratios within a turn: another program on the machine changes all of them alike. `--data` has
`plurals/infl_lu.csv.gz`, without it made-up words are used. The plural model that comes with zooid is measured;
`--model` is the folder of one more that writes, and `--rows` what it is asked: a text a line, or an object of its
inputs a line (.jsonl). Both may be repeated. One thread, unless the table says otherwise. `--cpu` counts the CPU time
of this process instead of the time that passes, for a machine that does other work as well; what other processes or
threads have a part in is then left out.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gzip
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import median, table

from tools.micro import Engine, MicroModel, Options, load, shipped
from tools.micro.asker import Asker, Row
from tools.micro.llama import Session, Tuning
from tools.micro.manifest import render

FREE, PLAIN = Options(), Options(draft=False)
LETTERS = Options(grammar='root ::= [a-zA-Z \\-\']+ "\\n"')
AT_ONCE = 64

Work = Callable[[list[Row]], list[Any]]


class Clock:
    """What seconds are counted by; `own` where they are those of this process alone."""

    now = time.perf_counter
    own = False


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--data", type=Path, default=Path(os.environ.get("ZOOID_DATA", "../shared/data")))
    parse.add_argument("--model", type=Path, action="append", default=[])
    parse.add_argument("--rows", type=Path, action="append", default=[])
    parse.add_argument("--rounds", type=int, default=12)
    parse.add_argument("--quick", action="store_true", help="without the table of settings and the larger model")
    parse.add_argument("--cpu", action="store_true", help="count CPU time, and measure nothing but this process")
    ask = parse.parse_args()
    if ask.cpu:
        Clock.now, Clock.own = time.process_time, True
    model = load(next(folder for folder in shipped() if folder.name == "plural"))
    rows = [{"word": word} for word in nouns(ask.data) or made_up()]
    more = [(one, read(one, file)) for one, file in zip(map(load, ask.model), ask.rows, strict=True)]
    for one, some in [(model, rows), *more]:
        calls(f"{one.name}, {one.provenance.parameters:,} parameters", one, some, ask.rounds)
        bare(f"{one.name}: llama.cpp's own decode of the same batches", one, some, ask.rounds)
    if not more:
        print("\nno other model was measured; --model FOLDER --rows FILE adds one")
    grammar(model, rows, ask.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        if not Clock.own:
            through_a_worker(model, rows, ask.rounds, Path(scratch, "one"))
            starting(model, rows[0], max(4, ask.rounds // 2), Path(scratch, "two"))
        if not ask.quick:
            settings(model, rows, Path(scratch), max(4, ask.rounds // 2))
            large = larger(Path(scratch, "larger"), model)
            calls(f"{large.name} made larger, {large.provenance.parameters:,} parameters", large, rows, 3)
            bare("the same, llama.cpp's own decode of the same batches", large, rows, 3)
            packings(large, rows, Path(scratch, "packed"), 3)
        memory(model, Path(scratch, "many"))


def read(model: MicroModel, file: Path) -> list[Row]:
    """What a model is asked, from a file."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if file.suffix == ".jsonl":
        return [{one.name: str(json.loads(line)[one.name]) for one in model.inputs} for line in lines]
    return [{model.inputs[0].name: line.strip()} for line in lines]


# -- rows


def nouns(data: Path) -> list[str]:
    """Nouns that the plural model never saw in training, mixed."""
    path = data / "plurals" / "infl_lu.csv.gz"
    if not path.is_file():
        return []
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    words = {line.split(",")[0] for line in lines if ",noun," in line}
    held = [w for w in words if w.islower() and len(w) <= 40 and int(_digest(w)[:8], 16) % 100 < 10]
    return sorted(held, key=_digest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def made_up() -> list[str]:
    parts = ["ba", "ke", "lin", "tor", "mus", "pe", "cha", "fi", "gro", "den", "ly", "sh"]
    words = {"".join(each) for each in itertools.product(parts, repeat=3)}
    return sorted(words, key=_digest)


def pieces(rows: list[Row], rounds: int, size: int) -> Iterator[list[Row]]:
    """Other rows in every turn, as far as there are any."""
    for turn in range(rounds + 1):
        at = turn * size % max(1, len(rows) - size)
        yield rows[at : at + size]


# -- calls


def in_turns(works: dict[str, Work], rows: list[Row], rounds: int, size: int) -> dict[str, list[float]]:
    """Seconds a call by turn; the first turn warms up. Raises where two of them answer differently."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn, some in enumerate(pieces(rows, rounds, size)):
        answers = {}
        for name, work in works.items():
            started = Clock.now()
            answers[name] = work(some)
            if turn:
                times[name].append((Clock.now() - started) / len(some))
        first = next(iter(answers.values()))
        for name, given in answers.items():
            differ = sum(_shown(a) != _shown(b) for a, b in zip(first, given, strict=True))
            DIFFERENT[name] = DIFFERENT.get(name, 0) + differ
    return times


def _shown(answer: Any) -> str:
    """Without what is no UTF-8: `Llama.__call__` leaves it out, and the engine puts U+FFFD there."""
    return str(answer).replace("\ufffd", "")


DIFFERENT: dict[str, int] = {}


def llama(model: MicroModel) -> Work:
    import llama_cpp

    path = str(model.path)
    loaded = llama_cpp.Llama(path, n_ctx=256, n_threads=1, n_threads_batch=1, verbose=False)
    stop = [model.stop] if model.stop else []

    def ask(rows: list[Row]) -> list[Any]:
        made = (loaded(render(model, row), max_tokens=model.max_tokens, stop=stop, temperature=0) for row in rows)
        return [each["choices"][0]["text"] for each in made]

    return ask


def asker(model: MicroModel, tuning: Tuning | None = None) -> Asker:
    return Asker(model, Session(model.path, 0, tuning=tuning))


def alone(model: MicroModel, options: Options, tuning: Tuning | None = None) -> Work:
    one = asker(model, tuning)
    return lambda rows: [one.answer([row], options)[0][0] for row in rows]


def together(model: MicroModel, options: Options, tuning: Tuning | None = None) -> Work:
    one = asker(model, tuning)
    return lambda rows: [answer[0] for answer in one.answer(rows, options)]


def calls(title: str, model: MicroModel, rows: list[Row], rounds: int, size: int = AT_ONCE) -> None:
    engine = Engine(gpu_layers=0)
    pool = ThreadPoolExecutor(AT_ONCE)
    works: dict[str, Work] = {
        "Llama.__call__": llama(model),
        "one at a time, no draft": alone(model, PLAIN),
        "one at a time, draft": alone(model, FREE),
        f"{AT_ONCE} in flight, no draft": together(model, PLAIN),
        f"{AT_ONCE} in flight, draft": together(model, FREE),
    }
    through: dict[str, Work] = {
        "worker, one at a time": lambda some: [engine.call(model, row).value for row in some],
        f"worker, a list of {AT_ONCE}": lambda some: [r.value for r in engine.call_many(model, some)],
        f"worker, {AT_ONCE} threads": lambda some: list(pool.map(lambda row: engine.call(model, row).value, some)),
    }
    DIFFERENT.clear()
    times = in_turns(works if Clock.own else works | through, rows, rounds, size)
    wanted = {"one at a time, no draft": "1.6", "one at a time, draft": "2.5", f"{AT_ONCE} in flight, draft": "4.5"}
    base, lines = times["Llama.__call__"], []
    for each, seconds in times.items():
        ratio = median([a / b for a, b in zip(base, seconds, strict=True)])
        lines.append([each, f"{1 / median(seconds):.0f}", f"{ratio:.2f}", wanted.get(each, ""), DIFFERENT[each]])
    table(title, ["", "calls/s", "times", "wanted", "other answers"], lines)
    pool.shutdown()
    engine.close()


# -- llama.cpp with nothing around it


class Recorder:
    """Stands in for a session: does what it is told, and keeps it, to be done again with nothing around."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.done: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._session, name)
        if name not in ("decode", "share", "forget"):
            return value

        def keep(*given: Any) -> Any:
            self.done.append((name, tuple(list(each) if isinstance(each, list) else each for each in given)))
            return value(*given)

        return keep

    def again(self) -> tuple[float, int]:
        """Seconds in llama.cpp's decode, and tokens."""
        session, seconds, tokens = self._session, 0.0, 0
        api, context = session._api, session._context
        for name, given in self.done:
            if name != "decode":
                getattr(session, name)(*given)
                continue
            batch = session._arrays.fill(*given)
            started = Clock.now()
            api.llama_decode(context, batch)
            session._address(context)
            seconds += Clock.now() - started
            tokens += len(given[0])
        return seconds, tokens


def bare(title: str, model: MicroModel, rows: list[Row], rounds: int) -> None:
    lines = []
    for label, options, size in (
        ("one at a time, no draft", PLAIN, 1), ("one at a time, draft", FREE, 1),
        ("64 in flight, no draft", PLAIN, AT_ONCE), ("64 in flight, draft", FREE, AT_ONCE),
    ):  # fmt: skip
        one, shares, speeds = asker(model), [], []
        session = one.session
        for some in pieces(rows, rounds, AT_ONCE):
            recorder = Recorder(session)
            one.session = one.decoder.session = recorder  # type: ignore[assignment]
            habits = copy.deepcopy(one._habits)
            _answer(one, some, options, size)
            one.session = one.decoder.session = session
            one._habits = habits  # so that the same is guessed
            started = Clock.now()
            _answer(one, some, options, size)
            ours = Clock.now() - started
            theirs, tokens = recorder.again()
            shares.append(theirs / ours)
            speeds.append(tokens / theirs)
        lines.append([label, f"{median(speeds):.0f}", f"{median(shares[1:]):.2f}", "0.9"])
    table(title, ["", "its tokens/s", "our share", "wanted"], lines)


def _answer(one: Asker, rows: list[Row], options: Options, size: int) -> None:
    for at in range(0, len(rows), size):
        one.answer(rows[at : at + size], options)


# -- what else is asked


def grammar(model: MicroModel, rows: list[Row], rounds: int) -> None:
    works = {"free": alone(model, FREE), "grammar": alone(model, LETTERS)}
    works |= {"free, 64": together(model, FREE), "grammar, 64": together(model, LETTERS)}
    times = in_turns(works, rows, rounds, AT_ONCE)
    lines = []
    for bound, free in (("grammar", "free"), ("grammar, 64", "free, 64")):
        slower = median([a / b for a, b in zip(times[bound], times[free], strict=True)])
        lines.append([bound, f"{1 / median(times[bound]):.0f}", f"{slower:.2f}", "1.5"])
    table("within a grammar, against free", ["", "calls/s", "times slower", "at most"], lines)


def _runtime(folder: Path) -> None:
    """Has shared workers in a folder of their own."""
    folder.mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(folder)


def through_a_worker(model: MicroModel, rows: list[Row], rounds: int, folder: Path) -> None:
    _runtime(folder)
    private, shared = Engine(gpu_layers=0), Engine(gpu_layers=0, shared=True, idle=1)
    works: dict[str, Work] = {
        "inside": alone(model, FREE),
        "through a worker": lambda some: [private.call(model, row).value for row in some],
        "through a shared worker": lambda some: [shared.call(model, row).value for row in some],
    }
    times = in_turns(works, rows, 4 * rounds, 16)
    lines = []
    for each, seconds in times.items():
        more = median([1000 * (a - b) for a, b in zip(seconds, times["inside"], strict=True)])
        lines.append([each, f"{1000 * median(seconds):.3f}", f"{more:.3f}", "" if each == "inside" else "0.3"])
    table("the worker process, ms a call", ["", "ms", "more than inside", "at most"], lines)
    private.close()
    shared.close()


def starting(model: MicroModel, row: Row, rounds: int, folder: Path) -> None:
    """The first call of a process that starts a worker of its own, that starts a shared one, and that finds one."""
    _runtime(folder)
    times: dict[str, list[float]] = {"a private worker": [], "a shared one": [], "a shared one that is there": []}
    for _ in range(rounds):
        engines = [Engine(gpu_layers=0), *(Engine(gpu_layers=0, shared=True, idle=0.1) for _ in "12")]
        for seconds, engine in zip(times.values(), engines, strict=True):
            started = Clock.now()
            engine.call(model, row)
            seconds.append(Clock.now() - started)
        for engine in engines:
            engine.close()
        while any(path.is_socket() for path in (folder / "zooid").iterdir()):
            time.sleep(0.05)
    lines = [[name, f"{1000 * median(seconds):.1f}"] for name, seconds in times.items()]
    table("the first call of a process, ms", ["", "ms"], lines)


QUANTISED = {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q4_0": 2}


def settings(model: MicroModel, rows: list[Row], scratch: Path, rounds: int) -> None:
    """What quantisation, threads, the micro-batch, flash attention and pairs do, each against the default."""
    kinds = {name: quantised(model, scratch / name, number) for name, number in QUANTISED.items()}
    tunings = {
        "default (1 thread, micro-batch 512, flash)": Tuning(),
        "2 threads": Tuning(threads=2),
        "micro-batch 64": Tuning(micro_batch=64), "micro-batch 16": Tuning(micro_batch=16),
        "no flash attention": Tuning(flash=False), "a token alone": Tuning(pairs=False),
        "8 lanes": Tuning(lanes=8), "32 lanes": Tuning(lanes=32), "a cache for each lane": Tuning(unified=False),
    }  # fmt: skip
    if Clock.own:
        del tunings["2 threads"]
    variants = {name: (model, tuning) for name, tuning in tunings.items()}
    variants |= {name: (each, Tuning()) for name, each in kinds.items()}
    one = {name: alone(each, PLAIN, tuning) for name, (each, tuning) in variants.items()}
    many = {name: together(each, FREE, tuning) for name, (each, tuning) in variants.items()}
    DIFFERENT.clear()
    first, second = in_turns(one, rows, rounds, 16), in_turns(many, rows, rounds, AT_ONCE)
    lines, start = [], next(iter(variants))
    for name in variants:
        ratios = [median([a / b for a, b in zip(t[start], t[name], strict=True)]) for t in (first, second)]
        lines.append([name, *(f"{ratio:.2f}" for ratio in ratios), DIFFERENT[name]])
    table("settings, speed against the default", ["", "one, no draft", "64, draft", "other answers"], lines)


def packings(model: MicroModel, rows: list[Row], scratch: Path, rounds: int) -> None:
    """How far the engine is ahead of llama-cpp-python's own call in each packing of the weights."""
    lines = []
    for name in ("F16", "BF16", "Q8_0", "Q4_0"):
        each = quantised(model, scratch / name, QUANTISED[name])
        DIFFERENT.clear()
        works = {"call": llama(each), "one": alone(each, FREE), "many": together(each, FREE)}
        times = in_turns(works, rows, rounds, AT_ONCE // 2)
        ratios = [median([a / b for a, b in zip(times["call"], times[n], strict=True)]) for n in ("one", "many")]
        lines.append(
            [name, f"{1 / median(times['call']):.0f}", *(f"{ratio:.2f}" for ratio in ratios), DIFFERENT["many"]]
        )
    table("the same, by packing", ["", "Llama.__call__/s", "one, draft, times", "32, draft", "other answers"], lines)


def quantised(model: MicroModel, folder: Path, number: int) -> MicroModel:
    import llama_cpp

    folder.mkdir(parents=True)
    wanted = llama_cpp.llama_model_quantize_default_params()
    wanted.ftype, wanted.nthread, wanted.allow_requantize = number, 1, True
    path = folder / "model.gguf"
    if llama_cpp.llama_model_quantize(str(model.path).encode(), str(path).encode(), ctypes.byref(wanted)):
        raise SystemExit(f"{path} could not be written")
    return registered(model, folder)


def registered(model: MicroModel, folder: Path, **more: Any) -> MicroModel:
    digest = hashlib.sha256((folder / "model.gguf").read_bytes()).hexdigest()
    parameters = more.pop("parameters", model.provenance.parameters)
    return replace(
        model, folder=folder, provenance=replace(model.provenance, sha256=digest, parameters=parameters), **more
    )


def larger(folder: Path, model: MicroModel, width: int = 512, blocks: int = 8, inner: int = 1536) -> MicroModel:
    """The model made wider and deeper, so that it says the same: what is added is random, and then taken times zero.

    RMSNorm divides by a mean over all of the width, which the added zeros make smaller: its weights and its epsilon are
    scaled to make up for that.
    """
    import gguf
    import numpy

    folder.mkdir()
    read = gguf.GGUFReader(model.path)
    old = {tensor.name: tensor.data for tensor in read.tensors}
    shrunk = old["output_norm.weight"].size / width
    draw = numpy.random.default_rng(1)

    def matrix(name: str, rows: int, columns: int) -> Any:
        silent = name.endswith(("token_embd.weight", "attn_output.weight", "ffn_down.weight"))
        found = draw.standard_normal((rows, columns)) / columns**0.5 * (not silent)
        if name in old:
            found[: old[name].shape[0], : old[name].shape[1]] = old[name]
        return found.astype(numpy.float16)

    def norm(name: str) -> Any:
        found = numpy.zeros(width, numpy.float32)
        given = old.get(name, found[:0])
        found[: given.size] = given * shrunk**0.5
        return found

    shapes = {"token_embd.weight": old["token_embd.weight"].shape[:1] + (width,)}
    for n in range(blocks):
        shapes |= {f"blk.{n}.attn_{part}.weight": (width, width) for part in ("q", "k", "v", "output")}
        shapes |= {f"blk.{n}.ffn_{part}.weight": (inner, width) for part in ("gate", "up")}
        shapes |= {f"blk.{n}.ffn_down.weight": (width, inner)}
    norms = ["output_norm.weight", *(f"blk.{n}.{part}_norm.weight" for n in range(blocks) for part in ("attn", "ffn"))]
    writer = gguf.GGUFWriter(str(folder / "model.gguf"), "llama")
    _describe(writer, read, shrunk, width, blocks, inner)
    for name, shape in shapes.items():
        writer.add_tensor(name, matrix(name, *shape))
    for name in norms:
        writer.add_tensor(name, norm(name))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return registered(model, folder, parameters=sum(a * b for a, b in shapes.values()))


def _describe(writer: Any, read: Any, shrunk: float, width: int, blocks: int, inner: int) -> None:
    """The model's own fields, those of its size changed; its heads keep their width."""
    head = int(read.fields["llama.rope.dimension_count"].contents())
    epsilon = float(read.fields["llama.attention.layer_norm_rms_epsilon"].contents())
    changed = {
        "llama.embedding_length": width, "llama.block_count": blocks, "llama.feed_forward_length": inner,
        "llama.attention.head_count": width // head, "llama.attention.head_count_kv": width // head,
        "llama.attention.layer_norm_rms_epsilon": epsilon * shrunk,
    }  # fmt: skip
    for name, field in read.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            inner_kind = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, changed.get(name, field.contents()), field.types[0], inner_kind)


# -- memory


def memory(model: MicroModel, folder: Path) -> None:
    """Fifty registered models, and a budget of three."""
    models = []
    for n in range(50):
        shutil.copytree(model.folder, folder / f"m{n}")
        models.append(load(folder / f"m{n}"))
    engine = Engine(gpu_layers=0, budget=3 * model.path.stat().st_size)
    name, before = model.inputs[0].name, len(engine.pids())
    most = processes = 0
    resident = 0.0
    for each in random.Random(1).choices(models, k=120):
        engine.call(each, {name: "city"})
        most = max(most, len(engine.loaded()))
        processes = max(processes, len(engine.pids()))
        resident = max(resident, sum(_resident(pid) for pid in engine.pids()))
    rows = [["before the first call", 0, before, "0"], ["after 120 calls", most, processes, f"{resident:.0f}"]]
    table("50 registered models, a budget of three", ["", "most loaded", "processes", "their MB"], rows)
    engine.close()


def _resident(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main()

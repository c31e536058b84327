"""Asks micro-models: checks what they are given, has their workers answer, and finds the call that made one crash."""

from __future__ import annotations

import atexit
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tools.errors import ArgumentError, ToolError
from tools.micro import plain
from tools.micro.asker import Answer, Row, Value, cut, stretches, whole
from tools.micro.choose import Options
from tools.micro.llama import Tuning
from tools.micro.manifest import TYPES, Input, MicroModel
from tools.micro.pool import Pool
from tools.micro.share import IDLE_SECONDS, Share
from tools.micro.worker import Worker, WorkerDied, WorkerRetired

__all__ = ["Engine", "MicroResult", "Options", "cut", "stretches"]

CALL_SECONDS = 60.0
ROW_SECONDS = 0.5  # more for each row beyond the first
MOST_MOVES = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MicroResult:
    """What a model answered. `confidence` is a probability: of the label, or of the whole generated text (0 where the
    answer did not come to its end); `seconds` is this call's share of the time, loading included; `probabilities` are
    those of the generated tokens, or of the labels or choices, in their order."""

    value: Value
    confidence: float
    seconds: float
    tokens_in: int
    tokens_out: int
    probabilities: tuple[float, ...] = ()


class Engine:
    """Runs micro-models, each in a worker process. Safe to call from several threads, whose calls share batches.

    `gpu_layers` is how many layers go to the GPU where the build of llama.cpp has one (-1: all). `budget` is how many
    bytes of model files are kept loaded: beyond it those go that were not used for the longest time, and a call waits
    while all others are in use. `seconds` is the deadline of a call, once its model is loaded.

    Where workers are `shared`, all processes of this user ask the same ones, and the budget holds for all of them
    together; such a worker ends itself once nobody was there for `idle` seconds. What cannot be shared is private.
    """

    def __init__(
        self,
        gpu_layers: int = -1,
        budget: int = 512 * 1024 * 1024,
        threads: int = 1,
        seconds: float = CALL_SECONDS,
        tuning: Tuning | None = None,
        shared: bool = False,
        idle: float = IDLE_SECONDS,
    ) -> None:
        self.gpu_layers, self.budget, self.threads, self.seconds = gpu_layers, budget, threads, seconds
        self._pool = Pool(budget, gpu_layers, tuning or Tuning(threads), Share(budget, idle) if shared else None)
        self._suspects = _Suspects(self._pool)
        _ENGINES.add(self)

    def call(self, model: MicroModel, inputs: Mapping[str, Any], options: Options | None = None) -> MicroResult:
        """Asks the model once; raises ArgumentError for inputs that do not fit, ModelFileError for an unusable file."""
        return self.call_many(model, [inputs], options)[0]

    def call_many(
        self, model: MicroModel, inputs: Sequence[Mapping[str, Any]], options: Options | None = None
    ) -> list[MicroResult]:
        """Asks the model for every row of inputs, in one batch; the results are in the order of the rows."""
        return whole(self.call_each(model, inputs, options))

    def call_each(
        self, model: MicroModel, inputs: Sequence[Mapping[str, Any]], options: Options | None = None
    ) -> list[MicroResult | ToolError]:
        """As `call_many`; a row that fails is an error in its place, and the others are answered."""
        return self._results(model, inputs, options or Options(), ())

    def choose(self, model: MicroModel, inputs: Mapping[str, Any], choices: Sequence[str]) -> MicroResult:
        """Which of the given texts the model finds likeliest as its answer, and each one's share."""
        if not choices or not all(choices):
            raise ArgumentError(f"{model.name}: give at least one choice, and none that is empty")
        return whole(self._results(model, [inputs], Options(), tuple(choices)))[0]

    def embed(self, model: MicroModel, texts: Sequence[str]) -> list[list[float]]:
        """A vector of length 1 for each text."""
        try:
            return self._with_worker(model, lambda worker: worker.embed(texts, self._time(len(texts))))
        except WorkerDied as died:
            raise ToolError(f"{model.name}: the process of the model {died}; give it other texts") from None

    def loaded(self) -> list[Path]:
        """The files that are loaded, the one that was not used for the longest time first."""
        return self._pool.loaded()

    def pids(self) -> list[int]:
        """The processes of the models that are loaded."""
        return self._pool.pids()

    def unload_idle(self, seconds: float) -> int:
        """Unloads what was not used for that long; gives the number of models unloaded."""
        return self._pool.unload_idle(seconds)

    def close(self) -> None:
        """Unloads every model that is not in use; the engine can still be called, and loads again."""
        self.unload_idle(0)

    def __del__(self) -> None:
        if hasattr(self, "_pool") and sys is not None and not sys.is_finalizing():  # else `close_all` has been here
            self.close()

    def _results(
        self, model: MicroModel, inputs: Sequence[Mapping[str, Any]], options: Options, choices: tuple[str, ...]
    ) -> list[MicroResult | ToolError]:
        started = time.perf_counter()
        given = [_accepted(model, row) for row in inputs]
        rows = [row for row in given if not isinstance(row, ToolError)]
        answers: list[Answer | ToolError] = []
        if rows:
            answers = self._answers(model, rows, options, choices) if model.form == "gguf" else _plain(model, rows)
        if model.kind == "extract":
            answers = [_extracted(model, row, answer) for row, answer in zip(rows, answers, strict=True)]
        share = (time.perf_counter() - started) / max(1, len(given))
        found = iter(answers)
        every = (row if isinstance(row, ToolError) else next(found) for row in given)
        return [one if isinstance(one, ToolError) else _result(one, share) for one in every]

    def _answers(
        self, model: MicroModel, rows: list[Row], options: Options, choices: tuple[str, ...]
    ) -> list[Answer | ToolError]:
        def ask(worker: Worker, some: list[Row]) -> list[Answer | ToolError]:
            return worker.answers(some, options, choices, self._time(len(some)))

        try:
            return self._with_worker(model, lambda worker: ask(worker, rows))
        except WorkerDied:
            # Another call of the same batch may have been the reason: this one is asked again where it is alone.
            return self._suspects.search(model, rows, ask)

    def _with_worker(self, model: MicroModel, ask: Callable[[Worker], T]) -> T:
        """Asks a worker, and another one where it had to make room for the model of another process."""
        for _ in range(MOST_MOVES):
            try:
                with self._pool.use(model) as worker:
                    return ask(worker)
            except WorkerRetired:
                pass
        way = "other runs of zooid use the memory; give more with the setting micro_memory_mb, or try again later"
        raise ToolError(f"{model.name}: its process was ended {MOST_MOVES} times before it came to this call: {way}")

    def _time(self, rows: int) -> float:
        return self.seconds + ROW_SECONDS * (rows - 1)


def _result(answer: Answer, seconds: float) -> MicroResult:
    value, sure, took, gave, probabilities = answer
    return MicroResult(value, sure, seconds, took, gave, tuple(probabilities))


def _plain(model: MicroModel, rows: list[Row]) -> list[Answer | ToolError]:
    """The answers of a model that is no network, which takes no tokens and needs no worker."""
    kind = str if model.kind == "classify" else TYPES[model.output]
    found: list[Answer | ToolError] = []
    for text, sure, shares in plain.answers(model, rows):
        try:
            found.append((kind(text), sure, 0, 0, list(shares)))
        except ValueError:
            found.append(ToolError(f"{model.name} answered {text!r}, which is no {model.output}; ask in other words"))
    return found


def _extracted(model: MicroModel, row: Row, answer: Answer | ToolError) -> Answer | ToolError:
    if isinstance(answer, ToolError) or any(str(answer[0]) in text for text in row.values()):
        return answer
    return ToolError(f"{model.name} answered {answer[0]!r}, which is not in the text; ask in other words")


Ask = Callable[[Worker, list[Row]], list[Answer | ToolError]]


class _Suspects:
    """Asks what may have crashed a worker again, in a private worker, one call at a time. The worker is kept for as
    long as calls wait for it, and started again each time it crashed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn, self._counting, self._waiting = threading.Lock(), threading.Lock(), 0
        self._model: MicroModel | None = None
        self._worker: Worker | None = None

    def search(self, model: MicroModel, rows: list[Row], ask: Ask) -> list[Answer | ToolError]:
        """The answers of all rows; of those that crash the worker, which is found by halving, the error."""
        with self._counting:
            self._waiting += 1
        try:
            with self._turn:
                return self._search(model, rows, ask)
        finally:
            with self._counting:
                self._waiting -= 1
                if not self._waiting:
                    self._close()

    def _search(self, model: MicroModel, rows: list[Row], ask: Ask) -> list[Answer | ToolError]:
        try:
            return ask(self._of(model), rows)
        except WorkerDied as died:
            if len(rows) == 1:
                text = cut(" ".join(rows[0].values()), 60)
                way = "ask it in other words, or export the model again"
                return [ToolError(f"{model.name}: the process of the model {died} over {text!r}; {way}")]
        half = len(rows) // 2
        return self._search(model, rows[:half], ask) + self._search(model, rows[half:], ask)

    def _of(self, model: MicroModel) -> Worker:
        if self._worker is None or not self._worker.alive() or self._model != model:
            self._close()
            self._worker, self._model = self._pool.start(model), model
        return self._worker

    def _close(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = self._model = None


_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()


@atexit.register
def close_all() -> None:
    """Ends the workers of every engine of this program."""
    for engine in list(_ENGINES):
        engine.close()


def _accepted(model: MicroModel, inputs: Mapping[str, Any]) -> Row | ToolError:
    try:
        return _accept(model, inputs)
    except ToolError as error:
        return error


def _accept(model: MicroModel, inputs: Mapping[str, Any]) -> Row:
    """The inputs as texts; raises ArgumentError, naming the parameter, where they do not fit the manifest."""
    unknown = set(inputs) - {i.name for i in model.inputs}
    if unknown:
        wanted = ", ".join(i.name for i in model.inputs)
        raise ArgumentError(f"{model.name} takes {wanted}, not {', '.join(sorted(unknown))}; name its arguments so")
    return {i.name: _accept_one(model, i, inputs.get(i.name)) for i in model.inputs}


def _accept_one(model: MicroModel, wanted: Input, value: object) -> str:
    kind = TYPES[wanted.type]
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if not fits or (isinstance(value, str) and not value.strip()):
        found = "empty" if isinstance(value, str) else "missing" if value is None else f"of type {type(value).__name__}"
        raise ArgumentError(f"{model.name}: `{wanted.name}` is {found}; give {wanted.doc} ({wanted.type})")
    text = " ".join(str(value).split()).encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no text
    if model.kind != "classify" and len(text.encode("utf-8")) > model.max_input:
        # a classifier can judge by the beginning; what is made from half of an input would be wrong, and look right
        raise ArgumentError(f"{model.name}: `{wanted.name}` has more than {model.max_input} bytes; give a shorter one")
    return text.lower() if model.lower else text

"""Asks micro-models: checks what they are given, has their workers answer, and finds the call that made one crash."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.errors import ArgumentError, ToolError
from tools.micro.asker import Answer, Row, Value, cut, stretches
from tools.micro.choose import Options
from tools.micro.llama import Tuning
from tools.micro.manifest import TYPES, Input, MicroModel
from tools.micro.pool import Pool
from tools.micro.worker import Worker, WorkerDied

__all__ = ["Engine", "MicroResult", "Options", "cut", "stretches"]

CALL_SECONDS = 60.0
ROW_SECONDS = 0.5  # more for each row beyond the first


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
    """

    def __init__(
        self,
        gpu_layers: int = -1,
        budget: int = 512 * 1024 * 1024,
        threads: int = 1,
        seconds: float = CALL_SECONDS,
        tuning: Tuning | None = None,
    ) -> None:
        self.gpu_layers, self.budget, self.threads, self.seconds = gpu_layers, budget, threads, seconds
        self._pool = Pool(budget, gpu_layers, tuning or Tuning(threads))
        self._alone = threading.Lock()
        _ENGINES.add(self)

    def call(self, model: MicroModel, inputs: Mapping[str, Any], options: Options | None = None) -> MicroResult:
        """Asks the model once; raises ArgumentError for inputs that do not fit, ModelFileError for an unusable file."""
        return self.call_many(model, [inputs], options)[0]

    def call_many(
        self, model: MicroModel, inputs: Sequence[Mapping[str, Any]], options: Options | None = None
    ) -> list[MicroResult]:
        """Asks the model for every row of inputs, in one batch; the results are in the order of the rows."""
        return self._results(model, inputs, options or Options(), ())

    def choose(self, model: MicroModel, inputs: Mapping[str, Any], choices: Sequence[str]) -> MicroResult:
        """Which of the given texts the model finds likeliest as its answer, and each one's share."""
        if not choices or not all(choices):
            raise ArgumentError(f"{model.name}: give at least one choice, and none that is empty")
        return self._results(model, [inputs], Options(), tuple(choices))[0]

    def embed(self, model: MicroModel, texts: Sequence[str]) -> list[list[float]]:
        """A vector of length 1 for each text."""
        with self._pool.use(model) as worker:
            try:
                vectors: list[list[float]] = worker.ask(("embed", list(texts)), self._time(len(texts)))
            except WorkerDied as died:
                raise ToolError(f"{model.name}: the process of the model {died}; give it other texts") from None
            return vectors

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
        if hasattr(self, "_pool"):
            self.close()

    def _results(
        self, model: MicroModel, inputs: Sequence[Mapping[str, Any]], options: Options, choices: tuple[str, ...]
    ) -> list[MicroResult]:
        started = time.perf_counter()
        rows = [_accept(model, row) for row in inputs]
        if not rows:
            return []
        answers = self._answers(model, rows, options, choices)
        share = (time.perf_counter() - started) / len(rows)
        return [MicroResult(value, sure, share, took, gave, tuple(p)) for value, sure, took, gave, p in answers]

    def _answers(self, model: MicroModel, rows: list[Row], options: Options, choices: tuple[str, ...]) -> list[Answer]:
        def ask(worker: Worker, some: list[Row]) -> list[Answer]:
            answers: list[Answer] = worker.ask(("ask", some, options, choices), self._time(len(some)))
            return answers

        try:
            with self._pool.use(model) as worker:
                return ask(worker, rows)
        except WorkerDied:
            pass
        # Another call of the same batch may have been the reason: this one is asked again where it is alone.
        with self._alone, _Lonely(self._pool, model) as lonely:
            return _search(model, rows, lambda some: ask(lonely.worker(), some))

    def _time(self, rows: int) -> float:
        return self.seconds + ROW_SECONDS * (rows - 1)


class _Lonely:
    """A worker for calls that may crash it, started again each time they did."""

    def __init__(self, pool: Pool, model: MicroModel) -> None:
        self._pool, self._model = pool, model
        self._worker: Worker | None = None

    def worker(self) -> Worker:
        if self._worker is None or not self._worker.alive():
            self.__exit__()
            self._worker = self._pool.start(self._model)
        return self._worker

    def __enter__(self) -> _Lonely:
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.close()


def _search(model: MicroModel, rows: list[Row], ask: Callable[[list[Row]], list[Answer]]) -> list[Answer]:
    """Asks rows again, in halves where they crash the worker, until the one that does so is found."""
    try:
        return ask(rows)
    except WorkerDied as died:
        if len(rows) == 1:
            text = " ".join(rows[0].values())
            raise ToolError(
                f"{model.name}: the process of the model {died} over {cut(text, 60)!r}; ask it in other words, or "
                f"export the model again"
            ) from None
    half = len(rows) // 2
    return _search(model, rows[:half], ask) + _search(model, rows[half:], ask)


_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()


@atexit.register
def close_all() -> None:
    """Ends the workers of every engine of this program."""
    for engine in list(_ENGINES):
        engine.close()


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
    text = " ".join(str(value).split())
    if model.kind == "generate" and len(text.encode("utf-8")) > model.max_input:
        # a classifier can judge by the beginning; what is made from half of an input would be wrong, and look right
        raise ArgumentError(f"{model.name}: `{wanted.name}` has more than {model.max_input} bytes; give a shorter one")
    return text.lower() if model.lower else text

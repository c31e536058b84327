"""A trial of something that answers rows: its figure on the validation part, its size and its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.errors import ModelFileError, ToolError
from tools.forge.candidate import Job, Made, Row
from tools.forge.score import score
from tools.micro import Engine, MicroModel, load
from tools.micro.manifest import Figure

TIMED_SECONDS = 2.0

Answers = list[str | None]
"""An answer a row; None where there is none."""
Ask = Callable[[Sequence[Row]], Answers]


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried, and how it does: its figure on the validation part, bytes, calls a second, seconds to make.

    `made` is None for what was there before: a version that is called now, or a rule of the person's own.
    """

    name: str
    ask: Ask
    valid: Figure
    rate: float
    size: int = 0
    seconds: float = 0.0
    made: Made | None = None


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def takes(model: MicroModel) -> tuple[str, tuple[str, ...]]:
    return model.kind, tuple(one.name for one in model.inputs)


# -- asking what was made


def asker(engine: Engine, folder: Path) -> Ask:
    """Asks through the engine, as everybody will: every figure is that of the very file that is registered."""
    model = load(folder)

    def ask(rows: Sequence[Row]) -> Answers:
        answers: Answers = []
        for at in range(0, len(rows), 256):
            answers += _answers(engine, model, rows[at : at + 256])
        return answers

    return ask


def _answers(engine: Engine, model: MicroModel, rows: Sequence[Row]) -> Answers:
    """The answers; a row that the model refuses has none."""
    try:
        return [str(result.value) for result in engine.call_many(model, [row.inputs for row in rows])]
    except ModelFileError:
        raise
    except ToolError:
        if len(rows) == 1:
            return [None]
        half = len(rows) // 2
        return _answers(engine, model, rows[:half]) + _answers(engine, model, rows[half:])


def measured(name: str, ask: Ask, job: Job) -> Tried:
    valid = score(name, job.metric, job.valid, ask(job.valid))
    return Tried(name, ask, valid, _rate(ask, job.valid))


def _rate(ask: Ask, rows: Sequence[Row]) -> float:
    """Calls a second, one at a time."""
    started, done = time.monotonic(), 0
    for row in rows[:300]:
        ask([row])
        done += 1
        if time.monotonic() - started > TIMED_SECONDS:
            break
    return done / (time.monotonic() - started)


def shown(best: Tried, job: Job) -> list[Row]:
    """Three short held-out rows that the model answers rightly: what `zooid models check` asks it."""
    rows = sorted(job.valid[:200], key=lambda row: sum(map(len, row.inputs.values())))
    right = [row for row, answer in zip(rows, best.ask(rows), strict=True) if answer == row.output] or rows[:1]
    firsts = {row.output: row for row in reversed(right)}
    return list(firsts.values())[:3] if job.kind == "classify" else right[:3]

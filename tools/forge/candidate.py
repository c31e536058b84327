"""What the forge asks of a candidate: a way to make a micro-model from rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from tools.micro.manifest import Kind

Metric = Literal["accuracy", "macro-f1"]


@dataclass(frozen=True, slots=True)
class Row:
    """Inputs as the engine gives them to a model (white space single), what must come out, and what else counts."""

    inputs: dict[str, str]
    output: str
    also: tuple[str, ...] = ()

    def right(self, answer: object) -> bool:
        """Whether an answer is the row's output or as good as it."""
        return str(answer) == self.output or str(answer) in self.also


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made, and what it may take.

    `labels` are the answers of a classifier, the commonest first. `seconds` is the CPU time that one candidate may
    take for training. `work` is a folder of the candidate's own, in which it keeps what it needs to go on after a kill;
    it is the same folder only while data, split, seed and settings are.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    train: Sequence[Row]
    valid: Sequence[Row]
    metric: Metric
    seed: int
    seconds: float
    work: Path
    threads: int = 1
    base: Path | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training is: steps, the smoothed loss, and the seconds that are left."""

    step: int
    steps: int
    loss: float
    left: float


@dataclass(frozen=True, slots=True)
class Made:
    """A model's file in a folder, and what the manifest says of how it is asked.

    `fields` are top-level fields of the manifest as in `tools.micro.manifest`: `form`, and for a GGUF `template`,
    `stop`, `max_tokens`; `max_input`, `lower` and `parts` for all. `tokens` are a GGUF's label tokens in the order of
    the job's labels.
    """

    folder: Path
    parameters: int
    fields: dict[str, Any]
    trained_with: str
    tokens: tuple[str, ...] = field(default=())


Tell = Callable[[Progress], None]


class Candidate(Protocol):
    """`name` is shown, such as "linear" or "gguf 0.5M"."""

    @property
    def name(self) -> str: ...

    def make(self, job: Job, folder: Path, tell: Tell) -> list[Made]:
        """Trains, and writes one model a subfolder of `folder`: the most exact first, then smaller packings of it.

        Raises Unfit where rows like these are nothing for it.
        """
        ...


class Unfit(Exception):
    """A candidate that cannot be made for a job; the message says why, and what would change it."""

"""The training loop of a network: one step after another, kept on disk, so that a killed training goes on as if not.

Every draw of a step follows from the seed and the number of the step. What is kept is therefore the weights, the
optimiser, the averages and the number of the step, and a training that was killed ends with the very same weights.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from tools.forge.candidate import Progress, Tell
from tools.forge.export import unwritable
from tools.forge.network import Pace, Weights

EVERY, SAY = 20.0, 0.5
"""Seconds between two states on disk, and between two reports."""
BEYOND = 2.0
"""How many times the planned seconds a training may take before it is stopped where it is."""
CHECKS = (0.15, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95, 1.0)
"""The shares of the steps after which the network is measured; the best of them is what comes out."""


class Lesson(Protocol):
    """What is learnt: a loss to go down, and a score on rows that are not trained on, higher for better."""

    def loss(self, weights: Weights, step: int) -> Any: ...

    def score(self, weights: Weights) -> float: ...


@dataclass(frozen=True)
class Course:
    """How a training goes: its pace, its seed, the CPU seconds that were planned, and what must be equal to go on."""

    pace: Pace
    seed: int
    seconds: float
    mark: str
    averaged: float = 0.02  # the share of the steps that the averaged weights look back on


@dataclass
class State:
    """Where a training is; `average` are the averaged weights, `best` those of the highest score so far."""

    step: int
    weights: Weights
    average: Weights
    best: Weights = field(default_factory=dict)
    score: float = -1.0
    mean: float = 0.0
    spent: float = 0.0
    note: str = ""


def learn(weights: Weights, lesson: Lesson, course: Course, path: Path, tell: Tell) -> State:
    """Trains, from where `path` has it; gives the state with the best weights.

    Only weights that want a gradient are trained. Raises ToolError where the state cannot be kept on disk.
    """
    state = State(0, weights, {name: w.detach().clone() for name, w in weights.items() if w.requires_grad})
    trained = [w for w in weights.values() if w.requires_grad]
    optimiser = torch.optim.AdamW(
        _groups(trained, course.pace.decay), lr=course.pace.rate, betas=(0.9, 0.98), fused=True
    )
    _restore(state, optimiser, course, path)
    clock = _Clock(state, course)
    while state.step < course.pace.steps and not state.note:
        _step(state, trained, optimiser, lesson, course)
        over = clock.over(state)
        if over or state.step in {max(1, int(share * course.pace.steps)) for share in CHECKS}:
            _measure(state, lesson)
        state.note = over
        clock.say(state, tell)
        if clock.due() or state.note or state.step == course.pace.steps:
            keep(state, optimiser, course, path)
            clock.kept()
    return state


def _groups(trained: list[Any], decay: float) -> list[dict[str, Any]]:
    matrices = [w for w in trained if w.dim() > 1]
    groups = [{"params": matrices, "weight_decay": decay}]
    norms = [w for w in trained if w.dim() == 1]
    return groups + ([{"params": norms, "weight_decay": 0.0}] if norms else [])


def _step(state: State, trained: list[Any], optimiser: Any, lesson: Lesson, course: Course) -> None:
    torch.manual_seed(course.seed * 1_000_003 + state.step)
    for group in optimiser.param_groups:
        group["lr"] = course.pace.at(state.step)
    loss = lesson.loss(state.weights, state.step)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimiser.step()
    state.step += 1
    state.mean = loss.item() if state.step == 1 else 0.98 * state.mean + 0.02 * loss.item()
    back = max(10.0, course.averaged * course.pace.steps)
    share = 1 / min(back, 1 + state.step / 5)
    with torch.no_grad():
        torch._foreach_lerp_(list(state.average.values()), trained, share)


def _measure(state: State, lesson: Lesson) -> None:
    """Scores the averaged weights; of two that are alike the later ones are kept."""
    with torch.no_grad():
        score = lesson.score(state.weights | state.average)
    if score >= state.score:
        state.score, state.best = score, {name: w.clone() for name, w in state.average.items()}


class _Clock:
    """Time on the wall for reports and for what is left, CPU time for the limit."""

    def __init__(self, state: State, course: Course) -> None:
        self.course, self.first = course, state.step
        self.begin = self.said = self.saved = time.monotonic()
        self.earlier, self.cpu, self.took = state.spent, _spent(), 0.0

    def over(self, state: State) -> str:
        """Why the training has to stop now, or nothing."""
        state.spent = self.earlier + _spent() - self.cpu
        if state.spent <= BEYOND * self.course.seconds or state.step == self.course.pace.steps:
            return ""
        return f"stopped at step {state.step} of {self.course.pace.steps}, after {state.spent:.0f} s of CPU"

    def say(self, state: State, tell: Tell) -> None:
        now = time.monotonic()
        if now - self.said >= SAY or state.step == self.course.pace.steps:
            each = (now - self.begin) / max(1, state.step - self.first)
            tell(Progress(state.step, self.course.pace.steps, state.mean, each * (self.course.pace.steps - state.step)))
            self.said = now

    def due(self) -> bool:
        """A large state takes long to write, and is then written more seldom."""
        return time.monotonic() - self.saved >= max(EVERY, 20 * self.took)

    def kept(self) -> None:
        now = time.monotonic()
        self.took, self.saved = min(self.took, now - self.saved) if self.took else 0.0, now


def _spent() -> float:
    return time.process_time() if not torch.cuda.is_available() else time.monotonic()


def keep(state: State, optimiser: Any, course: Course, path: Path) -> None:
    """Writes the state beside its place and moves it there whole; raises ToolError where it cannot be written."""
    kept = {name: getattr(state, name) for name in ("step", "average", "best", "score", "mean", "spent", "note")}
    kept["weights"] = {name: state.weights[name].detach() for name in state.average}
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            torch.save({**kept, "optimiser": optimiser.state_dict(), "mark": course.mark}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        raise unwritable(path, _cause(error)) from error


def _cause(error: BaseException) -> OSError:
    """PyTorch wraps what the disk said in an error of its own."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__ or found.__context__
    return found if isinstance(found, OSError) else OSError(str(error).splitlines()[0])


def _restore(state: State, optimiser: Any, course: Course, path: Path) -> None:
    """Goes on from what is kept, if it is of the same training; a file that cannot be read is as good as none."""
    try:
        kept = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        return
    except Exception:
        return
    if kept.pop("mark", "") != course.mark:
        return
    optimiser.load_state_dict(kept.pop("optimiser"))
    with torch.no_grad():
        for name, values in kept.pop("weights").items():
            state.weights[name].copy_(values)
        for name, values in kept.pop("average").items():
            state.average[name].copy_(values)
    device = next(iter(state.average.values())).device
    state.best = {name: w.to(device) for name, w in kept.pop("best").items()}
    for name, value in kept.items():
        setattr(state, name, value)


def trainable(weights: Weights, device: str) -> Weights:
    """The same weights on a device, as leaves that want a gradient."""
    return {name: w.detach().to(device).requires_grad_() for name, w in weights.items()}

"""Judge: which reading of a goal to take, and how sure that is, by the planner's micro-models."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.planners.embedded.candidates import Candidate, Subject
from agent.planners.embedded.network import MODELS, Network
from agent.planners.embedded.signs import signs, text
from agent.planners.embedded.words import Token
from tools.registry import Registry

CALIBRATION = "calibration.json"
SURE = 0.55  # the share of a goal's words that the code must understand to be sure of its own reading


@dataclass(frozen=True)
class Verdict:
    """A reading, and the probability that it does what the goal asks for."""

    reading: Candidate
    sure: float


class Judge:
    """Asks the micro-models about the readings of a goal. Raises ToolError where they cannot run."""

    def __init__(self, tools: Registry, folder: Path = MODELS) -> None:
        self._tools, self._folder = tools, folder

    @cached_property
    def network(self) -> Network:
        return Network(self._tools, self._folder)

    @cached_property
    def calibration(self) -> dict[str, Any]:
        """The weights of what makes it sure, and the bars, as they were fitted on held-out goals."""
        values: dict[str, Any] = json.loads((self._folder / CALIBRATION).read_text(encoding="utf-8"))
        return values

    def needed(self, reads: bool, alone: bool) -> float:
        """How sure a reading must be: the bar beside a large planner, or the lower ones where there is none."""
        bars = self.calibration["bars"]
        return float(bars["beside"] if not alone else bars["alone"] if reads else bars["writing"])

    def best(self, subject: Subject) -> Verdict | None:
        """The reading that does most probably what the goal asks for; None where there is none."""
        found, fits = self.weighed(subject)
        if not found:
            return None
        own = understood(subject.words, found[0])
        place = choose(fits, own, float(self.calibration["level"]))
        return Verdict(found[place], self.confidence(features(fits, place, found[place], own)))

    def weighed(self, subject: Subject) -> tuple[list[Candidate], list[float]]:
        """The readings of a goal, and what `fits` says of each."""
        found = subject.candidates(self.network.pick)
        return found, self.network.fits([text(signs(subject, one)) for one in found])

    def confidence(self, features: list[float]) -> float:
        """Features as a probability: logistic regression."""
        weights = self.calibration["weights"]
        total = self.calibration["bias"] + math.fsum(w * f for w, f in zip(weights, features, strict=True))
        return 1.0 / (1.0 + math.exp(-total))


def understood(words: list[Token], found: Candidate) -> float:
    """The share of the words that matter which a reading of the code's own explains; 0 for one that it did not find."""
    total = sum(word.weight for word in words)
    known = total - sum(words[n].weight for n in found.open)
    return known / total if total and not found.added else 0.0


def choose(fits: list[float], own: float, level: float) -> int:
    """The place of the reading to take: the one that fits best; but where the code is sure of its own, which is the
    first, only one that fits at `level` or better displaces it. `own` is how sure the code is, 0 where it has none."""
    best = max(range(len(fits)), key=fits.__getitem__)
    return 0 if own >= SURE and fits[best] < level else best


def features(fits: list[float], place: int, one: Candidate, own: float) -> list[float]:
    """What makes a choice sure: how well it fits, how well the next best does, words left open, and what the code says
    of it where it is the code's own."""
    others = [chance for n, chance in enumerate(fits) if n != place]
    mine = own if place == 0 else 0.0
    after = _logit(max(others, default=0.0))
    return [_logit(fits[place]), after, float(len(one.open)), mine, float(mine >= 0.75), float(mine == 1.0)]


def _logit(chance: float) -> float:
    chance = min(max(chance, 1e-4), 1 - 1e-4)
    return math.log(chance / (1 - chance))

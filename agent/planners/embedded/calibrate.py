"""Fits how sure the embedded planner is, on held-out goals, and sets the bars.

    python -m agent.planners.embedded.calibrate [--count 2000] [--seed 2] [--models FOLDER]

First how well another reading must fit to displace one that the code is sure of: the highest level with which about as
many goals are read as they are meant as with any. Then logistic regression over `judge.features`. The bars are set on
the half of the goals that it was not fitted on, each the lowest above which the wanted share is right: alone, of the
goals that the code does not understand, for only those are asked about; beside a large planner, of all. Writes
`calibration.json` beside the micro-models.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.planners.embedded.candidates import Candidate
from agent.planners.embedded.judge import CALIBRATION, Judge, choose, features, understood
from agent.planners.embedded.network import MODELS
from agent.planners.embedded.rows import Maker, core, sample

WANTED = {"alone": 0.92, "writing": 0.94, "beside": 0.985}  # the share that must be right above each bar
LEVELS = (0.3, 0.5, 0.7, 0.9)
RIDGE = 1e-2


@dataclass(frozen=True)
class Judged:
    """The readings of a goal: what `fits` says of each, which are right, and how sure the code is of its own."""

    found: list[Candidate]
    fits: list[float]
    right: list[bool]
    own: float

    def chosen(self, level: float) -> int:
        return choose(self.fits, self.own, level)

    def features(self, level: float) -> list[float]:
        place = self.chosen(level)
        return features(self.fits, place, self.found[place], self.own)


def judged(count: int, seed: int, models: Path) -> list[Judged]:
    maker = Maker("held", random.Random(f"{seed} calibrate"))
    judge = Judge(maker.tools, models)
    found = []
    for goal, wanted in sample(maker, count):
        subject = maker.subject(goal.text)
        some, fits = judge.weighed(subject)
        if some:
            own = understood(subject.words, some[0])
            found.append(Judged(some, fits, [core(one.plan) == wanted for one in some], own))
    return found


def best_level(rows: list[Judged]) -> float:
    """The highest level with which no more than half a percent fewer readings are right than with the best."""
    right = {level: sum(row.right[row.chosen(level)] for row in rows) for level in LEVELS}
    return max(level for level in LEVELS if right[level] >= 0.995 * max(right.values()))


def fitted(rows: list[Judged], level: float) -> dict[str, Any]:
    """Weights and bias by Newton's method, kept small by a ridge."""
    import numpy

    x = numpy.array([[*row.features(level), 1.0] for row in rows])
    y = numpy.array([float(row.right[row.chosen(level)]) for row in rows])
    w = numpy.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + numpy.exp(-x @ w))
        slope = x.T @ (p - y) / len(y) + RIDGE * w
        bend = (x * (p * (1 - p))[:, None]).T @ x / len(y) + RIDGE * numpy.eye(len(w))
        w -= numpy.linalg.solve(bend, slope)
    return {"level": level, "weights": [round(float(v), 4) for v in w[:-1]], "bias": round(float(w[-1]), 4)}


def bar(rows: list[tuple[float, bool]], wanted: float) -> float:
    """The lowest confidence from which on at least the wanted share is right."""
    best, right = 0.999, 0
    for n, (sure, good) in enumerate(sorted(rows, reverse=True), 1):
        right += good
        if n >= 50 and right / n >= wanted:
            best = sure
    return round(best, 4)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--count", type=int, default=2000)
    parse.add_argument("--seed", type=int, default=2)
    parse.add_argument("--models", type=Path, default=MODELS)
    ask = parse.parse_args()
    rows = judged(ask.count, ask.seed, ask.models)
    for level in LEVELS:
        print(f"level {level:g}: {sum(row.right[row.chosen(level)] for row in rows)} of {len(rows)} right", flush=True)
    level = best_level(rows)
    values = fitted(rows[::2], level)
    judge = Judge(Maker("held", random.Random(0)).tools, ask.models)
    judge.calibration = values
    rest = [(judge.confidence(row.features(level)), row.right[row.chosen(level)], row.own) for row in rows[1::2]]
    every = [(sure, right) for sure, right, _ in rest]
    asked = [(sure, right) for sure, right, own in rest if own < 1]
    values["bars"] = {name: bar(every if name == "beside" else asked, wanted) for name, wanted in WANTED.items()}
    (ask.models / CALIBRATION).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(values))


if __name__ == "__main__":
    main()

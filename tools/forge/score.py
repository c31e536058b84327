"""How good answers are: the metric of a spec in percent, with its 95 % interval."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from tools.forge import measure
from tools.forge.candidate import Metric, Row
from tools.micro.manifest import Figure

RESAMPLES = 1000


def score(name: str, metric: Metric, rows: Sequence[Row], answers: Sequence[str | None]) -> Figure:
    """The figure of answers to rows; None is a row that was not answered, and is wrong."""
    if metric == "macro-f1":
        low, high = _interval(rows, answers)
        return Figure(name, len(rows), round(_macro_f1(rows, answers), 1), low, high)
    right = sum(row.right(answer) for row, answer in zip(rows, answers, strict=True) if answer is not None)
    figure = measure.Figure(len(rows), right)
    return Figure(name, len(rows), figure.value, *figure.interval)


def _macro_f1(rows: Sequence[Row], answers: Sequence[str | None]) -> float:
    """The mean over the labels of the harmonic mean of precision and recall, in percent."""
    hits = Counter(row.output for row, answer in zip(rows, answers, strict=True) if row.output == answer)
    wanted, given = Counter(row.output for row in rows), Counter(answer for answer in answers if answer)
    labels = wanted.keys() | given.keys()
    return 100 * sum(2 * hits[label] / (wanted[label] + given[label]) for label in labels) / len(labels)


def _interval(rows: Sequence[Row], answers: Sequence[str | None]) -> tuple[float, float]:
    """Percentile bootstrap over the rows; Efron, 1979."""
    chance, found = random.Random(0), []
    for _ in range(RESAMPLES):
        picked = chance.choices(range(len(rows)), k=len(rows))
        found.append(_macro_f1([rows[n] for n in picked], [answers[n] for n in picked]))
    found.sort()
    return round(found[int(0.025 * RESAMPLES)], 1), round(found[int(0.975 * RESAMPLES)], 1)

"""Figures with their intervals, and splits that never move."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A share of right answers, in percent, with its 95 % interval (Wilson) and the number of rows."""

    rows: int
    right: int

    @property
    def value(self) -> float:
        return round(100 * self.right / self.rows, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high end in percent; E. B. Wilson, 1927."""
        n, p, z = self.rows, self.right / self.rows, 1.96
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return round(100 * max(0.0, centre - half), 1), round(100 * min(1.0, centre + half), 1)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.1f} % ({low:.1f} to {high:.1f}, {self.rows} rows)"


def held_out(key: str, percent: int) -> bool:
    """Whether a row is held out: by a hash of its key, so that it stays so whatever rows come or go."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % 100 < percent


def figure(answers: list[str], right: list[set[str]]) -> Figure:
    """Counts the answers that are among the right ones."""
    return Figure(len(answers), sum(a in r for a, r in zip(answers, right, strict=True)))

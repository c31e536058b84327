"""What a goal names, as the planner knows it: a thing of some kind, and the words that name it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from agent.planners.embedded.words import Token
from agent.router import stem

Kind = Literal[
    "path", "folder", "files", "glob", "number", "decimals", "numeral", "date", "unit", "column", "where", "query",
    "literal", "url", "order", "table", "lines", "swap",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entity:
    """Something a goal names. `places` are the positions of the tokens that name it."""

    kind: Kind
    value: Any
    places: frozenset[int]
    exists: bool = True
    percent: bool = False
    exact: bool = True  # named in full
    measured: str = ""  # of a column: `numbers`, `dates` or `times` where all its cells are such

    @property
    def at(self) -> int:
        return min(self.places)


def names(name: str) -> list[str]:
    """The words of an identifier: `total_bill` and `totalBill` are total, bill."""
    return [stem(part.lower()) for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def runs(tokens: list[Token], words: list[str]) -> Iterator[frozenset[int]]:
    """The places where the words stand one after the other."""
    stems = [stem(token.lower) for token in tokens]
    for n in range(len(tokens) - len(words) + 1 if words else 0):
        if stems[n : n + len(words)] == words:
            yield frozenset(range(n, n + len(words)))

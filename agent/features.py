"""What a text shows a classifier: its words, pairs of them and runs of characters, as sparse rows."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Array = Any  # a numpy array; numpy is imported where it is used, because that costs a tenth of a second

_BLOCK = 256  # texts that are multiplied at a time: dense blocks are faster than rows one by one


def grams(text: str) -> list[str]:
    """Words, pairs of words, pairs with one word between, and runs of 3 to 5 characters inside words."""
    words = ["<", *re.findall(r"\w+|[^\w\s]", text.lower()), ">"]
    found = words + [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
    found += [f"{a} * {b}" for a, b in zip(words, words[2:], strict=False)]
    for word in words[1:-1]:
        padded = f" {word[:30]} "
        found += ["#" + padded[i : i + n] for n in (3, 4, 5) for i in range(len(padded) - n + 1)]
    return found


class Vocabulary:
    """The grams that are known, by row. Common ones weigh as much as rare ones: they tell how something is asked."""

    def __init__(self, rows: dict[str, int], first: int | None = None) -> None:
        self.rows = rows
        self.first = len(rows) if first is None else first  # those that were there from the start set a text's length

    @classmethod
    def of(cls, texts: Sequence[str], least: int = 2) -> Vocabulary:
        """The grams of at least `least` texts."""
        counts = Counter(gram for text in texts for gram in set(grams(text)))
        kept = sorted(gram for gram, count in counts.items() if count >= least)  # the same order in every process
        return cls({gram: row for row, gram in enumerate(kept)})

    def grow(self, texts: Sequence[str]) -> None:
        """Take in the grams of texts; those that are there keep their rows."""
        for gram in sorted({gram for text in texts for gram in grams(text)} - self.rows.keys()):
            self.rows[gram] = len(self.rows)

    def vector(self, text: str) -> tuple[Array, Array]:
        """A text as rows, int64 of shape (n,), and weights, float32 of shape (n,).

        Words with their pairs and runs of characters are each of length 1, so that neither drowns the other.
        """
        import numpy as np

        parts: tuple[list[tuple[int, float]], list[tuple[int, float]]] = ([], [])
        for gram, count in Counter(grams(text)).items():
            row = self.rows.get(gram)
            if row is not None:
                parts[len(gram) > 1 and gram[0] == "#"].append((row, 1 + math.log(count)))
        rows, weights = [], []
        for part in parts:
            old = sum(weight * weight for row, weight in part if row < self.first)
            length = math.sqrt(old or sum(weight * weight for _, weight in part)) or 1.0
            rows += [row for row, _ in part]
            weights += [weight / length for _, weight in part]
        return np.array(rows, np.int64), np.array(weights, np.float32)

    def unknown(self, text: str) -> int:
        """How many of a text's words are in no example."""
        return sum(word not in self.rows for word in re.findall(r"\w+", text.lower()))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Sparse rows: text n has the columns `rows[starts[n]:starts[n + 1]]`."""

    starts: Array
    rows: Array
    weights: Array

    @classmethod
    def of(cls, vocabulary: Vocabulary, texts: Sequence[str]) -> Matrix:
        import numpy as np

        vectors = [vocabulary.vector(text) for text in texts]
        starts = np.cumsum([0] + [len(rows) for rows, _ in vectors])
        empty = np.empty(0)
        rows = np.concatenate([rows for rows, _ in vectors] or [empty]).astype(np.int64)
        return cls(starts, rows, np.concatenate([w for _, w in vectors] or [empty]).astype(np.float32))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, n: int) -> tuple[Array, Array]:
        part = slice(self.starts[n], self.starts[n + 1])
        return self.rows[part], self.weights[part]

    def part(self, wanted: Array) -> Matrix:
        """The texts of these numbers, int64 of shape (k,), as rows of their own."""
        import numpy as np

        lengths = np.diff(self.starts)[wanted]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.repeat(self.starts[wanted] - starts[:-1], lengths) + np.arange(starts[-1])
        return Matrix(starts, self.rows[places], self.weights[places])

    def join(self, other: Matrix) -> Matrix:
        """These texts, then those of another."""
        import numpy as np

        starts = np.concatenate([self.starts, other.starts[1:] + self.starts[-1]])
        both = [np.concatenate(pair) for pair in ((self.rows, other.rows), (self.weights, other.weights))]
        return Matrix(starts, *both)

    def times(self, table: Array) -> Array:
        """The product with a table of shape (grams, k): float32 of shape (texts, k)."""
        import numpy as np

        result = np.zeros((len(self), table.shape[1]), np.float32)
        if len(self) < _BLOCK // 8:
            for n in range(len(self)):
                rows, weights = self.row(n)
                result[n] = weights @ table[rows].astype(np.float32)
            return result
        for first in range(0, len(self), _BLOCK):
            block = self.part(np.arange(first, min(first + _BLOCK, len(self))))
            used, dense = block.dense()
            result[first : first + _BLOCK] = dense @ table[used].astype(np.float32)
        return result

    def dense(self) -> tuple[Array, Array]:
        """The columns that are not all zero, int64 of shape (n,), and the texts over them, float32 of (texts, n)."""
        import numpy as np

        used, place = np.unique(self.rows, return_inverse=True)
        dense: Array = np.zeros((len(self), len(used)), np.float32)
        dense[np.repeat(np.arange(len(self)), np.diff(self.starts)), place] = self.weights
        return used, dense

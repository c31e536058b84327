"""Words that are used alike: a vector a word, learnt from openly licensed texts (see `docs/router.md`).

`words.txt` holds the words, one a line without their endings, the commonest first, and `vectors.i8` as many rows of
signed bytes. A row's length is the word's weight in a text. Plain Python reads them, because numpy takes longer to
import than all of it.
"""

from __future__ import annotations

import math
from functools import cache
from operator import add
from pathlib import Path

_FOLDER = Path(__file__).parent
_RARE = 5000  # from this place on, a word is too rare to be told apart within a name


@cache
def _table() -> tuple[dict[str, int], memoryview, int]:
    """The row of each word, all rows, and how many numbers a row has."""
    names = (_FOLDER / "words.txt").read_text("utf-8").split()
    rows = memoryview((_FOLDER / "vectors.i8").read_bytes()).cast("b")
    return {name: n for n, name in enumerate(names)}, rows, len(rows) // len(names)


def vector(text: str) -> list[float] | None:
    """The direction that a text's words add up to, of length 1; None where it has no known word."""
    from agent.router import spelled, stem

    places, rows, size = _table()
    total = [0] * size
    for word in spelled(text):
        place = places.get(stem(word))
        if place is not None:
            total = list(map(add, total, rows[place * size : place * size + size]))
    length = math.sqrt(sum(number * number for number in total))
    return [number / length for number in total] if length else None


def parted(word: str) -> list[str]:
    """The words that a name was run together from: `gettempdir` is get, temp, dir. One that is common stays whole.

    Of all ways to part it, the one whose words are the commonest together is taken; none with a rare word in it.
    """
    from agent.router import stem

    places = _table()[0]
    if len(word) < 6 or places.get(stem(word), _RARE) < _RARE:
        return [word]
    best: dict[int, tuple[float, list[str]]] = {0: (0.0, [])}  # by how much of the name it covers
    for end in range(2, len(word) + 1):
        for start in range(max(0, end - 14), end - 1):
            place = places.get(stem(word[start:end]), _RARE)
            if start in best and place < _RARE:
                cost, parts = best[start]
                cost += 3 + math.log(place + 10)
                if end not in best or cost < best[end][0]:
                    best[end] = cost, [*parts, word[start:end]]
    found = best.get(len(word), (0.0, [word]))[1]
    return found if len(found) <= 5 else [word]

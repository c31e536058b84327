"""Which tools fit a text, by what the tools say of themselves: term overlap weighted by rarity, as in BM25.

Source of the weighting: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from tools.registry import Tool

_B, _K = 0.4, 1.2
_STOP = frozenset(
    "a an and are as at be by can do does for from has have how i in into is it its me my of on or please so that the "
    "their them then there these this to us was were what which who will with you your each every all".split()
)


def terms(text: str) -> list[str]:
    """The words of a text that carry meaning, in lower case and without inflection."""
    return [stem(word) for word in re.findall(r"[a-z]+|\d+", text.lower().replace("_", " ")) if word not in _STOP]


def stem(word: str) -> str:
    """A word without its commonest endings: enough that `counts`, `counted` and `counting` meet."""
    for ending, kept in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            base = word[: -len(ending)] + kept
            if ending in ("ing", "ed") and len(base) > 3 and base[-1] == base[-2] and base[-1] not in "ls":
                base = base[:-1]
            return base.removesuffix("e") if len(base) > 4 else base
    return word.removesuffix("e") if len(word) > 4 else word


class Router:
    """Ranks tools for a text. Made once for a registry; a query costs about 20 microseconds a tool."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = list(tools)
        self._counts = [Counter(self._words(tool)) for tool in self._tools]
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean = sum(self._lengths) / max(1, len(self._lengths))
        self._seen = Counter(word for counts in self._counts for word in counts)

    @staticmethod
    def _words(tool: Tool) -> list[str]:
        """A tool's words; its name says most, and what people ask for it by says more than its summary."""
        about = tool.about
        return 3 * terms(about.name) + 2 * terms(" ".join(about.asked_as)) + terms(about.summary)

    def rank(self, text: str) -> list[tuple[float, Tool]]:
        """All tools with their scores for `text`, best first; ties in the order of the registry."""
        words = set(terms(text))
        scored = [(self._score(words, n), tool) for n, tool in enumerate(self._tools)]
        return sorted(scored, key=lambda pair: -pair[0])

    def _score(self, words: set[str], n: int) -> float:
        counts, total = self._counts[n], 0.0
        for word in words & counts.keys():
            rarity = math.log(1 + (len(self._tools) - self._seen[word] + 0.5) / (self._seen[word] + 0.5))
            often = counts[word]
            total += rarity * often * (_K + 1) / (often + _K * (1 - _B + _B * self._lengths[n] / self._mean))
        return total

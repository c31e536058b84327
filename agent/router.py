"""Which tools fit a text, by what the tools say of themselves: term overlap weighted by rarity, as in BM25.

Source of the weighting: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from tools.registry import Tool

_B, _K = 0.4, 1.2
_HALF = 0.5  # what a word counts that only means the same
_STOP = frozenset(
    "a an and are as at be by can do does for from has have how i in into is it its me my of on or please so that the "
    "their them then there these this to us was were what which who will with you your each every all".split()
)
# Words that people use for the same thing; a word that is only meant alike counts half. General English, no tool's own.
_ALIKE = """
folder directory dir path; delete remove erase wipe unlink drop; make create generate build produce new; rename name
change modify alter edit update set; big large size bytes; size length long; copy duplicate clone; move put transfer
number integer int digit figure value; whole integer; decimal decimals float fraction; text string str
word string; list sequence iterable array items collection; entry item element row record; count number len many
biggest largest maximum highest top max greatest; smallest lowest minimum least min; average mean; middle median
sum total add; subtract minus difference; multiply product times; divide quotient ratio; root square cube
random chance arbitrary dice; choose pick select draw; shuffle mix; order sort arrange rank sorted
alphabetically ascending sort; put arrange order; find search look locate seek; match pattern regex regular
replace swap substitute exchange; split break separate divide cut; join combine concatenate merge connect
file document; line row; compare difference diff same equal; identical same equal; close similar near alike
read load parse input open; write save store dump output; show display print present; download fetch retrieve get
url link web address uri; page site website; web browser internet; email mail e; host computer machine server
ip address network; encode convert turn; decode convert; escape quote safe; compress zip pack shrink
uncompress decompress extract unpack unzip; archive zip tar tarball; hash digest checksum fingerprint
secret secure token key password; user login username account; name called title; program command process executable
run execute launch start call; stop kill end terminate exit quit; wait sleep pause delay suspend
time clock hour moment now current; date day calendar; week weekday day; month year calendar; leap february
last latest recent; change modify modification; zone timezone; memory ram size; disk storage drive space free usage
cpu processor core; version release; system os platform linux windows; env environment variable setting
inside contain content; exist there present; kind type sort class; link symlink shortcut symbolic
walk traverse recursive tree subfolder; tree directory subfolder recursive; paragraph text; wrap break line
certificate tls ssl; database sqlite sql; round nearest precision; binary base bit; spread deviation variance
common often frequent mode; money currency amount price; unique identifier id uuid; guess suggest
permission mode access
"""


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


@cache
def _alike() -> dict[str, set[str]]:
    """The stems that are meant alike, by stem."""
    found: dict[str, set[str]] = {}
    for group in re.split(r"[;\n]", _ALIKE):
        stems = {stem(word) for word in group.split()}
        for one in stems:
            found.setdefault(one, set()).update(stems - {one})
    return found


class Router:
    """Ranks tools for a text. Made once for a registry; a query of ten words costs half a millisecond for 500 tools."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = list(tools)
        self._counts = [Counter(self._words(tool)) for tool in self._tools]
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean = sum(self._lengths) / max(1, len(self._lengths))
        self._holding: dict[str, list[tuple[int, float]]] = {}  # by word, the tools that have it, with its score
        self._hold()

    def _hold(self) -> None:
        seen = Counter(word for counts in self._counts for word in counts)
        rarity = {word: math.log(1 + (len(self._tools) - often + 0.5) / (often + 0.5)) for word, often in seen.items()}
        for n, counts in enumerate(self._counts):
            base = _K * (1 - _B + _B * self._lengths[n] / max(1.0, self._mean))
            for word, often in counts.items():
                score = rarity[word] * often * (_K + 1) / (often + base)
                self._holding.setdefault(word, []).append((n, score))

    @staticmethod
    def _words(tool: Tool) -> list[str]:
        """A tool's words; its name says most, and what people ask for it by says more than its summary."""
        about = tool.about
        return 3 * terms(about.name) + 2 * terms(" ".join(about.asked_as)) + terms(about.summary)

    def rank(self, text: str) -> list[tuple[float, Tool]]:
        """All tools with their scores for `text`, best first; ties in the order of the registry."""
        words = set(terms(text))
        weights = dict.fromkeys(words, 1.0)
        for word in words:
            for other in _alike().get(word, ()):
                weights.setdefault(other, _HALF)
        totals = [0.0] * len(self._tools)
        for word, weight in weights.items():
            for n, score in self._holding.get(word, ()):
                totals[n] += weight * score
        return sorted(zip(totals, self._tools, strict=True), key=lambda pair: -pair[0])

"""Which tools fit a text, by what the tools say of themselves: words that are shared, and words that are used alike.

Source of the weighting: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from operator import mul
from types import MappingProxyType

from agent import words
from tools.registry import Tool

_B, _K = 0.4, 1.2
_ALIKE_SHARE = 0.7  # of a score: what words that are used alike count beside words that are shared
_NEWEST = 20  # texts that a tool is known to have answered, as many as are looked at
_HUMP = re.compile(r"([a-z0-9])([A-Z])")
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
    return [stem(word) for word in spelled(text) if word not in _STOP]


def spelled(text: str) -> list[str]:
    """The words and numbers of a text in lower case, those of a name such as `getHostName` apart."""
    return re.findall(r"[a-z]+|\d+", _HUMP.sub(r"\1 \2", text).lower().replace("_", " "))


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
    """Ranks tools for a text by what they say of themselves and by the texts that each is known to have answered.

    A tool is as near to a text as the nearest of these; near is by words that are shared and, more, by words that
    are used alike. Made once for a registry; a query of ten words costs about two milliseconds for 500 tools.
    """

    def __init__(self, tools: Iterable[Tool], said: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        self._tools = list(tools)
        self._said = [(n, text) for n, tool in enumerate(self._tools) for text in said.get(tool.name, ())[-_NEWEST:]]
        counts = [Counter(_words(tool)) for tool in self._tools] + [Counter(terms(text)) for _, text in self._said]
        self._owners = [*range(len(self._tools)), *(n for n, _ in self._said)]
        self._holding = _weighed(counts)

    @cached_property
    def _vectors(self) -> list[list[float] | None]:
        return [words.vector(_text(tool)) for tool in self._tools] + [words.vector(text) for _, text in self._said]

    def rank(self, text: str) -> list[tuple[float, Tool]]:
        """All tools with their scores for `text`, best first; ties in the order of the registry."""
        scores = [0.0] * len(self._tools)
        for n, shared, alike in zip(self._owners, self._shared(text), self._alike(text), strict=True):
            scores[n] = max(scores[n], (1 - _ALIKE_SHARE) * shared + _ALIKE_SHARE * alike)
        return sorted(zip(scores, self._tools, strict=True), key=lambda pair: -pair[0])

    def _shared(self, text: str) -> list[float]:
        """How much each tool's or example's own words have of a text's, from 0 to 1 for the one that has most."""
        totals = [0.0] * len(self._owners)
        for word in set(terms(text)):
            best: dict[int, float] = {}
            for other, weight in ((word, 1.0), *((one, _HALF) for one in _alike().get(word, ()))):
                for n, score in self._holding.get(other, ()):
                    best[n] = max(best.get(n, 0.0), weight * score)
            for n, score in best.items():
                totals[n] += score
        most = max(totals, default=0.0) or 1.0
        return [total / most for total in totals]

    def _alike(self, text: str) -> list[float]:
        """The cosine of the angle between a text and each tool or example, where it is not obtuse."""
        own = words.vector(text)
        if own is None:
            return [0.0] * len(self._owners)
        return [max(0.0, sum(map(mul, own, other))) if other else 0.0 for other in self._vectors]


def _weighed(counts: Sequence[Counter[str]]) -> dict[str, list[tuple[int, float]]]:
    """By word, the documents that have it, each with the word's score there."""
    seen = Counter(word for each in counts for word in each)
    rarity = {word: math.log(1 + (len(counts) - often + 0.5) / (often + 0.5)) for word, often in seen.items()}
    lengths = [sum(each.values()) for each in counts]
    mean = max(1.0, sum(lengths) / max(1, len(lengths)))
    holding: dict[str, list[tuple[int, float]]] = {}
    for n, each in enumerate(counts):
        base = _K * (1 - _B + _B * lengths[n] / mean)
        for word, often in each.items():
            holding.setdefault(word, []).append((n, rarity[word] * often * (_K + 1) / (often + base)))
    return holding


def _words(tool: Tool) -> list[str]:
    """A tool's words; its name says most, and what people ask for it by says more than its summary."""
    about = tool.about
    parts = [stem(part) for word in _joined(about.name) for part in words.parted(word) if part not in _STOP]
    return 3 * terms(about.name) + 3 * parts + 2 * terms(" ".join(about.asked_as)) + terms(about.summary)


def _joined(name: str) -> list[str]:
    """The words of a name that were run together from others."""
    return [word for word in spelled(name) if len(words.parted(word)) > 1]


def _text(tool: Tool) -> str:
    about = tool.about
    parts = (part for word in _joined(about.name) for part in words.parted(word))
    return " ".join((about.name, *parts, *about.asked_as, about.summary))

"""Pick: which tools the words of a goal mention, by what each tool says of itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from agent.planners.embedded.words import FUNCTION, ORDER_KEPT, STOP, Token, canons, matched
from tools.registry import Tool

_SUMMARY = 0.7  # how far words that only stand in a tool's summary are to be trusted
_GAP = 3  # tokens that may stand between two words of a phrase
_DENIALS = frozenset("not without excluding except never no don't don’t".split())
_SLOT = 14  # where the phrase says that something stands between them
_GENERIC = frozenset("text file fil item number value list thing data result line string table".split())


@dataclass(frozen=True, slots=True)
class Phrase:
    """A way to ask for a tool: its words in canonical form, and before which of them an object may stand."""

    words: tuple[str, ...]
    slots: tuple[bool, ...]
    weight: float  # how far it is to be trusted: 1 where the tool gives it as a phrase

    @property
    def postfix(self) -> bool:
        """The object stands before it: `… in roman numerals`."""
        return self.slots[0]


@dataclass(frozen=True, slots=True)
class Mention:
    """Words of a goal that ask for a tool."""

    tool: Tool
    places: frozenset[int]
    weight: float
    postfix: bool = False


class Phrases:
    """All ways to ask for the tools of a registry. Made once; looked up by the words of a goal."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._by_word: dict[str, list[tuple[Tool, Phrase]]] = {}
        found = {tool: phrases(tool) for tool in tools}
        common = Counter(word for ways in found.values() for word in {w for phrase in ways for w in phrase.words})
        for tool, ways in found.items():
            if not tool.about.asked_as:  # a word that no other tool is asked by is enough
                own = [word for word in _telling(tool) if common[word] <= 1]
                ways = [*ways, *(Phrase((word,), (False,), _SUMMARY) for word in own)]
            for phrase in ways:
                for word in set(phrase.words):
                    self._by_word.setdefault(word, []).append((tool, phrase))

    @cached_property
    def work(self) -> dict[str, frozenset[str]]:
        """For each canonical word of a phrase that tools give, or of a tool's name, the names of those tools."""
        given = {
            word: frozenset(tool.name for tool, phrase in ways if phrase.weight > _SUMMARY)
            for word, ways in self._by_word.items()
        }
        return {word: tools for word, tools in given.items() if tools and word not in STOP}

    def mentions(self, tokens: list[Token]) -> list[Mention]:
        """Where the tools are asked for; readings may overlap."""
        seen, asked = set(), []
        for token in dict.fromkeys(token.canon for token in tokens):
            for tool, phrase in self._by_word.get(token, ()):
                if (tool.name, phrase) in seen:
                    continue
                seen.add((tool.name, phrase))
                asked += [
                    Mention(tool, places, phrase.weight * len(phrase.words), _after(phrase, places, tokens))
                    for places in _occurrences(phrase, tokens)
                ]
        kept = matched(ORDER_KEPT, tokens)
        return _best([mention for mention in asked if not _denied(mention, tokens) and not mention.places & kept])


def _broken(between: list[Token]) -> bool:
    """Whether a sentence, or `, and`, ends between the words of a phrase."""
    pairs = zip(between, between[1:], strict=False)
    return any(one.text in ".?!;" or (one.text == "," and other.lower in ("and", "then")) for one, other in pairs)


def _after(phrase: Phrase, places: frozenset[int], tokens: list[Token]) -> bool:
    """Whether the object stands before the words: as the phrase has it, or by a word such as `in capitals`."""
    first = min(places)
    while first > 0 and tokens[first - 1].lower in ("a", "an"):
        first -= 1
    return phrase.postfix or (first > 0 and tokens[first - 1].lower in ("in", "as", "into"))


def phrases(tool: Tool) -> list[Phrase]:
    """The ways to ask for a tool: the phrases it gives, its name, and the words of its summary."""
    found = [phrase for text in tool.about.asked_as if (phrase := _phrase(text, 1.0))]
    name = [word for word in canons(tool.name.replace("_", " ")) if word not in FUNCTION]
    core = [word for word in name if word not in _GENERIC] or name
    if name:
        found.append(Phrase(tuple(name), (False,) * len(name), 0.95))
    if name[:1] == ["count"] and len(name) > 1:  # `the words of all of them, added up`
        found.append(Phrase(tuple(name[1:]), (False,) * len(name[1:]), 0.4))
    if not tool.about.asked_as:
        found += [Phrase(tuple(core), (False,) * len(core), 0.95), *_summary_phrases(tool)]
    return list(dict.fromkeys(found))


def _phrase(text: str, weight: float) -> Phrase | None:
    """A phrase of a docstring; `…` marks where its object stands."""
    words, slots, slot = [], [], False
    for part in re.split(r"(…)", text.replace("...", "…")):
        if part == "…":
            slot = True
            continue
        for word in canons(part):
            if word not in FUNCTION:
                words.append(word)
                slots.append(slot)
                slot = False
    return Phrase(tuple(words), tuple(slots), weight) if words else None


def _summary_phrases(tool: Tool) -> list[Phrase]:
    """For a tool that gives no phrases: each pair of its summary's words."""
    words = _summary_words(tool)
    return [Phrase((a, b), (False, False), _SUMMARY) for n, a in enumerate(words) for b in words[n + 1 :]]


def _summary_words(tool: Tool) -> list[str]:
    return [w for w in dict.fromkeys(canons(tool.about.summary)) if w not in FUNCTION and len(w) > 2][:8]


def _telling(tool: Tool) -> list[str]:
    """The words of a summary that say more than what kind of thing the tool takes."""
    params = {word for param in tool.params for word in canons(param.name.replace("_", " "))}
    return [word for word in _summary_words(tool) if word not in params | _GENERIC]


def _occurrences(phrase: Phrase, tokens: list[Token]) -> list[frozenset[int]]:
    """Where the words of a phrase stand: in their order, or the other way round where they stand close together."""
    found = []
    for start, token in enumerate(tokens):
        if token.canon == phrase.words[0] and not (token.kind == "date" and len(phrase.words) == 1):
            places = _follow(phrase, tokens, start)
            if places:
                found.append(places)
    if not found and len(phrase.words) == 2 and not phrase.slots[1]:
        turned = Phrase(phrase.words[::-1], (False, False), phrase.weight)
        for start, token in enumerate(tokens):
            if token.canon == turned.words[0]:
                places = _follow(turned, tokens, start, gap=3)
                if places:
                    found.append(places)
    return found


def _follow(phrase: Phrase, tokens: list[Token], start: int, gap: int = _GAP) -> frozenset[int] | None:
    places, at = [start], start
    for word, slot in zip(phrase.words[1:], phrase.slots[1:], strict=True):
        reach = _SLOT if slot else gap
        before = at
        at = next((n for n in range(at + 1, min(at + 2 + reach, len(tokens))) if tokens[n].canon == word), -1)
        if at < 0 or _broken(tokens[before : at + 1]):
            return None
        places.append(at)
    return frozenset(places)


def _denied(mention: Mention, tokens: list[Token]) -> bool:
    """Whether its words are said not to be meant: `header not counted`, `without the header`."""
    for place in mention.places:
        for token in reversed(tokens[max(0, place - 3) : place]):
            if token.lower in _DENIALS:
                return True
            if token.lower not in ("the", "any", "a", "counting", "including", "counted"):
                break
    return False


def _best(mentions: list[Mention]) -> list[Mention]:
    """Of the mentions of one tool at the same places, the heaviest; one inside a longer one of the same tool only
    where other tools may want the words that it leaves."""
    claimed = {
        name: {p for m in mentions if m.tool.name != name for p in m.places} for name in {m.tool.name for m in mentions}
    }
    kept: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: (-len(m.places), -m.weight, min(m.places))):
        same = [m for m in kept if m.tool.name == mention.tool.name]
        inside = [m for m in same if mention.places <= m.places]
        if all((m.places - mention.places) & claimed[mention.tool.name] for m in inside):
            kept.append(mention)
    return kept

"""Account: what explains each word of a goal in a reading of it. A reading that leaves a word open is not carried out.

The rule: whatever a goal says is there for a reason, so every word must be

- used: it asks for a call, or an argument of one comes from it;
- repeated: it stands in the name or the value of something that is used, or in what a tool can answer;
- a label: it says what a thing that is used is: `36 trees`, `the word fog`, `the names in team.txt`, `that year`;
- told: it stands in a part that asks for nothing, and all that this part names is used: `A tank holds 750 litres`;
- or plain: it holds the sentence together, asks, or is polite (`words.STOP`, `words.LIGHT`). Where a part of the goal
  holds nothing but plain words, they must be courteous: of `the plurals of buoy and match` the second is no politeness.

What is left is open: it may ask for work that the reading does not do. A name, a number, a denial and a word that tools
are asked by are never explained by where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from agent.planners.embedded import fill, split
from agent.planners.embedded.entities import Entity, names
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.reading import QUOTING, Call
from agent.planners.embedded.values import ROMAN
from agent.planners.embedded.words import (
    ANSWERS,
    BEYOND,
    COURTESY,
    DENIALS,
    FUNCTION,
    LIGHT,
    MEASURED,
    ORDER_KEPT,
    THINGS,
    Token,
    canons,
    is_name,
    matched,
)
from agent.router import stem

Places = frozenset[int]
# What a part begins with that tells rather than asks, beside a name: `A tank holds 750 litres`, `If 23 people pay …`.
_TELLING = frozenset(
    """a an the this that there there's it's that's it for i we he she they you my our his her its in on at of if some
    many most all both no""".split()
)
_LITTLE = frozenset("the a an my our your his her their is was are were did do does we they i us wrote".split())
_OF = frozenset("of from with who that which for in at file folder listed named called".split())
_POINTING = frozenset("that this these those it".split())
_ASKING = frozenset(["which", "what", "how many", "how much"])
_QUESTIONS = frozenset("which what who how whose where".split())
_ASKED = _QUESTIONS | {"what's", "give", "tell"}
_BEING = frozenset("is are was were".split())
_VAGUE = frozenset("things numbers values figures files lines texts".split())  # `with three things in it`
_WISHES = frozenset("want need like please should must wish".split())
_TABLES = (".csv", ".tsv")
_SHORT = 4  # letters of a word that says nothing of what it may be the beginning of
_WHETHER = re.compile(r"\bor not\b")
_HEADLESS = re.compile(
    r"\b(?:not counting|don't count|without|excluding|minus|no) (?:the |a |its )?head(?:er|ing)s?(?: row| line)?\b"
    r"|\bhead(?:er|ing)s?(?: row| line)? (?:not counted|not included|excluded|left out)\b"
)
_HEADED = re.compile(
    r"\b(?:with|and|including|include|keep|keeping) (?:the |its |a )?head(?:er|ing)s?(?: row| line)?\b"
    r"|\bhead(?:er|ing)s?(?: row| line)? (?:included|kept|and all|on top|first)\b"
)
_EACH = re.compile(
    r"\bone(?: \w+)? (?:by one|per (?:line|file|row)|(?:on|for) each(?: line| file)?)\b|\bline by line\b"
)


class Account:
    """The words of a goal beside a reading of it. `work` has, for each word that tools are asked by, their names."""

    def __init__(
        self,
        words: list[Token],
        entities: list[Entity],
        calls: list[Call],
        mentions: list[Mention],
        work: Mapping[str, frozenset[str]],
    ) -> None:
        self._words, self._entities, self._mentions, self._work = words, entities, mentions, work
        self._top, self._calls = calls, [call for top in calls for call in top.nested()]
        self._tools = frozenset(call.tool.name for call in self._calls)
        self._columns = Places().union(*(e.places for e in entities if e.kind == "column"))
        self._numbers = Places().union(*(e.places for e in entities if e.kind in ("number", "decimals")))
        chosen = any("where" in call.args for call in self._calls)
        kinds = ["column", "where"] if chosen else ["column", "where", "query"]
        data = (e for e in entities if e.kind in kinds and e.exact)
        kept = (e.places for e in data if not (chosen and self._lower(e.at) == f"{e.value}s".lower()))
        self._data = Places() if any(map(_gives_rows, calls)) else Places().union(*kept)
        cuts = split.boundaries(words)
        self._parts = [range(*span) for span in zip(cuts, cuts[1:], strict=False)]

    @cached_property
    def open(self) -> Places:
        """The places of the words that nothing explains."""
        known = self.used | self._repeated()
        known |= self._labels(known)
        known |= self._told(known) | self._as_is()
        known -= self._guessed
        bare = {n for part in self._parts if not known & {*part} for n in part}
        rude = {n for n in bare if not self._courteous(n)}
        return frozenset({n for n in range(len(self._words)) if self._matters(n)} - known - bare | rude)

    @property
    def firm(self) -> bool:
        """Whether a word is open that no model may speak for: a name, a number, a denial, what no tool does."""
        return any(
            self._concrete(n) or is_name(self._words, n) or self._lower(n) in DENIALS or self._beyond(n)
            for n in self.open
        )

    @cached_property
    def used(self) -> Places:
        """The places of the words that ask for the calls, or that their arguments come from."""
        calls = Places().union(*((call.places | call.borrowed) for call in self._top)) - self._guessed
        asked = {self._words[p].canon for call in self._top for p in call.head}
        again = {n for n, word in enumerate(self._words) if word.canon in asked}
        return calls.union(again, *(m.places for m in self._mentions if m.tool.name in self._tools)) - self._idle()

    def _idle(self) -> Places:
        """Columns that are named and that no call has in an argument: `the kg of each crop`, all added up."""
        said = {part.lower() for call in self._calls for value in _said(call) for part in re.findall(r"\w+", value)}
        columns = [e for e in self._entities if e.kind == "column" and e.places <= self._data]
        return Places().union(*(e.places for e in columns if not {*re.findall(r"\w+", str(e.value).lower())} <= said))

    @cached_property
    def _guessed(self) -> Places:
        """Plain words that were taken for a text; a name that a person's own tool is given is none."""
        own = Places().union(*(call.guessed for call in self._calls if call.tool.source != "built-in"))
        guessed = Places().union(*(call.guessed for call in self._calls))
        return guessed - {n for n in own if is_name(self._words, n)}

    def _repeated(self) -> Places:
        """Words that stand in the name or the value of what is used, or in what a tool that is called says it gives."""
        values = [value for call in self._calls for value in _said(call)]
        parts = {part for value in values for part in names(value)} | {value.lower() for value in values}
        parts |= {part for n in self.used for part in names(self._words[n].text) if " " in self._words[n].text}
        about = {word for call in self._calls for word in _about(call)}
        about = {word for word in about if self._work.get(word, self._tools) <= self._tools}
        paths = {word for value in values for word in re.findall(r"[a-z]+", value.lower()) if "." in value}
        spelled = {word for value in values for word in (value, *re.findall(r"\w+", value))}
        numbers = {float(found) for value in values for found in re.findall(r"\d+(?:\.\d+)?", value)}

        def repeats(n: int) -> bool:
            word, canon = self._words[n], stem(self._words[n].lower)
            if word.text in spelled or word.canon in about or word.number in numbers:
                return True
            plain = word.kind == "word" and (word.lower in paths or not is_name(self._words, n))
            return plain and (canon in parts or any(_kin(canon, part) for part in parts | about))

        return frozenset(n for n in range(len(self._words)) if self._words[n].lower not in FUNCTION and repeats(n))

    def _labels(self, known: Places) -> Places:
        """Words that say what a thing that is used is: those that stand beside it, little words skipped, and so on."""
        found = set(known)
        if not any(entity.places <= known for entity in self._entities) and "user" not in {
            c.tool.source for c in self._calls
        }:
            return Places()
        for _ in range(2):
            found |= {n for n in range(len(self._words)) if self._label(n, found)}
        return frozenset(found - known)

    def _label(self, n: int, known: set[int]) -> bool:
        word, before = self._words[n], self._lower(n - 1)
        if word.lower in QUOTING and n + 1 in known:  # the word fog
            return True
        if word.lower in MEASURED and (before == "how" or n - 1 in known):  # how far is, 17 km long
            return True
        noun = self._labelling(n) or word.lower in ANSWERS
        if (
            noun and (before in _POINTING or before == "much" or self._asks_what(n - 1)) or self._asks_what(n)
        ):  # that year
            return True
        unit = n - 1 in known & self._numbers and word.text[1:] != word.text[1:].lower()  # 98.7 MHz
        return unit or (noun and self._beside(n, known) and not self._begins(n) and not self._of_all_rows(n))

    def _beside(self, n: int, known: set[int]) -> bool:
        """Whether the next word on one side is known, little words skipped. What follows `of` or a file at once says
        more than what the thing is: `words of praise`, `turn a.txt upside down`."""
        if self._lower(n - 1) == "of":
            return False
        left, right = n - 1, n + 1
        while self._lower(left) in _LITTLE or (self._lower(left) == "for" and self._lower(left + 1) in ("a", "an")):
            left -= 1
        while self._lower(right) in _LITTLE | _OF:
            right += 1
        named = left == n - 1 >= 0 and self._words[left].kind == "path"
        return (left in known and not named) or right in known

    def _begins(self, n: int) -> bool:
        """Whether a word is the first of its part that says something: it is what is to be done."""
        part = next(part for part in self._parts if n in part)
        if _QUESTIONS & {self._lower(p) for p in range(part.start, n)}:
            return False
        return next((p for p in part if self._lower(p) not in COURTESY and self._words[p].kind != "punct"), n) == n

    def _of_all_rows(self, n: int) -> bool:
        """Whether a word for rows may choose among them although no condition does: `the women in crew.csv`."""
        table = any(str(value).lower().endswith(_TABLES) for call in self._calls for value in _said(call))
        chosen = any(call.args.keys() & {"where", "by", "column"} for call in self._calls)
        return table and not chosen and self._lower(n + 1) in ("in", "of", "from", "are")

    def _asks_what(self, n: int) -> bool:
        """Whether a question what something is begins with a word: `which year is that`, `how many boxes are these`."""
        return self._lower(n) in _ASKING and self._lower(n + 2) in _BEING and self._lower(n + 3) in _POINTING

    def _lower(self, n: int) -> str:
        return self._words[n].lower if 0 <= n < len(self._words) else ""

    def _labelling(self, n: int) -> bool:
        """Whether a word may say what the thing beside it is: not where it is a name or asks for work itself."""
        word = self._words[n]
        asked = word.canon in self._work and n not in self._columns  # `the three windiest days` of a column day
        hard = not word.weight or is_name(self._words, n) or asked or n in self._data
        hard = hard or self._words[min(n + 1, len(self._words) - 1)].canon == "column"  # of another table
        return word.kind == "word" and not hard and not self._beyond(n) and not word.lower.endswith("ly")

    def _beyond(self, n: int) -> bool:
        return bool({self._words[n].canon, stem(self._lower(n))} & BEYOND)

    def _told(self, known: Places) -> Places:
        """Parts before the first that asks for something, which only say what is given, where all they name is used."""
        asked = Places().union(*(call.head for call in self._calls))
        found: set[int] = set()
        for part in self._parts:
            if asked & {*part}:
                break
            words = {self._words[n].lower for n in part}
            named = {
                n for n in part if self._concrete(n) and not (self._words[n].kind == "word" and n in self._numbers)
            }
            asks = words & DENIALS - {"than"} or (not named and words & _WISHES)
            if self._tells(part, found) and named <= known and not asks:
                found |= {*part}
        return frozenset(found)

    def _tells(self, part: range, told: set[int]) -> bool:
        """Whether a part begins as what tells, or goes on from one that does: `Rex weighs 38 kg`, `… and was sold`."""
        first = self._words[part.start].lower
        goes_on = part.start - 1 in told and self._lower(part.start - 1) not in split.SENTENCE_ENDS
        return (
            goes_on
            or first in _TELLING
            or is_name(self._words, part.start)
            or self._lower(part.start + 1) in LIGHT | _BEING
        )

    def _as_is(self) -> Places:
        """What is said to be so that is so anyway: a header not counted or given with the rows, a line for each, the
        order kept."""
        listed = any(call.over or call.returns.get("type") == "array" for call in self._calls)
        tables = any(fill.role(p, call.tool) in ("where", "column") for call in self._calls for p in call.tool.params)
        rows = any(_gives_rows(call) for call in self._calls)
        kept = not any(call.tool.name == "sort_lines" for call in self._calls)
        said = (
            (_HEADLESS, tables and not rows),
            (_HEADED, rows),
            (_EACH, listed),
            (_WHETHER, True),
            (ORDER_KEPT, kept),
        )
        return Places().union(*(matched(way, self._words) for way, so in said if so))

    def _courteous(self, n: int) -> bool:
        """Whether a word means nothing of its own in a part of plain words: `please`; in `what is the price?`."""
        part = next(part for part in self._parts if n in part)
        asks = _ASKED & {self._lower(p) for p in part}
        word = self._lower(n)
        return self._words[n].kind == "punct" or word in COURTESY | LIGHT or bool(asks and word in ANSWERS)

    def _matters(self, n: int) -> bool:
        """Whether a word means something wherever it stands. `One` and `two` do where they are numbers."""
        word = self._words[n]
        if word.lower in DENIALS:
            return True
        if word.number is not None and word.kind == "word":
            return n in self._numbers and self._lower(n + 1) not in _VAGUE
        thing = word.canon in THINGS and n not in self._data
        parts = {*word.lower.split()} - FUNCTION
        return word.weight > 0 and not thing and not (parts and parts <= LIGHT)

    def _concrete(self, n: int) -> bool:
        """Whether a word names something by itself: a number, a date, a file, a quotation, a Roman numeral."""
        word = self._words[n]
        return word.kind not in ("word", "punct") or n in self._numbers or bool(ROMAN.fullmatch(word.text))


def _gives_rows(call: Call) -> bool:
    return bool(call.returns.get("items", {}).get("type") == "object")


def _said(call: Call) -> Iterator[str]:
    """The texts that a call is given; not the name of a file that it writes, which speaks of nothing that is read."""
    for name, value in call.args.items():
        if not (call.tool.effect == "write" and name == "path"):
            many = value if isinstance(value, list) else [value]
            yield from (str(one) for one in many if isinstance(one, (str, int, float)))


def _kin(one: str, other: str) -> bool:
    """Whether one of two words is the other with an ending: observe and observer, faint and faintest."""
    return min(len(one), len(other)) > _SHORT and (one.startswith(other) or other.startswith(one))


def _about(call: Call) -> Iterator[str]:
    """The canonical words of a tool's summary, and of what it can answer."""
    yield from (word for word in canons(call.tool.about.summary) if len(word) > 2)
    for option in call.tool.about.returns.get("enum", ()):
        yield from canons(str(option))

"""A goal's words: tokens with their places in the text, and one canonical word for those that mean the same."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from agent.router import stem

Kind = Literal["word", "number", "path", "quoted", "url", "date", "punct"]

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATE = (
    rf"\d{{4}}-\d\d?-\d\d?|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+\d{{4}}"
    rf"|{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{4}}|today|tomorrow|yesterday"
)

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"|“[^”]*”|‘[^’]*’|`[^`]*`|(?<!\w)'[^']+'(?!\w))
      | (?P<url>https?://[^\s"'<>]*[\w/])
      | (?P<date>(?<![\w/.-])(?:"""
    + _DATE
    + r""")(?![\w/-]|\.\w))
      | (?P<path>(?:\./)?(?:[\w-][\w.-]*/)+(?:[\w*?-][\w.*?-]*[\w*])?|\*\*?/[\w*?./-]+|[\w*?-]*\*[\w*?.-]*\.\w+|\*\.\w+
          |[\w-]+(?:\.[\w-]+)*\.(?=[A-Za-z])\w{1,24}(?![\w/])|(?<![\w.])\.[A-Za-z]\w{1,4}(?=\s))
      | (?P<time>(?<![\d:])\d{1,2}:\d\d(?::\d\d)?(?![\d:]))
      | (?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w-]*[A-Za-z]))
      | (?P<word>°?[^\W_]+(?:['’_-][^\W_]+)*)
      | (?P<punct>\S)""",
    re.VERBOSE | re.IGNORECASE,
)

# What asks for nothing: the order stays as it is.
ORDER_KEPT = re.compile(
    r"\b(?:(?:keep(?:ing)?|leav(?:e|ing)|preserv(?:e|ing)|without changing|don't change|not changing)"
    r"(?: the| their| its)?(?: same| original| old)?|in (?:the|their) (?:same|original|old)) order"
    r"(?: (?:as it is|as is|as it was|they (?:are|were) in))?\b"
)
# Words without a meaning of their own, which a phrase of a tool is known without.
FUNCTION = frozenset(
    """a an the of in on at to for from by with and or as is are was were be been do does did has have had what
    which who whom it its they them their there this that these those i me my we us our you your he she his her
    can could would will should may might if then also too so how about into out any some each every all call
    calls called named 's file""".split()
)
# Words that need no explanation: the above, and those that only ask, thank or lead over.
STOP = (
    FUNCTION
    | frozenset(
        """please shall let just get got give gives gave show tell say find list name print display see know want
    need like files text up both names here going go look answer result thank thanks kindly ll d s t re ve now next
    after afterwards finally first-off hi hello hey ok okay many much one's being but not using use via among
    within inside under contain contains contained appear appears mentioned found written looking e.g report
    back simply only than quickly exactly yet still per take compute calculate work evaluate determine figure
    compare judge assess decide through over across along verdict verdicts opinion matches match hits make plus
    against according whether require requires needs classify rate grade view versus pick select check detect
    identify establish provide return output fetch obtain retrieve inspect examine turn come comes following
    value values given thing things way kind number stuff bit well right there's that's i'd i'll i've let's""".split()
    )
    | {"sort of"}
)
# Of these, words that may also be work or a thing: they are not there for politeness where they stand alone.
CAPABLE = frozenset("name names match hit turn text files file rate grade view versus against plus".split())
COURTESY = STOP - CAPABLE  # words that a part of a goal may hold and mean nothing by
DENIALS = frozenset("not no without except excluding never don't doesn't isn't aren't cannot than instead".split())
# Verbs and adjectives that carry a sentence and say nothing that its other words do not say.
LIGHT = frozenset(
    """say says said fall falls lie lies lying contains containing holds hold holding stand stands sits sit consist
    consists bring brings brought took takes takes makes cost costs pay paid pays go goes went came belong belongs weigh
    weighs live lives sell sold spend spent earn earned order ordered must until till since new normal ordinary plain
    together enough put write written read keep kept convert down occur occurs appear means mean mention
    mentions stays remains remain state states left outcome use uses used speak speaks when where idea pls whats i'm
    grateful listed notation format very really whose version copy clean tidy neat wrote wants leave
    leaves""".split()
)
# Words for what lies in a file of any kind, and for what an answer may be.
_THINGS = """people person everybody everyone everything somebody anybody member entry item record thing row data one
    number figure name column script comment price noun"""
THINGS = frozenset(stem(word) for word in _THINGS.split())
ANSWERS = frozenset("year years number word day date time amount price cost sum total".split())
MEASURED = frozenset("long far old heavy tall big high large deep".split())  # `how far is`, `17 km long`
# Words that ask for something to be told, by themselves no work.
REQUESTS = frozenset("tell show give say list name print display what which how find get report state let".split())

# Words for what takes judgement, hands or the world outside. Where one of them is left unexplained, the goal asks for
# more than what was understood of it.
_BEYOND = """
    send post publish upload download install buy purchase hire invite phone ring remind reminder tweet
    delete erase rename move zip unzip compress
    translate translation summarise summarize summary paraphrase rewrite rephrase proofread correct fix mend repair
    improve polish shorten draw paint sketch plot chart graph diagram picture photo illustrate sing play aloud loudly
    forecast predict prediction recommend recommendation suggest suggestion advise advice explain why opinion favourite
    favorite best worst better nicest funniest prettiest deserve weather internet online website web wikipedia
    instagram facebook twitter whatsapp today's tomorrow's nowadays currently
    dollar sterling currency poem joke story song essay reply
    welsh irish scottish latin french german spanish italian portuguese dutch swedish norwegian danish finnish polish
    czech slovak russian ukrainian greek turkish hungarian romanian bulgarian croatian japanese chinese arabic hindi
    korean hebrew
"""
BEYOND = frozenset(stem(word) for word in _BEYOND.split())

_NUMBERS = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "dozen": 12}
# What has a number for a name: `the phone number of Ida` asks for no count.
_NUMBERED = frozenset(
    "phone telephone mobile fax house room flat account order invoice part serial ticket id model bus badge".split()
)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, path, quotation or mark. `canon` is its canonical word; `start` and `end` its place."""

    text: str
    kind: Kind
    canon: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        return self.text.lower()

    @property
    def number(self) -> int | float | None:
        """Its value where it is a number, in figures or in words."""
        if self.kind == "number":
            value = float(self.text.replace(",", ""))
            return int(value) if value.is_integer() and "." not in self.text else value
        return _NUMBERS.get(self.lower)

    @property
    def ordinal(self) -> int | None:
        """Its place in a row where it is one: `third` is 3, `12th` is 12."""
        found = re.fullmatch(r"(\d+)(?:st|nd|rd|th)", self.lower)
        if found:
            return int(found[1])
        return _ORDINALS.index(self.lower) + 1 if self.lower in _ORDINALS else None

    @property
    def weight(self) -> float:
        """How much it matters that this token is understood."""
        if self.kind == "punct" or self.canon in ("calculat", "find"):
            return 0.0
        loud = len(self.text) > 2 and self.text.isupper()
        if self.kind == "word" and not loud and (self.lower in STOP or re.split("['’]", self.lower)[0] in STOP):
            return 0.0
        return 1.0


def tokens(text: str) -> list[Token]:
    """The tokens of a text, those of several words that mean one thing together as one."""
    single = []
    for found in _TOKEN.finditer(text):
        kind: Kind = "word" if found.lastgroup == "time" else found.lastgroup  # type: ignore[assignment]
        shown = found[0][1:-1] if kind == "quoted" else found[0]
        canon = (
            _canonical_word(shown) if kind == "word" or shown == "%" else "date" if kind == "date" else shown.lower()
        )
        single.append(Token(shown, kind, canon, found.start(), found.end()))
    aged = any(token.lower in ("age", "ages", "aged") for token in single)
    return [replace(t, canon="largest") if aged and t.lower == "oldest" else t for t in _merged(single, text)]


def is_name(words: list[Token], n: int) -> bool:
    """Whether a word is written as a name; where a sentence begins, only one in capitals is."""
    text, begins = words[n].text, n == 0 or words[n - 1].text in (".", "?", "!", ";", ":")
    return (text[:1].isupper() and text != "I" and not begins) or (len(text) > 1 and text.isupper())


def canons(phrase: str) -> list[str]:
    """The canonical words of a phrase."""
    return [token.canon for token in tokens(phrase) if token.kind != "punct" or token.canon == "percent"]


def _merged(single: list[Token], text: str) -> Iterable[Token]:
    n = 0
    table, longest = _synonyms()
    while n < len(single):
        for length in range(min(longest, len(single) - n), 1, -1):
            part = single[n : n + length]
            canon = table.get(tuple(stem(token.lower) for token in part))
            numbered = canon == "count" and n > 0 and single[n - 1].lower in _NUMBERED  # the phone number of
            if canon and not numbered and all(token.kind in ("word", "punct") for token in part):
                yield Token(text[part[0].start : part[-1].end], "word", canon, part[0].start, part[-1].end)
                n += length
                break
        else:
            yield single[n]
            n += 1


def _canonical_word(word: str) -> str:
    word = re.sub(r"['’]s$", "", word.lower())
    table, _ = _synonyms()
    return table.get((f"={word}",)) or table.get((stem(word),)) or table.get((stem(_mended(word)),)) or stem(word)


def _mended(word: str) -> str:
    """A long word that is a slip of the pen for one we know, as that one."""
    if len(word) < 7 or word in STOP:
        return word
    return next(iter(difflib.get_close_matches(word, _long_words(), 1, 0.9)), word)


@cache
def _long_words() -> list[str]:
    table, _ = _synonyms()
    return [key[0] for key in table if len(key) == 1 and len(key[0]) > 5 and not key[0].startswith("=")]


@cache
def _synonyms() -> tuple[dict[tuple[str, ...], str], int]:
    """Canonical words by the stems of what they stand for, and the most words that one has."""
    table: dict[tuple[str, ...], str] = {}
    alone: set[str] = set()
    for line in Path(__file__).with_name("synonyms.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("!"):
            alone.update(line[1:].split())
            continue
        head, _, variants = line.partition(":")
        canon = stem(head) if " " not in head else head
        for variant in [head, *variants.split(",")]:
            table[tuple(stem(word) for word in variant.lower().split())] = canon
    return table | {(f"={word}",): word for word in alone}, max(map(len, table))


def matched(way: re.Pattern[str], tokens: list[Token]) -> frozenset[int]:
    """The places of the tokens in what a pattern finds in their lower case, a space between any two."""
    spans = [match.span() for match in way.finditer(" ".join(token.lower for token in tokens))]
    starts = itertools.accumulate((len(token.lower) + 1 for token in tokens), initial=0)
    return frozenset(n for n, at in enumerate(starts) if any(a <= at < b for a, b in spans))

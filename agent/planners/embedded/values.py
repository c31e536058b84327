"""Values that a goal names: numbers, dates, units, patterns of file names, quoted texts, Roman numerals."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.planners.embedded.entities import Entity
from agent.planners.embedded.words import Token
from tools.dates import parse_day
from tools.units import COMMON_UNITS

ROMAN = re.compile(r"(?=..)M{0,4}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_SAID = frozenset("numbers totals sums results counts figures values amounts answers".split())


def _numbers(tokens: list[Token]) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if token.number is not None and not _points(tokens, n):
            percent = n + 1 < len(tokens) and tokens[n + 1].canon == "percent"
            below = _below_zero(tokens, n)
            value = -token.number if below else token.number
            places = frozenset([n, n + 1] if percent else [n]) | ({n - 1} if below == "minus" else set())
            yield Entity("decimals" if _decimals(tokens, n) else "number", value, places, percent=percent)
        elif token.ordinal is not None and token.canon != "first":
            yield Entity("number", token.ordinal, frozenset([n]))


def _below_zero(tokens: list[Token], n: int) -> str:
    """The word or sign that says that a number is negative: `-5` after a word, `minus 8 degrees`; else nothing."""
    sign = tokens[n - 1].lower if n else ""
    if sign in ("-", "−") and tokens[n].kind == "number" and (n < 2 or tokens[n - 2].kind == "word"):
        return sign
    measured = n + 1 < len(tokens) and tokens[n + 1].lower.startswith(("degree", "°", "celsius", "fahrenheit"))
    return sign if sign == "minus" and measured else ""


def _points(tokens: list[Token], n: int) -> bool:
    """Whether a word for a number points to what was said before: `which one`, `between the two`."""
    if tokens[n].lower == "one":
        return not _counts(tokens, n)
    ends = n + 1 >= len(tokens) or tokens[n + 1].kind == "punct" or tokens[n + 1].lower in _SAID
    return tokens[n].lower == "two" and n > 0 and tokens[n - 1].lower in ("the", "those", "these") and ends


def _counts(tokens: list[Token], n: int) -> bool:
    """Whether `one` is a number, as in `one mile`, rather than `which one`."""
    after = tokens[n + 1].lower if n + 1 < len(tokens) else ""
    before = tokens[n - 1].lower if n else ""
    return after in COMMON_UNITS or _decimals(tokens, n) or before in ("plus", "minus", "times", "by", "add")


def _decimals(tokens: list[Token], n: int) -> bool:
    """Whether a number says how many digits are wanted: `two decimals`, `1 decimal place`."""
    after = [token.lower for token in tokens[n + 1 : n + 3]]
    return bool(after) and (
        re.match(r"decimal|digit|d\.?p\.?$", after[0]) is not None or after[0] in ("place", "places")
    )


def _dates(tokens: list[Token]) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        day = parse_day(token.text) if token.kind == "date" else None
        if day is not None:
            yield Entity("date", day.isoformat(), frozenset([n]))


def _units(tokens: list[Token]) -> Iterator[Entity]:
    n = 0
    while n < len(tokens):
        for length in (3, 2, 1):
            part = tokens[n : n + length]
            text = _joined(part)
            if (
                len(part) == length
                and text.lower() in COMMON_UNITS
                and text.lower() not in ("in", "a", "as", "at", "is")
            ):
                yield Entity("unit", text, frozenset(range(n, n + length)))
                n += length - 1
                break
        n += 1


def _joined(part: list[Token]) -> str:
    """The text of tokens that stand together, with the spaces that stood between them."""
    text = ""
    for before, token in zip([None, *part], part, strict=False):
        text += (" " if before and token.start > before.end else "") + token.text
    return text


def _globs(tokens: list[Token]) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if token.kind == "path" and "*" in token.text:
            yield Entity("glob", token.text, frozenset([n]))
        elif token.kind == "path" and re.fullmatch(r"\.\w+", token.text):
            yield Entity("glob", f"*{token.text}", frozenset([n]))


def _literals(tokens: list[Token]) -> Iterator[Entity]:
    """Quoted texts, and times of day."""
    for n, token in enumerate(tokens):
        if token.kind == "quoted" or re.fullmatch(r"\d\d?:\d\d(:\d\d)?", token.text):
            yield Entity("literal", token.text, frozenset([n]))


def _numerals(tokens: list[Token]) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if ROMAN.fullmatch(token.text):
            yield Entity("numeral", token.text, frozenset([n]))


def _urls(tokens: list[Token]) -> Iterator[Entity]:
    return (Entity("url", token.text, frozenset([n])) for n, token in enumerate(tokens) if token.kind == "url")


FINDERS = (_numbers, _dates, _units, _globs, _literals, _numerals, _urls)

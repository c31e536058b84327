"""What is to be done to the text of a file, where the words themselves are what it is about.

`the lines of gate.log that contain WARN`, `every line that says DELAY`; `swap Marlin for Petrel`, `replace 'a' by 'b'`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.planners.embedded.entities import Entity
from agent.planners.embedded.words import ORDER_KEPT, STOP, Token, matched

_MATCH = {
    "starts with": "starting with, starts with, start with, beginning with, begins with, begin with",
    "ends with": "ending with, ends with, end with, ending in, ends in, end in",
    "contains": "with, containing, contains, contain, saying, says, say, said, mentioning, mentions, mention,"
    " including, includes, include, having, has, have, without",
}
_WAYS = sorted(((m, way.split()) for m, ways in _MATCH.items() for way in ways.split(", ")), key=lambda w: -len(w[1]))
_LITTLE = frozenset("of in from the file that which where do does don't doesn't not are is only".split())
_DENIALS = frozenset("not don't doesn't without".split())
_NAMING = frozenset("the a an word words term name phrase text letters letter".split())
_ENDS = frozenset(
    "in to into and from of as or at for somewhere anywhere please everywhere throughout with by on".split()
)
_SWAPS = {
    "swap": "for with",
    "replace": "with by",
    "exchange": "for with",
    "substitute": "for with",
    "change": "to into",
}
_ANY = frozenset("swap replace exchange substitute".split())  # after the others a plain word is rarely one to look for
_REACH = 6  # words between `lines` and what they contain
_LONG = 4  # words of a text that is not quoted


def edits(tokens: list[Token]) -> Iterator[Entity]:
    """Filters of lines, of kind `lines`: (text, where it stands, whether it is denied); of kind `swap`: (old, new)."""
    kept = matched(ORDER_KEPT, tokens)
    for n, token in enumerate(tokens):
        if token.lower in ("line", "lines"):
            yield from (entity for entity in _filter(tokens, n) if not entity.places & kept)
        elif token.canon == "matching line" and (text := _text(tokens, n + 1)):  # `show the lines with` is one token
            yield Entity("lines", (text[0], "contains", False), frozenset([n]) | text[1])
        if token.lower in _SWAPS:
            yield from _swap(tokens, n)


def _filter(tokens: list[Token], start: int) -> Iterator[Entity]:
    denied, places, n = False, {start}, start + 1
    while n < len(tokens) and n <= start + _REACH:
        found = next(((m, way) for m, way in _WAYS if [t.lower for t in tokens[n : n + len(way)]] == way), None)
        of_file = {"does", "do", "each", "every"} & {token.lower for token in tokens[max(0, start - 1) : n]}
        if found and found[1][0] in ("have", "has") and tokens[n - 1].kind == "path" and of_file:
            return  # `how many lines does notes.txt have …`
        if found:
            match, way = found
            text = _text(tokens, n + len(way))
            if text:
                denied = denied or way == ["without"]
                there = _there(tokens, max(text[1]) + 1)
                value = (text[0], match, denied)
                yield Entity("lines", value, frozenset({*places, *range(n, n + len(way)), *there}) | text[1])
            return
        if tokens[n].lower not in _LITTLE and tokens[n].kind != "path":
            return
        denied = denied or tokens[n].lower in _DENIALS
        places |= {n} if tokens[n].kind != "path" else set()
        n += 1


def _there(tokens: list[Token], n: int) -> range:
    """The words that only point back: `with ERROR in them`."""
    pointing = [token.lower for token in tokens[n : n + 2]]
    return range(n, n + 2) if pointing[:1] == ["in"] and pointing[1:] in (["it"], ["them"]) else range(n, n)


def _swap(tokens: list[Token], n: int) -> Iterator[Entity]:
    verb = tokens[n].lower
    old = _text(tokens, n + 1, until=_SWAPS[verb])
    after = max(old[1]) + 1 if old else n
    if not old or after >= len(tokens) or tokens[after].lower not in _SWAPS[verb].split():
        return
    new = _text(tokens, after + 1)
    if not new or not all(verb in _ANY or _striking(tokens, places) for _, places in (old, new)):
        return
    words = (new[0], old[0]) if verb == "substitute" and tokens[after].lower == "for" else (old[0], new[0])
    everywhere = {max(new[1]) + 1} if " ".join(t.lower for t in tokens[max(new[1]) + 1 :][:1]) in _ENDS else set()
    yield Entity(
        "swap",
        words,
        frozenset({n, after, *(p for p in everywhere if tokens[p].lower == "everywhere")}) | old[1] | new[1],
    )


def _striking(tokens: list[Token], places: frozenset[int]) -> bool:
    return any(tokens[p].kind == "quoted" or tokens[p].text[0].isupper() or tokens[p].lower == "word" for p in places)


def _text(tokens: list[Token], n: int, until: str = "") -> tuple[str, frozenset[int]] | None:
    """The text that stands at `n`: what is quoted, or the words up to one that goes on with the sentence."""
    start = n
    while n < len(tokens) and tokens[n].lower in _NAMING:
        n += 1
    if n < len(tokens) and tokens[n].kind == "quoted":
        return tokens[n].text, frozenset(range(start, n + 1))
    if n < len(tokens) and tokens[n].text == "a" or n == len(tokens):
        return None
    end = n
    while end < len(tokens) and end < n + _LONG and _goes_on(tokens[end], until):
        end += 1
    text = " ".join(token.text for token in tokens[n:end])
    return (text, frozenset(range(start, end))) if text and text.lower() not in STOP | _ENDS else None


def _goes_on(token: Token, until: str) -> bool:
    plain = token.kind in ("word", "number", "date") and not re.search(r"[./]", token.text)
    return plain and token.lower not in _ENDS and token.lower not in until.split()

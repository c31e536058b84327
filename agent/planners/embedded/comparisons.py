"""Comparisons on the rows of a table: `size over 4`, `more than 20 hours`, `older than 30`, `on 3 May`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from agent.planners.embedded.entities import Entity
from agent.planners.embedded.orders import adjective, measured_by
from agent.planners.embedded.surroundings import Table
from agent.planners.embedded.words import Token
from tools.conditions import quoted
from tools.dates import parse_day

_BEFORE = {
    ">=": "at least, no less than, not less than, a minimum of, not below, since, no fewer than, >=, ≥",
    "<=": "at most, no more than, not more than, up to, not over, not above, a maximum of, until, <=, ≤",
    ">": "more than, over, above, greater than, larger than, bigger than, higher than, exceeding, exceed, exceeds,"
    " after, later than, beyond, >",
    "<": "less than, under, below, fewer than, smaller than, lower than, before, earlier than, <",
    "=": "is, equal to, equals, equal, of, with, was, are, exactly, =, ==",
}
_AFTER = {
    ">=": "or more, or above, and above, or over, and over, or older, and older, or later, or higher,"
    " or longer, and up",
    "<=": "or less, or fewer, or under, and under, or below, and below, or younger, or earlier, or lower, or shorter",
}
_TEXT = {
    "starts with": "starting with, starts with, start with, beginning with, begins with, begin with",
    "ends with": "ending with, ends with, end with, ending in, ends in, end in",
    "contains": "containing, contains, contain, including, includes, include, mentioning, mentions, mention",
}
_SIGNS = [(sign, way.split()) for table in (_BEFORE, _TEXT) for sign, ways in table.items() for way in ways.split(", ")]
_SIGNS.sort(key=lambda one: -len(one[1]))
_MONTHS = "january february march april may june july august september october november december".split()
_SMALL = frozenset("the a an is are was were of to that who which be been has have costs cost by in on , age".split())
_REACH = 5  # tokens between a column and what it is compared with


@dataclass(frozen=True, slots=True)
class _Value:
    """What something is compared with: `text` as a condition has it, of a `kind` as Table.measured says it."""

    text: str
    kind: str
    places: frozenset[int]


def comparisons(tokens: list[Token], table: Table, columns: list[Entity]) -> Iterator[Entity]:
    """The comparisons with a number, a date or a time that the words speak of."""
    done: set[int] = set()
    before: Entity | None = None
    for n in range(len(tokens)):
        for sign, end in _signs(tokens, n):
            value = _value(tokens, end)
            if value is None or value.places & done:
                continue
            found = _compared(tokens, table, columns, n, sign, value) or _again(tokens, before, n, sign, value)
            if found:
                before = replace(found, places=found.places - done)  # a column may be compared twice
                done |= found.places
                yield before
                break
    yield from _on_days(tokens, table, done)
    yield from _in_months(tokens, table)


def _signs(tokens: list[Token], n: int) -> Iterator[tuple[str, int]]:
    """The signs that words at `n` stand for, and where the value then begins; `older than` among them."""
    lower = [token.lower for token in tokens[n : n + 4]]
    if lower[:1] == ["between"]:
        yield "between", n + 1
    for sign, way in _SIGNS:
        if lower[: len(way)] == way:
            yield sign, n + len(way)
    if lower[1:2] == ["than"] and adjective(lower[0]):
        yield "than", n + 2
    if tokens[n].number is not None:
        yield "or", n


def _compared(
    tokens: list[Token], table: Table, columns: list[Entity], n: int, sign: str, value: _Value
) -> Entity | None:
    """A comparison as a condition, its column found; None where there is none."""
    places = frozenset(range(n, min(value.places))) | value.places
    second: _Value | None = None
    after = max(value.places) + 1
    if sign == "between":
        second = _value(tokens, after + 1) if tokens[after : after + 1] and tokens[after].lower == "and" else None
        if second is None:
            return None
        places |= {after} | second.places
    if sign == "or":
        words = " ".join(token.lower for token in tokens[after : after + 2])
        found = next((s for s, ways in _AFTER.items() if words in ways.split(", ")), None)
        if found is None:
            return None
        sign, places = found, places | {after, after + 1}
    column = _column(tokens, table, columns, n, sign, max(places), value)
    if column is None:
        return None
    name, rising, own = column
    if sign == "than":
        sign = ">" if rising else "<"
    where = f"{name} {sign} {value.text}" if not second else f"{name} >= {value.text} and {name} <= {second.text}"
    where = _of_years(where, name, sign, value, second, table)
    return Entity("where", where, places | own)


def _again(tokens: list[Token], before: Entity | None, n: int, sign: str, value: _Value) -> Entity | None:
    """A second comparison of the same column: `below 15 or above 25`."""
    joined = n > 0 and tokens[n - 1].lower in ("or", "and") and before is not None and n - 2 in before.places
    if before is None or not joined or value.kind == "text" or sign not in _BEFORE:
        return None
    places = frozenset(range(n, max(value.places) + 1))
    return Entity("where", f"{before.value.partition(' ')[0]} {sign} {value.text}", places)


def _of_years(where: str, name: str, sign: str, value: _Value, second: _Value | None, table: Table) -> str:
    """A year against a column of dates: after 2023 is after its last day."""
    if table.measured(name) != "dates" or value.kind != "numbers" or not re.fullmatch(r"[12]\d{3}", value.text):
        return where
    first, last = f"{value.text}-01-01", f"{(second or value).text}-12-31"
    if sign in (">", "<=", "<", ">="):
        return f"{name} {sign} {last if sign in ('>', '<=') else first}"
    return f"{name} >= {first} and {name} <= {last}"


def _column(
    tokens: list[Token], table: Table, columns: list[Entity], n: int, sign: str, end: int, value: _Value
) -> tuple[str, bool, frozenset[int]] | None:
    """The column that is compared, whether a larger value is more of it, and where it is named."""
    if sign == "=" and value.kind == "text":
        return None
    named = _named_before(tokens, [e for e in columns if sign in _TEXT or _comparable(e, value)], n, sign)
    if named:
        rising = measured_by(adjective(tokens[n].lower), table) if sign == "than" else None
        return named.value, rising[1] if rising else not _falls(tokens[n].lower), named.places
    if sign in _TEXT or sign == "=":
        return None
    for entity in columns:  # `more than 20 hours`
        if entity.at in (end + 1, end + 2) and entity.measured == value.kind == "numbers" and entity.exact:
            return entity.value, True, entity.places
    for place in range(n, max(-1, n - 3), -1):  # `older than`, `cost at least`
        word = tokens[place].lower
        found = measured_by((adjective(word) if place == n else "") or word, table)
        if found:
            return *found, frozenset([place])
    only = [column for column in table.columns if table.measured(column) == value.kind]
    return (only[0], True, frozenset()) if len(only) == 1 and value.kind != "numbers" else None


def _comparable(column: Entity, value: _Value) -> bool:
    """Whether a column holds what a value is; a year may be compared with dates, and text with anything."""
    return value.kind in ("text", column.measured) or (value.kind, column.measured) == ("numbers", "dates")


def _falls(word: str) -> bool:
    return adjective(word) in ("small", "low", "short", "young", "cheap", "light", "few", "less", "cold", "near")


def _named_before(tokens: list[Token], columns: list[Entity], n: int, sign: str) -> Entity | None:
    near = [e for e in columns if n - _REACH <= max(e.places) < n]
    for entity in sorted(near, key=lambda e: (-max(e.places), not e.exact)):
        between = tokens[max(entity.places) + 1 : n]
        parted = any(token.text in ",.;?" or token.lower in ("and", "with") for token in between)
        if not parted and (sign != "=" or all(token.lower in _SMALL for token in between)):
            return entity
    return None


def _value(tokens: list[Token], n: int) -> _Value | None:
    """The number, date, time or text that stands at `n`, a sign of money or a small word before it."""
    while n < len(tokens) and (tokens[n].text in "$€£" or tokens[n].lower in ("the", "a", "an", "year")):
        n += 1
    if n >= len(tokens):
        return None
    token = tokens[n]
    day = parse_day(token.text) if token.kind == "date" else None
    if day:
        return _Value(day.isoformat(), "dates", frozenset([n]))
    if re.fullmatch(r"\d\d?:\d\d", token.text):
        return _Value(token.text.zfill(5), "times", frozenset([n]))
    if token.number is not None:
        return _Value(str(token.number), "numbers", frozenset([n]))
    if token.kind in ("word", "quoted") and token.text:
        return _Value(quoted(token.text), "text", frozenset([n]))
    return None


def _on_days(tokens: list[Token], table: Table, done: set[int]) -> Iterator[Entity]:
    """`made on 3 May 2026`: a date that nothing compares is that of the only column of dates."""
    dates = [column for column in table.columns if table.measured(column) == "dates"]
    for n, token in enumerate(tokens):
        day = parse_day(token.text) if token.kind == "date" and n not in done else None
        if day and len(dates) == 1:
            on = {n - 1} if n and tokens[n - 1].lower in ("on", "of", "for") else set()
            yield Entity("where", f"{dates[0]} = {day.isoformat()}", frozenset([n, *on]))


def _in_months(tokens: list[Token], table: Table) -> Iterator[Entity]:
    """`in May`, `in May 2026`: of the only column of dates, where those are written from the year down."""
    dates = [column for column in table.columns if table.measured(column) == "dates"]
    for n, token in enumerate(tokens):
        if token.lower in _MONTHS and n and tokens[n - 1].lower in ("in", "during", "of") and len(dates) == 1:
            place = table.columns.index(dates[0])
            iso = all(re.match(r"\d{4}-\d\d-", row[place]) for row in table.rows if place < len(row) and row[place])
            year = tokens[n + 1].text if n + 1 < len(tokens) and re.fullmatch(r"[12]\d{3}", tokens[n + 1].text) else ""
            if iso:
                month = f"{year}-{_MONTHS.index(token.lower) + 1:02}-"
                yield Entity("where", f"{dates[0]} contains {month}", frozenset([n - 1, n, *([n + 1] if year else [])]))

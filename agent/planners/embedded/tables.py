"""Columns of a table that a goal names, and conditions on its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.planners.embedded.comparisons import comparisons
from agent.planners.embedded.entities import Entity, names, runs
from agent.planners.embedded.surroundings import Table
from agent.planners.embedded.words import FUNCTION, Token
from agent.router import stem
from tools.conditions import quoted

_NEGATIONS = frozenset(
    """not non without no isn't aren't wasn't weren't cannot can't don't doesn't didn't
    haven't hasn't except never un""".split()
)
_LEADING = frozenset("the a an in from at to of by".split())  # may stand between a denial and what is denied


def columns(tokens: list[Token], table: Table) -> list[Entity]:
    """The columns that are named: in full, or by a word of theirs that no other column has and nothing else takes."""
    found = [
        Entity("column", column, places, measured=table.measured(column))
        for column in table.columns
        for places in dict.fromkeys([*_spelled(tokens, column), *runs(tokens, names(column))])
    ]
    taken = frozenset[int]().union(*(e.places for e in found))
    for column in [column for column in table.columns if not any(e.value == column for e in found)]:
        for word in dict.fromkeys(_ends(names(column))):
            if word in FUNCTION or sum(word in names(other) for other in table.columns) > 1:
                continue
            for places in runs(tokens, [word]):  # `temperature` for temperature_c
                if not places & taken:
                    found.append(Entity("column", column, places, exact=False, measured=table.measured(column)))
    return found


def _ends(words: list[str]) -> list[str]:
    return [words[0], words[-1]] if len(words) > 1 else []


def _spelled(tokens: list[Token], column: str) -> Iterator[frozenset[int]]:
    return (frozenset([n]) for n, token in enumerate(tokens) if token.lower == column.lower())


def conditions(tokens: list[Token], table: Table) -> list[Entity]:
    """Conditions on rows: a cell's value that is named, a yes-or-no column, a comparison with a number or date."""
    found = []
    for column, values in table.values.items():
        lower = {value.lower() for value in values}
        if lower <= {"yes", "no", "true", "false", "y", "n", "0", "1"} and len(lower) == 2:
            found += list(_flags(tokens, column, values))
        elif not all(re.fullmatch(r"[\d.,-]+", value) for value in values):
            found += [e for value in values for e in _cell(tokens, column, value)]
    named = columns(tokens, table)
    for said in [*comparisons(tokens, table, named), *(e for column in named for e in _equation(tokens, column))]:
        column = said.value.partition(" ")[0]  # what is written out holds, and not what else the column's name may say
        other = [e for e in found if e.value.startswith(f"{column} = ") and not e.places & said.places]
        found = [e for e in found if e not in other or e.value == said.value]
        found.append(said)
    return found


def _cell(tokens: list[Token], column: str, value: str) -> Iterator[Entity]:
    words = [stem(word) for word in re.findall(r"\w+", value.lower())]
    if not words:
        return
    for places in runs(tokens, words):
        yield _condition(tokens, column, value, places)
    if len(words) == 1 and len(value) == 3 and value.isalpha():  # Sun for Sunday, Jan for January
        for n, token in enumerate(tokens):
            if token.kind == "word" and len(token.lower) > 3 and token.lower.startswith(value.lower()):
                full = _calendar(token.lower)
                if full == value.lower():
                    yield _condition(tokens, column, value, frozenset([n]))


def _calendar(word: str) -> str:
    """The three-letter form of a weekday or month."""
    names = "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august"
    days = f"{names} september october november december".split()
    return word.rstrip("s")[:3] if any(word.rstrip("s") == day for day in days) else ""


def _condition(tokens: list[Token], column: str, value: str, places: frozenset[int]) -> Entity:
    """Column = value, or != where it is denied; the column's own name beside it belongs to it."""
    at = min(places)
    own = {
        n for n in range(max(0, at - 4), min(len(tokens), max(places) + 5)) if stem(tokens[n].lower) in names(column)
    }
    denial = next((n for n in range(at - 1, max(-1, at - 4), -1) if tokens[n].lower not in _LEADING), -1)
    negated = denial >= 0 and tokens[denial].lower in _NEGATIONS
    told = places | own | ({denial} if negated else frozenset())
    return Entity("where", f"{column} {'!=' if negated else '='} {quoted(value)}", told)


def _flags(tokens: list[Token], column: str, values: list[str]) -> Iterator[Entity]:
    """`smokers` and `non-smokers` where a column smoker holds yes and no."""
    yes = next(v for v in values if v.lower() in ("yes", "true", "y", "1"))
    no = next(v for v in values if v != yes)
    words = names(column)
    for n, token in enumerate(tokens):
        parts = [part for part in re.split(r"[-\s_]", token.lower) if part]
        stems = [stem(part) for part in parts]
        if stems[-len(words) :] != words and [stem(token.lower.removeprefix("un"))] != words:
            continue
        before = tokens[n - 1].lower if n else ""
        denied = bool(set(parts[:-1]) & _NEGATIONS) or before in _NEGATIONS
        denied = denied or (token.lower.startswith("un") and stem(token.lower) not in words)
        said = _said(tokens, n + 1)
        denied = denied != said[0] if said else denied
        places = frozenset([n, *range(n + 1, said[1])] if said else [n]) | ({n - 1} if before in _NEGATIONS else set())
        yield Entity("where", f"{column} = {no if denied else yes}", places)


def _said(tokens: list[Token], n: int) -> tuple[bool, int] | None:
    """Whether what follows a yes-or-no column denies it, `is no`, `= false`, `is not`, and where that ends."""
    end = n
    while end < len(tokens) and tokens[end].lower in ("is", "was", "are", "were", "=", "==", "equals", "set", "to"):
        end += 1
    word = tokens[end].lower if n < end < len(tokens) else ""
    if word in ("no", "false", "not"):
        return True, end + 1
    return (False, end + 1) if word in ("yes", "true") else None


def _equation(tokens: list[Token], column: Entity) -> list[Entity]:
    """`in_service = yes`: the column, a sign, a value."""
    n = max(column.places) + 1
    if n + 1 < len(tokens) and tokens[n].text in ("=", "==") and tokens[n + 1].kind != "punct":
        return [Entity("where", f"{column.value} = {quoted(tokens[n + 1].text)}", column.places | {n, n + 1})]
    return []

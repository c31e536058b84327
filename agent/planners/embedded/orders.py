"""Orders: by which column of a table rows are to be put in order, which way round, and how many of them are wanted.

`the three windiest days by knots`, `cheapest two by fee`, `sorted by age, oldest first`, `who is the youngest?`
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.planners.embedded.entities import Entity, names
from agent.planners.embedded.surroundings import Table
from agent.planners.embedded.words import Token
from agent.router import stem

# What is measured by an adjective or a verb: words of column names, those after a minus the other way round.
_MEASURED = {
    "tall": "height",
    "high": "height altitude elevation",
    "deep": "depth",
    "long": "length duration distance minutes hours seconds days km miles pages",
    "short": "- length duration height distance minutes hours seconds days km miles pages",
    "heavy weigh weighs weighed weighing": "weight kg mass kilos grams",
    "light": "- weight kg mass kilos grams",
    "old aged": "age years - year date born founded built opened joined",
    "young": "year date born - age years",
    "cheap": "- price cost fee fare rent",
    "expensive dear costly pricey cost costs costing priced": "price cost fee fare rent",
    "fast quick": "speed knots - time minutes seconds duration",
    "slow": "time minutes seconds duration - speed knots",
    "hot warm": "temperature temp degrees celsius",
    "cold cool": "- temperature temp degrees celsius",
    "loud": "decibels volume level",
    "quiet": "- decibels volume level",
    "wind": "wind knots speed gust",
    "wet rain": "rain rainfall mm",
    "dry": "- rain rainfall mm",
    "late new recent": "date day year time opened joined built born",
    "early": "- date day year time opened joined built born",
    "big large": "size area population",
    "small": "- size area population",
    "busy full": "visitors guests passengers people",
    "wide": "width",
    "narrow": "- width",
    "far": "distance km miles",
    "near close": "- distance km miles",
    "earn earns earning paid": "wage pay salary income",
}
_IRREGULAR = dict.fromkeys("most least fewest top bottom maximum minimum lowest".split(), "")
_IRREGULAR |= {"furthest": "far", "farthest": "far"}
_NO_ADJECTIVES = frozenset(
    """interest forest west guest rest nest harvest honest request suggest test rest chest best
    latest-news worst contest protest invest modest arrest digest east quest pest""".split()
)
_DOWN = frozenset("least fewest bottom minimum lowest smallest".split())
_DOWNWARDS = re.compile(
    r"\b(descending|decreasing|from (?:the )?(?:high\w*|large\w*|big\w*|most|new\w*|late\w*) to"
    r"|(?:largest|highest|biggest|most|greatest|newest|latest|longest|heaviest|tallest|dearest|top)"
    r" (?:\w+ )?(?:first|on top|at the top)"
    r"|most expensive first|z to a|z-a|reverse(?:d)?(?: \w+)? order)\b"
)
_UPWARDS = re.compile(
    r"\b(ascending|increasing|from (?:the )?(?:low\w*|small\w*|few\w*|old\w*|early|earliest) to"
    r"|(?:smallest|lowest|fewest|least|earliest|shortest|lightest|cheapest)"
    r" (?:\w+ )?(?:first|on top|at the top)|a to z|a-z)\b"
)
_SORTING = frozenset(stem(word) for word in "sort order arrange rank list put".split())
_REACH = 7  # tokens from a superlative to the column that is meant


def orders(tokens: list[Token], table: Table, columns: list[Entity]) -> list[Entity]:
    """The orders asked for, of kind `order`: (column, whether the largest comes first, how many rows or 0)."""
    return [*_sorted_by(tokens, table, columns), *_superlatives(tokens, table, columns)]


def measured_by(word: str, table: Table) -> tuple[str, bool] | None:
    """The column that an adjective or verb speaks of, and whether more of it is a larger value; None where none is."""
    for adjectives, measures in _MEASURED.items():
        if word in adjectives.split():
            up, _, down = measures.partition("-")
            for words, rising in ((up, True), (down, False)):
                for one in words.split():
                    for column in table.columns:
                        if stem(one) in names(column) and table.measured(column):
                            return column, rising
    return None


def adjective(word: str) -> str:
    """The plain form of a comparative or superlative: windy of windiest, old of older; empty where it is neither."""
    if word in _NO_ADJECTIVES:
        return ""
    found = re.fullmatch(r"(\w+?)(i?)(?:est|er)", word)
    if not found:
        return ""
    root = found[1] + ("y" if found[2] else "")
    doubled = root[-1:] == root[-2:-1] and len(root) > 3
    for plain in (root, root[:-1] if doubled else root, root + "e", root.removesuffix("y")):
        if any(plain in adjectives.split() for adjectives in _MEASURED):
            return plain
    return root


def _superlatives(tokens: list[Token], table: Table, columns: list[Entity]) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        word = token.lower
        most = word == "most" and n + 1 < len(tokens) and tokens[n + 1].lower in _adjectives()
        if not (word in _IRREGULAR or most or (word.endswith("est") and adjective(word))):
            continue
        plain = tokens[n + 1].lower if most else _IRREGULAR.get(word) or adjective(word)
        after = n + 2 if most else n + 1
        if after < len(tokens) and tokens[after].lower in ("first", "often", "of"):
            continue
        found = _column_at(tokens, after, columns, table, plain) or _implied(plain, table)
        found = found or _only(columns, plain, table)
        if found:
            column, rising, places = found
            count, counted = how_many(tokens, n, after)
            value = (column, rising and word not in _DOWN, count)
            yield Entity("order", value, frozenset([n, *range(n, after), *counted]) | places)


def _adjectives() -> frozenset[str]:
    return frozenset(word for adjectives in _MEASURED for word in adjectives.split())


def _column_at(
    tokens: list[Token], n: int, columns: list[Entity], table: Table, plain: str
) -> tuple[str, bool, frozenset[int]] | None:
    """The column that is named after a superlative, at once or as what it goes by; not one that is to be added up."""
    measured = [e for e in columns if e.measured and n <= e.at <= n + _REACH + 4]
    for entity in sorted(measured, key=lambda e: (not e.exact, e.at)):
        between = tokens[n : entity.at]
        around = {token.canon for token in [*between, *tokens[max(entity.places) + 1 : max(entity.places) + 2]]}
        joined = {"by", "(", "going"} & {token.lower for token in between[-3:]}
        if around & {"sum", "mean", "count"} or not (len(between) <= 1 or joined):
            continue
        by = {p for p in range(n, entity.at) if tokens[p].lower in ("by", "(", "going")}
        return entity.value, _rises(plain, entity.value, table), entity.places | by
    return None


def _rises(plain: str, column: str, table: Table) -> bool:
    """Whether more of what an adjective says is a larger value of a column: of old it is in an age, not in a date."""
    for adjectives, measures in _MEASURED.items():
        if plain in adjectives.split():
            up, _, down = measures.partition("-")
            words = set(names(column))
            if table.measured(column) == "dates" and plain in ("old", "new", "late", "recent", "early", "young"):
                return plain not in ("old", "early")
            if words & {stem(word) for word in up.split()}:
                return True
            return not (words & {stem(word) for word in down.split()} or not up.strip())
    return True


def _implied(plain: str, table: Table) -> tuple[str, bool, frozenset[int]] | None:
    found = measured_by(plain, table)
    return (*found, frozenset()) if found else None


def _only(columns: list[Entity], plain: str, table: Table) -> tuple[str, bool, frozenset[int]] | None:
    """The only column of numbers that is named at all, by itself: `the biggest gift? Look at amount in …`."""
    measured = {e.value: e for e in columns if e.measured == "numbers"}
    if len(measured) != 1 or not plain:
        return None
    column, entity = next(iter(measured.items()))
    return column, _rises(plain, column, table), entity.places


def how_many(tokens: list[Token], n: int, after: int) -> tuple[int, list[int]]:
    """How many are wanted, and where that is said: `three highest`, `cheapest two`, `the two days with the`."""
    for place in (n - 1, after):
        if 0 <= place < len(tokens) and isinstance(tokens[place].number, int):
            return int(tokens[place].number or 1), [place]
    for place in range(max(0, n - 5), n - 1):  # `the three days with the highest …`
        between = {token.lower for token in tokens[place + 1 : n]}
        if isinstance(tokens[place].number, int) and between & {"with", "that", "which", "who"}:
            return int(tokens[place].number or 1), [place]
    return 1, []


def _sorted_by(tokens: list[Token], table: Table, columns: list[Entity]) -> Iterator[Entity]:
    """`sort … by hours, most first`, `in order of age`, `newest first`."""
    sorting = [n for n, token in enumerate(tokens) if stem(token.lower) in _SORTING or token.canon in ("sort", "order")]
    for entity in columns if sorting else []:
        before = [token.lower for token in tokens[max(0, entity.at - 3) : entity.at]]
        if not {"by", "of", "on"} & set(before) or entity.at < min(sorting):
            continue
        rest = " ".join(token.lower for token in tokens[min(sorting) :])
        way = _DOWNWARDS.search(rest) or _UPWARDS.search(rest)
        first = next((n for n, t in enumerate(tokens) if t.lower == "first" and n > max(entity.places)), None)
        down = bool(_DOWNWARDS.search(rest))
        if not way and first is not None:
            word = tokens[first - 1].lower
            down = word not in _DOWN and _rises(adjective(word), entity.value, table)
        said = _places_of(tokens, way[0], min(sorting)) if way else {first - 1, first} if first is not None else set()
        by = {p for p in range(max(0, entity.at - 3), entity.at) if tokens[p].lower in ("by", "of", "on")}
        yield Entity("order", (entity.value, down, 0), frozenset(entity.places | by | said | {min(sorting)}))


def _places_of(tokens: list[Token], phrase: str, start: int) -> set[int]:
    """The positions of the words of a phrase, from `start` on."""
    words = phrase.split()
    lower = [token.lower for token in tokens]
    for n in range(start, len(tokens)):
        if " ".join(lower[n:]).startswith(phrase) or lower[n : n + len(words)] == words:
            end = n
            while end < len(tokens) and len(" ".join(lower[n : end + 1])) < len(phrase):
                end += 1
            return set(range(n, end + 1))
    return set()

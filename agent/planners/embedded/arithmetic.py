"""Sums in words and in signs: `add 7 to it`, `35% off 129.80`, `… divided by 12`, `(3 + 4) * 12`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.planners.embedded.words import Token

# A way to say a calculation, and what is calculated; A and B stand for anything that is a number, N and M for numbers
# that are said (NM for two of them, one after the other), P for a percentage.
_WAYS = """
    A plus B            | A + B
    A minus B           | A - B
    A less B            | A - B
    A times B           | A * B
    A multiplied by B   | A * B
    A divided by B      | A / B
    A over B            | A / B
    add A to B          | B + A
    add A and B         | A + B
    add B               | A + B
    plus B              | A + B
    minus B             | A - B
    times B             | A * B
    subtract A from B   | B - A
    take A from B       | B - A
    deduct A from B     | B - A
    take away B         | A - B
    subtract B          | A - B
    multiply A by B     | A * B
    multiply A with B   | A * B
    multiply by B       | A * B
    divide A by B       | A / B
    divide by B         | A / B
    divided by B        | A / B
    multiplied by B     | A * B
    product of A and B  | A * B
    sum of A and B      | A + B
    difference between A and B | abs(A - B)
    difference of A and B      | abs(A - B)
    remainder of A divided by B | A % B
    remainder when A divided by B | A % B
    N at M              | N * M
    N each M            | N * M
    NM each             | N * M
    NM apiece           | N * M
    share A among B     | A / B
    share A between B   | A / B
    split A among B     | A / B
    split A between B   | A / B
    shared among B      | A / B
    shared between B    | A / B
    divided among B     | A / B
    split between B     | A / B
    double A            | 2 * A
    double              | 2 * A
    doubled             | 2 * A
    twice A             | 2 * A
    triple A            | 3 * A
    triple              | 3 * A
    half of A           | A / 2
    half A              | A / 2
    halve A             | A / 2
    halved              | A / 2
    a third of A        | A / 3
    a quarter of A      | A / 4
    square root of A    | sqrt(A)
    A squared           | A ** 2
    A cubed             | A ** 3
    square of A         | A ** 2
    cube of A           | A ** 3
    A to the power of B | A ** B
    P off B             | B * (100 - P) / 100
    take P off B        | B * (100 - P) / 100
    B minus P           | B * (100 - P) / 100
    B less P            | B * (100 - P) / 100
    reduce B by P       | B * (100 - P) / 100
    decrease B by P     | B * (100 - P) / 100
    lower B by P        | B * (100 - P) / 100
    discount B by P     | B * (100 - P) / 100
    add P to B          | B * (100 + P) / 100
    B plus P            | B * (100 + P) / 100
    B goes up by P      | B * (100 + P) / 100
    goes up by P        | B * (100 + P) / 100
    B rises by P        | B * (100 + P) / 100
    goes down by P      | B * (100 - P) / 100
    B goes down by P    | B * (100 - P) / 100
    P more than B       | B * (100 + P) / 100
    P less than B       | B * (100 - P) / 100
    B reduced by P      | B * (100 - P) / 100
    B increased by P    | B * (100 + P) / 100
    reduced by P        | B * (100 - P) / 100
    increased by P      | B * (100 + P) / 100
    P discount on B     | B * (100 - P) / 100
    B falls by P        | B * (100 - P) / 100
    increase B by P     | B * (100 + P) / 100
    raise B by P        | B * (100 + P) / 100
"""
_SIGNS = frozenset("+-*/^()×÷−%")
_OPERATORS = frozenset("+-*/^×÷−")


@dataclass(frozen=True, slots=True)
class Operation:
    """A calculation that the words speak of. `operands` are the positions of the tokens of each; P is in percent."""

    template: str
    places: frozenset[int]
    operands: dict[str, tuple[int, ...]]


_PARSED = [(way.split(), what.strip()) for way, _, what in (line.partition("|") for line in _WAYS.strip().splitlines())]


def operations(tokens: list[Token], rest: tuple[int, ...]) -> Iterator[Operation]:
    """The calculations that the tokens at `rest` may speak of."""
    words = {tokens[p].lower for p in rest}
    for pattern, template in _PARSED:
        if all(word in words for word in pattern if not word.isupper()):
            yield from _match(pattern, template, tokens, rest)


def _match(pattern: list[str], template: str, tokens: list[Token], rest: tuple[int, ...]) -> Iterator[Operation]:
    """The pattern's words in their order; what stands between them is the operand that the pattern has there."""
    first = next(n for n, word in enumerate(pattern) if not word.isupper())
    for at, place in enumerate(rest):
        if tokens[place].lower != pattern[first]:
            continue
        spans = _spans(pattern[first:], tokens, rest, at)
        if spans is None:
            continue
        operands, places = spans
        if first:
            operands[pattern[0]] = rest[:at]
        if all(operands.get(name) for name in pattern if name.isupper()):
            yield Operation(template, places, operands)


def _spans(
    pattern: list[str], tokens: list[Token], rest: tuple[int, ...], at: int
) -> tuple[dict[str, tuple[int, ...]], frozenset[int]] | None:
    operands: dict[str, tuple[int, ...]] = {}
    places, n = {rest[at]}, at + 1
    for before, word in zip(pattern, pattern[1:], strict=False):
        if word.isupper():
            continue
        end = n if not before.isupper() else len(rest)
        found = next((k for k in range(n, min(end + 1, len(rest))) if tokens[rest[k]].lower == word), None)
        if found is None or (before.isupper() and found == n):
            return None
        if before.isupper():
            operands[before] = rest[n:found]
        places.add(rest[found])
        n = found + 1
    if pattern[-1].isupper():
        operands[pattern[-1]] = rest[n:]
    return operands, frozenset(places)


def expression(tokens: list[Token], rest: tuple[int, ...]) -> tuple[str, frozenset[int]] | None:
    """A calculation written in signs, the longest that stands in one piece."""
    best: tuple[str, frozenset[int]] | None = None
    n = 0
    while n < len(rest):
        run = []
        while n < len(rest) and _is_part(tokens, rest, n):
            run.append(rest[n])
            n += 1
        n += not run
        texts = ["*" if tokens[p].lower == "x" else tokens[p].text for p in run]
        numbers = sum(tokens[p].kind == "number" for p in run)
        called = "sqrt" in texts and "(" in texts
        if (called or (numbers >= 2 and _OPERATORS & set(texts))) and (best is None or len(run) > len(best[1])):
            best = " ".join(text.replace(",", "") for text in texts), frozenset(run)
    return best


def _is_part(tokens: list[Token], rest: tuple[int, ...], n: int) -> bool:
    token = tokens[rest[n]]
    if token.kind == "number" or token.text in _SIGNS or token.lower in ("sqrt",):
        return True
    around = [tokens[rest[k]].kind for k in (n - 1, n + 1) if 0 <= k < len(rest)]
    return token.lower == "x" and around == ["number", "number"]

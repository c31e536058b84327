"""Split: where one step of a goal may end and the next begin."""

from __future__ import annotations

from agent.planners.embedded.words import Token

SENTENCE_ENDS = frozenset(".?!;")
_JOINS = frozenset("and then also plus afterwards".split())


def boundaries(tokens: list[Token]) -> list[int]:
    """The positions at which a step may begin, the first and the end of the goal included.

    Whether it does is decided by what the parts turn out to mean: `a, b and c` may be one list or three steps.
    """
    found = {0, len(tokens)}
    for n, token in enumerate(tokens):
        if token.kind == "punct" and (token.text in SENTENCE_ENDS or token.text in ",:-–—"):
            found.add(n + 1)
        elif token.lower in _JOINS and n:
            found.add(n)
    return sorted(found)


def parts(tokens: list[Token], rest: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The members of an enumeration: `a, b and c` in three, without the marks and words between them."""
    found: list[list[int]] = [[]]
    for place in rest:
        if tokens[place].text == "," or tokens[place].lower in ("and", "or"):
            found.append([])
        else:
            found[-1].append(place)
    return [tuple(part) for part in found if any(tokens[p].kind != "punct" for p in part)]

"""Tools that say which of some things is more, and whether two are the same."""

from __future__ import annotations

import difflib
from typing import Literal

from tools.errors import ToolError
from tools.numbers import _exact, _plain
from tools.schema import as_text

__all__ = ["largest_of", "smallest_of", "same_text", "compare_lines", "compare_numbers"]


def largest_of(values: dict[str, float]) -> str:
    """Tell which of several named things has the largest value: the name, not the number.

    Asked as: which one is longer; which is the largest of …; which one is bigger; which has the most …; which … has
        the highest; the one with the greatest …; which is longest; who has the most …

    Args:
        values: the value of each, by name.

    >>> largest_of({"a.py": 9, "b.py": 14})
    'b.py'
    >>> largest_of({"a.py": 9, "b.py": 9})
    'a.py and b.py'
    """
    return _named(values, max(values.values(), default=0))


def smallest_of(values: dict[str, float]) -> str:
    """Tell which of several named things has the smallest value: the name, not the number.

    Asked as: which one is shorter; which is the smallest of …; which one is smaller; which has the fewest …; which …
        has the lowest; the one with the least …; which is shortest; who has the fewest …

    Args:
        values: the value of each, by name.

    >>> smallest_of({"a.py": 9, "b.py": 14})
    'a.py'
    >>> smallest_of({"x": -1, "y": -2})
    'y'
    """
    return _named(values, min(values.values(), default=0))


def same_text(first: str, second: str) -> bool:
    r"""Tell whether two texts are the same (line endings and blank ends of lines aside).

    Asked as: are … and … the same; are … and … identical; is … equal to; do … and … have the same content; is … a
        copy of; do … and … differ; compare the texts of …

    Args:
        first: one text.
        second: the other text.

    >>> same_text("one\r\ntwo\n", "one\ntwo")
    True
    >>> same_text("one", "One")
    False
    """
    return _bare(first) == _bare(second)


def compare_lines(first: str, second: str, show: Literal["different", "both"] = "different") -> list[str]:
    r"""Compare two texts line by line: the lines that differ, - of the first and + of the second, or that both have.

    Asked as: the differences between … and …; what is different between … and …; how do … and … differ; which lines are
        in both … and …; the lines that … and … have in common; compare … and … line by line; what changed between …

    Args:
        first: one text.
        second: the other text.
        show: the lines that are different, or those that both have.

    >>> compare_lines("tea\nmilk\nsalt", "tea\nmilk, warm\nsalt")
    ['- milk', '+ milk, warm']
    >>> compare_lines("tea\nmilk", "milk\nsalt", "both")
    ['milk']
    """
    mine, theirs = ([line.rstrip() for line in text.splitlines()] for text in (first, second))
    if show == "both":
        return [line for line in dict.fromkeys(mine) if line and line in theirs]
    return [line for line in difflib.ndiff(mine, theirs) if line[0] in "+-" and line[2:]]


def compare_numbers(first: float, second: float) -> str:
    """Compare two numbers and say which is larger, and by how much.

    Asked as: compare … and; is … larger than; is … more than; is … less than; which is greater, … or; which number is
        bigger, …; difference between … and; the difference …; … the difference … than

    Args:
        first: one number.
        second: the other number.

    >>> compare_numbers(12, 5)
    '12 is larger than 5, by 7'
    >>> compare_numbers(0.3, 0.3)
    '0.3 and 0.3 are equal'
    """
    one, other = as_text(first), as_text(second)
    if first == second:
        return f"{one} and {other} are equal"
    apart = as_text(_plain(abs(_exact(first) - _exact(second))))
    return f"{one} is {'larger' if first > second else 'smaller'} than {other}, by {apart}"


def _named(values: dict[str, float], value: float) -> str:
    if not values:
        raise ToolError("there is nothing to compare; give each thing's value by its name")
    return " and ".join(name for name, own in values.items() if own == value)


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()

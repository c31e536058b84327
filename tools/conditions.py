"""Conditions on the rows of a table, as they are written: `day = Sun and kilos > 3 or fish contains eel`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.errors import ToolError

_SIGN = (
    r"(?:\s*(?P<sign>==|!=|<>|<=|>=|≠|≤|≥|=|<|>)\s*"
    r"|\s+(?P<word>(?:not\s+)?(?:contains|starts\s+with|ends\s+with))\s+)"
)
_SAME_SIGN = {"==": "=", "<>": "!=", "≠": "!=", "≤": "<=", "≥": ">="}
_AND, _OR = r"\s+(?:and|AND|&&)(?:\s+|$)", r"\s+(?:or|OR|\|\|)(?:\s+|$)"
_QUOTED = r"\"[^\"]*\"|'[^']*'|`[^`]*`"
_COMPARISON = re.compile(rf"\s*(?P<column>{_QUOTED}|[^=<>!≠≤≥]+?){_SIGN}(?P<value>{_QUOTED}|[^=<>!≠≤≥]+?)\s*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column, a sign (= != < <= > >= or, each maybe with `not`, contains, starts with, ends with) and a value."""

    column: str
    sign: str
    value: str


def parsed(where: str) -> list[list[Comparison]]:
    """The alternatives of a condition, each the comparisons that must all hold; none where nothing is asked.

    Raises ToolError where it cannot be read.
    """
    if not where.strip():
        return []
    return [[_comparison(part) for part in _parts(either, _AND)] for either in _parts(where.strip(), _OR)]


def comparisons(where: str) -> Iterator[Comparison]:
    """All comparisons of a condition."""
    return (one for either in parsed(where) for one in either)


def quoted(value: str) -> str:
    """A value as it stands in a condition."""
    mark = next(mark for mark in "'\"`" if mark not in value)
    return f"{mark}{value}{mark}" if re.search(r"[^\w.-]", value) else value


def _parts(text: str, joint: str) -> list[str]:
    """What stands between the joints, those in quotes left alone."""
    parts = [""]
    for token in re.split(rf"({_QUOTED}|{joint})", text):
        if re.fullmatch(joint, token):
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _comparison(part: str) -> Comparison:
    found = _COMPARISON.fullmatch(part)
    if not found:
        raise ToolError(f"{part.strip()!r} is not a condition; write it as column = value, with = != > >= < <=, "
                        "contains, starts with or ends with, parts joined by and, or by or, and a value with signs in "
                        "it in quotes")  # fmt: skip
    sign = found["sign"] or " ".join(found["word"].split())
    return Comparison(_unquoted(found["column"]), _SAME_SIGN.get(sign, sign), _unquoted(found["value"]))


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if re.fullmatch(_QUOTED, text) else text

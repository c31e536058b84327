"""Paths into a JSON document that a goal names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from agent.planners.embedded.entities import Entity, names, runs
from agent.planners.embedded.words import Token


def queries(tokens: list[Token], document: Any) -> list[Entity]:
    """The paths of a JSON document that the words name; the longest of those that share a word."""
    found: list[Entity] = []
    for path, words in _json_paths(document):
        places = _path_places(tokens, path, words)
        if places:
            found.append(Entity("query", path, places))
    best = [e for e in found if not any(e.places < other.places for other in found)]
    return sorted(best, key=lambda e: (-len(e.places), e.value.count("."), len(e.value)))[:8]


def _json_paths(document: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, list[list[str]]]]:
    """Every path of a document in JMESPath with the words of each of its keys."""
    if isinstance(document, list):
        first = next((item for item in document if isinstance(item, dict)), None)
        if first is not None and depth < 6:
            for path, words in _json_paths(first, "", depth + 1):
                yield f"{prefix}[].{path}", [*_prefix_words(prefix), *words]
        return
    if not isinstance(document, dict) or depth > 6:
        return
    for key, value in document.items():
        safe = key if re.fullmatch(r"[A-Za-z_]\w*", key) else json.dumps(key)
        path = f"{prefix}.{safe}" if prefix else safe
        yield path, [*_prefix_words(prefix), names(key) or [key.lower()]]
        yield from _json_paths(value, path, depth + 1)


def _prefix_words(prefix: str) -> list[list[str]]:
    return [names(part) for part in re.split(r"\.|\[\]", prefix) if part]


def _path_places(tokens: list[Token], path: str, words: list[list[str]]) -> frozenset[int] | None:
    """Where a path is named: written out, or by the words of its last key, with those of the keys above it."""
    for n, token in enumerate(tokens):
        if token.kind in ("path", "quoted") and token.lower == path.lower().replace("[]", ""):
            return frozenset([n])
    last = next(runs(tokens, words[-1]), None)
    if last is None:
        return None
    above: set[int] = set()
    for part in words[:-1]:
        above |= next(runs(tokens, part), frozenset())
    return last | above

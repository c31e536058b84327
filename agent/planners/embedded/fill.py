"""Fill: what role a parameter plays, and which of the things that a goal names can play it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from agent.planners.embedded.entities import Entity
from agent.planners.embedded.words import FUNCTION, Token, canons
from agent.router import stem
from tools.function import Param
from tools.registry import Tool
from tools.schema import Schema

Role = Literal[
    "target", "path", "folder", "files", "date", "number", "unit", "column", "where", "query", "glob", "literal",
    "content", "numeral", "list", "table", "enum", "flag", "expression", "url", "value", "columns", "rows",
]  # fmt: skip

_LITERAL = frozenset("word of name old new numeral pattern term phrase needle prefix suffix separator key".split())


@cache
def roles(tool: Tool) -> dict[str, Role]:
    """The role of each parameter of a tool, by name."""
    return {param.name: _role(param, tool) for param in tool.params}


def role(param: Param, tool: Tool) -> Role:
    """What a parameter is to be filled with."""
    return roles(tool)[param.name]


@cache
def _described(doc: str) -> frozenset[str]:
    return frozenset(word for word in canons(doc) if word not in FUNCTION and len(word) > 2)


def described(param: Param) -> frozenset[str]:
    """The canonical words that a parameter is described by."""
    return _described(param.doc)


def _role(param: Param, tool: Tool) -> Role:
    """What a parameter is to be filled with, from its type and its name."""
    schema, name = param.schema, param.name
    if "enum" in schema:
        return "enum"
    kind = _type(schema)
    if schema.get("format") == "path":
        if tool.effect == "write":
            return "target"
        return "folder" if re.search(r"folder|dir", name) else "path"
    if schema.get("format") == "date":
        return "date"
    if kind == "string":
        return _string_role(name, tool)
    if kind == "array" and _type(schema.get("items", {})) == "object":
        return "rows"
    if kind == "array" and name in ("columns", "without"):
        return "columns"
    plain: dict[str, Role] = {
        "number": "number", "integer": "number", "boolean": "flag", "array": "list", "object": "table",
    }  # fmt: skip
    return plain.get(kind, "value")


def _string_role(name: str, tool: Tool) -> Role:
    named: dict[str, Role] = {
        "column": "column", "by": "column", "where": "where", "query": "query", "expression": "expression",
        "files": "glob", "numeral": "numeral", "url": "url",
    }  # fmt: skip
    if name in named:
        return named[name]
    if name.endswith("unit"):
        return "unit"
    if name == "pattern" and any(p.name == "folder" for p in tool.params):
        return "glob"
    return "literal" if name in _LITERAL else "content"


def _type(schema: Schema) -> str:
    if "anyOf" in schema:
        kinds = [_type(option) for option in schema["anyOf"] if option.get("type") != "null"]
        return "number" if {"number", "integer"} & set(kinds) else kinds[0] if len(set(kinds)) == 1 else ""
    return str(schema.get("type", ""))


@cache
def main_params(tool: Tool) -> list[Param]:
    """The parameters that what is worked on goes into: the first required one, and a second of the very same kind."""
    roles = "content url numeral list rows table number path date literal value expression".split()
    required = [p for p in tool.params if p.required and role(p, tool) in roles]
    if tool.effect == "write":
        required = [p for p in required if role(p, tool) != "path"]
    first = required[:1]
    return first + [p for p in required[1:2] if first and role(p, tool) == role(first[0], tool)]


def numeric(schema: Schema) -> bool:
    return _type(schema) in ("number", "integer")


def textual(schema: Schema) -> bool:
    return _type(schema) == "string" or "enum" in schema


def items(schema: Schema) -> Schema | None:
    """The schema of a list's items; None where it is no list."""
    return schema.get("items", {}) if _type(schema) == "array" else None


def enum_value(param: Param, tokens: Iterable[Token]) -> Any:
    """The option that the words name, the first where they name several (`the average number of …` is an average);
    None where they name none."""
    for word in [token.canon for token in tokens]:
        for option in param.schema["enum"]:
            if word in _option_words(str(option)):
                return option
    return None


@cache
def _option_words(option: str) -> tuple[str, str]:
    """The canonical words that name an option: `upper`, and `uppercase`."""
    canon = " ".join(canons(option))
    return canon, stem(f"{canon}case")


_UPWARDS = frozenset({"smallest", "fewest", "oldest", "ascending"})


def flag_value(param: Param, tokens: Iterable[Token]) -> bool | None:
    """True where the words name the flag, False where they name the contrary of `descending`."""
    wanted = canons(param.name.replace("_", " "))
    words = {token.canon for token in tokens}
    if param.name == "descending" and words & _UPWARDS:
        return False
    return True if wanted and set(wanted) <= words else None


def near(entities: Iterable[Entity], places: Iterable[int]) -> list[Entity]:
    """Entities by how close they stand to some places, nearest first."""
    spots = list(places) or [0]
    return sorted(entities, key=lambda entity: min(abs(p - s) for p in entity.places for s in spots))

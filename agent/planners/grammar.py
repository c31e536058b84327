"""The grammar that a local model's decision must fit: a schema, typed for the tools at hand, written as GBNF.

All of it is made here, and bounded: what a tool declares, and a stranger's server may have declared it, cannot make it
long or deep. llama.cpp reads grammars by recursion, and crashes or hangs on some.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from agent import prompts
from agent.planners import Ask
from tools.registry import Tool
from tools.schema import Schema

MOST_NESTED = 4  # lists in lists, and choices in choices
MOST_OPTIONAL = 12  # arguments of a tool that it can do without
LONGEST_CHOICE = 2000  # characters of JSON that the values of an `enum` may have together
LONGEST_CALL = 8000  # of a tool's whole schema; one that has more is not offered

_ID = {"$ref": "zid"}
_TEXT = {"$ref": "ztext"}
_REFERENCE = {"$ref": "zref"}
_DATE = {"$ref": "zdate"}
_INTEGER = {"$ref": "zint"}
_NUMBER = {"$ref": "znum"}
_PLAIN = {"integer": _INTEGER, "number": _NUMBER, "boolean": {"type": "boolean"}, "null": {"type": "null"}}

_WHOLE = r'"-"? ("0" | [1-9] [0-9]{0,11})'
_RULES = {  # what the names above stand for, and how many bytes that has at most
    "zid": (r'"\"" [a-z] [a-z0-9]{0,7} "\""', 10),
    "zref": (r'"\"$" [a-z] [a-z0-9_.]{0,23} "\""', 27),
    "zdate": (r'"\"" [12] [0-9]{3} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8]) "\""', 12),
    "zint": (_WHOLE, 13),
    "znum": (_WHOLE + r' ("." [0-9]{1,9})?', 23),
}
_CHARACTER = (r'[^"\\\x00-\x1f\x7f\ud800-\udfff] | "\\" ["\\nt]', 4)
"""One character of a text: no control characters, and only the escapes that texts need; at most four bytes."""

_GENEROUS = (16, 600, 16)  # the most tasks, characters of a text, and items of a list
_FRUGAL = ((8, 80, 8), (4, 60, 8), (3, 40, 4), (2, 40, 4), (1, 40, 4), (1, 16, 2), (0, 40, 2), (0, 8, 1))


def generous(ask: Ask) -> str:
    """A grammar that leaves room to think."""
    tasks, text, items = _GENEROUS
    return gbnf(schema(ask.tools[: prompts.SHOWN], ask.may_plan, min(ask.max_tasks, tasks), items), text)


def frugal(ask: Ask, most: int) -> str:
    """The widest grammar whose longest decision still fits in `most` tokens of a byte each."""
    return gbnf(*widest(ask, most))


def widest(ask: Ask, most: int) -> tuple[Schema, int]:
    """The schema of that grammar, and how long its texts may be."""
    for tasks, text, items in _FRUGAL:
        wanted = schema(ask.tools[: prompts.SHOWN], ask.may_plan, min(ask.max_tasks, tasks), items)
        if longest(wanted, text) < most:
            break
    return wanted, text


# -- the schema


def schema(tools: Sequence[Tool], may_plan: bool, most_tasks: int, most_items: int) -> Schema:
    """The schema of a decision over these tools: for each its own typed arguments, every list bounded."""
    texts = _list_of(_TEXT, most_items)
    kinds = [_fields(answer={"anyOf": [_TEXT, _NUMBER, {"type": "boolean"}, texts]}), _fields(ask=_TEXT)]
    if may_plan and most_tasks:
        calls = [call for tool in tools if len(json.dumps(call := _call(tool, most_items))) <= LONGEST_CALL]
        tasks = {"type": "array", "items": {"anyOf": [*calls, _fields(id=_ID, goal=_TEXT)]}, "minItems": 1}
        plan = _fields(tasks={**tasks, "maxItems": most_tasks}, answer=_TEXT, notes=_TEXT)
        wish = _fields(name=_TEXT, signature=_TEXT, why=_TEXT)
        kinds = [{**plan, "required": ["tasks"]}, *kinds, _fields(want=wish)]
    return {"anyOf": kinds}


def _fields(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list_of(item: Schema, most: int) -> Schema:
    return {"type": "array", "items": item, "maxItems": most}


def _call(tool: Tool, most_items: int) -> Schema:
    needed = [param for param in tool.params if param.required]
    other = [param for param in tool.params if not param.required][:MOST_OPTIONAL]
    args = _fields(**{param.name: _argument(param.schema, most_items) for param in (*needed, *other)})
    args["required"] = [param.name for param in needed]
    each = {"anyOf": [_REFERENCE, _list_of(_TEXT, most_items)]}
    call = _fields(id=_ID, tool={"const": tool.name}, args=args, each=each)
    return {**call, "required": ["id", "tool", "args"]}


def _argument(wanted: Schema, most_items: int) -> Schema:
    """An argument's schema, or a reference to what will be its value."""
    value = _value(wanted, most_items)
    return value if value in (_TEXT, _REFERENCE) else {"anyOf": [value, _REFERENCE]}


def _value(wanted: Schema, most_items: int, nested: int = 0) -> Schema:
    """What a value of a tool's own schema may be written as; the tool itself checks it again."""
    if nested >= MOST_NESTED:
        return _REFERENCE
    if "anyOf" in wanted:
        return {"anyOf": [_value(option, most_items, nested + 1) for option in wanted["anyOf"][:8]]}
    if "enum" in wanted:
        return {"enum": wanted["enum"]} if len(json.dumps(wanted["enum"])) <= LONGEST_CHOICE else _TEXT
    kind = str(wanted.get("type"))
    if kind == "string":
        return _DATE if wanted.get("format") == "date" else _TEXT
    if kind == "array":
        return _list_of(_value(wanted.get("items", {}), most_items, nested + 1), most_items)
    other = _REFERENCE if kind == "object" else _TEXT  # a table of no known length: only from a result
    return _PLAIN.get(kind, other)


def longest(wanted: Schema, text: int) -> int:
    """The most bytes that a JSON value of a schema made here can have, where a text has at most `text` characters."""
    if "$ref" in wanted:
        name = wanted["$ref"]
        return text * _CHARACTER[1] + 2 if name == "ztext" else _RULES[name][1]
    if "anyOf" in wanted:
        return max(longest(option, text) for option in wanted["anyOf"])
    if "enum" in wanted or "const" in wanted:
        return max(len(_json(value).encode()) for value in wanted.get("enum", [wanted.get("const")]))
    if wanted["type"] == "array":
        return 2 + int(wanted["maxItems"]) * (1 + longest(wanted["items"], text))
    if wanted["type"] == "object":
        return 2 + sum(len(_json(name).encode()) + 2 + longest(v, text) for name, v in wanted["properties"].items())
    return len("false")


# -- the grammar


def gbnf(wanted: Schema, text: int) -> str:
    """A schema made here as a grammar of llama.cpp, without white space; texts have at most `text` characters."""
    rules = _Rules()
    lines = [f"root ::= {rules.of(wanted)}", *rules.lines]
    lines += [f"{name} ::= {rule}" for name, (rule, _) in _RULES.items()]
    return "\n".join([*lines, rf'ztext ::= "\"" zchar{{1,{text}}} "\""', f"zchar ::= {_CHARACTER[0]}"])


class _Rules:
    """The rules of a grammar; what occurs several times has one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}

    def of(self, wanted: Schema) -> str:
        """The name of a schema's rule."""
        if "$ref" in wanted:
            return str(wanted["$ref"])
        key = json.dumps(wanted)
        if key not in self._names:
            body = self._body(wanted)
            self._names[key] = name = f"r{len(self._names)}"
            self.lines.append(f"{name} ::= {body}")
        return self._names[key]

    def _body(self, wanted: Schema) -> str:
        if "anyOf" in wanted:
            return " | ".join(dict.fromkeys(map(self.of, wanted["anyOf"])))
        if "enum" in wanted or "const" in wanted:
            return " | ".join(_literal(_json(value)) for value in wanted.get("enum", [wanted.get("const")]))
        if wanted["type"] == "array":
            return self._array(self.of(wanted["items"]), wanted.get("minItems", 0), wanted["maxItems"])
        if wanted["type"] == "object":
            return self._object(wanted["properties"], wanted["required"])
        return '"true" | "false"' if wanted["type"] == "boolean" else '"null"'

    @staticmethod
    def _array(item: str, least: int, most: int) -> str:
        some = f'{item} ("," {item}){{0,{most - 1}}}'
        return f'"[" {some} "]"' if least else f'"[" ({some})? "]"'

    def _object(self, properties: dict[str, Schema], needed: Iterable[str]) -> str:
        """What is needed first, then what is there of the rest; where nothing is, any of the rest can be the first."""
        pairs = {name: f"{_literal(_json(name) + ':')} {self.of(value)}" for name, value in properties.items()}
        first, rest = [pairs[name] for name in needed], [pairs[name] for name in pairs if name not in needed]
        if first:
            inner = ' "," '.join(first) + _optional(rest)
        else:
            inner = " | ".join(pair + _optional(rest[at:]) for at, pair in enumerate(rest, 1))
            inner = f"({inner})?" if inner else ""
        return f'"{{" {inner} "}}"'


def _optional(pairs: Iterable[str]) -> str:
    return "".join(f' ("," {pair})?' for pair in pairs)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)  # lone surrogates, and marks that nobody sees


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

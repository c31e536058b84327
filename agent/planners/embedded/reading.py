"""What a reading of a goal is made of: calls, what is there before them, and the look-ups in what the goal names."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.planners.embedded import fill
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.words import BEYOND, Token, is_name
from agent.router import stem
from tools.function import Param
from tools.registry import Registry, Tool
from tools.schema import Schema

# What readings cost, in words explained: a reading must explain more than it costs.
COST_CALL = 0.35  # each call
COST_BACK = 0.1  # an earlier result that a word such as `it` points to
COST_IMPLIED = 0.3  # an earlier result that no word points to
COST_BORROWED = 0.5  # something named elsewhere in the goal
COST_GUESSED = 0.8  # a plain word taken for a text
COST_TURNED = 0.4  # a call around one that stands on its wrong side
COST_WITHIN = 0.3  # what a calculation within another costs less than one of its own
COST_STEP = 0.15  # each step of its own
DEPTH = 4  # calls within calls in one step
BEAM = 4  # readings kept at each boundary
COST_APART = 0.4  # a call within another although a comma or `and` stands between them
COST_SIGNATURE = 0.2  # a tool that only what it takes speaks for

POINTERS = frozenset(
    """it its them they their that this these those result results number numbers total count counts list answer sum
    value values output average both two one ones each former figure amount verdict that's what's same rest
    left""".split()
)
QUOTING = frozenset("word term string phrase name".split())  # the word after them is meant as it stands
SINKS = frozenset("to into in as called named under at".split())


@dataclass(eq=False, slots=True, repr=False)
class Call:
    """A call of a tool. Arguments are JSON values, calls, or lists of either; `over` is the one it is mapped over."""

    tool: Tool
    args: dict[str, Any] = field(default_factory=dict)
    over: str = ""
    places: frozenset[int] = frozenset()
    cost: float = 0.0
    head: frozenset[int] = frozenset()  # the places of the words that ask for it
    guessed: frozenset[int] = frozenset()  # places of plain words that were taken for a text
    borrowed: frozenset[int] = frozenset()  # places understood that belong to another step
    postfix: bool = False  # it was asked for after what it works on
    span: tuple[int, int] = (0, 0)  # the step it is, as positions of tokens
    template: str = ""  # of a calculation: where its operands go
    unit: str = ""  # what its result is measured in, where that is known
    by_line: bool = False  # its text is taken line by line

    def __repr__(self) -> str:
        return f"{self.tool.name}({', '.join(f'{n}={v!r}' for n, v in self.args.items())}){'*' * bool(self.over)}"

    @property
    def returns(self) -> Schema:
        one = self.tool.about.returns
        return {"type": "array", "items": one} if self.over or self.by_line else one

    def nested(self) -> Iterator[Call]:
        """The call, and those whose results it takes."""
        yield self
        for value in self.args.values():
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, Call):
                    yield from inner.nested()


@dataclass(eq=False, slots=True)
class Given:
    """Something that is there before the first step: text from a pipe, an input of the task."""

    name: str
    value: Any

    @property
    def returns(self) -> Schema:
        kinds: dict[type, str] = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
        return {"type": kinds.get(type(self.value), "")}


Node = Call | Given


class Reading(ABC):
    """The tokens and entities of one goal, and what is known so far: `_back` are the results of earlier steps."""

    def __init__(self, tokens: list[Token], entities: list[Entity], tools: Registry, given: list[Given]) -> None:
        self.tokens, self.entities, self.tools, self.given = tokens, entities, tools, given
        self.mentions: list[Mention] = []
        self._weights = [token.weight for token in tokens]
        self._repeats: set[int] = set()  # the places of words that only repeat the name of a file
        self._last: frozenset[int] = frozenset()  # the places of words that end an enumeration
        self._back: tuple[Node, ...] = ()

    @abstractmethod
    def parse(self, rest: tuple[int, ...], want: str = "") -> Call | None:
        """The best reading of some tokens as one call whose result can play the role `want`."""

    @abstractmethod
    def _build(self, mention: Mention, rest: tuple[int, ...]) -> Call | None:
        """The call that a mention asks for, its arguments filled from the other tokens; None where one is missing."""

    def _among(self, left: Sequence[int], *kinds: str) -> list[Entity]:
        here = set(left)
        found = [e for e in self.entities if e.kind in kinds and e.places <= here]
        return sorted(found, key=lambda e: (e.at, -len(e.places)))

    def _elsewhere(self, *kinds: str) -> list[Entity]:
        return [e for e in self.entities if e.kind in kinds]

    def _before(self, entity: Entity) -> str:
        """The word before an entity, articles and the word file skipped."""
        n = entity.at - 1
        while n > 0 and self.tokens[n].lower in ("a", "an", "the", "file", "new", "text"):
            n -= 1
        return self.tokens[n].lower if n >= 0 else ""

    def _measured_elsewhere(self) -> Entity | None:
        """A unit that stands behind a number in another part of the goal."""
        numbers = {p + 1 for e in self._elsewhere("number") for p in e.places}
        return next((e for e in self._elsewhere("unit") if e.at in numbers), None)

    def _paths(self, tool: Tool, left: Sequence[int]) -> list[Entity]:
        """The files named, those first that a tool of this kind works on."""
        paths = [e for e in self._among(left, "path") if e.exists]
        endings = self._endings(tool)
        if ".csv" in endings:
            tables = {e.value for e in self._elsewhere("table")}
            return [e for e in paths if e.value in tables]
        return [e for e in paths if not endings or e.value.lower().endswith(endings)]

    @staticmethod
    def _endings(tool: Tool) -> tuple[str, ...]:
        """Of the files that a tool works on, by the kind of arguments it takes: tables, or JSON."""
        roles = {fill.role(p, tool) for p in tool.params}
        return (".csv", ".tsv") if roles & {"column", "where"} else (".json",) if "query" in roles else ()

    def _free(self, left: Sequence[int]) -> list[int]:
        """The places of words that matter and that name nothing else."""
        named = frozenset().union(*(e.places for e in self.entities if e.kind in ("path", "folder", "files", "where")))
        words = (p for p in left if self.tokens[p].kind == "word" and self._weights[p])
        return [p for p in words if p not in named and p not in self._repeats]

    def _literal(self, left: Sequence[int], mention: frozenset[int]) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        if quoted:
            return quoted[0].value, quoted[0].places, 0.0
        loud = [p for p in self._free(left) if re.fullmatch("[A-Z]{2,}s?", self.tokens[p].text)]
        free = [
            p for p in self._free(left) if p in loud or not {stem(self.tokens[p].lower), self.tokens[p].canon} & BEYOND
        ]
        said = {p for p in left if self.tokens[p].kind == "word" and self.tokens[p].weight}
        marked = [p for p in loud if not self.tokens[p].text.isdigit()]
        marked = marked or [p + 1 for p in left if self.tokens[p].lower in QUOTING and p + 1 in said]
        beside = mention | {p for p in left if self.tokens[p].lower in ("for", "with", "by")}
        marked = marked or [p for p in free if is_name(self.tokens, p) and p - 1 in beside]
        first = min(mention, default=0)
        ordered = marked or sorted(free, key=lambda p: (min((abs(p - s) for s in mention), default=0), p < first))
        for place in ordered[:1]:
            text = self.tokens[place].text
            text = text[:-1] if re.fullmatch(r"[A-Z]{2,}s", text) else text  # TODOs are many a TODO
            known = any(place in m.places for m in self.mentions)  # a word that means work is rarely one to look for
            quoting = {place - 1} & {p for p in left if self.tokens[p].lower in QUOTING}
            return text, frozenset([place]) | quoting, 0.0 if marked else COST_GUESSED + 0.5 * known
        return None

    def _beside(self, places: frozenset[int], head: frozenset[int]) -> bool:
        """Whether words stand next to those that ask for the work, marks and words without meaning skipped."""
        low, high = min(places | head), max(places | head)
        return all(p in places or p in head or not self._weights[p] for p in range(low, high + 1))

    def _run(self, part: tuple[int, ...], free: set[int], head: frozenset[int]) -> list[int]:
        """Of the free words of a part, those that stand together, nearest to the words for the work."""
        runs: list[list[int]] = []
        for p in part:
            if p in free and runs and runs[-1][-1] == p - 1:
                runs[-1].append(p)
            elif p in free:
                runs.append([p])
        if not head:
            return sum(runs, [])

        def far(run: list[int]) -> tuple[int, bool]:
            return min(abs(p - h) for p in run for h in head), run[0] < min(head)

        return min(runs, key=far, default=[])

    def _text(self, group: list[int]) -> str:
        return " ".join(self.tokens[p].text for p in group)

    def _apart(self, one: int, other: int) -> bool:
        """Whether a comma or `and` stands between two tokens."""
        between = self.tokens[min(one, other) : max(one, other)]
        return any(token.text == "," or token.lower in ("and", "then") for token in between)

    def _earlier(self, places: frozenset[int], left: Sequence[int]) -> frozenset[int]:
        """The places, where they stand in a sentence before that no step has explained; else none."""
        return places if not self._back and max(places) < min(left, default=0) else frozenset()

    def _serves(self, node: Node, role: str) -> bool:
        """Whether a result can play a role; a mapped one item by item."""
        schema = node.returns
        if isinstance(node, Call) and node.tool.effect == "write":
            return False
        if not schema or not schema.get("type", "x"):
            return role not in ("table", "path", "date")
        item = fill.items(schema)
        mapped = isinstance(node, Call) and bool(node.over)
        if role == "table":
            return (mapped and fill.numeric(item or {})) or _numeric_object(schema)
        if role == "numbers":
            return item is not None and fill.numeric(item)
        if role == "rows":
            return item is not None and item.get("type") == "object"
        if role == "list":
            return (item is not None and item.get("type") != "object") or fill.textual(schema)
        one = item if item is not None else schema
        if role == "number":
            return fill.numeric(one)
        if role in ("content", "literal"):
            return fill.textual(one) or not one
        if role == "written":
            return True
        if role == "path":
            return isinstance(node, Call) and node.tool.name in ("choose_file", "list_files", "find_files")
        if role == "date":
            return isinstance(node, Call) and node.tool.name == "add_to_date"
        return role == "value"

    def _set(self, call: Call, param: Param, value: Any, places: frozenset[int], cost: float = 0.0) -> None:
        if value is not None:
            call.args[param.name] = value
            call.places |= places
            call.cost += cost

    def _borrow(self, call: Call, param: Param, value: Any, places: frozenset[int]) -> None:
        call.args[param.name] = value
        call.borrowed |= places
        call.cost += COST_BORROWED


def _numeric_object(schema: Schema) -> bool:
    inner = schema.get("additionalProperties")
    return schema.get("type") == "object" and isinstance(inner, dict) and fill.numeric(inner)

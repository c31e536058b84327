"""Put together what split, pick and fill found: the reading of a goal that leaves the least of it unexplained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.planners.embedded import arithmetic, fill, split
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.words import Token
from tools.function import Param
from tools.registry import Registry, Tool
from tools.schema import Schema

# What readings cost, in words explained: a reading must explain more than it costs.
_CALL = 0.35  # each call
_BACK = 0.1  # an earlier result that a word such as `it` points to
_IMPLIED = 0.3  # an earlier result that no word points to
_BORROWED = 0.5  # something named elsewhere in the goal
_GUESSED = 0.8  # a plain word taken for a text
_TURNED = 0.4  # a call around one that stands on its wrong side
_STEP = 0.15  # each step of its own
_DEPTH = 4  # calls within calls in one step
_BEAM = 4  # readings kept at each boundary
_APART = 0.4  # a call within another although a comma or `and` stands between them
_SIGNATURE = 0.2  # a tool that only what it takes speaks for

_POINTERS = frozenset(
    """it its them they their that this these those result results number numbers total count counts list answer sum
    value values output average both one ones each former figure amount verdict that's what's same rest left""".split()
)
_SINKS = frozenset("to into in as called named under at".split())


@dataclass(eq=False, slots=True, repr=False)
class Call:
    """A call of a tool. Arguments are JSON values, other calls, or lists of either; `over` is the one it is mapped over."""

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

    def __repr__(self) -> str:
        return f"{self.tool.name}({', '.join(f'{n}={v!r}' for n, v in self.args.items())}){'*' * bool(self.over)}"

    @property
    def returns(self) -> Schema:
        one = self.tool.about.returns
        return {"type": "array", "items": one} if self.over else one


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


class Composer:
    """Reads one goal. `tokens`, `mentions` and `entities` are what was found in it."""

    def __init__(
        self, tokens: list[Token], mentions: list[Mention], entities: list[Entity], tools: Registry, given: list[Given]
    ) -> None:
        self.tokens, self.entities, self.tools, self.given = tokens, entities, tools, given
        self.mentions = [mention for mention in [*mentions, *self._sinks()] if self._viable(mention.tool)]
        self._by_signature = [tool for tool in tools if _told_by_signature(tool)]
        self._weights = [token.weight for token in tokens]
        self._memo: dict[Any, list[Call]] = {}
        self._may: dict[tuple[str, str], bool] = {}
        self._depth, self._limit = 0, _DEPTH
        self._back: tuple[Node, ...] = ()

    def _sinks(self) -> Iterator[Mention]:
        """`into x.txt`, where no x.txt is there yet, asks for writing whatever the verb."""
        for tool in self.tools:
            if tool.effect == "write" and any(fill.role(p, tool) == "target" for p in tool.params):
                for entity in self.entities:
                    if entity.kind == "path" and not entity.exists and self._before(entity) == "into":
                        yield Mention(tool, frozenset([entity.at - 1]), 1.0, postfix=True)

    def _viable(self, tool: Tool) -> bool:
        """Whether the goal names what the tool cannot do without: a column, a unit, a file of its kind."""
        kinds = {e.kind for e in self.entities}
        wanted = {fill.role(p, tool) for p in tool.params if p.required}
        endings = self._endings(tool)
        sets = "folder" in kinds or any(e.kind == "files" and e.value[1].endswith(("*", *endings)) for e in self.entities)
        if endings and "path" in wanted and not sets and not self._paths(tool, range(len(self.tokens))):
            return False
        return all(role in kinds for role in wanted & {"unit", "column", "query", "numeral"})

    # -- steps

    def read(self) -> list[Call]:
        """The steps of the goal in order, as calls; empty where nothing was understood."""
        cuts = split.boundaries(self.tokens)
        beams: dict[int, list[tuple[float, list[Call]]]] = {0: [(0.0, [])]}
        for end in cuts[1:]:
            options = []
            for start in self._starts(cuts, end):
                for score, calls in beams[start]:
                    options.append((score, calls))  # what stands here says nothing of its own
                    self._back = (*self.given, *calls)
                    # where there are marks within, what depends on each other mostly stands in steps of its own
                    self._limit = _DEPTH if sum(start < cut < end for cut in cuts) < 2 else _DEPTH - 1
                    found = self.parse_all(tuple(range(start, end)))
                    for call in found[:_BEAM]:
                        call.span = (start, end)
                    options += [(score + self.gain(call) - _STEP, [*calls, call]) for call in found[:_BEAM]]
            beams[end] = sorted(options, key=lambda option: -option[0])[:_BEAM]
        return self._written_down(beams[cuts[-1]][0][1])

    def _written_down(self, calls: list[Call]) -> list[Call]:
        """A file announced in a sentence of its own, `make summary.md. It should have …`, holds what follows."""
        used = {call.tool.name for call in calls}
        for mention in self.mentions:
            later = [call for call in calls if call.span[0] > max(mention.places)]
            if mention.tool.effect != "write" or mention.tool.name in used or not later:
                continue
            call = Call(mention.tool, places=mention.places, head=mention.places, span=(0, later[0].span[0]))
            left = list(range(later[0].span[0]))
            for param in mention.tool.params:
                if fill.role(param, mention.tool) == "target":
                    self._side_target(call, param, left, mention)
            main = fill.main_params(mention.tool)
            if main and len(call.args) == 1:
                call.args[main[0].name] = later if len(later) > 1 else later[0]
                call.places = call.places.union(*(c.places - c.guessed | c.borrowed for c in later))
                return [*[c for c in calls if c not in later], call]
        return calls

    def _starts(self, cuts: list[int], end: int) -> list[int]:
        """Where a step that ends at `end` may begin: nowhere before the sentence does."""
        found = []
        for cut in reversed(cuts[: cuts.index(end)]):
            found.append(cut)
            if cut and self.tokens[cut - 1].text in split.SENTENCE_ENDS:
                break
        return found

    def gain(self, call: Call) -> float:
        """How much more a call explains than it costs."""
        return sum(self._weights[p] for p in call.places) + 0.05 * len(call.head) - call.cost

    # -- one step

    def parse(self, rest: tuple[int, ...], want: str = "") -> Call | None:
        """The best reading of some tokens as one call whose result can play the role `want`."""
        return next(iter(self.parse_all(rest, want)), None)

    def parse_all(self, rest: tuple[int, ...], want: str = "") -> list[Call]:
        """All readings of some tokens as one call whose result can play the role `want`, the best first."""
        key = (rest, want, self._back)
        if key not in self._memo:
            if self._depth >= self._limit:
                return []
            self._memo[key] = []  # a reading does not hold itself
            self._depth += 1
            found = [call for call in self._readings(rest, want) if not want or self._serves(call, want)]
            self._memo[key] = sorted(found, key=self.gain, reverse=True)
            self._depth -= 1
        return self._memo[key]

    def _readings(self, rest: tuple[int, ...], want: str) -> Iterator[Call]:
        here = set(rest)
        for mention in self.mentions:
            if mention.places <= here and self._may_serve(mention.tool, want):
                call = self._build(mention, rest)
                if call:
                    yield call
        if want in ("", "number", "written"):
            yield from self._calculations(rest)
        for tool in self._by_signature:
            if self._has_all(tool, here) and self._may_serve(tool, want):
                call = self._build(Mention(tool, frozenset(), 0.0), rest)
                if call:
                    call.cost += _SIGNATURE
                    yield call

    def _may_serve(self, tool: Tool, want: str) -> bool:
        """Whether a tool's result can play a role at all, called once or mapped over many."""
        key = (tool.name, want)
        if key not in self._may:
            self._may[key] = not want or self._serves(Call(tool), want) or self._serves(Call(tool, over="any"), want)
        return self._may[key]

    def _has_all(self, tool: Tool, here: set[int]) -> bool:
        """Whether the tokens name something of each special kind that the tool takes."""
        wanted = [fill.role(p, tool) for p in tool.params if p.required]
        named = [e.kind for e in self.entities if e.places <= here]
        if not wanted:  # a listing of files
            return "files" in named
        telling = {"query", "column", "numeral"} | ({"date", "number"} if "date" in wanted else set())
        return telling & set(wanted) <= set(named) and ("unit" not in wanted or "unit" in named)

    def _build(self, mention: Mention, rest: tuple[int, ...]) -> Call | None:
        """The call that a mention asks for, its arguments filled from the other tokens; None where one is missing."""
        cost = _CALL + max(0.0, len(mention.places) - mention.weight)
        call = Call(mention.tool, places=mention.places, cost=cost, head=mention.places, postfix=mention.postfix)
        left = [p for p in rest if p not in mention.places]
        main = fill.main_params(mention.tool)
        for param in mention.tool.params:
            if param not in main and not self._fill_side(call, param, left, rest, mention):
                return None
        left = [p for p in left if p not in call.places]
        if not self._fill_main(call, main, tuple(left), mention):
            return None
        call.unit = call.unit or _unit_of(call)
        for other in self.mentions:  # other words that ask for the same
            if other.tool is mention.tool and mention.places and other.places <= {*rest} and other.weight >= 1:
                if not self._apart(min(mention.places), min(other.places)):
                    call.places |= other.places
        return call

    # -- arguments beside the main one

    def _fill_side(self, call: Call, param: Param, left: list[int], rest: tuple[int, ...], mention: Mention) -> bool:
        """Fill a parameter from what is named; False where it is needed and nothing fits."""
        role = fill.role(param, call.tool)
        tokens = [self.tokens[p] for p in rest]
        if role == "enum":
            value = fill.enum_value(param, tokens)
            named = self._naming(param, value, left) if value is not None else frozenset()
            self._set(call, param, None if value == param.default else value, frozenset())
            call.places |= named
        elif role == "flag":
            self._set(call, param, fill.flag_value(param, tokens) or None, frozenset())
        else:
            filler = getattr(self, f"_side_{role}", None)
            if filler:
                spare = set(rest if role in ("number", "date", "folder") else left) - (call.places - mention.places)
                filler(call, param, sorted(spare), mention)
        return param.name in call.args or not param.required

    def _set(self, call: Call, param: Param, value: Any, places: frozenset[int], cost: float = 0.0) -> None:
        if value is not None:
            call.args[param.name] = value
            call.places |= places
            call.cost += cost

    def _borrow(self, call: Call, param: Param, value: Any, places: frozenset[int]) -> None:
        call.args[param.name] = value
        call.borrowed |= places
        call.cost += _BORROWED

    def _naming(self, param: Param, value: Any, left: list[int]) -> frozenset[int]:
        return frozenset(p for p in left if fill.enum_value(param, [self.tokens[p]]) == value)

    def _among(self, left: Sequence[int], *kinds: str) -> list[Entity]:
        here = set(left)
        found = [e for e in self.entities if e.kind in kinds and e.places <= here]
        return sorted(found, key=lambda e: (e.at, -len(e.places)))

    def _elsewhere(self, *kinds: str) -> list[Entity]:
        return [e for e in self.entities if e.kind in kinds]

    def _side_target(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        """The file to write: named after `to`, `into`, `as`; or one that is not there yet."""
        paths = [e for e in self._among(left, "path") if not e.exists or self._before(e) in ("to", "into", "as")]
        sunk = [e for e in paths if self._before(e) in _SINKS or self._before(e) in ("file", "create", "writ", "write")]
        for entity in (sunk or [e for e in paths if not e.exists])[-1:]:
            self._set(call, param, entity.value, entity.places)

    def _before(self, entity: Entity) -> str:
        """The word before an entity, articles and the word file skipped."""
        n = entity.at - 1
        while n > 0 and self.tokens[n].lower in ("a", "an", "the", "file", "new", "text"):
            n -= 1
        return self.tokens[n].lower if n >= 0 else ""

    def _side_column(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        taken = call.args.get("column" if param.name == "by" else "by")
        named = [e for e in self._among(left, "column") if e.value != taken]
        grouping = [e for e in named if self._grouped(e)]
        named = (grouping if param.name == "by" else [e for e in named if e not in grouping]) or (
            named if param.required else []
        )
        if not param.required and param.name == "column" and "measure" not in call.args:
            named = [e for e in named if e not in grouping and e.exact]
            if named:  # `revenue per route` adds it up
                call.args["measure"] = "sum"
        if param.required and self._unknown_column(left):
            return
        in_conditions = [w.places for w in self._among(left, "where")]
        free = [e for e in named if not any(e.places <= places for places in in_conditions)] or named
        free = [e for e in free if e.exact] or free
        spots = call.places or frozenset(left[:1])
        if param.name == "by" and any(p.name == "measure" for p in call.tool.params):
            free = grouping
        for entity in fill.near(free, spots)[:1]:
            self._set(call, param, entity.value, entity.places)
        if param.name not in call.args and param.required and param.name == "column":
            for entity in self._elsewhere("column")[-1:]:
                self._borrow(call, param, entity.value, entity.places)

    def _unknown_column(self, left: list[int]) -> bool:
        """Whether a column is named, `the bonus column`, that the table does not have."""
        named = frozenset().union(*(e.places for e in self.entities if e.kind == "column"))
        marks = [p for p in left if self.tokens[p].canon == "column" and p]
        return any(self._weights[p - 1] and p - 1 not in named and self.tokens[p - 1].kind == "word" for p in marks)

    def _grouped(self, entity: Entity) -> bool:
        """Whether a column is named as what to group by: `per day`, `by product`, `for each role`."""
        before = [token.lower for token in self.tokens[max(0, entity.at - 3) : entity.at]]
        return bool({"per", "by", "each", "every", "which"} & set(before))

    def _side_where(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        column = call.args.get("column") or call.args.get("by")
        chosen: list[Entity] = []
        for entity in sorted(self._among(left, "where"), key=lambda e: -len(e.places)):
            if not any(entity.places & other.places for other in chosen) and entity.places - call.places:
                chosen.append(entity)
        chosen = [
            e
            for e in sorted(chosen, key=lambda e: e.at)
            if not column or e.value.split()[0] != column or "=" not in e.value.split()[1:2]
        ]
        if not chosen:
            self._inherit(call, param, left)
            return
        columns = [e.value.split()[0] for e in chosen]
        places = frozenset().union(*(e.places for e in chosen))
        if len(chosen) > 1 and len(set(columns)) == 1 and all(" = " in e.value for e in chosen):
            self._set(call, param, list(dict.fromkeys(e.value for e in chosen)), places)
            call.over = param.name if len(call.args[param.name]) > 1 else ""
            call.args[param.name] = call.args[param.name] if call.over else call.args[param.name][0]
        else:
            self._set(call, param, " and ".join(e.value for e in chosen), places)

    def _inherit(self, call: Call, param: Param, left: list[int]) -> None:
        """The condition of an earlier step that chose rows, or of which `they` are: what follows is of those."""
        pointed = bool({"they", "them", "those", "these"} & {self.tokens[p].lower for p in left})
        for node in reversed(self._back):
            if isinstance(node, Call) and isinstance(node.args.get(param.name), str) and node.tool is not call.tool:
                chosen = fill.items(node.returns) == {"type": "object", "additionalProperties": {}}
                if chosen or pointed:
                    self._set(call, param, node.args[param.name], frozenset(), _BACK)
                return

    def _side_query(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        for entity in self._queries_for(call.tool, left)[:1]:
            self._set(call, param, entity.value, entity.places)

    def _queries_for(self, tool: Tool, left: list[int]) -> list[Entity]:
        named = self._among(left, "query")
        return sorted(named, key=lambda e: (-len(e.places), e.value.count("."), len(e.value)))

    def _side_unit(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        units = [e for e in self._among(left, "unit") if not e.places & call.places]
        if param.name.startswith("from"):
            numbers = {p + 1 for e in self._among(left, "number") for p in e.places}
            measured = [e for e in units if e.at in numbers]
            if measured or len(units) > 1:
                chosen = measured[0] if measured else self._without_goal(units)[0]
                self._set(call, param, chosen.value, chosen.places)
            elif not self._back and (far := self._measured_elsewhere()):
                self._set(call, param, far.value, self._earlier(far.places, left), _BORROWED)
                call.borrowed |= far.places
            elif self._back and (
                unit := next((b.unit for b in self._back[::-1] if isinstance(b, Call) and b.unit), "")
            ):
                self._set(call, param, unit, frozenset())
            return
        numbers = {p + 1 for e in self._elsewhere("number") for p in e.places}
        goals = [e for e in units if self._before(e) in ("to", "into", "in", "as", "many", "much")]
        goals = goals or [e for e in units if e.at not in numbers]
        for entity in goals[-1:]:
            self._set(call, param, entity.value, entity.places)
            call.unit = entity.value

    def _measured_elsewhere(self) -> Entity | None:
        """A unit that stands behind a number in another part of the goal."""
        numbers = {p + 1 for e in self._elsewhere("number") for p in e.places}
        return next((e for e in self._elsewhere("unit") if e.at in numbers), None)

    def _without_goal(self, units: list[Entity]) -> list[Entity]:
        return [e for e in units if self._before(e) not in ("to", "into", "in", "as", "many")] or units

    def _side_glob(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        for entity in self._among([*left, *call.places], "glob", "files")[:1]:
            value = entity.value if entity.kind == "glob" else entity.value[1]
            if value != "*":
                self._set(call, param, value, entity.places)

    def _side_folder(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        near = [*left, *call.places]
        for entity in self._among(near, "files")[:1] or self._among(near, "folder")[:1]:
            value = entity.value[0] if entity.kind == "files" else entity.value
            self._set(call, param, value, entity.places)
        if param.name not in call.args:
            for entity in self._elsewhere("folder")[:1]:
                self._borrow(call, param, entity.value, entity.places)

    def _side_path(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        for entity in self._paths(call.tool, left)[:1] or self._among(left, "files", "folder")[:1]:
            value = entity.value[0] if entity.kind == "files" else entity.value
            self._set(call, param, value, entity.places)

    def _side_number(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        numbers = self._among(left, "number")
        if param.name == "decimals":
            self._decimals(call, param, left)
            return
        spots = mention.places or frozenset(left[:1])
        close = [
            e
            for e in fill.near(numbers, spots)
            if param.required or min(abs(p - s) for p in e.places for s in spots) <= 3
        ]
        for entity in close[:1]:
            value = entity.value
            back = {"before", "ago", "earlier", "subtract", "minus", "prior", "back", "deduct"}
            if param.name == "amount" and back & {self.tokens[p].lower for p in [*left, *mention.places]}:
                value = -value
            self._set(call, param, value, entity.places)

    def _decimals(self, call: Call, param: Param, left: list[int]) -> None:
        for entity in self._among(left, "decimals"):
            words = {p for p in left if re.match(r"decimal|place|digit|dp", self.tokens[p].lower)}
            self._set(call, param, entity.value, entity.places | words)
        whole = frozenset(p for p in left if self.tokens[p].canon in ("whole number", "whol", "whole"))
        call.places |= whole

    def _side_literal(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        """A word or phrase to look for: quoted, in capitals, or a plain word nobody else explains."""
        found = self._literal(left, mention.places) if param.required else None
        if found:
            self._set(call, param, *found)
            if found[2] and (min(found[1]) < min(mention.places) or not self._beside(found[1], mention.places)):
                call.guessed |= found[1]
            if param.name == "name" and not re.search(r"[.*?]", found[0]):  # a file's name mostly looks like one
                call.cost += _GUESSED

    def _literal(
        self, left: list[int] | tuple[int, ...], mention: frozenset[int]
    ) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        if quoted:
            return quoted[0].value, quoted[0].places, 0.0
        free = self._free(left)
        loud = [p for p in free if re.fullmatch("[A-Z]{2,}s?", self.tokens[p].text)]
        marked = [p for p in loud if not self.tokens[p].text.isdigit()] or [
            p + 1
            for p in left
            if self.tokens[p].lower in ("word", "term", "string", "phrase", "name") and p + 1 in free
        ]
        first = min(mention, default=0)
        ordered = marked or sorted(free, key=lambda p: (min((abs(p - s) for s in mention), default=0), p < first))
        for place in ordered[:1]:
            text = self.tokens[place].text
            text = text[:-1] if re.fullmatch(r"[A-Z]{2,}s", text) else text  # TODOs are many a TODO
            return text, frozenset([place]), 0.0 if marked else _GUESSED
        return None

    def _free(self, left: list[int] | tuple[int, ...]) -> list[int]:
        """The places of words that matter and that name nothing else."""
        named = frozenset().union(*(e.places for e in self.entities if e.kind in ("path", "folder", "files", "where")))
        plural_marks = [p for p in left if self.tokens[p].kind == "word" and p not in named and self.tokens[p].weight]
        return [p for p in plural_marks if self.tokens[p].number is None or self.tokens[p].kind == "word"]

    def _side_content(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        quoted = self._among(left, "literal")
        for entity in quoted[:1]:
            self._set(call, param, entity.value, entity.places)

    def _side_date(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        for entity in self._among(left, "date")[:1]:
            self._set(call, param, entity.value, entity.places)

    # -- the main argument

    def _fill_main(self, call: Call, main: list[Param], left: tuple[int, ...], mention: Mention) -> bool:
        if not main:
            return True
        if len(main) == 2:
            return self._fill_pair(call, main, tuple(sorted({*left, *mention.places})))
        return self._fill_one(call, main[0], left, mention)

    def _fill_one(self, call: Call, param: Param, left: tuple[int, ...], mention: Mention) -> bool:
        role: str = fill.role(param, call.tool)
        if role == "list" and fill.numeric(fill.items(param.schema) or {}):
            role = "numbers"
        options = [option for option in self._options(call, role, left) if option is not None]
        if not options:
            return False


        def worth(option: Any) -> float:
            new = sum(self._weights[p] for p in option[1] - call.places)
            return float(new - option[2] - self._displaced(mention, option[0]))

        value, places, cost, *_ = best = max(options, key=worth)
        call.guessed |= places if len(best) > 3 else frozenset()
        self._put(call, param, role, value)
        call.places |= places
        call.cost += cost + self._displaced(mention, value)
        return True

    def _displaced(self, mention: Mention, value: Any) -> float:
        """What it costs that what is worked on stands on the wrong side of the words for the work, or apart from them."""
        if not isinstance(value, Call) or not mention.places or not value.head or value in self._back:
            return 0.0
        own, inner = min(mention.places), min(value.head)
        turned = own < inner if mention.postfix and len(mention.places) < 3 else own > inner
        turned = turned or (value.postfix and own < inner and mention.tool.effect != "write")
        return _TURNED * turned + _APART * self._apart(own, inner)

    def _apart(self, one: int, other: int) -> bool:
        """Whether a comma or `and` stands between two tokens."""
        between = self.tokens[min(one, other) : max(one, other)]
        return any(token.text == "," or token.lower in ("and", "then") for token in between)

    def _options(
        self, call: Call, role: str, left: tuple[int, ...]
    ) -> Iterator[tuple[Any, frozenset[int], float] | None]:
        """What could be worked on: (value, places it explains, cost)."""
        if role == "content" and call.tool.effect == "write":
            role = "written"
        nested = self.parse(left, role) if left else None
        if nested and call.tool.name != nested.tool.name:
            yield nested, nested.places, nested.cost
        if role == "written":
            yield self._several(left, call.head)
        yield self._named(call, role, left)
        yield self._pointed(call, role, left)
        if role in ("content", "written", "path", "list"):
            yield self._borrowed(call, role, left)
        if role in ("number", "date", "numeral"):
            yield self._named_elsewhere(call, role, left)
        if role == "literal" and (found := self._literal(left, call.head)):
            bare = fill.main_params(call.tool)[0].name == "name" and not re.search(r"[.*?]", found[0])
            yield found[0], found[1], found[2] + (_GUESSED if bare else 0.0)  # a file's name mostly looks like one
        if role in ("content", "literal", "list"):
            yield self._plain_words(call, role, left)

    def _several(self, left: tuple[int, ...], head: frozenset[int]) -> tuple[Any, frozenset[int], float] | None:
        """An enumeration of things to write, each worked out by itself."""
        calls = []
        for part in split.parts(self.tokens, left):
            call = self.parse(part)
            if call is not None:
                calls.append(call)
        if len(calls) < 2 or any(min(call.places) < min(head, default=0) for call in calls):
            return None  # what stands before the words for writing are steps of their own
        return calls, frozenset().union(*(c.places for c in calls)), sum(c.cost for c in calls)

    def _named(self, call: Call, role: str, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """A thing of the right kind that the tokens name."""
        finder = getattr(self, f"_named_{role}", None)
        return finder(call, left) if finder else None

    def _named_elsewhere(
        self, call: Call, role: str, left: tuple[int, ...]
    ) -> tuple[Any, frozenset[int], float] | None:
        """The only number, date or numeral of the goal, named in another step."""
        found = [e for e in self._elsewhere(role) if not e.percent]
        if len(found) != 1 or self._back:
            return None
        call.borrowed |= found[0].places
        return found[0].value, self._earlier(found[0].places, left), _BORROWED

    def _earlier(self, places: frozenset[int], left: Sequence[int]) -> frozenset[int]:
        """The places, where they stand in a sentence before that no step has explained; else none."""
        return places if not self._back and max(places) < min(left, default=0) else frozenset()

    def _named_numeral(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        found = self._among(left, "numeral")
        values = [e.value for e in found]
        return (
            (values if len(values) > 1 else values[0], frozenset().union(*(e.places for e in found)), 0.0)
            if found
            else None
        )

    def _named_content(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        if quoted and call.tool.effect != "write":
            values = [e.value for e in quoted]
            return values if len(values) > 1 else values[0], frozenset().union(*(e.places for e in quoted)), 0.0
        return self._read(self._paths(call.tool, left), left)

    def _read(self, paths: list[Entity], left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """The text of the files that are named."""
        reader = self.tools.get("read_file")
        if reader is None:
            return None
        if paths:
            values = [e.value for e in paths]
            read = Call(reader, {"path": values if len(values) > 1 else values[0]}, "path" if len(values) > 1 else "")
            return read, frozenset().union(*(e.places for e in paths)), 0.05
        files = self._files(left)
        if files is None:
            return None
        value, places, cost = files
        return Call(reader, {"path": value}, "path", places), places, cost

    def _files(self, left: tuple[int, ...], endings: tuple[str, ...] = ()) -> tuple[Call, frozenset[int], float] | None:
        """The files of a set or folder that is named, as a call that lists them."""
        lister = self.tools.get("list_files")
        for entity in self._among(left, "files") + self._among(left, "folder"):
            folder, pattern = entity.value if entity.kind == "files" else (entity.value, "*")
            if lister and pattern.endswith(("*", *(endings or pattern))):
                args = {"folder": folder} | ({"pattern": pattern} if pattern != "*" else {})
                return Call(lister, args), entity.places, 0.1 if entity.kind == "files" else 0.4
        return None

    def _paths(self, tool: Tool, left: Sequence[int]) -> list[Entity]:
        """The files named, those first that a tool of this kind works on."""
        paths = [e for e in self._among(left, "path") if e.exists]
        endings = self._endings(tool)
        return [e for e in paths if not endings or e.value.lower().endswith(endings)]

    @staticmethod
    def _endings(tool: Tool) -> tuple[str, ...]:
        """Of the files that a tool works on, by the kind of arguments it takes: tables, or JSON."""
        roles = {fill.role(p, tool) for p in tool.params}
        return (".csv", ".tsv") if roles & {"column", "where"} else (".json",) if "query" in roles else ()

    def _named_path(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        paths = self._paths(call.tool, left)
        if paths:
            values = [e.value for e in paths]
            return values if len(values) > 1 else values[0], frozenset().union(*(e.places for e in paths)), 0.0
        return self._files(left, self._endings(call.tool))

    def _borrowed(self, call: Call, role: str, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """A file that is named in another part of the goal."""
        everywhere = tuple(range(len(self.tokens)))
        paths = self._paths(call.tool, everywhere)
        if len({e.value for e in paths}) != 1:
            if paths or role not in ("content", "list"):
                return None
            found = self._read([], everywhere)
        elif role == "path":
            known = any(isinstance(b, Call) and b.args.get("path") == paths[0].value for b in self._back)
            return paths[0].value, self._earlier(paths[0].places, left), _BACK if known else _BORROWED
        else:
            found = self._read(paths[:1], everywhere)
        return (found[0], self._earlier(found[1], left), found[2] + _BORROWED) if found else None

    def _named_number(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        numbers = self._among(left, "number")
        plain = [e for e in numbers if not e.percent] or numbers
        if not plain:
            return None
        values = [e.value for e in plain]
        places = frozenset().union(*(e.places for e in plain))
        units = {e.at for e in self._elsewhere("unit")}
        measured = any(p + 1 in units for p in places) and not any(p.name.endswith("unit") for p in call.tool.params)
        return values if len(values) > 1 else values[0], places, _TURNED * measured

    def _named_date(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        days = self._among(left, "date")
        if not days:
            return None
        values = [e.value for e in days]
        return values if len(values) > 1 else values[0], frozenset().union(*(e.places for e in days)), 0.0

    def _named_literal(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        values = [e.value for e in quoted]
        return (
            (values if len(values) > 1 else values[0], frozenset().union(*(e.places for e in quoted)), 0.0)
            if values
            else None
        )

    def _named_numbers(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        numbers = self._among(left, "number")
        values = [e.value for e in numbers]
        return (values, frozenset().union(*(e.places for e in numbers)), 0.0) if len(values) > 1 else None

    def _named_list(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        if len(quoted) > 1:
            return [e.value for e in quoted], frozenset().union(*(e.places for e in quoted)), 0.0
        paths = self._paths(call.tool, left)
        if paths:
            return self._read(paths[:1], left)
        return self._files(left)

    def _pointed(self, call: Call, role: str, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """An earlier result, the latest that fits; what points to it costs less than nothing pointing."""
        pointers = frozenset(p for p in (*left, *call.head) if self.tokens[p].lower in _POINTERS)
        back = list(reversed(self._back))
        if role == "number":  # `it` is one number rather than many
            back.sort(key=lambda node: fill.items(node.returns) is not None)
        for node in back:
            if isinstance(node, Call) and node.tool is call.tool and call.tool.name != "calculate":
                continue
            if self._serves(node, role):
                return node, pointers, _BACK if pointers else _IMPLIED
        return None

    def _plain_words(self, call: Call, role: str, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """Plain words taken as they stand: `the plurals of mouse, city and potato`."""
        free = set(self._free(left)) - call.places
        free = {p for p in free if self.tokens[p].number is None}
        groups = [self._run(part, free, call.head) for part in split.parts(self.tokens, left)]
        texts = [self._text(group) for group in groups if group]
        if not texts or (role == "list" and len(texts) < 2):
            return None
        places = frozenset(p for group in groups for p in group)
        if role == "content" and not self._beside(places, call.head):
            return None
        known = sum(any(p in m.places for m in self.mentions if m.weight >= 1) for p in places)
        cost = (_GUESSED + 0.6 * (role != "literal")) * len(texts) + 0.7 * (len(places) - len(texts)) + 0.5 * known
        guess = (texts if len(texts) > 1 else texts[0], places, cost)
        return guess if role == "literal" and self._beside(places, call.head) else (*guess, "guessed")  # type: ignore[return-value]

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
        return min(
            runs, key=lambda run: (min((abs(p - h) for p in run for h in head), default=0), run[0] < min(head)), default=[]
        ) if head else sum(runs, [])

    def _text(self, group: list[int]) -> str:
        return " ".join(self.tokens[p].text for p in group)

    def _fill_pair(self, call: Call, main: list[Param], left: tuple[int, ...]) -> bool:
        """Two arguments of one kind: in the order in which they are named, or one of them an earlier result."""
        role = fill.role(main[0], call.tool)
        entities = self._among(left, *{"number": ("number",), "date": ("date",)}.get(role, ()))
        if main[0].name == "percent":
            entities = sorted(entities, key=lambda e: not e.percent)
            if entities and not entities[0].percent:
                return False
        if len(entities) >= 2:
            for param, entity in zip(main, entities, strict=False):
                self._set(call, param, entity.value, entity.places)
            return True
        if role == "date" and not entities and not self._back and len(days := self._elsewhere("date")) == 2:
            for param, day in zip(main, days, strict=True):
                self._set(call, param, day.value, self._earlier(day.places, left))
            return True
        if role == "date":
            return self._fill_dates(call, main, entities)
        if len(entities) == 1:
            self._set(call, main[0], entities[0].value, entities[0].places)
            others = tuple(p for p in left if p not in entities[0].places)
            return self._fill_one(call, main[1], others, Mention(call.tool, frozenset(), 0.0))
        return self._fill_both(call, main, role, left)

    def _fill_dates(self, call: Call, main: list[Param], days: list[Entity]) -> bool:
        """One date and today: `days until …`, `days since …`."""
        if len(days) != 1:
            return False
        import datetime

        words = {token.lower for token in self.tokens}
        today = datetime.date.today().isoformat()
        first, second = (days[0].value, today) if "since" in words else (today, days[0].value)
        if not words & {"since", "until", "till", "to", "from", "now", "left"}:
            return False
        self._set(call, main[0], first, days[0].places)
        self._set(call, main[1], second, frozenset())
        return True

    def _fill_both(self, call: Call, main: list[Param], role: str, left: tuple[int, ...]) -> bool:
        if role == "content":
            paths = [e for e in self._among(left, "path") if e.exists]
            reader = self.tools.get("read_file")
            if len(paths) == 2 and reader:
                for param, path in zip(main, paths, strict=True):
                    self._set(call, param, Call(reader, {"path": path.value}), path.places, 0.05)
                return True
        both = self.parse(left, role)
        if both and isinstance(both, Call) and (two := _two(both)):
            for param, value in zip(main, two, strict=True):
                self._set(call, param, value, both.places, both.cost / 2)
            return True
        sides = split.parts(self.tokens, left)
        calls = [c for side in sides if (c := self.parse(side, role))]
        if len(calls) == 2:
            for param, value in zip(main, calls, strict=True):
                self._set(call, param, value, value.places, value.cost)
            return True
        return False

    # -- calculations

    def _calculations(self, rest: tuple[int, ...]) -> Iterator[Call]:
        tool = self.tools.get("calculate")
        if tool is None:
            return
        written = arithmetic.expression(self.tokens, rest)
        if written:
            yield Call(tool, {"expression": written[0]}, places=written[1], cost=0.0)
        for operation in arithmetic.operations(self.tokens, rest):
            call = Call(tool, places=operation.places, cost=_CALL, template=operation.template)
            if self._operands(call, operation):
                yield call

    def _operands(self, call: Call, operation: arithmetic.Operation) -> bool:
        for name in dict.fromkeys(re.findall(r"\b[ABP]\b", operation.template)):
            found = self._operand(operation.operands.get(name, ()), percent=name == "P")
            if found is None:
                return False
            call.args[name], places, cost = found
            call.places |= places
            call.cost += cost
        return True

    def _operand(self, rest: tuple[int, ...], percent: bool) -> tuple[Any, frozenset[int], float] | None:
        numbers = self._among(rest, "number")
        if percent:
            return (numbers[0].value, numbers[0].places, 0.0) if numbers and numbers[0].percent else None
        nested = self.parse(rest, "number") if rest else None
        heavy = [p for p in rest if self.tokens[p].weight and self.tokens[p].lower not in _POINTERS]
        if len(numbers) == 1 and not numbers[0].percent and set(heavy) <= numbers[0].places:
            return numbers[0].value, numbers[0].places, 0.0
        if nested:
            return nested, nested.places, nested.cost
        if numbers and not numbers[0].percent:
            return numbers[0].value, numbers[0].places, 0.0
        pointers = frozenset(p for p in rest if self.tokens[p].lower in _POINTERS)
        others = [e for e in self._elsewhere("number") if not e.percent]
        if not self._back and len(others) == 1:
            return others[0].value, pointers | self._earlier(others[0].places, rest), _BORROWED
        for node in reversed(self._back):
            if self._serves(node, "number") and not (isinstance(node, Call) and node.over):
                return node, pointers, _BACK if pointers else _IMPLIED
        return None

    # -- types

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
        if role == "list":
            return item is not None or fill.textual(schema)
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

    def _put(self, call: Call, param: Param, role: str, value: Any) -> None:
        """Give the main argument, mapped where it is many and the tool takes one."""
        if (
            role == "content"
            and isinstance(value, Call)
            and value.tool.effect == "read"
            and self._is_file(value)
            and call.tool.name != "read_file"
        ):
            reader = self.tools.get("read_file")
            if reader and call.tool.effect != "write":
                value = Call(
                    reader, {"path": value}, "path" if value.over or fill.items(value.returns) else "", value.places
                )
        many = isinstance(value, list) or (isinstance(value, Call) and bool(value.over))
        if role in ("path", "number", "date") and isinstance(value, (Call, Given)):
            many = fill.items(value.returns) is not None
        if isinstance(value, Call):
            call.borrowed |= value.borrowed | (value.places - value.guessed)
            call.guessed |= value.guessed
        if role not in ("list", "numbers", "table") and many and call.tool.effect != "write" and not call.over:
            call.over = param.name
        elif role == "content" and isinstance(value, list) and call.tool.effect == "write":
            pass
        call.args[param.name] = value

    @staticmethod
    def _is_file(call: Call) -> bool:
        return call.tool.name in ("choose_file", "list_files", "find_files")


def _two(call: Call) -> list[Call] | None:
    """A call that is mapped over two things as two calls."""
    if not call.over:
        return None
    inner = call.args[call.over]
    items = _two(inner) if isinstance(inner, Call) else inner if isinstance(inner, list) and len(inner) == 2 else None
    if items is None:
        return None
    return [Call(call.tool, call.args | {call.over: item}, "", call.places, head=call.head) for item in items]


def _numeric_object(schema: Schema) -> bool:
    inner = schema.get("additionalProperties")
    return schema.get("type") == "object" and isinstance(inner, dict) and fill.numeric(inner)


def _told_by_signature(tool: Tool) -> bool:
    """Whether what a tool takes is special enough to know it by: two units, a path into JSON, what to group by."""
    roles = [fill.role(param, tool) for param in tool.params if param.required]
    grouping = any(p.name == "by" for p in tool.params) and any(p.name == "measure" for p in tool.params)
    shifting = "date" in roles and "number" in roles
    listing = not roles and {"folder", "glob"} == set(fill.roles(tool).values())
    return bool({"unit", "query", "numeral"} & set(roles)) or grouping or shifting or listing


def _unit_of(call: Call) -> str:
    """What a result is measured in, where the tool's name says so: days_between gives days."""
    from tools.units import COMMON_UNITS

    return next((part for part in call.tool.name.split("_") if part in COMMON_UNITS and len(part) > 2), "")

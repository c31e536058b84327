"""Put together what split, pick and fill found: the reading of a goal that leaves the least of it unexplained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.planners.embedded import arithmetic, fill, split
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.mains import Mains
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.reading import (
    BEAM,
    COST_BACK,
    COST_BORROWED,
    COST_CALL,
    COST_IMPLIED,
    COST_SIGNATURE,
    COST_STEP,
    COST_TURNED,
    COST_WITHIN,
    DEPTH,
    POINTERS,
    QUOTING,
    Call,
    Given,
)
from agent.planners.embedded.row_sides import chooses_rows, orders_rows
from agent.planners.embedded.words import CAPABLE, REQUESTS, Token
from agent.router import stem
from tools import workspace
from tools.function import Param
from tools.registry import Registry, Tool
from tools.units import COMMON_UNITS

_KINDS = {"number": {"number"}, "year": {"number"}, "date": {"date"}, "word": {"literal"}, "text": {"literal"}}
_RESULTS = frozenset("counts results totals sums averages".split())
WEIGHT_GROUP = 0.5  # of a word that means little but for naming what to group by
_ASKING = REQUESTS | {"where"}


class Composer(Mains):
    """Reads one goal. `tokens`, `mentions` and `entities` are what was found in it."""

    def __init__(
        self, tokens: list[Token], mentions: list[Mention], entities: list[Entity], tools: Registry, given: list[Given]
    ) -> None:
        super().__init__(tokens, entities, tools, given)
        found = [*mentions, *self._sinks(), *self._marks()]
        self.mentions = [mention for mention in found if self._viable(mention.tool) and not self._only_names(mention)]
        self._repeats = self._of_file_names()
        columns = frozenset[int]().union(*(e.places for e in entities if e.kind == "column"))
        for place in self._repeats - columns:
            self._weights[place] = 0.0
        self._last = self._members()
        for place in self._last:
            self._weights[place] = 1.0
        for place in columns:  # `per kind`: what to group by matters, whatever words say it
            if place and tokens[place - 1].lower in ("per", "each", "every", "by"):
                self._weights[place] = max(self._weights[place], WEIGHT_GROUP)
        self._by_signature = [tool for tool in tools if _told_by_signature(tool)]
        self._memo: dict[Any, list[Call]] = {}
        self._may: dict[tuple[str, str], bool] = {}
        self._depth, self._limit = 0, DEPTH

    def _of_file_names(self) -> set[int]:
        """Words that only repeat the name of a file: `how many bookings are in bookings.csv`."""
        stems = {stem(Path(e.value).stem.lower()) for e in self.entities if e.kind == "path" and e.exists}
        named = [e.places for e in self.entities if e.kind != "column"]
        meant = frozenset[int]().union(*(m.places for m in self.mentions), *named)
        quoted = {n + 1 for n, token in enumerate(self.tokens) if token.lower in QUOTING}
        return {n for n, t in enumerate(self.tokens) if stem(t.lower) in stems and n not in meant | quoted}

    def _only_names(self, mention: Mention) -> bool:
        """Whether the only word of a mention says what follows, `the numbers 18 and 40`, or points to what there was
        before, `add the counts together`."""
        place, *more = mention.places
        word, before = self.tokens[place].lower, self.tokens[place - 1].lower if place else ""
        after = {e.kind for e in self.entities if place + 1 in e.places}
        pointing = before in ("the", "these", "those") and word in _RESULTS
        ordinal = "one" in {token.lower for token in self.tokens[place + 1 : place + 2]}  # the first one
        return not more and (pointing or ordinal or bool(after & _KINDS.get(word.rstrip("s"), set())))

    def _members(self) -> frozenset[int]:
        """Words that elsewhere say little, where each is the last member of an enumeration: `of buoy and match`."""
        ends = {n for n, token in enumerate(self.tokens) if token.kind == "punct"} | {len(self.tokens)}
        last = [n for n, token in enumerate(self.tokens) if token.lower in CAPABLE and n + 1 in ends]
        return frozenset(n for n in last if n and self.tokens[n - 1].lower in ("and", "or", ","))

    def _sinks(self) -> Iterator[Mention]:
        """`into x.txt`, or `make x.txt`, where no x.txt is there yet, asks for writing whatever else is said."""
        for tool in self.tools:
            if tool.effect == "write" and any(fill.role(p, tool) == "target" for p in tool.params):
                for entity in self.entities:
                    if entity.kind != "path" or entity.exists:
                        continue
                    if self._before(entity) == "into":
                        yield Mention(tool, frozenset([entity.at - 1]), 1.0, postfix=True)
                    elif entity.at and self.tokens[entity.at - 1].lower in ("make", "create", "produce", "build"):
                        yield Mention(tool, frozenset([entity.at - 1]), 1.0)

    def _marks(self) -> Iterator[Mention]:
        """`show all TODOs in src`: a word in capitals that is asked for is looked for."""
        search = self.tools.get("search_text")
        places = any(e.kind in ("folder", "files", "path") for e in self.entities)
        named = frozenset[int]().union(*(e.places for e in self.entities))
        for n, token in enumerate(self.tokens):
            if search and places and re.fullmatch("[A-Z]{4,}s?", token.text) and n not in named:
                asked = [p for p in range(max(0, n - 9), n) if self.tokens[p].lower in _ASKING]
                yield from [Mention(search, frozenset(asked[-1:]), 1.0)] if asked else []

    def _viable(self, tool: Tool) -> bool:
        """Whether the goal names what the tool cannot do without: a column, a unit, a file of its kind."""
        kinds = {e.kind for e in self.entities}
        wanted = {fill.role(p, tool) for p in tool.params if p.required}
        endings = self._endings(tool)
        if endings and "path" in wanted and not self._paths(tool, range(len(self.tokens))) and not self._holds(endings):
            return False
        if tool.name in ("largest_number", "smallest_number") and {"order", "table"} <= kinds:
            return False  # the row that has it
        if tool.name == "search_text" and "lines" in kinds and not kinds & {"folder", "files"}:
            return False  # the lines of one file, and not where they stand
        if tool.name == "filter_lines" and ("lines" not in kinds or kinds & {"folder", "files"}):
            return False
        if tool.name == "choose_file" and "table" in kinds and not kinds & {"folder", "files"}:
            return False  # the largest of what is in the table
        if orders_rows(tool) and "order" in kinds and not any(p.name == "column" for p in tool.params):
            wanted.discard("column")
        return all(role in kinds for role in wanted & {"unit", "column", "query", "numeral", "url"})

    def _holds(self, endings: tuple[str, ...]) -> bool:
        """Whether a folder or set of files that is named has a file with one of these endings."""
        sets = [(e.value, "*") for e in self.entities if e.kind == "folder" and e.exists]
        sets += [e.value for e in self.entities if e.kind == "files"]
        root = workspace.root()
        return any(path.name.lower().endswith(endings) for folder, glob in sets for path in (root / folder).glob(glob))

    def read(self) -> list[Call]:
        """The steps of the goal in order, as calls; empty where nothing was understood."""
        return self.readings()[0]

    def readings(self) -> list[list[Call]]:
        """Several readings of the goal, the one that explains most for what it costs first."""
        cuts = split.boundaries(self.tokens)
        beams: dict[int, list[tuple[float, list[Call]]]] = {0: [(0.0, [])]}
        for end in cuts[1:]:
            options = []
            for start in self._starts(cuts, end):
                for score, calls in beams[start]:
                    options.append((score, calls))  # what stands here says nothing of its own
                    self._back = (*self.given, *calls)
                    # where there are marks within, what depends on each other mostly stands in steps of its own
                    self._limit = DEPTH if sum(start < cut < end for cut in cuts) < 2 else DEPTH - 1
                    found = self.parse_all(tuple(range(start, end)))
                    for call in found[:BEAM]:
                        call.span = (start, end)
                    options += [(score + self.gain(call) - COST_STEP, [*calls, call]) for call in found[:BEAM]]
            beams[end] = sorted(options, key=lambda option: -option[0])[:BEAM]
        return [self._written_down(calls) for _, calls in beams[cuts[-1]]]

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
                    call.cost += COST_SIGNATURE
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
        if tool.name in ("filter_lines", "replace_text"):
            return ("lines" if tool.name == "filter_lines" else "swap") in named
        if chooses_rows(tool):
            fit = {"order"} if tool.name == "sort_rows" else {"where"} | ({"order"} if orders_rows(tool) else set())
            return bool(fit & set(named)) and (not any(p.name == "column" for p in tool.params) or "column" in named)
        if not wanted:  # a listing of files
            return "files" in named
        telling = {"query", "column", "numeral", "where"} | ({"date", "number"} if "date" in wanted else set())
        return telling & set(wanted) <= set(named) and ("unit" not in wanted or "unit" in named)

    def _build(self, mention: Mention, rest: tuple[int, ...]) -> Call | None:
        """The call that a mention asks for, its arguments filled from the other tokens; None where one is missing."""
        cost = COST_CALL + max(0.0, len(mention.places) - mention.weight)
        if {"which", "who"} & {self.tokens[p].lower for p in rest[:1]} and fill.numeric(mention.tool.about.returns):
            cost += COST_TURNED  # it is asked for a thing, not for a number
        call = Call(mention.tool, places=mention.places, cost=cost, head=mention.places, postfix=mention.postfix)
        left = [p for p in rest if p not in mention.places]
        self._fill_order(call, left)
        self._fill_edit(call, left)
        self._fill_own(call, left)
        main = [param for param in fill.main_params(mention.tool) if param.name not in call.args]
        lacking = []
        for param in mention.tool.params:
            if param in main or param.name in call.args:
                continue
            if not self._fill_side(call, param, left, rest, mention):
                lacking.append(param)
        left = [p for p in left if p not in call.places]
        if any(fill.role(p, mention.tool) != "unit" for p in lacking) or self._all_of_table(call):
            return None
        if not call.args.get("by") and self._went_by(call.args.get("column")):
            return None
        if not self._fill_main(call, main, tuple(left), mention) or not self._measured_in(call, main, lacking):
            return None
        self._explain(call, left)
        call.unit = call.unit or _unit_of(call)
        for other in self.mentions:  # other words that ask for the same
            same = other.tool is mention.tool and other.places <= {*rest} and other.weight >= 1
            if same and mention.places and not self._apart(min(mention.places), min(other.places)):
                call.places |= other.places
        return call

    @staticmethod
    def _all_of_table(call: Call) -> bool:
        """Whether nothing is said of which rows or columns of a table are to be given."""
        return chooses_rows(call.tool) and not {"where", "columns", "without", "by", "column"} & call.args.keys()

    def _went_by(self, column: Any) -> bool:
        """Whether an earlier step chose one row by a column: what is then asked of it is no matter of all rows."""
        chosen = [node for node in self._back if isinstance(node, Call) and node.args.get("count") == 1]
        return column is not None and any(node.args.get("by") == column for node in chosen)

    def _measured_in(self, call: Call, main: list[Param], lacking: list[Param]) -> bool:
        """Give a unit that is not named as that in which what is worked on is measured: of height_m, metres."""
        for param in lacking:
            value = call.args.get(main[0].name) if main else None
            if not isinstance(value, Call) or not value.unit:
                return False
            call.args[param.name] = value.unit
        return True

    def _calculations(self, rest: tuple[int, ...]) -> Iterator[Call]:
        tool = self.tools.get("calculate")
        if tool is None:
            return
        written = arithmetic.expression(self.tokens, rest)
        if written:
            yield Call(tool, {"expression": written[0]}, places=written[1], cost=0.0)
        for operation in arithmetic.operations(self.tokens, rest):
            total = [p for p in rest if "NM" in "".join(operation.operands) and self.tokens[p].canon == "sum"]
            call = Call(tool, places=operation.places.union(total), cost=COST_CALL, template=operation.template)
            if self._operands(call, operation):
                yield call

    def _operands(self, call: Call, operation: arithmetic.Operation) -> bool:
        for name in dict.fromkeys(re.findall(r"\b[ABMNP]\b", operation.template)):
            rest = operation.operands.get(name, ())
            if "NM" in operation.operands:
                rest = self._half(operation.operands["NM"], first=name == "N")
            found = self._said(rest, name == "P") if name in "MNP" else self._operand(rest)
            if found is None:
                return False
            if found[0] in call.args.values() and isinstance(found[0], Call):
                return False
            call.args[name], places, cost = found
            call.places |= places
            call.cost += cost
        return True

    def _half(self, rest: tuple[int, ...], first: bool) -> tuple[int, ...]:
        """The part with the first of two numbers, `36 trees` of `36 trees at 14.75`, or that with the second."""
        numbers = self._among(rest, "number")
        cut = numbers[1].at if len(numbers) == 2 else 0
        return tuple(p for p in rest if (p < cut) == first) if cut else ()

    def _said(self, rest: tuple[int, ...], percent: bool) -> tuple[Any, frozenset[int], float] | None:
        """The only number among some tokens, with the noun that it counts: `23 people`."""
        numbers = self._among(rest, "number")
        if len(numbers) != 1 or numbers[0].percent != percent:
            return None
        noun = max(numbers[0].places) + 1
        counted = {noun} if noun in rest and self.tokens[noun].kind == "word" and not percent else set()
        return numbers[0].value, numbers[0].places | counted, 0.0

    def _operand(self, rest: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        numbers = self._among(rest, "number")
        nested = self.parse(rest, "number") if rest else None
        heavy = [p for p in rest if self.tokens[p].weight and self.tokens[p].lower not in POINTERS]
        if len(numbers) == 1 and not numbers[0].percent and set(heavy) <= numbers[0].places:
            return numbers[0].value, numbers[0].places, 0.0
        if nested:
            return nested, nested.places, nested.cost - (COST_WITHIN if nested.template else 0.0)
        if numbers and not numbers[0].percent:
            return numbers[0].value, numbers[0].places, 0.0
        pointers = frozenset(p for p in rest if self.tokens[p].lower in POINTERS)
        others = [e for e in self._elsewhere("number") if not e.percent]
        if not self._back and len(others) == 1:
            return others[0].value, pointers | self._earlier(others[0].places, rest), COST_BORROWED
        for node in reversed(self._back):
            if self._serves(node, "number") and not (isinstance(node, Call) and node.over):
                return node, pointers, COST_BACK if pointers else COST_IMPLIED
        return None


def _told_by_signature(tool: Tool) -> bool:
    """Whether what a tool takes is special enough to know it by: two units, a path into JSON, what to group by."""
    roles = [fill.role(param, tool) for param in tool.params if param.required]
    grouping = any(p.name == "by" for p in tool.params) and any(p.name == "measure" for p in tool.params)
    shifting = "date" in roles and "number" in roles
    listing = not roles and {"folder", "glob"} == set(fill.roles(tool).values())
    special = tool.name in ("filter_lines", "replace_text") or bool({"unit", "query", "numeral", "where"} & set(roles))
    return special or grouping or shifting or listing or chooses_rows(tool)


def _unit_of(call: Call) -> str:
    """What a result is measured in, where a name says so: days_between gives days, a column height_m metres."""
    for name in (call.args.get("column"), call.args.get("query")):
        *before, last = re.split(r"[._]|\[\]", name) if isinstance(name, str) else [""]
        if last.lower() in COMMON_UNITS and (before or len(last) > 1):
            return last
    return next((part for part in call.tool.name.split("_") if part in COMMON_UNITS and len(part) > 2), "")

"""The main argument of a call: what is worked on, by its name, by a word such as `it`, or as a call of its own."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from agent.planners.embedded import fill, split
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.own import akin, own_words
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.reading import (
    COST_APART,
    COST_BACK,
    COST_BORROWED,
    COST_CALL,
    COST_GUESSED,
    COST_IMPLIED,
    COST_TURNED,
    POINTERS,
    Call,
    Given,
)
from agent.planners.embedded.sides import Sides
from agent.planners.embedded.surroundings import of_numbers
from tools.function import Param

_ONE_A_LINE = frozenset("name word person item term".split())  # what a file mostly has one of on each line


class Mains(Sides):
    """Fills the parameters that what is worked on goes into; each `_named_…` finds things of one role by name."""

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
        call.borrowed |= self._named_as(value)
        call.cost += cost + self._displaced(mention, value)
        return True

    def _named_as(self, value: Any) -> frozenset[int]:
        """Where a file that is used is named, wherever in the goal that is: `… It is all in sales.csv.`"""
        path = value.args.get("path") if isinstance(value, Call) else value
        return frozenset[int]().union(*(e.places for e in self._elsewhere("path") if e.value == path))

    def _displaced(self, mention: Mention, value: Any) -> float:
        """What it costs that a nested call stands on the wrong side of the words for the work, or apart from them."""
        if not isinstance(value, Call) or not mention.places or not value.head or value in self._back:
            return 0.0
        own, inner = min(mention.places), min(value.head)
        turned = own < inner if mention.postfix and len(mention.places) < 3 else own > inner
        turned = turned or (value.postfix and own < inner and mention.tool.effect != "write")
        return COST_TURNED * turned + COST_APART * self._apart(own, inner)

    def _options(
        self, call: Call, role: str, left: tuple[int, ...]
    ) -> Iterator[tuple[Any, frozenset[int], float] | None]:
        """What could be worked on: (value, places it explains, cost)."""
        if call.tool.effect == "execute":  # what is run is quoted, and never put together or read from a file
            yield _all_of(self._among(left, "literal")[:1])
            return
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
        if role == "literal" and not self._by_line(left, call) and (found := self._literal(left, call.head)):
            bare = fill.main_params(call.tool)[0].name == "name" and not re.search(r"[.*?]", found[0])
            yield found[0], found[1], found[2] + (COST_GUESSED if bare else 0.0)  # a file's name mostly looks like one
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
        return found[0].value, self._earlier(found[0].places, left), COST_BORROWED

    def _named_numeral(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        return _all_of(self._among(left, "numeral"))

    def _named_content(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        if quoted and call.tool.effect != "write":
            return _all_of(quoted)
        numbers = self._among(left, "number")
        own = call.tool.source != "built-in"
        if own and self._by_line(left, call) and (cells := self._cells(call, left, measured=False)):
            return cells
        if len(numbers) == 1 and own and not self._paths(call.tool, left):
            (place,) = list(numbers[0].places)[:1]  # digits that are no amount: a barcode, the number of a chip
            return self.tokens[place].text, numbers[0].places, COST_BACK
        return self._read(self._paths(call.tool, left), left, call)

    def _read(
        self, paths: list[Entity], left: tuple[int, ...], call: Call | None = None
    ) -> tuple[Any, frozenset[int], float] | None:
        """The text of the files that are named."""
        reader = self.tools.get("read_file")
        if reader is None:
            return None
        if paths:
            values, lines = [e.value for e in paths], self._by_line(left, call) if len(paths) == 1 else frozenset()
            read = Call(reader, {"path": values if len(values) > 1 else values[0]}, "path" if len(values) > 1 else "")
            read.by_line = bool(lines)
            return read, lines.union(*(e.places for e in paths)), 0.05
        files = self._files(left)
        if files is None:
            return None
        value, places, cost = files
        return Call(reader, {"path": value}, "path", places), places, cost

    def _by_line(self, left: tuple[int, ...], call: Call | None = None) -> frozenset[int]:
        """The words that ask for a text line by line: `each line of names.txt`, `every name in`, `everyone in`."""
        own = call is not None and call.tool.source != "built-in"
        here, lines = set(left), {"line", "row", "entry"}
        if call is not None and own:
            here |= call.places
            lines |= _ONE_A_LINE.union(*map(own_words, call.tool.params))
        pairs = [p for p in here if self.tokens[p].lower in ("each", "every", "all") and p + 1 in here]
        columns = {e.at for e in self._elsewhere("column")} if own else set()
        found = {n for p in pairs for n in (p, p + 1) if self.tokens[p + 1].canon in lines or p + 1 in columns}
        return frozenset(found | {p for p in here if own and self.tokens[p].lower in ("everyone", "everybody")})

    def _cells(self, call: Call, left: tuple[int, ...], measured: bool) -> tuple[Any, frozenset[int], float] | None:
        """The cells of a column that is named beside its table, of those rows that are meant."""
        here = tuple(sorted({*left, *(call.places - call.head if call.tool.source != "built-in" else ())}))
        tables, reader = self._among(here, "table"), self.tools.get("column_values")
        named = [e for e in self._among(here, "column") if not measured or e.measured == "numbers"]
        found = self._build(Mention(reader, frozenset(), 0.0), here) if tables and reader and named else None
        if found is None or found.args["column"] not in {e.value for e in named}:
            return None
        found.by_line = not measured
        rows = {p for p in here if self.tokens[p - 1].lower in ("each", "every") and p}  # `the size of each stall`
        return found, found.places | rows, found.cost

    def _files(self, left: tuple[int, ...], endings: tuple[str, ...] = ()) -> tuple[Call, frozenset[int], float] | None:
        """The files of a set or folder that is named, as a call that lists them."""
        lister = self.tools.get("list_files")
        for entity in self._among(left, "files") + self._among(left, "folder"):
            folder, pattern = entity.value if entity.kind == "files" else (entity.value, "*")
            if lister and pattern.endswith(("*", *(endings or pattern))):
                args = {"folder": folder} | ({"pattern": pattern} if pattern != "*" else {})
                return Call(lister, args), entity.places, 0.1 if entity.kind == "files" else 0.4
        return None

    def _named_rows(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """The rows of the table that is named."""
        tables, reader = self._among(left, "table"), self.tools.get("filter_rows")
        return (Call(reader, {"path": tables[0].value}), tables[0].places, 0.05) if tables and reader else None

    def _named_path(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        paths = self._paths(call.tool, left)
        if paths:
            return _all_of(paths)
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
            return paths[0].value, self._earlier(paths[0].places, left), COST_BACK if known else COST_BORROWED
        else:
            found = self._read(paths[:1], everywhere)
        return (found[0], self._earlier(found[1], left), found[2] + COST_BORROWED) if found else None

    def _named_number(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        numbers = self._among(left, "number")
        plain = [e for e in numbers if not e.percent] or numbers
        if not plain:
            return self._cells(call, left, measured=True) if call.tool.source != "built-in" else None
        values = [e.value for e in plain]
        places = frozenset().union(*(e.places for e in plain))
        units = {e.at for e in self._elsewhere("unit")}
        measured = any(p + 1 in units for p in places) and not any(p.name.endswith("unit") for p in call.tool.params)
        return values if len(values) > 1 else values[0], places, COST_TURNED * measured

    def _named_url(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        return _all_of(self._among(left, "url"))

    def _named_date(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        return _all_of(self._among(left, "date"))

    def _named_literal(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        if not quoted and self._by_line(left, call):
            return self._cells(call, left, measured=False) or self._read(self._paths(call.tool, left)[:1], left, call)
        named = fill.main_params(call.tool)[:1]
        if quoted and named and named[0].name == "name" and not re.search(r"[.*?]", quoted[0].value):
            return quoted[0].value, quoted[0].places, COST_GUESSED  # a file's name mostly looks like one
        return _all_of(quoted)

    def _named_numbers(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        numbers = self._among(left, "number")
        if len(numbers) > 1:
            return [e.value for e in numbers], frozenset().union(*(e.places for e in numbers)), 0.0
        reader, extract = self.tools.get("read_file"), self.tools.get("extract_numbers")
        if not numbers and (cells := self._cells(call, left, measured=True)):
            return cells
        texts = [e for e in self._paths(call.tool, left) if not e.value.lower().endswith((".csv", ".tsv", ".json"))]
        texts = [e for e in texts if of_numbers(e.value)]
        if not texts or numbers or not reader or not extract:
            return None
        read = Call(reader, {"path": texts[0].value})
        return Call(extract, {"text": read}, places=texts[0].places), texts[0].places, 2 * COST_CALL

    def _named_list(self, call: Call, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        quoted = self._among(left, "literal")
        if len(quoted) > 1:
            return [e.value for e in quoted], frozenset().union(*(e.places for e in quoted)), 0.0
        paths = self._paths(call.tool, left)
        if paths:
            return self._cells(call, left, measured=False) or self._read(paths[:1], left)
        return self._files(left)

    def _pointed(self, call: Call, role: str, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """An earlier result, the latest that fits; what points to it costs less than nothing pointing."""
        near = call.head or frozenset(p for p in left if self._weights[p])
        pointers = frozenset(
            p
            for p in (*left, *call.head)
            if self.tokens[p].lower in POINTERS and not (near and self._apart(p, min(near)))
        )
        back = list(reversed(self._back))
        if role == "number":  # `it` is one number rather than many
            back.sort(key=lambda node: fill.items(node.returns) is not None)
        for node in back:
            if isinstance(node, Call) and node.tool is call.tool and call.tool.name != "calculate":
                continue
            if self._serves(node, role):
                return node, pointers, COST_BACK if pointers else COST_IMPLIED
        return None

    def _plain_words(self, call: Call, role: str, left: tuple[int, ...]) -> tuple[Any, frozenset[int], float] | None:
        """Plain words taken as they stand: `the plurals of mouse, city and potato`."""
        own = call.tool.source != "built-in"
        free = set(self._free(left)) - call.places
        free = {p for p in free if self.tokens[p].number is None} - self._by_line(left, call)
        free -= {p for p in free if own and akin(self.tokens[p].lower, call.tool)}
        groups = [self._run(part, free, call.head) for part in split.parts(self.tokens, left)]
        texts = [self._text(group) for group in groups if group]
        if not texts or (role == "list" and len(texts) < 2):
            return None
        places = frozenset(p for group in groups for p in group)
        if role == "content" and not self._beside(places, call.places if own else call.head):
            return None
        known = sum(any(p in m.places for m in self.mentions if m.weight >= 1) for p in places - self._last)
        cost = (COST_GUESSED + 0.6 * (role != "literal")) * len(texts) + 0.7 * (len(places) - len(texts)) + 0.5 * known
        guess = (texts if len(texts) > 1 else texts[0], places, cost)
        sure = role == "literal" and self._beside(places, call.head) or (own and free <= places)
        return guess if sure else (*guess, "guessed")  # type: ignore[return-value]

    def _fill_pair(self, call: Call, main: list[Param], left: tuple[int, ...]) -> bool:
        """Two arguments of one kind: in the order in which they are named, or one of them an earlier result."""
        role = fill.role(main[0], call.tool)
        entities = self._among(left, *{"number": ("number",), "date": ("date",)}.get(role, ()))
        if main[0].name == "percent":
            entities = sorted(entities, key=lambda e: not e.percent)
            if entities and not entities[0].percent:
                return False
        if role == "date" and len(entities) == 2 and self._before(entities[1]) in ("from", "since", "after"):
            entities = entities[::-1]
        if len(entities) >= 2:
            for param, entity in zip(main, entities, strict=False):
                self._set(call, param, entity.value, entity.places)
            return True
        both = [] if entities or self._back or main[0].name == "percent" else self._elsewhere(role)
        if role in ("date", "number") and len(both) == 2:
            for param, entity in zip(main, both, strict=True):
                self._set(call, param, entity.value, self._earlier(entity.places, left))
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
        fan = self.parse(left, role)
        if fan and (two := _two(fan)):
            for param, value in zip(main, two, strict=True):
                self._set(call, param, value, fan.places, fan.cost / 2)
            return True
        if main[1].name == "whole":
            return self._fill_share(call, main, fan, left)
        sides = split.parts(self.tokens, left)
        calls = [c for side in sides if (c := self.parse(side, role))]
        if len(calls) == 2:
            for param, value in zip(main, calls, strict=True):
                self._set(call, param, value, value.places, value.cost)
            return True
        return self._fill_from_before(call, main, role)

    def _fill_from_before(self, call: Call, main: list[Param], role: str) -> bool:
        """The two results of before: those of one step for two things, or of the last two steps."""
        back = [node for node in self._back if isinstance(node, Call)]
        fans = [two for node in back for inner in node.nested() if self._serves(inner, role) and (two := _two(inner))]
        single = [node for node in back if self._serves(node, role) and not node.over]
        values = fans[-1] if fans else single[-2:]
        if len(values) < 2:
            return False
        for param, value in zip(main, values, strict=True):
            self._set(call, param, value, frozenset(), COST_BACK)
        return True

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
        many = isinstance(value, list) or (isinstance(value, Call) and (bool(value.over) or value.by_line))
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

    def _fill_share(self, call: Call, main: list[Param], counted: Call | None, left: tuple[int, ...]) -> bool:
        """Of all rows of a table, those that meet a condition."""
        rows = self.tools.get("count_rows")
        if rows and (counted is None or "where" not in counted.args):
            counted = self._build(Mention(rows, frozenset(), 0.0), left)
        if counted is None or not isinstance(counted.args.get("where"), str):
            return False
        self._set(call, main[0], counted, counted.places, counted.cost)
        call.args[main[1].name] = Call(counted.tool, {n: v for n, v in counted.args.items() if n != "where"})
        return True


def _all_of(found: list[Entity]) -> tuple[Any, frozenset[int], float] | None:
    """The value of what is named, or the values where several are."""
    values = [entity.value for entity in found]
    places = frozenset[int]().union(*(entity.places for entity in found))
    return (values if len(values) > 1 else values[0], places, 0.0) if found else None


def _two(call: Call) -> list[Call] | None:
    """A call that is mapped over two things as two calls."""
    if not call.over:
        return None
    inner = call.args[call.over]
    items = _two(inner) if isinstance(inner, Call) else inner if isinstance(inner, list) and len(inner) == 2 else None
    if items is None:
        return None
    return [Call(call.tool, call.args | {call.over: item}, "", call.places, head=call.head) for item in items]

"""Arguments beside the main one: columns, conditions, units, folders, counts, words to look for."""

from __future__ import annotations

import re
from typing import Any

from agent.planners.embedded import fill
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.own import OwnSides
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.reading import COST_BORROWED, COST_GUESSED, SINKS, Call
from agent.planners.embedded.row_sides import orders_rows, ranks_groups
from agent.planners.embedded.words import canons
from tools.function import Param
from tools.registry import Tool

_BACK = frozenset("before ago earlier subtract minus prior back deduct".split())


class Sides(OwnSides):
    """Fills the parameters that what is worked on does not go into; each `_side_…` is for one role."""

    def _fill_edit(self, call: Call, left: list[int]) -> None:
        """What lines must hold, or what is put in the place of what, where the words say it in one."""
        fills = {"filter_lines": ("lines", ("pattern", "match", "exclude")), "replace_text": ("swap", ("old", "new"))}
        kind, names = fills.get(call.tool.name, ("", ()))
        for entity in self._among([*left, *call.head], kind)[:1] if kind else []:
            given = dict(zip(names, entity.value, strict=True))
            defaults = {param.name: param.default for param in call.tool.params}
            call.args |= {name: value for name, value in given.items() if value != defaults[name]}
            call.places |= entity.places

    def _fill_side(self, call: Call, param: Param, left: list[int], rest: tuple[int, ...], mention: Mention) -> bool:
        """Fill a parameter from what is named; False where it is needed and nothing fits."""
        ordered = call.args.get("by") if orders_rows(call.tool) else not ranks_groups(call.tool)
        if param.name in ("descending", "count") and not ordered:
            return True
        role = fill.role(param, call.tool)
        tokens = [self.tokens[p] for p in rest]
        if role == "enum":
            value = fill.enum_value(param, tokens)
            named = self._naming(param, value, left) if value is not None else frozenset()
            self._set(call, param, None if value == param.default else value, frozenset())
            call.places |= named
        elif role == "flag":
            flag = fill.flag_value(param, tokens)
            words = canons(param.name.replace("_", " "))
            naming = frozenset(p for p in rest if self.tokens[p].canon in words)
            self._set(call, param, None if flag is param.default else flag, naming)
        else:
            filler = getattr(self, f"_side_{role}", None)
            if filler:
                spare = set(rest if role in ("number", "date", "folder") else left) - (call.places - mention.places)
                filler(call, param, sorted(spare), mention)
        return param.name in call.args or not param.required

    def _naming(self, param: Param, value: Any, left: list[int]) -> frozenset[int]:
        return frozenset(p for p in left if fill.enum_value(param, [self.tokens[p]]) == value)

    def _side_target(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        """The file to write: named after `to`, `into`, `as`; or one that is not there yet."""
        paths = [e for e in self._among(left, "path") if not e.exists or self._before(e) in ("to", "into", "as")]
        sunk = [e for e in paths if self._before(e) in SINKS or self._before(e) in ("file", "create", "writ", "write")]
        for entity in (sunk or [e for e in paths if not e.exists])[-1:]:
            self._set(call, param, entity.value, entity.places)

    def _side_query(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        for entity in self._queries_for(call.tool, left)[:1]:
            chosen = any(e.places & entity.places for e in self._elsewhere("where"))  # it says which of them
            self._set(call, param, entity.value, entity.places, COST_GUESSED * chosen)

    def _queries_for(self, tool: Tool, left: list[int]) -> list[Entity]:
        named = self._among(left, "query")
        return sorted(named, key=lambda e: (-len(e.places), e.value.count("."), len(e.value)))

    def _side_unit(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        units = [e for e in self._among(left, "unit") if not e.places & call.places]
        if param.name.startswith("from"):
            columns = [e.places for e in self._elsewhere("column")]  # what is measured, and in what: `the seconds in …`
            units = [e for e in units if e.places not in columns]
            numbers = {p + 1 for e in self._among(left, "number") for p in e.places}
            measured = [e for e in units if e.at in numbers]
            if measured or len(units) > 1:
                chosen = measured[0] if measured else self._without_goal(units)[0]
                self._set(call, param, chosen.value, chosen.places)
            elif not self._back and (far := self._measured_elsewhere()):
                self._set(call, param, far.value, self._earlier(far.places, left), COST_BORROWED)
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
            back = frozenset(p for p in (*left, *mention.places) if self.tokens[p].lower in _BACK)
            if param.name == "amount" and back:
                self._set(call, param, -value, entity.places | back)
            else:
                self._set(call, param, value, entity.places)
        if not close and param.required and not self._back and len(far := self._elsewhere("number")) == 1:
            self._borrow_amount(call, param, far[0], left)
        if not close and param.name in ("top", "count") and self._asks_for_one([*left, *mention.places]):
            call.args[param.name] = 1

    def _borrow_amount(self, call: Call, param: Param, number: Entity, left: list[int]) -> None:
        """A number of an earlier sentence, and what it counts there: `it is due in four weeks. What date is that?`."""
        after = max(number.places) + 1
        self._borrow(call, param, number.value, number.places)
        call.places |= self._earlier(number.places, left)
        for other in call.tool.params:
            unit = fill.enum_value(other, self.tokens[after : after + 1]) if "enum" in other.schema else None
            if unit is not None:
                self._set(call, other, unit, self._earlier(frozenset([after]), left))

    def _asks_for_one(self, places: list[int]) -> bool:
        """Whether what is asked for is one thing: `which word …`, `who has the highest …`, `the row with …`."""
        said = {self.tokens[p].lower for p in places}
        return bool(said & {"word", "row"} or (said & {"which", "who"} and not said & {"rows", "words", "have", "are"}))

    def _decimals(self, call: Call, param: Param, left: list[int]) -> None:
        for entity in self._among(left, "decimals"):
            words = {p for p in left if re.match(r"decimal|place|digit|dp", self.tokens[p].lower)}
            self._set(call, param, entity.value, entity.places | words)
        whole = frozenset(p for p in left if self.tokens[p].canon in ("whole number", "whol", "whole"))
        call.places |= whole

    def _side_literal(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        """A word or phrase to look for: quoted, in capitals, or a plain word nobody else explains."""
        found = self._literal(left, mention.places) if param.required else None
        if found and found[2] and len(mention.places) > 1 and "line" in {self.tokens[p].canon for p in mention.places}:
            found = found if min(mention.places) < min(found[1]) < max(mention.places) else None
        if found:
            self._set(call, param, *found)
            if found[2] and (
                min(found[1]) < min(mention.places) or not self._beside(found[1], call.places | mention.places)
            ):
                call.guessed |= found[1]
            if param.name == "name" and not re.search(r"[.*?]", found[0]):  # a file's name mostly looks like one
                call.cost += COST_GUESSED

    def _side_date(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        for entity in self._among(left, "date")[:1]:
            self._set(call, param, entity.value, entity.places)

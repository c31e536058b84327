"""Arguments of the tools for tables: which rows are meant, in which order, and which of their columns."""

from __future__ import annotations

import re

from agent.planners.embedded import fill
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.orders import how_many
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.reading import COST_BACK, Call, Reading
from tools.conditions import comparisons
from tools.function import Param
from tools.registry import Tool

COST_ONE = 0.3  # rows of a single column, which a list of its values would be
COST_OTHERS = 1.0  # cells of one column where others are named as well
_LARGEST, _SMALLEST = frozenset(["largest", "most", "top"]), frozenset(["smallest", "fewest"])
_OMITTING = frozenset("without except but minus excluding omit drop remove delete hide leave leaving skip".split())


def orders_rows(tool: Tool) -> bool:
    """Whether a tool takes an order of rows: what to sort by, which way, how many."""
    return {"by", "descending", "count"} <= {param.name for param in tool.params}


def ranks_groups(tool: Tool) -> bool:
    """Whether a tool gives groups, in an order and so many as are asked for."""
    return {"by", "measure", "order", "count"} <= {param.name for param in tool.params}


def chooses_rows(tool: Tool) -> bool:
    """Whether a tool gives rows of a table, or cells of them, as a condition or an order says."""
    return "where" in {param.name for param in tool.params} and fill.items(tool.about.returns) is not None


def _holds(param: Param, column: Entity) -> bool:
    """Whether a column holds what a parameter says that it must: `the column of numbers or dates`."""
    wanted = re.search(r"column of (numbers)( or dates)?", param.doc)
    return wanted is None or column.measured == "numbers" or bool(wanted[2] and column.measured)


class RowSides(Reading):
    """Fills what the tools for tables take beside the file."""

    def _fill_order(self, call: Call, left: list[int]) -> None:
        """Fill by, descending and count from one order that the words ask for; of groups, order and count."""
        if not orders_rows(call.tool):
            self._fill_ranks(call, left)
            return
        found = [e for e in self._among([*left, *call.head], "order")]
        for entity in sorted(found, key=lambda e: (-len(e.places), e.at))[:1]:
            column, descending, count = entity.value
            args = {"by": column} | ({"descending": True} if descending else {}) | ({"count": count} if count else {})
            call.args |= args
            call.places |= entity.places

    def _fill_ranks(self, call: Call, left: list[int]) -> None:
        """How many of the groups, the largest or the smallest: `the two towns with the most owners`."""
        if not ranks_groups(call.tool):
            return
        for place in sorted({*left, *call.head}):
            canon = self.tokens[place].canon
            order = "descending" if canon in _LARGEST else "ascending" if canon in _SMALLEST else ""
            count, said = how_many(self.tokens, place, place + 1) if order else (1, [])
            if count > 1:
                call.args |= {"order": order, "count": count}
                call.places |= {place, *said}
                return

    def _side_columns(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        """The columns to give, or with `without` those to leave out, in the order in which they are named."""
        free = [e for e in self._free_columns(call, left) if self._omitted(e) == (param.name == "without")]
        named = list(dict.fromkeys(e.value for e in free if e.exact or len(free) == 1))
        if not named:
            return
        by = call.args.get("by")
        shown = [e for e in self.entities if e.kind == "column" and e.value == by and self._superlative(e)]
        if param.name == "columns" and shown and by not in named:  # `the three highest fees with their owners`
            named.append(str(by))
        marks = frozenset(p for p in left if self.tokens[p].canon == "column")
        places = frozenset[int]().union(*(e.places for e in free)) | marks
        self._set(call, param, named, places, COST_ONE * (len(named) == 1 and param.name == "columns"))

    def _free_columns(self, call: Call, left: list[int]) -> list[Entity]:
        """The columns that are named for their own sake: not in a condition, an order or as what to group by."""
        taken = [e.places for e in self._among([*left, *call.places], "where", "order")]
        compared = {one.column for one in comparisons(str(call.args.get("where", "")))}
        free = [e for e in self._among(left, "column") if not any(e.places <= places for places in taken)]
        return [e for e in free if e.value not in compared and not self._grouped(e, call.tool)]

    def _superlative(self, column: Entity) -> bool:
        """Whether a column stands right behind a superlative: `the three highest fees`, and not `by fee`."""
        orders = [e for e in self._elsewhere("order") if e.value[2] > 1 and column.places <= e.places]
        after = {token.lower for token in self.tokens[max(column.places) + 1 : max(column.places) + 8]}
        return any("by" not in {self.tokens[p].lower for p in e.places} for e in orders) and bool(
            {"with", "and"} & after
        )

    def _omitted(self, column: Entity) -> bool:
        """Whether a column is named as one to leave out: `without the paid column`, `drop the phone column`."""
        before = [token.lower for token in self.tokens[max(0, column.at - 3) : column.at]]
        return bool(_OMITTING & set(before))

    def _side_column(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        if param.name == "by" and not param.required:
            return
        taken = call.args.get("column" if param.name == "by" else "by")
        fit = [e for e in self._elsewhere("column") if _holds(param, e) and not self._aside(call, param, e)]
        fit = [e for e in fit if not self._omitted(e)]
        named = [e for e in fit if e.value != taken and e.places <= {*left}]
        grouping = [e for e in named if self._grouped(e, call.tool)]
        named = (grouping if param.name == "by" else [e for e in named if e not in grouping]) or (
            named if param.required else []
        )
        if not param.required and param.name == "column" and "measure" not in call.args:
            named = [e for e in named if e not in grouping and e.exact]
            if named:  # `revenue per route` adds it up
                call.args["measure"] = "sum"
        if param.required and self._unknown_column(left):
            return
        in_conditions = [w.places for w in self._among(left, "where", *(["order"] if "by" in call.args else []))]
        free = [e for e in named if not any(e.places <= places for places in in_conditions)] or named
        free = [e for e in free if e.exact] or free
        spots = call.places or frozenset(left[:1])
        if param.name == "by" and any(p.name == "measure" for p in call.tool.params):
            free = grouping
        for entity in fill.near(free, spots)[:1]:
            others = {e.value for e in self._free_columns(call, left) if e.exact} - {entity.value}
            shown = call.args.get("by") and any(self._superlative(e) for e in self._elsewhere("column"))
            alone = not (chooses_rows(call.tool) and (others or shown))  # cells of one column, where several are wanted
            beside = {p for p in (min(entity.places) - 1, max(entity.places) + 1) if p in left}
            marks = {p for p in beside if self.tokens[p].canon == "column"}
            self._set(call, param, entity.value, entity.places | marks, 0.0 if alone else COST_OTHERS)
        if param.name not in call.args and param.required and param.name == "column":
            for entity in fit[-1:]:
                self._borrow(call, param, entity.value, entity.places)

    def _aside(self, call: Call, param: Param, entity: Entity) -> bool:
        """Whether a column cannot be what `how many` alone asks the sum of: `how many tickets …` means that of a column
        tickets; of a column ticket, and of what stands further on, it does not."""
        if not param.required or not call.head or {self.tokens[p].canon for p in call.head} != {"count"}:
            return False
        spelled = self._text(sorted(entity.places)).lower().replace("_", " ") == entity.value.lower().replace("_", " ")
        return not spelled or any(self._weights[p] for p in range(max(call.head) + 1, entity.at))

    def _unknown_column(self, left: list[int]) -> bool:
        """Whether a column is named, `the bonus column`, that the table does not have."""
        named = frozenset().union(*(e.places for e in self.entities if e.kind == "column"))
        marks = [p for p in left if self.tokens[p].canon == "column" and p]
        return any(self._weights[p - 1] and p - 1 not in named and self.tokens[p - 1].kind == "word" for p in marks)

    def _grouped(self, entity: Entity, tool: Tool) -> bool:
        """Whether a column is named as what to group by: `per day`, `by product`, `for each role`, `which boat`."""
        before = [token.lower for token in self.tokens[max(0, entity.at - 3) : entity.at]]
        return bool(({"per", "by", "each", "every"} | ({"which"} if not chooses_rows(tool) else set())) & set(before))

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
        either = [n for n in range(min(places), max(places)) if self.tokens[n].lower in ("or", "either")]
        several = len(chosen) > 1 and len(set(columns)) == 1 and all(" = " in e.value for e in chosen)
        if len(chosen) > 1 and (either or (several and chooses_rows(call.tool))):
            self._set(call, param, " or ".join(e.value for e in chosen), places.union(either))
        elif several:
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
                    self._set(call, param, node.args[param.name], frozenset(), COST_BACK)
                return

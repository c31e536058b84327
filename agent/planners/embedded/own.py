"""Arguments of a person's own tools, of which nothing is known but their names, types and descriptions.

Numbers go to the parameters that are named beside them, `18 seats`, `a tip of 10`; texts are what stands after a
parameter's name, `row F`, what is quoted, and names: `the Petrel`, `Tom Rudd`, `on Saturday`.
"""

from __future__ import annotations

import itertools
import re
from functools import cache
from operator import mul

from agent.planners.embedded import fill
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.pick import Mention
from agent.planners.embedded.reading import Call
from agent.planners.embedded.row_sides import RowSides
from agent.planners.embedded.words import BEYOND, FUNCTION, STOP, canons
from agent.router import stem
from agent.words import vector
from tools.function import Param
from tools.registry import Tool

_WEEKDAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_FROM = frozenset("origin start source departure sender".split())
_TO = frozenset("destination target end goal arrival recipient receiver country".split())
_CODE = re.compile(r"(?=\w*\d)(?=\w*[^\W\d_])[\w-]+")  # letters and figures: A4, e0c010
_LONG_TEXT = frozenset("text content document body passage lines source input".split())
COST_AKIN = 0.5  # a word that only means what a tool speaks of
_ALIKE = 0.38  # the least cosine of words that are used alike
_MOST, _FEW = 6, 3  # numbers that are tried in every order, and that may all be meant for something else


class OwnSides(RowSides):
    """Fills the parameters of a person's own tools."""

    def _fill_own(self, call: Call, left: list[int]) -> None:
        """Fill what can be told from the words beside a value, or is a name; what is left is filled as in any tool."""
        if call.tool.source == "built-in":
            return
        said = {word for p in call.tool.params for word in own_words(p)}
        call.places |= {p for p in left if self.tokens[p].canon in said and self.tokens[p].kind == "word"}
        if len(call.tool.params) > 1:
            self._fill_numbers(call, left)
            self._fill_lists(call, left)
        self._fill_texts(call, left)

    def _explain(self, call: Call, left: list[int]) -> None:
        """Take words as explained that ask for what the tool gives, `how many`, `when`, or mean what it speaks of."""
        if call.tool.source == "built-in":
            return
        asking = {"count"} if fill.numeric(call.tool.about.returns) else {"when", "where"}
        named = {p for e in self.entities for p in e.places}
        for p in left:
            token = self.tokens[p]
            if p in call.places or p in named or token.kind != "word" or not token.weight:
                continue
            if token.canon in asking:
                call.places |= {p}
            elif not self._is_name(p) and akin(token.lower, call.tool):
                call.places |= {p}
                call.cost += COST_AKIN

    def _fill_numbers(self, call: Call, left: list[int]) -> None:
        """Give the numbers to the parameters that are named beside them, each required one has one, or to none."""
        params = [p for p in call.tool.params if fill.role(p, call.tool) == "number"]
        named = [e for e in self._among(left, "number", "decimals")]
        if not params or not named or len(named) > _MOST:
            return

        def worth(way: tuple[Param | None, ...]) -> float:
            pairs = [(p, e) for p, e in zip(way, named, strict=True) if p]
            inverted = sum(a > b for a, b in itertools.pairwise(params.index(p) for p, _ in pairs))
            return sum(self._beside_name(p, e) for p, e in pairs) - 0.1 * inverted

        ways = [way for way in _assignments(params, len(named)) if self._fits(way, params, named)]
        best = max(ways, key=worth, default=())
        if not best or worth(best) <= 0 and len(named) != sum(p.required for p in params):
            return
        for param, entity in zip(best, named, strict=True):
            if param and (param.required or self._beside_name(param, entity)):
                places = entity.places | self._naming_words(param, entity.places)
                self._set(call, param, entity.value, places)

    def _fits(self, way: tuple[Param | None, ...], params: list[Param], named: list[Entity]) -> bool:
        """Whether each required parameter has a number, or none is left over, and only percentages are in percent."""
        enough = sum(p is not None and p.required for p in way) == min(sum(p.required for p in params), len(named))
        return enough and all(
            not e.percent or re.search("percent|%", p.doc + p.name) for p, e in zip(way, named, strict=True) if p
        )

    def _beside_name(self, param: Param, entity: Entity) -> int:
        """How much speaks for a value as that of a parameter: a word of its name or description beside it."""
        words = {self.tokens[p].canon for p in self._around(entity.places)}
        return 3 * len(words & set(own_words(param))) + len(words & fill.described(param))

    def _around(self, places: frozenset[int]) -> list[int]:
        """The words that matter on both sides of some places: the next one, and the last one before."""
        before = [p for p in range(max(0, min(places) - 3), min(places)) if self.tokens[p].weight]
        after = [p for p in range(max(places) + 1, min(max(places) + 2, len(self.tokens))) if self.tokens[p].weight]
        return before[-1:] + after

    def _naming_words(self, param: Param, places: frozenset[int]) -> frozenset[int]:
        words = set(own_words(param)) | fill.described(param)
        return frozenset(p for p in self._around(places) if self.tokens[p].canon in words)

    def _fill_lists(self, call: Call, left: list[int]) -> None:
        """An enumeration behind a parameter's name: `the colours red, white and green`."""
        for param in call.tool.params:
            items = fill.items(param.schema)
            if items is None or not fill.textual(items) or param.name in call.args:
                continue
            for p in left:
                found = self._enumeration(p + 1, left) if self.tokens[p].canon in own_words(param) else []
                if len(found) > 1:
                    self._set(call, param, [self.tokens[n].text for n in found], frozenset([p, *found]))
                    break

    def _enumeration(self, n: int, left: list[int]) -> list[int]:
        """The places of the single words that stand from `n` on, parted by commas and `and`."""
        found = []
        while n in left:
            token = self.tokens[n]
            if token.kind in ("word", "quoted") and token.lower not in FUNCTION:
                found.append(n)
            elif token.text not in (",", ":") and token.lower not in ("and", "or"):
                break
            n += 1
        return found

    def _fill_texts(self, call: Call, left: list[int]) -> None:
        params = [p for p in call.tool.params if fill.role(p, call.tool) in ("content", "literal")]
        for param in params:
            self._fill_named_text(call, param, left)
        params = [p for p in params if p.name not in call.args and p.required]
        names = self._names([p for p in left if p not in call.places])
        long = len(params) == 1 and bool(_LONG_TEXT & set(params[0].name.split("_")))
        if not params or len(names) < len(params) or (long and self._among(left, "path", "files")):
            return
        if len(params) == 1:
            values = [text for text, _ in names]
            call.over = params[0].name if len(values) > 1 else ""
            value = values if call.over else values[0]
            self._set(call, params[0], value, frozenset[int]().union(*(places for _, places in names)))
            return
        for param in params:
            text, places = next((n for n in names if self._leads(param, n[1])), names[0])
            names.remove((text, places))
            self._set(call, param, text, places)

    def _leads(self, param: Param, places: frozenset[int]) -> bool:
        """Whether the word before a name says that it is a parameter's: `from` an origin, `to` a destination."""
        words = [self.tokens[p].lower for p in range(max(0, min(places) - 2), min(places))]
        name = set(param.name.lower().split("_"))
        return bool(name & _FROM and "from" in words or name & _TO and "to" in words)

    def _fill_named_text(self, call: Call, param: Param, left: list[int]) -> None:
        """What follows a parameter's name at once: a name, a quotation, or a single word."""
        words = own_words(param)
        for p in left:
            n = p + 1
            if self.tokens[p].canon not in words or n not in left or n in call.places:
                continue
            named = next(((text, places) for text, places in self._names(left) if n in places), None)
            token = self.tokens[n]
            plain = token.kind == "word" and token.number is None and (token.weight or len(token.text) == 1)
            if named or (plain and param.required):
                text, places = named or (token.text, frozenset([n]))
                self._set(call, param, text, places | {p})
                return

    def _names(self, left: list[int]) -> list[tuple[str, frozenset[int]]]:
        """The texts that stand for themselves, in order: quoted ones, names, weekdays, codes such as #e0c010."""
        taken = {p for e in self.entities if e.kind in ("path", "folder", "unit", "url", "column") for p in e.places}
        found: list[list[int]] = []
        for p in left:
            if p in taken or not (self._is_name(p) or self.tokens[p].kind == "quoted"):
                continue
            joined = found and found[-1][-1] == p - 1 and "quoted" not in (self.tokens[p].kind, self.tokens[p - 1].kind)
            if joined and not self.tokens[p - 1].text.endswith(("'s", "’s")):
                found[-1].append(p)
            else:
                found.append([p])
        return [(self._as_written(run), self._with_sign(run)) for run in found]

    def _is_name(self, p: int) -> bool:
        token = self.tokens[p]
        if token.kind != "word" or token.number is not None:
            return False
        begins = p == 0 or self.tokens[p - 1].text in ".?!;"
        loud = token.text.isupper() and len(token.text) > 1 and token.text.isalpha()
        proper = token.text[0].isupper() and token.lower not in STOP and not begins
        return loud or proper or token.lower in _WEEKDAYS or _CODE.fullmatch(token.text) is not None

    def _as_written(self, run: list[int]) -> str:
        sign = "#" if self._with_sign(run) - {*run} else ""
        return sign + re.sub(r"['’]s$", "", self._text(run))

    def _with_sign(self, run: list[int]) -> frozenset[int]:
        """A name's places, with a `#` right before it."""
        before = run[0] - 1
        joined = (
            before >= 0 and self.tokens[before].text == "#" and self.tokens[before].end == self.tokens[run[0]].start
        )
        return frozenset([before, *run] if joined else run)

    def _side_content(self, call: Call, param: Param, left: list[int], mention: Mention) -> None:
        quoted = self._among(left, "literal")
        for entity in quoted[-1:] if param.required or len(quoted) > 1 else []:  # a single one is what is worked on
            self._set(call, param, entity.value, entity.places)


@cache
def akin(word: str, tool: Tool) -> bool:
    """Whether a word is one of those by which a tool describes itself, or is used like one."""
    about = " ".join([tool.name.replace("_", " "), tool.about.summary, *(f"{p.name} {p.doc}" for p in tool.params)])
    others = {other for other in re.findall(r"[a-z]{3,}", about.lower()) if other not in STOP}
    if any(stem(word) == stem(other) or (len(word) >= 5 and other.startswith(word)) for other in others):
        return True
    mine = vector(word) if stem(word) not in BEYOND else None
    theirs = [found for other in others if mine and (found := vector(other))]
    return mine is not None and any(sum(map(mul, mine, other)) >= _ALIKE for other in theirs)


def own_words(param: Param) -> list[str]:
    """The canonical words of a parameter's name."""
    return canons(param.name.replace("_", " "))


def _assignments(params: list[Param], count: int) -> list[tuple[Param | None, ...]]:
    """The ways to give `count` numbers to parameters, each to another one or to none."""
    free = [-1] * max(0, count - (0 if count <= _FEW else len(params)))
    ways = dict.fromkeys(itertools.permutations([*range(len(params)), *free], count))
    return [tuple(None if n < 0 else params[n] for n in way) for way in ways]

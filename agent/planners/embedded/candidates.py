"""Candidates: the ways in which a goal may be read, and how a network is told of each.

The code's own readings come first; then those that it comes to where the words of a step are taken to ask for a tool
that it did not think of. Names, numbers and file names are told as what they are (`@txt1`, `@num2`), so that a network
learns wordings and not names; `?` marks the words that a reading leaves unexplained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agent.planners.embedded import split
from agent.planners.embedded.account import Account
from agent.planners.embedded.compose import Composer
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.find import find
from agent.planners.embedded.lay_out import lay_out
from agent.planners.embedded.pick import Mention, Phrases
from agent.planners.embedded.reading import Call, Given
from agent.planners.embedded.surroundings import Surroundings
from agent.planners.embedded.words import BEYOND, FUNCTION, Token
from agent.router import stem
from agent.task import Plan, PlannedTask
from tools.registry import Registry, Tool

OWN = 3  # of the code's readings that are looked at
_MARKS = {"txt": "txt", "md": "txt", "csv": "csv", "tsv": "csv", "json": "json"}
_NAMES = {
    "folder": "dir", "files": "files", "glob": "files", "number": "num", "decimals": "num", "date": "date",
    "numeral": "roman", "literal": "q", "unit": "unit", "query": "key", "column": "col", "where": "val", "url": "url",
}  # fmt: skip
_ORDER = ["path", "literal", "date", "numeral", "files", "folder", "glob", "query", "column", "where", "decimals",
          "number", "unit", "url"]  # fmt: skip
_QUANTIFIERS = frozenset("each every all any per of the in".split())
# Words that a sentence begins with which tells rather than asks.
_TELLING = frozenset(
    "a an the this that there there's it's that's it i we he she they you my our his her their its in on at of".split()
)
_LEADING = frozenset("and then also please".split())
Picker = Callable[[list[str]], list[list[Tool]]]
"""For each step of a goal, as it is told, the tools that its words may ask for."""


@dataclass(frozen=True)
class Candidate:
    """A reading with the plan that it comes to, and the places of the words that it uses and of those left open."""

    calls: list[Call]
    plan: Plan
    used: frozenset[int]
    open: frozenset[int]
    firm: bool  # whether one of these is a name or the like, which no model may speak for
    added: bool = False


class Subject:
    """One goal: its words, what they name, and how both are told."""

    def __init__(self, words: list[Token], phrases: Phrases, tools: Registry, given: list[Given], goal: str) -> None:
        self.words, self.tools, self.given, self.goal = words, tools, given, goal
        self.mentions, self.work = phrases.mentions(words), phrases.work
        self.entities = find(words, Surroundings())
        self.marks: dict[int, str] = {}
        self.labels: dict[str, str] = {}
        self._name()

    def _name(self) -> None:
        counts: dict[str, int] = {}
        told = [entity for entity in self.entities if entity.kind in _ORDER]
        for entity in sorted(told, key=lambda e: (_ORDER.index(e.kind), e.at, -len(e.places))):
            free = [p for p in sorted(entity.places) if p not in self.marks and not self._noun(entity, p)]
            key = _key(entity.value[0] if entity.kind == "files" else entity.value)
            if entity.kind == "where":
                self.labels.setdefault(key, "@where")
            if not free:
                continue
            if key not in self.labels or entity.kind == "where":
                name = _name(entity)
                counts[name] = counts.get(name, 0) + 1
                self.labels.setdefault(key, f"@{name}{counts[name]}")
            mark = "@val" if entity.kind == "where" else self.labels[key]
            self.marks |= dict.fromkeys(free, mark)

    def _noun(self, entity: Entity, place: int) -> bool:
        """Whether a word of a set of files only says what they are: `the reviews in feedback`."""
        word = self.words[place]
        said = word.kind != "word" or word.canon in ("fil", "file", "document", "folder") or word.lower in _QUANTIFIERS
        folder = any(place in e.places for e in self.entities if e.kind == "folder")
        return entity.kind == "files" and not said and not folder

    def told(self, start: int = 0, end: int | None = None, open: frozenset[int] = frozenset()) -> str:
        """Some of the words as a network is told them."""
        parts: list[str] = []
        for n in range(start, len(self.words) if end is None else end):
            mark = self.marks.get(n)
            if mark is None:
                parts.append(("?" if n in open else "") + self.words[n].lower)
            elif not parts or parts[-1] != mark:
                parts.append(mark)
        return " ".join(parts)

    def told_step(self, start: int = 0, end: int | None = None) -> str:
        """A step as it is told, whichever of the things named it is about: `@txt` for `@txt1`."""
        return re.sub(r"(@[a-z]+)\d+", r"\1", self.told(start, end))

    def told_plan(self, plan: Plan) -> str:
        """A plan's calls in order, their arguments told as the goal's words are."""
        return " ; ".join(" ".join(self.told_call(task)) for task in plan.tasks)

    def told_call(self, task: PlannedTask) -> Iterator[str]:
        """A call: its tool's name, a summary where it is a person's own, and its arguments."""
        tool = self.tools.get(task.tool)
        yield task.tool.replace("_", " ")
        if tool is None:
            return
        if tool.source != "built-in":
            yield f"( {tool.about.summary.lower().rstrip('.')} )"
        if task.each is not None:
            yield "each" if isinstance(task.each, str) else " ".join(self._told_value(v) for v in task.each)
        for param in tool.params:
            if param.name in task.args:
                yield from ([] if param.required else [param.name]) + [self._told_value(task.args[param.name])]

    def _told_value(self, value: Any) -> str:
        if isinstance(value, list):
            return " ".join(self._told_value(item) for item in value)
        if isinstance(value, str) and value.startswith("$") and not value.startswith("$$"):
            return "it" if "\n" not in value else "several"
        return self.labels.get(_key(value)) or (f'"{value.lower()}"' if isinstance(value, str) else str(value))

    def steps(self) -> list[tuple[int, int]]:
        """Where each part of the goal begins and ends that may be a step of its own."""
        cuts = split.boundaries(self.words)
        spans = list(zip(cuts, cuts[1:], strict=False))
        return [(a, b) for a, b in spans if any(w.kind != "punct" and w.lower not in _LEADING for w in self.words[a:b])]

    def candidates(self, picker: Picker | None, thorough: bool = False) -> list[Candidate]:
        """The code's own readings, the best first, and those with the tools that are picked for its steps.

        Unless `thorough`, a step that the code explains in full by the tool that is picked first is left at that.
        """
        composer = Composer(self.words, self.mentions, self.entities, self.tools, self.given)
        found: dict[str, Candidate] = {}
        for calls in composer.readings()[:OWN]:
            self._keep(found, calls, composer.mentions, added=False)
        first = next(iter(found.values()), None)
        open = first.open if first else frozenset(n for n, word in enumerate(self.words) if word.weight)
        used = {task.tool for task in first.plan.tasks} if first else set()
        spans = self.steps() if picker else []
        if picker and spans:
            for span, tools in zip(spans, picker([self.told_step(*span) for span in spans]), strict=True):
                if not thorough and tools[0].name in used and not open & set(range(*span)):
                    continue
                for tool in tools:
                    for places in self._asking(span, open):
                        self._keep(found, *self._read_with(tool, places), added=True)
        return list(found.values())

    def _read_with(self, tool: Tool, places: frozenset[int]) -> tuple[list[Call], list[Mention]]:
        others = [mention for mention in self.mentions if not mention.places & places]
        mentions = [*others, Mention(tool, places, float(len(places)))]
        composer = Composer(self.words, mentions, self.entities, self.tools, self.given)
        return composer.read(), composer.mentions

    def _asking(self, span: tuple[int, int], open: frozenset[int]) -> list[frozenset[int]]:
        """The words of a step that may ask for a tool: those that are left open, and all that name nothing."""
        plain = [n for n in range(*span) if n not in self.marks and self.words[n].kind != "punct"]
        heavy = [n for n in plain if self.words[n].weight] or [n for n in plain if self.words[n].lower not in FUNCTION]
        heavy = [n for n in heavy or plain if stem(self.words[n].lower) not in BEYOND]
        ways = [frozenset(heavy) & open, frozenset(heavy)]
        return [places for places in dict.fromkeys(ways) if places]

    def _keep(self, found: dict[str, Candidate], calls: list[Call], mentions: list[Mention], added: bool) -> None:
        if not calls:
            return
        plan = lay_out(calls, self.words, self.goal)
        key = json.dumps([[t.tool, t.args, t.each] for t in plan.tasks], sort_keys=True, default=str)
        account = Account(self.words, self.entities, calls, mentions, self.work)
        found.setdefault(key, Candidate(calls, plan, account.used, account.open, account.firm, added))


def _name(entity: Entity) -> str:
    if entity.kind != "path":
        return _NAMES[entity.kind]
    return _MARKS.get(entity.value.rpartition(".")[2].lower(), "file") if entity.exists else "new"


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)

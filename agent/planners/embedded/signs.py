"""Signs: what speaks for and against a reading, as short texts that a linear model weighs.

Most are pairs of a word of the goal and a call of the plan, so that the model learns which words ask for which tool. A
person's own tools are all called `own`: what is learnt of some of them must hold for those that nobody has seen.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from functools import cache

from agent.planners.embedded.candidates import Candidate, Subject
from agent.planners.embedded.words import FUNCTION, canons
from agent.task import PlannedTask
from tools.registry import Tool

_CARRIERS = frozenset(["read_file", "list_files"])  # they mostly fetch what another call works on
_SAID = frozenset("upper lower title sentence largest smallest newest oldest sum mean count min max days weeks".split())


def signs(subject: Subject, one: Candidate) -> set[str]:
    """All signs of a candidate."""
    calls = [_call(subject, task) for task in one.plan.tasks]
    names = [_name(subject, task) for task in one.plan.tasks]
    main = [name for name in names if name not in _CARRIERS] or names
    shapes = {shape for name, shape in zip(names, calls, strict=True) if name in main}
    found = {f"open {min(len(one.open), 6)} calls {min(len(main), 4)}", f"calls {len(names)}", "all " + " ".join(names)}
    found |= {f"call {shape}" for shape in calls}
    found |= {f"{a} then {b}" for a, b in zip(["^", *main], [*main, "$"], strict=True)}
    found |= set(_things(subject, one)) | set(_words(subject, one, set(main), shapes)) | set(_own(subject, one))
    return found | set(_code(one))


def text(found: Iterable[str]) -> str:
    """Signs as the words of a text: eight letters each, by a hash."""
    return " ".join(sorted(_letters(sign) for sign in found))


def _letters(sign: str) -> str:
    value = zlib.crc32(sign.encode("utf-8"))
    return "".join("abcdefghijklmnop"[value >> shift & 15] for shift in range(0, 32, 4))


def _name(subject: Subject, task: PlannedTask) -> str:
    tool = subject.tools.get(task.tool)
    return task.tool if tool is None or tool.source == "built-in" else "own"


def _call(subject: Subject, task: PlannedTask) -> str:
    """A call with the kinds of its arguments: `first_lines it @num`."""
    told = " ".join(subject.told_call(task)).split(" ) ")[-1]
    rest = told.removeprefix(task.tool.replace("_", " "))
    kinds = [_kind(part) for part in rest.split()]
    return " ".join([_name(subject, task), *kinds])


def _kind(part: str) -> str:
    if part.startswith("@"):
        return part.rstrip("0123456789")
    return part if part.strip('"') in _SAID or not part.startswith('"') else "literal"


def _things(subject: Subject, one: Candidate) -> Iterator[str]:
    """What is named and not used, what is used and not named, and plain words that were taken for a text."""
    told = subject.told_plan(one.plan)
    named = {mark for mark in subject.marks.values() if mark != "@val"}
    used = set(re.findall(r"@\w+", told))
    for mark in named - used:
        yield f"unused {mark.rstrip('0123456789')}"
    for literal in re.findall(r'"([^"]*)"', told):
        yield from () if literal in _SAID else ("literal", f"literal {literal}")
    order = re.findall(r"@(?:num|date|q)\d+", told)
    yield f"order {order == sorted(order, key=lambda mark: int(mark.lstrip('@numdateq')))}"


def _words(subject: Subject, one: Candidate, names: set[str], shapes: set[str]) -> Iterator[str]:
    """The words of the goal, alone and in pairs, with each call."""
    words = [re.sub(r"\d+$", "", part) if part[0] == "@" else part for part in subject.told().split()]
    canonical = {word.canon for n, word in enumerate(subject.words) if n not in subject.marks and word.kind == "word"}
    pairs = {f"{a} {b}" for a, b in zip(["^", *words], [*words, "$"], strict=True)}
    size = min(len(names), 4)
    for word in {*words} | pairs:
        yield f"{word} in {size}"
        for name in names:
            yield f"{word} | {name}"
    for word in {*words}:
        for shape in shapes:
            yield f"{word} || {shape}"
    for word in canonical:
        for name in names:
            yield f"= {word} | {name}"
    for place in one.open:
        yield f"? {subject.words[place].canon}"
        for name in names:
            yield f"? {subject.words[place].canon} | {name}"


def _own(subject: Subject, one: Candidate) -> Iterator[str]:
    """How much of what a person's own tool says of itself is among the words, and how much of what is left open."""
    said = {word.canon for n, word in enumerate(subject.words) if n not in subject.marks}
    open = {subject.words[place].canon for place in one.open}
    for task in one.plan.tasks:
        tool = subject.tools.get(task.tool)
        if tool is not None and tool.source != "built-in":
            name, about = _about(tool)
            yield f"own named {min(len(name & said), 3)} lacks {min(len(name - said), 3)}"
            yield f"own said {min(len(about & said), 4)}"
            yield f"own open {min(len(open & (about | name)), 2)} of {min(len(open), 3)}"
            yield f"own phrases {bool(tool.about.asked_as)} named {min(len(name & said), 3)}"


@cache
def _about(tool: Tool) -> tuple[set[str], set[str]]:
    name = {word for word in canons(tool.name.replace("_", " ")) if word not in FUNCTION}
    about = {word for word in canons(f"{tool.about.summary} {' '.join(tool.about.asked_as)}") if word not in FUNCTION}
    return name, about


def _code(one: Candidate) -> Iterator[str]:
    """What the code made of it: words guessed and borrowed, what the calls cost, and who thought of their tools."""
    calls = [call for top in one.calls for call in top.nested()]
    yield f"guessed {min(sum(len(call.guessed) for call in calls), 4)}"
    yield f"borrowed {min(sum(bool(call.borrowed - call.places) for call in calls), 3)}"
    yield f"cost {min(int(2 * max((call.cost for call in one.calls), default=0)), 8)}"
    yield f"headless {min(sum(not call.head for call in one.calls), 3)}"
    yield f"top {len(one.calls)}"
    yield f"added {one.added} open {min(len(one.open), 3)}"

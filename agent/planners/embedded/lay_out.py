"""Lay a reading out as a plan: calls become tasks, what feeds what references, what was asked for the answer."""

from __future__ import annotations

import json
import re
from typing import Any

from agent.planners.embedded.reading import Call, Given
from agent.planners.embedded.split import SENTENCE_ENDS
from agent.planners.embedded.words import REQUESTS, Token
from agent.task import Plan, PlannedTask

_LABEL = 60  # characters


def lay_out(calls: list[Call], words: list[Token], goal: str) -> Plan:
    """A plan whose tasks are the calls and the calls they need, each once."""
    layout = _Layout(words, goal)
    ids = [layout.task(call) for call in calls]
    return Plan(layout.tasks, _answer(calls, ids, layout, words))


class _Layout:
    def __init__(self, words: list[Token], goal: str) -> None:
        self.words, self.goal = words, goal
        self.tasks: list[PlannedTask] = []
        self.used: set[str] = set()  # ids of tasks whose results others take in
        self._ids: dict[str, str] = {}

    def task(self, call: Call) -> str:
        """The id of the task that makes a call; the same call is made once."""
        args = self._calculation(call) if call.template else {n: self._value(v) for n, v in call.args.items()}
        each = None
        if call.over:
            each, args[call.over] = args[call.over], "$item"
        same = json.dumps([call.tool.name, args, each], sort_keys=True, ensure_ascii=False)
        if same not in self._ids:
            taken = sum(task.tool == call.tool.name for task in self.tasks)
            id = f"{call.tool.name}{taken + 1 if taken else ''}"
            self.tasks.append(PlannedTask(id, "", call.tool.name, args, each))
            self._ids[same] = id
        return self._ids[same]

    def label(self, call: Call) -> str:
        """What to call a result among others: the goal's own words for it, or what the tool is called."""
        if call.places:
            text = self.goal[self.words[min(call.places)].start : self.words[max(call.places)].end]
            if len(text) <= _LABEL:
                return text.replace("$", "$$")
        return call.tool.name.replace("_", " ")

    def _value(self, value: Any) -> Any:
        if isinstance(value, Given):
            return f"${value.name}"
        if isinstance(value, Call):
            id = self.task(value)
            self.used.add(id)
            return f"${id}"
        if isinstance(value, list) and any(isinstance(item, Call) for item in value):
            return "\n".join(f"{self.label(item)}: {self._value(item)}" for item in value)
        return value.replace("$", "$$") if isinstance(value, str) else value

    def _calculation(self, call: Call) -> dict[str, Any]:
        """The expression of a calculation, its operands put in; results stand in brackets."""

        def operand(found: re.Match[str]) -> str:
            value = self._value(call.args[found[0]])
            return f"({value})" if isinstance(value, str) else str(value)

        return {"expression": re.sub(r"\b[ABMNP]\b", operand, call.template)}


def _answer(calls: list[Call], ids: list[str], layout: _Layout, words: list[Token]) -> str:
    """A template of what the person wants to see: results nobody took in, and those that were asked to be told."""
    shown = [
        (call, id)
        for n, (call, id) in enumerate(zip(calls, ids, strict=True))
        if id not in ids[:n] and (id not in layout.used or _told(calls, n, words))
    ]
    results = [(call, id) for call, id in shown if call.tool.effect != "write"]
    written = [f"Wrote ${id}." for call, id in shown if call.tool.effect == "write"]
    amounts = any(
        word.canon in ("count", "often", "differ") or word.lower in ("much", "number", "figure") for word in words
    )
    if len(results) == 1 and not written and not (amounts and _compared(results[0][0])):
        return f"${results[0][1]}"
    lines = []
    for call, id in results:
        lines.append(f"${id}" if call.over or len(results) == 1 else f"{layout.label(call)}: ${id}")
        lines += [f"${layout.task(from_)}" for from_ in _compared(call) if amounts]
    return "\n".join(lines + written)


def _compared(call: Call) -> list[Call]:
    """What a choice among named values was made from: it is told too where somebody asks how many."""
    if call.tool.about.returns.get("type") != "string" or call.over:
        return []
    tables = [p.name for p in call.tool.params if p.schema.get("type") == "object"]
    return [value for name in tables if isinstance(value := call.args.get(name), Call)]


def _told(calls: list[Call], n: int, words: list[Token]) -> bool:
    """Whether a step asks to be told its result, although a later one takes it in: a question, `tell me`, `also …`."""
    start, end = calls[n].span
    ending = next((token.text for token in words[max(end - 1, 0) :] if token.text in SENTENCE_ENDS), "")
    if ending == "?":
        return True
    after = {t.lower for t in words[end : end + 2]}
    after_it, following = calls[n + 1].span if n + 1 < len(calls) else (end, end)
    if {"tell", "show", "know", "say"} & {t.lower for t in words[end:after_it]}:
        return True
    if {"too", "also"} & {t.lower for t in words[end:following]}:
        return True
    before = words[start : max(calls[n].head, default=start) + 1]
    if words[end : end + 1] and words[end].lower == "and" and after & {"the", "a", "an", "their", "its", "overall"}:
        return True  # what follows is one more thing to tell, not one more thing to do
    return bool(after & {"also", "plus"}) or any(t.lower in REQUESTS - {"find", "get", "let", "what"} for t in before)

"""The wire form of a decision: what a model is asked to write, and how what it wrote is read.

One flat JSON object. The first of these that is there says what it is: `tasks` (a plan), `ask` (a question to the
person), `want` (the wish for a tool), `answer`. Fields that are not known are passed over; a field of the wrong type,
prose, and half an object are told back to the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from agent.approve import approve_of
from agent.errors import UnsoundPlan
from agent.task import Answer, Check, Decision, Plan, PlannedTask, Question, Share, Wish

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_TASK: Json = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "goal": _TEXT,
        "tool": _TEXT,
        "args": {"type": "object"},
        "each": {},
        "after": {"type": "array", "items": _TEXT},
        "check": {"type": "object"},
        "budget": {"type": "object"},
    },
    "required": ["id"],
}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


FULL = _object(tasks={"type": "array", "items": _TASK}, answer={}, ask=_TEXT, want={"type": "object"}, notes=_TEXT)
"""The schema of any decision."""

LOOK = _object(tasks={"type": "array", "items": {"type": "object"}}, answer={}, ask={}, notes={})
"""The same in few words, for a planner that looks at results: it is paid for at every look."""

ANSWER = _object(answer={}, ask=_TEXT)
"""At the depth limit: no plan."""

_KEYS = frozenset(("tasks", "ask", "want", "answer"))
_EXAMPLE = '{"answer": "…"} or {"tasks": [{"id": "a", "tool": "…", "args": {}}], "answer": "$a"}'


def parse(said: Any) -> Decision:
    """The decision in a model's text, or in the object that its server made of it.

    Raises UnsoundPlan, with words that a model can act on, and nothing else.
    """
    try:
        return _decision(_found(said) if isinstance(said, str) else _whole(said))
    except RecursionError:
        raise UnsoundPlan("the decision is nested too deep; make it flat") from None


def _whole(said: Any) -> Json:
    if not isinstance(said, dict) or not _KEYS & said.keys():
        raise UnsoundPlan(f"that is no decision; reply with one JSON object such as {_EXAMPLE}")
    return said


# -- finding the object in the text


def _found(text: str) -> Json:
    """The one object of a text that is a decision; fences, prose around it and thinking before it are passed over."""
    text = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL).strip()
    try:
        return _whole(_loads(text))
    except (ValueError, UnsoundPlan):
        found = [data for data in _objects(text) if _KEYS & data.keys()]
    if len(found) > 1 and any(data != found[0] for data in found):
        raise UnsoundPlan("there is more than one decision; reply with one JSON object and nothing else")
    if not found:
        raise UnsoundPlan(f"there is no decision in that; reply with one JSON object such as {_EXAMPLE}")
    return found[0]


def _objects(text: str) -> Iterator[Json]:
    """The outermost objects of a text, mended where that loses nothing."""
    start = text.find("{")
    while start >= 0:
        end = _closing(text, start)
        if end < 0:
            if re.search(rf'["\'](?:{"|".join(_KEYS)})["\']?\s*:', text[start:]):
                raise UnsoundPlan("the JSON object is cut off before its end; reply again, in fewer words, to the end")
            return
        data = _read(text[start:end])
        if isinstance(data, dict):
            yield data
        start = text.find("{", end)


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at `start` has closed; -1 where it never does."""
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|"', text[start:], re.DOTALL):
        if token[0] == '"':  # a text that does not end
            return -1
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0:
            return start + token.end()
    return -1


def _read(text: str) -> Any:
    """A closed object. One with slips is mended only if every letter and digit stays, and none is made up.

    Brackets that never close have been refused before: a plan that was cut off is not run by halves.
    """
    try:
        return _loads(text)
    except ValueError:
        data = _mended(text)
    if (
        isinstance(data, dict)
        and _KEYS & data.keys()
        and _letters(json.dumps(data, ensure_ascii=False)) != _letters(text)
    ):
        raise UnsoundPlan("that is no valid JSON, and what it means is not plain; reply again with valid JSON")
    return data


def _mended(text: str) -> Any:
    import json_repair

    try:
        return json.loads(json_repair.repair_json(text), parse_constant=_refuse)
    except RecursionError:
        raise
    except Exception:  # a mender for any text there is may fail in any way; then it is not mended
        return None


def _letters(text: str) -> str:
    """The letters and digits of a JSON text, however its characters are escaped."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    same = {"true": "true", "false": "false", "none": "null", "null": "null"}
    words = re.findall(r"\w+", re.sub(r"\\[bfnrt]", " ", plain))
    return "".join(same.get(word.lower(), word) for word in words)


def _loads(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> Json:
    """An object whose fields are there once: of two lists of tasks none may be lost."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a field is there twice")
    return data


# -- reading the object


def _decision(data: Json) -> Decision:
    _check_unicode(data)
    if data.get("tasks"):
        return _plan(data)
    if data.get("ask"):
        return Question(_text(data["ask"], "ask"))
    if isinstance(data.get("want"), dict) and data["want"].get("name"):
        return _wish(data["want"])
    if data.get("answer") in (None, ""):
        raise UnsoundPlan(f"the decision is empty; reply with one JSON object such as {_EXAMPLE}")
    return Answer(data["answer"])


def _check_unicode(data: Json) -> None:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except (UnicodeError, ValueError, TypeError):
        raise UnsoundPlan("the decision holds characters that are no valid text; leave them out") from None


def _plan(data: Json) -> Plan:
    if not isinstance(data["tasks"], list):
        raise UnsoundPlan(f"`tasks` must be a list of objects, not {_kind(data['tasks'])}")
    answer = data.get("answer")
    if not isinstance(answer, (str, type(None))):
        raise UnsoundPlan(f'`answer` of a plan must be text such as "$a", not {_kind(answer)}')
    tasks = [_task(task, n) for n, task in enumerate(data["tasks"])]
    return Plan(tasks, answer or None, _text(data.get("notes"), "notes"))


def _task(data: Any, n: int) -> PlannedTask:
    where = f"tasks[{n}]"
    if not isinstance(data, dict):
        raise UnsoundPlan(f'{where} must be an object with "id" and "tool" or "goal", not {_kind(data)}')
    task = PlannedTask(
        id=_text(data.get("id"), f"{where}.id"),
        goal=_text(data.get("goal"), f"{where}.goal"),
        tool=_text(data.get("tool"), f"{where}.tool"),
        args=_args(data.get("args"), f"{where}.args"),
        each=_each(data.get("each"), f"{where}.each"),
        after=_after(data.get("after"), f"{where}.after"),
        check=_check(data.get("check"), f"{where}.check"),
        budget=_budget(data.get("budget"), f"{where}.budget"),
        approve=_approve(data.get("approve"), f"{where}.approve"),
    )
    if not task.id:
        raise UnsoundPlan(f'{where} has no "id"; give it a short word such as "a"')
    if not task.tool and not task.goal.strip():
        raise UnsoundPlan(f"task {task.id} has neither a tool nor a goal")
    return task


def _text(value: Any, name: str) -> str:
    if not isinstance(value, (str, type(None))):
        raise UnsoundPlan(f"`{name}` must be text, not {_kind(value)}")
    return value or ""


def _args(value: Any, name: str) -> Json:
    if isinstance(value, str) and value.lstrip().startswith("{"):  # as tool calls write their arguments
        try:
            value = _loads(value)
        except ValueError:
            raise UnsoundPlan(f"`{name}` must be an object, and the text in its place is no JSON") from None
    if not isinstance(value, (dict, type(None))):
        raise UnsoundPlan(f"`{name}` must be an object of arguments by name, not {_kind(value)}")
    return value or {}


def _each(value: Any, name: str) -> Any:
    if value in (None, "", {}):
        return None
    if isinstance(value, list) or (isinstance(value, str) and value.startswith("$")):
        return value
    raise UnsoundPlan(f'`{name}` must be a reference to a list such as "$a", or a list, not {_kind(value)}')


def _after(value: Any, name: str) -> list[str]:
    value = [value] if isinstance(value, str) and value else value or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UnsoundPlan(f"`{name}` must be a list of task ids, not {_kind(value)}")
    return [item.removeprefix("$") for item in value]


def _check(value: Any, name: str) -> Check | None:
    if not value:
        return None
    if not isinstance(value, dict):
        raise UnsoundPlan(f'`{name}` must be an object such as {{"pattern": "…"}}, not {_kind(value)}')
    known = {field.name: value[field.name] for field in fields(Check) if value.get(field.name) not in (None, "")}
    if not isinstance(known.get("schema", {}), dict):
        raise UnsoundPlan(f"`{name}.schema` must be an object, not {_kind(known['schema'])}")
    for part in ("pattern", "file", "command", "judge"):
        _text(known.get(part), f"{name}.{part}")
    return Check(**known) if known else None


def _budget(value: Any, name: str) -> Share | None:
    if not value:
        return None
    if not isinstance(value, dict):
        raise UnsoundPlan(f'`{name}` must be an object such as {{"cost": 0.1}}, not {_kind(value)}')
    known = {field.name: value[field.name] for field in fields(Share) if value.get(field.name) is not None}
    for part, most in known.items():
        if not isinstance(most, (int, float)) or isinstance(most, bool) or not 0 < most < 1e12:
            raise UnsoundPlan(f"`{name}.{part}` must be a number above 0, not {_kind(most)}")
        if part not in ("cost", "seconds"):
            known[part] = max(1, int(most))
    return Share(**known) if known else None


def _approve(value: Any, name: str) -> str:
    text = _text(value, name)
    try:
        return approve_of(text) if text else ""
    except ValueError as error:
        raise UnsoundPlan(f"`{name}` must be one of {error}, not {text[:40]!r}") from None


def _wish(data: Json) -> Wish:
    name, signature, why = (_text(data.get(key), f"want.{key}") for key in ("name", "signature", "why"))
    return Wish(name, signature, why)


def _kind(value: Any) -> str:
    names = {bool: "a yes or no", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "null" if value is None else type(value).__name__)

"""Plans: whether one is sound, how its tasks depend on each other, and how references become values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from agent.check import flaw
from agent.errors import UnsoundPlan
from agent.task import Plan, PlannedTask, Task
from tools import schema
from tools.errors import ToolError
from tools.registry import Registry
from tools.schema import Mapped, as_text

REFERENCE = re.compile(r"\$(?:\$|([A-Za-z_][\w-]*)((?:\.\w[\w-]*|\[\d+\])*))")
_INLINE = 120  # characters of a value that a goal's text may take in; longer ones stay a name


def names(value: Any) -> set[str]:
    """The names that the strings of a JSON value refer to."""
    if isinstance(value, str):
        return {found[1] for found in REFERENCE.finditer(value) if found[1]}
    if isinstance(value, dict):
        value = list(value.values())
    return set().union(*map(names, value)) if isinstance(value, list) else set()


def needs(task: PlannedTask) -> set[str]:
    """The names that must have a value before a planned task can start."""
    own = names([task.goal, task.args]) - ({"item"} if task.each is not None else set())
    return own | names(task.each) | set(task.after)


def bind(value: Any, scope: Mapping[str, Any]) -> Any:
    """A JSON value with its references replaced; a string that is one reference takes the value with its type.

    Raises UnsoundPlan where a reference leads nowhere.
    """
    if isinstance(value, str):
        whole = REFERENCE.fullmatch(value)
        if whole and whole[1]:
            return look_up(whole, scope)
        return REFERENCE.sub(lambda found: as_text(look_up(found, scope)) if found[1] else "$", value)
    if isinstance(value, dict):
        return {key: bind(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [bind(item, scope) for item in value]
    return value


def bind_goal(goal: str, scope: Mapping[str, Any]) -> str:
    """A goal's text with its short references spelled out; long values stay a name, to be found in the inputs."""

    def spell(found: re.Match[str]) -> str:
        text = as_text(look_up(found, scope)) if found[1] else "$"
        return text if len(text) <= _INLINE else found[0]

    return REFERENCE.sub(spell, goal)


def look_up(reference: re.Match[str], scope: Mapping[str, Any]) -> Any:
    """The value that a match of REFERENCE stands for."""
    name = reference[1]
    if name not in scope:
        raise UnsoundPlan(f"the reference ${name} leads nowhere; there is {_listed(scope)}")
    value = scope[name]
    for key in steps(reference):
        value = _step(value, key, reference[0])
    return value


def steps(reference: re.Match[str]) -> list[str | int]:
    """What a match of REFERENCE says after the name: fields and indexes."""
    return [field or int(index) for field, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", reference[2])]


def _step(value: Any, key: str | int, whole: str) -> Any:
    if isinstance(value, list) and isinstance(key, str) and not key.isdigit():
        return Mapped([_step(item, key, whole) for item in value], getattr(value, "items_", ()))
    try:
        return value[int(key)] if isinstance(value, list) else value[str(key)]
    except (KeyError, IndexError, TypeError):
        have = ", ".join(map(str, value)) if isinstance(value, dict) else as_text(value)[:60]
        raise UnsoundPlan(f"the reference {whole} leads nowhere: there is no {key!r} in {have!r}") from None


def check(
    plan: Plan, task: Task, ancestors: Iterable[Task], known: Collection[str], tools: Registry, width: int
) -> None:
    """Raise UnsoundPlan, with the reason a planner can act on, where a plan cannot or must not be carried out.

    `known` are the names that a reference may use beside the plan's own ids.
    """
    if not plan.tasks:
        raise UnsoundPlan("the plan has no tasks; give an answer instead")
    if len(plan.tasks) > width:
        raise UnsoundPlan(f"the plan has {len(plan.tasks)} tasks, and {width} are allowed; use each, or group them")
    _check_ids(plan)
    above = [task, *ancestors]
    for planned in plan.tasks:
        _check_references(planned, {p.id for p in plan.tasks} | set(known))
        _check_call(planned, tools)
        if planned.check and (why := flaw(planned.check)):
            raise UnsoundPlan(f"task {planned.id} has a check that cannot be carried out: {why}")
        _check_new(planned, above, alone=len(plan.tasks) == 1)
    for name in names(plan.answer or ""):
        if name not in known and not any(planned.id == name for planned in plan.tasks):
            raise UnsoundPlan(f"the answer refers to ${name}, which is no task of the plan")
    _check_order(plan)


def _check_ids(plan: Plan) -> None:
    seen = set()
    for planned in plan.tasks:
        if not re.fullmatch(r"[A-Za-z_][\w-]*", planned.id) or planned.id == "item":
            raise UnsoundPlan(f"{planned.id!r} is no task id; use a short word such as step1")
        if planned.id in seen:
            raise UnsoundPlan(f"two tasks have the id {planned.id!r}")
        seen.add(planned.id)


def _check_references(planned: PlannedTask, known: set[str]) -> None:
    for name in sorted(needs(planned)):
        if name not in known:
            raise UnsoundPlan(f"task {planned.id} refers to ${name}, which is not there; there is {_listed(known)}")


def _check_call(planned: PlannedTask, tools: Registry) -> None:
    if not planned.tool:
        if not planned.goal.strip():
            raise UnsoundPlan(f"task {planned.id} has neither a goal nor a tool")
        return
    tool = tools.get(planned.tool)
    if tool is None:
        near = difflib.get_close_matches(planned.tool, [t.name for t in tools], 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; use one of the tools you were shown"
        raise UnsoundPlan(f"task {planned.id} calls {planned.tool!r}, which is no tool{hint}")
    try:
        tool.fit(planned.args | _unbound(planned, tool.params))
    except ToolError as error:
        raise UnsoundPlan(f"task {planned.id}: {error}") from None


def _unbound(planned: PlannedTask, params: Iterable[Any]) -> dict[str, Any]:
    """A value of the right type for each argument that waits for a reference."""
    waiting = {name for name, value in planned.args.items() if names(value)}
    return {p.name: sample(p.schema) for p in params if p.name in waiting} | {
        name: "" for name in waiting if name not in {p.name for p in params}
    }


def sample(wanted: schema.Schema) -> Any:
    """Some value that fits a schema."""
    if "anyOf" in wanted:
        return sample(wanted["anyOf"][0])
    if "enum" in wanted:
        return wanted["enum"][0]
    if wanted.get("format") == "date":
        return "2000-01-01"
    if wanted.get("type") == "object":
        return {name: sample(wanted["properties"].get(name, {})) for name in wanted.get("required", ())}
    return {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": []}.get(str(wanted.get("type")))


def _check_new(planned: PlannedTask, above: list[Task], alone: bool) -> None:
    """A task that repeats one it is part of would never end."""
    if planned.tool:
        for task in above:
            if task.tool == planned.tool and not names(planned.args) and task.inputs == planned.args:
                raise UnsoundPlan(f"task {planned.id} repeats the call {task.tool} that it is to stand in for")
        return
    same = [task for task in above if _plain(task.goal) == _plain(planned.goal)]
    if same and (alone or same[0].inputs == planned.args or not planned.args):
        whom = "its parent" if same[0] is above[0] else "an ancestor"
        raise UnsoundPlan(f"task {planned.id} restates {whom}; split it into smaller tasks, or call a tool")


def check_new(goal: str, inputs: dict[str, Any], above: Iterable[Task]) -> None:
    """Raise UnsoundPlan for a task that, now that its references are values, is one of those it is part of."""
    for task in above:
        if _plain(task.goal) == _plain(goal) and task.inputs == inputs:
            raise UnsoundPlan(f"the task {goal[:80]!r} is what {task.id} is to do already; it would never end")


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _check_order(plan: Plan) -> None:
    """Raise UnsoundPlan where tasks wait for each other in a circle."""
    waiting = {p.id: needs(p) & {q.id for q in plan.tasks} for p in plan.tasks}
    while waiting:
        ready = [id for id, wants in waiting.items() if not wants & waiting.keys()]
        if not ready:
            raise UnsoundPlan(f"the tasks {', '.join(waiting)} wait for each other in a circle")
        for id in ready:
            del waiting[id]


def _listed(known: Iterable[str]) -> str:
    return ", ".join(f"${name}" for name in sorted(known)) or "nothing to refer to"

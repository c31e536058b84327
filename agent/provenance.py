"""Where values come from. It is computed from the task tree, and never taken from what a model says of itself.

Each value of a task (its goal, each input, its result) has marks: one origin, or, where a structured value mixes them,
a list or a dict of marks in the value's own shape. What is made of several values has the least trusted of their
origins.

Three questions are asked of marks. Where may a destination come from: from anything but `outside`. What may have
steered whoever read it: words that are `listed` or `outside`; a number, a date or a yes holds no instruction. And
what does an answer rest on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from agent.config import PLANNERS
from agent.plan import REFERENCE, steps
from agent.task import PlannedTask, Task
from tools.registry import Registry, Tool
from tools.schema import as_text

if TYPE_CHECKING:
    from agent.tree import Tree

Origin = Literal["person", "program", "tool", "listed", "outside"]
"""The person's own words; made by this program, or by a planner that had read nothing but those; what a trusted tool
gave of its own (an id, a date, an amount); a name that others chose and a trusted tool lists; what anybody may have
written. From the most trusted to the least."""

Marks = Any  # Origin | list[Marks] | dict[str, Marks]
Scope = Mapping[str, Marks]

ORIGINS: tuple[Origin, ...] = ("person", "program", "tool", "listed", "outside")
STEERS = frozenset({"listed", "outside"})


def worst(*marks: Marks) -> Origin:
    """The least trusted origin among marks; those of nothing are the program's."""
    found, waiting = {"person"} if marks else {"program"}, list(marks)
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.add(one)
        else:
            waiting += one.values() if isinstance(one, dict) else one
    return max(found, key=ORIGINS.index)  # type: ignore[arg-type]


def at(marks: Marks, key: str | int) -> Marks:
    """The marks of one part of a value; those of all of it where the parts are not told apart."""
    if isinstance(marks, dict) and key in marks:
        return marks[str(key)]
    if isinstance(marks, list):
        if isinstance(key, str) and not key.isdigit():
            return packed([at(one, key) for one in marks])
        if int(key) < len(marks):
            return marks[int(key)]
    return worst(marks)


def packed(marks: Marks) -> Marks:
    """Marks that are all the same, as one."""
    parts = list(marks.values()) if isinstance(marks, dict) else marks
    same = isinstance(parts[0] if parts else "", str) and all(one == parts[0] for one in parts)
    return (parts[0] if parts else "program") if same else marks


def has_words(value: Any, marks: Marks, of: Iterable[str]) -> bool:
    """Whether a value holds words of one of these origins: text with a letter in it."""
    if isinstance(marks, str) and marks not in of:
        return False
    if isinstance(value, str):
        return worst(marks) in of and any(character.isalpha() for character in value)
    if isinstance(value, dict):  # marks in its shape were made by whoever knows its keys
        keys = any(has_words(key, marks, of) for key in value) if isinstance(marks, str) else False
        return keys or any(has_words(one, at(marks, key), of) for key, one in value.items())
    return isinstance(value, list) and any(has_words(one, at(marks, n), of) for n, one in enumerate(value))


# -- what the loop makes of values


def bound(template: Any, scope: Scope, literal: Marks = "program") -> Marks:
    """The marks of what `plan.bind` makes of a template: a reference's are those of what it leads to."""
    if isinstance(template, dict):
        return packed({key: bound(one, scope, literal) for key, one in template.items()})
    if isinstance(template, list):
        return packed([bound(one, scope, literal) for one in template])
    if not isinstance(template, str):
        return literal
    found = [match for match in REFERENCE.finditer(template) if match[1]]
    if len(found) == 1 and found[0][0] == template:
        return _look_up(found[0], scope)
    return worst(literal, *(_look_up(match, scope) for match in found))


def _look_up(reference: Any, scope: Scope) -> Marks:
    marks = scope.get(reference[1], "outside")
    for key in steps(reference):
        marks = at(marks, key)
    return marks


def scope_of(tree: Tree, task: Task) -> dict[str, Marks]:
    """The marks of all that the plans of a task may refer to: its inputs, and the results of the tasks below it."""
    below = [tree.tasks[id] for id in task.children]
    return dict(task.origins) | {one.id.rsplit(".", 1)[-1]: one.gave for one in below if one.status == "done"}


def of_inputs(planned: PlannedTask, inputs: Mapping[str, Any], scope: Scope, by: str, said: str) -> dict[str, Marks]:
    """The marks of a bound task's inputs. What its plan wrote out is the plan's, or, word for word, the person's."""
    marks = {}
    for name in inputs:
        written = planned.args.get(name)
        literal = "person" if by != "outside" and _is_said(written, said) else by
        marks[name] = bound(written, scope, literal) if name in planned.args else scope.get(name, "outside")
    return marks


def _is_said(value: Any, said: str) -> bool:
    text = as_text(value)
    if not text or text not in said:
        return False  # before a pattern is compiled for it
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", said) is not None


def of_goal(planned: PlannedTask, values: Mapping[str, Any], scope: Scope, by: str) -> str:
    """The origin of a bound task's goal. It is others' where its text takes in words of theirs; a call has no text."""
    names = {match[1] for match in REFERENCE.finditer(planned.goal) if match[1]} if not planned.tool else ()
    theirs = any(has_words(values.get(name), scope.get(name, "outside"), STEERS) for name in names)
    return "outside" if theirs else by


def of_each(planned: PlannedTask, wanted: Iterable[str], scope: Scope, by: str) -> dict[str, Marks]:
    """The marks of what a task mapped over a list holds: what its template may refer to, and the list."""
    return {"scope": {name: scope[name] for name in wanted}, "items": bound(planned.each, scope, by)}


def of_items(task: Task) -> str:
    """The origin of the tasks of a mapped task: outside text may fill one, and may not say how many there are."""
    many = len(task.items or ()) > 1 and worst(task.origins.get("items", "program")) == "outside"
    return "outside" if many else task.origin


def around(tree: Tree, child: Task) -> Scope:
    """The marks of all that a task may be bound to."""
    parent = tree.tasks[child.parent or ""]
    if parent.items is None:
        return scope_of(tree, parent)
    place = int(child.id[len(parent.id) + 1 : -1])
    return dict(parent.origins["scope"]) | {"item": at(parent.origins["items"], place)}


def of_call(tool: Tool, value: Any, given: Origin) -> Marks:
    """The marks of what a tool gave, by what it says of itself; `given` is the worst origin of its arguments.

    What is computed is of its arguments' origin, what is read is anybody's, unless the tool declares which part of it
    is. What a read gives of its own was still chosen by what it was asked.
    """
    about = tool.about
    if tool.kind == "mcp":
        return "outside"
    if tool.effect == "none" or (tool.effect == "write" and about.outside is None and about.names is None):
        return worst("program", given)
    if about.outside is None and about.names is None:
        return "outside"
    own = worst("tool", given) if tool.effect == "read" else "tool"
    fields = dict.fromkeys(about.names or (), worst("listed", own)) | dict.fromkeys(about.outside or (), "outside")
    return fields.get("*") or _by_field(value, fields, own)


def _by_field(value: Any, fields: Mapping[str, Origin], own: Origin) -> Marks:
    if isinstance(value, dict):
        return packed({key: fields.get(key) or _by_field(one, fields, own) for key, one in value.items()})
    return packed([_by_field(one, fields, own) for one in value]) if isinstance(value, list) else own


# -- what is made of a task


def steered(tree: Tree, task: Task, number: int, tools: Registry) -> bool:
    """Whether the words of others may have steered what attempt `number` decided.

    A planner has read a task's goal, its inputs, what the tasks below it gave or said when they failed, and what
    came of earlier attempts. The embedded planner is code, and chooses by the goal alone.
    """
    if task.origin in STEERS:
        return True
    worker = next((one.worker for one in task.attempts if one.number == number), "")
    if worker == "embedded":
        return False
    if has_words(task.inputs, task.origins, STEERS):
        return True
    if task.tool and worst("program", *around(tree, task).values()) in STEERS:
        return True  # it takes over a call that failed, and is told of it in whatever words the plan gave it
    if 0 < task.heard < number:
        return True
    if number > 1 and task.check and (task.check.command or (task.check.file and task.check.pattern)):
        return True  # such a check quotes what it found
    tried = (_called(task, worker, tools) for worker in {one.worker for one in task.attempts if one.number < number})
    return any(tool is not None and of_error(tool, task) in STEERS for tool in tried)


def _called(task: Task, worker: str, tools: Registry) -> Tool | None:
    """The tool that made an attempt; None where a planner did, also one whose name a tool has."""
    return tools.get(worker) if worker == task.tool or worker not in PLANNERS else None


def of_error(tool: Tool, task: Task) -> Origin:
    """The origin of what a tool says when it fails: it may quote whatever it read."""
    tool = tool.for_call(task.inputs)
    return worst(of_call(tool, "", worst(*task.origins.values(), task.origin)), *task.origins.values())


def of_outcome(tree: Tree, task: Task, value: Any, done: bool, tools: Registry) -> Marks:
    """The marks of what came of a task."""
    below = [tree.tasks[id] for id in task.children]
    if task.items is not None:
        return packed([one.gave for one in below])
    last = task.attempts[-1] if task.attempts else None
    if not done or last is None:
        return _of_failure(tree, task, tools)
    tool = _called(task, last.worker, tools)
    if tool is not None:
        given = worst(*task.origins.values()) if task.tool else worst(task.origin, *task.origins.values())
        return of_call(tool.for_call(task.inputs), value, given)
    by: Origin = "outside" if steered(tree, task, last.number, tools) else "program"
    if last.decision and last.decision["kind"] == "plan":
        return bound(last.decision["answer"], scope_of(tree, task), by)
    return by


def _of_failure(tree: Tree, task: Task, tools: Registry) -> Origin:
    """A failure's reason, and a partial result, may hold anything that was read on the way."""
    parent = tree.tasks.get(task.parent or "")
    around = scope_of(tree, parent).values() if parent and not task.attempts else ()
    tried = (_called(task, one.worker, tools) for one in task.attempts)
    errors = (of_error(tool, task) for tool in tried if tool is not None)
    below = (tree.tasks[id].gave for id in task.children)
    return worst("program", task.origin, *task.origins.values(), *around, *errors, *below)


def sources(tree: Tree) -> list[Task]:
    """The calls by which words of others came into a tree."""
    calls = (one for one in tree.tasks.values() if one.tool and one.items is None)
    fresh = (one for one in calls if worst("program", *one.origins.values()) != "outside")
    return [one for one in fresh if worst(one.gave) == "outside"]

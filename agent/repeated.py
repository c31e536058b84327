"""Repeated work in the record: tasks that were done again and again with other inputs, as examples to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agent.archive import Archive
from agent.errors import NotFound, StorageError, UsageError
from agent.task import Task
from agent.tree import Tree

ALL = "all"
Pair = tuple[dict[str, str], str]


def examples(archive: Archive, runs: Sequence[str], wanted: str) -> tuple[str, list[Pair]]:
    """The task that was repeated most in these runs, or the one `wanted`, and its inputs and results.

    Only results whose acceptance check passed count. Raises NotFound where there is none, UsageError where several
    tasks were repeated and none is named.
    """
    found = repeated(_trees(archive, runs))
    chosen = [name for name in found if wanted.lower() in name.lower()]
    if not chosen:
        what = f"no repeated task with {wanted!r} in it" if wanted else "no task that was repeated and passed its check"
        there = f"; there is: {_listed(found)}" if found else "; see what there is with: zooid runs"
        raise NotFound(f"the runs have {what}{there}")
    if len(chosen) > 1:
        raise UsageError(f"several tasks were repeated; name one with --task: {_listed({n: found[n] for n in chosen})}")
    return chosen[0], found[chosen[0]]


def repeated(trees: Iterable[Tree]) -> dict[str, list[Pair]]:
    """For each task that was repeated, the inputs and results of those that are verified; the commonest first."""
    found: dict[str, list[Pair]] = {}
    for tree in trees:
        for task in tree.tasks.values():
            inputs = {name: str(value) for name, value in task.inputs.items() if _is_text(value)}
            if task.verified and task.items is None and not task.children and inputs and _is_text(task.result):
                found.setdefault(_what(tree, task), []).append((inputs, str(task.result)))
    several = {name: _same_inputs(pairs) for name, pairs in found.items()}
    kept = {name: pairs for name, pairs in several.items() if len({str(inputs) for inputs, _ in pairs}) > 1}
    return dict(sorted(kept.items(), key=lambda one: (-len(one[1]), one[0])))


def _what(tree: Tree, task: Task) -> str:
    """What a task is called whatever its inputs are: its tool, or the goal as it was before an item was put in."""
    parent = tree.tasks.get(task.parent or "")
    if task.tool:
        return task.tool
    mapped = parent.inputs.get("each") if parent and parent.items is not None else None
    return str(mapped["goal"]) if isinstance(mapped, dict) else task.goal


def _same_inputs(pairs: list[Pair]) -> list[Pair]:
    """The inputs that all rows have and that are not always the same."""
    names = [name for name in pairs[0][0] if all(name in inputs for inputs, _ in pairs)]
    names = [name for name in names if len({inputs[name] for inputs, _ in pairs}) > 1]
    return [({name: inputs[name] for name in names}, output) for inputs, output in pairs] if names else []


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and bool(str(value).strip())


def _listed(found: dict[str, list[Pair]]) -> str:
    return "; ".join(f"{name[:60]!r} ({len(pairs)} times)" for name, pairs in list(found.items())[:6])


def _trees(archive: Archive, runs: Sequence[str]) -> Iterable[Tree]:
    everything = ALL in runs
    for name in archive.ids() if everything else runs:
        try:
            opened, tree = archive.open(name)
        except (NotFound, StorageError):
            if everything:  # one that cannot be read takes nothing from the others
                continue
            raise
        opened.close()
        yield tree

"""Repeated work in the record, as examples: what counts as the same task, and what of it counts at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent import events as ev
from agent.errors import NotFound, UsageError
from agent.repeated import examples, repeated
from agent.store import Folder, Store
from agent.task import Task
from agent.tree import Tree


def tree(*tasks: Task) -> Tree:
    found = Tree("run")
    found.tasks = {task.id: task for task in tasks}
    return found


def task(number: int, goal: str, inputs: dict[str, Any], result: Any, **more: Any) -> Task:
    return Task(f"t{number}", goal, inputs=inputs, result=result, **{"verified": True, "status": "done", **more})


def test_calls_of_a_tool_are_told_apart_by_what_differs() -> None:
    rows = [task(n, "", {"text": f"mail {n}", "style": "short"}, f"topic {n}", tool="topic_of") for n in range(3)]
    assert repeated([tree(*rows)]) == {"topic_of": [({"text": f"mail {n}"}, f"topic {n}") for n in range(3)]}


def test_the_items_of_a_mapped_task_have_its_goal() -> None:
    mapped = Task("m", "topics", items=["a", "b"], inputs={"each": {"goal": "the topic of $item"}, "scope": {}})
    rows = [task(n, f"the topic of {x}", {"item": x}, x.upper(), parent="m") for n, x in enumerate("ab")]
    assert repeated([tree(mapped, *rows)]) == {"the topic of $item": [({"item": "a"}, "A"), ({"item": "b"}, "B")]}


def test_the_same_goal_in_several_runs_counts() -> None:
    runs = [tree(task(0, "which topic is this?", {"input": text}, "x")) for text in ("one", "two")]
    assert [len(pairs) for pairs in repeated(runs).values()] == [2]


@pytest.mark.parametrize(
    "odd",
    [
        {"verified": False},
        {"result": None},
        {"result": ["a", "list"]},
        {"inputs": {}},
        {"inputs": {"text": ""}},
        {"children": ["t9"]},
    ],
)
def test_what_was_not_checked_or_is_no_text_does_not_count(odd: dict[str, Any]) -> None:
    one, two = (task(n, "same goal", {"text": f"mail {n}"}, "x") for n in (1, 2))
    for name, value in odd.items():
        setattr(two, name, value)
    assert repeated([tree(one, two)]) == {}


def test_the_commonest_comes_first() -> None:
    rows = [task(n, "few", {"text": str(n)}, "x") for n in range(2)]
    rows += [task(n, "many", {"text": str(n)}, "x") for n in range(10, 14)]
    assert list(repeated([tree(*rows)])) == ["many", "few"]


def kept(folder: Path, goal: str, *inputs: str, tool: str = "shout") -> str:
    """A run on disk in which a goal's children were done by a tool."""
    store = Store.create(folder)
    store.append(ev.RunStarted("root", goal, {}, str(folder), {}), 1.0)
    store.append(ev.TaskPlanned("root", None, goal), 1.0)
    for number, text in enumerate(inputs):
        id = f"root.{number}"
        store.append(ev.TaskPlanned(id, "root", "call", tool, 1), 1.0)
        store.append(ev.TaskBound(id, tool, {"text": text}), 1.0)
        store.append(ev.TaskEnded(id, "done", text.upper(), True, tool), 1.0)
    store.commit()
    store.close()
    return store.run


def test_runs_are_read_from_their_files(tmp_path: Path) -> None:
    one, two = kept(tmp_path, "first", "a", "b"), kept(tmp_path, "second", "c")
    pairs = [({"text": text}, text.upper()) for text in "ab"]
    assert examples(Folder(tmp_path), [one], "") == ("shout", pairs)
    name, found = examples(Folder(tmp_path), ["all"], "SHOUT")
    assert name == "shout" and sorted(output for _, output in found) == ["A", "B", "C"]
    with pytest.raises(NotFound, match="no task that was repeated"):
        examples(Folder(tmp_path), [two], "")


def test_a_damaged_run_takes_nothing_from_the_others(tmp_path: Path) -> None:
    kept(tmp_path, "first", "a", "b")
    (tmp_path / "zzzz.db").write_bytes(b"no database")
    assert len(examples(Folder(tmp_path), ["all"], "")[1]) == 2


def test_of_several_one_must_be_named(tmp_path: Path) -> None:
    run = kept(tmp_path, "first", "a", "b")
    with pytest.raises(NotFound, match="no repeated task with 'whisper' in it; there is: 'shout' .2 times"):
        examples(Folder(tmp_path), [run], "whisper")
    kept(tmp_path, "second", "c", "d", tool="whisper")
    with pytest.raises(UsageError, match="name one with --task: 'shout' .2 times.; 'whisper' .2 times"):
        examples(Folder(tmp_path), ["all"], "")

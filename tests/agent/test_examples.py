"""Examples: read from files, taken from the record, kept and forgotten."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from agent.errors import StorageError, UsageError
from agent.examples import PERSON, RECORD, Examples, Known, from_record, read_examples
from agent.task import Attempt, Check, Task
from agent.tree import Tree


def test_examples_are_read_from_jsonl_and_csv(tmp_path: Path) -> None:
    rows = [("put it off, please", "later"), ("naïve?", None)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": t, "intent": i}) + "\n" for t, i in rows))
    (tmp_path / "a.csv").write_text('text,intent\n"put it off, please",later\nnaïve?,\n', encoding="utf-8")
    assert read_examples(tmp_path / "a.jsonl") == read_examples(tmp_path / "a.csv") == rows


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"text,intent\n"),
        ("a.csv", b"words,label\nhello,a\n"),
        ("a.csv", b"text,intent\n\xff\xfe,a\n"),
        ("a.jsonl", b"{"),
        ("a.jsonl", b"[" * 100_000),
        ("a.jsonl", b'["text"]\n'),
        ("a.jsonl", b'{"text": 3, "intent": "a"}\n'),
        ("a.jsonl", b'{"text": "x", "intent": 4}\n'),
    ],
)
def test_files_that_hold_no_examples_are_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        read_examples(tmp_path / name)
    with pytest.raises(UsageError, match="missing"):
        read_examples(tmp_path / "missing.csv")


# -- the record


def tree_of(*tasks: Task, run: str = "r") -> Tree:
    tree = Tree(run)
    tree.tasks = {task.id: task for task in tasks}
    return tree


def called(id: str, verdict: str, verified: bool, goal: str = "count the words", tool: str = "count_words") -> Task:
    return Task(id, goal, tool=tool, verified=verified, attempts=[Attempt(1, "code", verdict, ended=True)])


def planned_by(worker: str, *calls: dict[str, Any], answer: str = "$a", check: Check | None = None) -> Task:
    decision = {"kind": "plan", "tasks": list(calls), "answer": answer, "notes": ""}
    attempt = Attempt(1, worker, "verified", decision, ended=True)
    return Task("root", "how many words has a.txt", verified=True, check=check, attempts=[attempt])


def one_call(id: str = "a", each: Any = None, **args: Any) -> dict[str, Any]:
    return {"id": id, "goal": "", "tool": "count_words", "args": args, "each": each, "after": [], "check": None}


def test_only_what_passed_its_check_is_learnt_from() -> None:
    tree = tree_of(
        called("good", "verified", True),
        called("unchecked", "unverified", False),
        called("failed", "failed: 3 is not 4", False),
        called("wordless", "verified", True, "count_words(text='a')"),
    )
    assert list(from_record([tree])) == [Known("count the words", "count_words", RECORD, runs=("r",))]


def test_a_plan_of_one_call_gives_the_call_and_one_of_several_gives_that_no_tool_does_it() -> None:
    found = [*from_record([tree_of(planned_by("openai", one_call(text="a.txt")))])]
    assert found == [Known("how many words has a.txt", "count_words", RECORD, {"text": "a.txt"}, ("r",))]
    for plan in (
        planned_by("openai", one_call(), one_call("b")),
        planned_by("openai", one_call(), answer="about $a"),
        planned_by("openai", one_call(each="$files")),
    ):
        assert [one.intent for one in from_record([tree_of(plan)])] == [""]


def test_what_code_planned_is_no_evidence_unless_a_check_says_so() -> None:
    assert not [*from_record([tree_of(planned_by("embedded", one_call()))])]
    assert [*from_record([tree_of(planned_by("embedded", one_call(), check=Check(equals=4)))])]
    root, child = planned_by("embedded", one_call()), called("root.a", "verified", True)
    child.parent = "root"
    assert not [*from_record([tree_of(root, child)])]


# -- on disk


def test_examples_are_kept_once_and_forgotten(tmp_path: Path) -> None:
    kept = Examples(tmp_path / "deep" / "examples.jsonl")
    assert kept.read() == []
    assert kept.add([Known("Count  it", "a"), Known("count it", "a"), Known("naïve", "b"), Known("no", "")]) == 3
    assert kept.add([Known("count it", "a")]) == 0
    assert kept.forget("a") == 1 and kept.forget("a") == 0
    assert [one.text for one in kept.read()] == ["naïve", "no"]
    assert kept.path.parent.stat().st_mode & 0o077 == 0


def test_the_runs_of_an_example_add_up_until_it_means_another_call(tmp_path: Path) -> None:
    kept = Examples(tmp_path / "e.jsonl")

    def seen(run: str, **args: Any) -> tuple[str, ...]:
        kept.add([Known("how much", "a", RECORD, args, (run,))])
        return kept.read()[0].runs

    assert [seen("1", n=3), seen("1", n=3), seen("2", n=3), seen("3", n=4)] == [("1",), ("1",), ("1", "2"), ("3",)]


def test_of_the_record_only_the_newest_are_kept(tmp_path: Path) -> None:
    kept = Examples(tmp_path / "e.jsonl")
    kept.add([Known("mine", "a", PERSON)] + [Known(f"text {n}", "a", RECORD) for n in range(250)])
    texts = [one.text for one in kept.read()]
    assert texts[0] == "mine" and texts[1] == "text 50" and texts[-1] == "text 249"


def test_a_damaged_line_costs_that_line_alone(tmp_path: Path) -> None:
    kept = Examples(tmp_path / "e.jsonl")
    kept.add([Known("one", "a"), Known("two", "b")])
    lines = kept.path.read_text().splitlines()
    kept.path.write_text("\n".join([lines[0][:20], '{"text": 3}', "[]", "[" * 5000, lines[1]]) + "\n")
    assert [one.text for one in kept.read()] == ["two"]
    kept.path.write_bytes(b"\xff\xfe\n" + lines[1].encode())
    assert [one.text for one in kept.read()] == ["two"]
    kept.path.unlink()
    kept.path.mkdir()
    with pytest.raises(StorageError, match="move that file away"):
        kept.read()


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    def write(n: int) -> None:
        for k in range(10):
            Examples(tmp_path / "e.jsonl").add([Known(f"text {n} {k}", "a")])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Examples(tmp_path / "e.jsonl").read()) == 40


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be kept"):
        Examples(tmp_path / "file" / "e.jsonl").add([Known("one", "a")])

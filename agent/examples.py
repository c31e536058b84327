"""What requests meant: examples that a person gave or that the record holds, kept one a line in the state folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import StorageError, UsageError
from tools import redact

if TYPE_CHECKING:
    from agent.task import Task
    from agent.tree import Tree

PERSON, RECORD = "person", "record"
_MOST = 200  # examples of one intent that are kept from the record, the newest; a person's are all kept
_RUNS = 3  # that are kept of an example
_CODE = "embedded"  # what the planner that is code decided is no evidence: it decides the same again


@dataclass(frozen=True, slots=True)
class Known:
    """A text and the tool that answered it; an empty intent says that no single tool does."""

    text: str
    intent: str
    source: str = PERSON
    args: dict[str, Any] | None = None  # as the call was planned, where one call did all of it
    runs: tuple[str, ...] = ()  # some of the runs in which it passed


# -- from a file


def read_examples(path: Path) -> list[tuple[str, str | None]]:
    """The rows of a .jsonl or .csv file with the fields `text` and `intent`; an empty intent means that none fits.

    Raises UsageError, which names the line, where the file is not such a file.
    """
    import csv
    import io

    try:
        content = path.read_text(encoding="utf-8-sig")
        rows = _json_rows(content) if path.suffix == ".jsonl" else list(csv.DictReader(io.StringIO(content)))
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as examples: {error}") from error
    examples: list[tuple[str, str | None]] = []
    for number, row in enumerate(rows, 1):
        text, intent = (row.get("text"), row.get("intent")) if isinstance(row, Mapping) else (None, None)
        if not isinstance(text, str) or not text.strip() or not isinstance(intent, str | None):
            raise UsageError(f"{path}, row {number}: give `text` and `intent`, both of them text")
        examples.append((text, intent or None))
    if not examples:
        raise UsageError(f"{path} has no rows; give a row an example, with the fields `text` and `intent`")
    return examples


def _json_rows(content: str) -> list[Any]:
    return [json.loads(line) for line in content.splitlines() if line.strip()]


# -- from the record


def from_record(trees: Iterable[Tree]) -> Iterator[Known]:
    """What tasks asked for and the tool that did it, for those of runs whose result is verified.

    A task that a plan of one call answered gives the call; one that took several gives that no single tool does it.
    """
    for tree in trees:
        for task in tree.tasks.values():
            passed = any(attempt.verdict == "verified" for attempt in task.attempts)
            if not (task.goal.strip() and task.verified and passed) or task.items is not None:
                continue
            if task.tool:
                if not task.goal.startswith(f"{task.tool}(") and not _by_code(tree.tasks.get(task.parent or "")):
                    yield Known(task.goal, task.tool, RECORD, runs=(tree.run,))
            elif not _by_code(task):
                yield _planned(task, tree.run)


def _by_code(task: Task | None) -> bool:
    """Whether a task was planned by code, and nothing but that plan's own success speaks for it."""
    return task is not None and task.check is None and bool(task.attempts) and task.attempts[-1].worker == _CODE


def _planned(task: Task, run: str) -> Known:
    decisions = [attempt.decision for attempt in task.attempts if attempt.verdict == "verified" and attempt.decision]
    plan = decisions[-1] if decisions else {}
    tasks = plan.get("tasks") or []
    single = len(tasks) == 1 and plan.get("answer") == f"${tasks[0]['id']}"
    if not single or not tasks[0]["tool"] or tasks[0]["each"] is not None:
        return Known(task.goal, "", RECORD, runs=(run,))
    return Known(task.goal, tasks[0]["tool"], RECORD, tasks[0]["args"], (run,))


# -- where they are kept


class Examples:
    """A file of examples. Reading one that is not there gives none; writers take turns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Known]:
        """All of them, in the order in which they came; a line that cannot be read is left out."""
        try:
            lines = self.path.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"the examples in {self.path} cannot be read ({error}); move that file away") from error
        return [found for line in lines if (found := _read(line))]

    def add(self, more: Sequence[Known]) -> int:
        """Keep more of them; how many were new. Raises StorageError where they cannot be written."""
        if not more:
            return 0
        with self._alone():
            there = {_key(one): one for one in self.read()}
            before, count = dict(there), len(there)
            for one in more:
                there[_key(one)] = _with_runs(one, there.get(_key(one)))
            if there != before:
                self._write(_newest(list(there.values())))
        return len(there) - count

    def forget(self, intent: str) -> int:
        """Drop all examples of an intent; how many there were."""
        with self._alone():
            there = self.read()
            left = [one for one in there if one.intent != intent]
            if len(left) < len(there):
                self._write(left)
        return len(there) - len(left)

    def _write(self, known: Sequence[Known]) -> None:
        from tools.workspace import write_atomically

        text = "".join(json.dumps(asdict(one), ensure_ascii=False, default=str) + "\n" for one in known)
        try:
            write_atomically(self.path, redact.text(text).encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise StorageError(f"the examples cannot be kept in {self.path}: {error.strerror}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"the examples cannot be kept in {self.path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _key(one: Known) -> tuple[str, str, str]:
    return " ".join(one.text.split()).casefold(), one.intent, one.source


def _with_runs(one: Known, before: Known | None) -> Known:
    """An example as it is known now; where it passed with other arguments, what passed before no longer counts."""
    if before is None or before.args != one.args:
        return one
    return replace(one, runs=tuple(dict.fromkeys([*before.runs, *one.runs]))[-_RUNS:])


def _newest(known: Sequence[Known]) -> list[Known]:
    """The examples without the oldest of an intent of which the record has given too many."""
    left, kept = dict.fromkeys({one.intent for one in known}, _MOST), []
    for one in reversed(known):
        left[one.intent] -= one.source == RECORD
        if one.source != RECORD or left[one.intent] >= 0:
            kept.append(one)
    return kept[::-1]


def _read(line: str) -> Known | None:
    try:
        row = json.loads(line)
        known = Known(row["text"], row["intent"], row["source"], row.get("args"), tuple(map(str, row.get("runs", ()))))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = all(isinstance(text, str) for text in (known.text, known.intent, known.source))
    return known if texts and isinstance(known.args, dict | None) else None

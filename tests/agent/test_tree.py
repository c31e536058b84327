"""The tree is what its events add up to, live or read back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import events as ev
from agent.store import Store
from agent.task import ROOT, Usage
from agent.tree import Tree, labels_of
from tests.agent.test_run import same
from tools.schema import Mapped, as_text


def grown(*events: ev.Event) -> Tree:
    tree = Tree("x")
    for n, event in enumerate(events):
        tree.apply(event, float(n))
    return tree


START = (ev.RunStarted(ROOT, "g", {"i": 1}, "/w", {"s": 2}), ev.TaskPlanned(ROOT, None, "g"))


def test_a_run_begins_ends_and_goes_on() -> None:
    tree = grown(*START, ev.AttemptStarted(ROOT, 1, "m"), ev.RunEnded(ROOT, "stopped", "no key", 77))
    assert (tree.goal, tree.status, tree.exit_code, tree.ended) == ("g", "stopped", 77, 3.0)
    tree.apply(ev.RunResumed(ROOT, {"s": 3}), 9.0)
    assert (tree.status, tree.ended, tree.settings, tree.tasks[ROOT].status) == ("running", None, {"s": 3}, "pending")


def test_usage_adds_up_over_attempts_judges_and_the_tree_below() -> None:
    tree = grown(
        *START,
        ev.AttemptStarted(ROOT, 1, "m"),
        ev.AttemptDecided(ROOT, 1, "m", {}, Usage(1, 10, 2, 0.5, 0.25)),
        ev.AttemptEnded(ROOT, 1, "failed: no", Usage(1, 5, 1, 0.5, 0.25)),  # of the model that judged it
        ev.TaskPlanned("root.a", ROOT, "a", depth=1),
        ev.AttemptEnded("root.a", 1, "failed: no", Usage(3, 1, 1, 1.0, None)),
    )
    assert tree.usage() == Usage(5, 16, 4, 2.0, None)
    assert tree.tasks[ROOT].usage.cost == 0.5


def test_what_is_asked_is_no_longer_asked_once_it_is_answered() -> None:
    tree = grown(*START, ev.Asked(ROOT, "question", "Which?", "c1"), ev.Asked(ROOT, "approval", "May I?", "c2"))
    assert len(tree.asked) == 2
    tree.apply(ev.Answered(ROOT, "question", "this", "c1"), 9)
    assert [asked.call for asked in tree.asked.values()] == ["c2"] and tree.answers[ROOT, "c1"].text == "this"


def test_ancestors_come_nearest_first() -> None:
    tree = grown(*START, ev.TaskPlanned("root.a", ROOT, "a"), ev.TaskPlanned("root.a.b", "root.a", "b"))
    assert [task.id for task in tree.ancestors(tree.tasks["root.a.b"])] == ["root.a", ROOT]


def test_mapped_results_keep_their_labels_through_every_level(tmp_path: Path) -> None:
    inner = Mapped([1, 2], ["p", "q"])
    events: list[ev.Event] = [
        *START,
        ev.TaskPlanned("root.m", ROOT, "m"),
        ev.TaskBound("root.m", "m", {}, ["x"], ["X"]),
    ]
    events += [
        ev.TaskPlanned("root.m[0]", "root.m", "i"),
        ev.TaskEnded("root.m[0]", "done", inner, labels=labels_of(inner)),
    ]
    outer = Mapped([inner], ["X"])
    events += [ev.TaskEnded("root.m", "done", outer), ev.TaskEnded(ROOT, "done", outer, labels=labels_of(outer))]
    live, read = folded(tmp_path, events)
    same(live, read)
    assert as_text(read.tasks["root.m"].result) == "X:\n  p: 1\n  q: 2"


# -- any log

TEXT = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\udc80\udcff\0\x1b$"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
# two halves of a character that stand side by side are one character when they are read back
PLAIN = JSON.filter(lambda value: "\\ud8" not in repr(value) and "\\ud9" not in repr(value))
PLAIN = PLAIN.filter(lambda value: "\\uda" not in repr(value) and "\\udb" not in repr(value))
USAGE = st.builds(Usage, st.integers(0, 9), st.integers(0, 99), cost=st.none() | st.floats(0, 9))


def own(task: str) -> st.SearchStrategy[ev.Event]:
    """Any event of one task."""
    number, text = st.integers(1, 3), PLAIN.map(str)
    given_ = st.dictionaries(text, PLAIN, max_size=2)
    return st.one_of(
        st.builds(ev.TaskBound, st.just(task), text, given_, st.none() | st.lists(PLAIN, max_size=3)),
        st.builds(ev.AttemptStarted, st.just(task), number, text, call=text),
        st.builds(ev.AttemptDecided, st.just(task), number, text, given_, USAGE),
        st.builds(ev.AttemptEnded, st.just(task), number, text, st.none() | USAGE),
        st.builds(ev.TaskEnded, st.just(task), st.sampled_from(["done", "failed", "partial"]), PLAIN),
        st.builds(ev.Asked, st.just(task), st.just("question"), text, text),
        st.builds(ev.Answered, st.just(task), st.just("question"), text, text),
        st.builds(ev.Note, st.just(task), text),
        st.builds(ev.RunResumed, st.just(ROOT), given_),
        st.builds(ev.RunEnded, st.just(ROOT), text),
    )


@st.composite
def logs(draw: Any) -> list[ev.Event]:
    """A run, a few tasks below it, and things that happen to them."""
    ids, log = [ROOT], list[ev.Event](START)
    for _ in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from(ids))
        if draw(st.booleans()):
            ids.append(f"{parent}.t{len(ids)}")
            log.append(ev.TaskPlanned(ids[-1], parent, draw(PLAIN.map(str))))
        else:
            log.append(draw(own(parent)))
    return log


def folded(folder: Path, events: list[ev.Event]) -> tuple[Tree, Tree]:
    """The tree as it grew, and as it is read back."""
    store = Store.create(folder)
    live = Tree(store.run)
    for n, event in enumerate(events):
        store.append(event, n / 7)
        live.apply(event, n / 7)
        if n % 3 == 0:
            store.commit()
    store.commit()
    store.close()
    again, read = Store.open(folder, store.run)
    again.close()
    return live, read


@given(logs())
@settings(max_examples=30, deadline=None)
def test_any_log_reads_back_as_the_tree_it_was(log: list[ev.Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        same(*folded(Path(folder), log))

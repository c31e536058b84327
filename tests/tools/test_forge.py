"""The forge: of what was tried the best is taken, in its smallest packing; what was made is not made again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.errors import ToolError
from tools.forge import forge as forges
from tools.forge.candidate import Candidate, Job, Made, Progress, Tell, Unfit
from tools.forge.examples import gather, split
from tools.forge.forge import COMMONEST, Counted, Forge, Forged, Skipped, Told, Training
from tools.forge.linear import Linear
from tools.forge.spec import Spec
from tools.forge.trial import Tried
from tools.micro import load

PAIRS = [
    ({"text": f"{word} number {n}"}, label)
    for n in range(40)
    for words, label in (("red crimson scarlet ruby", "warm"), ("blue azure navy teal", "cold"))
    for word in words.split()
]


class Trained:
    """A linear model under another name, in several packings of which `spoilt` ones answer worse."""

    def __init__(self, name: str, packings: int = 1, spoilt: int = 0) -> None:
        self.name, self.packings, self.spoilt, self.times = name, packings, spoilt, 0

    def make(self, job: Job, folder: Path, tell: Tell) -> list[Made]:
        self.times += 1
        tell(Progress(1, 2, 0.5, 1.0))
        made = Linear().make(job, folder / "first", tell)[0]
        found = []
        for number in range(self.packings):
            place = folder / f"p{number}"
            if number >= self.packings - self.spoilt:
                other = dict(zip(job.labels, job.labels[::-1], strict=True))
                wrong = [replace(row, output=other[row.output]) for row in (*job.train, *job.valid)]
                parts = {"train": wrong[: len(job.train)], "valid": wrong[len(job.train) :]}
                worse = Linear().make(replace(job, **parts), folder / f"spoilt{number}", tell)[0]
                shutil.copytree(worse.folder, place)
            else:
                shutil.copytree(made.folder, place)
            (place / "padding").write_bytes(b"x" * (90_000 - 10_000 * number))
            found.append(replace(made, folder=place))
        return found


class Hopeless:
    name = "hopeless"

    def make(self, job: Job, folder: Path, tell: Tell) -> list[Made]:
        raise Unfit("rows like these are nothing for it")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def run(
    monkeypatch: pytest.MonkeyPatch,
    work: Path,
    candidates: list[Candidate],
    told: list[Told] | None = None,
    **more: Any,
) -> Forged:
    monkeypatch.setattr(forges.Forge, "_candidates", lambda self, job: (candidates, []))
    examples = gather("colours", PAIRS)
    spec = Spec("colour", **more)
    return Forge(spec, examples, split(examples), work, (told if told is not None else []).append).run()


def test_the_smallest_packing_that_is_as_exact_is_taken(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    best = run(monkeypatch, work, [Trained("linear", packings=3)]).best
    assert best.made and best.made.folder.name == "p2"
    worse = run(monkeypatch, work / "b", [Trained("linear", packings=3, spoilt=1)]).best
    assert worse.made and worse.made.folder.name == "p1"


def test_of_equals_the_first_is_taken_and_all_figures_are_told(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    told: list[Told] = []
    forged = run(monkeypatch, work, [Hopeless(), Trained("one"), Trained("two")], told)
    assert forged.best.name == "one" and set(forged.test) == {"one", "two", COMMONEST}
    kinds = [type(one) for one in told]
    assert kinds[0] is Counted and kinds.count(Skipped) == 1 and kinds.count(Tried) == 2 and Training in kinds
    assert forged.figure.value == 100.0 and forged.test[COMMONEST].value < 80


def test_what_was_made_before_a_kill_is_not_made_again(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    first, second = Trained("first"), Trained("second")

    class Killed(Exception):
        pass

    def killed(*_: Any) -> list[Made]:
        raise Killed

    monkeypatch.setattr(second, "make", killed)
    with pytest.raises(Killed):
        run(monkeypatch, work, [first, second])
    again = Trained("second")
    run(monkeypatch, work, [first, again])
    assert (first.times, again.times) == (1, 1)


def test_the_folder_that_comes_out_is_a_micro_model_with_its_figures(
    monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    forged = run(monkeypatch, work, [Trained("one"), Trained("two")], inputs={"text": "a colour"}, licence="CC0")
    assert forged.best.made and not forged.refused
    model = load(forged.best.made.folder)
    assert (model.name, model.kind, model.form) == ("colour", "classify", "linear")
    assert model.accuracy.model.value == forged.figure.value and model.accuracy.baseline.name == COMMONEST
    assert [figure.name for figure in model.accuracy.also] == ["two"]
    assert model.provenance.data[0].licence == "CC0" and model.inputs[0].doc == "a colour"
    assert {one.output for one in model.examples} == {"warm", "cold"}


def test_what_nothing_can_be_made_of_is_said(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    with pytest.raises(ToolError, match="no candidate could be made"):
        run(monkeypatch, work, [Hopeless()])


def test_the_bar_and_always_the_same_are_to_be_passed(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    assert "below the bar" not in run(monkeypatch, work, [Trained("one")], bar=100.0).refused
    monkeypatch.setattr(forges, "_commonest", lambda job, rows: [row.output for row in rows])
    assert "no better than 100.0 %" in run(monkeypatch, work / "b", [Trained("one")]).refused

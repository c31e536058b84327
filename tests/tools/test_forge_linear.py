"""Linear models: they learn what n-grams tell, say how sure they are, and a damaged file is a named error."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forged import model_of
from tools.errors import ModelFileError
from tools.forge.candidate import Job, Progress, Row, Unfit
from tools.forge.linear import Linear, expected, scripts_for
from tools.micro import linear
from tools.micro.manifest import Input, Label, MicroModel

NAMES = "anna bert carl dora emil frida gustav hanna ivan julia karl lena".split()
GOOD = "a fine bright lovely warm splendid tale that moved me".split()
BAD = "a dull grim awful cold tedious mess that bored me".split()


def job(kind: Any, train: list[Row], valid: list[Row], work: Path, **given: Any) -> Job:
    labels = tuple(dict.fromkeys(row.output for row in train)) if kind == "classify" else ()
    inputs = tuple(train[0].inputs) if train else ("text",)
    plain = {"metric": "accuracy", "seed": 1, "seconds": 60.0, "work": work, "name": "thing", "kind": kind}
    return Job(**{**plain, "inputs": inputs, "labels": labels, "train": train, "valid": valid, **given})


def quiet(progress: Progress) -> None:
    assert 0 < progress.step <= progress.steps and progress.left >= 0


def made(job: Job, folder: Path) -> tuple[MicroModel, Any]:
    model = model_of(job, Linear().make(job, folder, quiet)[0])
    return model, linear.read(model)


def share(reader: Any, rows: list[Row]) -> float:
    answers = reader.answers([row.inputs for row in rows])
    return sum(row.right(answer[0]) for row, answer in zip(rows, answers, strict=True)) / len(rows)


def tones(count: int, seed: int) -> list[Row]:
    chance = random.Random(seed)
    kinds = [("good", GOOD), ("bad", BAD)]
    return [Row({"text": " ".join(chance.choices(w, k=6))}, name) for _ in range(count // 2) for name, w in kinds]


def plurals(count: int, seed: int) -> list[Row]:
    """Two tags and five endings; what to do depends on the word's end and on the tag."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        stem = "".join(chance.choices("bcdfglmnprt", k=2)) + chance.choice("aeiou") + chance.choice("bdgmnpt")
        end, plural = chance.choice([("y", "ies"), ("x", "xes"), ("", "s"), ("man", "men")])
        if chance.random() < 0.5:
            rows.append(Row({"word": stem + end, "tag": "N;PL"}, stem + plural))
        else:
            rows.append(Row({"word": stem, "tag": "V;PST"}, stem + stem[-1] + "ed"))
    return rows


def letters(count: int, seed: int) -> list[Row]:
    """Letters with an address and a date; which of the two to take is asked for."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        mail = f"{chance.choice(NAMES)}.{chance.choice(NAMES)}@{chance.choice(['zoo', 'sea'])}.org"
        date = f"{chance.randint(1, 28)}.{chance.randint(1, 12)}.{chance.randint(2000, 2030)}"
        text = chance.choice(["Write to {m} before {d}.", "On {d} {m} sent 7 boxes", "mail ({m}) of {d}, 12 chairs"])
        what = chance.choice(["mail", "date"])
        rows.append(Row({"text": text.format(m=mail, d=date), "what": what}, {"mail": mail, "date": date}[what]))
    return rows


KINDS: dict[str, Any] = {"classify": tones, "generate": plurals, "extract": letters}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Job, MicroModel, Any]]:
    """A small model of each kind."""
    folder, found = tmp_path_factory.mktemp("linear"), {}
    for kind, rows in KINDS.items():
        one = job(kind, rows(160, 0), rows(40, 1), folder)
        found[kind] = (one, *made(one, folder / kind))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(kind: str, taught: dict[str, Any]) -> None:
    assert share(taught[kind][2], KINDS[kind](100, 2)) >= 0.95


def test_a_classifier_gives_the_chance_of_each_label(taught: dict[str, Any]) -> None:
    _, model, reader = taught["classify"]
    names = [label.text for label in model.labels]
    for text, name in (("a lovely warm tale", "good"), ("a grim tedious mess", "bad")):
        answer, sure, shares = reader.answers([{"text": text}])[0]
        assert answer == name and sum(shares) == pytest.approx(1) and sure == shares[names.index(name)] > 0.9
    assert reader.answers([{"text": "zzz"}])[0][1] < 0.9


def test_many_labels_and_inputs(tmp_path: Path) -> None:
    chance = random.Random(0)
    words = {"de": "der die und nicht ein".split(), "fr": "le la est pas un".split(), "es": "el los y una que".split()}

    def rows(count: int) -> list[Row]:
        drawn = [(chance.choice(list(words)), chance.choice(list(words))) for _ in range(count)]
        return [
            Row({"a": " ".join(chance.choices(words[a], k=4)), "b": " ".join(chance.choices(words[b], k=4))}, a)
            for a, b in drawn
        ]

    one = job("classify", rows(200), rows(40), tmp_path)
    assert share(made(one, tmp_path / "made")[1], rows(100)) >= 0.97


def test_macro_f1_is_chosen_by_where_it_is_asked_for(tmp_path: Path) -> None:
    train = tones(160, 0)[:100] + [row for row in tones(100, 3) if row.output == "bad"]
    one = job("classify", train, tones(20, 1), tmp_path, metric="macro_f1")
    assert share(made(one, tmp_path / "made")[1], tones(100, 2)) >= 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_file_and_it_holds_no_text(
    kind: str, taught: dict[str, Any], tmp_path: Path
) -> None:
    one, model, _ = taught[kind]
    again, _ = made(one, tmp_path)
    assert again.path.read_bytes() == model.path.read_bytes()
    for word in ("tedious", "splendid", "gustav", "boxes"):
        assert word.encode() not in model.path.read_bytes()


def test_a_smaller_packing_comes_beside_a_large_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.forge.linear.SMALL", 4000)
    one = job("classify", tones(160, 0), tones(40, 1), tmp_path)
    large, small = Linear().make(one, tmp_path / "made", quiet)
    assert (small.folder / "model.npz").stat().st_size < 6500 < (large.folder / "model.npz").stat().st_size
    assert share(linear.read(model_of(one, small)), tones(100, 2)) >= 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", " ", "?", "\ud800", "\U0001f642" * 3, "x" * 1_100_000, "word " * 30_000])
def test_any_text_gets_an_answer(kind: str, text: str, taught: dict[str, Any]) -> None:
    one, _, reader = taught[kind]
    answer, sure, _ = reader.answers([dict.fromkeys(one.inputs, text)])[0]
    assert isinstance(answer, str) and 0 <= sure <= 1.0001


def test_only_scripts_that_apply_are_chosen(taught: dict[str, Any]) -> None:
    """The ending -y is not there to be taken away, whatever the weights say."""
    reader = taught["generate"][2]
    place = reader.scripts.index((("end", "y", "ies"),))
    bias = np.zeros(len(reader.scripts), np.float32)
    bias[place] = 1000
    sure = replace(reader, weights=replace(reader.weights, bias=bias))
    asked = [{"word": word, "tag": "N;PL"} for word in ("body", "rib")]
    assert [answer[0] for answer in sure.answers(asked)] == ["bodies", "ribs"]
    assert replace(reader, scripts=((("end", "qq", ""),),)).answers(asked)[0] == ("body", 0.0, ())


PAIRS = [
    ("city", "cities"), ("foot", "feet"), ("policeman", "policemen"), ("stop", "stopped"), ("laufen", "gelauft"),
    ("mother-in-law", "mothers-in-law"), ("same", "same"), ("a", "b"), ("", "s"), ("x", ""), ("untie", "tie"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "output"), PAIRS)
def test_every_script_makes_the_output(text: str, output: str) -> None:
    scripts = list(scripts_for(text, output))
    assert scripts and all(linear.applied(script, text) == output for script in scripts)


def test_scripts_carry_over_to_other_words() -> None:
    def carried(text: str, output: str, other: str) -> set[str | None]:
        return {linear.applied(script, other) for script in scripts_for(text, output)}

    assert "geese" in carried("foot", "feet", "goose")
    assert "begged" in carried("stop", "stopped", "beg")
    assert "sons-in-law" in carried("mother-in-law", "mothers-in-law", "son-in-law")
    assert "gespielt" in carried("kaufen", "gekauft", "spielen")


def stretches(scores: Any) -> dict[tuple[int, int], float]:
    """The log of each stretch's weight, one by one."""
    return {
        (first, last): float(scores[first, 0] + scores[first : last + 1, 1].sum() + scores[last, 2])
        for first, last in itertools.combinations_with_replacement(range(len(scores)), 2)
    }


def test_stretches_are_weighed_as_one_by_one() -> None:
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(0, 2, (seed % 7 + 1, 3))
        each = stretches(scores)
        total = float(np.logaddexp.reduce(list(each.values())))
        first, last, log = linear.best_stretch(scores)
        assert (first, last) == max(each, key=each.__getitem__)
        assert log == pytest.approx(each[first, last] - total)
        shares, loss = expected(scores, 0, len(scores) - 1)
        assert loss == pytest.approx(total - each[0, len(scores) - 1])
        wanted = np.zeros_like(scores)
        for (begin, end), weight in each.items():
            chance = np.exp(weight - total)
            wanted[begin, 0] += chance
            wanted[begin : end + 1, 1] += chance
            wanted[end, 2] += chance
        assert shares == pytest.approx(wanted)


UNFIT: list[tuple[Any, list[Row], str]] = [
    ("classify", tones(4, 0), "at least 8 rows"),
    ("classify", [Row({"text": f"text {n}"}, "same") for n in range(20)], "same answer"),
    ("generate", [Row({"text": f"{n}"}, f"{7**n:x}" * 9) for n in range(10, 30)], "like their inputs"),
    ("extract", [Row({"text": f"text {n}"}, f"other {n}") for n in range(20)], "copied from the input"),
]


@pytest.mark.parametrize(("kind", "rows", "why"), UNFIT)
def test_rows_that_are_nothing_for_it_are_refused(kind: Any, rows: list[Row], why: str, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=why):
        Linear().make(job(kind, rows, rows[:2], tmp_path), tmp_path / "made", quiet)
    assert not (tmp_path / "made").exists()


def spoilt(model: MicroModel, folder: Path, data: bytes) -> MicroModel:
    (folder / "model.npz").write_bytes(data)
    return replace(model, folder=folder)


def test_a_damaged_file_is_a_named_error(taught: dict[str, Any], tmp_path: Path) -> None:
    model = taught["classify"][1]
    data, chance = model.path.read_bytes(), random.Random(0)
    for size in (0, 1, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(ModelFileError, match=r"model\.npz.*forge thing again"):
            linear.read(spoilt(model, tmp_path, data[:size]))
    for _ in range(300):
        place = chance.choice(
            [chance.randrange(len(data)), chance.randrange(400), len(data) - chance.randrange(1, 400)]
        )
        flipped = bytearray(data)
        flipped[place] ^= 1 << chance.randrange(8)
        try:
            linear.read(spoilt(model, tmp_path, bytes(flipped)))
        except ModelFileError as error:
            assert "model.npz" in str(error) and "again" in str(error)


def test_a_file_of_another_model_is_a_named_error(taught: dict[str, Any], tmp_path: Path) -> None:
    model, other = taught["classify"][1], taught["generate"][1]
    for wrong in (
        replace(model, labels=(Label("x"), Label("y"))),
        replace(model, inputs=(Input("other", "str", "other"),)),
        spoilt(model, tmp_path, other.path.read_bytes()),
    ):
        with pytest.raises(ModelFileError, match="forge thing again"):
            linear.read(wrong)


@pytest.mark.parametrize("name", ["version", "order", "numbers", "shapes", "pickle"])
def test_what_a_file_holds_is_checked(name: str, taught: dict[str, Any], tmp_path: Path) -> None:
    model = taught["classify"][1]
    with np.load(model.path) as kept:
        arrays = dict(kept)
    if name == "version":
        about = json.loads(arrays["about"].tobytes()) | {"version": 99}
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    elif name == "order":
        arrays["hashes"] = arrays["hashes"][::-1]
    elif name == "numbers":
        arrays["table"][0] = np.nan
    elif name == "shapes":
        arrays["table"] = arrays["table"][:-1]
    else:
        arrays["bias"] = np.array([print], object)
    np.savez(tmp_path / "model.npz", allow_pickle=True, **arrays)
    with pytest.raises(ModelFileError, match=r"model\.npz.*forge thing again"):
        linear.read(replace(model, folder=tmp_path))


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, tools.forge.linear; print([n for n in ('torch', 'sklearn', 'scipy') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"

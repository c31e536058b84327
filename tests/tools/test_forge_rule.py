"""Rules: they are found in examples, written so that a person can read them, and a damaged file is a named error."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.forged import model_of
from tools.errors import ModelFileError
from tools.forge.candidate import Job, Progress, Row, Unfit
from tools.forge.rule import Rule
from tools.micro import rule
from tools.micro.manifest import MicroModel

NAMES = "Anna Bert Carl Dora Emil Frida Gustav Hanna Ivan Julia Karl Lena".split()
PAIRS = [(a, b) for a in NAMES for b in NAMES if a != b]


def job(kind: Any, rows: list[Row], work: Path) -> Job:
    """Of every ten rows seven are for training, one for validation; the last two are for the test."""
    train, valid = [r for n, r in enumerate(rows) if n % 10 < 7], [r for n, r in enumerate(rows) if n % 10 == 7]
    labels = tuple(dict.fromkeys(row.output for row in train)) if kind == "classify" else ()
    return Job("thing", kind, tuple(rows[0].inputs), labels, train, valid, "accuracy", 1, 60.0, work)


def quiet(progress: Progress) -> None:
    assert 0 < progress.step <= progress.steps


def made(kind: Any, rows: list[Row], folder: Path) -> tuple[MicroModel, rule.Rules]:
    one = job(kind, rows, folder)
    model = model_of(one, Rule().make(one, folder / "made", quiet)[0])
    return model, rule.read(model)


def share(rules: rule.Rules, rows: list[Row]) -> float:
    """The share of right answers on the rows that nothing was learnt from."""
    test = [row for n, row in enumerate(rows) if n % 10 > 7]
    answers = rules.answers([row.inputs for row in test])
    return sum(row.right(answer[0]) for row, answer in zip(test, answers, strict=True)) / len(test)


def mixed(rows: list[Row]) -> list[Row]:
    return random.Random(0).sample(rows, len(rows))


def slug(text: str) -> str:
    return "-".join(re.findall(r"\w+", text.lower()))


PROGRAMS: dict[str, list[Row]] = {
    "upper": [Row({"text": f"{a} {b}"}, f"{a} {b}".upper()) for a, b in PAIRS],
    "swap": [Row({"text": f"{a}, {b}"}, f"{b} {a}") for a, b in PAIRS],
    "slug": [Row({"text": f"{a} & {b}'s!"}, slug(f"{a} & {b}'s!")) for a, b in PAIRS],
    "initials": [Row({"text": f"{a} {b}"}, (a[0] + b[0]).lower()) for a, b in PAIRS],
    "digits": [Row({"text": f"AB-{n:05d}-X"}, str(n)) for n in range(7, 900, 7)],
    "decimal": [Row({"text": f"{n},50 EUR"}, f"{n}.50") for n in range(7, 900, 7)],
    "domain": [Row({"text": f"{a}@{b}.org".lower()}, f"{b}.org".lower()) for a, b in PAIRS],
    "address": [Row({"first": a, "last": b}, f"{a}.{b}@zoo.org".lower()) for a, b in PAIRS],
    "count": [Row({"text": " ".join([a] * (n % 9 + 1))}, str(n % 9 + 1)) for n, (a, _) in enumerate(PAIRS)],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_found(name: str, tmp_path: Path) -> None:
    model, rules = made("generate", mixed(PROGRAMS[name]), tmp_path)
    assert isinstance(rules, rule.Program) and 1 <= len(json.loads(model.path.read_text())["steps"]) <= 3
    assert share(rules, mixed(PROGRAMS[name])) == 1


def inflected(count: int) -> list[Row]:
    chance = random.Random(0)
    rows = []
    for _ in range(count):
        stem = "".join(chance.choices("bcdfglmnprt", k=3))
        end, plural, past = chance.choice([("oy", "oys", "oyed"), ("by", "bies", "bied"), ("x", "xes", "xed")])
        tag, new = chance.choice([("N;PL", plural), ("V;PST", past)])
        rows.append(Row({"tag": tag, "word": stem + end}, stem + new))
    return rows


def test_endings_are_found_for_each_tag(tmp_path: Path) -> None:
    _, rules = made("generate", inflected(300), tmp_path)
    assert isinstance(rules, rule.Endings) and share(rules, inflected(300)) == 1
    answer, sure, _ = rules.answers([{"tag": "N;PL", "word": "unheardby"}])[0]
    assert answer == "unheardbies" and sure > 0.8


def letters(what: str) -> list[Row]:
    chance, rows = random.Random(1), []
    for a, b in PAIRS:
        mail, number = f"{a}@{b}.org".lower(), str(chance.randint(2, 9999))
        date = f"{chance.randint(1, 28)}.{chance.randint(1, 12)}.2026"
        asked = chance.choice(["mail", "date", "name", "number"]) if what == "asked" else what
        text = chance.choice(
            [f"Write to: {a} at {mail} until {date}, order {number}", f"On {date} order {number} is to: {a} ({mail})"]
        )
        given = {"text": text} | ({"asked": asked} if what == "asked" else {})
        rows.append(Row(given, {"mail": mail, "date": date, "name": a, "number": number}[asked]))
    return mixed(rows)


@pytest.mark.parametrize("what", ["mail", "date", "name", "number", "asked"])
def test_patterns_are_found(what: str, tmp_path: Path) -> None:
    _, rules = made("extract", letters(what), tmp_path)
    assert isinstance(rules, rule.Patterns) and share(rules, letters(what)) == 1
    assert rules.answers([dict.fromkeys(letters(what)[0].inputs, "nothing is here")])[0][1] < 1


def messages() -> list[Row]:
    chance, rows = random.Random(0), []
    plain = "see you at home tonight dear friend call me later ok bye".split()
    for n in range(300):
        words = chance.choices(plain, k=6)
        if n % 3 == 0:
            words.insert(chance.randrange(6), chance.choice(["you won", "free prize", "claim"]))
        rows.append(Row({"text": " ".join(words)}, "spam" if n % 3 == 0 else "fine"))
    return mixed(rows)


def test_a_decision_list_is_short_and_says_why(tmp_path: Path) -> None:
    model, rules = made("classify", messages(), tmp_path)
    lines = json.loads(model.path.read_text())["lines"]
    assert share(rules, messages()) == 1 and 3 <= len(lines) <= 5
    assert any("claim" in line["has"] or line["has"].strip() in "claim" for line in lines)
    names = [label.text for label in model.labels]
    answer, sure, shares = rules.answers([{"text": "claim it"}])[0]
    assert answer == "spam" and sure == shares[names.index("spam")] > 0.9 and sum(shares) == pytest.approx(1, abs=1e-3)


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for kind, rows in (("classify", messages()), ("generate", inflected(100)), ("extract", letters("asked"))):
        first, second = (made(kind, rows, tmp_path / kind / name)[0].path.read_bytes() for name in "ab")
        assert first == second


UNFIT: list[tuple[Any, list[Row], str]] = [
    ("classify", [Row({"text": f"text {n}"}, "same") for n in range(20)], "same answer"),
    ("generate", [Row({"text": "a"}, "b")], "at least 2 rows"),
    ("extract", [Row({"text": f"text {n}"}, f"other {n}") for n in range(20)], "copied from it"),
]


@pytest.mark.parametrize(("kind", "rows", "why"), UNFIT)
def test_rows_that_are_nothing_for_it_are_refused(kind: Any, rows: list[Row], why: str, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=why):
        made(kind, rows, tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("text", ["", "?", "\ud800", "a" * 200_000, "1 " * 100_000, "@" * 100_000, "a@" * 50_000])
def test_any_text_gets_an_answer_soon(text: str, tmp_path: Path) -> None:
    started = time.process_time()
    for kind, rows in (("classify", messages()), ("generate", inflected(100)), ("extract", letters("mail"))):
        rules = made(kind, rows, tmp_path / kind)[1]
        started = time.process_time()
        assert isinstance(rules.answers([dict.fromkeys(rows[0].inputs, text)])[0][0], str)
        assert time.process_time() - started < 2


@pytest.mark.parametrize("looks", [*rule.NAMED, (("a", 0), ("-", 1), ("0", 0)), (("0", 0), (".", 1)) * 12])
def test_no_pattern_takes_forever(looks: Any) -> None:
    for before, after in (("", ""), ("to", "!"), ("^", "$")):
        rules = rule.Patterns("text", (), (rule.Pattern(looks, before, after, True, "*", 0.5),))
        for text in ("a" * 100_000, "a." * 50_000, "1." * 50_000, "to a " * 20_000, "A1-" * 30_000, "12 " * 30_000):
            started = time.process_time()
            rules.answers([{"text": text}])
            assert time.process_time() - started < 2, (looks, before, after, text[:6])


def changed(model: MicroModel, folder: Path, **parts: Any) -> MicroModel:
    about = json.loads(model.path.read_text(encoding="utf-8")) | parts
    (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")
    return replace(model, folder=folder)


PATTERN = {"looks": "date", "before": "", "after": "", "last": False, "when": "", "share": 0.5}
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("classify", {"version": 99}),
    ("classify", {"kind": "generate"}),
    ("classify", {"inputs": ["other"]}),
    ("classify", {"otherwise": {"spam": 7}}),
    ("classify", {"lines": [{"input": "text", "by": "smell", "has": "a", "chances": {}}]}),
    ("classify", {"lines": 3}),
    ("generate", {"steps": [["system", "ls"]], "template": "{word}", "share": 1}),
    ("generate", {"steps": [["part", ","]], "template": "{word}", "share": 1}),
    ("generate", {"steps": [], "template": "{other}", "share": 1}),
    ("generate", {"endings": [["a"]]}),
    ("extract", {"patterns": [PATTERN | {"looks": "(a+)+"}]}),
    ("extract", {"patterns": [PATTERN | {"looks": [["0", 0], ["0", 0]]}]}),
    ("extract", {"patterns": [PATTERN | {"share": "high"}]}),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MicroModel]:
    folder = tmp_path_factory.mktemp("rule")
    rows = {"classify": messages(), "generate": inflected(100), "extract": letters("mail")}
    return {kind: made(kind, rows[kind], folder / kind)[0] for kind in rows}


@pytest.mark.parametrize(("kind", "parts"), WRONG)
def test_what_a_file_holds_is_checked(
    kind: str, parts: dict[str, Any], models: dict[str, MicroModel], tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=r"model\.json.*forge thing again"):
        rule.read(changed(models[kind], tmp_path, **parts))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_a_named_error(data: bytes, models: dict[str, MicroModel], tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(data)
    with pytest.raises(ModelFileError, match=r"model\.json.*forge thing again"):
        rule.read(replace(models["classify"], folder=tmp_path))

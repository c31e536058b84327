"""Examples for the forge: what is read, what is counted, parts that never leak or move, and every kind of bad file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.forge.candidate import Row
from tools.forge.examples import Examples, ExamplesError, gather, kind_of, part_of, read, split
from tools.forge.score import score


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def many(count: int, outputs: int = 2) -> list[tuple[dict[str, str], str]]:
    return [({"text": f"row number {n}"}, f"label {n % outputs}") for n in range(count)]


# -- reading


def test_csv_tsv_and_jsonl_say_the_same(tmp_path: Path) -> None:
    rows = [({"text": "one, two"}, "a"), ({"text": 'with "quotes"'}, "b")]
    csv = write(tmp_path / "e.csv", 'input,output\n"one,  two",a\n"with ""quotes""",b\n')
    tsv = write(tmp_path / "e.tsv", 'input\toutput\none, two\ta\n"with ""quotes"""\tb\n')
    lines = "\n".join(json.dumps({"input": inputs["text"], "output": output}) for inputs, output in rows)
    assert read(csv) == read(tsv) == read(write(tmp_path / "e.jsonl", lines)) == rows


def test_every_other_column_is_an_input_and_the_label_may_be_called_so(tmp_path: Path) -> None:
    csv = write(tmp_path / "e.csv", "\ufefflemma,The Tags,label\nwalk,V;PST,walked\n")
    assert read(csv) == [({"lemma": "walk", "the_tags": "V;PST"}, "walked")]
    nested = write(tmp_path / "e.jsonl", '{"input": {"lemma": "walk", "n": 3}, "output": 7}\n\n')
    assert read(nested) == [({"lemma": "walk", "n": "3"}, "7")]


def test_an_input_without_a_name_gets_the_one_that_is_asked_for(tmp_path: Path) -> None:
    assert read(write(tmp_path / "e.csv", "input,output\nox,oxen\n"), "word") == [({"word": "ox"}, "oxen")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("e.csv", "", "has no rows"),
        ("e.csv", "input,output\n", "has no rows"),
        ("e.txt", "input,output\na,b\n", "is none of .csv"),
        ("e.csv", "one,two\na,b\n", "name the columns"),
        ("e.csv", "output\nb\n", "name the columns"),
        ("e.csv", "input,output\na\n", "line 2, has fewer fields"),
        ("e.csv", "input,output\na,b,c\n", "line 2, has more fields"),
        ("e.csv", "input,output\na,b\n ,b\n", "line 3: `input` is empty"),
        ("e.csv", b"input,output\na,b\ncaf\xe9,b\n", "line 3, is not UTF-8"),
        ("e.jsonl", '{"input": "a", "output": "b"}\n{"input": ', "line 2: is no JSON"),
        ("e.jsonl", "[1, 2]\n", "line 1: is no object"),
        ("e.jsonl", '{"input": "a", "output": null}\n', "`output` is no text"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(ExamplesError, match=said) as error:
        read(write(tmp_path / name, content))
    assert str(tmp_path / name) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match="cannot be read: No such file"):
        read(tmp_path / "none.csv")


# -- gathering


def test_repetitions_count_once_and_contradictions_are_counted() -> None:
    pairs = [({"text": "a"}, "x"), ({"text": "a"}, "x"), ({"text": "a"}, "y"), ({"text": "b"}, "y")]
    found = gather("rows", pairs, "classify")
    assert (found.read, found.repeated, found.contradictory) == (4, 1, 1)
    assert found.rows == (Row({"text": "a"}, "x"), Row({"text": "b"}, "y"))
    written = gather("rows", pairs, "generate")
    assert written.rows[0] == Row({"text": "a"}, "x", ("y",))
    assert written.rows[0].right("y") and not found.rows[0].right("y")


def test_rows_with_other_inputs_are_refused() -> None:
    with pytest.raises(ExamplesError, match="row 2: has other inputs"):
        gather("rows", [({"a": "1"}, "x"), ({"b": "1"}, "x")])


def test_the_kind_is_seen_in_the_rows() -> None:
    assert kind_of(many(40)) == "classify"
    assert kind_of([({"text": f"order {n} please"}, str(n)) for n in range(40)]) == "extract"
    assert kind_of([({"text": f"w{n}"}, f"w{n}s") for n in range(40)]) == "generate"


def test_the_digest_is_that_of_the_rows() -> None:
    one, two = gather("rows", many(30)), gather("other name", many(30))
    assert one.digest == two.digest != gather("rows", many(31)).digest


# -- splitting


def test_parts_do_not_share_an_input_and_do_not_move_when_rows_come() -> None:
    few, more = split(gather("rows", many(500))), split(gather("rows", many(900)))
    parts = [{row.inputs["text"] for row in part} for part in (few.train, few.valid, few.test)]
    assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts)) == 500
    assert {row.inputs["text"] for row in more.test} >= parts[2]
    assert 25 <= len(few.test) <= 80


def test_a_group_stays_together() -> None:
    pairs = [({"lemma": f"w{n}", "tags": tag}, f"w{n}{tag}") for n in range(200) for tag in ("a", "b", "c")]
    parts = split(gather("rows", pairs, "generate"), "lemma")
    lemmas = [{row.inputs["lemma"] for row in part} for part in (parts.train, parts.valid, parts.test)]
    assert not lemmas[0] & lemmas[1] and not lemmas[0] & lemmas[2] and not lemmas[1] & lemmas[2]
    with pytest.raises(ExamplesError, match="no input 'stem'.*lemma, tags"):
        split(gather("rows", pairs, "generate"), "stem")


def test_rows_of_a_given_test_that_stand_in_the_examples_are_left_out() -> None:
    test = gather("test", [({"text": "Row number 3"}, "label 1"), ({"text": "a new one"}, "label 0")])
    parts = split(gather("rows", many(300)), test=test)
    assert parts.shared == 1 and [row.inputs["text"] for row in parts.test] == ["a new one"]
    assert len(parts.train) + len(parts.valid) == 300


def test_a_label_that_validation_never_sees_is_told() -> None:
    rare = next(f"rare {n}" for n in range(100) if part_of(f"rare {n}") == "train")
    parts = split(gather("rows", [*many(300), ({"text": rare}, "rare")], "classify"))
    assert parts.unseen == ("rare",)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (many(1), "has 1 different input; it takes"),
        (many(5) * 20, "has 5 different inputs"),
        (many(60, outputs=1), "all 60 rows have the output 'label 0'"),
    ],
)
def test_too_little_to_learn_from_is_refused(pairs: list[tuple[dict[str, str], str]], said: str) -> None:
    with pytest.raises(ExamplesError, match=said):
        split(gather("rows", pairs))


@given(st.text(max_size=30))
def test_a_part_is_always_one_of_three(text: str) -> None:
    assert part_of(text) in ("train", "valid", "test") and part_of(text) == part_of(text)


# -- scoring


def test_figures_with_their_intervals() -> None:
    rows = [Row({}, "spam")] * 10 + [Row({}, "ham")] * 90
    accuracy = score("m", "accuracy", rows, ["ham"] * 100)
    assert (accuracy.value, accuracy.rows) == (90.0, 100) and accuracy.low < 90 < accuracy.high
    f1 = score("m", "macro-f1", rows, ["ham"] * 100)
    assert f1.value == pytest.approx(100 * (180 / 190) / 2, abs=0.1) and f1.low <= f1.value <= f1.high
    assert score("m", "accuracy", rows[:2], ["spam", None]).value == 50.0


def test_examples_hold_what_was_read() -> None:
    assert isinstance(gather("rows", many(30)), Examples)

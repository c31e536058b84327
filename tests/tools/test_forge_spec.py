"""The spec of a micro-model: what may stand in it, and what is said where something may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.forge.spec import Spec, SpecError, read


def spec(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_fields_are_read_and_paths_are_beside_the_spec(tmp_path: Path) -> None:
    head = 'examples = "rows.csv"\nkind = "extract"\nbar = 97\nminutes = 3\n'
    text = head + 'candidates = ["linear"]\n[inputs]\nword = "a noun"'
    found = read(spec(tmp_path, text), "plural")
    assert found == Spec(
        "plural", tmp_path / "rows.csv", kind="extract", bar=97.0, minutes=3.0, candidates=("linear",),
        inputs={"word": "a noun"},
    )  # fmt: skip
    assert found.plus(bar=None, seed=5) == found.plus(seed=5) != found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bar = ", "no valid TOML"),
        ("bars = 97", "no field `bars`; a spec may have: asked_as, bar"),
        ("bar = 970", "`bar` is 970; write a number from 0.0 to 100.0"),
        ('bar = "high"', "`bar` is 'high'; write a number"),
        ("seed = 1.5", "`seed` is 1.5; write a whole number"),
        ('kind = "translate"', '`kind` is \'translate\'; write one of "generate", "classify", "extract"'),
        ('candidates = ["forest"]', "no candidate 'forest'; there is: rule, linear, gguf"),
        ("examples = 3", "`examples` is 3; write a path"),
        ('inputs = "word"', "`inputs` is 'word'; write a table"),
    ],
)
def test_what_may_not_stand_there_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = spec(tmp_path, text)
    with pytest.raises(SpecError) as error:
        read(path, "plural")
    assert said in str(error.value) and str(path) in str(error.value)


def test_a_missing_spec_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read(tmp_path / "none.toml", "plural")

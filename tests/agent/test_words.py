"""Words that are used alike: the table that comes with zooid, and names that were run together."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.words import parted, vector

ROOT = Path(__file__).parents[2]


def near(one: str, other: str) -> float:
    a, b = vector(one), vector(other)
    assert a and b
    return sum(x * y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("text", "like", "unlike"),
    [
        ("erase the folder", "delete a directory", "sort a list"),
        ("my pay in dollars", "money", "temperature"),
        ("name of this computer", "host name", "file size"),
        ("how warm is it outside", "weather forecast", "bank account"),
    ],
)
def test_texts_that_mean_the_same_are_nearer(text: str, like: str, unlike: str) -> None:
    assert near(text, like) > near(text, unlike) + 0.1


def test_a_text_without_known_words_has_no_direction() -> None:
    assert vector("") is None and vector("12 % …") is None and vector("qwzxv") is None


@given(st.text())
def test_any_text_has_a_direction_of_length_one_or_none(text: str) -> None:
    found = vector(text)
    assert found is None or math.isclose(sum(number * number for number in found), 1, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("gettempdir", "get temp dir"),
        ("gethostbyname", "get host by name"),
        ("splitlines", "split lines"),
        ("directory", "directory"),
        ("literal", "literal"),
        ("qwzxvbn", "qwzxvbn"),
        ("list", "list"),
        ("", ""),
    ],
)
def test_names_that_were_run_together_are_parted(name: str, parts: str) -> None:
    assert " ".join(parted(name)) == parts


@given(st.text("abcdefghijklmnopqrstuvwxyz", max_size=60))
def test_the_parts_of_a_name_are_the_name(name: str) -> None:
    assert "".join(parted(name)) == name


def test_the_table_is_small_and_read_without_numpy() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "agent" / "words").iterdir() if path.is_file()) < 2_000_000
    code = "import sys; from agent.words import vector; vector('a folder'); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr

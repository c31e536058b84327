import pytest

from tools import compare
from tools.errors import ToolError


def test_names_what_is_largest_and_all_that_are() -> None:
    assert compare.largest_of({"a": 1, "b": 3, "c": 2}) == "b"
    assert compare.smallest_of({"a": 1, "b": 1.0, "c": 2}) == "a and b"
    assert compare.largest_of({"a": -3, "b": -2}) == "b"


def test_nothing_to_compare_is_told() -> None:
    for function in (compare.largest_of, compare.smallest_of):
        with pytest.raises(ToolError, match="nothing to compare"):
            function({})


@pytest.mark.parametrize(
    ("first", "second", "same"), [("a\r\nb \n", "a\nb", True), ("a", "A", False), ("", "\n", True)]
)
def test_same_text(first: str, second: str, same: bool) -> None:
    assert compare.same_text(first, second) is same


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (0.3, 0.1, "0.3 is larger than 0.1, by 0.2"),
        (-2, 1.5, "-2 is smaller than 1.5, by 3.5"),
        (1, 1.0, "1 and 1 are equal"),
    ],
)
def test_compares_numbers(first: float, second: float, told: str) -> None:
    assert compare.compare_numbers(first, second) == told

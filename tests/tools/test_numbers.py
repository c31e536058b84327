from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import numbers
from tools.errors import ToolError

TENTHS = st.integers(-10_000, 10_000).map(lambda n: n / 10)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("0.1 + 0.2", 0.3),
        ("1,250 × 2 ÷ 5", 500),
        ("3 x 4 − 1", 11),
        ("2^10", 1024),
        ("-7 // 2", -4),
        ("10 % 3", 1),
        ("15% of 84.50", 12.675),
        ("50%", 0.5),
        ("√16 + sqrt(2.25)", 5.5),
        ("sqrt(2)", 2**0.5),
        ("2**-2", 0.25),
        ("8**(1/3)", 2),
        ("max(1, 200) - min(3, 4) - abs(-5)", 192),
        ("007 + 1", 8),
        ("12 * 3 =", 36),
        ("1/3*3", 1),
        ("(-1)**999999999999999", -1),
        ("((((1))))", 1),
    ],
)
def test_calculates_exactly(expression: str, result: float) -> None:
    assert numbers.calculate(expression) == pytest.approx(result, rel=1e-15)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("", "nothing to calculate"),
        ("1 +", "not an expression"),
        ("(" * 500 + "1" + ")" * 500, "not an expression"),
        ("1+" * 1500 + "1", "over 2000 characters"),
        ("9**9**9", "too large"),
        ("9**-9**9", "too large"),
        ("2**9000 * 2**9000", "too large"),
        ("1e9999", "too large"),
        ("(10**3000)**999.5", "too large"),
        ("1/0", "divides by zero"),
        ("0**-1", "divides by zero"),
        ("5 % 0", "divides by zero"),
        ("sqrt(-1)", "no real square root"),
        ("(-8)**(1/3)", "no real power"),
        ("__import__('os').getcwd()", "cannot be calculated"),
        ("open('x')", "cannot be calculated"),
        ("abc + 1", "abc cannot be calculated"),
        ("True + 1", "cannot be calculated"),
        ("1 if 2 else 3", "cannot be calculated"),
        ("2 << 2", "cannot be calculated"),
        ("sin(1)", "sin is not a function"),
        ("sqrt(1, 2)", "sqrt takes one number"),
        ("1j", "cannot be calculated"),
    ],
)
def test_what_cannot_be_calculated_is_told(expression: str, told: str) -> None:
    with pytest.raises(ToolError, match=told):
        numbers.calculate(expression)


@given(TENTHS, TENTHS, st.integers(1, 99), st.sampled_from("+-*"))
def test_calculates_as_fractions_do(first: float, second: float, third: int, sign: str) -> None:
    one, other = Fraction(str(first)), Fraction(str(second))
    exact = {"+": one + other, "-": one - other, "*": one * other}[sign] / third
    assert numbers.calculate(f"({first} {sign} ({second})) / {third}") == float(exact)


@given(st.text("0123456789+-*/().% ^x,√", max_size=30))
def test_any_text_gives_a_number_or_a_reason(expression: str) -> None:
    try:
        assert isinstance(numbers.calculate(expression), (int, float))
    except ToolError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("args", "result"),
    [
        ((2.5,), 3), ((-2.5,), -3), ((2.675, 2), 2.68), ((1234, -2), 1200), ((0.05, 1), 0.1), ((-2.1, 0, "down"), -3),
        ((2.1, 0, "up"), 3), ((1e300, 2), int(1e300)), ((5e-324, 3), 0),
    ],
)  # fmt: skip
def test_rounds_halves_away_from_zero(args: tuple[float, int, str], result: float) -> None:
    assert numbers.round_number(*args) == pytest.approx(result, rel=1e-15)  # type: ignore[arg-type]


def test_percentages_are_exact() -> None:
    assert numbers.percent_of(10, 0.3) == 0.03
    assert numbers.percentage(1, 3) == pytest.approx(100 / 3)
    with pytest.raises(ToolError, match="the whole is 0"):
        numbers.percentage(1, 0)
    with pytest.raises(ToolError, match="300 at most"):
        numbers.round_number(1, 999)


@given(st.lists(TENTHS, min_size=1))
def test_sums_and_means_are_exact(values: list[float]) -> None:
    exact = [Fraction(str(value)) for value in values]
    assert numbers.sum_numbers(values) == float(sum(exact))
    assert numbers.mean_numbers(values) == float(sum(exact) / len(exact))
    assert numbers.smallest_number(values) <= numbers.median_numbers(values) <= numbers.largest_number(values)


def test_nothing_has_no_mean() -> None:
    assert numbers.sum_numbers([]) == 0
    for function in (numbers.mean_numbers, numbers.median_numbers, numbers.smallest_number, numbers.largest_number):
        with pytest.raises(ToolError, match="no numbers"):
            function([])


@given(st.integers(1, 4999))
def test_roman_numerals_read_back(number: int) -> None:
    assert numbers.from_roman(numbers.to_roman(number)) == number


@pytest.mark.parametrize("number", [0, -1, 5000, 10**50])
def test_numbers_without_a_roman_numeral_are_told(number: int) -> None:
    with pytest.raises(ToolError, match="from 1 to 4999"):
        numbers.to_roman(number)


@pytest.mark.parametrize("numeral", ["", "IIII", "N", "ABC", "X" * 500])
def test_what_is_no_roman_numeral_is_told(numeral: str) -> None:
    with pytest.raises(ToolError, match="not a Roman numeral"):
        numbers.from_roman(numeral)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"), (-0.5, "minus zero point five"), (-21, "minus twenty-one"), (1e6, "one million"),
        (0.05, "zero point zero five"), (1e-7, "zero point zero zero zero zero zero zero one"),
    ],
)  # fmt: skip
def test_spells_numbers(number: float, words: str) -> None:
    assert numbers.number_in_words(number) == words


def test_a_number_beyond_words_is_told() -> None:
    with pytest.raises(ToolError, match="too large"):
        numbers.number_in_words(1e70)


@pytest.mark.parametrize(
    ("number", "ranked"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (13, "13th"), (101, "101st")]
)
def test_ordinals(number: int, ranked: str) -> None:
    assert numbers.ordinal(number) == ranked

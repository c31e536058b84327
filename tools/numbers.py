"""Tools that calculate, round and spell numbers; what they do is exact, and 0.1 + 0.2 is 0.3."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Literal

from tools.errors import ToolError

__all__ = [
    "calculate",
    "percent_of",
    "percentage",
    "round_number",
    "sum_numbers",
    "mean_numbers",
    "median_numbers",
    "smallest_number",
    "largest_number",
    "to_roman",
    "from_roman",
    "number_in_words",
    "ordinal",
]

_MOST_BITS = 13_000  # about 3,900 digits: Python refuses to write down integers of more than 4,300
_MOST_CHARACTERS = 2000  # of an expression; it also bounds how deep it nests
_DIGITS = 50  # of a root or a power that is no fraction


def calculate(expression: str) -> int | float:
    """Calculate an arithmetic expression exactly: add, subtract, multiply, divide, powers, roots, brackets.

    Asked as: calculate …; compute …; work out …; what is …; … plus, minus or times; … divided by; double …; half of
        …; the square root of …; … squared

    Args:
        expression: numbers with + - * / // % ** and brackets, sqrt, abs, min, max; also × ÷ ^, 1,250 and 15% of 80.

    >>> calculate("(3 + 4) * 12 - 5")
    79
    >>> calculate("0.1 + 0.2")
    0.3
    """
    plain = _as_python(expression)
    try:
        tree = ast.parse(plain, mode="eval")
        return _plain(_value(tree.body, plain))
    except (SyntaxError, RecursionError, MemoryError):
        raise ToolError(f"{_short(expression)} is not an expression to calculate; write it as (3 + 4) * 2") from None
    except ZeroDivisionError:
        raise ToolError(f"{_short(expression)} divides by zero, which has no result") from None


def percent_of(percent: float, of: float) -> int | float:
    """Work out so many percent of a number.

    Asked as: … percent of; …% of; what is … % of; work out …% of; take … percent of; a tip of …% on

    Args:
        percent: how many percent, 15 for 15 %.
        of: the number it is taken of.

    >>> percent_of(17, 2480)
    421.6
    >>> percent_of(15, 84.5)
    12.675
    """
    return _plain(_exact(percent) * _exact(of) / 100)


def percentage(part: float, whole: float) -> int | float:
    """Work out what percentage one number is of another.

    Asked as: what percentage of … is; what percent is … of; … as a percentage of; which share of … is; … out of … in
        percent; how many percent of … are

    Args:
        part: the part.
        whole: the whole, which is 100 %.

    >>> percentage(3, 12)
    25
    >>> percentage(1, 8)
    12.5
    """
    if not whole:
        raise ToolError("the whole is 0, and nothing is a percentage of 0")
    return _plain(_exact(part) * 100 / _exact(whole))


def round_number(
    number: float, decimals: int = 0, direction: Literal["nearest", "down", "up"] = "nearest"
) -> int | float:
    """Round a number to some decimals or a whole number, to the nearest, down or up.

    Asked as: round …; round … to; … rounded to one decimal; … to the nearest whole number; … to two decimal places; …
        to … decimal places; … with … decimals; … rounded down; how many full …; how many complete …; … rounded up; …
        as a whole number; round off …

    Args:
        number: the number.
        decimals: how many digits stay after the point; -2 rounds to hundreds.
        direction: nearest (a half goes away from zero), down or up.

    >>> round_number(2.675, 2)
    2.68
    >>> round_number(30.57, direction="down")
    30
    """
    if abs(decimals) > 300:
        raise ToolError(f"{decimals} decimals are more than a number has; ask for 300 at most")
    modes = {"nearest": ROUND_HALF_UP, "down": ROUND_FLOOR, "up": ROUND_CEILING}
    with localcontext(prec=700):
        return _plain(Fraction(Decimal(str(number)).quantize(Decimal(1).scaleb(-decimals), modes[direction])))


def sum_numbers(numbers: list[float]) -> int | float:
    """Add up numbers: their sum, their total.

    Asked as: add … up; the sum of …; the total of …; add the numbers …; sum up …; … in all; altogether …; what do …
        add up to; the grand total of …; how many is … altogether; how much is … in total

    Args:
        numbers: the numbers.

    >>> sum_numbers([0.1, 0.2])
    0.3
    >>> sum_numbers([31, 26, 38])
    95
    """
    return _plain(sum(map(_exact, numbers), Fraction(0)))


def mean_numbers(numbers: list[float]) -> int | float:
    """Take the average, the arithmetic mean, of numbers.

    Asked as: the average of …; the mean of …; average …; mean value of …; what do … average; the typical value of …;
        … on average

    Args:
        numbers: the numbers.

    >>> mean_numbers([1, 2, 4.5])
    2.5
    >>> mean_numbers([4])
    4
    """
    return _plain(sum(map(_exact, _some(numbers)), Fraction(0)) / len(numbers))


def median_numbers(numbers: list[float]) -> int | float:
    """Take the median, the middle value, of numbers.

    Asked as: the median of …; median …; the middle value of …; the middle number of …; median value of …

    Args:
        numbers: the numbers.

    >>> median_numbers([5, 1, 3])
    3
    >>> median_numbers([4, 1, 3, 2])
    2.5
    """
    ordered = sorted(map(_exact, _some(numbers)))
    half = len(ordered) // 2
    return _plain(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def smallest_number(numbers: list[float]) -> int | float:
    """Take the smallest, the minimum, of numbers.

    Asked as: the smallest of …; the minimum of …; the lowest of …; the least of …; smallest number in …; min of …

    Args:
        numbers: the numbers.

    >>> smallest_number([3, 1, 2])
    1
    >>> smallest_number([-0.5, 0])
    -0.5
    """
    return _plain(min(map(_exact, _some(numbers))))


def largest_number(numbers: list[float]) -> int | float:
    """Take the largest, the maximum, of numbers.

    Asked as: the largest of …; the maximum of …; the highest of …; the biggest of …; the greatest of …; the top
        number in …; max of …

    Args:
        numbers: the numbers.

    >>> largest_number([3, 1, 2])
    3
    >>> largest_number([-0.5, -2])
    -0.5
    """
    return _plain(max(map(_exact, _some(numbers))))


def to_roman(number: int) -> str:
    """Write a number as a Roman numeral.

    Asked as: … in roman numerals; … as a roman numeral; write … in roman numerals; convert … to roman; the roman
        numeral for …; roman number of …

    Args:
        number: a whole number from 1 to 4999.

    >>> to_roman(1987)
    'MCMLXXXVII'
    >>> to_roman(4)
    'IV'
    """
    import roman

    if not 1 <= number <= 4999:
        raise ToolError(f"{_short(str(number))} has no Roman numeral; they go from 1 to 4999")
    return str(roman.toRoman(number))


def from_roman(numeral: str) -> int:
    """Read a Roman numeral as a number.

    Asked as: the roman numeral … as a number; which number is …; what number is … in roman numerals; convert … from
        roman; … from roman numerals; the value of the roman numeral …; decode the roman numeral …

    Args:
        numeral: a Roman numeral such as XIV.

    >>> from_roman("MCMLXXXVII")
    1987
    >>> from_roman("xiv")
    14
    """
    import roman

    try:
        number = int(roman.fromRoman(numeral.strip().upper()))
    except roman.RomanError:
        number = 0
    if not number:  # the library also reads N, for nothing, which to_roman would not write
        raise ToolError(f"{_short(numeral)!r} is not a Roman numeral; one is written like MCMLXXXVII or XIV")
    return number


def number_in_words(number: float) -> str:
    """Write a number in English words, spelled out.

    Asked as: … in words; spell out …; write … in words; … spelled out; say … in words; … as words; write … out in
        full

    Args:
        number: the number.

    >>> number_in_words(342)
    'three hundred and forty-two'
    >>> number_in_words(70.9)
    'seventy point nine'
    """
    from num2words import num2words

    exact = _exact(number)
    if abs(exact) >= 10**60:
        raise ToolError(f"{_short(str(number))} is too large to be written in words")
    # As a decimal: of a binary float it would spell digits that nobody wrote. Without the sign: it drops that of -0.5
    size = abs(int(exact)) if exact.denominator == 1 else Decimal(f"{abs(Decimal(str(number))):f}")
    return f"minus {num2words(size)}" if exact < 0 else str(num2words(size))


def ordinal(number: int) -> str:
    """Write a whole number as an ordinal, such as 21st.

    Asked as: the ordinal of …; … as an ordinal; ordinal number of …; … with st, nd, rd or th; … as a rank

    Args:
        number: a whole number.

    >>> ordinal(21)
    '21st'
    >>> ordinal(112)
    '112th'
    """
    last = abs(number) % 100
    return f"{number}{'th' if 10 < last < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(last % 10, 'th')}"


def _exact(number: float | Decimal) -> Fraction:
    """A number as it is written, not as binary holds it."""
    return Fraction(str(number))


def _plain(number: Fraction) -> int | float:
    if number.denominator == 1:
        return int(number)
    try:
        return float(number)
    except OverflowError:
        raise ToolError("the result is too large to be written down") from None


def _some(numbers: list[float]) -> list[float]:
    if not numbers:
        raise ToolError("there are no numbers to take it of; give at least one")
    return numbers


def _short(text: str, width: int = 60) -> str:
    text = text.strip()
    return text if len(text) <= width else text[: width - 1] + "…"


_WRITTEN = {"×": "*", "·": "*", "⋅": "*", "÷": "/", "∕": "/", "−": "-", "–": "-", "^": "**", "√": "sqrt", "π": "pi"}


def _as_python(expression: str) -> str:
    """An expression as people write it, in the operators that Python has."""
    if len(expression) > _MOST_CHARACTERS:
        raise ToolError(f"the expression is over {_MOST_CHARACTERS} characters; calculate it in parts")
    text = expression.strip().rstrip("=? ").strip()
    if not text:
        raise ToolError("there is nothing to calculate; give an expression such as (3 + 4) * 2")
    for sign, python in _WRITTEN.items():
        text = text.replace(sign, python)
    text = re.sub(r"sqrt\s*([\d.]+)", r"sqrt(\1)", text)
    text = re.sub(r"(?<=[\d)])\s*[xX]\s*(?=[\d(.-])", " * ", text)
    text = re.sub(r"%\s*of\b", "/ 100 *", text)
    text = re.sub(r"%(?=\s*(?:\)|$))", "/ 100", text)
    if not re.search(r"\b(?:min|max)\b", text):  # there a comma separates
        text = re.sub(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])", lambda found: found[0].replace(",", ""), text)
    return re.sub(r"(?<![\w.])0+(?=\d)", "", text)


def _value(node: ast.expr, source: str) -> Fraction:
    """The exact value of an expression, by its own small table: names, calls and types outside of it are refused."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _number(ast.get_source_segment(source, node) or "")
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        value = _value(node.operand, source)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        result = _OPERATORS[type(node.op)](_value(node.left, source), _value(node.right, source))
        return _bounded(result)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, [_value(argument, source) for argument in node.args])
    part = ast.get_source_segment(source, node) or source
    raise ToolError(f"{_short(part)} cannot be calculated; use numbers, + - * / // % **, brackets, sqrt, abs, min, max")


def _number(written: str) -> Fraction:
    found = re.fullmatch(r"[\d_]*\.?[\d_]*(?:[eE]([-+]?\d+))?", written)
    if found is None:
        raise ToolError(f"{_short(written)} is not a decimal number; write it like 1250.5")
    if abs(int(found[1] or 0)) > _MOST_BITS // 4:
        raise ToolError(f"{_short(written)} is too large or too small a number to calculate with")
    written = written.replace("_", "")
    return Fraction(f"0{written}" if written.startswith(".") else written)


def _call(name: str, values: list[Fraction]) -> Fraction:
    if name not in _FUNCTIONS:
        raise ToolError(f"{_short(name)} is not a function that can be calculated; there are sqrt, abs, min and max")
    if not values or (name in ("sqrt", "abs") and len(values) > 1):
        raise ToolError(f"{name} takes {'one number' if name in ('sqrt', 'abs') else 'numbers'} in its brackets")
    return _FUNCTIONS[name](values)


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > _MOST_BITS or value.denominator.bit_length() > _MOST_BITS:
        raise ToolError("the result is too large to be calculated exactly (over 3,900 digits)")
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 1:
        bits = max(abs(base.numerator), base.denominator).bit_length()
        if base and abs(base) != 1 and bits * abs(exponent) > 2 * _MOST_BITS:  # before it is computed
            raise ToolError("the power is too large to be calculated exactly (over 3,900 digits)")
        return Fraction(base ** int(exponent % 2 if abs(base) == 1 else exponent))
    if base < 0:
        raise ToolError("a negative number has no real power that is a fraction")
    if exponent == Fraction(1, 2):
        return _root(base)
    if base and abs(exponent) * abs(math.log2(base.numerator) - math.log2(base.denominator)) > _MOST_BITS:
        raise ToolError("the power is too large to be calculated")
    with localcontext(prec=_DIGITS):
        return Fraction(_decimal(base) ** _decimal(exponent))


def _root(value: Fraction) -> Fraction:
    """The square root: exact where there is such a fraction, else to fifty digits."""
    if value < 0:
        raise ToolError("a negative number has no real square root")
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom)
    with localcontext(prec=_DIGITS):
        return Fraction(_decimal(value).sqrt())


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


_CONSTANTS = {
    "pi": Fraction("3.14159265358979323846264338327950288"),
    "e": Fraction("2.71828182845904523536028747135266249"),
}
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda left, right: Fraction(left // right),
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_FUNCTIONS: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "sqrt": lambda values: _root(values[0]),
    "abs": lambda values: abs(values[0]),
    "min": min,
    "max": max,
}

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools import units
from tools.errors import ToolError


@pytest.mark.parametrize(
    ("value", "old", "new", "result"),
    [
        (72, "°F", "celsius", 22.2222222222222),
        (-40, "Fahrenheit", "°C", -40),
        (0, "K", "degrees celsius", -273.15),
        (98.6, "degrees F", "C", 37),
        (5, "kg", "pounds", 11.0231131092439),
        (100, "km/h", "mph", 62.1371192237334),
        (60, "miles per hour", "kilometers per hour", 96.56064),
        (0.1, "metre", "Centimeters", 10),
        (2.5, "hours", "mins", 150),
        (3, "litres", "ml", 3000),
        (1, "sq ft", "m2", 0.09290304),
        (1, "square mile", "acres", 640),
        (2, "cubic metres", "liters", 2000),
        (1, "imperial gallon", "litre", 4.54609),
        (1, "nautical miles", "m", 1852),
        (1, "GB", "MB", 1000),
        (1, "GiB", "mib", 1024),
        (8, "kwh", "MJ", 28.8),
        (6, "st", "lb", 84),
        (12, "gramme", "g", 12),
        (1, "light year", "km", 9460730472580.8),
        (5, "km", "km", 5),
    ],
)
def test_converts(value: float, old: str, new: str, result: float) -> None:
    assert units.convert_units(value, old, new) == result


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("parsnip", "km", "'parsnip' is not a unit that is known"),
        ("kilometrs", "m", "did you mean kilometres"),
        ("km", "kg", "km measures a length and kg measures a weight"),
        ("", "km", "is not a unit"),
        ("9**9**9", "m", "is not a unit"),
        ("m**9**9**9", "m", "is not a unit"),
        ("__import__('os')", "m", "is not a unit"),
        ("m" * 5000, "m", "is not a unit"),
        ("euros", "dollars", "is not a unit"),
    ],
)
def test_what_cannot_be_converted_is_told(old: str, new: str, told: str) -> None:
    with pytest.raises(ToolError) as error:
        units.convert_units(1, old, new)
    assert told in str(error.value)


@pytest.mark.parametrize("name", sorted(units.COMMON_UNITS))
def test_every_common_unit_converts(name: str) -> None:
    assert units.convert_units(2, name, name) == pytest.approx(2, rel=1e-12)


def test_common_units_are_known_without_the_library() -> None:
    code = (
        "import sys; from tools.units import _known; "
        "assert _known('Kilometres') and _known('°F') and _known('light  years') and not _known('parsnip'); "
        "assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], check=True, timeout=30)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.sampled_from([("mile", "km"), ("°F", "°C"), ("lb", "kg"), ("mph", "m/s")]))
def test_there_and_back_is_where_it_was(value: float, pair: tuple[str, str]) -> None:
    there = units.convert_units(value, *pair)
    assert units.convert_units(there, *reversed(pair)) == pytest.approx(value, rel=1e-12, abs=1e-9)

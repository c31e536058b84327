"""The tool that converts a measure from one unit to another."""

from __future__ import annotations

import difflib
import functools
import re
from decimal import Decimal, localcontext
from typing import Any

from tools.errors import ToolError
from tools.numbers import _exact, _plain

__all__ = ["convert_units"]


def convert_units(value: float, from_unit: str, to_unit: str) -> int | float:
    """Convert a measure from one unit to another: lengths, weights, temperatures, volumes, areas, speeds, times, data.

    Asked as: convert … to; … in kilometres; … to pounds; how many … are in; how many metres is …; what is … in
        celsius; change … into; express … in; … in hours

    Args:
        value: how much of the first unit.
        from_unit: the unit it is in, such as miles, kg, °F or km/h; gallons, pints and tons are American ones.
        to_unit: the unit it is wanted in.

    >>> convert_units(12, "miles", "kilometres")
    19.312128
    >>> convert_units(212, "°F", "celsius")
    100
    """
    from pint import DimensionalityError

    old, new = _unit(from_unit), _unit(to_unit)
    try:
        with localcontext(prec=40):
            result = _registry().Quantity(Decimal(str(value)), old).to(new).magnitude
    except DimensionalityError:
        raise ToolError(f"{_measure(from_unit, old)} and {_measure(to_unit, new)}, so one is not the other") from None
    except (ArithmeticError, ValueError, TypeError) as error:
        raise ToolError(f"{value} {from_unit} cannot be converted to {to_unit}: {error}") from None
    with localcontext(prec=15):  # what offsets and factors of many digits leave behind the fifteenth is no measure
        return _plain(_exact(+Decimal(result)))


# What pint spells otherwise, or takes for something else (to it kb is a kilobarn and C a coulomb). Lower case.
_SPELLED = {
    "c": "degC", "°c": "degC", "℃": "degC", "deg c": "degC", "degrees c": "degC", "celsius": "degC",
    "centigrade": "degC", "degrees centigrade": "degC", "degree celsius": "degC", "degrees celsius": "degC",
    "f": "degF", "°f": "degF", "℉": "degF", "deg f": "degF", "degrees f": "degF", "fahrenheit": "degF",
    "degree fahrenheit": "degF", "degrees fahrenheit": "degF",
    "k": "kelvin", "kelvins": "kelvin", "degrees kelvin": "kelvin",
    "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "tb": "terabyte", "pb": "petabyte",
    "kib": "kibibyte", "mib": "mebibyte", "gib": "gibibyte", "tib": "tebibyte",
    "kbps": "kilobit/second", "mbps": "megabit/second", "gbps": "gigabit/second",
    "fl oz": "fluid_ounce", "fl. oz": "fluid_ounce", "fl. oz.": "fluid_ounce", "floz": "fluid_ounce",
    "mpg": "mile/gallon", "cc": "centimeter**3", "ml": "milliliter", "cl": "centiliter", "dl": "deciliter",
    "l": "liter", "sq km": "kilometer**2", "sqm": "meter**2", "sq m": "meter**2", "sqft": "foot**2",
    "sq ft": "foot**2", "sq mi": "mile**2", "kph": "kilometer/hour", "kmh": "kilometer/hour", "mps": "meter/second",
    "hr": "hour", "hrs": "hour", "sec": "second", "secs": "second", "mins": "minute", "min": "minute",
    "metric tons": "tonne", "metric tonnes": "tonne", "metric ton": "tonne", "yrs": "year", "yr": "year",
    "wk": "week", "wks": "week", '"': "inch", "″": "inch", "'": "foot", "′": "foot", "in": "inch", "ins": "inch",
    "imperial gallons": "imperial_gallon", "imperial pints": "imperial_pint", "uk gallons": "imperial_gallon",
    "uk pints": "imperial_pint", "us gallons": "gallon", "us pints": "pint", "british gallons": "imperial_gallon",
    "uk tons": "long_ton", "us tons": "ton", "long tons": "long_ton", "short tons": "short_ton",
    "cal": "calorie", "kcal": "kilocalorie", "st": "stone", "stones": "stone",
    "kilo": "kilogram", "kilos": "kilogram", "°k": "kelvin", "pa": "pascal", "ma": "milliampere", "kn": "knot",
    "b": "byte", "mwh": "megawatt_hour", "mpa": "megapascal", "ghz": "gigahertz",
    "acre": "international_acre", "acres": "international_acre",
}  # fmt: skip


_UNIT = re.compile(r"""[^\W\d_][\w\s/*^.·²³°µ()-]*|[°'"′″℃℉].?""")


def _unit(name: str) -> Any:
    """The unit of that name, in any of the ways in which people write it."""
    written = " ".join(name.split()).strip(".,;:?!")
    if len(written) > 60 or not _UNIT.fullmatch(written):
        raise ToolError(f"{name.strip()[:60]!r} is not a unit; name one such as miles, kg, °F or km/h")
    for spelling in _spellings(written):
        for strict in (True, False):  # kwh is kWh where nothing is a kwh
            unit = _pint_unit(spelling, strict)
            if unit is not None:
                return unit
    near = difflib.get_close_matches(written.lower(), COMMON_UNITS, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "name one such as miles, kg, °F or km/h"
    raise ToolError(f"{written!r} is not a unit that is known; {hint}")


def _spellings(written: str) -> list[str]:
    """What a name may be to pint, the likeliest first."""
    low = written.lower()
    joined = re.sub(r"[\s-]+", "_", low)
    powers = re.sub(r"\bsquared?\b", "square", re.sub(r"\bcubed?\b", "cubic", low))
    powers = re.sub(r"\bper\b", "/", re.sub(r"\bsq\b\.?", "square", re.sub(r"\bcu\b\.?", "cubic", powers)))
    powers = re.sub(r"(?<=[a-zµ])([23])\b", r"**\1", powers).replace("gramme", "gram")
    known = [_SPELLED[low]] if low in _SPELLED and written != "kN" else []
    return [*known, *([joined] if joined != low else []), written, low, powers]


@functools.cache
def _pint_unit(spelling: str, case_sensitive: bool) -> Any | None:
    try:
        unit = _registry().parse_units(spelling, case_sensitive=case_sensitive)
    except Exception:  # pint parses what it is given as Python does, and fails in as many ways
        return None
    return None if unit.dimensionless and not re.search(r"rad|deg|turn|percent|ppm|bit|byte", str(unit)) else unit


@functools.cache
def _registry() -> Any:
    """Pint's table of units, with decimal numbers: 0.1 m is 10 cm, not 10.000000000000002."""
    import pint

    registry = pint.UnitRegistry(non_int_type=Decimal, autoconvert_offset_to_baseunit=True)
    registry.define("international_acre = 4840 * yard ** 2")  # pint's own is the older one of American surveyors
    return registry


def _measure(name: str, unit: Any) -> str:
    kinds = {"[length]": "a length", "[length] ** 2": "an area", "[length] ** 3": "a volume", "[mass]": "a weight",
             "[length] / [time]": "a speed", "[time]": "a time", "[temperature]": "a temperature"}  # fmt: skip
    kind = str(unit.dimensionality)
    return f"{name.strip()} measures {kinds.get(kind, kind.replace('[', '').replace(']', ''))}"


_SYMBOLS = """
    mm cm dm m km in ft yd mi nmi µm um nm mg g kg t lb lbs oz st ml cl dl l hl gal pt qt tsp tbsp cc m2 m² cm2
    cm² km2 km² m3 m³ cm3 cm³ ft2 ft² ft3 ft³ ha s sec secs min mins h hr hrs ms µs yr yrs wk °c °f °k c f k ℃ ℉
    km/h kmh kph mph m/s mps ft/s kn kt b kb mb gb tb pb kib mib gib tib kbps mbps gbps j kj mj cal kcal wh kwh
    mwh w kw hp pa hpa kpa mpa psi atm hz khz mhz ghz v kv a ma n kn rad deg floz mpg sqm sqft
"""
_NAMES = """
    micrometre micrometer nanometre nanometer millimetre millimeter centimetre centimeter decimetre decimeter
    metre meter kilometre kilometer yard mile furlong fathom league parsec milligram gram gramme kilogram
    kilogramme kilo tonne ton pound ounce stone carat grain millilitre milliliter centilitre centiliter
    decilitre deciliter litre liter gallon pint quart cup teaspoon tablespoon barrel hectare acre second
    minute hour day week fortnight month year millisecond microsecond nanosecond century bit byte kilobit
    megabit gigabit kilobyte megabyte gigabyte terabyte petabyte kibibyte mebibyte gibibyte tebibyte joule
    kilojoule calorie kilocalorie watt kilowatt megawatt pascal kilopascal bar millibar atmosphere hertz
    kilohertz megahertz gigahertz volt ampere newton knot degree radian kelvin
"""
_WITH_SPACES = """
    nautical mile, light year, fluid ounce, imperial gallon, imperial pint, metric ton, short ton, long ton,
    square metre, square meter, square kilometre, square kilometer, square mile, square yard, square centimetre,
    square centimeter, cubic metre, cubic meter, cubic centimetre, cubic centimeter, watt hour, kilowatt hour,
    us gallon, uk gallon
"""
_IRREGULAR = """
    foot, feet, inch, inches, celsius, fahrenheit, centigrade, horsepower, centuries, degrees celsius,
    degrees fahrenheit, degrees c, degrees f, degree celsius, degree fahrenheit, square foot, square feet, square inch,
    square inches, cubic foot, cubic feet, cubic inch, cubic inches, miles per hour, kilometres per hour,
    kilometers per hour, metres per second, meters per second, feet per second, miles per gallon, sq ft, sq m, sq km,
    fl oz
"""


def _common() -> frozenset[str]:
    singular = [*_NAMES.split(), *_listed(_WITH_SPACES)]
    plural = [f"{name}s" for name in singular if not name.endswith(("hertz", "century"))]
    return frozenset([*_SYMBOLS.split(), *singular, *plural, *_listed(_IRREGULAR)])


def _listed(names: str) -> list[str]:
    return [name.strip() for name in " ".join(names.split()).split(",")]


# The names and symbols under which units are commonly written, in lower case: to know one on sight, without pint.
COMMON_UNITS: frozenset[str] = _common()


def _known(name: str) -> bool:
    """Whether a word or two is commonly a unit; many more can be converted."""
    return " ".join(name.lower().split()).strip(".,;:?!") in COMMON_UNITS

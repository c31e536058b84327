"""Tools for dates: how far apart, which weekday, how much later."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

from tools.errors import ToolError

__all__ = ["days_between", "weekday", "add_to_date"]

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_MONTH = "(?P<month>" + "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS) + r"|sept)\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b"
_YEAR = r"(?P<year>\d{4})(?!\d)"
_FORMS = tuple(
    re.compile(rf"(?<![\w-]){form}(?=T\d|\b)", re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})[-/.](?P<day>\d{1,2})[-/.](?P<second>\d{1,2})(?![-/]?\d)",
        r"(?P<day>\d{1,2})(?P<sep>[-/.])(?P<second>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})(?![-/]?\d)",
        rf"{_DAY}(?:\s+of)?[\s-]+{_MONTH},?[\s-]+{_YEAR}",
        rf"{_DAY}-{_MONTH}-(?P<year>\d{{2}})",
        rf"{_MONTH}[\s-]+(?:the\s+)?{_DAY},?[\s-]+{_YEAR}",
        rf"{_YEAR},?[\s-]+{_MONTH}[\s-]+{_DAY}",
    )
)
_NEAR = {"today": 0, "tomorrow": 1, "yesterday": -1}


def days_between(start: date, end: date) -> int:
    """Count the days between two dates.

    Asked as: how many days between … and; days from … to; days between …; number of days from …; how many days passed
        between …; difference in days between …; how long from … until; days since …; days until …

    Args:
        start: the first date.
        end: the second date; where it is the earlier one, the number is negative.

    >>> days_between(date(2024, 2, 28), date(2024, 3, 1))
    2
    >>> days_between(date(2026, 1, 2), date(2026, 1, 1))
    -1
    """
    return (end - start).days


def weekday(day: date) -> str:
    """Tell the weekday, the day of the week, of a date.

    Asked as: which weekday was …; what day of the week is …; which day of the week was …; weekday of …; on which day
        does … fall; what day is …

    Args:
        day: the date.

    >>> weekday(date(1969, 7, 20))
    'Sunday'
    >>> weekday(date(2000, 1, 1))
    'Saturday'
    """
    return _WEEKDAYS[day.weekday()]


def add_to_date(day: date, amount: int, unit: Literal["days", "weeks", "months", "years"] = "days") -> str:
    """Add days, weeks, months or years to a date, or subtract them, and give the date that comes out.

    Asked as: what date is … days after; what date is that; which date is that; … days after; … weeks before; … months
        from; add … to the date; subtract … from the date; the date … years later; … days before; … days ago; … weeks
        from now

    Args:
        day: the date to begin with.
        amount: how many; a negative number goes back.
        unit: days, weeks, months or years; a month without that day ends on its last one.

    >>> add_to_date(date(2024, 1, 31), 1, "months")
    '2024-02-29'
    >>> add_to_date(date(2024, 3, 1), -1)
    '2024-02-29'
    """
    try:
        if unit in ("days", "weeks"):
            return (day + timedelta(days=amount * (7 if unit == "weeks" else 1))).isoformat()
        return _months_later(day, amount * (12 if unit == "years" else 1)).isoformat()
    except (OverflowError, ValueError):
        raise ToolError(f"{amount} {unit} from {day} is not a date between the years 1 and 9999") from None


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    if not 1 <= year <= 9999:
        raise OverflowError
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def parse_day(text: str) -> date | None:
    """The date that a text spells, and nothing else: ISO, 3rd of May 1999, May 3, 1999, 10/02/2024 (day first), today.

    A library's parser is not used for it: those fill in what is missing, so that to them "10" and "may" are dates.
    """
    text = re.sub(r"^(?:on|the|of|from|to|until|since|by)\s+", "", text.strip().strip(".,;!?\"'"), flags=re.IGNORECASE)
    text = re.sub(rf"^(?:{'|'.join(f'{day[:3]}(?:{day[3:]})?' for day in _WEEKDAYS)})\b[.,]*\s*(?:the\s+)?", "",
                  text, flags=re.IGNORECASE)  # fmt: skip
    if text.lower() in _NEAR:
        return date.today() + timedelta(days=_NEAR[text.lower()])
    text = re.sub(r"^(?:the)\s+", "", text, flags=re.IGNORECASE)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*", text):
        text = text[:10]
    for form in _FORMS:
        found = form.fullmatch(text)
        if found:
            return _read(found)[0]
    return None


def find_dates(text: str) -> Iterator[str]:
    """The dates of a text in order, as ISO; as they stand where day and month could be either way round."""
    found = sorted((match.start(), -match.end(), match) for form in _FORMS for match in form.finditer(text))
    reached = 0
    for start, _, match in found:
        if start < reached:
            continue
        day, plain = _read(match)
        if day:
            reached = match.end()
            yield day.isoformat() if plain else match[0]


def _read(found: re.Match[str]) -> tuple[date | None, bool]:
    """The date of a match, and whether its day and month can be told apart; None where there is no such day."""
    parts = found.groupdict()
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 2000 if year < 70 else 1900
    if "month" in parts:
        month, day = [name[:3] for name in _MONTHS].index(parts["month"][:3].lower()) + 1, int(parts["day"])
        return _date(year, month, day), True
    first, second = int(parts["day"]), int(parts["second"])
    if "sep" not in parts:  # the year leads, so the month is next
        return _date(year, first, second), True
    day_first, month_first = _date(year, second, first), _date(year, first, second)
    return day_first or month_first, not (day_first and month_first) or first == second


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None

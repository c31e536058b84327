from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import dates
from tools.errors import ToolError

FORMS = (
    "%Y-%m-%d",
    "%d %B %Y",
    "%B %d, %Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d %b %Y",
    "%A, %d %B %Y",
    "%Y %b %d",
    "%d-%b-%Y",
)
DAYS = st.dates(date(1000, 1, 1), date(9998, 12, 31))


@given(DAYS, st.sampled_from(FORMS))
def test_reads_what_was_written(day: date, form: str) -> None:
    assert dates.parse_day(day.strftime(form)) == day
    assert list(dates.find_dates(f"on {day.strftime(form)}.")) in ([day.isoformat()], [day.strftime(form)])


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("3rd of May 1999", date(1999, 5, 3)),
        ("the 3rd of May, 1999", date(1999, 5, 3)),
        ("Sept. 3rd 2020", date(2020, 9, 3)),
        ("10/02/2024", date(2024, 2, 10)),
        ("02/13/2024", date(2024, 2, 13)),
        ("10-Feb-24", date(2024, 2, 10)),
        ("2024-02-10T10:00:00", date(2024, 2, 10)),
        ("Sat, 10 February 2024", date(2024, 2, 10)),
        ("10", None),
        ("may", None),
        ("2024", None),
        ("March 2024", None),
        ("31 February 2024", None),
        ("2024-13-01", None),
        ("1.2.3", None),
        ("192.168.1.20", None),
        ("", None),
    ],
)
def test_reads_dates_and_nothing_else(text: str, day: date | None) -> None:
    assert dates.parse_day(text) == day


def test_reads_days_near_today() -> None:
    near = [dates.parse_day(word) for word in ("yesterday", "Today", "tomorrow")]
    assert near[1] is not None
    assert near == [near[1] - timedelta(days=1), near[1], near[1] + timedelta(days=1)]


@given(DAYS, DAYS)
def test_days_between_are_what_is_added(start: date, end: date) -> None:
    apart = dates.days_between(start, end)
    assert apart == -dates.days_between(end, start)
    assert dates.add_to_date(start, apart) == end.isoformat()


@given(DAYS, st.integers(-5000, 5000))
def test_months_keep_the_day_where_it_is_there(day: date, months: int) -> None:
    try:
        later = date.fromisoformat(dates.add_to_date(day, months, "months"))
    except ToolError:
        return
    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day == day.day or (later + timedelta(days=1)).day == 1 and later.day < day.day


@pytest.mark.parametrize(
    ("day", "amount", "unit", "result"),
    [
        (date(2024, 1, 31), 1, "months", "2024-02-29"),
        (date(2024, 2, 29), 1, "years", "2025-02-28"),
        (date(2024, 1, 1), -2, "weeks", "2023-12-18"),
    ],
)
def test_adds(day: date, amount: int, unit: str, result: str) -> None:
    assert dates.add_to_date(day, amount, unit) == result  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["days", "weeks", "months", "years"])
@pytest.mark.parametrize("amount", [10**9, -(10**9), 10**30])
def test_a_date_beyond_the_calendar_is_told(amount: int, unit: str) -> None:
    with pytest.raises(ToolError, match="not a date between the years 1 and 9999"):
        dates.add_to_date(date(2024, 1, 1), amount, unit)  # type: ignore[arg-type]

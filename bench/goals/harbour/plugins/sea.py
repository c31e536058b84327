"""The sea: wind forces, crossings and tides."""


def beaufort(knots: float) -> int:
    """The force on the Beaufort scale of a wind speed in knots."""
    limits = [1, 4, 7, 11, 17, 22, 28, 34, 41, 48, 56, 64]
    return sum(knots >= limit for limit in limits)


def crossing_minutes(miles: float, knots: float) -> float:
    """How many minutes a crossing of so many nautical miles takes at a speed in knots."""
    return round(miles / knots * 60, 1)


def high_water(day: str) -> str:
    """The times of high water in the harbour on a day of the week."""
    times = {
        "monday": "01:08 and 13:31",
        "tuesday": "01:59 and 14:24",
        "wednesday": "02:52 and 15:18",
        "thursday": "03:47 and 16:13",
        "friday": "04:48 and 17:12",
        "saturday": "05:52 and 18:17",
        "sunday": "07:03 and 19:29",
    }
    return times[day.strip().lower()]

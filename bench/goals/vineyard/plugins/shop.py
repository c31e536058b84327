"""The shop and its parcels."""

_FIRST = {"germany": 7.9, "austria": 12.4, "belgium": 14.6, "france": 13.2}


def shipping(bottles: int, country: str) -> float:
    """The cost in euros of sending a number of bottles to a country.

    Args:
        bottles: how many bottles.
        country: where they go.

    >>> shipping(6, "Germany")
    7.9
    """
    return round(_FIRST[country.strip().lower()] + 0.85 * max(0, bottles - 6), 2)


def crates(bottles: int) -> int:
    """How many crates of twelve a number of bottles fills, the last of them perhaps in part."""
    return -(-bottles // 12)


def opening_hours(day: str) -> str:
    """The hours at which the shop is open on a day of the week."""
    return {"saturday": "10:00-16:00", "sunday": "closed"}.get(day.strip().lower(), "14:00-18:30")

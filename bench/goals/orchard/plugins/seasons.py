from datetime import date


def season(day: date) -> str:
    """Say which season of the orchard year a day falls in: winter, spring, summer or autumn.

    >>> season(date(2024, 4, 30))
    'spring'
    """
    return ("winter", "spring", "summer", "autumn")[day.month % 12 // 3]

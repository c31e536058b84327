import datetime


def in_pledge_week(day: datetime.date) -> bool:
    """Say whether a day is in the pledge week."""
    return datetime.date(2026, 2, 9) <= day <= datetime.date(2026, 2, 15)

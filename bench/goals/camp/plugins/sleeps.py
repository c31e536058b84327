import datetime


def sleeps(start: datetime.date, end: datetime.date) -> int:
    """Count the sleeps, the nights, from one day to another.

    Asked as: how many sleeps from … to; how many sleeps until …
    """
    return (end - start).days

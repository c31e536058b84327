"""Time on board."""


def ship_bells(time: str) -> int:
    """Count the bells that a ship strikes at a time of day, one more each half hour and eight at the end of a watch.

    Asked as: how many bells at …; ship's bells for …

    Args:
        time: hours and minutes, such as 09:30.

    >>> ship_bells("09:30")
    3
    """
    hours, minutes = time.split(":")
    return (int(hours) * 2 + int(minutes) // 30 - 1) % 8 + 1

def minutes_and_seconds(seconds: int) -> str:
    """Write a number of seconds as minutes and seconds.

    Asked as: … as minutes and seconds; format … as m:ss

    >>> minutes_and_seconds(61)
    '1:01'
    """
    return f"{seconds // 60}:{seconds % 60:02d}"

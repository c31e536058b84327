import math


def speaking_time(text: str) -> int:
    """Estimate how many seconds it takes to read a text on air, at two words a second.

    Asked as: how long does it take to read … on air; speaking time of …; how long is … on air
    """
    return math.ceil(len(text.split()) / 2)

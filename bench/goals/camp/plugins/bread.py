import math


def bread_needed(children: int) -> int:
    """Calculate how many loaves of bread are needed for a number of children."""
    return math.ceil(children * 3 / 8)

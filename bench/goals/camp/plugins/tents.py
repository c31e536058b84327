import math


def tents_needed(children: int, beds: int) -> int:
    """Work out how many tents are needed for a number of children.

    Args:
        children: how many come.
        beds: how many beds a tent has.
    """
    return math.ceil(children / beds)

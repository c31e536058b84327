"""Raised beds and rows."""
import math


def bed_soil(length: float, width: float, depth: float) -> float:
    """Work out how many litres of soil fill a raised bed.

    Asked as: how much soil for a raised bed of … by … and … deep; litres of earth for a bed

    Args:
        length: the length of the bed in metres.
        width: the width of the bed in metres.
        depth: the depth of the bed in centimetres.

    >>> bed_soil(1.0, 1.0, 10.0)
    100.0
    """
    return round(length * width * depth * 10, 1)


def plants_in_row(length: float, spacing: float) -> int:
    """How many plants fit in a row of a length in metres when they stand a spacing in centimetres apart, both ends planted."""
    return math.floor(length * 100 / spacing + 1e-9) + 1

"""How far one can see."""

import math


def horizon_distance(height: float) -> float:
    """Give how far away the horizon is at sea, in nautical miles, for an eye at a height.

    Asked as: how far is the horizon from … metres; distance to the horizon at a height of …

    Args:
        height: the height of the eye above the sea in metres.

    >>> horizon_distance(25)
    10.4
    """
    return round(2.08 * math.sqrt(height), 2)

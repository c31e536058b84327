"""How hard it blows."""

_LIMITS = (1, 4, 7, 11, 17, 22, 28, 34, 41, 48, 56, 64)


def beaufort(knots: float) -> int:
    """Give the Beaufort force of a wind speed.

    Asked as: which Beaufort force is a wind of … knots; what force is … knots; Beaufort number of …

    Args:
        knots: the speed of the wind in knots.

    >>> beaufort(30)
    7
    """
    return sum(knots >= limit for limit in _LIMITS)

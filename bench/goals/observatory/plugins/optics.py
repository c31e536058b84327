"""What a telescope shows."""

import math


def magnification(focal_length: float, eyepiece: float) -> float:
    """How many times a telescope magnifies, from its focal length and that of the eyepiece, both in millimetres."""
    return round(focal_length / eyepiece, 1)


def faintest_star(aperture: float) -> float:
    """The magnitude of the faintest star that can be seen through a telescope.

    Args:
        aperture: the width of the mirror or lens, in millimetres.

    >>> faintest_star(100)
    12.0
    """
    return round(2 + 5 * math.log10(aperture), 1)

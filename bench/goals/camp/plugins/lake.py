def warm_enough(degrees: float) -> bool:
    """Say whether the lake is warm enough to swim, by its temperature in degrees Celsius.

    Asked as: is the lake warm enough at …; can we swim at …
    """
    return degrees >= 20

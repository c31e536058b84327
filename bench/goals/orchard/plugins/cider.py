def cider_strength(start_gravity: float, final_gravity: float) -> float:
    """Work out the alcohol by volume, in percent, of a cider from its gravity before and after it fermented.

    Asked as: alcohol by volume of a cider that went from … to …; how strong is the cider; strength of the cider

    Args:
        start_gravity: the specific gravity of the juice, such as 1.050.
        final_gravity: the specific gravity of the cider, such as 1.000.

    >>> cider_strength(1.05, 1.0)
    6.5625
    """
    return round((start_gravity - final_gravity) * 131.25, 6)

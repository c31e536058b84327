def licence_fee(watts: float, months: int) -> float:
    """Work out the licence fee of a transmitter.

    Args:
        watts: its power.
        months: for how long.
    """
    return watts * months / 4

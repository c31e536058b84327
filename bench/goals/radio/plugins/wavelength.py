def wavelength(megahertz: float) -> float:
    """Work out the wavelength in metres of a frequency.

    Args:
        megahertz: the frequency in MHz.
    """
    return round(299.792458 / megahertz, 4)

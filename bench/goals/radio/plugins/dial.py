def dial_angle(frequency: float) -> float:
    """Turn the dial of an old set to a frequency: the angle in degrees."""
    return round((frequency - 87.5) / 20.5 * 270, 1)

def apple_bushels(kilos: float) -> float:
    """Say how many bushels a weight of apples makes (a bushel of apples weighs 19.05 kg).

    Asked as: how many bushels are … kg of apples; … kilos of apples in bushels

    Args:
        kilos: the weight in kilograms.

    >>> apple_bushels(38.1)
    2.0
    """
    return round(kilos / 19.05, 4)

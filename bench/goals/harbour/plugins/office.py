"""The ticket office."""


def fare(adults: int, children: int) -> float:
    """The price of ferry tickets for a number of adults and a number of children, in euros."""
    return round(adults * 14.5 + children * 6.8, 2)

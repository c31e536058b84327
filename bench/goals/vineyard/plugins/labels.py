"""What is printed on the labels."""


def lot_code(wine: str, year: int) -> str:
    """Make the lot code that is printed on the label of a wine of a year.

    Asked as: lot code of the … of …; lot number for the … from …

    Args:
        wine: the name of the wine.
        year: the year of its harvest.

    >>> lot_code("Dornfelder", 2020)
    'L20-DOR-6'
    """
    return f"L{year % 100:02d}-{wine.strip()[:3].upper()}-{(year + len(wine.strip())) % 8}"

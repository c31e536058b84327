"""Calendar matters."""


def leap_year(year: int) -> bool:
    """Tell whether a year is a leap year.

    Args:
        year: the year, such as 2024.

    >>> leap_year(2024)
    True
    """
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)

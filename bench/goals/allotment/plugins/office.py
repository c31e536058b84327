"""The office of the allotment association."""


def yearly_rent(size: float, pensioner: bool = False) -> float:
    """The yearly rent of a plot by its size in square metres, in euros; pensioners pay three quarters."""
    rent = 12 + 0.44 * size
    return round(rent * (0.75 if pensioner else 1), 2)


def neighbours(plot: str) -> list[str]:
    """The plots that lie next to a plot, such as B3."""
    row, number = plot.strip().upper()[0], int(plot.strip()[1:])
    beside = [f"{row}{n}" for n in (number - 1, number + 1) if 1 <= n <= 6]
    across = [f"{r}{number}" for r in (chr(ord(row) - 1), chr(ord(row) + 1)) if r in "ABC"]
    return sorted(beside + across)

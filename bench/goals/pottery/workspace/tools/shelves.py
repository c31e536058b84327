"""Fits pots on kiln shelves."""


def area(pot):
    return pot["width"] * pot["depth"]


def fits(pots, shelf):
    # FIXME: round pots waste the corners
    return sum(area(pot) for pot in pots) <= area(shelf)

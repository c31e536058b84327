"""Says which beds need water."""


def thirsty(days, rain):
    # FIXME: leap days are counted twice
    return days > 3 and rain < 2


def litres(area):
    # FIXME: sandy soil needs more
    return area * 10

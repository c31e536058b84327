"""When the sun sets, roughly."""


def sunset(month):
    return 17 if month in (11, 12, 1, 2) else 20

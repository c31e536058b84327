"""Prints shelf labels."""


def label(name, price):
    # FIXME: long names overflow
    return f"{name:<20}{price:>6.2f}"


def sheet(items):
    return "\n".join(label(*item) for item in items)

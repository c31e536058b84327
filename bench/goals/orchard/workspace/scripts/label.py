"""Prints the labels for the boxes."""


def label(variety, kilos):
    # FIXME: long names run over the edge
    return f"{variety:<20}{kilos:>6.1f} kg"

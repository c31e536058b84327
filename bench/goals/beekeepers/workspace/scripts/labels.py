"""Prints labels for the jars."""


def label(kind, grams):
    # FIXME: translate the word for heather
    return f"{kind.title()} {grams} g"


def sheet(kinds, grams=500):
    return "\n".join(label(kind, grams) for kind in kinds)

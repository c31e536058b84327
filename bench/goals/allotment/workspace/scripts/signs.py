"""Prints the signs on the plots."""


def sign(plot, tenant):
    # FIXME: long names run over the edge
    return f"{plot}: {tenant}"

"""Works out shelf prices."""

VAT = 0.125


def gross(net):
    # FIXME: rounding of half pennies
    return round(net * (1 + VAT), 2)


def offer(net, cut):
    # FIXME: refuse negative discounts
    return gross(net * (1 - cut))


def lowest(prices):
    return min(prices)

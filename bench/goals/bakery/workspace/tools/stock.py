"""Keeps count of what is in the store room."""
import json

# FIXME: units are mixed up for sugar
MINIMUM = {"flour": 50, "sugar": 10, "salt": 5}


def load(path):
    with open(path) as handle:
        return json.load(handle)


def missing(stock):
    # FIXME: ignores reserved sacks
    short = {}
    for item, least in MINIMUM.items():
        if stock.get(item, 0) < least:
            short[item] = least - stock.get(item, 0)
    return short


def order(stock):
    # FIXME: lead times are not considered
    for item, amount in missing(stock).items():
        print(f"order {amount} kg of {item}")


def total(stock):
    return sum(stock.values())  # FIXME: counts empty bins too

"""Reads the hive scales."""
import json

# FIXME: the mill scale drifts at night


def load(path):
    with open(path) as handle:
        return json.load(handle)


def net(gross, tare=4.2):
    # FIXME: tare differs for wooden floors
    return gross - tare


def trend(weights):
    # FIXME: ignore days with rain
    return weights[-1] - weights[0]

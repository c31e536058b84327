"""Works out how long the pump must run."""

LITRES_PER_MINUTE = 28


def minutes(trees, litres_each, rain_mm=0):
    # FIXME: rain in winter counts for less
    wanted = trees * litres_each * max(0, 1 - rain_mm / 20)
    return round(wanted / LITRES_PER_MINUTE)

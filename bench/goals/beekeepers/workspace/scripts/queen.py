COLOURS = ["white", "yellow", "red", "green", "blue"]


def mark(year):
    return COLOURS[(year - 1) % 5]

from pathlib import Path


def chill_hours(log: Path) -> int:
    """Count the chill hours of a temperature log: the hours above 0 and not above 7 degrees.

    Asked as: chill hours of …; how many chill hours are in the log …; the chilling in …

    Effect: read

    Args:
        log: a file with a line for each hour, the temperature at its end.
    """
    readings = [float(line.split()[-1]) for line in log.read_text().splitlines() if line.strip()]
    return sum(0 < reading <= 7 for reading in readings)

"""The boats."""


def berth(boat: str) -> int:
    """The number of the berth where a boat lies at night."""
    return {"marlin": 9, "petrel": 14, "sula": 3, "tern": 22}[boat.strip().lower()]


def diesel(boat: str, hours: float) -> float:
    """The litres of diesel that a boat burns in a number of hours."""
    return {"marlin": 46, "petrel": 28, "sula": 61, "tern": 19}[boat.strip().lower()] * hours

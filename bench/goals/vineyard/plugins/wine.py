"""The wines: in the must, in the shop."""


def potential_alcohol(brix: float) -> float:
    """The alcohol in percent by volume that a must of so many degrees Brix will give."""
    return round(brix * 0.55, 1)


def rack(wine: str) -> str:
    """The rack of the shop in which a wine stands."""
    return {"riesling": "B4", "silvaner": "C2", "pinot noir": "E7", "dornfelder": "A1"}[wine.strip().lower()]

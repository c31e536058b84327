"""Names in the sky."""

_SHORT = {
    "andromeda": "And",
    "aquila": "Aql",
    "cassiopeia": "Cas",
    "cygnus": "Cyg",
    "hercules": "Her",
    "leo": "Leo",
    "lyra": "Lyr",
    "orion": "Ori",
    "pegasus": "Peg",
    "perseus": "Per",
    "taurus": "Tau",
    "ursa major": "UMa",
    "ursa minor": "UMi",
}


def constellation_abbreviation(constellation: str) -> str:
    """The three-letter abbreviation of a constellation, as on the star charts."""
    return _SHORT[constellation.strip().lower()]

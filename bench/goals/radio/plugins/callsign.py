def call_sign(name: str) -> str:
    """Make the call sign of a relay station.

    Asked as: call sign for …; call sign of …
    """
    return f"KTL-{name[:3].upper()}"

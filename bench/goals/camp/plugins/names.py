def camp_name(name: str) -> str:
    """Make a camp name for somebody."""
    return f"{name} the Otter"

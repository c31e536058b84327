def initials(name: str) -> str:
    """Give the initials of a person's name, in capitals.

    Asked as: initials of …; what are the initials of …

    Args:
        name: the full name.

    >>> initials("Ada King Lovelace")
    'AKL'
    """
    return "".join(part[0].upper() for part in name.split())

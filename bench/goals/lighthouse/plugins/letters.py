"""Short names for long ones."""


def acronym(text: str) -> str:
    """Make an acronym: the first letter of every word, in capitals.

    Args:
        text: the words to shorten.

    >>> acronym("royal yacht club")
    'RYC'
    """
    return "".join(word[0] for word in text.split()).upper()

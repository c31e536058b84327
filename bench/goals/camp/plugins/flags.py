def flag_signals(text: str) -> str:
    """Write a text in flag signals.

    Asked as: … in flag signals; flag signals for …
    """
    return " ".join("-".join(word.upper()) for word in text.split())

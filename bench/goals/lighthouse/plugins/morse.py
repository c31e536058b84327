"""Signals by lamp."""

_CODE = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
        "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.".split(),
        strict=True,
    )
)


def morse(text: str) -> str:
    """Write a text in Morse code, with a space between letters and a slash between words.

    Asked as: Morse code for …; … in Morse; the dots and dashes of …

    Args:
        text: the text; what is neither a letter nor a digit is left out.

    >>> morse("SOS now")
    '... --- ... / -. --- .--'
    """
    words = [[_CODE[letter] for letter in word if letter in _CODE] for word in text.upper().split()]
    return " / ".join(" ".join(word) for word in words)

"""Spelling over the radio."""

_NAMES = (
    "Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November Oscar Papa Quebec Romeo "
    "Sierra Tango Uniform Victor Whiskey Xray Yankee Zulu"
)
_BY_LETTER = {name[0]: name for name in _NAMES.split()}


def radio_alphabet(text: str) -> str:
    """Spell a word in the radio alphabet, one code word for each letter.

    Asked as: spell … for the radio; … in the NATO alphabet; phonetic spelling of …

    Args:
        text: the word to spell.

    >>> radio_alphabet("sea")
    'Sierra Echo Alfa'
    """
    return " ".join(_BY_LETTER[letter] for letter in text.upper() if letter in _BY_LETTER)

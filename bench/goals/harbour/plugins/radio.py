"""The radio room."""

ALPHABET = (
    "Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November "
    "Oscar Papa Quebec Romeo Sierra Tango Uniform Victor Whiskey Xray Yankee Zulu"
).split()


def phonetic(word: str) -> str:
    """Spells a word with the phonetic alphabet of the radio: Alfa, Bravo, Charlie."""
    return " ".join(
        ALPHABET[ord(letter) - ord("A")] for letter in word.upper() if letter.isalpha() and letter.isascii()
    )

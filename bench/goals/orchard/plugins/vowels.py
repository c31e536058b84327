def count_vowels(text: str) -> int:
    """Count the vowels (a, e, i, o, u) in a text.

    Args:
        text: the text.

    >>> count_vowels("Apple")
    2
    """
    return sum(letter in "aeiou" for letter in text.lower())

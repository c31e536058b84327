import re


def count_rhymes(text: str) -> int:
    """Count the rhymes in a text: pairs of lines, one after the other, that end alike."""
    ends = [re.sub(r"\W+$", "", line)[-2:] for line in text.splitlines() if line.strip()]
    return sum(ends[n] == ends[n + 1] for n in range(0, len(ends) - 1, 2))

"""Tools that count, order, cut and search text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from fractions import Fraction
from typing import Any, Literal

from tools.dates import find_dates
from tools.errors import ToolError

__all__ = [
    "count_words",
    "count_lines",
    "count_characters",
    "count_occurrences",
    "count_items",
    "sort_lines",
    "unique_lines",
    "reverse_lines",
    "reverse_text",
    "change_case",
    "first_lines",
    "last_lines",
    "pick_line",
    "filter_lines",
    "number_lines",
    "longest_line",
    "extract_headings",
    "word_frequencies",
    "longest_word",
    "extract_emails",
    "extract_links",
    "extract_numbers",
    "extract_dates",
    "join_lines",
    "replace_text",
]

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_EMAIL = re.compile(r"[\w.+%-]+@(?:[\w-]+\.)+[^\W\d_]{2,}")
_LINK = re.compile(r"(?:\b(?:https?|ftp)://|\bwww\.)[^\s<>\"'`]+", re.IGNORECASE)
_FIGURES = re.compile(r"(?<![\w.])(?:(?<!,)[-+−])?(?:\d|\.(?=\d))(?:[\d,.]*\d)?(?:[eE][-+]?\d+)?(?!\w)")
_THOUSANDS = re.compile(r"[-+−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_CLOSING = {")": "(", "]": "[", "}": "{"}


def count_words(text: str) -> int:
    """Count the words of a text.

    Asked as: how many words …; number of words in …; word count of …; count the words in …; how many words are in …

    Args:
        text: the text.

    >>> count_words("one two  three")
    3
    >>> count_words("")
    0
    """
    return len(text.split())


def count_lines(text: str) -> int:
    r"""Count the lines of a text.

    Asked as: how many lines …; number of lines in …; line count of …; count the lines of …; how long is … in lines;
        length of … in lines

    Args:
        text: the text.

    >>> count_lines("one\ntwo\n")
    2
    >>> count_lines("")
    0
    """
    return len(_lines(text))


def count_characters(text: str) -> int:
    """Count the characters (letters, spaces and all) of a text.

    Asked as: how many characters …; number of characters in …; character count of …; how many letters in …; length of
        the text …; how long is the word …

    Args:
        text: the text; the end of its last line is not counted.

    >>> count_characters("café")
    4
    >>> count_characters("one two")
    7
    """
    return len(_without_end(text))


def count_occurrences(text: str, of: str) -> int:
    """Count how often a word or phrase occurs in a text.

    Asked as: how often does … occur in; how many times does … appear in; number of times … is mentioned; count the
        occurrences of …; count the … marks in; count every … in; count the … lines in; number of … lines in; how
        often is … used in; how many times is … used in; count the …s; number of …s in the text

    Args:
        text: the text to look in.
        of: the word or phrase; upper and lower case differ only where it has capitals.

    >>> count_occurrences("The cat and the other cat", "the")
    2
    >>> count_occurrences("# TODO: colours", "TODOs")
    1
    """
    wanted = of.strip()
    if not wanted:
        raise ToolError("no word to count was given")
    mark = re.fullmatch(r"([A-Z]{2,})s?", wanted)  # TODO, TODOs: a mark, asked for in the plural
    body = re.escape(mark[1]) + "s?" if mark else re.escape(wanted)
    before = r"(?<!\w)" if wanted[0].isalnum() else ""
    after = r"(?!\w)" if wanted[-1].isalnum() else ""
    flags = re.IGNORECASE if wanted == wanted.lower() else 0
    return len(re.findall(before + body + after, text, flags))


def count_items(items: list[Any]) -> int:
    """Count the items, the entries or results, of a list.

    Asked as: how many …; how many are there; count …; number of …; how many items in …; count the results; length of
        the list

    Args:
        items: the list.

    >>> count_items(["ann", "bob"])
    2
    >>> count_items([])
    0
    """
    return len(items)


def sort_lines(items: list[str], descending: bool = False) -> list[str]:
    """Sort lines or a list alphabetically (or by number, where all are numbers); blank lines are left out.

    Asked as: sort …; sort the lines of …; sort … alphabetically; … in alphabetical order; order … by name; put … in
        order; arrange … from A to Z; … in reverse alphabetical order; … from Z to A

    Args:
        items: the lines or list.
        descending: from Z to A, or from the largest number down.

    >>> sort_lines(["pear", "Apple", "fig 10", "fig 9"])
    ['Apple', 'fig 9', 'fig 10', 'pear']
    >>> sort_lines(["2", "10"], descending=True)
    ['10', '2']
    """
    kept = [item for item in items if item.strip()]
    numbers = [_as_number(item) for item in kept]
    if all(number is not None for number in numbers):
        pairs = sorted(zip(numbers, kept, strict=True), key=lambda pair: pair[0] or 0, reverse=descending)
        return [item for _, item in pairs]
    return sorted(kept, key=_natural, reverse=descending)


def unique_lines(items: list[str]) -> list[str]:
    """Remove duplicates from lines or a list, so that each stays once, in order; blank lines are left out.

    Asked as: unique …; the distinct …; drop the duplicates of …; remove duplicates from …; deduplicate …; … without
        duplicates; remove repeated lines of …; the different …; each … only once

    Args:
        items: the lines or list.

    >>> unique_lines(["b", "a", "b"])
    ['b', 'a']
    >>> unique_lines(["a", "A", ""])
    ['a', 'A']
    """
    kept: dict[str, str] = {}
    for item in items:
        if item.strip():
            kept.setdefault(item.strip(), item)
    return list(kept.values())


def reverse_lines(items: list[str]) -> list[str]:
    """Reverse the order of lines or a list, so that the last comes first.

    Asked as: reverse the lines of …; reverse the order of …; … in reverse order; … backwards, last line first; flip
        the list …; turn the list … around; … upside down; turn … upside down;
        last line on top; … from bottom to top

    Args:
        items: the lines or list.

    >>> reverse_lines(["a", "b", "c"])
    ['c', 'b', 'a']
    >>> reverse_lines([])
    []
    """
    return items[::-1]


def reverse_text(text: str) -> str:
    """Reverse the characters of a text, so that it is spelt backwards.

    Asked as: reverse the word …; reverse the text …; … spelled backwards; … backwards; … from back to front; mirror
        the text …

    Args:
        text: the text.

    >>> reverse_text("harbour")
    'ruobrah'
    >>> reverse_text("")
    ''
    """
    letters: list[str] = []
    for character in _without_end(text):
        if letters and (unicodedata.combining(character) or character in "\u200d\ufe0f"):
            letters[-1] += character  # an accent stays on its letter
        else:
            letters.append(character)
    return "".join(reversed(letters))


def change_case(text: str, case: Literal["upper", "lower", "title", "sentence"]) -> str:
    """Change the case of a text to upper case, lower case, Title Case or sentence case.

    Asked as: uppercase …; lowercase …; … in capitals; … in upper case; … in lower case; capitalise …; … in capital
        letters; … in title case; … in small letters; make … all caps

    Args:
        text: the text.
        case: upper (CAPITALS), lower, title (Each Word), sentence (first letter of each sentence).

    >>> change_case("The harbour's edge", "upper")
    "THE HARBOUR'S EDGE"
    >>> change_case("the harbour's edge", "title")
    "The Harbour's Edge"
    """
    if case == "upper":
        return text.upper()
    if case == "lower":
        return text.lower()
    starts = r"[^\W_]+(?:['’][^\W_]+)*" if case == "title" else r"(?:^|(?<=[.!?])\s+)\W*\w"
    change = str.capitalize if case == "title" else str.upper
    return re.sub(starts, lambda found: change(found[0]), text.lower())


def first_lines(text: str, count: int = 1) -> str:
    r"""Give the first line of a text, or its first few lines (head).

    Asked as: the first line of …; first … lines of; the top lines of …; the beginning of …; head of …; the start of
        …; the title line of …

    Args:
        text: the text.
        count: how many lines.

    >>> first_lines("one\ntwo\nthree")
    'one'
    >>> first_lines("one\ntwo\nthree", 2)
    'one\ntwo'
    """
    return "\n".join(_lines(text)[: _positive(count)])


def last_lines(text: str, count: int = 1) -> str:
    r"""Give the last line of a text, or its last few lines (tail).

    Asked as: the last line of …; last … lines of; the final line of …; the end of …; tail of …; the bottom lines of …

    Args:
        text: the text.
        count: how many lines.

    >>> last_lines("one\ntwo\nthree\n")
    'three'
    >>> last_lines("one\ntwo\nthree", 2)
    'two\nthree'
    """
    return "\n".join(_lines(text)[-_positive(count) :])


def pick_line(text: str, number: int) -> str:
    r"""Give the one line of a text that has a certain number.

    Asked as: line … of; line number … of; the third line of …; the …th line of; the nth line of …; what does line …
        say

    Args:
        text: the text.
        number: which line: 1 is the first, -1 the last.

    >>> pick_line("one\ntwo\nthree", 2)
    'two'
    >>> pick_line("one\ntwo\nthree", -1)
    'three'
    """
    lines = _lines(text)
    if not 1 <= abs(number) <= len(lines):
        raise ToolError(f"there is no line {number}; the text has {len(lines)} lines, and the first is line 1")
    return lines[number - 1 if number > 0 else number]


def filter_lines(
    text: str, pattern: str, match: Literal["contains", "starts with", "ends with"] = "contains", exclude: bool = False
) -> list[str]:
    r"""Give the lines of a text that contain, start with or end with something, or those that do not.

    Asked as: the lines of … that contain …; lines containing …; lines starting with …; lines ending with …; lines that
        do not contain …; every line that says …

    Args:
        text: the text.
        pattern: what to look for, as it stands; upper and lower case differ only where it has capitals.
        match: where in a line it must stand.
        exclude: give the other lines instead.

    >>> filter_lines("red boat\nblue sail\nred sail", "red", "starts with")
    ['red boat', 'red sail']
    >>> filter_lines("red boat\nblue sail", "boat", exclude=True)
    ['blue sail']
    """
    wanted = pattern.strip()
    if not wanted:
        raise ToolError("no text to look for was given")
    plain = str if wanted != wanted.lower() else str.lower
    fits = {"contains": str.__contains__, "starts with": str.startswith, "ends with": str.endswith}[match]
    return [line for line in _lines(text) if bool(fits(plain(line.strip()), wanted)) != exclude]


def number_lines(items: list[str]) -> list[str]:
    """Number lines or a list: each with its number before it.

    Asked as: number the lines of …; number each line …; … with line numbers; put numbers in front of the lines …;
        … as a numbered list

    Args:
        items: the lines or list.

    >>> number_lines(["ann", "bob"])
    ['1. ann', '2. bob']
    >>> number_lines([])
    []
    """
    return [f"{number}. {item}" for number, item in enumerate(items, 1)]


def longest_line(items: list[str], which: Literal["longest", "shortest"] = "longest") -> str:
    """Find the longest or the shortest line, or entry of a list (the first, where several are as long).

    Asked as: the longest line of …; the shortest line in …; which line of … is the longest; the longest name in …; the
        shortest name in …; the longest entry …

    Args:
        items: the lines or list; blank ones do not count.
        which: the longest or the shortest.

    >>> longest_line(["ann", "robert", "", "jo"])
    'robert'
    >>> longest_line(["ann", "robert", "", "jo"], "shortest")
    'jo'
    """
    filled = [item for item in items if item.strip()]
    if not filled:
        raise ToolError("there are no lines, so there is no longest or shortest one")
    return (max if which == "longest" else min)(filled, key=lambda item: len(item.strip()))


def extract_headings(text: str) -> list[str]:
    r"""Extract the headings of a Markdown text, in order.

    Asked as: headings of …; the headings in …; section titles of …; list the headings …; which headings does … have;
        titles of the sections …

    Args:
        text: the text; what stands in a block of code is no heading.

    >>> extract_headings("# Tides\n\nText.\n\n## Spring tides ##\n")
    ['Tides', 'Spring tides']
    >>> extract_headings("no heading")
    []
    """
    prose = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return [found.strip() for found in re.findall(r"^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$", prose, re.MULTILINE)]


def word_frequencies(text: str, top: int = 10) -> dict[str, int]:
    """Find the most common words of a text and how often each occurs.

    Asked as: the most common words in …; the most frequent words of …; word frequencies of …; top … words in; how
        often each word occurs in …; the most used words of …; commonest words in …; which word … most frequent in

    Args:
        text: the text.
        top: how many words, the most common first.

    >>> word_frequencies("the cat and the dog", 2)
    {'the': 2, 'cat': 1}
    >>> word_frequencies("Go, go, GO!")
    {'go': 3}
    """
    return dict(Counter(_WORD.findall(text.lower())).most_common(_positive(top)))


def longest_word(text: str) -> str:
    """Find the longest word of a text (the first, where several are as long).

    Asked as: the longest word in …; the longest word of …; which word of … is the longest; the word with the most
        letters in …; biggest word in …

    Args:
        text: the text.

    >>> longest_word("A harbour, by the sea.")
    'harbour'
    >>> longest_word("one two three")
    'three'
    """
    words: list[str] = _WORD.findall(text)
    if not words:
        raise ToolError("the text holds no word, so there is no longest one")
    return max(words, key=len)


def extract_emails(text: str) -> list[str]:
    """Extract the e-mail addresses of a text, each once.

    Asked as: e-mail addresses in …; extract the emails from …; which email addresses appear in …; find all emails in
        …; mail addresses of …; list the e-mails in …

    Args:
        text: the text.

    >>> extract_emails("Write to desk@harbour.example, or ann.b@sea.example.")
    ['desk@harbour.example', 'ann.b@sea.example']
    >>> extract_emails("no address")
    []
    """
    return list(dict.fromkeys(found.lstrip(".") for found in _EMAIL.findall(text)))


def extract_links(text: str) -> list[str]:
    """Extract the links, the web addresses or URLs, of a text, each once.

    Asked as: links in …; extract the urls from …; web addresses in …; which websites does … mention; find all links
        in …; list the urls of …; hyperlinks in …

    Args:
        text: the text.

    >>> extract_links("See https://tides.example/today, and (www.sea.example).")
    ['https://tides.example/today', 'www.sea.example']
    >>> extract_links("no link")
    []
    """
    return list(dict.fromkeys(_trimmed_link(found) for found in _LINK.findall(text)))


def extract_numbers(text: str) -> list[float]:
    """Extract the numbers that stand in a text, in order.

    Asked as: numbers in …; extract the numbers from …; which numbers appear in …; find all numbers in …; list the
        figures in …; pull the numbers out of …

    Args:
        text: the text; numbers that are part of a word, such as A4, are left out.

    >>> extract_numbers("12 boats, 1,250.5 tonnes, -3 degrees on the A4")
    [12, 1250.5, -3]
    >>> extract_numbers("none")
    []
    """
    written: list[str] = []
    for figures in _FIGURES.findall(text):  # a comma parts thousands, or else one number from the next
        written += [figures] if _THOUSANDS.fullmatch(figures) else figures.split(",")
    found = map(_as_number, written)
    return [int(number) if number.denominator == 1 else float(number) for number in found if number is not None]


def extract_dates(text: str) -> list[str]:
    """Extract the dates that stand in a text, each once, as 2026-01-31 where day and month are plain.

    Asked as: dates in …; extract the dates from …; which dates appear in …; find all dates in …; list the dates
        mentioned in …; what days does … mention

    Args:
        text: the text.

    >>> extract_dates("From 3 May 1999 to 2000-01-31.")
    ['1999-05-03', '2000-01-31']
    >>> extract_dates("on 03/04/2024")
    ['03/04/2024']
    """
    return list(dict.fromkeys(find_dates(text)))


def join_lines(items: list[str], separator: str = ", ") -> str:
    """Join lines or a list into one line of text.

    Asked as: join …; join the lines of … with commas; put … on one line; … on one line; … on one line with commas;
        combine … into one line; … separated by commas; … with commas between; concatenate …; as a comma-separated list

    Args:
        items: the lines or list.
        separator: what stands between two of them.

    >>> join_lines(["ann", "bob"])
    'ann, bob'
    >>> join_lines(["1", "2"], " + ")
    '1 + 2'
    """
    return separator.join(items)


def replace_text(text: str, old: str, new: str) -> str:
    """Replace a word or phrase of a text by another, everywhere.

    Asked as: replace … with; replace … by; change … to; substitute … for; swap the word … for; find and replace …;
        turn every … into

    Args:
        text: the text.
        old: what to replace, as it stands.
        new: what to put in its place; nothing removes it.

    >>> replace_text("red boat, red sail", "red", "blue")
    'blue boat, blue sail'
    >>> replace_text("a-b", "-", "")
    'ab'
    """
    if not old:
        raise ToolError("nothing to replace was given; say which text should be replaced")
    return text.replace(old, new)


def _lines(text: str) -> list[str]:
    """The lines as an editor counts them; unlike splitlines, a form feed or the like ends none."""
    return re.split(r"\r\n|\n|\r", _without_end(text)) if text else []


def _without_end(text: str) -> str:
    return re.sub(r"(?:\r\n|\n|\r)\Z", "", text)


def _positive(count: int) -> int:
    if count < 1:
        raise ToolError(f"{count} is not a number of things to take; ask for 1 or more")
    return count


def _as_number(text: str) -> Fraction | None:
    """An exact number, so that sorting loses nothing; None where the text is none."""
    plain = text.strip().replace(",", "").replace("−", "-")
    if not re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", plain):
        return None
    return Fraction(plain)


def _natural(item: str) -> tuple[list[tuple[int, int, str]], str]:
    """Order as a person would: case and accents aside, file 9 before file 10."""
    plain = unicodedata.normalize("NFKD", item.strip().casefold())
    bare = "".join(character for character in plain if not unicodedata.combining(character))
    parts = re.findall(r"[0-9]+|[^0-9]+", bare)
    return [(0, int(part), "") if part[0].isdigit() and part.isascii() else (1, 0, part) for part in parts], item


def _trimmed_link(link: str) -> str:
    """A link without the punctuation of the sentence it stands in; its own brackets stay."""
    while link:
        opening = _CLOSING.get(link[-1])
        if link[-1] in ".,;:!?*_" or (opening and link.count(opening) < link.count(link[-1])):
            link = link[:-1]
        else:
            break
    return link

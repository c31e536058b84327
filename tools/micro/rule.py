"""Rules that were found in examples, kept as JSON that a person can read: a decision list, a program over plain text
functions, endings to change, or patterns of what to take out of a text.

The file holds no code and no regular expressions: each step is one of those named here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from tools.errors import ModelFileError
from tools.micro.manifest import MicroModel

Answer = tuple[str, float, tuple[float, ...]]
VERSION = 1
LONGEST_PROGRAM = 4
MOST_RUNS = 24
LONGEST_SEARCHED = 10_000  # characters in which a pattern looks; its time can grow with the square of them


# -- classes: a decision list


def words_of(text: str) -> str:
    """The words and marks of a text in lower case, one space about each, so that `" word "` is found whole."""
    return " " + " ".join(re.findall(r"\w+|[^\w\s]", text.lower())) + " "


def letters_of(text: str) -> str:
    """A text in lower case with a space at both ends, so that beginnings and ends of words can be told."""
    return f" {text.lower()} "


@dataclass(frozen=True, slots=True)
class Line:
    """If the words (or the letters) of an input hold a text, these are the chances of the labels."""

    input: str
    by: str
    has: str
    chances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DecisionList:
    """The first line that holds decides; if none does, `otherwise`."""

    labels: tuple[str, ...]
    lines: tuple[Line, ...]
    otherwise: tuple[float, ...]

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, str]) -> Answer:
        views = {(name, by): view(text) for name, text in row.items() for by, view in VIEWS.items()}
        chances = next((line.chances for line in self.lines if line.has in views[line.input, line.by]), self.otherwise)
        best = max(range(len(chances)), key=chances.__getitem__)
        return self.labels[best], chances[best], chances


VIEWS: dict[str, Callable[[str], str]] = {"words": words_of, "letters": letters_of}


# -- texts made of texts: programs and endings


def _word(text: str, place: int) -> str | None:
    words = text.split()
    return words[place] if -len(words) <= place < len(words) else None


def _part(text: str, mark: str, place: int) -> str | None:
    parts = text.split(mark) if mark else []
    return parts[place].strip() if len(parts) > 1 and -len(parts) <= place < len(parts) else None


def _swap(text: str, mark: str) -> str | None:
    head, found, tail = text.partition(mark) if mark else (text, "", "")
    return f"{tail.strip()} {head.strip()}" if found else None


PLAIN: dict[str, Callable[[str], str | None]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "capitalize": str.capitalize,
    "swapcase": str.swapcase,
    "reverse": lambda text: text[::-1],
    "reverse words": lambda text: " ".join(text.split()[::-1]),
    "sort words": lambda text: " ".join(sorted(text.split())),
    "sort letters": lambda text: "".join(sorted(text)),
    "unique words": lambda text: " ".join(dict.fromkeys(text.split())),
    "keep digits": lambda text: re.sub(r"\D", "", text),
    "keep letters": lambda text: re.sub(r"[\W\d_]", "", text),
    "drop digits": lambda text: " ".join(re.sub(r"\d", "", text).split()),
    "drop marks": lambda text: " ".join(re.sub(r"[^\w\s]", "", text).split()),
    "drop spaces": lambda text: re.sub(r"\s", "", text),
    "drop vowels": lambda text: re.sub(r"(?i)[aeiou]", "", text),
    "initials": lambda text: "".join(word[0] for word in text.split()),
    "count words": lambda text: str(len(text.split())),
    "count letters": lambda text: str(len(text)),
    "join by -": lambda text: "-".join(re.findall(r"\w+", text)),
    "join by _": lambda text: "_".join(re.findall(r"\w+", text)),
    "split capitals": lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text),
    "first letter": lambda text: text[:1],
    "last letter": lambda text: text[-1:],
    "drop zeros": lambda text: text.lstrip("0") or "0",
}
GIVEN: dict[str, tuple[tuple[type, ...], Callable[..., str | None]]] = {
    "word": ((int,), _word),
    "part": ((str, int), _part),
    "swap": ((str,), _swap),
    "replace": ((str, str), lambda text, old, new: text.replace(old, new) if old else None),
    "add before": ((str,), lambda text, more: more + text),
    "add after": ((str,), lambda text, more: text + more),
    "begin": ((int,), lambda text, size: text[:size]),
    "finish": ((int,), lambda text, size: text[-size:] if size else None),
    "pad zeros": ((int,), lambda text, size: text.zfill(min(size, 64))),
}

Step = tuple[Any, ...]
"""The name of a function, and what it is given besides the text."""


def run(program: Sequence[Step], text: str) -> str | None:
    """What a program makes of a text; None where a step does not apply."""
    result: str | None = text
    for name, *given in program:
        if result is None:
            return None
        result = PLAIN[name](result) if name in PLAIN else GIVEN[name][1](result, *given)
    return result


def filled(template: str, row: Mapping[str, str]) -> str:
    """A template with the inputs in their places."""
    return re.sub(r"\{(\w+)\}", lambda found: row[found[1]], template)


@dataclass(frozen=True, slots=True)
class Program:
    """Steps that are run on the inputs in the places of a template."""

    template: str
    steps: tuple[Step, ...]
    share: float

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        made = [(filled(self.template, row), row) for row in rows]
        results = [run(self.steps, text) for text, _ in made]
        return [
            (text if result is None else result, 0.0 if result is None else self.share, ())
            for result, (text, _) in zip(results, made, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Endings:
    """The longest known ending of the input `main` is changed; which ones there are depends on the other inputs."""

    main: str
    others: tuple[str, ...]
    table: dict[tuple[str, str], tuple[str, str, float]]  # by the other inputs and the ending: old, new, share
    longest: int

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, str]) -> Answer:
        text, when = row[self.main], " / ".join(row[name] for name in self.others)
        change = self.change(when, "^" + text, self.longest) or self.change("*", "^" + text, self.longest)
        if change is None or not text.endswith(change[0]):
            return text, 0.0, ()
        return text[: len(text) - len(change[0])] + change[1], change[2], ()

    def change(self, when: str, marked: str, longest: int) -> tuple[str, str, float] | None:
        """The change for the longest known ending of at most so many letters."""
        for size in range(min(longest, len(marked)), -1, -1):
            change = self.table.get((when, marked[len(marked) - size :]))
            if change:
                return change
        return None


# -- stretches taken out of texts: patterns

LETTERS, DIGITS = r"[^\W\d_]", r"\d"
NAMED = {
    "e-mail": r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+){1,6}",
    "address": r"(?:https?://|www\.)[^\s<>\"']*[^\s<>\"'.,;:!?)]",
    "date": r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}",
    "time": r"\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\b\.?)?",
    "amount": r"[$€£¥] ?\d+(?:[.,]\d+){0,6}|\d+(?:[.,]\d+){0,6} ?(?:[$€£¥]|EUR|USD|GBP)",
    "number": r"-?\d+(?:[.,]\d+){0,6}",
    "phone": r"\+?\d[\d ()/-]{5,}\d",
    "tag": r"#\w+",
    "handle": r"@\w+",
    "code": r"(?=\w*\d)(?=\w*[^\W\d_])\w+(?:-\w+)*",
    "name": r"[A-Z][\w'’-]*(?: [A-Z][\w'’-]*)*",
    "word": r"[\w'’-]+",
    "glued": r"\S+",
    "rest": r".+?",
    "words": r"[\w'’-]+(?: [\w'’-]+)*?",
}

Run = tuple[str, int]
"""A run of letters ("a"), of digits ("0") or of one mark, and how many; 0 for any number."""


def runs_of(text: str, exact: bool) -> tuple[Run, ...]:
    """The shape of a text; with `exact`, how many digits a run has counts."""
    found = re.finditer(rf"{LETTERS}+|{DIGITS}+|(\W|_)\1*", text)
    return tuple(_run(match[0], exact) for match in found)


def _run(piece: str, exact: bool) -> Run:
    if piece.isalpha():
        return "a", 0
    if piece[0].isdecimal():
        return "0", len(piece) if exact else 0
    return piece[0], len(piece)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a stretch looks like (a name of `NAMED`, or runs), what stands before and after it, and which one it is.

    `when` are the other inputs, joined, for which it is meant; "*" for all.
    """

    looks: str | tuple[Run, ...]
    before: str
    after: str
    last: bool
    when: str
    share: float


@lru_cache(maxsize=4096)
def compiled(looks: str | tuple[Run, ...], before: str, after: str) -> re.Pattern[str]:
    """The regular expression of a pattern; "^" before is the beginning of the text, "$" after its end."""
    body = NAMED[looks] if isinstance(looks, str) else "".join(_run_expression(*run) for run in looks)
    lead = {"": r"(?<![\w])" if looks != "rest" else "", "^": r"^\s*"}.get(before, _literal(before) + r"\s*")
    tail = {"": r"(?![\w])" if looks != "rest" else "$", "$": r"\s*[.!?]?\s*$"}.get(after, r"\s*" + _literal(after))
    return re.compile(f"{lead}(?P<found>{body}){tail}", re.IGNORECASE if looks != "name" else 0)


def _literal(text: str) -> str:
    """A text to be found, a word as a whole one; any case, also where the rest of a pattern minds it."""
    edge = [r"(?<!\w)" if text[:1].isalnum() else "", r"(?!\w)" if text[-1:].isalnum() else ""]
    return f"{edge[0]}(?i:{re.escape(text)}){edge[1]}"


def _run_expression(kind: str, count: int) -> str:
    piece = {"a": LETTERS, "0": DIGITS}.get(kind, re.escape(kind))
    return piece + (f"{{{count}}}" if count else "+")


def stretch(pattern: Pattern, text: str) -> str | None:
    """What a pattern finds in a text."""
    expression = compiled(pattern.looks, pattern.before, pattern.after)
    if not pattern.last:
        found = expression.search(text)
        return found["found"] if found else None
    result = None
    for match in expression.finditer(text):
        result = match["found"]
    return result


@dataclass(frozen=True, slots=True)
class Patterns:
    """The first pattern that finds something in the input `main`."""

    main: str
    others: tuple[str, ...]
    patterns: tuple[Pattern, ...]

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, str]) -> Answer:
        when = " / ".join(row[name] for name in self.others)
        for pattern in self.patterns:
            found = stretch(pattern, row[self.main][:LONGEST_SEARCHED]) if pattern.when in (when, "*") else None
            if found:
                return found, pattern.share, ()
        return row[self.main][:LONGEST_SEARCHED], 0.0, ()


# -- files

Rules = DecisionList | Program | Endings | Patterns


def read(model: MicroModel) -> Rules:
    """The reader of a model of the form `rule`; raises ModelFileError, naming the file, where it is damaged."""
    try:
        about = json.loads(model.path.read_text(encoding="utf-8"))
        if about["version"] != VERSION:
            raise ModelFileError(
                f"{model.path}: was written by another zooid (version {about['version']} of the form, this one reads "
                f"{VERSION}); forge {model.name} again"
            )
        return parsed(model, about)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelFileError(
            f"{model.path}: holds no rules, or is damaged ({error}); copy it again or forge {model.name} again"
        ) from error


def parsed(model: MicroModel, about: Mapping[str, Any]) -> Rules:
    """Rules out of what a file holds; raises ValueError and the like where it is not as it should be."""
    names = {wanted.name for wanted in model.inputs}
    if about["kind"] != model.kind or set(about["inputs"]) != names:
        raise ValueError("it was made for other inputs or another kind of answer than the manifest names")
    if model.kind == "classify":
        return _decision_list(tuple(label.text for label in model.labels), names, about)
    main, *others = about["inputs"]
    if model.kind == "extract":
        return Patterns(main, tuple(others), tuple(_pattern(each) for each in about["patterns"]))
    if "steps" in about:
        template = str(about["template"])
        if not set(re.findall(r"\{(\w+)\}", template)) <= names:
            raise ValueError("its template names what is no input")
        steps = tuple(_step(step) for step in about["steps"][:LONGEST_PROGRAM])
        return Program(template, steps, _share(about["share"]))
    table = {(str(w), str(e)): (str(old), str(new), _share(share)) for w, e, old, new, share in about["endings"]}
    return Endings(main, tuple(others), table, max((len(ending) for _, ending in table), default=0))


def _share(value: object) -> float:
    share = float(cast(float, value))
    if not 0 <= share <= 1:
        raise ValueError(f"{share} is no share")
    return share


def _decision_list(labels: tuple[str, ...], names: set[str], about: Mapping[str, Any]) -> DecisionList:
    def chances(given: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(_share(given.get(label, 0.0)) for label in labels)

    lines = tuple(
        Line(str(line["input"]), str(line["by"]), str(line["has"]), chances(line["chances"])) for line in about["lines"]
    )
    if any(line.input not in names or line.by not in VIEWS for line in lines):
        raise ValueError("a line asks for what is no input, or by something other than words or letters")
    return DecisionList(labels, lines, chances(about["otherwise"]))


def _step(given: Sequence[Any]) -> Step:
    name, *rest = given
    kinds = () if name in PLAIN else GIVEN[name][0]
    if len(kinds) != len(rest) or any(type(value) is not kind for value, kind in zip(rest, kinds, strict=True)):
        raise ValueError(f"the step {name!r} is not given what it takes")
    return (name, *rest)


def _pattern(given: Mapping[str, Any]) -> Pattern:
    looks = given["looks"]
    if not isinstance(looks, str):
        looks = tuple((str(kind), int(count)) for kind, count in looks)
        kinds = [kind for kind, _ in looks]
        # two open runs of one kind side by side would make matching take forever
        if not 1 <= len(looks) <= MOST_RUNS or any(a == b or len(b) != 1 for a, b in zip(["", *kinds], kinds)):  # noqa: B905
            raise ValueError("a pattern has runs that do not fit each other")
        if any(not 0 <= count <= 100 for _, count in looks):
            raise ValueError("a pattern has a run that is too long")
    elif looks not in NAMED:
        raise ValueError(f"{looks!r} is no pattern")
    before, after, when = (str(given[name]) for name in ("before", "after", "when"))
    return Pattern(looks, before, after, bool(given["last"]), when, _share(given["share"]))

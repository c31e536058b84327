"""How rows are written down for a network: the template, the vocabulary, and the tokens of a row."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol

from tools.forge.candidate import Job, Row, Unfit
from tools.forge.vocabulary import (
    NORMAL,
    Pieces,
    Tokenizer,
    Vocabulary,
    byte_vocabulary,
    character_vocabulary,
)

CLOSED, SEEN = 256, 8
"""An input is closed where it has at most so many values, each seen so many times on average: each is one token."""
LONG_TEXT = 140
"""Rows of more characters than this, on average, are split into word pieces and not into characters."""
ETX = "\x03"


@dataclass(frozen=True)
class Frame:
    """How a row is asked: the template, the text that ends an answer, and the texts that are one token each."""

    template: str
    stop: str
    names: tuple[str, ...]
    open: tuple[str, ...]
    lower: bool = False

    def prompt(self, inputs: dict[str, str]) -> str:
        """The text that the model is given."""
        given = {name: text.lower() for name, text in inputs.items()} if self.lower else inputs
        return re.sub(r"\{(\w+)\}", lambda found: given[found[1]], self.template)


def frame(job: Job) -> Frame:
    """Closed inputs first, in brackets, so that the rest is read in their light; a line for each open one."""
    closed = [name for name in job.inputs if _closed(job.train, name)]
    free = [name for name in job.inputs if name not in closed]
    if not free:  # something has to be read
        free = [max(job.inputs, key=lambda name: len({row.inputs[name] for row in job.train}))]
        closed = [name for name in job.inputs if name not in free]
    lower = job.kind == "classify"
    values = sorted({row.inputs[name].lower() if lower else row.inputs[name] for name in closed for row in job.train})
    template = "".join(f"[{{{name}}}]" for name in closed) + "".join(f"{{{name}}}\n" for name in free)
    stop = ETX if any("\n" in row.output for row in job.train) else "\n"
    return Frame(template, stop, tuple(f"[{value}]" for value in values), tuple(free), lower)


def _closed(rows: Sequence[Row], name: str) -> bool:
    values = {row.inputs[name] for row in rows}
    return len(values) <= CLOSED and len(values) * SEEN <= len(rows) and max(map(len, values)) <= 64


def lengths(job: Job) -> float:
    """The mean length of a row in characters: open inputs, and the output where it is written."""
    names, written = frame(job).open, job.kind != "classify"
    texts = sum(sum(len(row.inputs[name]) for name in names) + written * len(row.output) for row in job.train)
    return texts / max(1, len(job.train))


def by_pieces(job: Job) -> bool:
    """Whether a job's texts are split into word pieces: long ones are, and those of classifiers that are not words."""
    return lengths(job) > (24 if job.kind == "classify" else LONG_TEXT)


class Coder(Protocol):
    """Makes tokens of rows. `labels` are the texts of the label tokens, `mark` differs where the tokens do."""

    frame: Frame
    labels: list[str]

    @property
    def mark(self) -> str: ...

    def label_ids(self) -> list[int]: ...

    def prompt(self, inputs: dict[str, str]) -> list[int]:
        """The tokens that the model is given, the start token first."""

    def answer(self, inputs: dict[str, str], output: str) -> list[int]:
        """The tokens that it has to write after them, the stop last."""

    def at_random(self, tokens: list[int], share: float, chance: random.Random) -> list[int]:
        """The same text in other tokens."""


def pair(coder: Coder, inputs: dict[str, str], output: str) -> tuple[list[int], int]:
    """The tokens of a whole row, and where its answer starts."""
    prompt = coder.prompt(inputs)
    return prompt + coder.answer(inputs, output), len(prompt)


class Encoder:
    """Makes tokens of rows; what it needs for it is learnt from the rows to train on."""

    def __init__(self, job: Job, pieces: int) -> None:
        self.frame = frame(job)
        self.labels = [f"<label {number}>" for number in range(len(job.labels))]
        self.pieces: Pieces | None = None
        if by_pieces(job):
            self.pieces = self._learn(job, pieces)
            self.vocabulary: Vocabulary = self.pieces.vocabulary
        else:
            texts = [text for row in job.train for text in (*self._shown(row).values(), row.output)]
            # a text in ASCII has no characters but bytes
            plain = all(text.isascii() for text in texts)
            make = byte_vocabulary(self.labels, self.frame.names)
            self.vocabulary = make if plain else character_vocabulary(texts, self.labels, self.frame.names)
        self.tokenizer = Tokenizer(self.vocabulary)
        kinds = zip(self.vocabulary.pieces, self.vocabulary.kinds, strict=True)
        self._normal = {piece: n for n, (piece, kind) in enumerate(kinds) if kind == NORMAL}
        self._split = dict[int, list[tuple[int, int]]]()

    def _shown(self, row: Row) -> dict[str, str]:
        return {name: text.lower() if self.frame.lower else text for name, text in row.inputs.items()}

    def _learn(self, job: Job, size: int) -> Pieces:
        answers = job.kind != "classify"
        texts = [self._shown(row)[name] for row in job.train for name in self.frame.open]
        texts += [line for row in job.train for line in row.output.split("\n") if answers]
        texts = [" ".join(text.split()) for text in texts if text]
        while True:
            try:
                return Pieces(texts, size, self.labels, self.frame.names, prefix=not answers)
            except RuntimeError as error:
                size = _other_size(str(error), size)

    def prompt(self, inputs: dict[str, str]) -> list[int]:
        """The tokens that the model is given, the start token first."""
        return self.tokenizer(self.frame.prompt(inputs))

    def at_random(self, tokens: list[int], share: float, chance: random.Random) -> list[int]:
        """The same text in other pieces: a share of the pieces is split in two, and their halves again.

        It does what BPE dropout does (Provilkov et al., 2020), and follows from the seed, which sentencepiece's own
        sampling does not.
        """
        found = list[int]()
        for token in tokens:
            halves = self._halves(token) if chance.random() < share else []
            found += self.at_random(list(chance.choice(halves)), share, chance) if halves else [token]
        return found

    def _halves(self, token: int) -> list[tuple[int, int]]:
        """The pairs of pieces that make up a piece."""
        known = self._split.get(token)
        if known is None:
            text = self.vocabulary.pieces[token] if self.vocabulary.kinds[token] == NORMAL else ""
            pairs = ((self._normal.get(text[:at]), self._normal.get(text[at:])) for at in range(1, len(text)))
            known = [(one, two) for one, two in pairs if one is not None and two is not None]
            self._split[token] = known
        return known

    def answer(self, inputs: dict[str, str], output: str) -> list[int]:
        """The tokens that it has to write after them, the stop last."""
        return self.tokenizer(output + self.frame.stop)[1:]

    def label_ids(self) -> list[int]:
        """The ids of the label tokens, in the order of the labels."""
        return self.vocabulary.label_ids()

    @property
    def mark(self) -> str:
        return repr((self.vocabulary, self.frame))


def _other_size(error: str, size: int) -> int:
    """The size that sentencepiece asks for: what the texts give at most, or what their characters need at least."""
    most = re.search(r"value <= (\d+)", error)
    least = re.search(r"required_chars\D*\d+ vs (\d+)", error)
    found = int(most[1]) if most else int(least[1]) + size // 2 if least else size
    if found == size:
        raise Unfit(f"no word pieces can be learnt from these texts ({error.strip()}); give more of them")
    return found


@dataclass(frozen=True)
class Stem:
    """What a row's output has in common with one of its inputs: where it starts in both, and how long it is."""

    name: str
    start: int
    out: int
    size: int


class Stems:
    """Makes new rows of a row by putting another beginning before the end of what input and output share.

    A task-neutral kind of the data hallucination of Anastasopoulos and Neubig (2019): a network that has seen few words
    learns to copy any. The last letters of the stem stay, because they are what decides how it is changed. The
    beginning is that of another row's stem, or of two, or random letters.
    """

    def __init__(self, rows: Sequence[Row], names: Sequence[str]) -> None:
        self.found = [_stem(row, names) for row in rows]
        pairs = zip(rows, self.found, strict=True)
        heads = [row.inputs[stem.name][stem.start :][: stem.size] for row, stem in pairs if stem]
        self.heads = [head for head in heads if len(head) > 3]
        seen = {letter for head in self.heads for letter in head if letter.isalpha()}
        # a letter that is only ever seen in one case has to be copied in the other one too
        self.letters = sorted(case for letter in seen for case in {letter.lower(), letter.upper()} if len(case) == 1)

    def vary(self, row: Row, number: int, chance: random.Random) -> tuple[dict[str, str], str]:
        """The row with another stem, or as it is where it has none."""
        stem = self.found[number]
        # what is less than half of the answer may well be there by chance
        if stem is None or stem.size < 3 or 2 * stem.size < len(row.output) or not self.letters:
            return row.inputs, row.output
        kept = chance.randint(2, min(4, stem.size - 1))
        head, cut = self._head(chance), stem.size - kept
        text = row.inputs[stem.name]
        new = text[: stem.start] + head + text[stem.start + cut :]
        return row.inputs | {stem.name: new}, row.output[: stem.out] + head + row.output[stem.out + cut :]

    def _head(self, chance: random.Random) -> str:
        draw = chance.random()
        if draw < 0.3:
            return "".join(chance.choices(self.letters, k=chance.randint(1, 8)))
        first, second = (other[: chance.randint(1, len(other) - 1)] for other in chance.choices(self.heads, k=2))
        return first + second if draw < 0.6 else first


def _stem(row: Row, names: Sequence[str]) -> Stem | None:
    best: Stem | None = None
    for name in names:
        text = row.inputs[name]
        if len(text) < 200 and len(row.output) < 200:
            match = SequenceMatcher(None, text, row.output, autojunk=False).find_longest_match()
            if match.size and (best is None or match.size > best.size):
                best = Stem(name, match.a, match.b, match.size)
    return best

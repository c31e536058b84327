"""Linear models over n-grams: a classifier, a chooser of edit scripts, and a finder of stretches; and what they count.

Training (`tools.forge.linear`) counts with the functions of this file, so that a model is asked as it was taught. A
model's file holds hashes of n-grams with their weights, no text of the examples; who guesses a short n-gram can check
whether it was there.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np  # this module is imported where a linear model is asked first

from tools.errors import ModelFileError
from tools.micro.manifest import MicroModel

Array = Any
Answer = tuple[str, float, tuple[float, ...]]
VERSION = 1
WORD = re.compile(r"\w+|[^\w\s]")
PIECE = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
MOST = 100_000  # words of a text that are read


# -- hashes


def hashed(text: str) -> int:
    """A text as 32 bits."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def hashes(texts: Sequence[str]) -> Array:
    """Texts as 32 bits each: uint32 of shape (n,)."""
    return np.array([hashed(text) for text in texts], np.uint32)


def mixed(values: Array, salt: int) -> Array:
    """Hashes made into others, by a salt that keeps kinds of n-grams apart; the finaliser of MurmurHash3."""
    value = values ^ np.uint32((salt * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF)
    value ^= value >> np.uint32(16)
    value *= np.uint32(0x85EBCA6B)
    value ^= value >> np.uint32(13)
    value *= np.uint32(0xC2B2AE35)
    value ^= value >> np.uint32(16)
    return value


def joined(left: Array, right: Array) -> Array:
    """Hashes of pairs, in which the order counts."""
    return left * np.uint32(0x01000193) + right


# -- what is counted of a text that is given to a class


@dataclass(frozen=True, slots=True)
class Grams:
    """Which n-grams count: runs of 1 to `words` words, pairs with a word between, runs of `low` to `high` characters.

    `signs` are the length of the text, and its shares of digits and capitals. `weight` is "binary", "log" (1 plus the
    logarithm of the count) or "idf" (the same times the inverse document frequency); with `even`, words with their
    pairs and runs of characters are each brought to length 1, so that neither drowns the other.
    """

    words: int = 0
    skips: bool = False
    low: int = 1
    high: int = 0
    lower: bool = True
    signs: bool = False
    weight: str = "idf"
    even: bool = True


def families(grams: Grams, texts: Sequence[str]) -> list[Array]:
    """The hashes of a row's n-grams, each as often as it occurs: words with their pairs, then characters."""
    found: tuple[list[Array], list[Array]] = ([], [])
    for place, text in enumerate(texts):
        plain = text.lower() if grams.lower else text
        if grams.words:
            found[0].append(_word_grams(grams, plain, 32 * place))
        if grams.high:
            found[1].append(_character_grams(grams, plain, 32 * place + 16))
        if grams.signs:
            found[0].append(mixed(_signs(text), 32 * place + 9))
    return [np.concatenate(family) for family in found if family]


def _word_grams(grams: Grams, text: str, salt: int) -> Array:
    words = hashes(["<", *WORD.findall(text)[:MOST], ">"])
    found, run = [mixed(words, salt)], words
    for size in range(2, grams.words + 1):
        run = joined(run[:-1], words[size - 1 :])
        found.append(mixed(run, salt + size))
    if grams.skips:
        found.append(mixed(joined(words[:-2], words[2:]), salt + 7))
    if any(character.isdigit() for character in text):
        found.append(mixed(hashes(WORD.findall(re.sub(r"\d", "0", text))), salt + 8))
    return np.concatenate(found)


def _character_grams(grams: Grams, text: str, salt: int) -> Array:
    codes = np.frombuffer(f" {text} ".encode("utf-32-le", "surrogatepass"), np.uint32)
    found, run = [], codes
    for size in range(1, grams.high + 1):
        if size > 1:
            run = joined(run[:-1], codes[size - 1 :])
        if size >= grams.low:
            found.append(mixed(run, salt + size))
    return np.concatenate(found)


def _signs(text: str) -> Array:
    size = max(1, len(text))
    digits, capitals = sum(map(str.isdigit, text)), sum(map(str.isupper, text))
    length = int(2 * math.log2(size))
    return hashes([f"length {length}", f"digits {min(digits, 12)}", f"capitals {8 * capitals // size}"])


@dataclass(frozen=True, slots=True)
class Known:
    """The n-grams of a model, their hashes in order (uint32) and what each weighs (float32), both of shape (n,)."""

    hashes: Array
    scale: Array

    def rows(self, found: Array) -> tuple[Array, Array]:
        """Which of the hashes are known, as rows, and how often each came: both of shape (m,)."""
        values, counts = np.unique(found, return_counts=True)
        if not len(self.hashes):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        rows = np.minimum(np.searchsorted(self.hashes, values), len(self.hashes) - 1)
        kept = self.hashes[rows] == values
        return rows[kept], counts[kept].astype(np.float32)

    def vector(self, grams: Grams, parts: Sequence[Array]) -> tuple[Array, Array]:
        """A row as rows of the table, int64, and weights, float32, both of shape (m,)."""
        found = [self._family(grams, part) for part in parts]
        return np.concatenate([rows for rows, _ in found]), np.concatenate([weights for _, weights in found])

    def _family(self, grams: Grams, part: Array) -> tuple[Array, Array]:
        rows, counts = self.rows(part)
        weights = np.ones_like(counts) if grams.weight == "binary" else 1 + np.log(counts)
        weights = weights * self.scale[rows] if grams.weight == "idf" else weights
        length = float(np.sqrt(weights @ weights)) if grams.even else 1.0
        return rows, (weights / np.float32(length or 1.0)).astype(np.float32)


def softmax(scores: Array) -> Array:
    """Probabilities, of the shape of the scores; the last axis sums to 1."""
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def widened(scores: Array) -> Array:
    """Scores for two classes out of the one column that is kept for them: float32 of shape (..., classes)."""
    return np.concatenate([scores, -scores], axis=-1) if scores.shape[-1] == 1 else scores


# -- what is counted of a text that is rewritten

Step = tuple[str, str, str]
Script = tuple[Step, ...]
"""Steps as (place, what goes, what comes): at the "end" or the "start", the "last" or the "first" of a text in it, or
"double": the last character once more, and what comes."""
STEPS = ("end", "start", "last", "first", "double")


def applied(script: Script, text: str) -> str | None:
    """A text rewritten; None where the script does not apply to it."""
    for place, old, new in script:
        changed = _step(place, old, new, text)
        if changed is None:
            return None
        text = changed
    return text


def _step(place: str, old: str, new: str, text: str) -> str | None:
    if place == "double":
        return text + text[-1] + new if text else None
    if place == "end":
        return text[: len(text) - len(old)] + new if text.endswith(old) else None
    if place == "start":
        return new + text[len(old) :] if text.startswith(old) else None
    at = text.rfind(old) if place == "last" else text.find(old)
    return text[:at] + new + text[at + len(old) :] if at >= 0 else None


def shape_of(text: str) -> str:
    """Vowels as v, other letters as c, digits as 0, the rest as it is."""
    return "".join(_shape_of_character(character) for character in text)


@lru_cache(maxsize=4096)
def _shape_of_character(character: str) -> str:
    if character.isalpha():
        return "v" if character.lower() in "aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýаеёиоуыэюяαεηιουω" else "c"
    return "0" if character.isdigit() else character


def rewriting(text: str, others: Sequence[str]) -> Array:
    """The hashes of what counts when a text is rewritten: its endings, beginnings and shape, with the other inputs."""
    plain = text.lower()
    word = re.split(r"[\s\-']", plain[-60:])[-1]
    shape = shape_of(word)
    found = [f"e{plain[-n:]}" for n in range(1, 9) if n <= len(plain)]
    found += [f"b{plain[:n]}" for n in range(1, 6) if n <= len(plain)]
    found += [f"s{shape[-n:]}" for n in (2, 3, 4)] + [f"S{shape[-n:]}{plain[-1:]}" for n in (3, 4)]
    found += [f"w{word}", f"v{len(re.findall('v+', shape))}{plain[-2:]}", f"V{min(3, shape.count('v'))}{shape[-3:]}"]
    found += [
        f"l{min(12, len(word))}",
        f"W{min(4, plain[:400].count(' '))}",
        f"C{text[:1].isupper()}{text[1:2].isupper()}",
    ]
    basic = hashes([*found, ""])
    conditions = [joined(basic, np.uint32(hashed(other))) for other in others]
    whole = [joined(basic, np.uint32(hashed("\n".join(others))))] if len(others) > 1 else []
    return np.concatenate([mixed(part, place) for place, part in enumerate([basic, *conditions, *whole])])


# -- what is counted of each piece of a text that a stretch is taken from


def pieces(text: str) -> list[tuple[int, int]]:
    """Where the pieces of a text begin and end: runs of letters, runs of digits, and single marks."""
    return [found.span() for found in PIECE.finditer(text)][:MOST]


def _look(piece: str) -> str:
    if piece.isdigit():
        return f"0{min(len(piece), 6)}"
    if piece.isalpha():
        return "A" if piece.isupper() and len(piece) > 1 else "Aa" if piece[0].isupper() else "a"
    return piece


def finding(text: str, spans: Sequence[tuple[int, int]], others: Sequence[str]) -> Array:
    """The hashes of what counts for each piece, itself and its neighbours: uint32 of shape (pieces, features)."""
    words = [text[start:end].lower() for start, end in spans]
    looks = [_look(text[start:end]) for start, end in spans]
    glued = [str(start > 0 and not text[start - 1].isspace()) for start, _ in spans]
    around = 4
    word, look, tail, glue = (_padded(part, around) for part in (words, looks, [w[-3:] for w in words], glued))
    size = len(spans)

    def at(values: Array, offset: int) -> Array:
        return values[around + offset : around + offset + size]

    columns = [mixed(at(word, d), 20 + d) for d in range(-4, 5)] + [mixed(at(look, d), 40 + d) for d in range(-4, 5)]
    columns += [mixed(at(tail, d), 60 + d) for d in (-1, 0, 1)] + [mixed(at(glue, d), 70 + d) for d in (0, 1)]
    for left in (-2, -1, 0, 1):
        columns.append(mixed(joined(at(word, left), at(word, left + 1)), 80 + left))
        columns.append(mixed(joined(at(look, left), at(look, left + 1)), 90 + left))
        columns.append(mixed(joined(at(word, left), at(look, 0)), 100 + left))
    columns.append(mixed(joined(joined(at(look, -1), at(look, 0)), at(look, 1)), 110))
    place = np.minimum(np.arange(size), 6).astype(np.uint32)
    columns += [mixed(place, 111), mixed(place[::-1], 112), np.full(size, 113, np.uint32)]
    table = np.stack(columns, axis=1) if size else np.zeros((0, len(columns)), np.uint32)
    conditions = [joined(table, np.uint32(hashed(other))) for other in others]
    return np.concatenate([mixed(part, 200 + n) for n, part in enumerate([table, *conditions])], axis=1)


def _padded(texts: Sequence[str], around: int) -> Array:
    return hashes(["\n"] * around + list(texts) + ["\n"] * around)


def best_stretch(scores: Array) -> tuple[int, int, float]:
    """The first and last piece of the likeliest stretch and its log-probability among all stretches.

    `scores` of shape (pieces, 3) are what it counts for a stretch to begin at a piece, to hold it, and to end at it.
    """
    inside = np.cumsum(scores[:, 1])
    begins = scores[:, 0] - inside + scores[:, 1]
    ends = scores[:, 2] + inside
    best = np.maximum.accumulate(begins)
    last = int(np.argmax(best + ends))
    first = int(np.argmax(begins[: last + 1]))
    every = np.logaddexp.accumulate(begins) + ends
    return first, last, float(begins[first] + ends[last] - np.logaddexp.reduce(every))


# -- the models


@dataclass(frozen=True, slots=True)
class Weights:
    """A table of shape (n-grams, columns), a bias a column, and what scores are multiplied with before a softmax."""

    known: Known
    table: Array
    bias: Array
    sharpness: float = 1.0

    def scores(self, rows: Array, weights: Array) -> Array:
        """float32 of shape (columns,)."""
        return weights @ self.table[rows].astype(np.float32) + self.bias


def cut(text: str, size: int) -> str:
    """The beginning of a text, at most `size` bytes of UTF-8."""
    return text if 4 * len(text) <= size else text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True)
class Classifier:
    """Gives a row to one of the labels."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    grams: Grams
    weights: Weights
    longest: int = 1_000_000

    def probabilities(self, row: Mapping[str, str]) -> Array:
        """The probability of each label: float32 of shape (labels,)."""
        parts = families(self.grams, [cut(row[name], self.longest) for name in self.names])
        scores = self.weights.scores(*self.weights.known.vector(self.grams, parts))
        return softmax(widened(scores) * np.float32(self.weights.sharpness))

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        return [self._answer(self.probabilities(row).tolist()) for row in rows]

    def _answer(self, shares: list[float]) -> Answer:
        best = max(range(len(shares)), key=shares.__getitem__)
        return self.labels[best], shares[best], tuple(shares)


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Chooses the edit script that makes the answer of the input `main`, among those that apply."""

    main: str
    others: tuple[str, ...]
    scripts: tuple[Script, ...]
    weights: Weights
    longest: int = 1_000_000

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, str]) -> Answer:
        text = cut(row[self.main], self.longest)
        made = {n: out for n, script in enumerate(self.scripts) if (out := applied(script, text)) is not None}
        if not made:
            return text, 0.0, ()
        rows, counts = self.weights.known.rows(rewriting(text, [row[name] for name in self.others]))
        scores = self.weights.scores(rows, np.ones_like(counts))[list(made)]
        shares: dict[str, float] = {}
        chances = softmax(scores * np.float32(self.weights.sharpness)).tolist()
        for out, share in zip(made.values(), chances, strict=True):
            shares[out] = shares.get(out, 0.0) + share
        best = max(shares, key=shares.__getitem__)
        return best, shares[best], ()


@dataclass(frozen=True, slots=True)
class Finder:
    """Takes the stretch of the input `main` whose pieces score highest."""

    main: str
    others: tuple[str, ...]
    weights: Weights
    longest: int = 1_000_000

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, str]) -> Answer:
        text = cut(row[self.main], self.longest)
        spans = pieces(text)
        if not spans:
            return text.strip(), 0.0, ()
        found = finding(text, spans, [row[name] for name in self.others])
        scores = piece_scores(self.weights, found) * np.float32(self.weights.sharpness)
        first, last, log = best_stretch(scores)
        return text[spans[first][0] : spans[last][1]], math.exp(log), ()


def piece_scores(weights: Weights, found: Array) -> Array:
    """Scores of shape (pieces, columns) of what was found at each piece, of shape (pieces, features)."""
    if not len(weights.known.hashes):
        return np.tile(weights.bias, (len(found), 1))
    rows = np.minimum(np.searchsorted(weights.known.hashes, found), len(weights.known.hashes) - 1)
    there = (weights.known.hashes[rows] == found).astype(np.float32)
    return np.einsum("pf,pfc->pc", there, weights.table[rows].astype(np.float32)) + weights.bias


# -- files

# what zipfile, numpy and json raise over bytes that are not as they were written
DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError,
    ValueError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def save(path: Any, about: Mapping[str, Any], weights: Weights) -> None:
    """Writes a model's file; the same model gives the same bytes. `about` is what else its reader is made from."""
    text = json.dumps({"version": VERSION, "sharpness": weights.sharpness, **about}, sort_keys=True)
    arrays = {"hashes": weights.known.hashes.astype(np.uint32), "scale": weights.known.scale.astype(np.float16)}
    arrays |= {"table": weights.table.astype(np.float16), "bias": weights.bias.astype(np.float32)}
    with open(path, "wb") as file:
        np.savez(file, about=np.frombuffer(text.encode(), np.uint8), **arrays)


def read(model: MicroModel) -> Classifier | Rewriter | Finder:
    """The reader of a model of the form `linear`; raises ModelFileError, naming the file, where it is damaged."""
    data = model.path.read_bytes()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            about = json.loads(kept["about"].tobytes())
            parts = {name: kept[name] for name in ("hashes", "scale", "table", "bias")}
        if about["version"] != VERSION:
            raise ModelFileError(
                f"{model.path}: was written by another zooid (version {about['version']} of the form, this one reads "
                f"{VERSION}); forge {model.name} again"
            )
        return _reader(model, about, _weights(about, parts))
    except DAMAGE as error:
        raise ModelFileError(
            f"{model.path}: is no linear model, or is damaged ({error}); copy it again or forge {model.name} again"
        ) from error


def _weights(about: Mapping[str, Any], parts: Mapping[str, Array]) -> Weights:
    known, scale, table, bias = (parts[name] for name in ("hashes", "scale", "table", "bias"))
    kinds = (known.dtype, scale.dtype, table.dtype, bias.dtype)
    if kinds != (np.uint32, np.float16, np.float16, np.float32):
        raise ValueError("its arrays are of other types")
    if scale.shape != known.shape or table.shape != (*known.shape, *bias.shape) or known.ndim != 1 or bias.ndim != 1:
        raise ValueError("its arrays do not fit each other")
    sharpness = float(about["sharpness"])
    if not all(np.isfinite(part).all() for part in (scale, table, bias, np.array(sharpness))):
        raise ValueError("it holds weights that are no numbers")
    if (known[1:] <= known[:-1]).any():
        raise ValueError("its n-grams are out of order")
    return Weights(Known(known, scale.astype(np.float32)), table, bias, sharpness)


def _reader(model: MicroModel, about: Mapping[str, Any], weights: Weights) -> Classifier | Rewriter | Finder:
    names = {wanted.name for wanted in model.inputs}
    columns = len(weights.bias)
    if about["kind"] != model.kind or set(about["inputs"]) != names:
        raise ValueError("it was made for other inputs or another kind of answer than the manifest names")
    if model.kind == "classify":
        labels = tuple(about["labels"])
        if labels != tuple(label.text for label in model.labels) or columns != (len(labels) if len(labels) > 2 else 1):
            raise ValueError("its labels are not those of the manifest")
        return Classifier(tuple(about["inputs"]), labels, Grams(**about["grams"]), weights, model.max_input)
    main, *others = about["inputs"]
    if model.kind == "extract":
        if columns != 3:
            raise ValueError("its arrays do not fit each other")
        return Finder(main, tuple(others), weights, model.max_input)
    scripts = tuple(tuple((str(a), str(b), str(c)) for a, b, c in script) for script in about["scripts"])
    if len(scripts) != columns or any(step[0] not in STEPS for script in scripts for step in script):
        raise ValueError("its edit scripts do not fit its weights")
    return Rewriter(main, tuple(others), scripts, weights, model.max_input)

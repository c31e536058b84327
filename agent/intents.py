"""Which intent a text has, learnt from examples: one class against the rest, and None where it is not sure.

Beside `agent/router.py`, which needs no examples. Nothing in the loop asks it yet: it is measured by `bench/router.py`
and made for a ladder that learns from the record.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import NotFound, StorageError, UsageError

if TYPE_CHECKING:
    from agent.tree import Tree

Array = Any  # a numpy array; numpy is imported where it is used, because that costs a tenth of a second


# -- examples

Example = tuple[str, str | None]  # a text and its intent; None for what no intent fits


def read_examples(path: Path) -> list[Example]:
    """The rows of a .jsonl or .csv file with the fields `text` and `intent`; an empty intent means that none fits.

    Raises UsageError, which names the line, where the file is not such a file.
    """
    import csv
    import io

    try:
        content = path.read_text(encoding="utf-8-sig")
        rows = _json_rows(content) if path.suffix == ".jsonl" else list(csv.DictReader(io.StringIO(content)))
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise UsageError(f"{path} cannot be read as examples: {error}") from error
    examples: list[Example] = []
    for number, row in enumerate(rows, 1):
        text, intent = (row.get("text"), row.get("intent")) if isinstance(row, Mapping) else (None, None)
        if not isinstance(text, str) or not text.strip() or not isinstance(intent, str | None):
            raise UsageError(f"{path}, row {number}: give `text` and `intent`, both of them text")
        examples.append((text, intent or None))
    if not examples:
        raise UsageError(f"{path} has no rows; give a row an example, with the fields `text` and `intent`")
    return examples


def _json_rows(content: str) -> list[Any]:
    return [json.loads(line) for line in content.splitlines() if line.strip()]


def from_record(trees: Iterable[Tree]) -> Iterator[Example]:
    """What was asked for and the tool that did it, for the tasks of runs whose acceptance check passed."""
    for tree in trees:
        for task in tree.tasks.values():
            passed = any(attempt.verdict == "verified" for attempt in task.attempts)
            if task.tool and task.goal and task.verified and passed and not task.goal.startswith(f"{task.tool}("):
                yield task.goal, task.tool


# -- features


def grams(text: str) -> list[str]:
    """Words, pairs of words, pairs with one word between, and runs of 3 to 5 characters inside words."""
    words = ["<", *re.findall(r"\w+|[^\w\s]", text.lower()), ">"]
    found = words + [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
    found += [f"{a} * {b}" for a, b in zip(words, words[2:], strict=False)]
    for word in words[1:-1]:
        padded = f" {word[:30]} "
        found += ["#" + padded[i : i + n] for n in (3, 4, 5) for i in range(len(padded) - n + 1)]
    return found


class Vocabulary:
    """The grams that are known, by row. Common ones weigh as much as rare ones: they tell how something is asked."""

    def __init__(self, rows: dict[str, int], first: int | None = None) -> None:
        self.rows = rows
        self.first = len(rows) if first is None else first  # those that were there from the start set a text's length

    @classmethod
    def of(cls, texts: Sequence[str], least: int = 2) -> Vocabulary:
        """The grams of at least `least` texts."""
        counts = Counter(gram for text in texts for gram in set(grams(text)))
        kept = [gram for gram, count in counts.items() if count >= least]
        return cls({gram: row for row, gram in enumerate(kept)})

    def grow(self, texts: Sequence[str]) -> None:
        """Take in the grams of texts; those that are there keep their rows."""
        for gram in sorted({gram for text in texts for gram in grams(text)} - self.rows.keys()):
            self.rows[gram] = len(self.rows)

    def vector(self, text: str) -> tuple[Array, Array]:
        """A text as rows, int64 of shape (n,), and weights, float32 of shape (n,).

        Words with their pairs and runs of characters are each of length 1, so that neither drowns the other.
        """
        import numpy as np

        parts: tuple[list[tuple[int, float]], list[tuple[int, float]]] = ([], [])
        for gram, count in Counter(grams(text)).items():
            row = self.rows.get(gram)
            if row is not None:
                parts[len(gram) > 1 and gram[0] == "#"].append((row, 1 + math.log(count)))
        rows, weights = [], []
        for part in parts:
            old = sum(weight * weight for row, weight in part if row < self.first)
            length = math.sqrt(old or sum(weight * weight for _, weight in part)) or 1.0
            rows += [row for row, _ in part]
            weights += [weight / length for _, weight in part]
        return np.array(rows, np.int64), np.array(weights, np.float32)

    def unknown(self, text: str) -> int:
        """How many of a text's words are in no example."""
        return sum(word not in self.rows for word in re.findall(r"\w+", text.lower()))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Sparse rows: text n has the columns `rows[starts[n]:starts[n + 1]]`."""

    starts: Array
    rows: Array
    weights: Array

    @classmethod
    def of(cls, vocabulary: Vocabulary, texts: Sequence[str]) -> Matrix:
        import numpy as np

        vectors = [vocabulary.vector(text) for text in texts]
        starts = np.cumsum([0] + [len(rows) for rows, _ in vectors])
        empty = np.empty(0)
        rows = np.concatenate([rows for rows, _ in vectors] or [empty]).astype(np.int64)
        return cls(starts, rows, np.concatenate([w for _, w in vectors] or [empty]).astype(np.float32))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, n: int) -> tuple[Array, Array]:
        part = slice(self.starts[n], self.starts[n + 1])
        return self.rows[part], self.weights[part]

    def times(self, table: Array) -> Array:
        """The product with a table of shape (grams, k): float32 of shape (texts, k)."""
        import numpy as np

        result = np.zeros((len(self), table.shape[1]), np.float32)
        for n in range(len(self)):
            rows, weights = self.row(n)
            result[n] = weights @ table[rows].astype(np.float32)
        return result


# -- the two members


def train_linear(x: Matrix, wanted: Array, size: int, rounds: int = 8, cost: float = 1.0, seed: int = 0) -> Array:
    """One-against-the-rest linear classifiers with squared hinge loss, float32 of shape (size, intents).

    `wanted` is 1 where a text has an intent and else 0, of shape (texts, intents). Each intent is a problem of its
    own; they only share the order in which texts are visited. Source: Hsieh et al., A Dual Coordinate Descent Method
    for Large-scale Linear SVM (2008), algorithm 1.
    """
    import numpy as np

    sign = np.where(wanted > 0, 1, -1).astype(np.float32)
    table, alpha = np.zeros((size, wanted.shape[1]), np.float32), np.zeros(sign.shape, np.float32)
    order, soft = np.random.default_rng(seed), 0.5 / cost
    for _ in range(rounds):
        for n in order.permutation(len(x)):
            rows, weights = x.row(n)
            part, length = table[rows], weights @ weights + soft
            slope = sign[n] * (weights @ part) - 1 + soft * alpha[n]
            step = np.maximum(alpha[n] - slope / length, 0) - alpha[n]
            alpha[n] += step
            part += np.outer(weights, step * sign[n])
            table[rows] = part
    return table


class Adam:
    """Kingma and Ba, Adam (2015); of a table, only the rows that a batch touches are stepped."""

    def __init__(self, table: Array) -> None:
        import numpy as np

        self.table, self.mean, self.square = table, np.zeros_like(table), np.zeros_like(table)

    def step(self, slope: Array, rate: float, time: int, rows: Any = ...) -> None:
        import numpy as np

        mean, square = self.mean[rows], self.square[rows]
        mean += np.float32(0.1) * (slope - mean)
        square += np.float32(0.001) * (slope * slope - square)
        self.mean[rows], self.square[rows] = mean, square
        rate *= math.sqrt(1 - 0.999**time) / (1 - 0.9**time)
        self.table[rows] -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))


class Net:
    """A layer of `hidden` units over the grams, shared by all intents, and a logistic classifier an intent on it."""

    def __init__(self, grams_: Array, bias: Array, out: Array, out_bias: Array) -> None:
        self.grams, self.bias, self.out, self.out_bias = grams_, bias, out, out_bias

    @classmethod
    def train(cls, x: Matrix, wanted: Array, size: int, hidden: int = 192, rounds: int = 8, seed: int = 0) -> Net:
        """Trained with Adam on the logistic loss of each intent; grams and units are dropped at random."""
        import numpy as np

        rng = np.random.default_rng(seed)
        shapes = ((size, hidden), (hidden, wanted.shape[1]))
        first, out = (rng.normal(0, 0.05, shape).astype(np.float32) for shape in shapes)
        net = cls(first, np.zeros(hidden, np.float32), out, np.full(wanted.shape[1], -4, np.float32))
        steppers = [Adam(table) for table in (net.grams, net.bias, net.out, net.out_bias)]
        batches = -(-len(x) // 64)
        for time in range(rounds * batches):
            if time % batches == 0:
                order = np.array_split(rng.permutation(len(x)), batches)
            net._step(x, wanted, order[time % batches], rng, steppers, time, 1 - time / (rounds * batches))
        return net

    def _step(
        self, x: Matrix, wanted: Array, texts: Array, rng: Any, steppers: list[Adam], time: int, f: float
    ) -> None:
        import numpy as np

        used, dense = _dense(x, texts, rng)
        before = dense @ self.grams[used] + self.bias
        kept = ((before > 0) & (rng.random(before.shape, dtype=np.float32) > 0.5)) * np.float32(2)
        units = before * kept
        slope = (_sigmoid(units @ self.out + self.out_bias) - wanted[texts]) / np.float32(len(texts))
        inner = (slope @ self.out.T) * kept
        slopes = (dense.T @ inner, inner.sum(0), units.T @ slope, slope.sum(0))
        for stepper, slope_, rate, rows in zip(
            steppers, slopes, (2e-3, 3e-3, 3e-3, 3e-3), (used, ..., ..., ...), strict=True
        ):
            stepper.step(slope_, rate * f, time + 1, rows)

    def units(self, x: Matrix) -> Array:
        """What the shared layer makes of texts: float32 of shape (texts, hidden)."""
        import numpy as np

        return np.maximum(x.times(self.grams) + self.bias, 0)

    def scores(self, x: Matrix) -> Array:
        """Log-odds of each intent: float32 of shape (texts, intents)."""
        return self.units(x) @ self.out + self.out_bias

    def add(self, x: Matrix, wanted: Array) -> None:
        """A classifier for one more intent on the shared layer, which stays as it is; `wanted` has shape (texts,)."""
        import numpy as np

        units = self.units(x)
        weights, bias = _logistic(units, wanted, 0.003)
        self.out = np.column_stack([self.out, weights])
        self.out_bias = np.append(self.out_bias, bias).astype(np.float32)


def _dense(x: Matrix, texts: Array, rng: Any) -> tuple[Array, Array]:
    """The rows that a batch uses and its weights over them, of shape (texts, rows), three in ten of them left out."""
    import numpy as np

    spans = [slice(x.starts[n], x.starts[n + 1]) for n in texts]
    rows, weights = (np.concatenate([part[span] for span in spans]) for part in (x.rows, x.weights))
    used, place = np.unique(rows, return_inverse=True)
    dense: Array = np.zeros((len(texts), len(used)), np.float32)
    of: Array = np.repeat(np.arange(len(texts)), [span.stop - span.start for span in spans])
    dense[of, place] = weights * (rng.random(len(rows), dtype=np.float32) > 0.3) / np.float32(0.7)
    return used, dense


def _sigmoid(scores: Array) -> Array:
    import numpy as np

    return 1 / (1 + np.exp(-np.clip(scores, -30, 30)))


def _logistic(x: Array, wanted: Array, ridge: float, weight: Array | float = 1.0) -> tuple[Array, float]:
    """Weights, of shape (columns,), and bias of a logistic regression by Newton's method."""
    import numpy as np

    padded = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    scale, solution = np.full(padded.shape[1], ridge * len(x)), np.zeros(padded.shape[1])
    scale[-1] = 1e-6
    for _ in range(25):
        chance = _sigmoid(padded @ solution)
        slope = padded.T @ (weight * (chance - wanted)) + scale * solution
        curve = (padded * (weight * chance * (1 - chance))[:, None]).T @ padded + np.diag(scale)
        step = np.linalg.solve(curve, slope)
        solution -= step
        if abs(step).max() < 1e-6:
            break
    return solution[:-1].astype(np.float32), float(solution[-1])


# -- the router that learns


@dataclass(frozen=True, slots=True)
class Routed:
    """The intent that a text was given to, and how likely that is right, from 0 to 1."""

    intent: str
    confidence: float


@dataclass(slots=True)
class Sure:
    """How sure a choice is, by a logistic regression on signs of it, and the bar below which none is made."""

    weights: Sequence[float] = (1.0, 0.0)
    bias: float = 0.0
    bar: float = 0.5

    def of(self, signs: Array) -> Array:
        """The chance that a choice is right: shape (texts,), from signs of shape (texts, 2)."""
        import numpy as np

        return _sigmoid(signs @ np.asarray(self.weights, np.float32) + self.bias)

    @classmethod
    def fit(cls, signs: Array, right: Array, outside: Array, give: float = 0.003) -> Sure:
        """From choices on validation texts; those that no intent fits count five times, for they are few.

        The bar is the highest that gives up at most `give` of the accuracy on texts that an intent fits.
        """
        import numpy as np

        if len(right) < 20 or not (~outside).any():
            return cls()
        mean, spread = signs.mean(0), signs.std(0) + 1e-6
        weights, bias = _logistic((signs - mean) / spread, right, 0.001, np.where(outside, 5.0, 1.0))
        weights = weights / spread
        sure = cls(weights.tolist(), float(bias - weights @ mean))
        hits = np.sort(sure.of(signs)[right])
        sure.bar = float(hits[int(give * (~outside).sum())]) if len(hits) > give * (~outside).sum() else 0.5
        return sure


@dataclass(slots=True)
class IntentRouter:
    """Gives a text to one of the intents it has learnt, or to none.

    Two members vote: a linear classifier an intent, and nets with a layer that all intents share. `add` learns one
    more intent and leaves every score of the others as it was, but for rounding.
    """

    intents: list[str]
    vocabulary: Vocabulary
    table: Array  # float16, (grams, intents)
    nets: list[Net]
    sure: Sure = field(default_factory=Sure)
    examples: list[Example] = field(
        default_factory=list
    )  # what it learnt from: the rest that a new intent is told from

    @classmethod
    def fit(
        cls, examples: Sequence[Example], valid: Sequence[Example] = (), nets: int = 3, seed: int = 0
    ) -> IntentRouter:
        """Learn from examples; the bar comes from `valid`, without it from a tenth that a hash of the text picks.

        15,000 examples of 150 intents take about a minute on one core. Raises UsageError for fewer than two intents.
        """
        if not valid:
            valid = [example for example in examples if _held_out(example[0])]
            rest = [example for example in examples if not _held_out(example[0])]
            if _intents(rest) == _intents(examples):
                examples = rest
        intents = _intents(examples)
        if len(intents) < 2:
            raise UsageError(f"the examples have {len(intents)} intents; a router needs two or more to tell apart")
        texts = [text for text, _ in examples]
        vocabulary = Vocabulary.of(texts, 2 if len(texts) >= 1000 else 1)
        x, wanted = Matrix.of(vocabulary, texts), _wanted(examples, intents)
        size = len(vocabulary.rows)
        members = [Net.train(x, wanted, size, seed=seed + n) for n in range(nets)]
        router = cls(intents, vocabulary, train_linear(x, wanted, size, seed=seed), members, examples=list(examples))
        router._narrow()
        router.set_bar(valid)
        return router

    def _narrow(self) -> None:
        import numpy as np

        self.table = self.table.astype(np.float16)
        for net in self.nets:
            net.grams = net.grams.astype(np.float16)

    def set_bar(self, valid: Sequence[Example]) -> None:
        """Choose anew, on texts that nothing was learnt from, how sure a choice must be."""
        import numpy as np

        texts = [text for text, _ in valid]
        if texts:
            scores = self.scores(texts)
            place = {intent: n for n, intent in enumerate(self.intents)}
            truth = np.array([place.get(intent or "", -1) for _, intent in valid])
            outside = np.array([intent is None for _, intent in valid])
            self.sure = Sure.fit(self._signs(texts, scores), scores.argmax(1) == truth, outside)

    def scores(self, texts: Sequence[str]) -> Array:
        """The sum of the members' votes for each intent: float32 of shape (texts, intents)."""
        x = Matrix.of(self.vocabulary, texts)
        total = x.times(self.table) * (4.0 if self.nets else 8.0)
        for net in self.nets:
            total += net.scores(x) / len(self.nets)
        return total

    def confidences(self, texts: Sequence[str], scores: Array) -> Array:
        """How likely each text's best score is right, from 0 to 1: shape (texts,)."""
        return self.sure.of(self._signs(texts, scores))

    def _signs(self, texts: Sequence[str], scores: Array) -> Array:
        """The best score and the unknown words of each text: shape (texts, 2)."""
        import numpy as np

        unknown = np.array([self.vocabulary.unknown(text) for text in texts], np.float32)
        return np.column_stack([scores.max(1), unknown])

    def route(self, text: str) -> Routed | None:
        """The intent of a text, or None where it is not sure enough. Takes well under a millisecond."""
        scores = self.scores([text])
        confidence = float(self.confidences([text], scores)[0])
        if confidence < self.sure.bar:
            return None
        return Routed(self.intents[int(scores[0].argmax())], confidence)

    def add(self, intent: str, texts: Sequence[str]) -> None:
        """Learn one more intent, in seconds. Raises UsageError where it is there already or has no text.

        The others keep their classifiers and the bar stays: many new intents are better learnt with `fit`.
        """
        import numpy as np

        if intent in self.intents or not any(text.strip() for text in texts):
            why = "is there already" if intent in self.intents else "has no example"
            raise UsageError(f"the intent {intent!r} {why}; give a new name and at least one text")
        self.vocabulary.grow(texts)
        more = len(self.vocabulary.rows) - len(self.table)
        self.examples += [(text, intent) for text in texts]
        x = Matrix.of(self.vocabulary, [text for text, _ in self.examples])
        wanted = _wanted(self.examples, [intent])
        column = train_linear(x, wanted, len(self.vocabulary.rows))
        self.table = np.column_stack([np.pad(self.table, ((0, more), (0, 0))), column.astype(np.float16)])
        for net in self.nets:
            net.grams = np.pad(net.grams, ((0, more), (0, 0)))
            net.add(x, wanted[:, 0])
        self.intents.append(intent)

    # -- on disk

    def save(self, folder: Path) -> None:
        """Keep it in `folder`, which is made; a reader sees the old one or the new one. Raises StorageError."""
        import tempfile

        import numpy as np

        about = {"intents": self.intents, "grams": list(self.vocabulary.rows), "examples": self.examples}
        about |= {"sure": [list(self.sure.weights), self.sure.bias, self.sure.bar], "nets": len(self.nets)}
        about["first"] = self.vocabulary.first
        arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8), "table": self.table}
        for n, net in enumerate(self.nets):
            arrays |= {f"{name}{n}": getattr(net, name) for name in _PARTS}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                np.savez_compressed(file, **arrays)
            os.replace(file.name, folder / _FILE)
        except OSError as error:
            raise StorageError(f"the router cannot be kept in {folder}: {error}") from error

    @classmethod
    def load(cls, folder: Path) -> IntentRouter:
        """The router of a folder; raises NotFound where there is none and StorageError where it is damaged."""
        import zipfile
        import zlib

        import numpy as np

        if not (folder / _FILE).is_file():
            raise NotFound(f"there is no router in {folder}; make one from examples first")
        try:
            with (folder / _FILE).open("rb") as file, np.load(file, allow_pickle=False) as kept:
                about = json.loads(kept["about"].tobytes())
                nets = [Net(*(kept[f"{name}{n}"] for name in _PARTS)) for n in range(about["nets"])]
                table = kept["table"]
            vocabulary = Vocabulary({gram: row for row, gram in enumerate(about["grams"])}, about["first"])
            examples = [(text, intent) for text, intent in about["examples"]]
            return cls(about["intents"], vocabulary, table, nets, Sure(*about["sure"]), examples)
        except (OSError, EOFError, KeyError, ValueError, TypeError, zlib.error, zipfile.BadZipFile) as error:
            raise StorageError(f"{folder / _FILE} is damaged ({error}); make it again from examples") from error


_FILE = "router.npz"
_PARTS = ("grams", "bias", "out", "out_bias")


def _intents(examples: Iterable[Example]) -> list[str]:
    return sorted({intent for _, intent in examples if intent})


def _held_out(text: str) -> bool:
    """Whether a text is for validation: the same one in ten on every machine."""
    return hashlib.blake2b(text.strip().lower().encode(), digest_size=1).digest()[0] < 26


def _wanted(examples: Sequence[Example], intents: Sequence[str]) -> Array:
    """1 where an example has an intent, else 0: float32 of shape (examples, intents)."""
    import numpy as np

    place = {intent: n for n, intent in enumerate(intents)}
    wanted: Array = np.zeros((len(examples), len(intents)), np.float32)
    for n, (_, intent) in enumerate(examples):
        if intent in place:
            wanted[n, place[intent]] = 1
    return wanted

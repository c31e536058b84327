"""Which intent a text has, learnt from examples: one class against the rest, and None where it is not sure.

Beside `agent/router.py`, which needs no examples. `agent/routes.py` asks it for the ladder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.classifiers import Net, logistic, sigmoid, train_linear
from agent.errors import NotFound, StorageError, UsageError
from agent.features import Array, Matrix, Vocabulary

Example = tuple[str, str | None]  # a text and its intent; None for what no intent fits

_ALONE = 0.97  # how often a choice must be right on validation texts for nobody else to be asked
_NEAR, _FAR = 1500, 1000  # examples that a new intent is told from: those most like it, and some of the others


@dataclass(frozen=True, slots=True)
class Routed:
    """The intent that a text was given to, and how likely that is right, from 0 to 1."""

    intent: str
    confidence: float


@dataclass(slots=True)
class Sure:
    """How sure a choice is, by a logistic regression on signs of it, and two bars.

    Below `bar` no choice is made. From `alone` up, 97 of 100 choices were right on validation texts, so that nobody
    else need be asked; 2 where that was never shown.
    """

    weights: Sequence[float] = (1.0, 0.0)
    bias: float = 0.0
    bar: float = 0.5
    alone: float = 2.0

    def of(self, signs: Array) -> Array:
        """The chance that a choice is right: shape (texts,), from signs of shape (texts, 2)."""
        import numpy as np

        return sigmoid(signs @ np.asarray(self.weights, np.float32) + self.bias)

    @classmethod
    def fit(cls, signs: Array, right: Array, outside: Array, give: float = 0.004) -> Sure:
        """From choices on validation texts; those that no intent fits count five times, for they are few.

        The bar is the highest that gives up at most `give` of the accuracy on texts that an intent fits.
        """
        import numpy as np

        if len(right) < 20 or not (~outside).any():
            return cls()
        mean, spread = signs.mean(0), signs.std(0) + 1e-6
        weights, bias = logistic((signs - mean) / spread, right, 0.001, np.where(outside, 5.0, 1.0))
        weights = weights / spread
        sure = cls(weights.tolist(), float(bias - weights @ mean))
        hits = np.sort(sure.of(signs)[right])
        sure.bar = float(hits[int(give * (~outside).sum())]) if len(hits) > give * (~outside).sum() else 0.5
        sure.alone = _bar_alone(sure.of(signs), right, outside)
        return sure


def _bar_alone(chance: Array, right: Array, outside: Array) -> float:
    """The lowest chance from which up 97 of 100 choices are right; 2 where that cannot be said.

    What counts is the lower end of Wilson's interval, a standard deviation down, so that few choices show nothing.
    Texts that no intent fits count five times, for they are few in a validation part and many in life.
    """
    import numpy as np

    order = np.argsort(-chance, kind="stable")
    weight = np.where(outside, 5.0, 1.0)[order]
    count = np.cumsum(weight)
    share = np.cumsum(weight * right[order]) / count
    spread = np.sqrt(share * (1 - share) / count + 1 / (4 * count**2))
    least = (share + 1 / (2 * count) - spread) / (1 + 1 / count)
    good = np.flatnonzero(least >= _ALONE)
    return float(chance[order][good[-1]]) if len(good) else 2.0


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
    examples: list[Example] = field(default_factory=list)  # what it learnt from, which a new intent is told from
    _matrix: Matrix | None = field(default=None, repr=False)  # the examples, once they were needed

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
        nets = nets if len(texts) >= 1000 else min(1, nets)  # few examples are soon learnt, and votes add little then
        members = [Net.train(x, wanted, size, seed=seed + n) for n in range(nets)]
        table = train_linear(x, wanted, size, seed=seed)
        router = cls(intents, vocabulary, table, members, examples=list(examples), _matrix=x)
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
        best = self.ranked(text, 1)[0]
        return best if best.confidence >= self.sure.bar else None

    def ranked(self, text: str, most: int) -> list[Routed]:
        """The intents that a text may have, the likeliest first, however unsure.

        The first has the chance that it is right; those that follow have the chance they would have were they first.
        """
        import numpy as np

        scores = self.scores([text])
        first = np.argsort(-scores[0], kind="stable")[:most]
        chances = self.confidences([text] * len(first), scores[0][first][:, None])
        return [Routed(self.intents[n], float(chance)) for n, chance in zip(first, chances, strict=True)]

    def add(self, intent: str, texts: Sequence[str]) -> None:
        """Learn one more intent, in about a second. Raises UsageError where it is there already or has no text.

        The others keep their classifiers and the bars stay: many new intents are better learnt with `fit`.
        """
        import numpy as np

        if intent in self.intents or not any(text.strip() for text in texts):
            why = "is there already" if intent in self.intents else "has no example"
            raise UsageError(f"the intent {intent!r} {why}; give a new name and at least one text")
        rest = self._matrix or Matrix.of(self.vocabulary, [text for text, _ in self.examples])
        self.vocabulary.grow(texts)
        new = Matrix.of(self.vocabulary, texts)
        picked, weight = _told_from(rest, new, len(self.vocabulary.rows))
        x, wanted = rest.part(picked).join(new), np.r_[np.zeros(len(picked)), np.ones(len(texts))].astype(np.float32)
        column = train_linear(x, wanted[:, None], len(self.vocabulary.rows))
        more = len(self.vocabulary.rows) - len(self.table)
        self.table = np.column_stack([np.pad(self.table, ((0, more), (0, 0))), column.astype(np.float16)])
        for net in self.nets:
            net.grams = np.pad(net.grams, ((0, more), (0, 0)))
            net.add(x, wanted, np.r_[weight, np.ones(len(texts))])
        self.intents.append(intent)
        self.examples += [(text, intent) for text in texts]
        self._matrix = rest.join(new)

    # -- on disk

    def save(self, folder: Path) -> None:
        """Keep it in `folder`, which is made; a reader sees the old one or the new one. Raises StorageError."""
        import tempfile

        import numpy as np

        about = {"intents": self.intents, "grams": list(self.vocabulary.rows), "examples": self.examples}
        sure = self.sure
        about |= {"sure": [list(sure.weights), sure.bias, sure.bar, sure.alone], "nets": len(self.nets)}
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
            raise NotFound(f"there is no router in {folder}; make one with: zooid intents learn FILE.csv")
        try:
            with (folder / _FILE).open("rb") as file, np.load(file, allow_pickle=False) as kept:
                about = json.loads(kept["about"].tobytes())
                nets = [Net(*(kept[f"{name}{n}"] for name in _PARTS)) for n in range(about["nets"])]
                table = kept["table"]
            vocabulary = Vocabulary({gram: row for row, gram in enumerate(about["grams"])}, about["first"])
            examples = [(text, intent) for text, intent in about["examples"]]
            return cls(about["intents"], vocabulary, table, nets, Sure(*about["sure"]), examples)
        except (OSError, EOFError, KeyError, ValueError, TypeError, zlib.error, zipfile.BadZipFile) as error:
            raise StorageError(
                f"{folder / _FILE} is damaged ({error}); learn it again with: zooid intents learn"
            ) from error


_FILE = "router.npz"
_PARTS = ("grams", "bias", "out", "out_bias")


def _told_from(rest: Matrix, new: Matrix, size: int) -> tuple[Array, Array]:
    """Which examples a new intent is told from, and how many each stands for.

    All of them where they are few. Else those whose words are most like the new ones', which stand for themselves,
    and some of the others, drawn once and for all, which stand for the rest of them.
    """
    import numpy as np

    if len(rest) <= _NEAR + _FAR:
        return np.arange(len(rest)), np.ones(len(rest))
    centre = np.bincount(new.rows, new.weights, size)
    ends = np.concatenate([[0.0], np.cumsum(rest.weights * centre[rest.rows])])[rest.starts]
    order = np.argsort(-np.diff(ends), kind="stable")
    far = np.random.default_rng(0).choice(order[_NEAR:], _FAR, replace=False)
    weight = np.r_[np.ones(_NEAR), np.full(_FAR, (len(rest) - _NEAR) / _FAR)]
    return np.concatenate([order[:_NEAR], far]), weight


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

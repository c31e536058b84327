"""The language of a text: 27 languages of Europe, from the Leipzig sentences that the lingua project tests on."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tools.forge import network
from tools.forge.measure import Figure, figure, held_out
from tools.forge.network import Row
from tools.forge.shipped import spanish
from tools.forge.shipped.classify import Habits, Splitter, losses, plain
from tools.forge.shipped.package import Measured, Trained, saved
from tools.forge.vocabulary import Pieces

NAME = "language"
SHAPE = {"width": 96, "layers": 2, "heads": 3, "hidden": 192, "context": 128}
PIECES = 8000
HELD_OUT = 20
LONGEST = 96
MAX_INPUT = 240
NAMES = {
    "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "fi": "Finnish", "fr": "French", "ga": "Irish", "hr": "Croatian", "hu": "Hungarian",
    "it": "Italian", "lt": "Lithuanian", "lv": "Latvian", "nb": "Norwegian", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovene", "sv": "Swedish",
    "tr": "Turkish", "uk": "Ukrainian",
}  # fmt: skip
CODES = list(NAMES)
# The files of the Declaration of Human Rights, in the order of the codes.
DECLARATION = (
    "bul ces dan deu_1901 ell_monotonic eng spa est fin fra gle hrv hun ita lit lav nob nld pol por_PT ron rus slk slv "
    "swe tur ukr"
).split()
LABELS = [f"<{code}>" for code in CODES]
STEPS, MORE_STEPS, SEED = 7000, 4000, 1
SAMPLE = ["le chat dort sur le canapé.\n", "wir fahren morgen nach hamburg\n", "dzień dobry\n", "ok\n"]
Text = tuple[str, int]


def read(data: Path) -> tuple[list[Text], list[Text]]:
    """Train and held-out texts with the number of their language; sentences, and words and pairs of words if there."""
    train: list[Text] = []
    test: list[Text] = []
    for number, code in enumerate(CODES):
        for kind in ("", ".single-words", ".word-pairs"):
            path = data / "language-id" / f"{code}{kind}.txt"
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            for line in filter(None, map(str.strip, lines)):
                if not held_out(line, HELD_OUT):
                    train.append((spanish.restore(line) if code == "es" else line, number))
                elif not kind:
                    test.append((line, number))
    return train, test


def read_declaration(data: Path) -> list[Text]:
    """Sentences of the Universal Declaration of Human Rights, which no model is trained on: another kind of text."""
    rows = []
    for number, name in enumerate(DECLARATION):
        path = data / "nltk" / "udhr2" / f"{name}.txt"
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        rows += [(line, number) for line in lines if len(line.split()) > 4]
    return rows


def cut(text: str, words: int) -> str:
    """The first words of a text: how well the model does on short ones."""
    return " ".join(text.split()[:words])


class Sampler:
    """Draws rows to train on: whole sentences, stretches of some words out of them, and words of a language at random.

    The last keep a network from learning the sentences by heart: what tells a language is in its words one by one.
    """

    def __init__(self, train: list[Text], split: Splitter, mixed: float) -> None:
        self.train, self.split, self.mixed = train, split, mixed
        self.words: list[list[str]] = [[] for _ in CODES]
        for text, label in train:
            self.words[label] += text.split()

    def __call__(self, chance: random.Random, count: int) -> list[Row]:
        return [self._row(chance) for _ in range(count)]

    def _row(self, chance: random.Random) -> Row:
        text, label = chance.choice(self.train)
        words = text.split()
        if chance.random() < self.mixed:
            text = " ".join(chance.choices(self.words[label], k=chance.randint(1, 8)))
        elif chance.random() < 0.6 and len(words) > 2:
            length = chance.randint(2, 10)
            at = chance.randrange(max(1, len(words) - length + 1))
            text = " ".join(words[at : at + length])
        return self.split(plain(text)[:MAX_INPUT], chance), label


class Counts:
    """The baseline: naive Bayes over the counts of character n-grams, one to four characters long."""

    def __init__(self, train: list[Text]) -> None:
        self.counts: list[Counter[str]] = [Counter() for _ in CODES]
        for text, label in train:
            self.counts[label].update(self._grams(text))
        self.totals = [sum(c.values()) for c in self.counts]
        self.kinds = len(set().union(*self.counts))

    @staticmethod
    def _grams(text: str) -> list[str]:
        text = f" {text.lower()} "
        return [text[at : at + n] for n in (1, 2, 3, 4) for at in range(len(text) - n + 1)]

    def __call__(self, text: str) -> int:
        grams = self._grams(text)
        scores = [
            sum(math.log((counts[g] + 0.1) / (total + 0.1 * self.kinds)) for g in grams)
            for counts, total in zip(self.counts, self.totals, strict=True)
        ]
        return scores.index(max(scores))


def train(data: Path, work: Path, steps: int) -> tuple[Trained, Trained, str]:
    """The same model is measured and shipped."""
    kept = work / "language.pt"
    trained = saved(kept)
    if trained is None:
        rows, _ = read(data)
        pieces = Pieces((plain(text) for text, _ in rows), PIECES, LABELS)
        shape = network.Shape(len(pieces.vocabulary.pieces), **SHAPE)
        trained = Trained(pieces.vocabulary, shape, network.new_weights(shape, SEED), SEED)
        labels, split = pieces.vocabulary.label_ids(), Splitter(pieces, LONGEST)
        feed = losses(trained.weights, shape, labels, Sampler(rows, split, 0.0), SEED, Habits(0.05, 0.1, 0.3))
        network.fit(trained.weights, feed, network.Pace(steps or STEPS), NAME)
        feed = losses(trained.weights, shape, labels, Sampler(rows, split, 0.5), SEED + 1, Habits(0.05, 0.05, 0.1))
        network.fit(trained.weights, feed, network.Pace(steps or MORE_STEPS, rate=2e-3), f"{NAME}, mixed words")
        trained.save(kept)
    return trained, trained, ""


def measure(data: Path, ask: Callable[[list[str]], list[str]]) -> Measured:
    """Held-out sentences, whole and their first words only, by the model and by the counts."""
    rows, test = read(data)
    counts = Counts(rows)

    def by_counts(texts: list[str]) -> list[str]:
        return [NAMES[CODES[counts(text)]] for text in texts]

    def score(answer: Callable[[list[str]], list[str]], words: int) -> Figure:
        some = test if words > 100 else test[::4]
        return figure(answer([cut(text, words) for text, _ in some]), [{NAMES[CODES[label]]} for _, label in some])

    also = {}
    for words in (5, 3, 1):
        name = f"the first {words} words" if words > 1 else "the first word"
        also[f"model, {name} only"] = score(ask, words)
        also[f"counts, {name} only"] = score(by_counts, words)
    other = read_declaration(data)
    wanted = [{NAMES[CODES[label]]} for _, label in other]
    for name, answer in (("model", ask), ("counts", by_counts)):
        also[f"{name}, sentences of the Declaration of Human Rights"] = figure(answer([t for t, _ in other]), wanted)
    metric = "held-out sentences whose language is right, 27 languages"
    return Measured(metric, score(ask, 1000), "counts of one to four characters", score(by_counts, 1000), also)

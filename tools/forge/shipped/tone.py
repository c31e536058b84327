"""The tone of a text, positive or negative: from rated sentences of reviews, comments and messages."""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.forge import network
from tools.forge.measure import Figure, figure, held_out
from tools.forge.network import Row
from tools.forge.shipped.classify import Habits, Splitter, losses, plain
from tools.forge.shipped.package import Measured, Trained, saved
from tools.forge.vocabulary import Pieces

NAME = "tone"
SHAPE = {"width": 96, "layers": 2, "heads": 3, "hidden": 192, "context": 256}
PIECES = 8000
HELD_OUT = 20
LONGEST = 160
MAX_INPUT = 600
NAMES = ["negative", "positive"]
LABELS = ["<negative>", "<positive>"]
STEPS, SEED = 5000, 1
SAMPLE = ["terrible. the showers were filthy.\n", "we loved the little restaurant on the pier!\n", "fine\n"]
# The share of the draws that each source gets: people mostly ask about reviews, so these come more often than their
# number of rows would have them.
SHARES = {
    "goemotions": 0.16, "sentences": 0.16, "movies": 0.18, "pros and cons": 0.14, "amazon": 0.09, "tweets": 0.06,
    "news": 0.02, "clothing": 0.07, "long": 0.06, "lexicon": 0.06,
}  # fmt: skip
NEGATIVE_EMOTIONS, POSITIVE_EMOTIONS = {"0", "1", "2", "5"}, {"3"}


@dataclass(frozen=True)
class Text:
    """A text with the number of its label and the source that it came from."""

    text: str
    label: int
    source: str


def _goemotions(data: Path, part: str) -> Iterator[Text]:
    lines = (data / "goemotions" / "ekman" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines:
        text, emotions, _ = line.split("\t")
        kinds = set(emotions.split(","))
        if kinds <= POSITIVE_EMOTIONS or kinds <= NEGATIVE_EMOTIONS:
            text = text.replace("[NAME]", "").replace("[RELIGION]", "")
            yield Text(text, int(kinds <= POSITIVE_EMOTIONS), "goemotions")


def _sentences(data: Path) -> Iterator[Text]:
    for site in ("yelp", "amazon", "imdb"):
        for line in (data / "sentences" / f"{site}.txt").read_text(encoding="utf-8").split("\n"):
            text, _, label = line.rpartition("\t")
            if label in ("0", "1"):
                yield Text(text.strip(), int(label), "sentences")


def _rated(path: Path, source: str) -> Iterator[Text]:
    """Texts that people rated from -4 to 4; those near the middle are left out."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        _, mean, text = line.split("\t", 2)
        if abs(float(mean)) >= 0.6:
            yield Text(text.replace("@anonymous", "").strip(), int(float(mean) > 0), source)


def _lexicon(data: Path) -> Iterator[Text]:
    for line in (data / "vader" / "vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, mean, *_ = line.split("\t")
        if abs(float(mean)) >= 0.8:
            yield Text(word, int(float(mean) > 0), "lexicon")


def _clothing(data: Path) -> Iterator[Text]:
    with (data / "clothing" / "reviews.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["Rating"] in ("1", "2", "4", "5"):
                for text in (row["Title"], row["Review Text"]):
                    if text:
                        yield Text(text, int(row["Rating"] in ("4", "5")), "clothing")


def _opinions(data: Path) -> Iterator[Text]:
    """Bing Liu's lists: opinion words, and what reviewers wrote under "Pros" and "Cons"."""
    for label, word in enumerate(("negative", "positive")):
        path = data / "nltk" / "opinion_lexicon" / f"{word}-words.txt"
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(";"):
                yield Text(line, label, "lexicon")
    for label, kind in enumerate(("Cons", "Pros")):
        path = data / "nltk" / "pros_cons" / f"Integrated{kind}.txt"
        for line in path.read_text(encoding="utf-8").splitlines():
            text = re.sub(r"</?\w+>", "", line).strip()
            if len(text) > 3 and text.lower() not in ("none", "nothing", "see review"):
                yield Text(text, label, "pros and cons")


def _movies(data: Path) -> Iterator[Text]:
    """Pang and Lee's sentences and whole reviews; of a review its end, where the verdict stands."""
    kept_out = _letters_of_sst2(data)
    for label, kind in enumerate(("neg", "pos")):
        path = data / "nltk" / "sentence_polarity" / f"rt-polarity.{kind}"
        for line in path.read_text(encoding="utf-8").splitlines():
            if not kept_out & _ends(line):
                yield Text(line.strip(), label, "movies")
        for path in sorted((data / "nltk" / "movie_reviews" / kind).glob("*.txt")):
            yield Text(" ".join(path.read_text(encoding="utf-8").split())[-900:], label, "long")


def _ends(text: str) -> set[str]:
    """The first and the last letters of a text, to find it again however it was cleaned."""
    letters = re.sub(r"[^a-z]", "", text.lower())
    return {letters[:24], letters[-24:]} - {""}


def _letters_of_sst2(data: Path) -> set[str]:
    """SST-2 is made of the same sentences: those of its test and development parts are kept out of training."""
    found: set[str] = set()
    for part in ("test", "dev"):
        for line in (data / "sst2" / f"{part}.tsv").read_text(encoding="utf-8").splitlines():
            found |= _ends(line.rpartition("\t")[0])
    return found


def _all(data: Path) -> Iterator[Text]:
    yield from _opinions(data)
    yield from _movies(data)
    yield from _sentences(data)
    yield from _rated(data / "vader" / "amazonReviewSnippets_GroundTruth.txt", "amazon")
    yield from _rated(data / "vader" / "tweets_GroundTruth.txt", "tweets")
    yield from _rated(data / "vader" / "nytEditorialSnippets_GroundTruth.txt", "news")
    yield from _clothing(data)
    yield from _lexicon(data)


def read(data: Path) -> tuple[list[Text], list[Text]]:
    """Train and held-out texts; GoEmotions keeps its own split, the lexicon is for training only."""
    train, test = list(_goemotions(data, "train")), list(_goemotions(data, "test"))
    for text in _all(data):
        out = text.source not in ("lexicon", "long") and held_out(text.text, HELD_OUT)
        (test if out else train).append(text)
    asked = {t.text for t in test}
    return [t for t in train if t.text not in asked], test


def read_sst2(data: Path) -> list[Text]:
    """The SST-2 test sentences: for measuring only, they are never trained on."""
    rows = []
    for line in (data / "sst2" / "test.tsv").read_text(encoding="utf-8").splitlines():
        text, _, label = line.rpartition("\t")
        if label in ("0", "1"):
            rows.append(Text(text, int(label), "sst2"))
    return rows


class Sampler:
    """Draws rows to train on, both labels equally often, now and then two or three texts joined to a longer one."""

    def __init__(self, train: list[Text], split: Splitter) -> None:
        self.split = split
        self.groups: dict[tuple[str, int], list[Text]] = defaultdict(list)
        for text in train:
            self.groups[text.source, text.label].append(text)

    def __call__(self, chance: random.Random, count: int) -> list[Row]:
        sources = chance.choices(list(SHARES), list(SHARES.values()), k=count)
        return [self._row(source, chance) for source in sources]

    def _row(self, source: str, chance: random.Random) -> Row:
        label = chance.randrange(2)
        group = self.groups[source, label]
        many = chance.choice((2, 3)) if source not in ("lexicon", "clothing", "long") and chance.random() < 0.25 else 1
        text = " ".join(chance.choice(group).text for _ in range(many))
        if source == "long":
            text = text[chance.randrange(0, 400) :]
        return self.split(plain(text)[:MAX_INPUT], chance), label


def lexicon_count(data: Path) -> dict[str, float]:
    """The plainest baseline: what each word of the VADER lexicon is rated; a text's tone is the sign of the sum."""
    lines = (data / "vader" / "vader_lexicon.txt").read_text(encoding="utf-8").splitlines()
    return {line.split("\t")[0]: float(line.split("\t")[1]) for line in lines}


def words(text: str) -> list[str]:
    """The words of a text in lower case, punctuation taken off their ends."""
    return [word.strip(".,;:!?\"'()[]-") for word in text.lower().split()]


def linear(train: Iterable[Text]) -> Any:
    """The second baseline: logistic regression over one- and two-word counts, both labels weighted alike."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from sklearn.pipeline import make_pipeline  # type: ignore[import-not-found,import-untyped,unused-ignore]

    rows = list(train)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\b\w[\w']*\b"),
        LogisticRegression(C=4.0, max_iter=400, class_weight="balanced"),
    )
    return model.fit([t.text for t in rows], [t.label for t in rows])


def train(data: Path, work: Path, steps: int) -> tuple[Trained, Trained, str]:
    """The same model is measured and shipped."""
    kept = work / "tone.pt"
    trained = saved(kept)
    if trained is None:
        rows, _ = read(data)
        pieces = Pieces((plain(row.text) for row in rows if row.source != "lexicon"), PIECES, LABELS)
        shape = network.Shape(len(pieces.vocabulary.pieces), **SHAPE)
        trained = Trained(pieces.vocabulary, shape, network.new_weights(shape, SEED), SEED)
        draw = Sampler(rows, Splitter(pieces, LONGEST, left_out=0.1))
        habits = Habits(dropout=0.1, lost=0.03, along=0.1)
        feed = losses(trained.weights, shape, pieces.vocabulary.label_ids(), draw, SEED, habits)
        network.fit(trained.weights, feed, network.Pace(steps or STEPS), NAME)
        trained.save(kept)
    return trained, trained, ""


TESTED = {
    "sentences": "sentences of reviews (Yelp, Amazon, IMDb)", "movies": "sentences of film reviews",
    "amazon": "product reviews", "clothing": "clothing reviews", "pros and cons": "pros and cons",
    "goemotions": "comments (GoEmotions test)", "tweets": "tweets", "sst2": "SST-2 test",
}  # fmt: skip


def measure(data: Path, ask: Callable[[list[str]], list[str]]) -> Measured:
    """Held-out texts by source, by the model, by a count of lexicon words and by a linear model."""
    rows, test = read(data)
    test += read_sst2(data)
    lexicon, fitted = lexicon_count(data), linear(rows)

    def by_lexicon(texts: list[str]) -> list[str]:
        return [NAMES[int(sum(lexicon.get(word, 0.0) for word in words(text)) >= 0)] for text in texts]

    def by_linear(texts: list[str]) -> list[str]:
        return [NAMES[label] for label in fitted.predict(texts)]

    def score(answer: Callable[[list[str]], list[str]], source: str) -> Figure:
        some = [row for row in test if row.source == source]
        return figure(answer([row.text for row in some]), [{NAMES[row.label]} for row in some])

    ways = {"model": ask, "linear model": by_linear, "lexicon count": by_lexicon}
    figures = {(way, source): score(ways[way], source) for source in TESTED for way in ways}
    main, base = figures.pop(("model", "sentences")), figures.pop(("linear model", "sentences"))
    also = {f"{way}, {TESTED[source]}": value for (way, source), value in figures.items()}
    metric = "held-out " + TESTED["sentences"] + " whose tone is right"
    return Measured(metric, main, "linear model over one- and two-word counts", base, also)

"""English plurals: character by character, from the noun inflections of LemmInflect."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.forge import network
from tools.forge.measure import Figure, figure, held_out
from tools.forge.shipped.package import Measured, Trained, saved
from tools.forge.vocabulary import BOS, FIRST_BYTE, byte_vocabulary

NAME = "plural"
SHAPE = {"width": 96, "layers": 3, "heads": 3, "hidden": 288, "context": 128}
BATCH = 64
HELD_OUT = 10
LONGEST = 48
NEWLINE = "\n"
STEPS, MORE_STEPS, SEED = 5000, 3000, 1
SAMPLE = [f"{word}\n" for word in ("child", "Wolf", "city", "red potato", "analysis", "zebrafish")]
NOTE = (
    "The figures are those of a model that was trained without the held-out nouns; the shipped one was then trained on "
    "all rows, with common irregular nouns shown more often, so that it has seen the held-out nouns."
)

# Nouns whose plural people expect to be the same word; the source lists them as it lists what cannot be counted.
UNCHANGED = (
    "aircraft bison cod deer fish grouse headquarters hovercraft means moose offspring salmon series sheep shrimp "
    "spacecraft species squid swine trout crossroads barracks gallows watercraft"
).split()
# Irregular plurals that are asked for by name; they are shown more often, and to the shipped model only.
COMMON = (
    "analysis axis basis bacterium cactus calf child crisis criterion curriculum die elf foot fungus goose half hero "
    "hoof knife leaf life loaf louse man medium mouse nucleus oasis ox person phenomenon potato scarf self sheaf shelf "
    "stimulus thesis thief tomato tooth wife wolf woman echo veto torpedo policeman fireman grandchild stepchild city "
    "baby box bus church dish glass quiz buzz day key roof chief belief cliff proof photo piano radio zoo video"
).split()
# Compounds whose first word takes the ending; the source has none of them.
HEAD_FIRST = [f"{who}-in-law" for who in ("mother", "father", "sister", "brother", "son", "daughter")]
HEAD_FIRST += ["passer-by", "runner-up", "looker-on", "hanger-on", "attorney general", "man-of-war"]
# Plurals that the source lacks, gets wrong or ranks behind a rarer form.
PREFERRED = {
    "person": "people", "die": "dice", "fish": "fish", "shrimp": "shrimp", "squid": "squid", "swine": "swine",
    "ox": "oxen",
}  # fmt: skip


@dataclass(frozen=True)
class Noun:
    """A lemma and its plurals, the one to teach first."""

    lemma: str
    plurals: tuple[str, ...]


def read(data: Path) -> tuple[list[Noun], list[str]]:
    """The nouns that have a plural of their own, and the adjectives (to make phrases of)."""
    nouns, adjectives = [], []
    with gzip.open(data / "plurals" / "infl_lu.csv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            lemma, kind, *forms = line.rstrip("\n").split(",")
            if kind == "adj" and lemma.isalpha() and lemma.islower() and len(lemma) < 11:
                adjectives.append(lemma)
            plurals = tuple(f for f in forms[0].split("/") if f and f.lower() != lemma.lower())
            if kind == "noun" and plurals and len(lemma) <= LONGEST:
                nouns.append(Noun(lemma, plurals))
    # "Wolfs" is right for the family and wrong for the animals: a name that is also a word is taught as the word
    common = {n.lemma for n in nouns if n.lemma.islower()}
    return [n for n in nouns if n.lemma.islower() or n.lemma.lower() not in common], adjectives


def split(nouns: list[Noun]) -> tuple[list[Noun], list[Noun]]:
    """Train and held-out rows; the held-out ones are nouns in lower case, by a hash of the lemma."""
    test = [n for n in nouns if n.lemma.islower() and held_out(n.lemma, HELD_OUT)]
    lemmas = {n.lemma for n in test}
    return [n for n in nouns if n.lemma.lower() not in lemmas], test


def rule(word: str) -> str:
    """The baseline: the rule that is taught at school."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def irregular(noun: Noun) -> bool:
    """Whether the rule misses every plural of the noun."""
    return rule(noun.lemma) not in noun.plurals


def _weights(nouns: list[Noun], everything: bool) -> list[float]:
    common = set(COMMON) if everything else set()
    return [(4.0 if irregular(n) else 1.0) * (12.0 if n.lemma in common else 1.0) for n in nouns]


def _extra() -> list[Noun]:
    """What the shipped model is taught besides the source's rows."""
    kept = [Noun(w, (w,)) for w in UNCHANGED] + [Noun(w, (p,)) for w, p in PREFERRED.items()]
    for word in HEAD_FIRST:
        first = re.split("[- ]", word)[0]
        plural = "men" if first == "man" else first + "s"
        kept.append(Noun(word, (plural + word.removeprefix(first),)))
    return kept * 8


def _vary(noun: Noun, nouns: list[Noun], adjectives: list[str], chance: random.Random) -> tuple[str, str]:
    """Sometimes a phrase, capitals, or all capitals, so that the last word is changed and the rest is kept."""
    lemma, plural = noun.lemma, noun.plurals[0]
    while chance.random() < 0.15 and lemma.islower() and len(lemma) < 24:
        other = chance.choice(adjectives) if chance.random() < 0.5 else chance.choice(nouns).lemma
        lemma, plural = f"{other} {lemma}", f"{other} {plural}"
    draw = chance.random()
    if draw < 0.12:
        return lemma[:1].upper() + lemma[1:], plural[:1].upper() + plural[1:]
    if draw < 0.16 and lemma.isascii():
        return lemma.title(), plural.title()
    return (lemma.upper(), plural.upper()) if draw < 0.2 else (lemma, plural)


def _pair(lemma: str, plural: str) -> network.Row:
    asked = [BOS, *(b + FIRST_BYTE for b in (lemma + NEWLINE).encode())]
    return asked + [b + FIRST_BYTE for b in (plural + NEWLINE).encode()], len(asked)


def losses(
    weights: network.Weights,
    shape: network.Shape,
    nouns: list[Noun],
    adjectives: list[str],
    seed: int,
    everything: bool,
) -> Iterator[Any]:
    """Cross-entropy of the plural's bytes, a batch of words a step."""
    chance = random.Random(seed)
    source = {n.lemma: n for n in nouns} if not everything else {n.lemma: n for n in nouns if n.lemma not in PREFERRED}
    rows = list(source.values()) + (_extra() if everything else [])
    shares = _weights(rows, everything)
    while True:
        drawn = chance.choices(rows, shares, k=BATCH * 16)
        pairs = [_pair(*_vary(n, rows, adjectives, chance)) for n in drawn]
        for batch in network.by_length(pairs, BATCH, chance):
            yield _loss(weights, shape, batch)


def _loss(weights: network.Weights, shape: network.Shape, batch: list[network.Row]) -> Any:
    import torch
    import torch.nn.functional as F

    tokens = network.pad([row for row, _ in batch])
    start = torch.tensor([at for _, at in batch])[:, None]
    end = torch.tensor([len(row) for row, _ in batch])[:, None]
    place = torch.arange(1, tokens.shape[1])[None]
    logits = network.scores(weights, network.hidden(weights, shape, tokens[:, :-1], dropout=0.02))
    wanted = (place >= start) & (place < end)
    return F.cross_entropy(logits[wanted], tokens[:, 1:][wanted])


def train(data: Path, work: Path, steps: int) -> tuple[Trained, Trained, str]:
    """The model to measure, the model to ship, and what to say of the difference."""
    nouns, adjectives = read(data)
    taught, _ = split(nouns)
    measured = saved(work / "plural-held-out.pt")
    if measured is None:
        vocabulary = byte_vocabulary([])
        shape = network.Shape(len(vocabulary.pieces), **SHAPE)
        measured = Trained(vocabulary, shape, network.new_weights(shape, SEED), SEED)
        feed = losses(measured.weights, shape, taught, adjectives, SEED, everything=False)
        network.fit(measured.weights, feed, network.Pace(steps or STEPS), NAME)
        measured.save(work / "plural-held-out.pt")
    shipped = saved(work / "plural-all.pt")
    if shipped is None:
        shipped = saved(work / "plural-held-out.pt") or measured
        feed = losses(shipped.weights, shipped.shape, nouns, adjectives, SEED + 1, everything=True)
        network.fit(shipped.weights, feed, network.Pace(steps or MORE_STEPS, rate=1.5e-3), f"{NAME}, all rows")
        shipped.save(work / "plural-all.pt")
    return measured, shipped, NOTE


def measure(data: Path, ask: Callable[[list[str]], list[str]]) -> Measured:
    """Held-out nouns, the irregular ones among them, and the same for the rule and for the `inflect` package."""
    import inflect  # type: ignore[import-not-found,import-untyped,unused-ignore]

    _, test = split(read(data)[0])
    odd = [noun for noun in test if irregular(noun)]
    package = inflect.engine()

    def score(nouns: list[Noun], answer: Callable[[list[str]], list[str]]) -> Figure:
        return figure(answer([n.lemma for n in nouns]), [set(n.plurals) for n in nouns])

    def by_rule(words: list[str]) -> list[str]:
        return [rule(word) for word in words]

    def by_package(words: list[str]) -> list[str]:
        return [str(package.plural_noun(word)) for word in words]

    also = {
        "the inflect package (knows most of these nouns)": score(test, by_package),
        "model, irregular nouns never seen": score(odd, ask),
        "a three-line rule, irregular nouns": score(odd, by_rule),
        "the inflect package, irregular nouns": score(odd, by_package),
    }
    metric = "nouns in lower case whose plural is among those that the source lists; never seen in training"
    return Measured(metric, score(test, ask), "a three-line rule", score(test, by_rule), also)

"""Training of classifiers: the label is read at the last token, and asked for, more softly, at every token before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.forge import network
from tools.forge.network import Row
from tools.forge.vocabulary import FIRST_BYTE, Pieces, Tokenizer

BATCH = 64
NEWLINE = FIRST_BYTE + ord("\n")


def plain(text: str) -> str:
    """A text as the engine gives it to a model that wants lower case: white space is single."""
    return " ".join(text.lower().split())


def encode(tokenizer: Tokenizer, text: str, longest: int) -> list[int]:
    """The tokens of `text` as the model is asked: cut to `longest`, a newline at the end."""
    return [*tokenizer(text)[: longest - 1], NEWLINE]


class Splitter:
    """Encodes texts for training: half of them as llama.cpp will, half of them split at random."""

    def __init__(self, pieces: Pieces, longest: int, left_out: float = 0.15) -> None:
        self.pieces, self.longest, self.left_out = pieces, longest, left_out
        self.tokenizer = Tokenizer(pieces.vocabulary)

    def __call__(self, text: str, chance: random.Random) -> list[int]:
        if chance.random() < 0.5:
            return encode(self.tokenizer, text, self.longest)
        return [*self.pieces.at_random(text, self.left_out)[: self.longest - 1], NEWLINE]


@dataclass(frozen=True)
class Habits:
    """What keeps a classifier from learning its rows by heart: the share of values dropped, the share of tokens hidden
    from it, and the weight of the loss at the tokens before the last."""

    dropout: float
    lost: float
    along: float


def losses(
    weights: network.Weights,
    shape: network.Shape,
    labels: list[int],
    draw: Callable[[random.Random, int], list[Row]],
    seed: int,
    habits: Habits,
) -> Iterator[Any]:
    """A loss a step; `draw` gives rows of tokens and label number, `labels` are the token ids of the labels."""
    chance = random.Random(seed)
    while True:
        rows = [(_hide(tokens, habits.lost, chance), label) for tokens, label in draw(chance, BATCH * 16)]
        for some in network.by_length(rows, BATCH, chance):
            yield _loss(weights, shape, labels, some, habits)


def _hide(tokens: list[int], share: float, chance: random.Random) -> list[int]:
    inner = [0 if chance.random() < share else token for token in tokens[1:-1]]
    return [tokens[0], *inner, tokens[-1]]


def _loss(weights: network.Weights, shape: network.Shape, labels: list[int], rows: list[Row], habits: Habits) -> Any:
    import torch
    import torch.nn.functional as F

    tokens = network.pad([row for row, _ in rows])
    wanted = torch.tensor([label for _, label in rows])
    last = torch.tensor([len(row) - 1 for row, _ in rows])
    logits = network.scores(weights, network.hidden(weights, shape, tokens, habits.dropout), labels)
    final = F.cross_entropy(logits[torch.arange(len(rows)), last], wanted, label_smoothing=0.02)
    place = torch.arange(tokens.shape[1])[None]
    before = (place >= 1) & (place < last[:, None])
    spread = wanted[:, None].expand(-1, tokens.shape[1])
    return final + habits.along * F.cross_entropy(logits[before], spread[before]) if before.any() else final

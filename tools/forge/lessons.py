"""What a small network is taught: to write the answer after the input, or to choose a label at the input's end."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from tools.forge import network
from tools.forge.candidate import Job, Row
from tools.forge.encoding import Coder, Stems, pair
from tools.forge.network import Shape, Weights

CHUNK = 16
"""Batches that are drawn together and sorted by length, so that little of a batch is filling."""
MOST_SCORED = 2000
"""Rows of the validation part that the checks during the training use."""
UNKNOWN = 0


@dataclass(frozen=True)
class Habits:
    """What keeps a network from learning its rows by heart.

    The share of values dropped, what the right token leaves to all others, the share of rows with another stem, the
    share of tokens hidden, the chance that a merge of word pieces is left out, and the weight of the loss before the
    last token of a classifier's text.
    """

    dropout: float = 0.2
    smoothing: float = 0.05
    varied: float = 0.5
    lost: float = 0.1
    split: float = 0.15
    along: float = 0.2


@dataclass(frozen=True)
class Setting:
    """What a lesson needs besides rows: sizes, rows a batch, seed, device, and whether products are in 16 bits."""

    shape: Shape
    batch: int
    seed: int
    habits: Habits
    device: str = "cpu"
    half: bool = False


class Draws:
    """Numbers of rows, shuffled anew for each pass; which ones a chunk holds follows from seed and chunk alone."""

    def __init__(self, rows: int, size: int, seed: int) -> None:
        self.rows, self.size, self.seed = rows, size, seed
        self._orders: dict[int, list[int]] = {}

    def __call__(self, chunk: int) -> list[int]:
        return [
            self._order(at // self.rows)[at % self.rows] for at in range(chunk * self.size, (chunk + 1) * self.size)
        ]

    def _order(self, turn: int) -> list[int]:
        if turn not in self._orders:
            self._orders = {number: order for number, order in self._orders.items() if number >= turn - 1}
            self._orders[turn] = random.Random(f"{self.seed} {turn}").sample(range(self.rows), self.rows)
        return self._orders[turn]


class _Lesson:
    """Batches by the number of the step; a subclass makes tokens of a row, and a loss of a batch."""

    def __init__(self, rows: int, setting: Setting) -> None:
        self.setting = setting
        self._draws = Draws(rows, CHUNK * setting.batch, setting.seed)
        self._chunk, self._batches = -1, list[list[network.Row]]()

    def encoded(self, number: int, chance: random.Random) -> network.Row:
        raise NotImplementedError

    def batch(self, step: int) -> list[network.Row]:
        """The rows of a step."""
        chunk = step // CHUNK
        if chunk != self._chunk:
            chance = random.Random(f"{self.setting.seed} chunk {chunk}")
            rows = [self.encoded(number, chance) for number in self._draws(chunk)]
            self._chunk, self._batches = chunk, list(network.by_length(rows, self.setting.batch, chance))
        return self._batches[step % CHUNK]

    def states(self, weights: Weights, tokens: Any, dropout: float = 0.0) -> Any:
        setting = self.setting
        half = setting.half and torch.is_grad_enabled()
        return network.hidden(weights, setting.shape, tokens, dropout, half)


class Writing(_Lesson):
    """Cross-entropy of the answer's tokens; the score is the share of rows that greedy decoding would get right."""

    def __init__(self, job: Job, encoder: Coder, train: Sequence[Row], setting: Setting) -> None:
        super().__init__(len(train), setting)
        self.encoder, self.train = encoder, train
        self.stems = Stems(train, encoder.frame.open) if setting.habits.varied else None
        self._plain = [pair(encoder, row.inputs, row.output) for row in train]
        self._asked = list[tuple[list[int], int, int]]()
        for number, row in enumerate(job.valid[:MOST_SCORED]):
            for output in (row.output, *row.also):
                self._asked.append((*pair(encoder, row.inputs, output), number))
        longest = setting.shape.context
        self._asked = [asked for asked in self._asked if len(asked[0]) <= longest]
        self._rows = max(1, min(len(job.valid), MOST_SCORED))

    def encoded(self, number: int, chance: random.Random) -> network.Row:
        if self.stems is not None and chance.random() < self.setting.habits.varied:
            varied = pair(self.encoder, *self.stems.vary(self.train[number], number, chance))
            if len(varied[0]) <= self.setting.shape.context:
                return varied
        return self._plain[number]

    def loss(self, weights: Weights, step: int) -> Any:
        logits, wanted = self._answers(weights, self.batch(step), self.setting.habits.dropout)
        return F.cross_entropy(logits, wanted, label_smoothing=self.setting.habits.smoothing)

    def _answers(self, weights: Weights, rows: list[network.Row], dropout: float = 0.0) -> tuple[Any, Any]:
        """Logits and tokens at the places of the answers, row after row."""
        tokens = network.pad([row for row, _ in rows]).to(self.setting.device)
        inside = _inside(rows, tokens.shape[1]).to(self.setting.device)
        states = self.states(weights, tokens[:, :-1], dropout)[inside]
        return network.scores(weights, states), tokens[:, 1:][inside]

    def score(self, weights: Weights) -> float:
        """An answer is what greedy decoding writes exactly where each of its tokens is the likeliest after the last."""
        right = set[int]()
        asked = sorted(self._asked, key=lambda one: len(one[0]))
        for at in range(0, len(asked), 64):
            some = asked[at : at + 64]
            logits, wanted = self._answers(weights, [(row, start) for row, start, _ in some])
            hits = (logits.argmax(-1) == wanted).cpu().split([len(row) - start for row, start, _ in some])
            right |= {number for hit, (_, _, number) in zip(hits, some, strict=True) if bool(hit.all())}
        return len(right) / self._rows


def _inside(rows: list[network.Row], longest: int) -> Any:
    """Which of the places [rows, longest - 1] are followed by a token of the answer."""
    start = torch.tensor([at for _, at in rows])[:, None]
    end = torch.tensor([len(row) for row, _ in rows])[:, None]
    place = torch.arange(1, longest)[None]
    return (place >= start) & (place < end)


class Choosing(_Lesson):
    """Cross-entropy of the label at the last token, and more softly at every token before it."""

    def __init__(self, job: Job, encoder: Coder, longest: int, setting: Setting) -> None:
        super().__init__(len(job.train), setting)
        self.encoder, self.train, self.longest = encoder, job.train, longest
        self.numbers = {label: number for number, label in enumerate(job.labels)}
        self.tokens = encoder.label_ids()
        self._plain = [encoder.prompt(row.inputs) for row in job.train]
        self._end = encoder.prompt(dict.fromkeys(job.inputs, ""))[-1]
        self._asked = [(self.fitted(encoder.prompt(row.inputs)), row) for row in job.valid[:MOST_SCORED]]
        self._macro = "f1" in job.metric.lower()

    def fitted(self, prompt: list[int]) -> list[int]:
        """Cut to the longest, the end of the template kept."""
        return prompt if len(prompt) <= self.longest else [*prompt[: self.longest - 1], self._end]

    def encoded(self, number: int, chance: random.Random) -> network.Row:
        row, habits = self.train[number], self.setting.habits
        tokens = self._plain[number]
        if habits.split and chance.random() < 0.5:
            tokens = self.encoder.at_random(tokens, habits.split, chance)
        tokens = self.fitted(tokens)
        inner = [UNKNOWN if chance.random() < habits.lost else token for token in tokens[1:-1]]
        return [tokens[0], *inner, tokens[-1]], self.numbers[row.output]

    def loss(self, weights: Weights, step: int) -> Any:
        rows, habits, device = self.batch(step), self.setting.habits, self.setting.device
        tokens = network.pad([row for row, _ in rows]).to(device)
        wanted = torch.tensor([label for _, label in rows], device=device)
        last = torch.tensor([len(row) - 1 for row, _ in rows], device=device)
        logits = network.scores(weights, self.states(weights, tokens, habits.dropout), self.tokens)
        final = logits[torch.arange(len(rows), device=device), last]
        loss = F.cross_entropy(final, wanted, label_smoothing=habits.smoothing)
        place = torch.arange(tokens.shape[1], device=device)[None]
        before = (place >= 1) & (place < last[:, None])
        if not habits.along or not before.any():
            return loss
        return loss + habits.along * F.cross_entropy(logits[before], wanted[:, None].expand(before.shape)[before])

    def score(self, weights: Weights) -> float:
        """The share of right rows, or the mean of the labels' F1 where the metric asks for it."""
        pairs = list[tuple[str, str]]()
        labels = list(self.numbers)
        asked = sorted(self._asked, key=lambda one: len(one[0]))
        for at in range(0, len(asked), 64):
            some = asked[at : at + 64]
            tokens = network.pad([prompt for prompt, _ in some]).to(self.setting.device)
            last = torch.tensor([len(prompt) - 1 for prompt, _ in some])
            states = self.states(weights, tokens)[torch.arange(len(some)), last]
            best = network.scores(weights, states, self.tokens).argmax(-1).tolist()
            said = [labels[number] for number in best]
            pairs += [(row.output, row.output if row.right(a) else a) for a, (_, row) in zip(said, some, strict=True)]
        return _macro_f1(pairs) if self._macro else sum(a == b for a, b in pairs) / max(1, len(pairs))


def _macro_f1(pairs: list[tuple[str, str]]) -> float:
    """The mean over the wanted labels of F1; pairs are (wanted, said)."""
    found = []
    for label in {wanted for wanted, _ in pairs}:
        hits = sum(wanted == said == label for wanted, said in pairs)
        all_of_it = sum((wanted == label) + (said == label) for wanted, said in pairs)
        found.append(2 * hits / all_of_it)
    return sum(found) / max(1, len(found))

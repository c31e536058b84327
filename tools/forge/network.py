"""A small llama-architecture decoder in PyTorch, its weights held under the names that they have in a GGUF file.

The names and the layout are those of llama.cpp's `llama` architecture (RMSNorm, interleaved rotary positions, SwiGLU,
output tied to the embedding), so that exporting is writing the dictionary down and nothing has to be permuted.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

Weights = dict[str, Any]
Row = tuple[list[int], int]
"""Token ids, and a number that goes with them: a label, or where the answer starts."""
EPSILON = 1e-5
ROPE_BASE = 10000.0


@dataclass(frozen=True)
class Shape:
    """The sizes of a network: vocabulary in tokens, width and feed-forward in floats, context in tokens."""

    vocabulary: int
    width: int = 128
    layers: int = 2
    heads: int = 4
    hidden: int = 256
    context: int = 128

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def new_weights(shape: Shape, seed: int) -> Weights:
    """Random weights: every matrix is [out, in], every norm [width]."""
    source = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int, scale: float) -> Any:
        return (torch.randn(rows, columns, generator=source) * scale).requires_grad_()

    weights: Weights = {"token_embd.weight": matrix(shape.vocabulary, shape.width, 0.05)}
    scale, back = 1 / math.sqrt(shape.width), 1 / math.sqrt(shape.hidden * 2 * shape.layers)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v"):
            weights[f"{block}{name}.weight"] = matrix(shape.width, shape.width, scale)
        weights[f"{block}attn_output.weight"] = matrix(shape.width, shape.width, scale / math.sqrt(2 * shape.layers))
        weights[f"{block}ffn_gate.weight"] = matrix(shape.hidden, shape.width, scale)
        weights[f"{block}ffn_up.weight"] = matrix(shape.hidden, shape.width, scale)
        weights[f"{block}ffn_down.weight"] = matrix(shape.width, shape.hidden, back)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"{block}{name}.weight"] = torch.ones(shape.width, requires_grad=True)
    weights["output_norm.weight"] = torch.ones(shape.width, requires_grad=True)
    return weights


def count(weights: Weights) -> int:
    """The number of trained floats."""
    return sum(int(tensor.numel()) for tensor in weights.values())


def _norm(x: Any, weight: Any) -> Any:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * weight


def _angles(length: int, head_width: int) -> tuple[Any, Any]:
    steps = ROPE_BASE ** (-torch.arange(0, head_width, 2).float() / head_width)
    angles = torch.outer(torch.arange(length).float(), steps)
    return angles.cos(), angles.sin()


def _rotate(x: Any, angles: tuple[Any, Any]) -> Any:
    """Rotary positions over neighbouring pairs; x is [batch, heads, tokens, head width]."""
    cos, sin = angles
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


def _attend(weights: Weights, block: str, x: Any, shape: Shape, angles: tuple[Any, Any]) -> Any:
    batch, length, _ = x.shape

    def heads(name: str) -> Any:
        y = x @ weights[f"{block}{name}.weight"].T
        return y.view(batch, length, shape.heads, shape.head_width).transpose(1, 2)

    query, key = _rotate(heads("attn_q"), angles), _rotate(heads("attn_k"), angles)
    mixed = F.scaled_dot_product_attention(query, key, heads("attn_v"), is_causal=True)
    joined = mixed.transpose(1, 2).reshape(batch, length, shape.width)
    return joined @ weights[f"{block}attn_output.weight"].T


def _feed_forward(weights: Weights, block: str, x: Any) -> Any:
    gate = F.silu(x @ weights[f"{block}ffn_gate.weight"].T)
    return (gate * (x @ weights[f"{block}ffn_up.weight"].T)) @ weights[f"{block}ffn_down.weight"].T


def hidden(weights: Weights, shape: Shape, tokens: Any, dropout: float = 0.0) -> Any:
    """Token ids [batch, tokens] to normed states [batch, tokens, width]."""
    x = F.dropout(F.embedding(tokens, weights["token_embd.weight"]), dropout, dropout > 0)
    angles = _angles(tokens.shape[1], shape.head_width)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        attended = _attend(weights, block, _norm(x, weights[f"{block}attn_norm.weight"]), shape, angles)
        x = x + F.dropout(attended, dropout, dropout > 0)
        fed = _feed_forward(weights, block, _norm(x, weights[f"{block}ffn_norm.weight"]))
        x = x + F.dropout(fed, dropout, dropout > 0)
    return _norm(x, weights["output_norm.weight"])


def scores(weights: Weights, states: Any, labels: list[int] | None = None) -> Any:
    """Logits over the vocabulary, or over the given token ids only."""
    table = weights["token_embd.weight"]
    return states @ (table if labels is None else table[torch.tensor(labels)]).T


@dataclass(frozen=True)
class Pace:
    """How training runs: optimiser steps, highest learning rate, weight decay, the share of steps to warm up."""

    steps: int
    rate: float = 3e-3
    decay: float = 0.05
    warm: float = 0.05

    def at(self, step: int) -> float:
        """The learning rate of a step: up in a line, then down by half a cosine."""
        warm = max(1, int(self.steps * self.warm))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm))))


def fit(weights: Weights, losses: Iterator[Any], pace: Pace, say: str = "") -> None:
    """Takes `pace.steps` optimiser steps; `losses` yields a loss that was computed from the weights as they stand."""
    matrices = [w for w in weights.values() if w.dim() > 1]
    norms = [w for w in weights.values() if w.dim() == 1]
    groups = [{"params": matrices, "weight_decay": pace.decay}, {"params": norms, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=pace.rate, betas=(0.9, 0.98))
    mean = 0.0
    for step in range(pace.steps):
        for group in optimiser.param_groups:
            group["lr"] = pace.at(step)
        loss = next(losses)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        optimiser.step()
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
        if say and (step + 1) % 200 == 0:
            print(f"{say}: step {step + 1} of {pace.steps}, loss {mean:.4f}", flush=True)


def pad(rows: list[list[int]], fill: int = 0) -> Any:
    """Rows of token ids to one [rows, longest] tensor, filled on the right."""
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def by_length(rows: list[Row], size: int, chance: random.Random) -> Iterator[list[Row]]:
    """Batches of rows of about the same length, in random order: little of a batch is then filling."""
    rows = sorted(rows, key=lambda row: len(row[0]))
    batches = [rows[at : at + size] for at in range(0, len(rows), size)]
    chance.shuffle(batches)
    yield from batches

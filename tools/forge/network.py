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
    """The sizes of a network: vocabulary in tokens, width and feed-forward in floats, context in tokens.

    `key_heads` are the heads of keys and values where they are fewer than those of queries (grouped-query attention),
    and `head` the width of a head where it is not width / heads; 0 stands for the plain case of both.
    """

    vocabulary: int
    width: int = 128
    layers: int = 2
    heads: int = 4
    hidden: int = 256
    context: int = 128
    key_heads: int = 0
    head: int = 0
    rope_base: float = ROPE_BASE
    epsilon: float = EPSILON

    @property
    def head_width(self) -> int:
        return self.head or self.width // self.heads

    @property
    def groups(self) -> int:
        """The heads of keys and values."""
        return self.key_heads or self.heads


def new_weights(shape: Shape, seed: int) -> Weights:
    """Random weights: every matrix is [out, in], every norm [width]."""
    source = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int, scale: float) -> Any:
        return (torch.randn(rows, columns, generator=source) * scale).requires_grad_()

    weights: Weights = {"token_embd.weight": matrix(shape.vocabulary, shape.width, 0.05)}
    scale, back = 1 / math.sqrt(shape.width), 1 / math.sqrt(shape.hidden * 2 * shape.layers)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        for name, heads in (("attn_q", shape.heads), ("attn_k", shape.groups), ("attn_v", shape.groups)):
            weights[f"{block}{name}.weight"] = matrix(heads * shape.head_width, shape.width, scale)
        joined = shape.heads * shape.head_width
        weights[f"{block}attn_output.weight"] = matrix(shape.width, joined, scale / math.sqrt(2 * shape.layers))
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


def _linear(x: Any, weight: Any, half: bool) -> Any:
    """x @ weight.T; with `half` in 16 bits, which newer processors multiply twice as fast."""
    return F.linear(x.bfloat16(), weight.bfloat16()).float() if half else F.linear(x, weight)


def _drop(x: Any, share: float) -> Any:
    """Dropout with one mask for all tokens of a row (Gal and Ghahramani, 2016): far fewer random numbers."""
    if share <= 0:
        return x
    mask = torch.empty(x.shape[0], 1, x.shape[2], device=x.device).bernoulli_(1 - share)
    return x * mask.div_(1 - share)


def _turns(length: int, shape: Shape, device: Any) -> Any:
    """The rotary positions as complex numbers of length 1: [tokens, 1, head width / 2]."""
    steps = shape.rope_base ** (-torch.arange(0, shape.head_width, 2, device=device).float() / shape.head_width)
    angles = torch.outer(torch.arange(length, device=device).float(), steps)
    return torch.polar(torch.ones_like(angles), angles)[:, None]


def _attend(weights: Weights, block: str, x: Any, shape: Shape, turns: Any, half: bool) -> Any:
    batch, length, _ = x.shape
    names = ("attn_q", "attn_k", "attn_v")
    # one product for the three: small matrices are multiplied far below the processor's speed
    joined = _linear(x, torch.cat([weights[f"{block}{name}.weight"] for name in names]), half)
    split = joined.view(batch, length, -1, shape.head_width)
    turned = split[:, :, : shape.heads + shape.groups].reshape(batch, length, -1, shape.head_width // 2, 2)
    turned = torch.view_as_real(torch.view_as_complex(turned) * turns).flatten(-2).transpose(1, 2)
    query, key = turned[:, : shape.heads], turned[:, shape.heads :]
    value = split[:, :, shape.heads + shape.groups :].transpose(1, 2)
    if shape.groups < shape.heads:
        key, value = (part.repeat_interleave(shape.heads // shape.groups, 1) for part in (key, value))
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    flat = mixed.transpose(1, 2).reshape(batch, length, -1)
    return _linear(flat, weights[f"{block}attn_output.weight"], half)


def _feed_forward(weights: Weights, block: str, x: Any, half: bool) -> Any:
    joined = torch.cat([weights[f"{block}{name}.weight"] for name in ("ffn_gate", "ffn_up")])
    gate, up = _linear(x, joined, half).chunk(2, -1)
    return _linear(F.silu(gate) * up, weights[f"{block}ffn_down.weight"], half)


def hidden(weights: Weights, shape: Shape, tokens: Any, dropout: float = 0.0, half: bool = False) -> Any:
    """Token ids [batch, tokens] to normed states [batch, tokens, width]; `half` multiplies in 16 bits, for training."""

    def norm(states: Any, name: str) -> Any:
        return F.rms_norm(states, (shape.width,), weights[name], shape.epsilon)

    x = _drop(F.embedding(tokens, weights["token_embd.weight"]), dropout)
    turns = _turns(tokens.shape[1], shape, tokens.device)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        attended = _attend(weights, block, norm(x, f"{block}attn_norm.weight"), shape, turns, half)
        x = x + _drop(attended, dropout)
        x = x + _drop(_feed_forward(weights, block, norm(x, f"{block}ffn_norm.weight"), half), dropout)
    return norm(x, "output_norm.weight")


def scores(weights: Weights, states: Any, labels: list[int] | None = None) -> Any:
    """Logits over the vocabulary, or over the given token ids only; the output is tied where it has no weights."""
    table: Any = weights["output.weight" if "output.weight" in weights else "token_embd.weight"]
    return states @ (table if labels is None else table[torch.tensor(labels, device=table.device)]).T


def faster_in_half(device: str) -> bool:
    """Whether products in 16 bits are worth it: on a GPU, and on processors that have instructions for them."""
    if device != "cpu":
        return True
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(known and known())


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

"""Trains the micro-models of the embedded planner on rows that `agent.planners.embedded.rows` wrote, and writes them.

    python -m tools.forge.planner.train --rows FILE … [--test FILE] --out agent/planners/embedded/models

Both are linear models: `pick` gives a step of a goal to one of the tools that come with zooid, by its n-grams; `fits`
says whether a plan does what a goal asks for, by the signs that the planner found. Each is fitted by L-BFGS with an L2
penalty. The figures are those on `--test`, whose wordings are in no row of `--rows`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.forge.measure import Figure
from tools.forge.planner import goals
from tools.micro import linear
from tools.micro.linear import Grams, Known, Weights
from tools.micro.manifest import FILES, MANIFEST

Array = Any
HERE = Path(__file__).parent
SEED = 1


@dataclass(frozen=True)
class Example:
    """What is asked and the label that must come out."""

    text: str
    label: str


@dataclass(frozen=True)
class Recipe:
    """How a model is made: what it counts, how strong the penalty is, how often an n-gram must occur to be kept."""

    name: str
    input: str
    grams: Grams
    penalty: float
    least: int
    examples: Callable[[list[dict[str, Any]]], list[Example]]


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def fits_examples(rows: list[dict[str, Any]]) -> list[Example]:
    """Every reading of every goal."""
    every = [one for row in rows for one in row["candidates"]]
    return [Example(one["signs"], "yes" if one["right"] else "no") for one in every]


def pick_examples(rows: list[dict[str, Any]]) -> list[Example]:
    """Every step that asks for a tool which comes with zooid, once."""
    own = {task.tool for task, _ in [*goals.plugins("train"), *goals.plugins("held")]}
    steps = {(step, tool) for row in rows for step, tool in row["steps"] if tool not in own}
    return [Example(step, tool) for step, tool in sorted(steps)]


RECIPES = (
    Recipe("fits", "signs", Grams(words=1, high=0, lower=False, weight="binary", even=False), 2.0, 2, fits_examples),
    Recipe("pick", "step", Grams(words=2, skips=True, low=2, high=5), 0.05, 2, pick_examples),
)


# -- fitting


@dataclass(frozen=True)
class Matrix:
    """Sparse rows, one after the other: row n is `rows[starts[n]:starts[n + 1]]` of the table, with their weights."""

    rows: Array
    weights: Array
    starts: Array


def matrix(recipe: Recipe, known: Known, found: list[list[Array]]) -> Matrix:
    vectors = [known.vector(recipe.grams, parts) for parts in found]
    starts = np.cumsum([0] + [len(rows) for rows, _ in vectors])
    return Matrix(np.concatenate([r for r, _ in vectors]), np.concatenate([w for _, w in vectors]), starts)


def counted(recipe: Recipe, examples: Sequence[Example]) -> list[list[Array]]:
    return [linear.families(recipe.grams, [example.text]) for example in examples]


def grams_of(recipe: Recipe, found: list[list[Array]]) -> Known:
    """The n-grams of at least `least` rows with their inverse document frequencies."""
    values = np.concatenate([np.unique(part) for parts in found for part in parts])
    kept, counts = np.unique(values, return_counts=True)
    kept, counts = kept[counts >= recipe.least], counts[counts >= recipe.least]
    scale = np.log((1 + len(found)) / (1 + counts)) + 1
    return Known(kept, scale.astype(np.float16).astype(np.float32))


def fitted(recipe: Recipe, examples: Sequence[Example], labels: list[str], say: bool = True) -> Weights:
    """Multinomial logistic regression; of two labels only the first has a column, as the form has it."""
    import torch

    found = counted(recipe, examples)
    known = grams_of(recipe, found)
    table = matrix(recipe, known, found)
    columns = len(labels) if len(labels) > 2 else 1
    weights = torch.zeros(len(known.hashes), columns, requires_grad=True)
    bias = torch.zeros(columns, requires_grad=True)
    rows, starts = torch.tensor(table.rows), torch.tensor(table.starts[:-1])
    sizes, wanted = torch.tensor(table.weights), torch.tensor([labels.index(example.label) for example in examples])
    search = torch.optim.LBFGS([weights, bias], max_iter=150, history_size=8, line_search_fn="strong_wolfe")

    def loss() -> Any:
        search.zero_grad()
        scores = torch.nn.functional.embedding_bag(rows, weights, starts, mode="sum", per_sample_weights=sizes) + bias
        wide = torch.cat([scores, -scores], 1) if columns == 1 else scores
        misfit = torch.nn.functional.cross_entropy(wide, wanted, reduction="sum")
        total = (misfit + recipe.penalty * weights.square().sum()) / len(examples)
        total.backward()
        return total

    search.step(loss)
    if say:
        print(f"{recipe.name}: {len(examples)} rows, {len(known.hashes)} n-grams, loss {loss().item():.4f}", flush=True)
    return Weights(known, weights.detach().numpy().astype(np.float16), bias.detach().numpy().astype(np.float32))


# -- writing


def write(
    recipe: Recipe, weights: Weights, labels: list[str], rows: list[Path], test: list[Example], out: Path
) -> None:
    """The model's file and its manifest."""
    folder = out / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    grams = {name: getattr(recipe.grams, name) for name in Grams.__slots__}
    about = {"kind": "classify", "inputs": [recipe.input], "labels": labels, "grams": grams}
    linear.save(folder / FILES["linear"], about, weights)
    fixed = (HERE / f"{recipe.name}.toml").read_text(encoding="utf-8")
    parts = [
        fixed,
        *(f"[[labels]]\ntext = {json.dumps(label)}\n" for label in labels),
        _accuracy(recipe, weights, labels, test),
    ]
    parts.append(_provenance(folder / FILES["linear"], weights, rows))
    (folder / MANIFEST).write_text("\n".join(parts), encoding="utf-8")


def answers(recipe: Recipe, weights: Weights, labels: list[str], test: list[Example]) -> list[str]:
    asker = linear.Classifier((recipe.input,), tuple(labels), recipe.grams, weights)
    return [asker.answers([{recipe.input: example.text}])[0][0] for example in test]


def _accuracy(recipe: Recipe, weights: Weights, labels: list[str], test: list[Example]) -> str:
    common = max(labels, key=lambda label: sum(example.label == label for example in test))
    right = sum(a == e.label for a, e in zip(answers(recipe, weights, labels, test), test, strict=True))
    model, baseline = Figure(len(test), right), Figure(len(test), sum(example.label == common for example in test))
    print(f"{recipe.name}: {model}; always {common}: {baseline}", flush=True)
    lines = ["[accuracy]", 'metric = "rows of held-out wordings whose label is right"', *_figure(model), ""]
    return "\n".join([*lines, "[accuracy.baseline]", f'name = "always {common}"', *_figure(baseline), ""])


def _figure(figure: Figure) -> list[str]:
    low, high = figure.interval
    return [f"rows = {figure.rows}", f"value = {figure.value}", f"low = {low}", f"high = {high}"]


def _provenance(path: Path, weights: Weights, rows: list[Path]) -> str:
    import torch

    content = b"".join(file.read_bytes() for file in rows)
    with_what = f"PyTorch {torch.__version__.partition('+')[0]}, python -m tools.forge.planner.train"
    lines = ["[provenance]", f"trained_with = {json.dumps(with_what)}", f"seed = {SEED}"]
    lines += [f"parameters = {weights.table.size + weights.bias.size}"]
    lines += [f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"', "", "[[provenance.data]]"]
    lines += ['name = "goals worded by tools.forge.planner"', f"rows = {len(content.splitlines())}"]
    return "\n".join([*lines, f'sha256 = "{hashlib.sha256(content).hexdigest()}"', ""])


def main() -> None:
    import torch

    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rows", type=Path, nargs="+", required=True)
    parse.add_argument("--test", type=Path, nargs="+", required=True)
    parse.add_argument("--out", type=Path, required=True)
    ask = parse.parse_args()
    torch.set_num_threads(1)
    train, test = read(ask.rows), read(ask.test)
    for recipe in RECIPES:
        examples = recipe.examples(train)
        labels = ["yes", "no"] if recipe.name == "fits" else sorted({example.label for example in examples})
        weights = fitted(recipe, examples, labels)
        write(recipe, weights, labels, ask.rows, [e for e in recipe.examples(test) if e.label in labels], ask.out)


if __name__ == "__main__":
    main()

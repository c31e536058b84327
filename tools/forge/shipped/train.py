"""Trains a shipped micro-model, measures it through the engine, and writes its folder.

    python -m tools.forge.shipped.train plural --data /path/to/data --work /tmp/forge

What was trained is kept in `--work`, and taken from there when the script is run again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tools.forge import check
from tools.forge.shipped import figures, language, package, plural, tone
from tools.forge.shipped.package import Measured, Trained
from tools.micro import Engine, load

MODELS = Path(__file__).parents[2] / "micro" / "models"


class Recipe(Protocol):
    """What a model's module offers to this script."""

    SAMPLE: list[str]

    def train(self, data: Path, work: Path, steps: int) -> tuple[Trained, Trained, str]:
        """The model to measure, the model to ship, and what to say of the difference."""

    def measure(self, data: Path, ask: Callable[[list[str]], list[str]]) -> Measured:
        """All figures; `ask` puts texts to the model."""


RECIPES: dict[str, Recipe] = {"plural": plural, "tone": tone, "language": language}


def main() -> None:
    """Reads the arguments and does it."""
    import torch

    options = _arguments()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES[options.name]
    measured_on, shipped, note = recipe.train(options.data, options.work, options.steps)
    measured = _measure(options, measured_on)
    folder = options.out / options.name
    package.write(folder, shipped, measured, note)
    print(figures.table(load(folder)))
    worst, same = check.difference(folder / "model.gguf", shipped.shape, shipped.weights, recipe.SAMPLE)
    print(f"llama.cpp against PyTorch: largest difference of a logit {worst:.4f}, same likeliest token: {same}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains a shipped micro-model.")
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, default=os.environ.get("ZOOID_DATA"), help="default: $ZOOID_DATA")
    parser.add_argument("--work", type=Path, default=Path("forge-work"), help="keeps what was trained")
    parser.add_argument("--out", type=Path, default=MODELS, help="where the model's folder goes")
    parser.add_argument("--steps", type=int, default=0, help="optimiser steps; default: those of the shipped model")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data with --data, or in the environment as ZOOID_DATA")
    return options


def _measure(options: argparse.Namespace, trained: Trained) -> Measured:
    """All figures come from llama.cpp, over the very file that is written."""
    folder = options.work / options.name
    package.write(folder, trained, package.UNMEASURED)
    engine, model = Engine(), load(folder)

    def ask(texts: list[str]) -> list[str]:
        name = model.inputs[0].name
        rows = [{name: text} for text in texts]
        return [str(result.value) for result in engine.call_many(model, rows)]

    return RECIPES[options.name].measure(options.data, ask)


if __name__ == "__main__":
    main()

"""Puts a trained network into a micro-model's folder: the GGUF, and the manifest with what was measured."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.forge import network
from tools.forge.export import write_model
from tools.forge.measure import Figure
from tools.forge.vocabulary import Vocabulary
from tools.micro.manifest import MANIFEST, MODEL


@dataclass(frozen=True)
class Trained:
    """A network with its vocabulary, the seed that it was trained from, and how it is stored ("f16" or "q8_0")."""

    vocabulary: Vocabulary
    shape: network.Shape
    weights: network.Weights
    seed: int
    packed: str = "f16"

    def save(self, path: Path) -> None:
        """Keeps it for a later run of the script."""
        import torch

        weights = {name: tensor.detach() for name, tensor in self.weights.items()}
        kept = {"vocabulary": asdict(self.vocabulary), "shape": asdict(self.shape), "weights": weights}
        torch.save({**kept, "seed": self.seed, "packed": self.packed}, path)


def saved(path: Path) -> Trained | None:
    """What `Trained.save` kept, or None."""
    import torch

    if not path.exists():
        return None
    kept: dict[str, Any] = torch.load(path, weights_only=True)
    weights = {name: tensor.requires_grad_() for name, tensor in kept["weights"].items()}
    vocabulary, shape = Vocabulary(**kept["vocabulary"]), network.Shape(**kept["shape"])
    return Trained(vocabulary, shape, weights, kept["seed"], kept["packed"])


@dataclass(frozen=True)
class Measured:
    """All figures of a model; `model` and `baseline` are of the same rows."""

    metric: str
    model: Figure
    baseline_name: str
    baseline: Figure
    also: dict[str, Figure]


UNMEASURED = Measured("not measured yet", Figure(1, 0), "none", Figure(1, 0), {})


def write(folder: Path, trained: Trained, measured: Measured, note: str = "") -> None:
    """Writes model.gguf and manifest.toml; the manifest's fixed part is the file of the model's name in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / MODEL, folder.name, trained.vocabulary, trained.shape, trained.weights, trained.packed)
    fixed = (Path(__file__).parent / f"{folder.name}.toml").read_text(encoding="utf-8")
    text = "\n".join([fixed, *_accuracy(measured), *_provenance(folder, trained, note)])
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _fields(figure: Figure) -> list[str]:
    low, high = figure.interval
    return [f"rows = {figure.rows}", f"value = {figure.value}", f"low = {low}", f"high = {high}"]


def _accuracy(measured: Measured) -> list[str]:
    lines = ["[accuracy]", f"metric = {json.dumps(measured.metric)}", *_fields(measured.model), ""]
    lines += ["[accuracy.baseline]", f"name = {json.dumps(measured.baseline_name)}", *_fields(measured.baseline), ""]
    for name, figure in measured.also.items():
        lines += ["[[accuracy.also]]", f"name = {json.dumps(name)}", *_fields(figure), ""]
    return lines


def _provenance(folder: Path, trained: Trained, note: str) -> list[str]:
    import torch

    digest = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    with_what = f"PyTorch {torch.__version__.partition('+')[0]}, python -m tools.forge.shipped.train {folder.name}"
    lines = ["[provenance]", f"trained_with = {json.dumps(with_what)}", f"seed = {trained.seed}"]
    lines += [f"parameters = {network.count(trained.weights)}", f'sha256 = "{digest}"']
    return lines + ([f"note = {json.dumps(note)}"] if note else [])

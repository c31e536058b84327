"""Micro-models: folders with a small GGUF and a manifest, each for one narrow task, run by llama.cpp."""

from __future__ import annotations

from pathlib import Path

from tools.micro.engine import Engine, MicroResult, Options
from tools.micro.manifest import MANIFEST, MicroModel, load

__all__ = ["Engine", "MicroModel", "MicroResult", "Options", "load", "shipped"]


def shipped() -> list[Path]:
    """The folders of the micro-models that come with zooid, by name."""
    models = Path(__file__).parent / "models"
    return sorted(path.parent for path in models.glob(f"*/{MANIFEST}"))

"""Whether llama.cpp computes what PyTorch computed: the same logits, but for what 16 bits round off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.forge import network


def difference(path: Path, shape: network.Shape, weights: network.Weights, texts: list[str]) -> tuple[float, bool]:
    """The largest difference of a logit at the texts' ends, and whether the likeliest token was always the same."""
    import torch

    from tools.micro.llama import Session

    session = Session(path, gpu_layers=0, threads=1)
    worst, same = 0.0, True
    for text in texts:
        tokens = session.tokens(text)
        theirs: Any = session.start([tokens])[0]
        with torch.no_grad():
            states = network.hidden(weights, shape, torch.tensor([tokens]))
            ours = network.scores(weights, states)[0, -1].double().numpy()
        worst = max(worst, float(abs(ours - theirs).max()))
        same = same and int(ours.argmax()) == int(theirs.argmax())
    session.close()
    return worst, same

"""What a model's tokens cost: the person's own prices first, then those of the package genai-prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a million tokens."""

    input: float
    output: float

    def cost(self, sent: int, said: int) -> float:
        """US dollars for so many tokens in and out."""
        return (sent * self.input + said * self.output) / 1e6


FREE = Price(0.0, 0.0)


def of(model: str, own: Mapping[str, Mapping[str, float]] | None = None) -> Price | None:
    """A model's price; None where it is not known."""
    if own and model in own:
        return Price(own[model]["input"], own[model]["output"])
    return None

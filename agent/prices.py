"""What a model's tokens cost: the person's own prices first, then those that come with the package genai-prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_HERE = re.compile(r"https?://(localhost|[\d.]+|\[[\da-f:]+\])(:\d+)?(/|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a million tokens."""

    input: float
    output: float

    def cost(self, sent: int, said: int) -> float:
        """US dollars for so many tokens in and out."""
        return (sent * self.input + said * self.output) / 1e6


FREE = Price(0.0, 0.0)


def of(model: str, base_url: str | None = None, own: Mapping[str, Mapping[str, float]] | None = None) -> Price | None:
    """A model's list price at its server (OpenAI's without an address); None where it is not known.

    Neither discounts for prompts that the server has cached nor surcharges for very long ones are in it. Nothing is
    fetched: the prices are as old as the installed genai-prices.
    """
    if own and model in own:
        return Price(own[model]["input"], own[model]["output"])
    if base_url and _HERE.match(base_url):
        return None
    from genai_prices import Usage, calc_price  # 190 ms of CPU

    def dollars(usage: Usage) -> float:
        return float(calc_price(usage, model, provider_api_url=base_url or "https://api.openai.com/v1").total_price)

    try:
        return Price(1000 * dollars(Usage(input_tokens=1000)), 1000 * dollars(Usage(output_tokens=1000)))
    except Exception:  # it raises LookupError for what it does not know; whatever else it raises, a price is not known
        return None

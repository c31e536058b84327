"""Prices: a person's own come first, those of known servers are known, and nothing is made up."""

from __future__ import annotations

import pytest

from agent import prices
from agent.prices import Price

OWN = {"m": {"input": 2.0, "output": 10.0}}


def test_a_price_of_ones_own_comes_first() -> None:
    assert prices.of("m", None, OWN) == Price(2.0, 10.0)
    assert prices.of("gpt-5-mini", None, {"gpt-5-mini": OWN["m"]}) == Price(2.0, 10.0)
    assert Price(2.0, 10.0).cost(500_000, 100_000) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("model", "server"),
    [
        ("gpt-5-mini", None),
        ("gpt-5-mini", "https://api.openai.com/v1"),
        ("anthropic/claude-sonnet-4", "https://openrouter.ai/api/v1"),
    ],
)
def test_known_servers_have_prices(model: str, server: str | None) -> None:
    price = prices.of(model, server)
    assert price is not None and 0 < price.input < price.output < 1000


@pytest.mark.parametrize(
    ("model", "server"),
    [
        ("no-such-model", None),
        ("gpt-5-mini", "http://127.0.0.1:8000/v1"),
        ("gpt-5-mini", "http://localhost/v1"),
        ("gpt-5-mini", "https://models.example.org/v1"),
    ],
)
def test_a_price_that_is_not_known_is_none(model: str, server: str | None) -> None:
    assert prices.of(model, server) is None

"""How the next token is chosen where it is not simply the likeliest: by chance, within a grammar, or both."""

from __future__ import annotations

import ctypes
import json
import math
import random
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from tools.errors import ArgumentError, ToolError
from tools.micro.llama import Session

MOST_GRAMMAR = 200_000
"""The longest grammar, in characters."""
MOST_NESTED = 100
"""How deep its groups may be nested: llama.cpp reads them by recursion, and crashes on very deep ones."""
_LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]')


@dataclass(frozen=True, slots=True)
class Options:
    """How an answer is generated.

    `temperature` 0 takes the likeliest token; above it `top_k` (0: all) and `top_p` bound what is drawn from, and the
    same `seed` draws the same. `grammar` is GBNF, or a JSON schema as JSON text. `draft` checks guessed tokens several
    at a time; what is answered is the same without.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    seed: int = 0
    grammar: str = ""
    draft: bool = True

    def __post_init__(self) -> None:
        if not (0 <= self.temperature <= 10 and 0 < self.top_p <= 1 and self.top_k >= 0):
            raise ArgumentError("temperature must be from 0 to 10, top_p above 0 and at most 1, top_k 0 or more")
        if len(self.grammar) > MOST_GRAMMAR:
            raise ArgumentError(f"the grammar has more than {MOST_GRAMMAR} characters; write a shorter one")
        if _nested(self.grammar) > MOST_NESTED:
            raise ArgumentError(f"the grammar is nested more than {MOST_NESTED} deep; give its inner parts rules")


@lru_cache(maxsize=64)
def _nested(grammar: str) -> int:
    """How deep brackets are nested in GBNF or in a JSON schema, those in literals left out."""
    outside = _LITERAL.sub("", grammar) if not grammar.lstrip().startswith("{") else grammar
    steps = ((mark in "([{") - (mark in ")]}") for mark in outside)
    return max(accumulate(steps), default=0)


def gbnf(grammar: str) -> str:
    """A grammar as GBNF: as it is, or made from a JSON schema; raises ArgumentError for a schema that is none."""
    if not grammar.lstrip().startswith("{"):
        return grammar
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        json.loads(grammar)
        return str(json_schema_to_gbnf(grammar))
    except Exception as error:  # the converter raises what it likes
        raise ArgumentError(f"the JSON schema cannot be made into a grammar ({error}); correct it") from None


class Chooser:
    """Chooses the tokens of one answer. `close` gives the grammar's memory back."""

    def __init__(self, session: Session, options: Options) -> None:
        import llama_cpp

        self._api: Any = llama_cpp
        self._options, self._size = options, session.size
        self._random = random.Random(options.seed)
        self.bound = bool(options.grammar)
        self._one: Any = self._array(1)
        self._all: Any = None
        self._grammar: Any = None
        if options.grammar:
            grammar = gbnf(options.grammar).encode("utf-8")
            self._grammar = llama_cpp.llama_sampler_init_grammar(session.vocabulary, grammar, b"root")
            if not self._grammar:
                raise ArgumentError("the grammar cannot be read; it must be GBNF with a rule `root`, or a JSON schema")

    def _array(self, size: int) -> Any:
        data = (self._api.llama_token_data * size)()
        return data, self._api.llama_token_data_array(data=data, size=size, selected=-1, sorted=False)

    def choose(self, scores: Any, likeliest: int) -> int:
        """The next token, by the scores [vocabulary], of which the likeliest is known."""
        if self._options.temperature:
            token = self._draw(self._allowed(scores) if self._grammar else scores)
        elif not self._grammar or self._is_allowed(likeliest):
            token = likeliest
        else:
            token = int(self._allowed(scores).argmax())
        if self._grammar:
            self._api.llama_sampler_accept(self._grammar, token)
        return token

    def _is_allowed(self, token: int) -> bool:
        """Asks the grammar about one token, which is far cheaper than about all."""
        data, array = self._one
        data[0].id, data[0].logit, array.size = token, 0.0, 1
        self._api.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return math.isfinite(data[0].logit)

    def _allowed(self, scores: Any) -> Any:
        """The scores, minus infinity where the grammar forbids the token."""
        import numpy

        if self._all is None:
            self._all = self._array(self._size)
        data, array = self._all
        view = numpy.frombuffer(data, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
        view["id"], view["logit"] = numpy.arange(self._size), scores
        array.size = self._size
        self._api.llama_sampler_apply(self._grammar, ctypes.byref(array))
        if not numpy.isfinite(view["logit"]).any():
            raise ToolError("the grammar allows nothing that the model can write here; correct the grammar")
        allowed: Any = numpy.full(self._size, -numpy.inf, numpy.float32)
        allowed[view["id"]] = view["logit"]
        return allowed

    def _draw(self, scores: Any) -> int:
        import numpy

        options, order = self._options, numpy.argsort(-scores, kind="stable")
        order = order[: options.top_k] if options.top_k else order
        shares = numpy.exp((scores[order] - scores[order[0]]).astype("float64") / options.temperature)
        sums = numpy.cumsum(shares / shares.sum())
        most = min(int(numpy.searchsorted(sums, options.top_p)) + 1, len(order))
        # Drawn in the order of the tokens' numbers: that of the scores moves with the last digit, and a seed must not.
        by_number = numpy.argsort(order[:most])
        sums = numpy.cumsum(shares[:most][by_number])
        drawn = int(numpy.searchsorted(sums, self._random.random() * sums[-1], side="right"))
        return int(order[by_number[min(drawn, most - 1)]])

    def close(self) -> None:
        if self._grammar:
            self._api.llama_sampler_free(self._grammar)
            self._grammar = None

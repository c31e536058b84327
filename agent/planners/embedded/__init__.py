"""The embedded planner: reads a goal by what the registered tools say of themselves, without a model or a network.

It splits a goal into steps (`split`), finds the tools that the words ask for (`pick`), fills their typed arguments from
what the goal names (`entities`, `fill`), and takes the reading that leaves the least unexplained (`compose`). Where too
much stays unexplained it declines rather than guess.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.errors import Declined
from agent.planners import Ask, Reply
from agent.planners.embedded.compose import Composer
from agent.planners.embedded.entities import Surroundings, find
from agent.planners.embedded.lay_out import lay_out
from agent.planners.embedded.pick import Mention, Phrases
from agent.planners.embedded.reading import Call, Given
from agent.planners.embedded.words import REQUESTS, Token, tokens
from agent.task import Plan
from tools.registry import Registry

THRESHOLD = 0.55  # the least share of a goal's words that must be understood
EFFECT_THRESHOLD = 0.75  # the same where something is to be written
_LEADING = frozenset("please can could would will you kindly then and also now first next i want need like to".split())
WAYS_ON = (
    "Two ways on: give a key for a large model (OPENAI_API_KEY=…), or a model file of your own "
    "(--planner local --model FILE.gguf)."
)


class EmbeddedPlanner:
    """Implements Planner over the tools of a registry, the person's own included."""

    name = "embedded"

    def __init__(self, tools: Registry) -> None:
        self._tools = tools
        self._phrases: Phrases | None = None

    async def decide(self, ask: Ask, note: Callable[[str], None]) -> Reply:
        """A plan for a goal that is understood; raises Declined for one that is not."""
        if ask.failure:
            raise Declined(f"{ask.failure}. {WAYS_ON}")
        plan, confidence, unknown = await asyncio.to_thread(self.read, ask)
        if plan is None or confidence < self._needed(plan):
            words = f" (not understood: {', '.join(unknown[:6])})" if unknown else ""
            raise Declined(f"the embedded planner is not sure how to do this{words}. {WAYS_ON}")
        return Reply(plan)

    def _needed(self, plan: Plan) -> float:
        effects = {tool.effect for task in plan.tasks if (tool := self._tools.get(task.tool))}
        return THRESHOLD if effects <= {"none", "read"} else EFFECT_THRESHOLD

    async def close(self) -> None:
        """There is nothing to close."""

    def read(self, ask: Ask) -> tuple[Plan | None, float, list[str]]:
        """A plan, how sure it is (0 to 1), and the words that were not understood."""
        self._phrases = self._phrases or Phrases(self._tools)
        words = tokens(ask.goal)
        given = [Given(name, value) for name, value in ask.inputs.items()]
        composer = Composer(words, self._phrases.mentions(words), find(words, Surroundings()), self._tools, given)
        calls = composer.read()
        if not calls:
            return None, 0.0, [token.text for token in words if token.weight]
        confidence, unknown = _confidence(words, calls, composer.mentions)
        return lay_out(calls, words, ask.goal), confidence, unknown


def _confidence(words: list[Token], calls: list[Call], mentions: list[Mention]) -> tuple[float, list[str]]:
    """The share of the words that matter which the calls explain; a step's unknown verb counts thrice."""
    explained = frozenset().union(*((call.places - call.guessed) | call.borrowed for call in calls))
    asked = {words[p].canon for call in calls for p in call.head}
    explained |= {n for n, token in enumerate(words) if token.canon in asked}
    used = {call.tool.name for call in calls}
    explained = explained.union(*(m.places for m in mentions if m.tool.name in used))
    total = known = 0.0
    unknown, head = [], True
    for n, token in enumerate(words):
        verb = head and token.kind == "word" and token.number is None and token.lower not in REQUESTS
        weight = token.weight * (3.0 if verb else 1.0)
        total += weight
        known += weight if n in explained else 0.0
        if weight and n not in explained:
            unknown.append(token.text)
        head = head and token.lower in _LEADING
        if token.kind == "punct" and token.text in ".?!;":
            head = True
    sure = 0.5 if any(call.guessed for call in calls) else 1.0
    return sure * known / total if total else 0.0, unknown

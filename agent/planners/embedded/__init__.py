"""The embedded planner: reads a goal by what the registered tools say of themselves, without a server.

Code splits a goal into steps (`split`), finds the tools that the words ask for (`pick`), fills their typed arguments
from what the goal names (`entities`, `fill`), and takes the reading that leaves the least unexplained (`compose`).
Where that leaves too much, two micro-models (`network`) are asked: one adds tools that the words may ask for, the other
judges which of the readings does what the goal asks for (`candidates`, `judge`). Where none is sure enough it declines
rather than guess. Beside a large planner the models judge every reading, and only what they are sure of is acted on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from agent.errors import Declined
from agent.planners import Ask, Reply
from agent.planners.embedded.candidates import Candidate, Subject, explained_by
from agent.planners.embedded.judge import Judge
from agent.planners.embedded.network import MODELS
from agent.planners.embedded.pick import Phrases
from agent.planners.embedded.reading import Given
from agent.planners.embedded.words import BEYOND, REQUESTS, Token, tokens
from agent.router import stem
from agent.task import Plan
from tools.errors import ToolError
from tools.registry import Registry

THRESHOLD = 0.55  # the least share of a goal's words that the code must understand where it reads alone
EFFECT_THRESHOLD = 0.75  # the same where something is to be written
NEVER = 2.0  # beside a large planner the code does not act on its own: nothing says that it is right so often
_LEADING = frozenset("please can could would will you kindly then and also now first next i want need like to".split())
WAYS_ON = (
    "Two ways on: give a key for a large model (OPENAI_API_KEY=…), or a model file of your own "
    "(--planner local --model FILE.gguf)."
)


class EmbeddedPlanner:
    """Implements Planner over the tools of a registry, the person's own included.

    `network` is whether the micro-models are asked; where they cannot run, the code reads alone. `alone` is whether no
    other planner comes after it: where one does, it acts only where it is sure enough to be right 97 times of 100.
    """

    name = "embedded"

    def __init__(self, tools: Registry, network: bool = True, alone: bool = True, models: Path = MODELS) -> None:
        self._tools, self._alone = tools, alone
        self._phrases: Phrases | None = None
        self.judge = Judge(tools, models) if network else None

    async def decide(self, ask: Ask, note: Callable[[str], None]) -> Reply:
        """A plan for a goal that is understood; raises Declined for one that is not."""
        if ask.failure:
            raise Declined(f"{ask.failure}. {WAYS_ON}")
        plan, confidence, unknown = await asyncio.to_thread(self.read, ask)
        if plan is None or confidence < self.needed(plan):
            words = f" (not understood: {', '.join(unknown[:6])})" if unknown else ""
            way = f". {WAYS_ON}" if self._alone else ""
            raise Declined(f"the embedded planner is not sure how to do this{words}{way}")
        return Reply(plan)

    def needed(self, plan: Plan) -> float:
        """How sure it must be of a plan to act on it."""
        reads = self._reads(plan)
        if self.judge:
            return self.judge.needed(reads, self._alone)
        return NEVER if not self._alone else THRESHOLD if reads else EFFECT_THRESHOLD

    def _reads(self, plan: Plan) -> bool:
        """Whether a plan writes nothing."""
        return {tool.effect for task in plan.tasks if (tool := self._tools.get(task.tool))} <= {"none", "read"}

    async def close(self) -> None:
        """There is nothing to close."""

    def read(self, ask: Ask) -> tuple[Plan | None, float, list[str]]:
        """A plan, how sure it is (0 to 1), and the words that were not understood."""
        self._phrases = self._phrases or Phrases(self._tools)
        words = tokens(ask.goal)
        given = [Given(name, value) for name, value in ask.inputs.items()]
        subject = Subject(words, self._phrases.mentions(words), self._tools, given, ask.goal)
        own = next(iter(subject.candidates(None)), None)
        code = code_confidence(words, own) if own else 0.0
        understood = own is not None and code >= (THRESHOLD if self._reads(own.plan) else EFFECT_THRESHOLD)
        if self.judge and not (self._alone and understood):
            try:
                verdict = self.judge.best(subject, lambda one: code_confidence(words, one))
                return _answer(verdict.reading if verdict else None, verdict.sure if verdict else 0.0, words)
            except ToolError:
                self.judge = None  # the models cannot be used here
        return _answer(own, max(code, self.needed(own.plan)) if own and understood else code, words)


def _answer(found: Candidate | None, sure: float, words: list[Token]) -> tuple[Plan | None, float, list[str]]:
    if found is None:
        return None, 0.0, [token.text for token in words if token.weight]
    sure = 0.0 if beyond(words, found) else sure
    return found.plan, sure, [words[n].text for n in sorted(found.open)]


def beyond(words: list[Token], found: Candidate) -> bool:
    """Whether a reading leaves out what no tool was found for: `count the words and post the number on our website`."""
    foretells = [word.lower for word in words[:2]] in (["will", "it"], ["will", "there"])
    return foretells or _mails(words) or any(stem(words[n].lower) in BEYOND for n in found.open)


def _mails(words: list[Token]) -> bool:
    """Whether something is to be sent by e-mail: `e-mail minutes.txt to Inez`, and not `e-mail addresses in …`."""
    first = next((n for n, word in enumerate(words) if word.lower not in _LEADING), 0)
    after = words[first + 1].lower if first + 1 < len(words) else "in"
    return words[first].lower in ("email", "e-mail", "mail") and not re.match("address|in$|of$", after)


def code_confidence(words: list[Token], found: Candidate) -> float:
    """The share of the words that matter which the calls explain; a step's unknown verb counts thrice."""
    if beyond(words, found):
        return 0.0
    explained = explained_by(words, found.calls, found.mentions)
    total = known = 0.0
    head = True
    for n, token in enumerate(words):
        verb = head and token.kind == "word" and token.number is None and token.lower not in REQUESTS
        weight = token.weight * (3.0 if verb else 1.0)
        total += weight
        known += weight if n in explained else 0.0
        head = head and token.lower in _LEADING
        if token.kind == "punct" and token.text in ".?!;":
            head = True
    sure = 0.5 if any(call.guessed for call in found.calls) else 1.0
    return sure * known / total if total else 0.0

"""The embedded planner: reads a goal by what the registered tools say of themselves, without a server.

Code splits a goal into steps (`split`), finds the tools that the words ask for (`pick`), fills their typed arguments
from what the goal names (`entities`, `fill`), and takes the reading that leaves the least unexplained (`compose`). That
one is carried out where every word of the goal is accounted for (`account`). Where one is not, two micro-models
(`network`) are asked: one adds tools that the words may ask for, the other judges which of the readings does what the
goal asks for (`candidates`, `judge`). Where they are not sure enough it declines rather than guess. Beside a large
planner the models judge every reading, and only what they are sure of is acted on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from agent.errors import Declined
from agent.planners import Ask, Reply
from agent.planners.embedded.candidates import Candidate, Subject
from agent.planners.embedded.judge import Judge
from agent.planners.embedded.network import MODELS
from agent.planners.embedded.pick import Phrases
from agent.planners.embedded.reading import Given
from agent.planners.embedded.words import tokens
from agent.task import Plan
from tools.errors import ToolError
from tools.registry import Registry

SURE = 1.0  # of a reading that leaves nothing of the goal open
NEVER = 2.0  # beside a large planner the code does not act on its own: nothing says that it is right so often
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
        if self.judge:
            return self.judge.needed(self._reads(plan), self._alone)
        return SURE if self._alone else NEVER

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
        subject = Subject(words, self._phrases, self._tools, given, ask.goal)
        found = _repaired(subject.candidates(None))
        sure = SURE if found and not found.open else 0.0
        if self.judge and not (self._alone and sure):
            try:
                found, sure = self._judged(self.judge, subject)
            except ToolError:
                self.judge = None  # the models cannot be used here
        if found is None:
            return None, 0.0, [token.text for token in words if token.weight]
        return found.plan, sure, [words[n].text for n in sorted(found.open)]

    def _judged(self, judge: Judge, subject: Subject) -> tuple[Candidate | None, float]:
        """The reading that the models choose, and how sure they are. They speak for an open word only where there is no
        large planner and they are as sure as beside one, and never for a name, a number or a denial."""
        verdict = judge.best(subject)
        if verdict is None:
            return None, 0.0
        found, sure = verdict.reading, verdict.sure
        speak = self._alone and not found.firm and sure >= judge.needed(reads=True, alone=False)
        doubted = found.open and not speak
        return found, 0.0 if doubted else sure


def _repaired(found: list[Candidate]) -> Candidate | None:
    """The first reading, or where that leaves something open, the first that uses all it uses and leaves nothing."""
    if not found:
        return None
    return next((one for one in found if not one.open and one.used >= found[0].used), found[0])

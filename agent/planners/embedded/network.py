"""The micro-models of the embedded planner: `pick` thinks of tools for a step, `fits` judges a reading of a goal.

They are asked through the engine that all micro-models share. `pick` knows the tools that come with zooid; those of a
person's own are found by the router, which is the better one where no wording was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.router import Router
from tools.micro_tool import engine
from tools.registry import Registry, Tool

MODELS = Path(__file__).parent / "models"
PICKED = 3  # tools that are tried for a step
OWN = 2  # of a person's own that are tried beside them


def models() -> list[Path]:
    """The folders of the planner's micro-models; no plan can call them."""
    return [MODELS / name for name in ("fits", "pick")]


class Network:
    """The micro-models over the tools of a registry. Raises ToolError where one cannot be asked."""

    def __init__(self, tools: Registry, folder: Path = MODELS) -> None:
        from tools.micro import load

        self._tools = tools
        self._fits, self._pick = load(folder / "fits"), load(folder / "pick")
        self._router = Router(tool for tool in tools if tool.source != "built-in")

    def pick(self, steps: Sequence[str]) -> list[list[Tool]]:
        """For each step the tools that it may ask for, the likeliest first."""
        return [known[:PICKED] + own for known, own in zip(self.known(steps), self.own(steps), strict=True)]

    def known(self, steps: Sequence[str]) -> list[list[Tool]]:
        """For each step all tools that come with zooid, the likeliest first."""
        names = [label.text for label in self._pick.labels]
        results = engine().call_many(self._pick, [{"step": step} for step in steps]) if steps else []
        ranked = [sorted(zip(result.probabilities, names, strict=True), reverse=True) for result in results]
        return [[tool for _, name in one if (tool := self._tools.get(name))] for one in ranked]

    def own(self, steps: Sequence[str]) -> list[list[Tool]]:
        """For each step those of a person's own tools that say something of it."""
        return [[tool for score, tool in self._router.rank(step)[:OWN] if score > 0] for step in steps]

    def fits(self, signs: Sequence[str]) -> list[float]:
        """For each text of signs the probability that the plan does what the goal asks for."""
        results = engine().call_many(self._fits, [{"signs": one} for one in signs]) if signs else []
        return [result.probabilities[0] for result in results]

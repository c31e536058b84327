"""Which tool a task goes to before any planner is asked, out of what a person taught and what the record holds.

A task is routed only where its wording is known for sure, the tool changes nothing, and its arguments leave no choice.
All else is left to the planners. Nothing is read until the first task that names no tool, and nothing where no example
is there; numpy is imported only for a router that has been trained.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import events as ev
from agent.errors import StorageError, UsageError
from agent.examples import PERSON, Examples, Known, from_record
from tools.errors import ToolError
from tools.registry import Registry, Tool

if TYPE_CHECKING:
    from agent.intents import IntentRouter
    from agent.phrases import Phrases
    from agent.tree import Tree

LEAST = 40  # examples from which up the wording is learnt, not only remembered
_MORE = 1.25  # times as many examples as were learnt from: then it is learnt anew
_AT_ONCE = 400  # examples that are learnt from within a run, in a part of a second; more are for `catch_up`


@dataclass(frozen=True, slots=True)
class Choice:
    """A tool for a task with all of its arguments, and why."""

    tool: Tool
    args: dict[str, Any]
    why: str
    confidence: float


class Routes:
    """The examples of a state folder and the router that was trained from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.examples = Examples(folder / "examples.jsonl")

    @cached_property
    def known(self) -> list[Known]:
        return self.examples.read()

    @cached_property
    def phrases(self) -> Phrases:
        from agent.phrases import Phrases

        return Phrases(self.known)

    def said(self) -> dict[str, list[str]]:
        """The texts that each tool is known to have answered, the newest last."""
        found: dict[str, list[str]] = defaultdict(list)
        for one in self.known:
            if one.intent:
                found[one.intent].append(one.text)
        return found

    # -- choosing

    def choose(self, text: str, inputs: Mapping[str, Any], tools: Registry) -> Choice | None:
        """The call that a task is known to mean; None where that is not sure, or not safe."""
        if not self.known:
            return None
        from agent.phrases import fill

        exact = self.phrases.find(text, inputs)
        name, args, chance = (*exact, 1.0) if exact else self._like(text)
        tool = tools.get(name)
        if tool is None or tool.effect not in ("none", "read"):
            return None
        try:
            fitted = tool.fit(args) if args is not None else fill(tool, text, inputs, exact is not None)
        except ToolError:
            return None
        why = "worded as before" if exact else "like what it answered before"
        return None if fitted is None else Choice(tool, fitted, f"goes to {name}: {why}", chance)

    def _like(self, text: str) -> tuple[str, None, float]:
        """The tool that has answered what is like this, where that is sure enough for nobody else to be asked."""
        router = self._ready
        if router is None:
            return "", None, 0.0
        best = router.ranked(text, 1)[0]
        return (best.intent if best.confidence >= router.sure.alone else ""), None, best.confidence

    @cached_property
    def _ready(self) -> IntentRouter | None:
        """The trained router, trained anew where there is much more to learn from and that takes no time worth saying.

        One that cannot be used is as none: whoever asks has planners, and the commands say what is wrong.
        """
        try:
            if self.due() and len(self.known) <= _AT_ONCE:
                self.learn()
            return self.router
        except (StorageError, UsageError, ImportError):
            return None

    @cached_property
    def router(self) -> IntentRouter | None:
        """What was trained; None where nothing was. Raises StorageError where it is damaged."""
        if not (self.folder / "router.npz").is_file():
            return None
        from agent.intents import IntentRouter

        return IntentRouter.load(self.folder)

    # -- learning

    def note(self, tree: Tree) -> int:
        """Keep what a run that is done has shown; how many examples are new."""
        if tree.status != "done":
            return 0
        new = self.examples.add(list(from_record([tree])))
        self._forget_read()
        return new

    def listener(self, tree: Tree) -> Callable[[int, float, ev.Event], None]:
        """What keeps the examples of a run when it ends; a run is not spoilt by a folder that cannot be written."""

        def note(seq: int, at: float, event: ev.Event) -> None:
            if isinstance(event, ev.RunEnded):
                with suppress(StorageError):
                    self.note(tree)

        return note

    def due(self) -> bool:
        """Whether there is enough to learn from that has not been learnt."""
        known = len(self.known)
        return known >= LEAST and known >= _MORE * self.learnt() and len({one.intent for one in self.known} - {""}) > 1

    def learnt(self) -> int:
        """How many examples the trained router has learnt from; 0 without one."""
        try:
            return int(json.loads((self.folder / "learnt.json").read_text("utf-8"))["examples"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def learn(self) -> IntentRouter | None:
        """Train from all examples and keep what comes of it; None, and what was trained is dropped, where they are few.

        Raises StorageError where it cannot be kept.
        """
        self._forget_read()
        if len(self.known) < LEAST or len({one.intent for one in self.known} - {""}) < 2:
            self.drop()
            return None
        from agent.intents import IntentRouter

        router = IntentRouter.fit([(plain(one.text), one.intent or None) for one in self.known])
        router.save(self.folder)
        self._note_learnt()
        self.router = router
        return router

    def add(self, name: str, texts: Sequence[str]) -> None:
        """Take in phrases that a person gave for one tool; one that is new to a trained router is learnt beside it."""
        self.examples.add([Known(text, name, PERSON) for text in texts])
        router = self.router
        if router is None or name in router.intents or len(self.examples.read()) <= _AT_ONCE:
            self.learn()
            return
        router.add(name, [plain(text) for text in texts])
        router.save(self.folder)
        self._forget_read()
        self._note_learnt()

    def catch_up(self) -> bool:
        """Learn where it is due, however long it takes; whether it was."""
        if not self.due():
            return False
        return self.learn() is not None

    def drop(self) -> None:
        """Put away what was trained; the examples stay."""
        for name in ("router.npz", "learnt.json"):
            (self.folder / name).unlink(missing_ok=True)
        self.router = None

    def _forget_read(self) -> None:
        for name in ("known", "phrases", "_ready"):
            self.__dict__.pop(name, None)

    def _note_learnt(self) -> None:
        from tools.workspace import write_atomically

        try:
            write_atomically(self.folder / "learnt.json", json.dumps({"examples": len(self.known)}).encode())
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be written: {error.strerror}") from error


def plain(text: str) -> str:
    """A phrase without the places of its values, as a classifier learns it."""
    import re

    return re.sub(r"\{\w+\}", "", text)

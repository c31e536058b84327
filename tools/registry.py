"""The registry: every tool that a plan can call, by name, from wherever it came."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from tools import schema, workspace
from tools.errors import ArgumentError
from tools.function import Description, Effect, Param, describe, invoke
from tools.schema import Schema

Kind = Literal["code", "micro", "component", "mcp"]

BUILT_IN = ("files", "text", "numbers", "units", "dates", "tables", "documents", "compare", "programs", "web")


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """A named, typed function that a plan may call. `run` takes and returns JSON values and may be slow."""

    about: Description
    kind: Kind
    source: str
    run: Callable[[dict[str, Any]], Any]
    done: Callable[[dict[str, Any]], bool] | None = None  # whether its effect is there already
    effect_of: Callable[[dict[str, Any]], Effect] | None = (
        None  # of these arguments, where that may be less than its own
    )
    version: str = ""  # of its content; empty for one that comes with zooid

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def effect(self) -> Effect:
        return self.about.effect

    @property
    def params(self) -> tuple[Param, ...]:
        return self.about.params

    def signature(self) -> str:
        """One line, as a planner is shown it: `round_number(number: float, decimals: int = 0) -> float`."""
        params = ", ".join(
            f"{p.name}: {schema.shown(p.schema)}" + ("" if p.required else f" = {p.default!r}") for p in self.params
        )
        return f"{self.name}({params}) -> {schema.shown(self.about.returns)}"

    def schema(self) -> Schema:
        """The JSON schema of its arguments."""
        return {
            "type": "object",
            "properties": {p.name: p.schema for p in self.params},
            "required": [p.name for p in self.params if p.required],
            "additionalProperties": False,
        }

    def fit(self, args: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the schema wants them, paths kept in the workspace; raises ToolError."""
        known = {p.name: p for p in self.params}
        for name in args:
            if name not in known:
                raise ArgumentError(f"{self.name} has no argument {name!r}; it takes {self.signature()}")
        for param in self.params:
            if param.required and param.name not in args:
                raise ArgumentError(f"{self.name} needs the argument {param.name!r}: {self.signature()}")
        fitted = {name: schema.fit(value, known[name].schema, name) for name, value in args.items()}
        for path in self.paths(fitted):
            workspace.inside(path)
        return fitted

    def for_call(self, args: dict[str, Any]) -> Tool:
        """The tool as it is with these arguments: its effect is that of this call."""
        if self.effect_of is None or (effect := self.effect_of(args)) == self.effect:
            return self
        return replace(self, about=replace(self.about, effect=effect))

    def paths(self, args: dict[str, Any]) -> list[str]:
        """The paths among its arguments, those in lists too."""
        given = ((p.schema, args[p.name]) for p in self.params if p.name in args)
        return [path for wanted, value in given for path in schema.formatted(value, wanted, "path")]

    def call(self, args: dict[str, Any]) -> Any:
        """Call it with JSON values; its result as one. Raises ToolError."""
        return schema.fit(self.run(self.fit(args)), self.about.returns, f"the result of {self.name}")


@dataclass(frozen=True, slots=True)
class Broken:
    """A tool that could not be taken in, and why; shown as a row, never raised."""

    name: str
    source: str
    why: str


class Registry:
    """Tools by name. A name is never shadowed: the first to come keeps it, and the other is a broken row.

    There is one exception: a micro-model of the person's own may take the place of one that came with zooid, where it
    takes the same inputs, because that is what training one again is for.
    """

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self.broken: list[Broken] = []

    def add(self, entries: Iterable[Tool | Broken]) -> None:
        for entry in entries:
            if isinstance(entry, Broken):
                self.broken.append(entry)
            elif entry.name in self._tools and not _succeeds(entry, self._tools[entry.name]):
                owner = self._tools[entry.name].source
                why = f"the name {entry.name!r} is taken by {owner}; give it another name"
                self.broken.append(Broken(entry.name, entry.source, why))
            else:
                self._tools[entry.name] = entry

    def get(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)


def _succeeds(new: Tool, old: Tool) -> bool:
    micro = new.kind == old.kind == "micro" and old.source == "built-in"
    return micro and [(p.name, p.schema) for p in new.params] == [(p.name, p.schema) for p in old.params]


def from_function(function: Callable[..., Any], source: str) -> Tool:
    """A Python function as a tool; raises TypeError where it lacks types or a docstring."""
    done = getattr(function, "done", None)
    return Tool(
        describe(function),
        "code",
        source,
        lambda args: invoke(function, args),
        (lambda args: bool(invoke(done, args))) if done else None,
        getattr(function, "effect_of", None),
    )


def built_in() -> list[Tool]:
    """The tools that come with zooid, micro-models included."""
    tools = []
    for name in BUILT_IN:
        module = importlib.import_module(f"tools.{name}")
        tools += [from_function(getattr(module, function), "built-in") for function in module.__all__]
    return tools

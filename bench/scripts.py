"""What the scripted model says in the benches: the same chain of sums for zooid and for the bare loops.

The chain: start with 7, then multiply by 3, add 7 and keep the remainder by 1000, so and so many times.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import common  # noqa: F401 - after it the tests can be imported

from tests.scripted import Reply, prompt_tokens


def goal(steps: int) -> str:
    return f"Start with 7. {steps} times: multiply by 3, add 7 and keep the remainder by 1000. Give the last number."


def values(steps: int) -> list[int]:
    """The number before the first step, then the one after each."""
    found = [7]
    for _ in range(steps):
        found.append((found[-1] * 3 + 7) % 1000)
    return found


def step(before: object) -> dict[str, Any]:
    return {"expression": f"({before} * 3 + 7) % 1000"}


def planned(steps: int) -> dict[str, Any]:
    """A plan of the whole chain."""
    tasks = [
        {"id": f"s{n}", "tool": "calculate", "args": step(f"$s{n - 1}" if n > 1 else 7)} for n in range(1, steps + 1)
    ]
    return {"tasks": tasks, "answer": f"$s{steps}"}


@dataclass
class Recorder:
    """A script that notes when each request came in, when it was answered, and what its prompt cost."""

    steps: int
    came: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def gaps(self) -> list[float]:
        """The seconds from one request to the next: what a client, its tree and its tools add to a model's time."""
        return [after - before for before, after in zip(self.came, self.came[1:], strict=False)]

    def _take(self, body: dict[str, Any]) -> int:
        """Note a request; how many came before it."""
        self.came.append(time.perf_counter())
        self.tokens.append(prompt_tokens(body))
        self.bodies.append(body)
        return len(self.came) - 1


class Ahead(Recorder):
    """Plans the whole chain in its first reply."""

    def __call__(self, body: dict[str, Any]) -> Any:
        self._take(body)
        return planned(self.steps)


class Looking(Recorder):
    """Looks at every result before it gives the next step; the number that it goes on from is the one it was shown."""

    def __call__(self, body: dict[str, Any]) -> Any:
        n = self._take(body)
        before = values(self.steps)[n]
        if n and f"$s{n}: {before}" not in body["messages"][-1]["content"]:
            return Reply(status=400, error={"message": f"the result {before} of s{n} is not in the prompt"})
        if n == self.steps:
            return {"answer": before}
        return {"tasks": [{"id": f"s{n + 1}", "tool": "calculate", "args": step(before)}]}


class ToolCalls(Recorder):
    """Asks a tool-calling loop for one step after the other."""

    def __call__(self, body: dict[str, Any]) -> Any:
        n = self._take(body)
        before = values(self.steps)[n]
        if n == self.steps:
            return str(before)
        call = {"id": f"call_{n}", "type": "function"}
        call["function"] = {"name": "calculate", "arguments": json.dumps(step(before))}
        return completion({"role": "assistant", "content": None, "tool_calls": [call]}, self.tokens[-1])


class Same(Recorder):
    """Answers every request alike: one more step."""

    def __call__(self, body: dict[str, Any]) -> Any:
        self._take(body)
        return {"tasks": [{"id": "s1", "tool": "calculate", "args": step(7)}]}


def text_tokens(body: dict[str, Any]) -> int:
    """As `prompt_tokens`, without the JSON around what is said and around what a tool is called with."""
    length = sum(
        len(json.dumps(body[name], ensure_ascii=False)) for name in ("response_format", "tools") if name in body
    )
    for message in body["messages"]:
        called = [call["function"] for call in message.get("tool_calls") or ()]
        length += len(message.get("content") or "") + sum(len(f["name"] + f["arguments"]) for f in called)
    return length // 4


def completion(message: dict[str, Any], tokens: int) -> Reply:
    body = {
        "id": "scripted",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 9, "total_tokens": tokens + 9},
    }
    return Reply(body=json.dumps(body))

"""What prompts cost: a chain planned ahead, and a chain in which every step looks at the one before.

    python bench/prompts.py

Beside zooid stands a plain tool-calling loop on the `openai` package, with the one tool that it needs and a transcript
that grows. Both talk to the same scripted server, and both are counted there in the same way: the JSON of a request's
messages, tools and schema, at four characters a token. zooid is shown the tools that fit out of all that it has. "Text
alone" leaves out the JSON around messages and calls.
"""

from __future__ import annotations

from pathlib import Path

import scripts
from common import BARE, environment, folder, measured, table, zooid

from tests.scripted import Server


def spent(script: scripts.Recorder, command: list[str], work: Path) -> list[str]:
    """The calls and tokens of a command that works on a chain."""
    with Server(script) as server:
        env = environment(work, OPENAI_API_KEY="none", OPENAI_BASE_URL=server.base_url)
        done = measured([*command, scripts.goal(script.steps)], work, env)
    wanted = str(scripts.values(script.steps)[-1])
    if done.out.strip() != wanted:
        raise SystemExit(f"the answer is {done.out!r}, not {wanted}: {done.err[-500:]}")
    tokens = script.tokens
    text = sum(scripts.text_tokens(body) for body in script.bodies)
    return [str(len(tokens)), f"{sum(tokens):,}", f"{max(tokens):,}", f"{text:,}"]


def main() -> None:
    ours = [*zooid(), "run", "-q", "--planner", "openai", "--model", "scripted"]
    bare = [*BARE, "loop"]
    with folder() as work:
        rows = [
            ["20 steps, zooid, planned ahead", *spent(scripts.Ahead(20), ours, work), "2 calls, 1,500"],
            ["20 steps, zooid, each looked at", *spent(scripts.Looking(20), ours, work), "-"],
            ["20 steps, bare loop", *spent(scripts.ToolCalls(20), bare, work), "-"],
            ["100 steps, zooid, each looked at", *spent(scripts.Looking(100), ours, work), "20,000"],
            ["100 steps, bare loop", *spent(scripts.ToolCalls(100), bare, work), "-"],
        ]
    table("Prompt tokens", ["", "calls", "tokens in all", "largest prompt", "text alone", "target"], rows)


if __name__ == "__main__":
    main()

"""The bare loops that zooid is measured against: what a person writes first with the `openai` package.

    python bench/bare.py once              one request
    python bench/bare.py flat              the same requests as zooid sends, from a file, one after the other
    python bench/bare.py loop STEPS        a tool-calling loop whose transcript grows
    python bench/bare.py fan PARALLEL      a plan, then a request for each of its tasks, so many at once

The server is named by OPENAI_BASE_URL. Nothing is kept on disk.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from openai import AsyncOpenAI, OpenAI

TOOL = {
    "type": "function",
    "function": {
        "name": "calculate",
        "description": "Calculate an arithmetic expression exactly.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string", "description": "numbers with + - * / % and brackets"}},
            "required": ["expression"],
        },
    },
}
SYSTEM = "You are a helpful assistant. Use the tools to work on the goal; when it is met, give the answer alone."


def once(goal: str) -> str:
    """One request, and what was said."""
    reply = OpenAI().chat.completions.create(model="scripted", messages=[{"role": "user", "content": goal}])
    return reply.choices[0].message.content or ""


def flat(path: str) -> str:
    """Send the requests of a file of JSON lines, each on its own; the last thing that was said."""
    client, said = OpenAI(), ""
    with open(path, encoding="utf-8") as file:
        bodies = [json.loads(line) for line in file]
    for body in bodies:
        said = client.chat.completions.create(**body).choices[0].message.content or ""
        task = json.loads(said)["tasks"][0]
        calculate(**task["args"])
    return said


def loop(goal: str) -> str:
    """Call tools for as long as the model asks for them."""
    client = OpenAI()
    messages: list = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": goal}]
    while True:
        message = client.chat.completions.create(model="scripted", messages=messages, tools=[TOOL]).choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = calculate(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": str(result)})


def fan(parallel: str) -> float:
    """Have every task of a plan answered at once; the seconds from the plan's reply on."""
    return asyncio.run(_fan(int(parallel)))


async def _fan(parallel: int) -> float:
    client, free = AsyncOpenAI(), asyncio.Semaphore(parallel)

    async def say(goal: str) -> str:
        async with free:
            messages: list = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": goal}]
            reply = await client.chat.completions.create(model="scripted", messages=messages)
        return reply.choices[0].message.content or ""

    tasks = json.loads(await say("carry out the plan"))["tasks"]
    start = time.perf_counter()
    await asyncio.gather(*(say(task["goal"]) for task in tasks))
    return time.perf_counter() - start


def calculate(expression: str) -> int:
    return int(eval(expression, {"__builtins__": {}}))  # the bench's own script wrote the expression


if __name__ == "__main__":
    print({"once": once, "flat": flat, "loop": loop, "fan": fan}[sys.argv[1]](sys.argv[2]))

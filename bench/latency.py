"""What is added to a model's own time: a call after the other, and many at once.

    python bench/latency.py [--steps N] [--rounds N] [--delay SECONDS]

One after the other: the installed command, its tree on disk, calls a tool and then the planner, again and again. In
turns with it run two bare loops on the `openai` package that keep nothing: one sends the very requests that zooid
sends, one is a plain tool-calling loop whose transcript grows. The server answers at once, so the time from one request
to the next is what was added, and it is measured there.

At once: a plan whose tasks are model calls of a fixed time each, from the plan's reply to the end of the process's run.
In turns with it a bare loop on the `openai` package sends as many requests at once as soon as it has its plan.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import scripts
from common import BARE, environment, folder, measured, median, table, zooid

from tests.scripted import Reply, Server

OURS = ["run", "-q", "--planner", "openai", "--model", "scripted"]


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--steps", type=int, default=60)
    parse.add_argument("--rounds", type=int, default=5)
    parse.add_argument("--delay", type=float, default=0.2)
    ask = parse.parse_args()
    with folder() as work:
        one_after_the_other(ask.steps, ask.rounds, work)
        at_once(ask.delay, ask.rounds, work)


# -- one after the other


def one_after_the_other(steps: int, rounds: int, work: Path) -> None:
    requests = work.parent / "requests.jsonl"
    names = ("bare, zooid's requests", "bare, growing transcript", "zooid, tree on disk")
    gaps: dict[str, list[float]] = {name: [] for name in names}
    cpus: dict[str, list[float]] = {name: [] for name in names}
    save_requests(steps, work, requests)
    for _ in range(rounds):
        for name, script, command in (
            (names[0], scripts.Same(steps), [*BARE, "flat", str(requests)]),
            (names[1], scripts.ToolCalls(steps), [*BARE, "loop", scripts.goal(steps)]),
            (names[2], scripts.Looking(steps), [*zooid(), *OURS, scripts.goal(steps)]),
        ):
            cpus[name].append(run(script, command, work))
            gaps[name] += script.gaps()[1:]  # the first ones warm up
    middle = {name: median(each) for name, each in gaps.items()}
    rows = []
    for name, gap in middle.items():
        against = [f"{gap / middle[bare]:.2f}" for bare in names[:2]]
        rows.append([name, f"{1000 * gap:.1f}", f"{1000 * median(cpus[name]):.0f}", *against])
    head = ["", "ms added a call", "CPU ms a process", "to the same requests", "to the growing one"]
    rows.append(["target", "-", "-", "1.30", "-"])
    table(f"{steps} model calls one after the other, a tool call between them (medians, in turns)", head, rows)


def run(script: scripts.Recorder, command: list[str], work: Path) -> float:
    """Let a command talk to a script; the CPU of its process."""
    with Server(script) as server:
        env = environment(work, OPENAI_API_KEY="none", OPENAI_BASE_URL=server.base_url)
        return measured(command, work, env).cpu


def save_requests(steps: int, work: Path, file: Path) -> None:
    """Keep the requests that zooid sends, for the bare loop to send again."""
    script = scripts.Looking(steps)
    run(script, [*zooid(), *OURS, scripts.goal(steps)], work)
    file.write_text("".join(json.dumps(body) + "\n" for body in script.bodies))


# -- at once


def at_once(delay: float, rounds: int, work: Path) -> None:
    cases = [(1, 8), (8, 8), (32, 8), (32, 32)]
    took: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    bare: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            took[case].append(fan(*case, delay, work))
            bare[case].append(bare_fan(*case, delay, work))
    middle = {case: median(each) for case, each in took.items()}
    one, rows = middle[cases[0]], []
    for (number, parallel), seconds in middle.items():
        ideal, loop = delay * math.ceil(number / parallel), median(bare[number, parallel])
        target = {(8, 8): "1.50 of one", (32, 32): "1.20 of bare"}.get((number, parallel), "-")
        times = [f"{1000 * each:.0f}" for each in (ideal, loop, seconds)]
        ratios = [f"{seconds / base:.2f}" for base in (ideal, one, loop)]
        rows.append([f"{number} sub-agent{'s' * (number > 1)}, {parallel} at once", *times, *ratios, target])
    head = ["", "ideal ms", "bare loop ms", "ms", "of the ideal", "of one", "of bare", "target"]
    table(f"Model calls of {1000 * delay:.0f} ms in one plan (medians, in turns)", head, rows)


def bare_fan(number: int, parallel: int, delay: float, work: Path) -> float:
    """The seconds that the bare loop takes for the same requests, from its plan's reply on."""
    with Server(fanning(number, delay)) as server:
        env = environment(work, OPENAI_API_KEY="none", OPENAI_BASE_URL=server.base_url)
        return float(measured([*BARE, "fan", str(parallel)], work, env).out)


def fanning(number: int, delay: float) -> Callable[[dict], Reply]:
    """A model that plans so many sub-agents, each of which it answers after a while."""

    def script(body: dict) -> Reply:
        if "the plan" in body["messages"][-1]["content"]:
            return Reply({"tasks": [{"id": f"t{n}", "goal": f"say {n}"} for n in range(number)], "answer": "$t0"})
        return Reply({"answer": "said"}, delay=delay)

    return script


def fan(number: int, parallel: int, delay: float, work: Path) -> float:
    """The seconds from a plan's reply to the end of its run, by the run's own record."""

    with Server(fanning(number, delay)) as server:
        env = environment(work, OPENAI_API_KEY="none", OPENAI_BASE_URL=server.base_url)
        command = [*zooid(), *OURS, "--json", "--max-parallel", str(parallel), "carry out the plan"]
        events = [json.loads(line) for line in measured(command, work, env).out.splitlines()]
    planned = next(event["at"] for event in events if event["type"] == "attempt.decided")
    ended = next(event["at"] for event in events if event["type"] == "task.ended" and event["task"] == "root")
    return ended - planned


if __name__ == "__main__":
    main()

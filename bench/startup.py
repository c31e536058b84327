"""What starting costs: CPU of `zooid --help`, of a run of one step, and the way to the first request.

    python bench/startup.py [--rounds N]

The last is measured from the start of the process to the moment its first request has arrived at the model's server,
in turns with a bare script on the `openai` package that sends one request to the same server.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from common import BARE, environment, folder, measured, median, start, table, zooid

from tests.scripted import Server


@dataclass
class Arrival:
    """Who is being waited for, and what it had spent when its request came."""

    pid: int = 0
    started: float = 0.0
    wall: float = 0.0
    cpu: float = 0.0

    def came(self, body: dict) -> dict:
        self.wall, self.cpu = time.perf_counter() - self.started, cpu_of(self.pid)
        return {"answer": 4}


def cpu_of(pid: int) -> float:
    """The seconds of CPU that all threads of a process have spent; 0 where the system does not tell (not Linux)."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def to_first_request(command: list[str], work: Path, env: dict[str, str], arrival: Arrival) -> tuple[float, float]:
    arrival.started = time.perf_counter()
    process = start(command, work, env)
    arrival.pid = process.pid
    _, err = process.communicate()
    if process.returncode:
        raise SystemExit(err)
    return arrival.wall, arrival.cpu


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rounds", type=int, default=15)
    rounds = parse.parse_args().rounds
    with folder() as work:
        (work / "notes.txt").write_text("one two three\n")
        alone(rounds, work)
        first_request(rounds, work)


def alone(rounds: int, work: Path) -> None:
    env, rows = environment(work), []
    one_step = [*zooid(), "run", "how many words are in notes.txt?"]
    for name, command in (("zooid --help", [*zooid(), "--help"]), ("zooid run, embedded, one step", one_step)):
        measured(command, work, env)  # the first one writes byte code
        done = [measured(command, work, env) for _ in range(rounds)]
        cpu, wall = median(d.cpu for d in done), median(d.wall for d in done)
        rows.append([name, f"{1000 * cpu:.0f}", f"{1000 * wall:.0f}", "150" if "--help" in name else "-"])
    table("One process, with the interpreter (medians)", ["", "CPU ms", "wall ms", "target CPU"], rows)


def first_request(rounds: int, work: Path) -> None:
    arrival = Arrival()
    with Server(arrival.came) as server:
        env = environment(work, OPENAI_API_KEY="none", OPENAI_BASE_URL=server.base_url)
        commands = {
            "bare script on openai": [*BARE, "once", "what is 2 + 2?"],
            "zooid run --planner openai": [*zooid(), "run", "--planner", "openai", "what is 2 + 2?"],
        }
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for n in range(rounds + 1):
            for name, command in commands.items():
                took = to_first_request(command, work, env, arrival)
                if n:  # the first one writes byte code
                    spent[name].append(took)
    middle = {name: [median(side) for side in zip(*took, strict=True)] for name, took in spent.items()}
    rows = [[name, f"{1000 * wall:.0f}", f"{1000 * cpu:.0f}"] for name, (wall, cpu) in middle.items()]
    (bare_wall, bare_cpu), (wall, cpu) = middle.values()
    rows.append(["ratio (target 1.30)", f"{wall / bare_wall:.2f}", f"{cpu / bare_cpu:.2f}" if bare_cpu else "-"])
    table("From the start to the first request (medians, in turns)", ["", "wall ms", "CPU ms"], rows)


if __name__ == "__main__":
    main()

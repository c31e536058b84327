"""What it costs to keep a run on disk or in a database, to hand its tasks to other processes, and against a bare loop.

    python bench/orchestration.py [--only disk,workers,bare] [--rounds N]

disk: one machine, a file for the run: CPU and memory for trees of 100 to 10,000 tasks (`tree.py` writes them). The file
is synced as a run does it (four times a second at most, and where it counts), and with the disk waited for each time.

workers: a PostgreSQL server of the bench's own and `zooid worker` processes on this machine. 131 model calls of half a
second in three levels against the least time that any schedule could take; how soon a task is taken up that was handed
on; what a task costs where the model answers at once. Times are the database's: from a run's first event to its last.

bare: against a loop on the `openai` package over the same server, in turns (`latency.py`).

The scripted model runs in this process, which waits for all else: it shares no interpreter with what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import latency
import psycopg
import tree
from common import environment, folder, measured, median, start, table, zooid

from tests.e2e.shared import growing, grown, until
from tests.postgres import Postgres, programs
from tests.scripted import Server

CALLS = 8  # in flight a worker
BRANCHES, LEAVES, DELAY = 10, 12, 0.5


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--only", default="disk,workers,bare")
    parse.add_argument("--rounds", type=int, default=3)
    ask = parse.parse_args()
    for part in ask.only.split(","):
        {"disk": disk, "workers": workers, "bare": bare}[part](ask.rounds)


# -- one machine


def disk(rounds: int) -> None:
    cases = [(size, synced) for synced in (False, True) for size in (100, 1000, 10_000)]
    found: dict[tuple[int, bool], list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            found[case].append(tree.once(*case))
    rows = []
    for (size, synced), each in found.items():
        mid = {name: median(one[name] for one in each) for name in each[0]}
        times = [f"{1000 * mid[name] / size:.2f}" for name in ("cpu", "wall")]
        how = "synced at each commit" if synced else "as a run does"
        rows.append([f"{size:,} tasks, {how}", *times, f"{mid['peak'] / 1e6:.0f}"])
    rows.append(["target", "1.00", "-", "150"])
    table("A run in a file, every step committed (medians)", ["", "CPU ms a task", "wall ms a task", "peak MB"], rows)


# -- several workers


def workers(rounds: int) -> None:
    with server() as postgres:
        shared_by(postgres, rounds)
        soon(postgres, rounds)
        at_once(postgres, rounds)


def shared_by(postgres: Postgres, rounds: int) -> None:
    rows = []
    for number in (1, 2, 4):
        with Colony(postgres, number, DELAY) as colony:
            took = median(colony.run(BRANCHES, LEAVES) for _ in range(rounds))
        ideal = DELAY * least_steps(BRANCHES, LEAVES, CALLS * number)
        rows.append([f"{number} worker{'s' * (number > 1)}", f"{ideal:.1f}", f"{took:.2f}", f"{took / ideal:.2f}"])
    rows.append(["target", "-", "-", "1.25"])
    title = f"{1 + BRANCHES + BRANCHES * LEAVES} model calls of {DELAY} s in three levels, {CALLS} in flight a worker"
    table(f"{title} (medians)", ["", "ideal s", "s", "of the ideal"], rows)


def least_steps(branches: int, leaves: int, slots: int) -> int:
    """The fewest rounds in which `slots` at a time can do the calls of the tree, each a round long.

    Those with the longest way below them go first, which is the best there is where all take as long and the order is
    a tree (T. C. Hu, "Parallel Sequencing and Assembly Line Problems", 1961).
    """
    steps, waiting, ready = 1, branches, 0  # the root's call; branches that are not asked, leaves that may be
    while waiting or ready:
        first = min(waiting, slots)
        done = min(ready, slots - first)
        waiting, ready, steps = waiting - first, ready - done + first * leaves, steps + 1
    return steps


def soon(postgres: Postgres, rounds: int) -> None:
    """How soon tasks are taken up where workers are free."""
    found: list[float] = []
    with Colony(postgres, 2, 0.2) as colony:
        for _ in range(2 * rounds):
            colony.run(3, 4)
            found += colony.latencies()
    ordered = [1000 * one for one in sorted(found)]
    rows = [
        [f"{len(found)} tasks", f"{median(ordered):.1f}", f"{ordered[int(0.95 * len(ordered))]:.1f}"],
        ["target", "30.0", "-"],
    ]
    table("From handing a task on to its owner's first word, 2 workers that are free", ["", "median ms", "95 %"], rows)


def at_once(postgres: Postgres, rounds: int) -> None:
    """What a task costs where the model takes no time: with one worker and a database, and in a file."""
    number = 1 + BRANCHES + BRANCHES * 2 * LEAVES
    with Colony(postgres, 1, 0.0) as colony:
        shared = median(colony.run(BRANCHES, 2 * LEAVES) for _ in range(rounds)) / number
        alone = median(colony.run_alone(BRANCHES, 2 * LEAVES) for _ in range(rounds)) / number
    rows = [[name, f"{1000 * each:.1f}"] for name, each in (("in a file", alone), ("1 worker", shared))]
    rows += [["more in the database", f"{1000 * (shared - alone):.1f}"], ["target", "6.0"]]
    table(f"{number} tasks with a model call each that is answered at once (medians)", ["", "ms a task"], rows)


class Colony:
    """So many workers on a new database, and a scripted model; warmed up by a run that is not counted."""

    def __init__(self, postgres: Postgres, number: int, delay: float) -> None:
        self._database, self._number, self._delay = postgres.database(), number, delay
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Colony:
        self._work = self._open.enter_context(folder())
        self._model = self._open.enter_context(Server(lambda body: self._script(body)))
        self._script = growing(4, 4 * self._number, 0.1)
        for _ in range(self._number):
            process = start([*zooid(), "worker"], self._work, self._environment(ZOOID_MAX_PARALLEL=str(CALLS)))
            self._open.callback(process.wait)
            self._open.callback(process.terminate)
        until(lambda: self._ask("SELECT count(*) FROM zooid_worker")[0][0] == self._number)
        self._zooid()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self, branches: int, leaves: int) -> float:
        """The seconds from a run's first event to its last."""
        self._script = growing(branches, leaves, self._delay)
        if self._zooid().split() != grown(branches, leaves).split():
            raise SystemExit("the run came to another answer")
        since, until_ = self._ask(f"SELECT min(at), max(at) FROM zooid_event WHERE run = {_LAST}")[0]
        return until_ - since

    def run_alone(self, branches: int, leaves: int) -> float:
        """The same of a run in a file, with nobody to share it."""
        self._script = growing(branches, leaves, self._delay)
        words = ["run", "--json", *_MODEL, "--max-parallel", str(CALLS), "grow"]
        env = environment(self._work, **self._model_is_at())
        times = [json.loads(line)["at"] for line in measured([*zooid(), *words], self._work, env).out.splitlines()]
        return max(times) - min(times)

    def latencies(self) -> list[float]:
        """Of the last run's tasks: from the last word about each by who handed it on to the first by who took it."""
        query = (
            "SELECT min(at) FILTER (WHERE zone = task) - max(at) FILTER (WHERE zone <> task) FROM zooid_event "
            f"WHERE run = {_LAST} AND task <> 'root' AND (zone = task OR type LIKE 'task.%') GROUP BY task"
        )
        return [seconds for (seconds,) in self._ask(query) if seconds is not None]

    def _zooid(self) -> str:
        words = ["run", "-q", *_MODEL, "--max-parallel", str(CALLS * self._number), "grow"]
        return measured([*zooid(), *words], self._work, self._environment()).out

    def _environment(self, **more: str) -> dict[str, str]:
        return environment(self._work, ZOOID_DATABASE=self._database, **self._model_is_at(), **more)

    def _model_is_at(self) -> dict[str, str]:
        return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": self._model.base_url}

    def _ask(self, query: str) -> list[tuple]:
        try:
            with psycopg.connect(self._database, autocommit=True) as connection:
                return connection.execute(query).fetchall()
        except psycopg.errors.UndefinedTable:
            return [(0,)]


_MODEL = ("--planner", "openai", "--model", "scripted")
_LAST = "(SELECT id FROM zooid_run ORDER BY touched DESC LIMIT 1)"


@contextlib.contextmanager
def server() -> Iterator[Postgres]:
    found = programs()
    if found is None:
        raise SystemExit("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    place = Path(tempfile.mkdtemp(prefix="zooid-bench-"))
    place.chmod(0o755)
    try:
        postgres = Postgres(place, found)
        postgres.start()
        yield postgres
        postgres.stop("immediate")
    finally:
        shutil.rmtree(place, ignore_errors=True)


# -- a bare loop


def bare(rounds: int) -> None:
    with folder() as work:
        latency.one_after_the_other(60, rounds, work)
        latency.at_once(0.2, rounds, work)


if __name__ == "__main__":
    main()

"""How many goals of a kind are met, and how many that cannot be met are declined.

    python bench/goals.py [--sets DIR] [--only NAME,…] [--timeout SECONDS] [-v] [-- FLAG …]

A set is a folder with a workspace and goals in JSON lines: `goals.jsonl` (or any `*.jsonl`), and `undoable.jsonl`.
DIR is a folder of sets or one set; `--only` names sets or the ids of goals; what follows `--` is given to `zooid run`.

Each goal runs in a fresh copy of its workspace, as a process of its own, with a home of its own and no key; where it
has `tools`, the files of that folder of the set are in the person's plugin folder. It is met
when the process exits with 0, every pattern of `answer` is found in what it wrote to standard output, every pattern of
`files` in the file of that name, and every other file that was there is as it was. One of `undoable.jsonl` is declined
rightly when the exit code is 1, standard error names both ways on, and no file has changed or appeared. Wrong is what
was not met, or not declined, although the exit code is 0.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import HERE, environment, folder, median, table, zooid

UNDOABLE = "undoable.jsonl"
WAYS_ON = ("OPENAI_API_KEY", "--planner local")
Goal = dict[str, Any]
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    """A goal's process: its exit code, what it wrote, the files before and after, and its seconds."""

    code: int
    out: str
    err: str
    before: Files
    after: Files
    seconds: float


def attempt(goal: Goal, home: Path, timeout: float, flags: list[str]) -> Ended:
    with folder() as work:
        shutil.copytree(home / "workspace", work, dirs_exist_ok=True)
        env = environment(work, COLUMNS="200")
        if "tools" in goal:
            shutil.copytree(home / goal["tools"], Path(env["XDG_CONFIG_HOME"], "zooid", "tools"))
        before, started = contents(work), time.perf_counter()
        command = [*zooid(), "run", *flags, goal["goal"]]
        try:
            done = subprocess.run(
                command, cwd=work, env=env, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            code, out, err = -1, "", f"no end within {timeout:g} s"
        return Ended(code, out, err, before, contents(work), time.perf_counter() - started)


def contents(work: Path) -> Files:
    return {str(path.relative_to(work)): path.read_bytes() for path in sorted(work.rglob("*")) if path.is_file()}


# -- the rules


def unmet(goal: Goal, ended: Ended) -> str:
    """Why a goal is not met; empty where it is."""
    if ended.code:
        return f"exit {ended.code}: {last_line(ended.err)}"
    answer = ended.out.replace(goal["goal"], "")  # to repeat the question answers nothing
    for pattern in goal.get("answer", ()):
        if not re.search(pattern, answer):
            return f"the answer lacks /{pattern}/: {answer.strip()[:160]!r}"
    wanted = goal.get("files", {})
    for name, patterns in wanted.items():
        if name not in ended.after:
            return f"there is no file {name}"
        text = ended.after[name].decode(errors="replace")
        for pattern in patterns:
            if not re.search(pattern, text):
                return f"{name} lacks /{pattern}/: {text[:160]!r}"
    return changed({n: c for n, c in ended.before.items() if n not in wanted}, ended.after)


def not_declined(goal: Goal, ended: Ended) -> str:
    """Why a goal that cannot be met was not declined as it must be; empty where it was."""
    if ended.code != 1:
        return f"exit {ended.code}: {last_line(ended.err) or ended.out.strip()[:160]!r}"
    for way in WAYS_ON:
        if way not in ended.err:
            return f"standard error does not name {way}: {last_line(ended.err)}"
    new = ended.after.keys() - ended.before.keys()
    return f"{min(new)} was made" if new else changed(ended.before, ended.after)


def changed(before: Files, after: Files) -> str:
    for name, content in before.items():
        if after.get(name) != content:
            return f"{name} was changed"
    return ""


def last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:200]


# -- the sets


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a goal: whether that was right; where it was not, whether it passed for right; and its seconds."""

    right: bool
    wrong: bool
    seconds: float


def sets(root: Path) -> list[Path]:
    """The files of goals under a folder of sets, or of one set."""
    found = sorted([*root.glob("*.jsonl"), *root.glob("*/*.jsonl")])
    if not found:
        sys.exit(f"there are no goals in {root}; give a folder with goals.jsonl and workspace/ with --sets")
    return found


def run(file: Path, only: set[str], ask: argparse.Namespace) -> dict[str, list[Came]]:
    """The goals of a file, by area: what came of each."""
    judge = not_declined if file.name == UNDOABLE else unmet
    areas: dict[str, list[Came]] = defaultdict(list)
    for goal in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        if only and file.parent.name not in only and goal["id"] not in only:
            continue
        ended = attempt(goal, file.parent, ask.timeout, ask.flags)
        why = judge(goal, ended)
        areas[goal.get("area", "-")].append(Came(not why, bool(why) and not ended.code, ended.seconds))
        if why or ask.verbose:
            print(f"{goal['id']} {'FAIL' if why else 'ok'} {ended.seconds:.1f} s  {goal['goal']}", flush=True)
        if why:
            print(f"    {why}", flush=True)
    return areas


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--sets", type=Path, default=HERE / "goals")
    parse.add_argument("--only", default="")
    parse.add_argument("--timeout", type=float, default=120)
    parse.add_argument("-v", "--verbose", action="store_true")
    parse.add_argument("flags", nargs="*", help="given to zooid run")
    ask = parse.parse_args()
    only = set(filter(None, ask.only.split(",")))
    rows, wrong = [], 0
    for file in sets(ask.sets):
        areas = run(file, only, ask)
        every = [one for area in areas.values() for one in area]
        wrong += sum(not one.right for one in every)
        name = f"{file.parent.name}/{file.stem}"
        rows += [row(f"{name}: {area}", done) for area, done in sorted(areas.items()) if len(areas) > 1]
        rows += [row(name + (" (declined rightly)" if file.name == UNDOABLE else ""), every)] if every else []
    table("Goals met", ["", "met", "wrong", "of", "%", "median s", "longest s"], rows)
    sys.exit(1 if wrong else 0)


def row(name: str, done: list[Came]) -> list[str]:
    met, wrong, seconds = sum(one.right for one in done), sum(one.wrong for one in done), [one.seconds for one in done]
    counts = [str(met), str(wrong), str(len(done)), f"{100 * met / len(done):.0f}"]
    return [name, *counts, f"{median(seconds):.2f}", f"{max(seconds):.1f}"]


if __name__ == "__main__":
    main()

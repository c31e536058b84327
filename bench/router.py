"""How well requests are routed: to learnt intents (CLINC150, BANKING77), and to the right one of 500 tools.

    ZOOID_DATA=/path/to/data python bench/router.py [--quick] [--sets DIR]

Without ZOOID_DATA only the tools are measured; `--quick` is that, too. Every candidate is shown, also those that lose.
Thresholds come from the validation part alone. BANKING77 has none, so a tenth of its training part serves.

`--sets` is a folder of requests and tools that others wrote (`metatool`, `seal-tools`, `bfcl`); see `docs/router.md`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import HERE, median, table

from agent.intents import Example, IntentRouter
from agent.router import Router
from tools.function import Description
from tools.registry import Tool

SHOWN = 12
HEAD = ("candidate", "in scope", "at the bar", "none fits", "wanted")


def clinc(data: Path) -> dict[str, list[Example]]:
    kept = json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    return {
        part: [(text, intent) for text, intent in kept[part]] + [(text, None) for text, _ in kept[f"oos_{part}"]]
        for part in ("train", "val", "test")
    }


def banking(data: Path, part: str) -> list[Example]:
    with (data / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def figures(router: IntentRouter, test: list[Example]) -> tuple[float, float, float]:
    """In percent: in-scope accuracy without a bar and with it, and the share of the others that gets none."""
    texts = [text for text, _ in test]
    scores = router.scores(texts)
    sure = router.confidences(texts, scores) >= router.sure.bar
    right = [router.intents[n] == intent for n, (_, intent) in zip(scores.argmax(1), test, strict=True)]
    inside = [n for n, (_, intent) in enumerate(test) if intent]
    outside = [n for n, (_, intent) in enumerate(test) if not intent]
    shares = (
        sum(right[n] for n in inside) / len(inside),
        sum(right[n] and sure[n] for n in inside) / len(inside),
        sum(not sure[n] for n in outside) / max(1, len(outside)),
    )
    return tuple(100 * float(share) for share in shares)


def candidates(router: IntentRouter, valid: list[Example]) -> list[tuple[str, IntentRouter]]:
    """The members alone and together, each with a bar of its own."""
    linear = replace(router, nets=[])
    nets = replace(router, table=router.table * 0)
    one = replace(nets, nets=router.nets[:1])
    for each in (linear, one, nets):
        each.set_bar(valid)
    return [("linear alone", linear), ("one net alone", one), ("all nets alone", nets), ("linear and all nets", router)]


def row(name: str, found: tuple[float, ...], wanted: str) -> tuple[str, ...]:
    return (name, *(f"{value:.2f}" for value in found), wanted)


def intents(data: Path) -> None:
    parts = clinc(data)
    started, cpu = time.perf_counter(), time.process_time()
    router = IntentRouter.fit(parts["train"], parts["val"])
    spent = (time.perf_counter() - started, time.process_time() - cpu)
    tried = candidates(router, parts["val"])
    rows = [row(name, figures(each, parts["test"]), "93 / 60") for name, each in tried]
    rows += [("BERT (published)", "", "96.2", "52.3", ""), ("SVM (published)", "", "88.2", "18.0", "")]
    table("CLINC150, test part, %", HEAD, rows)
    valid = [row(name, figures(each, parts["val"]), "") for name, each in tried]
    table("CLINC150, validation part, where the bar is chosen, %", HEAD, valid)
    alone("CLINC150, test part", router, parts["test"])
    speed(router, [text for text, _ in parts["test"]], spent)
    train = banking(data, "train")
    learnt = IntentRouter.fit(train)
    held = [example for example in train if example not in set(learnt.examples)]
    found = [row(name, figures(each, banking(data, "test")), "91") for name, each in candidates(learnt, held)]
    table("BANKING77, test part, % (a tenth of the training part chooses the bar)", HEAD, found)
    growing(parts)


def alone(title: str, router: IntentRouter, test: list[Example]) -> None:
    """How often a choice is right that is sure enough for nobody else to be asked, out-of-scope texts included."""
    texts = [text for text, _ in test]
    scores = router.scores(texts)
    taken = router.confidences(texts, scores) >= router.sure.alone
    right = sum(router.intents[n] == test[i][1] for i, n in enumerate(scores.argmax(1)) if taken[i])
    share, of = 100 * right / max(1, int(taken.sum())), 100 * float(taken.mean())
    print(
        f"\n{title}: asked alone from {router.sure.alone:.3f} up, {of:.1f} % of texts, right {share:.1f} % (wanted 97)"
    )


def speed(router: IntentRouter, texts: list[str], spent: tuple[float, float]) -> None:
    router.route(texts[0])
    times = []
    for text in texts[:2000]:
        started = time.perf_counter()
        router.route(text)
        times.append(time.perf_counter() - started)
    times.sort()
    with tempfile.TemporaryDirectory() as folder:
        router.save(Path(folder))
        size = (Path(folder) / "router.npz").stat().st_size / 1e6
        started = time.perf_counter()
        IntentRouter.load(Path(folder))
        loading = time.perf_counter() - started
    rows = [
        ("training, clock / CPU", f"{spent[0]:.0f} / {spent[1]:.0f} s", "120 s"),
        ("a decision, median", f"{1000 * median(times):.2f} ms", "1 ms"),
        ("a decision, 99 of 100 under", f"{1000 * times[len(times) * 99 // 100]:.2f} ms", ""),
        ("on disk", f"{size:.1f} MB", ""),
        ("loading", f"{loading:.2f} s", ""),
    ]
    table("CLINC150, cost", ("", "measured", "wanted"), rows)


def growing(parts: dict[str, list[Example]], more: int = 5) -> None:
    """Learn all intents but a few, then those one by one."""
    names = sorted({intent for _, intent in parts["train"] if intent})
    late = random.Random(0).sample(names, more)
    known = {part: [example for example in rows if example[1] not in late] for part, rows in parts.items()}
    router = IntentRouter.fit(known["train"], known["val"])
    new = [example for example in parts["test"] if example[1] in late]
    some = [text for text, _ in known["test"][:200]]
    before, rows = router.scores(some), [row("before: the others", figures(router, known["test"]), "")]
    router._matrix = None  # as after loading: the first one pays for reading the examples again
    times = []
    for intent in late:
        started = time.process_time()
        router.add(intent, [text for text, of in parts["train"] if of == intent])
        times.append(time.process_time() - started)
    moved = float(abs(router.scores(some)[:, : before.shape[1]] - before).max())
    rows += [row("after: the others", figures(router, known["test"]), "")]
    rows += [row("after: the added ones", figures(router, new)[:2], "")]
    rows[-1] = (*rows[-1][:3], "", "")
    took = f"{times[0]:.1f} s of CPU for the first, {median(times[1:]):.1f} s for the next"
    title = f"{more} of 150 intents added one by one, {took}; scores of the others moved by {moved:.2g}"
    table(title, HEAD, rows)


# -- the registry


def read(name: str) -> list[list[str]]:
    with (HERE / "data" / "router" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def tools() -> list[Tool]:
    """500 tools as Python's standard library describes its own functions."""
    return as_tools({name: summary for name, summary in read("tools.tsv")})


def requests(part: str) -> list[tuple[str, str]]:
    """Requests and the tool that each one means; `part` is `look` (seen while building the ranking) or `held`.

    Those of the parts `free-…` avoid the words of the descriptions where everyday words can be had.
    """
    return [(text, name) for of, name, text in read("requests.tsv") if of == part]


Asked = list[tuple[str, str]]  # requests, each with its tool


def as_tools(described: dict[str, str]) -> list[Tool]:
    return [
        Tool(Description(name, text, text, (), {}), "code", "bench", lambda _: None) for name, text in described.items()
    ]


def halves(asked: Asked, most: int = 1000) -> dict[str, Asked]:
    """Those that were looked at and those that were held out, by a hash of the request; at most `most` of each."""
    parts: dict[str, Asked] = {"look": [], "held": []}
    for text, name in asked:
        first = hashlib.blake2b(text.strip().lower().encode(), digest_size=1).digest()[0]
        parts["held" if first % 2 else "look"].append((text, name))
    return {part: random.Random(0).sample(rows, min(most, len(rows))) for part, rows in parts.items()}


def filled_up(described: dict[str, str], asked: Iterable[str], to: int = 500) -> dict[str, str]:
    """The tools that are asked for, and others drawn at random until there are 500."""
    wanted = set(asked)
    rest = sorted(described.keys() - wanted)
    random.Random(0).shuffle(rest)
    return {name: described[name] for name in [*sorted(wanted), *rest[: max(0, to - len(wanted))]]}


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def metatool(folder: Path) -> tuple[dict[str, str], dict[str, Asked]]:
    described = json.loads((folder / "plugin_des.json").read_text(encoding="utf-8"))
    with (folder / "all_clean_data.csv").open(encoding="utf-8", newline="") as file:
        return described, halves([(row["Query"], row["Tool"]) for row in csv.DictReader(file)])


def seal(folder: Path) -> tuple[dict[str, str], dict[str, Asked]]:
    """Those requests that take one call: `look` is the set's dev part, `held` its test part."""
    described = {row["api_name"]: row["api_description"] for row in lines(folder / "tool.jsonl")}
    asked = {
        part: [
            (row["query"], row["calling"][0]["api"])
            for row in lines(folder / f"{name}.jsonl")
            if len(row["calling"]) == 1 and row["calling"][0]["api"] in described
        ]
        for part, name in (("look", "dev"), ("held", "test_in_domain"))
    }
    return filled_up(described, {name for rows in asked.values() for _, name in rows}), asked


def bfcl(folder: Path, part: str) -> tuple[dict[str, str], dict[str, Asked]]:
    """The requests of one part that are shorter than 400 characters, among the functions of four parts."""
    described: dict[str, str] = {}
    asked = []
    for name in ("simple_python", "live_simple", "multiple", "live_multiple"):
        truth = {row["id"]: next(iter(row["ground_truth"][0])) for row in lines(folder / f"{name}.answer.json")}
        for row in lines(folder / f"{name}.json"):
            for function in row["function"]:
                described.setdefault(function["name"], function["description"])
            text = " ".join(said["content"] for said in row["question"][0] if said["role"] == "user")
            if name == part and len(text) < 400 and truth.get(row["id"]) in described:
                asked.append((text, truth[row["id"]]))
    return filled_up(described, {name for _, name in asked}), halves(asked)


def ranked(title: str, described: list[Tool], parts: dict[str, Asked]) -> list[tuple[str, ...]]:
    """A row a part: how often the right tool is the first, of the first 3 and of the first 12, against words alone."""
    router, rows = Router(described), []
    router.rank("")
    for part, asked in parts.items():
        started = time.perf_counter()
        places = [[tool.name for _, tool in router.rank(text)].index(name) + 1 for text, name in asked]
        each = 1000 * (time.perf_counter() - started) / len(asked)
        plain = [[tool.name for _, tool in shared(router, text)].index(name) + 1 for text, name in asked]
        shares = [f"{100 * sum(place <= n for place in places) / len(places):.1f}" for n in (1, 3, SHOWN)]
        before = f"{100 * sum(place <= SHOWN for place in plain) / len(plain):.1f}"
        rows.append((f"{title}{part}, {len(asked)} of {len(described)}", *shares, before, f"{each:.1f} ms"))
    return rows


def shared(router: Router, text: str) -> list[tuple[float, Tool]]:
    """As by shared words and synonyms alone, without the words that are used alike."""
    return sorted(zip(router._shared(text), router._tools, strict=True), key=lambda pair: -pair[0])


def registry(sets: Path | None) -> None:
    known = tools()
    started = time.perf_counter()
    Router(known).rank("something")
    made = 1000 * (time.perf_counter() - started)
    rows = ranked("", known, {part: requests(part) for part in ("look", "held", "free-look", "free-held")})
    head = ("requests, tools", "first", "of 3", f"of {SHOWN}", "words alone", "each")
    table(f"the right tool, % (wanted: 97 of {SHOWN}; a router of 500 made in {made:.0f} ms)", head, rows)
    if sets is None:
        print("what others wrote is left out: give the folder that holds it with --sets")
        return
    rows = ranked("MetaTool ", *_made(metatool(sets / "metatool")))
    rows += ranked("Seal-Tools ", *_made(seal(sets / "seal-tools")))
    rows += ranked("BFCL ", *_made(bfcl(sets / "bfcl", "simple_python")))
    rows += ranked("BFCL live ", *_made(bfcl(sets / "bfcl", "live_simple")))
    table("the right tool, requests and tools that others wrote, %", head, rows)


def _made(found: tuple[dict[str, str], dict[str, Asked]]) -> tuple[list[Tool], dict[str, Asked]]:
    return as_tools(found[0]), found[1]


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--quick", action="store_true", help="only the tools")
    parse.add_argument("--sets", type=Path, metavar="DIR", help="requests and tools that others wrote")
    given, data = parse.parse_args(), os.environ.get("ZOOID_DATA")
    quick = given.quick
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if data and not quick:
        intents(Path(data))
    elif not quick:
        print("CLINC150 and BANKING77 are left out: set ZOOID_DATA to the folder that holds them")
    registry(given.sets)


if __name__ == "__main__":
    main()

"""How well requests are routed: to learnt intents (CLINC150, BANKING77), and to the right one of 500 tools.

    ZOOID_DATA=/path/to/data python bench/router.py [--quick]

Without ZOOID_DATA only the tools are measured; `--quick` is that, too. Every candidate is shown, also those that lose.
Thresholds come from the validation part alone. BANKING77 has none, so a tenth of its training part serves.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

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
    speed(router, [text for text, _ in parts["test"]], spent)
    train = banking(data, "train")
    learnt = IntentRouter.fit(train)
    held = [example for example in train if example not in set(learnt.examples)]
    found = [row(name, figures(each, banking(data, "test")), "91") for name, each in candidates(learnt, held)]
    table("BANKING77, test part, % (a tenth of the training part chooses the bar)", HEAD, found)
    growing(parts)


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
    started = time.perf_counter()
    for intent in late:
        router.add(intent, [text for text, of in parts["train"] if of == intent])
    each = (time.perf_counter() - started) / more
    moved = float(abs(router.scores(some)[:, : before.shape[1]] - before).max())
    rows += [row("after: the others", figures(router, known["test"]), "")]
    rows += [row("after: the added ones", figures(router, new)[:2], "")]
    rows[-1] = (*rows[-1][:3], "", "")
    title = f"{more} of 150 intents added one by one: {each:.1f} s each; scores of the others moved by {moved:.2g}"
    table(title, HEAD, rows)


# -- the registry


def read(name: str) -> list[list[str]]:
    with (HERE / "data" / "router" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def tools() -> list[Tool]:
    """500 tools as Python's standard library describes its own functions."""
    return [
        Tool(Description(name, summary, summary, (), {}), "code", "bench", lambda _: None)
        for name, summary in read("tools.tsv")
    ]


def requests(part: str) -> list[tuple[str, str]]:
    """Requests and the tool that each one means; `part` is `look` (seen while building the ranking) or `held`.

    Those of the parts `free-…` avoid the words of the descriptions where everyday words can be had.
    """
    return [(text, name) for of, name, text in read("requests.tsv") if of == part]


def registry() -> None:
    known, rows = tools(), []
    started = time.perf_counter()
    router = Router(known)
    made = 1000 * (time.perf_counter() - started)
    for part in ("look", "held", "free-look", "free-held"):
        asked, places, started = requests(part), [], time.perf_counter()
        for text, name in asked:
            places.append([tool.name for _, tool in router.rank(text)].index(name) + 1)
        each = 1000 * (time.perf_counter() - started) / len(asked)
        shares = [f"{100 * sum(place <= n for place in places) / len(places):.1f}" for n in (1, 3, SHOWN)]
        rows.append((f"{part}, {len(asked)} requests", *shares, "97", f"{each:.2f} ms"))
    head = ("", "first", "of 3", f"of {SHOWN}", "wanted", "each")
    table(f"the right one of {len(known)} tools, % (router made in {made:.0f} ms)", head, rows)


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--quick", action="store_true", help="only the tools")
    quick, data = parse.parse_args().quick, os.environ.get("ZOOID_DATA")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if data and not quick:
        intents(Path(data))
    elif not quick:
        print("CLINC150 and BANKING77 are left out: set ZOOID_DATA to the folder that holds them")
    registry()


if __name__ == "__main__":
    main()

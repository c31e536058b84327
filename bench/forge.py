"""What the forge makes of public data, every candidate's figure beside the one to reach.

    python bench/forge.py [--data DIR] [--only NAME,…] [--minutes N] [--threads N] [--keep DIR]

Each model is made by the installed command, `zooid forge NAME --spec …`, in a home of its own, and what it registered
is then asked for every row of the published test part. `--data` (or $ZOOID_DATA) holds the folders sms-spam, plurals,
sigmorphon2023-eng, sst2 and language-id. Training takes `--minutes` of CPU a model at most (default 10; all in all an
hour or so). `--keep` is where the models' folders are copied to.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import environment, folder, table, zooid

from tools.forge.candidate import Row
from tools.forge.examples import part_of
from tools.forge.score import score
from tools.micro import Engine, load
from tools.micro.versions import newest

LANGUAGES = "bg cs da de el en es et fi fr hr hu it nl pl pt ro ru sv tr".split()
Rows = list[tuple[dict[str, str], str]]


@dataclass(frozen=True)
class Measure:
    """Rows that a figure is taken on, the figure to reach and whose it is; `metric` as in a spec."""

    name: str
    rows: list[Row]
    to_reach: float
    whose: str
    metric: Any = "accuracy"


@dataclass
class Task:
    """What is forged: rows, the test rows where they are published, lines of the spec, and what is measured."""

    train: Rows
    test: Rows = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)


# -- the data


def sms(data: Path) -> Task:
    """4,458 and 1,115 messages as published; 131 of the test messages stand in the training part as well."""

    def read(name: str) -> Rows:
        with (data / "sms-spam" / name).open(encoding="utf-8", newline="") as file:
            return [({"text": row["text"]}, row["annotation"]) for row in csv.DictReader(file, delimiter="\t")]

    train, test = read("sms_spam_train.tsv"), read("sms_spam_test.tsv")
    known = {inputs["text"] for inputs, _ in train}
    every, fresh = as_rows(test), as_rows([row for row in test if row[0]["text"] not in known])
    measures = [
        Measure("all test messages", every, 99.4, "a linear model"),
        Measure("all test messages, macro-F1", every, 98.6, "a linear model", "macro-f1"),
        Measure("all test messages", every, 89.8, "ChatGPT"),
        Measure("all test messages, macro-F1", every, 82.7, "ChatGPT", "macro-f1"),
        Measure("those not in train", fresh, 99.4, "a linear model, on all"),
        Measure("those not in train, macro-F1", fresh, 98.6, "a linear model, on all", "macro-f1"),
    ]
    return Task(train, test, {"kind": "classify"}, measures)


def plurals(data: Path) -> Task:
    """Nouns in lower case that have a plural of their own; a tenth of the lemmas held out by their hash."""
    rows: Rows = []
    with gzip.open(data / "plurals" / "infl_lu.csv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            lemma, kind, *forms = line.rstrip("\n").split(",")
            if kind == "noun" and lemma.islower() and " " not in lemma:
                rows += [({"word": lemma}, form) for form in forms[0].split("/") if form and form.lower() != lemma]
    found: dict[str, list[str]] = {}
    for inputs, plural in rows:
        found.setdefault(inputs["word"], []).append(plural)
    test = [Row({"word": w}, p[0], tuple(p[1:])) for w, p in found.items() if part_of(w) == "test"]
    odd = [row for row in test if not row.right(by_rule(row.inputs["word"]))]
    package = inflect_answers()
    measures = [
        Measure("nouns, all", test, package(test), "inflect, same nouns"),
        Measure("nouns, all", test, 97.9, "inflect, published list"),
        Measure("nouns, irregular", odd, package(odd), "inflect, same nouns"),
        Measure("nouns, irregular", odd, 55.4, "inflect, published list"),
    ]
    return Task(rows, [], {"kind": "generate"}, measures)


def by_rule(word: str) -> str:
    """The rule that is taught at school; what it gets wrong is irregular."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2:-1] not in "aeiou" else word + "s"


def inflect_answers() -> Callable[[list[Row]], float]:
    try:
        import inflect
    except ImportError:
        sys.exit("the package inflect is missing; install it with: pip install 'zooid[forge]'")
    engine = inflect.engine()
    return lambda rows: (
        score("", "accuracy", rows, [engine.plural_noun(row.inputs["word"]) or "" for row in rows]).value
    )


def inflection(data: Path) -> Task:
    """SIGMORPHON 2023, English: lemma and features to a form; no lemma in two parts."""

    def read(part: str) -> Rows:
        lines = (data / "sigmorphon2023-eng" / f"eng.{part}").read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines if line]
        return [({"lemma": lemma, "tags": tags}, form) for lemma, tags, form in rows]

    train, test = read("trn") + read("dev"), read("tst")
    measures = [Measure("forms", as_rows(test), 96.6, "the shared task's baseline")]
    return Task(train, test, {"kind": "generate", "group": "lemma"}, measures)


def tone(data: Path) -> Task:
    """SST-2 sentences: 6,920 and 872 to learn from, 1,821 to measure on."""

    def read(part: str) -> Rows:
        lines = (data / "sst2" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
        pairs = [line.rsplit("\t", 1) for line in lines if line]
        return [({"text": text}, ("negative", "positive")[int(label)]) for text, label in pairs]

    test = read("test")
    measures = [Measure("sentences", as_rows(test), 83.2, "a linear model")]
    return Task(read("train") + read("dev"), test, {"kind": "classify"}, measures)


def language(data: Path) -> Task:
    """1,000 sentences in each of 20 languages, a tenth of them held out by their hash."""
    rows: Rows = []
    for code in LANGUAGES:
        lines = (data / "language-id" / f"{code}.txt").read_text(encoding="utf-8").splitlines()
        rows += [({"text": " ".join(line.split())}, code) for line in lines if line.strip()]
    once = {row[0]["text"]: row for row in rows}
    test = as_rows([row for text, row in once.items() if part_of(text.lower()) == "test"])
    short = [Row({"text": " ".join(row.inputs["text"].split()[:5])}, row.output) for row in test]
    measures = [
        Measure("sentences", test, 96.0, "Lingua, mean of 75 languages"),
        Measure("their first five words", short, 96.0, "Lingua, whole sentences"),
    ]
    return Task(rows, [], {"kind": "classify"}, measures)


TASKS: dict[str, Callable[[Path], Task]] = {
    "spam": sms, "plural_of": plurals, "inflection": inflection, "film_tone": tone, "tongue": language,
}  # fmt: skip


def as_rows(rows: Rows) -> list[Row]:
    return [Row({name: " ".join(text.split()) for name, text in inputs.items()}, output) for inputs, output in rows]


# -- the models


def forged(name: str, task: Task, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Makes a model with the command, says what was tried, and measures what was registered."""
    with folder() as work:
        spec = {"examples": "train.jsonl", "minutes": options.minutes, "threads": options.threads, **task.spec}
        write(work / "train.jsonl", task.train)
        if task.test:
            write(work / "test.jsonl", task.test)
            spec["test"] = "test.jsonl"
        (work / "spec.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in spec.items()))
        env = environment(work)
        before = os.times()
        command = [*zooid(), "forge", name, "--spec", "spec.toml", "--json"]
        done = subprocess.run(command, cwd=work, env=env, text=True, stdout=subprocess.PIPE, check=False)
        after = os.times()
        if done.returncode:
            sys.exit(f"{name}: zooid forge ended with {done.returncode}: {done.stdout[-500:]}")
        told = [json.loads(line) for line in done.stdout.splitlines()]
        tools = Path(json.loads(subprocess.check_output([*zooid(), "config", "path", "--json"], env=env))["tools"])
        place = newest(tools / name)
        assert place is not None
        if options.keep:
            shutil.copytree(place, options.keep / name, dirs_exist_ok=True)
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        yield {"told": told, "cpu": cpu, "figures": list(measured(place, task.measures))}


def write(path: Path, rows: Rows) -> None:
    lines = [json.dumps({"input": inputs, "output": output}, ensure_ascii=False) for inputs, output in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measured(place: Path, measures: Iterable[Measure]) -> Iterator[tuple[str, str, str, str, str]]:
    """The registered model's figures through the engine, each beside the one to reach."""
    engine, model = Engine(), load(place)
    for one in measures:
        answers = [str(result.value) for result in engine.call_many(model, [row.inputs for row in one.rows])]
        found = score(one.name, one.metric, one.rows, answers)
        met = "yes" if found.value >= one.to_reach else "no"
        figure = f"{found.value:.1f} ({found.low:.1f}-{found.high:.1f})"
        yield one.name, f"{len(one.rows):,}", figure, f"{one.to_reach:.1f} {one.whose}", met
    engine.close()


def show(name: str, found: dict[str, Any]) -> None:
    told = found["told"]
    counted, ended = told[0], told[-1]
    rows = [
        (one["name"], f"{one['valid']['value']:.1f}", f"{ended['test'][one['name']]['value']:.1f}",
         f"{one['bytes'] / 1e6:.2f}", f"{one['calls_per_second']:,}", f"{one['seconds']:.0f}")
        for one in told if one["type"] == "tried"
    ]  # fmt: skip
    sizes = f"{counted['train']:,} train, {counted['valid']:,} validation, {counted['test']:,} test"
    title = f"{name}: {counted['rows']:,} rows ({sizes}), {found['cpu'] / 60:.1f} min of CPU, best: {ended['best']}"
    table(title, ("candidate", "validation %", "test %", "MB", "calls/s", "seconds"), rows)
    table("registered", ("measured on", "rows", "% (95 % interval)", "to reach", "reached"), found["figures"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ZOOID_DATA"))
    parser.add_argument("--only", default=",".join(TASKS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("name the folder of the data with --data, or as $ZOOID_DATA")
    for name in options.only.split(","):
        if name not in TASKS:
            parser.error(f"there is no {name}; there is: {', '.join(TASKS)}")
        for found in forged(name, TASKS[name](options.data), options):
            show(name, found)


if __name__ == "__main__":
    main()

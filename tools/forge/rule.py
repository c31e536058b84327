"""Finds rules in examples: the candidate that a person can read, and the yardstick for the others."""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.forge.candidate import Job, Made, Progress, Row, Tell, Unfit
from tools.micro import rule
from tools.micro.manifest import FILES
from tools.micro.rule import DecisionList, Endings, Line, Pattern, Patterns, Program, Rules, Step

LONGEST = 1_000_000
SAMPLE = 5000  # rows that a decision list is found in
LINES = 20
LEAST = 3  # rows that a line of a decision list must be seen in


class Rule:
    """A decision list, a program or endings, or patterns: whichever the kind of task calls for."""

    name = "rule"

    def make(self, job: Job, folder: Path, tell: Tell) -> list[Made]:
        """Learns from `job.train`, chooses on `job.valid`, and writes one model; raises Unfit."""
        if len(job.train) < 2:
            raise Unfit(f"rules need at least 2 rows to be found in, here are {len(job.train)}; give more examples")
        job = replace(job, train=random.Random(job.seed).sample(job.train, len(job.train)))
        found = {"classify": _classify, "generate": _generate, "extract": _extract}[job.kind](job)
        tell(Progress(1, 1, 1 - share_right(found, job.valid), job.seconds))
        return [_written(job, folder / "rule", found)]


def share_right(rules: Rules, rows: Sequence[Row]) -> float:
    """The share of rows that rules answer rightly."""
    answers = rules.answers([row.inputs for row in rows])
    return sum(row.right(answer[0]) for row, answer in zip(rows, answers, strict=True)) / max(1, len(rows))


def _written(job: Job, folder: Path, rules: Rules) -> Made:
    about, size = _about(job, rules)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": rule.VERSION, "kind": job.kind, **about}, ensure_ascii=False, indent=1)
    (folder / FILES["rule"]).write_text(text + "\n", encoding="utf-8")
    longest = rule.LONGEST_SEARCHED if job.kind == "extract" else LONGEST
    fields = {"form": "rule", "max_input": longest, "lower": False, "parts": 1}
    return Made(folder, size, fields, f"{size} {type(rules).__name__.lower()} rules found in {len(job.train)} rows")


def _about(job: Job, rules: Rules) -> tuple[dict[str, Any], int]:
    """What the file holds, and how many rules these are."""
    if isinstance(rules, DecisionList):
        lines = [
            {"input": line.input, "by": line.by, "has": line.has, "chances": _named(rules.labels, line.chances)}
            for line in rules.lines
        ]
        about = {"inputs": list(job.inputs), "lines": lines, "otherwise": _named(rules.labels, rules.otherwise)}
        return about, len(lines) + 1
    if isinstance(rules, Program):
        return {
            "inputs": list(job.inputs), "template": rules.template, "steps": rules.steps, "share": rules.share
        }, max(1, len(rules.steps))  # fmt: skip
    names = {"inputs": [rules.main, *rules.others]}
    if isinstance(rules, Endings):
        return names | {"endings": [[*key, *change] for key, change in rules.table.items()]}, len(rules.table)
    fields = Pattern.__slots__
    return names | {"patterns": [{name: getattr(p, name) for name in fields} for p in rules.patterns]}, len(
        rules.patterns
    )


def _named(labels: Sequence[str], chances: Sequence[float]) -> dict[str, float]:
    return {label: round(chance, 4) for label, chance in zip(labels, chances, strict=True) if chance >= 0.00005}


# -- decision lists


def _classify(job: Job) -> DecisionList:
    if len({row.output for row in job.train}) < 2:
        raise Unfit("every row to learn from has the same answer, so there is nothing to learn; add rows of others")
    rules = decision_list(job.train[:SAMPLE], job.inputs, job.labels)
    sizes = range(len(rules.lines) + 1)
    cut = [DecisionList(rules.labels, rules.lines[:n], _chances_after(job, rules, n)) for n in sizes]
    return max(cut, key=lambda rules: (share_right(rules, job.valid), -len(rules.lines)))


def _chances_after(job: Job, rules: DecisionList, size: int) -> tuple[float, ...]:
    """The chances of the labels where none of the first lines holds."""
    lines = rules.lines[:size]
    rest = [row for row in job.train[:SAMPLE] if not any(_holds(line, row) for line in lines)]
    return chances_of([row.output for row in rest], job.labels)


def _holds(line: Line, row: Row) -> bool:
    return line.has in rule.VIEWS[line.by](row.inputs[line.input])


def chances_of(outputs: Sequence[str], labels: Sequence[str]) -> tuple[float, ...]:
    """Shares of the labels, each counted once more than it is there (Laplace)."""
    counts = Counter(outputs)
    total = sum(counts[label] for label in labels) + len(labels)
    return tuple((counts[label] + 1) / total for label in labels)


Gram = tuple[str, str, str]


def grams_of(row: Row) -> set[Gram]:
    """What a line could ask for: words and pairs of words, and runs of two to four letters."""
    found: set[Gram] = set()
    for name, text in row.inputs.items():
        words = rule.words_of(text[:2000]).split()
        found |= {(name, "words", f" {word} ") for word in words}
        found |= {(name, "words", f" {a} {b} ") for a, b in zip(words, words[1:], strict=False)}
        letters = rule.letters_of(text[:300])
        found |= {(name, "letters", letters[i : i + n]) for n in (2, 3, 4) for i in range(len(letters) - n + 1)}
    return found


def decision_list(rows: Sequence[Row], inputs: Sequence[str], labels: Sequence[str]) -> DecisionList:
    """Line by line the one that rights most errors of what is left; source: Rivest, Learning Decision Lists (1987)."""
    import numpy as np

    place = {label: n for n, label in enumerate(labels)}
    rows = [row for row in rows if row.output in place]
    wanted: Any = np.array([place[row.output] for row in rows])
    grams, of_gram, of_row = _seen(rows)
    left: Any = np.ones(len(rows), bool)
    lines: list[Line] = []
    while len(lines) < LINES and left.any():
        counts = np.bincount(
            (of_gram * len(labels) + wanted[of_row])[left[of_row]], minlength=len(grams) * len(labels)
        ).reshape(-1, len(labels))
        default = int(np.bincount(wanted[left], minlength=len(labels)).argmax())
        best = counts.argmax(1)
        gains = counts.max(1) - counts[:, default] if len(grams) else np.zeros(0)
        if not len(gains) or gains.max() < 2:
            break
        top = max(np.flatnonzero(gains == gains.max()), key=lambda n: (counts[n, best[n]], -len(grams[n][2])))
        held: Any = np.zeros(len(rows), bool)
        held[of_row[of_gram == top]] = True
        name, by, text = grams[top]
        chances = chances_of([labels[n] for n in wanted[held & left]], labels)
        lines.append(Line(name, by, text, chances))
        left &= ~held
    return DecisionList(tuple(labels), tuple(lines), chances_of([labels[n] for n in wanted[left]], labels))


def _seen(rows: Sequence[Row]) -> tuple[list[Gram], Any, Any]:
    """The grams that enough rows have, and which gram is in which row, as two arrays of the same length."""
    import numpy as np

    found = [grams_of(row) for row in rows]
    counts = Counter(gram for each in found for gram in each)
    grams = sorted(gram for gram, count in counts.items() if count >= max(LEAST, len(rows) // 1000))
    place = {gram: n for n, gram in enumerate(grams)}
    pairs = [(place[gram], n) for n, each in enumerate(found) for gram in each if gram in place]
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return grams, table[:, 0], table[:, 1]


# -- programs and endings


def _generate(job: Job) -> Rules:
    offers: list[Rules] = [*programs(job), endings(job)]
    return max(offers, key=lambda rules: (share_right(rules, job.valid), share_right(rules, job.train[:1000])))


def template_of(rows: Sequence[Row], inputs: Sequence[str]) -> str | None:
    """The text with the inputs in their places that is the output of most of the rows."""
    found: Counter[str] = Counter()
    for row in rows[:50]:
        text = row.output.replace("{", "").replace("}", "")
        for name in sorted(inputs, key=lambda name: -len(row.inputs[name])):
            value = re.escape(row.inputs[name])
            parts = re.split(r"(\{\w+\})", text)
            text = "".join(
                p if p[:1] == "{" else re.sub(f"(?i){value}", f"{{{name}}}", p) if value else p for p in parts
            )
        if "{" in text:
            found[text] += 1
    return found.most_common(1)[0][0] if found else None


def programs(job: Job) -> Iterator[Program]:
    """Programs that make the outputs of nearly all rows: of one input, or of a template of several."""
    templates = ["{" + name + "}" for name in job.inputs]
    template = template_of(job.train, job.inputs)
    for each in dict.fromkeys([*templates, *([template] if template else [])]):
        pairs = [(rule.filled(each, row.inputs), row.output) for row in job.train[:1000]]
        steps = search(pairs)
        if steps is not None:
            found = Program(each, steps, 1.0)
            yield Program(each, steps, _laplace(found, job.train))


def _laplace(rules: Rules, rows: Sequence[Row]) -> float:
    return round((share_right(rules, rows) * len(rows) + 1) / (len(rows) + 2), 4)


def search(pairs: Sequence[tuple[str, str]], deepest: int = 3, most: int = 30_000) -> tuple[Step, ...] | None:
    """The shortest program that makes most outputs of the rows; None where none makes a tenth of them.

    Breadth first over what the programs make of some rows; two that make the same of them are one.
    """
    shown = list(dict.fromkeys(pairs))[:12]
    steps = list(steps_for(pairs))
    start = tuple(text for text, _ in shown)
    goal = tuple(output for _, output in shown)
    level: dict[tuple[str, ...], tuple[Step, ...]] = {start: ()}
    seen = {start}
    best: tuple[int, tuple[Step, ...]] = (_hits(start, goal), ())
    for _ in range(deepest):
        if best[0] == len(goal):
            break
        following: dict[tuple[str, ...], tuple[Step, ...]] = {}
        for texts, program in level.items():
            for step in steps:
                made = _made(step, texts)
                if made is None or made in seen:
                    continue
                seen.add(made)
                following[made] = (*program, step)
                hits = _hits(made, goal)
                best = (hits, following[made]) if hits > best[0] else best
            if len(seen) > most:
                break
        level = following
    return best[1] if 10 * best[0] >= len(goal) else None


def _hits(texts: Sequence[str], goal: Sequence[str]) -> int:
    return sum(a == b for a, b in zip(texts, goal, strict=True))


def _made(step: Step, texts: Sequence[str]) -> tuple[str, ...] | None:
    made = []
    for text in texts:
        result = rule.run((step,), text)
        if result is None or len(result) > 10_000:
            return None
        made.append(result)
    return tuple(made)


def steps_for(pairs: Sequence[tuple[str, str]]) -> Iterator[Step]:
    """The functions that a search tries: the plain ones, and those given what the rows suggest."""
    yield from ((name,) for name in rule.PLAIN)
    yield from (("word", place) for place in (0, 1, 2, -1, -2))
    shown = pairs[:50]
    marks = _common_marks([text for text, _ in shown])
    yield from (("part", mark, place) for mark in marks for place in (0, 1, -1))
    yield from (("swap", mark) for mark in marks)
    new = ["", " ", *_common_marks([output for _, output in shown])]
    yield from (("replace", old, each) for old in [*marks, " "] for each in new if each != old)
    outputs = [output for _, output in shown]
    for size in range(1, 9):
        yield from (("add before", text) for text in _shared([o[:size] for o in outputs], size))
        yield from (("add after", text) for text in _shared([o[-size:] for o in outputs], size))
    lengths = Counter(len(output) for output in outputs)
    size, count = lengths.most_common(1)[0] if lengths else (0, 0)
    if size and 2 * count > len(outputs):
        yield from (("begin", size), ("finish", size), ("pad zeros", size))


def _common_marks(texts: Sequence[str]) -> list[str]:
    """Marks that stand in at least a third of the texts, the commonest first."""
    counts = Counter(mark for text in texts for mark in set(re.findall(r"[^\w\s]", text)))
    return [mark for mark, count in counts.most_common(6) if 3 * count >= len(texts)]


def _shared(ends: Sequence[str], size: int) -> list[str]:
    text, count = Counter(ends).most_common(1)[0] if ends else ("", 0)
    return [text] if len(text) == size and 3 * count >= 2 * len(ends) else []


def endings(job: Job, longest: int = 10) -> Endings:
    """For each ending and other inputs the change of the end that most rows with it need, as far as that helps."""
    main = max(job.inputs, key=lambda name: sum(_common(r.inputs[name], r.output) for r in job.train[:1000]))
    others = tuple(name for name in job.inputs if name != main)
    counts: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in job.train:
        text, when = row.inputs[main], " / ".join(row.inputs[name] for name in others)
        same = _common(text, row.output)
        change, marked = (text[same:], row.output[same:]), "^" + text
        for size in range(len(change[0]), min(longest, len(marked)) + 1):
            for condition in dict.fromkeys((when, "*")):
                counts[condition, marked[len(marked) - size :]][change] += 1
    found = Endings(main, others, {}, longest)
    for key in sorted(counts, key=lambda key: (len(key[1]), key)):
        change, count = min(counts[key].items(), key=lambda item: (-item[1], item[0]))
        shorter = found.change(*key, len(key[1]) - 1)
        if (shorter is None or shorter[:2] != change) and (count >= 2 or not key[1]):
            found.table[key] = (*change, 0.0)
    return replace(found, table=_with_shares(found, job.train))


def _with_shares(endings: Endings, rows: Sequence[Row]) -> dict[tuple[str, str], tuple[str, str, float]]:
    """The table with how often each ending is right where no longer one is known."""
    right: Counter[tuple[str, str]] = Counter()
    used: Counter[tuple[str, str]] = Counter()
    for row, answer in zip(rows, endings.answers([row.inputs for row in rows]), strict=True):
        when, marked = " / ".join(row.inputs[name] for name in endings.others), "^" + row.inputs[endings.main]
        sizes = range(min(endings.longest, len(marked)), -1, -1)
        tried = ((each, marked[len(marked) - size :]) for each in (when, "*") for size in sizes)
        key = next((key for key in tried if key in endings.table), None)
        if key:
            used[key] += 1
            right[key] += row.right(answer[0])
    shares = {key: round((right[key] + 1) / (used[key] + 2), 4) for key in endings.table}
    return {key: (old, new, shares[key]) for key, (old, new, _) in endings.table.items()}


def _common(a: str, b: str) -> int:
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))


# -- patterns


def _extract(job: Job) -> Patterns:
    main = max(job.inputs, key=lambda name: sum(row.output in row.inputs[name] for row in job.train))
    others = tuple(name for name in job.inputs if name != main)
    rows = [row for row in job.train[:2000] if row.output and row.output in row.inputs[main]]
    if len(rows) < 2:
        raise Unfit(f"no outputs stand in the input `{main}`; give outputs that are copied from it letter by letter")
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[" / ".join(row.inputs[name] for name in others)].append(row)
    found = [p for when, group in groups.items() if len(group) >= 2 for p in pattern_list(group, main, when)]
    rules = Patterns(main, others, tuple(found + (pattern_list(rows, main, "*") if others or not found else [])))
    if share_right(rules, rows) == 0:
        raise Unfit("no pattern finds the outputs in the inputs")
    return rules


def pattern_list(rows: Sequence[Row], main: str, when: str, most: int = 6) -> list[Pattern]:
    """Patterns in the order in which they are tried: each the one that is right most often on what is left."""
    counts = Counter(offer for row in rows[:300] for offer in dict.fromkeys(offers(row.inputs[main], row.output, when)))
    # of offers seen equally often the plainest is first: dict order is that of `offers`
    candidates = [offer for offer, _ in counts.most_common(120)]
    right: dict[Pattern, set[int]] = {offer: set() for offer in candidates}
    fires: dict[Pattern, set[int]] = {offer: set() for offer in candidates}
    shown = rows[:500]
    for offer in candidates:
        for n, row in enumerate(shown):
            answer = rule.stretch(offer, row.inputs[main])
            if answer:
                fires[offer].add(n)
                if row.right(answer):
                    right[offer].add(n)
    left, chosen = set(range(len(shown))), list[Pattern]()
    while left and len(chosen) < most and candidates:
        gains = {p: 2 * len(left & right[p]) - len(left & fires[p]) for p in candidates}
        best = max(candidates, key=gains.__getitem__)
        if gains[best] <= 0:
            break
        hits, shots = len(left & right[best]), len(left & fires[best])
        share = round((hits + 1) / (shots + 2), 4)
        chosen.append(Pattern(best.looks, best.before, best.after, best.last, best.when, share))
        left -= fires[best]
    return chosen


def offers(text: str, output: str, when: str) -> Iterator[Pattern]:
    """Patterns that could have found an output in its text."""
    at = text.find(output)
    before, after = _contexts(text[:at], from_end=True), _contexts(text[at + len(output) :], from_end=False)
    for looks in _looks(output):
        for left in before:
            for right in after:
                if looks in ("rest", "words", "glued", "word", "name") and not left and not right:
                    yield from (Pattern(looks, left, right, last, when, 0.0) for last in (False, True))
                    continue
                for last in (False, True) if not left and not right else (False,):
                    yield Pattern(looks, left, right, last, when, 0.0)


def _looks(output: str) -> Iterator[Any]:
    for name, expression in rule.NAMED.items():
        if re.fullmatch(expression, output):
            yield name
    for exact in (True, False):
        runs = rule.runs_of(output, exact)
        if 0 < len(runs) <= 12:
            yield runs


def _contexts(text: str, from_end: bool) -> list[str]:
    """What stands beside a stretch: nothing asked for, the nearest piece or two, or the edge of the text."""
    words = re.findall(r"\w+|[^\w\s]", text)
    if not words:
        return ["", "^" if from_end else "$"]
    near = [words[-n:] if from_end else words[:n] for n in (1, 2) if len(words) >= n]
    return ["", *dict.fromkeys(_as_written(text, part) for part in near)]


def _as_written(text: str, words: Sequence[str]) -> str:
    found = re.search(r"\s*".join(map(re.escape, words)), text)
    return found[0].lower() if found else words[0].lower()

"""Examples for the forge: rows from a file, counted, freed of repetitions, and split by a hash of their inputs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import redact
from tools.errors import ToolError
from tools.forge.candidate import Row
from tools.micro.manifest import Kind

OUTPUTS = ("output", "label")
"""What the column of the answers may be called; every other column is an input."""
LEAST = 20
"""Rows below which nothing can be learnt and measured."""
INPUT = "text"
"""What an input is called that the file calls no more than `input`."""
HELD_OUT = 10
"""Percent of the inputs that are held out for the test, and percent of the rest for validation."""
SUFFIXES = {".csv": ",", ".tsv": "\t", ".jsonl": "", ".ndjson": ""}


class ExamplesError(ToolError):
    """Examples that nothing can be made from; the message names the file, the row and the way on."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows with one input each, what was found while reading, and the hash of all of it."""

    name: str
    rows: tuple[Row, ...]
    inputs: tuple[str, ...]
    read: int
    repeated: int = 0
    contradictory: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts; no input, and no group, is in two of them. `shared` rows of a given test part stood in train."""

    train: list[Row]
    valid: list[Row]
    test: list[Row]
    shared: int = 0
    unseen: tuple[str, ...] = field(default=())


# -- reading


def read(path: Path, plain: str = INPUT) -> list[tuple[dict[str, str], str]]:
    """The rows of a .csv, .tsv or .jsonl file as inputs by name and output; raises ExamplesError.

    `plain` is the name of the input whose column is called `input`.
    """
    if path.suffix not in SUFFIXES:
        raise ExamplesError(f"{path} is none of {', '.join(SUFFIXES)}; give rows of input and output in one of these")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        way = f"write it as UTF-8, for instance with: iconv -f latin1 -t utf-8 {path}"
        raise ExamplesError(f"{path}, line {line}, is not UTF-8; {way}") from None
    except OSError as error:
        raise ExamplesError(f"{path} cannot be read: {error.strerror}; check its name and permissions") from None
    rows = list(_from_json(path, text) if not SUFFIXES[path.suffix] else _from_table(path, text))
    if not rows:
        raise ExamplesError(f"{path} has no rows; give at least {LEAST} rows of input and output")
    return [({plain if name == "input" else name: text for name, text in i.items()}, o) for i, o in rows]


def _from_table(path: Path, text: str) -> Iterator[tuple[dict[str, str], str]]:
    reader = csv.DictReader(io.StringIO(text), delimiter=SUFFIXES[path.suffix], strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                why = f"has {'more' if None in row else 'fewer'} fields than the head"
                raise ExamplesError(f"{path}, line {reader.line_num}, {why}; put quotes around texts with separators")
            yield _row(path, reader.line_num, row)
    except csv.Error as error:
        raise ExamplesError(f"{path}, line {reader.line_num}: {error}; correct it there") from None


def _from_json(path: Path, text: str) -> Iterator[tuple[dict[str, str], str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ExamplesError(f"{path}, line {number}: is no JSON ({error}); write one object a line") from None
        if not isinstance(value, dict):
            raise ExamplesError(f"{path}, line {number}: is no object; write {{'input': …, 'output': …}}")
        inner = value.get("input")
        yield _row(path, number, {**value, **inner} if isinstance(inner, dict) else value)


def _row(path: Path, line: int, row: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    column = next((name for name in OUTPUTS if name in row), None)
    inputs = {name: row[name] for name in row if name != column and not isinstance(row[name], dict)}
    if column is None or not inputs:
        way = "name the columns `input` and `output`, or one `output` and every other after what it is"
        raise ExamplesError(f"{path}, line {line}: has the columns {', '.join(map(str, row))}; {way}")
    texts = {_name(name): _text(path, line, name, value) for name, value in inputs.items()}
    return texts, _text(path, line, column, row[column])


def _name(column: str) -> str:
    """A column's name as a parameter's."""
    name = "".join(c if c.isalnum() else "_" for c in column.strip().lower())
    return name if name.isidentifier() else f"_{name}"


def _text(path: Path, line: int, name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ExamplesError(f"{path}, line {line}: `{name}` is no text or number; correct it there")
    text = redact.text(" ".join(str(value).split()))
    if not text:
        raise ExamplesError(f"{path}, line {line}: `{name}` is empty; fill it in or leave the row out")
    return text


# -- what is taught


def gather(name: str, pairs: Sequence[tuple[dict[str, str], str]], kind: Kind | None = None) -> Examples:
    """Each input once: with its commonest output and, for what is generated, the others as good as it."""
    names = tuple(pairs[0][0]) if pairs else ()
    odd = next((n for n, (inputs, _) in enumerate(pairs, 1) if set(inputs) != set(names)), 0)
    if odd:
        raise ExamplesError(f"{name}, row {odd}: has other inputs than the first, {', '.join(names)}; name them alike")
    found: dict[tuple[str, ...], Counter[str]] = {}
    for inputs, output in pairs:
        found.setdefault(tuple(inputs[n] for n in names), Counter())[output] += 1
    several = [outputs for outputs in found.values() if len(outputs) > 1]
    kind = kind or kind_of(
        [(dict(zip(names, key, strict=True)), max(o, key=o.__getitem__)) for key, o in found.items()]
    )
    rows = tuple(_taught(dict(zip(names, key, strict=True)), outputs, kind) for key, outputs in found.items())
    digest = hashlib.sha256(json.dumps([[sorted(i.items()), o] for i, o in pairs]).encode()).hexdigest()
    repeated = len(pairs) - sum(len(outputs) for outputs in found.values())
    return Examples(name, rows, names, len(pairs), repeated, len(several), digest)


def _taught(inputs: dict[str, str], outputs: Counter[str], kind: Kind) -> Row:
    first = max(outputs, key=outputs.__getitem__)
    return Row(inputs, first, () if kind == "classify" else tuple(o for o in outputs if o != first))


def kind_of(pairs: Iterable[tuple[dict[str, str], str]]) -> Kind:
    """What the rows look like: few outputs again and again, a stretch of the input each time, or else new text."""
    rows = list(pairs)
    outputs = Counter(output for _, output in rows)
    if len(outputs) <= 200 and len(rows) >= 5 * len(outputs):
        return "classify"
    inside = sum(any(o in text and o != text for text in inputs.values()) for inputs, o in rows)
    return "extract" if inside >= 0.98 * len(rows) else "generate"


# -- the parts


def part_of(key: str) -> str:
    """Whether an input is for the test, for validation or for training: by its hash, on every machine the same."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    if number % 100 < HELD_OUT:
        return "test"
    return "valid" if number // 100 % 100 < HELD_OUT else "train"


def split(examples: Examples, group: str = "", test: Examples | None = None) -> Parts:
    """The parts by a hash of the inputs, or of the one named `group`, whose rows then stay together.

    With a `test` of the person's own nothing else is held out for it, and rows of it whose inputs stand in the
    examples are left out: they would measure memory. Raises ExamplesError where a part stays empty.
    """
    if group and group not in examples.inputs:
        raise ExamplesError(f"there is no input {group!r} to keep together; there is: {', '.join(examples.inputs)}")
    parts: dict[str, list[Row]] = {"train": [], "valid": [], "test": []}
    for row in examples.rows:
        part = part_of(row.inputs[group] if group else _key(row))
        parts["train" if test and part == "test" else part].append(row)
    shared = 0
    if test:
        known = {_key(row) for row in examples.rows}
        parts["test"] = [row for row in test.rows if _key(row) not in known]
        shared = len(test.rows) - len(parts["test"])
    _check(examples, parts)
    held = {row.output for row in parts["valid"]}
    unseen = tuple(sorted({row.output for row in parts["train"]} - held))
    return Parts(parts["train"], parts["valid"], parts["test"], shared, unseen)


def _key(row: Row) -> str:
    return "\0".join(row.inputs[name].lower() for name in sorted(row.inputs))


def _check(examples: Examples, parts: dict[str, list[Row]]) -> None:
    count = len(examples.rows)
    if count < LEAST:
        why = f"{count} different input{'' if count == 1 else 's'}"
        raise ExamplesError(f"{examples.name} has {why}; it takes {LEAST}, and some hundreds to be good: add rows")
    outputs = {row.output for row in examples.rows}
    if len(outputs) == 1:
        only = next(iter(outputs))[:60]
        raise ExamplesError(
            f"{examples.name}: all {count} rows have the output {only!r}; there is nothing to tell apart"
        )
    empty = [name for name, rows in parts.items() if not rows]
    if empty:
        raise ExamplesError(f"{examples.name}: no row falls to the part for {empty[0]}; add rows")

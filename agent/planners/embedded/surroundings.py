"""What lies in the workspace, as far as it is needed to understand names."""

from __future__ import annotations

import csv
import itertools
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tools import workspace
from tools.dates import parse_day
from tools.documents import lists_of_objects
from tools.schema import as_text

_MOST_ENTRIES = 5000  # of the workspace that are looked at to know its names
_MOST_BYTES = 2**21  # of a table or JSON file that is read to know its names
_SAMPLE = 200  # rows that tell what a column holds
_MOST_VALUES = 500  # of a column that are looked for in a goal
_NUMBER = re.compile(r"\s*[-+−]?\s?[$€£¥]?\s?\d[\d., ]*\s?[%$€£¥]?\s*")


@dataclass
class Surroundings:
    """What lies in the workspace, as far as it is needed to understand names. Read once a goal."""

    root: Path = field(default_factory=workspace.root)

    @cached_property
    def entries(self) -> list[tuple[str, bool]]:
        """Paths of the workspace as people write them, and whether each is a folder; near ones first."""
        found = itertools.islice(workspace.entries(self.root), _MOST_ENTRIES)
        return [(Path(entry.path).relative_to(self.root).as_posix(), entry.is_dir()) for entry in found]

    def resolve(self, name: str) -> tuple[str, bool] | None:
        """The entry that a path or bare name means: as written, in another case, or the only one so called."""
        name = name.removeprefix("./").rstrip("/")
        lower = name.lower()
        for entry in self.entries:
            if entry[0] == name:
                return entry
        same = [entry for entry in self.entries if entry[0].lower() == lower]
        if not same and "/" not in name:
            same = [entry for entry in self.entries if entry[0].rpartition("/")[2].lower() == lower]
        return same[0] if len(same) == 1 else None

    def folder(self, word: str) -> str | None:
        """The folder that a plain word names."""
        found = self.resolve(word)
        return found[0] if found and found[1] else None

    def table(self, path: str) -> Table | None:
        """What is in a CSV file, read as far as needed, or in a JSON file that is one list of objects."""
        if path.lower().endswith(".json"):
            return _of_objects(path, self.document(path))
        try:
            with open(self.root / path, encoding="utf-8-sig", errors="replace", newline="") as file:
                text = file.read(_MOST_BYTES)
            delimiter = csv.Sniffer().sniff(text[:4096], ",;\t|").delimiter if text.strip() else ","
        except csv.Error:
            delimiter = ","
        except OSError:
            return None
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
        return Table(path, rows[0], rows[1:]) if rows else None

    def document(self, path: str) -> Any:
        """What is in a JSON file; None where it is none."""
        try:
            full = self.root / path
            return json.loads(full.read_text(encoding="utf-8-sig")) if full.stat().st_size <= _MOST_BYTES else None
        except (OSError, ValueError):
            return None


def _of_objects(path: str, document: Any) -> Table | None:
    found = lists_of_objects(document)
    if len(found) != 1:
        return None
    columns = list(dict.fromkeys(key for row in found[0] for key in row))
    return Table(path, columns, [[as_text(row.get(column)) for column in columns] for row in found[0]])


def of_numbers(path: str) -> bool:
    """Whether a text file holds numbers for the most part: readings, weights, one a line."""
    try:
        with open(workspace.root() / path, encoding="utf-8", errors="replace") as file:
            lines = [line for line in itertools.islice(file, _SAMPLE) if line.strip()]
    except OSError:
        return False
    return bool(lines) and 2 * sum(re.search(r"\d", line) is not None for line in lines) > len(lines)


@dataclass
class Table:
    """The header and the rows of a CSV file."""

    path: str
    columns: list[str]
    rows: list[list[str]]

    def measured(self, column: str) -> str:
        """`numbers`, `dates` or `times` where the first cells of a column are all such; else nothing."""
        n = self.columns.index(column)
        cells = [row[n] for row in self.rows[:_SAMPLE] if n < len(row) and row[n].strip()]
        if cells and all(_NUMBER.fullmatch(cell) for cell in cells):
            return "numbers"
        if cells and all(re.fullmatch(r"\d\d?:\d\d", cell.strip()) for cell in cells):
            return "times"
        return "dates" if cells and all(parse_day(cell.strip()) for cell in cells) else ""

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """The different cells of each column that has not too many of them."""
        found = {}
        for n, column in enumerate(self.columns):
            cells = {row[n] for row in self.rows if n < len(row) and row[n]}
            if len(cells) <= _MOST_VALUES:
                found[column] = sorted(cells)
        return found

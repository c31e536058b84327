"""What a goal names: files, folders, sets of files, numbers, dates, units, columns, conditions, JSON paths, words."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from agent.planners.embedded.words import Token
from agent.router import stem
from tools import workspace
from tools.dates import parse_day
from tools.units import COMMON_UNITS

Kind = Literal[
    "path", "folder", "files", "glob", "number", "decimals", "numeral", "date", "unit", "column", "where", "query",
    "literal",
]  # fmt: skip

# Kinds of files by what people call them; the rest are called by their own ending.
_ENDINGS = {"markdown": "md", "python": "py", "text": "txt", "javascript": "js", "typescript": "ts", "word": "docx"}
_FORMATS = frozenset("csv json txt md py log yaml yml toml html xml ini cfg sh js ts sql tsv rst tex".split())
_QUANTIFIERS = frozenset("each every all both any per".split())
_PREPOSITIONS = frozenset("in inside under within of from through at into".split())
_MOST_ENTRIES = 5000  # of the workspace that are looked at to know its names
_MOST_BYTES = 2**21  # of a table or JSON file that is read to know its names


@dataclass(frozen=True, slots=True)
class Entity:
    """Something a goal names. `places` are the positions of the tokens that name it."""

    kind: Kind
    value: Any
    places: frozenset[int]
    exists: bool = True
    percent: bool = False
    exact: bool = True  # named in full

    @property
    def at(self) -> int:
        return min(self.places)


@dataclass
class Surroundings:
    """What lies in the workspace, as far as it is needed to understand names. Read once a goal."""

    root: Path = field(default_factory=workspace.root)

    @cached_property
    def entries(self) -> list[tuple[str, bool]]:
        """Paths of the workspace as people write them, and whether each is a folder; near ones first."""
        found: list[tuple[str, bool]] = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            base = Path(folder).relative_to(self.root)
            found += [((base / name).as_posix(), True) for name in folders]
            found += [((base / name).as_posix(), False) for name in sorted(files) if not name.startswith(".")]
            if len(found) > _MOST_ENTRIES:
                break
        return sorted(found, key=lambda entry: entry[0].count("/"))

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
        """What is in a CSV file, read as far as needed."""
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


@dataclass
class Table:
    """The header and the rows of a CSV file."""

    path: str
    columns: list[str]
    rows: list[list[str]]

    @cached_property
    def values(self) -> dict[str, list[str]]:
        """The different cells of each column that has few of them."""
        found = {}
        for n, column in enumerate(self.columns):
            cells = {row[n] for row in self.rows if n < len(row) and row[n]}
            if len(cells) <= max(40, len(self.rows) // 4):
                found[column] = sorted(cells)
        return found


def find(tokens: list[Token], surroundings: Surroundings) -> list[Entity]:
    """All that a goal names. Readings may overlap: whoever uses a token decides which holds."""
    found = [entity for finder in _FINDERS for entity in finder(tokens, surroundings)]
    found += _file_sets(tokens, found, surroundings)
    paths = dict.fromkeys(e.value for e in found if e.kind == "path" and e.exists)
    for path in paths:
        if path.lower().endswith((".csv", ".tsv")):
            table = surroundings.table(path)
            found += _columns(tokens, table) + _conditions(tokens, table) if table else []
        elif path.lower().endswith(".json"):
            found += _queries(tokens, surroundings.document(path))
    if not paths:  # a table that is not named by its file may be known by its columns alone
        found += _columns_of_sets(tokens, found, surroundings)
    return found


def _paths(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if token.kind == "path" or (token.kind == "quoted" and re.fullmatch(r"[\w./-]+\.\w{1,8}", token.text)):
            if "*" in token.text or re.fullmatch(r"\.\w+", token.text):
                continue
            entry = surroundings.resolve(token.text)
            kind: Kind = "folder" if entry and entry[1] or token.text.endswith("/") else "path"
            yield Entity(kind, entry[0] if entry else token.text, frozenset([n]), exists=entry is not None)


def _folders(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    """Plain words that are folders of the workspace, where the words around say that a place is meant."""
    for n, token in enumerate(tokens):
        if token.kind not in ("word", "quoted"):
            continue
        after = tokens[n + 1].canon if n + 1 < len(tokens) else ""
        before = tokens[n - 1].lower if n else ""
        if before == "the" and n > 1 and tokens[n - 2].lower in _PREPOSITIONS:
            before = "in"
        if after != "folder" and before not in _PREPOSITIONS:
            continue
        name = surroundings.folder(token.text)
        if name:
            yield Entity("folder", name, frozenset([n, n + 1] if after == "folder" else [n]))


_SAID = frozenset("numbers totals sums results counts figures values amounts answers".split())


def _numbers(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if token.number is not None and not _points(tokens, n):
            percent = n + 1 < len(tokens) and tokens[n + 1].canon == "percent"
            value = token.number
            if n and tokens[n - 1].text in "-−" and (n < 2 or tokens[n - 2].kind == "word") and token.kind == "number":
                value = -value
            places = frozenset([n, n + 1] if percent else [n])
            yield Entity("decimals" if _decimals(tokens, n) else "number", value, places, percent=percent)
        elif token.ordinal is not None and token.canon != "first":
            yield Entity("number", token.ordinal, frozenset([n]))


def _points(tokens: list[Token], n: int) -> bool:
    """Whether a word for a number points to what was said before: `which one`, `between the two`."""
    if tokens[n].lower == "one":
        return not _counts(tokens, n)
    ends = n + 1 >= len(tokens) or tokens[n + 1].kind == "punct" or tokens[n + 1].lower in _SAID
    return tokens[n].lower == "two" and n > 0 and tokens[n - 1].lower in ("the", "those", "these") and ends


def _counts(tokens: list[Token], n: int) -> bool:
    """Whether `one` is a number, as in `one mile`, rather than `which one`."""
    after = tokens[n + 1].lower if n + 1 < len(tokens) else ""
    before = tokens[n - 1].lower if n else ""
    return after in COMMON_UNITS or _decimals(tokens, n) or before in ("plus", "minus", "times", "by", "add")


def _decimals(tokens: list[Token], n: int) -> bool:
    """Whether a number says how many digits are wanted: `two decimals`, `1 decimal place`."""
    after = [token.lower for token in tokens[n + 1 : n + 3]]
    return bool(after) and (
        re.match(r"decimal|digit|d\.?p\.?$", after[0]) is not None or after[0] in ("place", "places")
    )


def _dates(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        day = parse_day(token.text) if token.kind == "date" else None
        if day is not None:
            yield Entity("date", day.isoformat(), frozenset([n]))


def _units(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    n = 0
    while n < len(tokens):
        for length in (3, 2, 1):
            part = tokens[n : n + length]
            text = _joined(part)
            if (
                len(part) == length
                and text.lower() in COMMON_UNITS
                and text.lower() not in ("in", "a", "as", "at", "is")
            ):
                yield Entity("unit", text, frozenset(range(n, n + length)))
                n += length - 1
                break
        n += 1


def _joined(part: list[Token]) -> str:
    """The text of tokens that stand together, with the spaces that stood between them."""
    text = ""
    for before, token in zip([None, *part], part, strict=False):
        text += (" " if before and token.start > before.end else "") + token.text
    return text


def _globs(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if token.kind == "path" and "*" in token.text:
            yield Entity("glob", token.text, frozenset([n]))
        elif token.kind == "path" and re.fullmatch(r"\.\w+", token.text):
            yield Entity("glob", f"*{token.text}", frozenset([n]))


def _literals(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if token.kind == "quoted":
            yield Entity("literal", token.text, frozenset([n]))


def _numerals(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if len(token.text) > 1 and re.fullmatch(r"M{0,4}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})", token.text):
            yield Entity("numeral", token.text, frozenset([n]))


_FINDERS: tuple[Callable[[list[Token], Surroundings], Iterator[Entity]], ...] = (
    _paths,
    _folders,
    _numbers,
    _dates,
    _units,
    _globs,
    _literals,
    _numerals,
)


def _file_sets(tokens: list[Token], found: list[Entity], surroundings: Surroundings) -> list[Entity]:
    """`each markdown file in docs`, `the cards in feedback`, `every .py file`, `all files`."""
    folders = [entity for entity in found if entity.kind == "folder"]
    sets, n = [], 0
    while n < len(tokens):
        phrase = _set_phrase(tokens, n)
        if phrase is None:
            n += 1
            continue
        ending, places, sure = phrase
        if any(places <= entity.places for entity in folders):  # `docs` is a folder, not many a doc
            n += 1
            continue
        end = max(places)
        folder = _attached_folder(tokens, end + 1, folders) or (_only(folders) if sure else None)
        if folder or ending or (sure and any(tokens[p].canon in ("fil", "file", "document") for p in places)):
            where = folder.value if folder else "."
            places |= folder.places if folder else set()
            pattern = f"*.{ending}" if ending else "*"
            sets.append(Entity("files", (where, _deepen(where, pattern, surroundings)), frozenset(places)))
        n = end + 1
    return sets


def _set_phrase(tokens: list[Token], n: int) -> tuple[str, set[int], bool] | None:
    """A noun phrase at `n` that may mean several files: its ending, its places, and whether it surely means a set."""
    start, ending, quantified = n, "", False
    while n < len(tokens) and (tokens[n].lower in _QUANTIFIERS or (quantified and tokens[n].lower in ("of", "the"))):
        quantified, n = True, n + 1
    if n < len(tokens) and _ending(tokens[n]):
        ending, n = _ending(tokens[n]), n + 1
    if n < len(tokens) and tokens[n].canon in ("file", "document", "fil"):
        plural = tokens[n].lower.endswith("s")
        return (ending, set(range(start, n + 1)), True) if quantified or plural else None
    if ending and tokens[n - 1].lower.rstrip("s") in _FORMATS and (quantified or tokens[n - 1].lower.endswith("s")):
        return ending, set(range(start, n)), True
    noun = tokens[n] if n < len(tokens) and tokens[n].kind == "word" else None
    if not ending and noun and not noun.text[:2].isupper() and (quantified or noun.lower.endswith("s")):
        return "", set(range(start, n + 1)), quantified
    return None


def _ending(token: Token) -> str:
    word = token.lower.lstrip("*").lstrip(".")
    if word in _ENDINGS:
        return _ENDINGS[word]
    if word in _FORMATS or token.text.startswith((".", "*.")):
        return word
    return word[:-1] if word.endswith("s") and word[:-1] in _FORMATS else ""


def _attached_folder(tokens: list[Token], n: int, folders: list[Entity]) -> Entity | None:
    """The folder that follows at once: `in docs`, `from the letters folder`."""
    while n < len(tokens) and (tokens[n].lower in _PREPOSITIONS or tokens[n].lower in ("the", "my", "our", "there")):
        n += 1
    return next((folder for folder in folders if n in folder.places), None)


def _only(folders: list[Entity]) -> Entity | None:
    return folders[0] if len({folder.value for folder in folders}) == 1 else None


def _deepen(folder: str, pattern: str, surroundings: Surroundings) -> str:
    """The pattern, or the one that also looks further down where nothing lies in the folder itself."""
    here = surroundings.root / folder
    if any(path.is_file() for path in here.glob(pattern)) or not any(p.is_file() for p in here.rglob(pattern)):
        return pattern
    return f"**/{pattern}"


def _names(name: str) -> list[str]:
    """The words of an identifier: `total_bill` and `totalBill` are total, bill."""
    return [stem(part.lower()) for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def _runs(tokens: list[Token], words: list[str]) -> Iterator[frozenset[int]]:
    """The places where the words stand one after the other."""
    stems = [stem(token.lower) for token in tokens]
    for n in range(len(tokens) - len(words) + 1):
        if stems[n : n + len(words)] == words:
            yield frozenset(range(n, n + len(words)))


def _columns(tokens: list[Token], table: Table) -> list[Entity]:
    found = []
    for column in table.columns:
        words = _names(column)
        for n, token in enumerate(tokens):
            if token.lower == column.lower():
                found.append(Entity("column", column, frozenset([n])))
        for places in _runs(tokens, words) if words else ():
            found.append(Entity("column", column, places))
        if len(words) > 1 and not any(e.value == column for e in found):
            for places in _runs(tokens, words[:1]):  # `temperature` for temperature_c, where nothing fits better
                if not any(places & e.places for e in found) and _single(words[0], table.columns):
                    found.append(Entity("column", column, places, exact=False))
            for places in _runs(tokens, words[-1:]):
                if not any(places & e.places for e in found) and _single(words[-1], table.columns):
                    found.append(Entity("column", column, places, exact=False))
    return found


def _single(word: str, columns: list[str]) -> bool:
    return sum(word in _names(column) for column in columns) == 1


def _columns_of_sets(tokens: list[Token], found: list[Entity], surroundings: Surroundings) -> list[Entity]:
    sets = [entity.value for entity in found if entity.kind == "files" and entity.value[1].endswith(".csv")]
    for folder, pattern in sets[:1]:
        first = next(iter(sorted((surroundings.root / folder).glob(pattern))), None)
        table = surroundings.table(first.relative_to(surroundings.root).as_posix()) if first else None
        return _columns(tokens, table) if table else []
    return []


_COMPARISONS = tuple(
    (sign, tuple(f"{ways}, {sign}".split(", ")))
    for sign, ways in {
        ">=": "at least, no less than, or more, minimum of, not below",
        "<=": "at most, no more than, up to, not over, not above",
        ">": "more than, over, above, greater than, larger than, bigger than, exceeding, exceed, older than,"
        " longer than, higher than, after",
        "<": "less than, under, below, fewer than, smaller than, lower than, younger than, shorter than, before",
        "=": "is, equal to, equals, of, with, was, are, exactly",
    }.items()
)
_NEGATIONS = frozenset("not non without no isn't aren't except never un".split())


def _conditions(tokens: list[Token], table: Table) -> list[Entity]:
    """Conditions on rows: a cell's value that is named, a yes-or-no column, a comparison with a number or date."""
    found = []
    for column, values in table.values.items():
        lower = {value.lower() for value in values}
        if lower <= {"yes", "no", "true", "false", "y", "n", "0", "1"} and len(lower) == 2:
            found += list(_flags(tokens, column, values))
        elif not all(re.fullmatch(r"[\d.,-]+", value) for value in values):
            found += [e for value in values for e in _cell(tokens, column, value)]
    for entity in _columns(tokens, table):
        found += _comparison(tokens, entity) or _equation(tokens, entity)
    return found


def _cell(tokens: list[Token], column: str, value: str) -> Iterator[Entity]:
    words = [stem(word) for word in re.findall(r"\w+", value.lower())]
    if not words:
        return
    for places in _runs(tokens, words):
        yield _condition(tokens, column, value, places)
    if len(words) == 1 and len(value) == 3 and value.isalpha():  # Sun for Sunday, Jan for January
        for n, token in enumerate(tokens):
            if token.kind == "word" and len(token.lower) > 3 and token.lower.startswith(value.lower()):
                full = _calendar(token.lower)
                if full == value.lower():
                    yield _condition(tokens, column, value, frozenset([n]))


def _calendar(word: str) -> str:
    """The three-letter form of a weekday or month."""
    names = "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august"
    days = f"{names} september october november december".split()
    return word.rstrip("s")[:3] if any(word.rstrip("s") == day for day in days) else ""


def _condition(tokens: list[Token], column: str, value: str, places: frozenset[int]) -> Entity:
    """Column = value, or != where it is denied; the column's own name beside it belongs to it."""
    at = min(places)
    negated = at > 0 and tokens[at - 1].lower in _NEGATIONS
    own = {
        n for n in range(max(0, at - 4), min(len(tokens), max(places) + 5)) if stem(tokens[n].lower) in _names(column)
    }
    quoted = f"'{value}'" if re.search(r"[^\w.-]", value) else value
    return Entity(
        "where", f"{column} {'!=' if negated else '='} {quoted}", places | own | ({at - 1} if negated else set())
    )


def _flags(tokens: list[Token], column: str, values: list[str]) -> Iterator[Entity]:
    """`smokers` and `non-smokers` where a column smoker holds yes and no."""
    yes = next(v for v in values if v.lower() in ("yes", "true", "y", "1"))
    no = next(v for v in values if v != yes)
    words = _names(column)
    for n, token in enumerate(tokens):
        parts = [part for part in re.split(r"[-\s_]", token.lower) if part]
        stems = [stem(part) for part in parts]
        if stems[-len(words) :] != words and [stem(token.lower.removeprefix("un"))] != words:
            continue
        before = tokens[n - 1].lower if n else ""
        denied = bool(set(parts[:-1]) & _NEGATIONS) or before in _NEGATIONS
        denied = denied or (token.lower.startswith("un") and stem(token.lower) not in words)
        said = _said(tokens, n + 1)
        denied = denied != said[0] if said else denied
        places = frozenset([n, *range(n + 1, said[1])] if said else [n]) | ({n - 1} if before in _NEGATIONS else set())
        yield Entity("where", f"{column} = {no if denied else yes}", places)


def _said(tokens: list[Token], n: int) -> tuple[bool, int] | None:
    """Whether what follows a yes-or-no column denies it, `is no`, `= false`, `is not`, and where that ends."""
    end = n
    while end < len(tokens) and tokens[end].lower in ("is", "was", "are", "were", "=", "==", "equals", "set", "to"):
        end += 1
    word = tokens[end].lower if n < end < len(tokens) else ""
    if word in ("no", "false", "not"):
        return True, end + 1
    return (False, end + 1) if word in ("yes", "true") else None


def _comparison(tokens: list[Token], column: Entity) -> list[Entity]:
    """`size over 4`, `quantity is at least 10`: the column, words of comparison, a number or a date."""
    end = max(column.places)
    for n in range(end + 1, min(end + 7, len(tokens))):
        token = tokens[n]
        day = parse_day(token.text) if token.kind == "date" else None
        if token.number is None and day is None:
            continue
        between = " ".join(t.lower for t in tokens[end + 1 : n])
        after = " ".join(t.lower for t in tokens[n + 1 : n + 3])
        for sign, ways in _COMPARISONS:
            if any(re.search(rf"(?:^|\s){re.escape(way)}(?:$|\s)", between) for way in ways) or after in ways:
                value = day.isoformat() if day else token.text.replace(",", "")
                places = column.places | set(range(end + 1, n + 1))
                return [Entity("where", f"{column.value} {sign} {value}", frozenset(places))]
        return []
    return []


def _equation(tokens: list[Token], column: Entity) -> list[Entity]:
    """`in_service = yes`: the column, a sign, a value."""
    n = max(column.places) + 1
    if n + 1 < len(tokens) and tokens[n].text in ("=", "==") and tokens[n + 1].kind != "punct":
        value = tokens[n + 1].text
        quoted = f"'{value}'" if re.search(r"[^\w.-]", value) else value
        return [Entity("where", f"{column.value} = {quoted}", column.places | {n, n + 1})]
    return []


def _queries(tokens: list[Token], document: Any) -> list[Entity]:
    """The paths of a JSON document that the words name; the longest of those that share a word."""
    found: list[Entity] = []
    for path, words in _json_paths(document):
        places = _path_places(tokens, path, words)
        if places:
            found.append(Entity("query", path, places))
    best = [e for e in found if not any(e.places < other.places for other in found)]
    return sorted(best, key=lambda e: (-len(e.places), e.value.count("."), len(e.value)))[:8]


def _json_paths(document: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, list[list[str]]]]:
    """Every path of a document in JMESPath with the words of each of its keys."""
    if isinstance(document, list):
        first = next((item for item in document if isinstance(item, dict)), None)
        if first is not None and depth < 6:
            for path, words in _json_paths(first, "", depth + 1):
                yield f"{prefix}[].{path}", [*_prefix_words(prefix), *words]
        return
    if not isinstance(document, dict) or depth > 6:
        return
    for key, value in document.items():
        safe = key if re.fullmatch(r"[A-Za-z_]\w*", key) else json.dumps(key)
        path = f"{prefix}.{safe}" if prefix else safe
        yield path, [*_prefix_words(prefix), _names(key) or [key.lower()]]
        yield from _json_paths(value, path, depth + 1)


def _prefix_words(prefix: str) -> list[list[str]]:
    return [_names(part) for part in re.split(r"\.|\[\]", prefix) if part]


def _path_places(tokens: list[Token], path: str, words: list[list[str]]) -> frozenset[int] | None:
    """Where a path is named: written out, or by the words of its last key, with those of the keys above it."""
    for n, token in enumerate(tokens):
        if token.kind in ("path", "quoted") and token.lower == path.lower().replace("[]", ""):
            return frozenset([n])
    last = next(_runs(tokens, words[-1]), None)
    if last is None:
        return None
    above: set[int] = set()
    for part in words[:-1]:
        above |= next(_runs(tokens, part), frozenset())
    return last | above

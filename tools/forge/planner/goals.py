"""Writes goals: wordings put into frames and chains, over workspaces with names of their own, each beside the plain
wording that means the same. Wordings, frames and whole tools are held out by a hash of their text."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tools.forge.measure import held_out
from tools.registry import Tool, from_function

Part = Literal["train", "held"]
HERE = Path(__file__).parent
HELD = 20  # percent of the wordings and frames, and of the tools
_SLOTS = (
    "TEXT ANYFILE QUOTED NUMBER FOLDER TABLE NUMCOL COLUMN VALUE DATE NUMERAL UNITA UNITB JSONPATH JSON NEWFILE "
    "LISTKEY BASENAME"
)
_SLOT = re.compile(rf"\b({_SLOTS.replace(' ', '|')})\b")
_FEW = re.compile(r"NUMBER (?:most|commonest|words|lines|last|first|rows|best|biggest|top|weeks|days|decimal|digit)")
_PLACE = re.compile(r"line (?:number )?NUMBER|(?:top|first|last|final|closing|opening|bottom|favourite) NUMBER")
_WHOLE = re.compile(r"\b(?:prime|factorial|roman|Roman|binary|hex|leap|ordinal|words|Rome|divis|gcd|letters|say|spell)")


@dataclass(frozen=True)
class Way:
    """A wording: `kind` is n (noun phrase), v (verb phrase), q (question) or s (sentence); `it` follows another."""

    kind: str
    text: str
    it: bool = False

    @property
    def part(self) -> Part:
        return "held" if held_out(self.text, HELD) else "train"


@dataclass
class Task:
    """What a tool does, as the code is sure to read it alone (`plain`) and after another step (`after`)."""

    tool: str  # or several, one after the other
    plain: str = ""
    after: str = ""
    ways: list[Way] = field(default_factory=list)


@dataclass(frozen=True)
class Goal:
    """A goal, the plain wording of the same (empty: it cannot be done), and the tools that it takes, step by step."""

    text: str
    plain: str
    tools: tuple[str, ...]
    steps: tuple[tuple[str, str], ...] = ()  # the parts of the text that ask for one tool each, with its name


def _ways(line: str) -> Iterator[Way]:
    it = line.startswith("it ")
    kind, _, rest = line.removeprefix("it ").partition(" ")
    for text in rest.split(" | "):
        yield Way(kind, text.strip(), it)


def _lines(name: str) -> list[str]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _add(task: Task, line: str) -> None:
    if line.startswith("= "):
        task.plain = line[2:]
    elif line.startswith("& "):
        task.after = line[2:]
    else:
        task.ways += _ways(line)


@cache
def known() -> list[Task]:
    """The tools that come with zooid."""
    found: list[Task] = []
    for line in _lines("wordings.txt"):
        if re.fullmatch(r"[a-z]\w+(?: \w+)*", line):
            found.append(Task(line))
        else:
            _add(found[-1], line)
    return found


@cache
def plugins(part: Part) -> list[tuple[Task, Tool]]:
    """Tools of a person's own; those of "held" are never trained on."""
    blocks: list[list[str]] = []
    for line in _lines("plugins.txt"):
        if re.match(r"\w+\(", line):
            blocks.append([])
        blocks[-1].append(line)
    found = []
    for head, about, *lines in blocks:
        task = Task(head.partition("(")[0])
        for line in lines:
            _add(task, line)
        if ("held" if held_out(task.tool, 2 * HELD) else "train") == part:
            found.append((task, _function(head, about)))
    return found


def _function(head: str, about: str) -> Tool:
    summary, _, phrases = about.partition(" Asked as: ")
    doc = summary + (f"\n\n    Asked as: {phrases}" if phrases else "")
    scope: dict[str, Callable[..., object]] = {}
    exec(f"import datetime\ndef {head}:\n    {doc!r}\n    return None", scope)
    return from_function(scope[head.partition("(")[0]], "user")


@cache
def undoable(part: Part) -> list[str]:
    return [line for line in _lines("undoable.txt") if ("held" if held_out(line, HELD) else "train") == part]


# -- workspaces

_NOUNS = (
    "garden orchard harbour museum library kitchen workshop cellar market school choir bakery studio bridge river "
    "meadow castle station clinic theatre factory stable vineyard quarry lighthouse chapel tavern ferry island valley "
    "report letter diary minutes notes memo guide manual story recipe plan list log draft essay poem review survey "
    "agenda journal summary roster inventory catalogue ledger directory address speech lecture menu glossary handbook"
).split()
_WORDS = (
    "the a of and to in is was for with on that by it from at as we they had were river boat garden house water light "
    "morning evening winter summer people children music bread letter window market story number good small old new"
).split()
_NUMCOLS = "amount price weight height score hours distance cost salary points visits stock rainfall kilos age length"
_TEXTCOLS = {
    "city": "Leeds Turin Ghent Basel", "colour": "red green blue grey", "kind": "oak pine birch elm",
    "status": "open closed waiting", "team": "North South East", "grade": "junior senior chief",
    "channel": "phone online desk", "category": "toys books tools", "size": "small medium large",
}  # fmt: skip
_KEYS = "owner address contact limits settings network colours prices schedule display backup engine".split()
_SUBKEYS = "name street town phone level mode title port theme timeout volume language code size rate".split()
_LISTKEYS = "stations members suppliers boats rooms teachers engines books devices lamps guests plots".split()
_UNITS = [
    ("km", "miles"), ("miles", "kilometres"), ("kg", "pounds"), ("pounds", "kg"), ("grams", "ounces"),
    ("feet", "metres"), ("inches", "cm"), ("celsius", "fahrenheit"), ("fahrenheit", "celsius"), ("hours", "minutes"),
    ("litres", "gallons"), ("cups", "millilitres"), ("minutes", "hours"), ("yards", "metres"), ("mm", "inches"),
    ("stone", "kilograms"), ("acres", "hectares"), ("knots", "km/h"), ("days", "hours"), ("tonnes", "kg"),
]  # fmt: skip
_ITEMS = "mouse leaf wolf child bridge apple knife city tooth potato box cherry goose foot story river".split()
_PHRASES = ["hello world", "good morning", "The Long Road", "Open Sea", "one two three"]
_MONTHS = "January February March April May June July August September October November December".split()


class World:
    """A workspace with names of its own, and what a goal can name in it."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        nouns = chance.sample(_NOUNS, 24)
        self.folders = nouns[:3]
        names = [f"{nouns[n]}.{chance.choice(['txt', 'txt', 'md', 'py'])}" for n in range(3, 7)]
        for n, place in enumerate(self.folders):
            ending = chance.choice(["txt", "md", "py"])
            names += [f"{place}/{noun}.{ending}" for noun in nouns[7 + 3 * n : 10 + 3 * n]]
        self.texts = names
        place = self._place()
        self.tables = {f"{place}{nouns[n]}.csv": self._table() for n in (16, 17)}
        self.documents = {f"{self._place()}{nouns[n]}.json": self._document() for n in (18, 19)}
        self.new = [f"{noun}.txt" for noun in nouns[20:]]
        self._write()

    def _place(self) -> str:
        return self.chance.choice(["", f"{self.folders[0]}/", f"{self.folders[1]}/"])

    def _table(self) -> dict[str, list[str]]:
        chance = self.chance
        numbers, texts = chance.sample(_NUMCOLS.split(), 2), chance.sample(sorted(_TEXTCOLS), 2)
        rows = 12
        table = {name: [f"{chance.uniform(1, 90):.1f}" for _ in range(rows)] for name in numbers}
        return table | {name: [chance.choice(_TEXTCOLS[name].split()) for _ in range(rows)] for name in texts}

    def _document(self) -> dict[str, Any]:
        chance = self.chance
        document: dict[str, Any] = {
            key: {sub: chance.choice(["amber", 4, 17, "high"]) for sub in chance.sample(_SUBKEYS, 3)}
            for key in chance.sample(_KEYS, 3)
        }
        people = [{"name": name, "number": n} for n, name in enumerate(["Ada", "Ben", "Cleo", "Dan"])]
        return document | {chance.choice(_LISTKEYS): people}

    def _write(self) -> None:
        for name in self.texts:
            lines = [" ".join(self.chance.choices(_WORDS, k=self.chance.randint(3, 9))) for _ in range(8)]
            lines += ["mail ann@post.example or http://site.example by 3 May 2024, room 12", "hello world"]
            self._put(name, "\n".join(lines) + "\n")
        for name, table in self.tables.items():
            rows = zip(*table.values(), strict=True)
            self._put(name, "\n".join([",".join(table), *map(",".join, rows)]) + "\n")
        for name, document in self.documents.items():
            self._put(name, json.dumps(document))

    def _put(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def number(self, near: str) -> str:
        chance = self.chance
        if _FEW.search(near):
            return chance.choice("2 3 4 5 three five two".split())
        if _PLACE.search(near):
            return chance.choice("2 3 4 5".split())
        if re.search(r"NUMBER ?(?:%|percent)", near):
            return chance.choice("5 12 15 20 30 7.5".split())
        if _WHOLE.search(near):
            return str(chance.randint(3, 2999))
        ways = [str(chance.randint(2, 99)), str(chance.randint(100, 2999)), f"{chance.uniform(1, 99):.2f}"]
        return chance.choice(ways)

    def date(self) -> str:
        chance = self.chance
        day, month, year = chance.randint(1, 28), chance.randint(1, 12), chance.randint(1950, 2035)
        return chance.choice([f"{year}-{month:02}-{day:02}", f"{day} {_MONTHS[month - 1]} {year}"])


def fill(world: World, way: str, plain: str, many: bool) -> tuple[str, str]:
    """A wording and the plain one with the same things named in both."""
    things = Things(world, plain or way, many)
    loose = world.chance.random() < 0.3
    return _filled(way, things.value, loose), _filled(plain, things.value, False)


class Things:
    """What one goal names: one of each kind, and of those that may stand several times as many as are asked for."""

    def __init__(self, world: World, text: str, many: bool) -> None:
        chance = self.chance = world.chance
        self.world, self.text, self.many = world, text, many
        folder = chance.choice(world.folders)
        self.named = {"FOLDER": folder, "NEWFILE": chance.choice(world.new)}
        self.named |= self._table() | self._document() | self._others()
        self._texts = iter([_many(world, folder)] if many else chance.sample(world.texts, 3))
        replaced = [f"'{word}'" for word in chance.sample(_WORDS[20:], 2)]
        self._words = iter(replaced if "replace" in text else [_quoted(chance) for _ in range(3)])
        self._drawn: dict[str, list[str]] = {}

    def _table(self) -> dict[str, str]:
        chance, tables = self.chance, self.world.tables
        table = chance.choice(sorted(tables))
        columns = tables[table]
        numeric = [name for name in columns if re.fullmatch(r"[\d.]+", columns[name][0])]
        column = chance.choice([name for name in columns if name not in numeric])
        if self.many and "TABLE" in self.text:
            where = table.rpartition("/")[0]
            table = f"{chance.choice(['each csv file', 'every .csv file', 'all the csv files'])} in {where}"
        value = chance.choice(columns[column])
        return {"TABLE": table, "NUMCOL": chance.choice(numeric), "COLUMN": column, "VALUE": value}

    def _document(self) -> dict[str, str]:
        chance = self.chance
        document = chance.choice(sorted(self.world.documents))
        content = self.world.documents[document]
        key = chance.choice(sorted(key for key in content if isinstance(content[key], dict)))
        listed = next(key for key in content if isinstance(content[key], list))
        return {"JSON": document, "JSONPATH": f"{key}.{chance.choice(sorted(content[key]))}", "LISTKEY": listed}

    def _others(self) -> dict[str, str]:
        chance, world = self.chance, self.world
        one, other = chance.choice(_UNITS)
        base = Path(chance.choice([*world.texts, *world.tables])).name
        numeral = chance.choice(["MCMXCIV", "XLII", "MDCCC", "CLXIV", "MMXXI"])
        return {"UNITA": one, "UNITB": other, "BASENAME": base, "NUMERAL": numeral}

    def value(self, slot: str, n: int) -> str:
        """What stands for a slot where it stands for the n-th time."""
        if slot in self.named:
            return self.named[slot]
        have = self._drawn.setdefault(slot, [])
        while len(have) <= n:
            have.append(self._next(slot, n))
        return have[n]

    def _next(self, slot: str, n: int) -> str:
        world = self.world
        if slot == "TEXT" or (slot == "ANYFILE" and self.many):
            return next(self._texts)
        if slot == "ANYFILE":
            return self.chance.choice([*world.texts, *world.tables, *world.documents])
        if slot == "QUOTED":
            return next(self._words)
        return world.date() if slot == "DATE" else world.number(_around(self.text, n))


def _around(text: str, n: int) -> str:
    """What stands about the n-th number of a wording."""
    spots = [found.start() for found in re.finditer("NUMBER", text)]
    at = spots[min(n, len(spots) - 1)]
    return text[max(0, at - 16) : at] + text[at : at + 24].replace("NUMBER", "NUMBER", 1)


def _filled(text: str, value: Callable[[str, int], str], loose: bool) -> str:
    seen: dict[str, int] = {}

    def put(found: re.Match[str]) -> str:
        n = seen[found[1]] = seen.get(found[1], -1) + 1
        given = value(found[1], n)
        return given.strip("'\"") if loose and found[1] == "QUOTED" and " " not in given else given

    return _SLOT.sub(put, text)


def _quoted(chance: random.Random) -> str:
    mark = chance.choice("''\"")
    return f"{mark}{chance.choice([*_ITEMS, *_ITEMS, *_PHRASES])}{mark}"


def _many(world: World, folder: str) -> str:
    ending = Path(next(name for name in world.texts if name.startswith(f"{folder}/"))).suffix
    ways = ["each file in {f}", "every file in {f}", "all the files in {f}", "each of the files in the {f} folder"]
    ways += [f"every {ending} file in {{f}}", f"all {ending} files in {{f}}", "the files in {f}, one by one,"]
    return world.chance.choice(ways).format(f=folder)


# -- frames

_FRAMES = {
    "n": [
        "{}", "{}?", "{}, please", "give me {a}", "I need {a}", "could you get me {a}?",
        "I'd love to have {a}", "what is {a}?", "what's {a}?", "show me {a}", "{a} would be nice to know",
        "I was wondering about {a}", "do you know {a}?", "find out {a}", "can I have {a}?", "tell me {a}",
        "just {a}, thanks", "I'm interested in {a}", "let me know {a}", "please provide {a}", "I want {a}",
        "{a} is what I'm after", "get {a} for me", "any chance of getting {a}?", "we require {a}",
        "gimme {a}", "may I see {a}?", "kindly state {a}",
    ],
    "v": [
        "{}", "please {}", "could you {}?", "can you {}?", "I want you to {}", "{} for me", "go and {}",
        "{} please", "would you {}?", "help me {}", "I need to {}", "I'd like you to {}", "your job: {}",
        "now {}", "hey, {}", "kindly {}", "let's {}", "quickly {}", "be so kind as to {}", "you should {}",
        "time to {}", "do me a favour and {}",
    ],
    "q": [
        "{}?", "{}", "tell me {}", "hey, {}?", "do you know {}?", "I wonder {}", "{}, if you don't mind?",
        "any idea {}?", "please tell me {}", "I'd like to know {}", "can you say {}?", "{}, please?",
        "so {}?", "could you find out {}?", "quick question: {}?", "I'd love to know {}", "I was asked {}",
        "well, {}?",
    ],
    "s": [
        "{}", "{}", "hello, {}", "{} Thanks!", "{} please",
    ],
}  # fmt: skip
_JOINS = [
    ", then {}", " and {}", " and then {}", ". {c}", ", and {}", ". After that {}", "; {}", ". Then {}",
    ". Next, {}", " - and {}", ". Once done, {}", ", and finally {}",
]  # fmt: skip


def frames(kind: str, part: Part) -> list[str]:
    return [f for f in _FRAMES[kind] if part == "held" or not held_out(f, HELD)]


def dressed(way: Way, text: str, part: Part, chance: random.Random) -> str:
    frame = chance.choice(frames(way.kind, part))
    article = text if re.match(r"[A-Z0-9'\"]|\w+[./]|a ", text) else f"the {text}"
    said = frame.replace("{a}", article).replace("{}", text)
    if said.endswith("??"):
        said = said[:-1]
    return said[0].upper() + said[1:] if chance.random() < 0.5 else said


# -- goals

_NUMERIC = frozenset(
    "count_words count_lines count_characters count_occurrences column_sum count_rows days_between percent_of "
    "from_roman file_size".split()
)
_FRACTION = frozenset("column_mean column_median column_max column_min convert_units mean_numbers calculate".split())
_LISTS = frozenset(
    "extract_emails extract_links extract_numbers extract_dates column_values list_files unique_lines "
    "json_names".split()
)
_EACH = frozenset(
    "count_words count_lines count_characters language tone first_lines last_lines extract_emails extract_dates "
    "longest_word file_size checksum".split()
)
_TRAILING = {
    "to_roman": _NUMERIC, "number_in_words": _NUMERIC, "round_number": _FRACTION, "sort_lines": _LISTS,
    "unique_lines": _LISTS - {"unique_lines"}, "count_items": _LISTS, "calculate": _NUMERIC | _FRACTION,
    "percent_of": _NUMERIC | _FRACTION,
}  # fmt: skip


def goal(world: World, part: Part, own: list[Task]) -> Goal | None:
    """A goal at random; wordings of "train" only, or at least one that is held out."""
    chance = world.chance
    if chance.random() < 0.12:
        text, _ = fill(world, chance.choice(undoable(part)), "", False)
        return Goal(dressed(Way("v", ""), text, part, chance), "", ())
    if chance.random() < 0.05:
        return _report(world, part)
    first = chance.choice(own) if own and chance.random() < 0.2 else chance.choice([t for t in known() if t.plain])
    way = _way(first, part, chance, it=False)
    if way is None:
        return None
    if way.text.count("QUOTED") == 1 == first.plain.count("QUOTED") and chance.random() < 0.2:
        return _nested(world, part, first, way)
    many = _may_be_many(first.tool, way.text, world) and chance.random() < 0.25
    text, plain = fill(world, way.text, first.plain, many)
    said, tools = dressed(way, text, part, chance), first.tool.split()
    steps = [(said, tool) for tool in tools[:1]]
    following = _following(first.tool, many, chance)
    if not following and not many and chance.random() < 0.12:
        return _two(world, part, said, plain, tools)
    for task in following:
        then = _way(task, part, chance, it=True)
        if then is None:
            return None
        more, after = fill(world, then.text, task.after, False)
        join = chance.choice(_JOINS)
        said = said.rstrip("?.!") + join.replace("{c}", more[0].upper() + more[1:]).replace("{}", more)
        plain += f", then {after}"
        tools.append(task.tool)
        steps.append((more, task.tool))
    return Goal(said, plain, tuple(tools), tuple(steps) if len(first.tool.split()) == 1 else ())


_REPORTS = [
    "create {f} which holds {l}", "prepare {f}. It should state {l}", "make a file {f} containing {l}",
    "I need a file {f} that has {l}", "write {f} with {l}", "put {l} into {f}", "save {l} in {f}",
    "set up a report {f}. It must give {l}", "produce {f}, holding {l}", "the file {f} should list {l}",
]  # fmt: skip
_REPORTED = {
    "count_words": "number of words of TEXT", "count_lines": "number of lines of TEXT", "tone": "tone of TEXT",
    "language": "language of TEXT", "longest_word": "longest word of TEXT",
}  # fmt: skip


def _report(world: World, part: Part) -> Goal | None:
    """A file that several things are written to."""
    chance = world.chance
    tools = chance.sample(sorted(_REPORTED), chance.choice([2, 3, 3]))
    said, plain = [], []
    for tool in tools:
        ways = [
            way for task in known() if task.tool == tool for way in task.ways if way.kind == "n" and way.part == part
        ]
        if not ways:
            return None
        text, same = fill(world, chance.choice(ways).text, _REPORTED[tool], False)
        said.append(text if re.match(r"\w+[./]", text) else f"the {text}")
        plain.append(f"the {same}")
    file, frame = chance.choice(world.new), chance.choice(_REPORTS)
    text = frame.format(f=file, l=f"{', '.join(said[:-1])} and {said[-1]}")
    same = f"make a file {file} with {', '.join(plain[:-1])} and {plain[-1]}"
    return Goal(text[0].upper() + text[1:], same, (*tools, "write_file"))


_PARTS = {
    "first_lines": "the first line of TEXT", "last_lines": "the last line of TEXT",
    "longest_word": "the longest word in TEXT",
}  # fmt: skip


def _nested(world: World, part: Part, task: Task, way: Way) -> Goal:
    """A tool for what another one finds, instead of for a text that is given."""
    inner = world.chance.choice(sorted(_PARTS))
    texts = [text.replace("QUOTED", _PARTS[inner]) for text in (way.text, task.plain)]
    text, plain = fill(world, texts[0], texts[1], False)
    return Goal(dressed(way, text, part, world.chance), plain, (inner, *task.tool.split()))


def _two(world: World, part: Part, said: str, plain: str, tools: list[str]) -> Goal | None:
    """A goal with a second one beside it that has nothing to do with it."""
    other = world.chance.choice([task for task in known() if task.plain])
    way = _way(other, part, world.chance, it=False)
    if way is None:
        return None
    text, more = fill(world, way.text, other.plain, False)
    again = dressed(way, text, part, world.chance)
    both = f"{said.rstrip('.')}{'' if said.endswith('?') else '.'} {again[0].upper()}{again[1:]}"
    return Goal(both, f"{plain}. {more[0].upper()}{more[1:]}", (*tools, *other.tool.split()))


def _may_be_many(tool: str, text: str, world: World) -> bool:
    if text.count("TABLE") == 1:
        return tool in ("count_rows", "column_names") and "COLUMN" not in text and any("/" in t for t in world.tables)
    return tool in _EACH and text.count("TEXT") + text.count("ANYFILE") == 1


def _way(task: Task, part: Part, chance: random.Random, it: bool) -> Way | None:
    ways = [way for way in task.ways if way.it == it and way.part == part]
    return chance.choice(ways) if ways else None


def _following(tool: str, many: bool, chance: random.Random) -> list[Task]:
    after: dict[str, list[Task]] = {}
    for task in known():
        if task.after:
            after.setdefault(task.tool, []).append(task)
    found = []
    last = tool.split()[-1]
    if many:
        if tool.startswith("count_") and chance.random() < 0.4:
            found.append(after["sum_numbers"][0])
    elif chance.random() < 0.3:
        fitting = [name for name, before in _TRAILING.items() if last in before]
        found += [chance.choice(after[chance.choice(fitting)])] if fitting else []
    if chance.random() < 0.15 and tool not in ("read_file", "list_files", "filter_rows", "sort_rows"):
        found.append(after["write_file"][0])
    return found

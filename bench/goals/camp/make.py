"""Writes workspace/, goals.jsonl and undoable.jsonl of this set:  python make.py

Every expected value is computed here from the files, with plain Python and none of the tools.
"""

import csv
import datetime
import hashlib
import json
import re
import shutil
import statistics
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"


def write(texts, tables, objects):
    """Fills workspace/: texts by path, tables (head and rows) by path, JSON by path."""
    shutil.rmtree(W, ignore_errors=True)
    for name in [*texts, *tables, *objects]:
        (W / name).parent.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (W / name).write_text(text)
    for name, (head, rows) in tables.items():
        with open(W / name, "w", newline="") as f:
            csv.writer(f).writerows([head, *rows])
    for name, value in objects.items():
        (W / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


rd = lambda p: (W / p).read_text()  # noqa: E731
words = lambda p: len(rd(p).split())  # noqa: E731
lines = lambda p: len(rd(p).splitlines())  # noqa: E731
size = lambda p: (W / p).stat().st_size  # noqa: E731
G, U = [], []
NAME = HERE.name[:2]


def num(x, places=None):
    """A pattern for the number x, whole or at `places` decimals, rounded or cut, more digits allowed."""
    ahead, behind = r"(?<![\d.\-−])(?<!\d,)", r"(?!\d|\.\d|,\d{3}\b)"
    if places is None and abs(x - round(x)) < 1e-9:
        return ahead + f"{round(x):,}".replace(",", "[, ]?") + r"(?:\.0+)?" + behind
    places = 2 if places is None else places
    cut = int(x * 10**places + 1e-9) / 10**places
    forms = []
    for form in sorted({f"{x + 1e-12:.{places}f}", f"{cut:.{places}f}"}):
        whole, decimals = form.split(".")
        whole, bare = f"{int(whole):,}".replace(",", "[, ]?"), decimals.rstrip("0")
        forms.append(whole + r"\." + decimals + r"\d*")
        if bare != decimals:
            forms.append(
                whole + (r"\." + bare if bare else "") + r"(?:\.0+)?" + (behind if bare else r"(?:\.0*)?" + behind)
            )
    return ahead + "(?:" + "|".join(forms) + ")"


def date(text):
    """A pattern for an ISO date in the usual writings."""
    d = datetime.date.fromisoformat(text)
    long, short = d.strftime("%B"), d.strftime("%b")
    return (rf"(?i)(?:{text}|\b0?{d.day}(?:st|nd|rd|th)?(?: of)? (?:{long}|{short}),? {d.year}"
            rf"|(?:{long}|{short}) 0?{d.day}(?:st|nd|rd|th)?,? {d.year}|\b0?{d.day}[./]0?{d.month}[./]{d.year})")  # fmt: skip


def word(text):
    return rf"(?i)\b{re.escape(text)}\b"


def near(first, second):
    return rf"(?is){re.escape(first)}.{{0,60}}?{second}"


def goal(area, text, *answer, files=None, steps=1, tools=False):
    G.append({"id": f"{NAME}{len(G) + 1:02d}", "goal": text, "area": area, "steps": steps, "answer": list(answer), "files": files or {}}
             | ({"tools": "plugins"} if tools else {}))  # fmt: skip


def undoable(*texts):
    U.extend({"id": f"{NAME[0]}u{n + 1:02d}", "goal": text} for n, text in enumerate(texts, len(U)))


def roman(n):
    out = ""
    for value, sign in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "M CM D CD C XC L XL X IX V IV I".split()
    ):
        while n >= value:
            out, n = out + sign, n - value
    return rf"\b{out}\b"


def finish():
    for name, rows in (("goals", G), ("undoable", U)):
        (HERE / f"{name}.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    print(len(G), len(U), Counter(g["area"] for g in G), sum("tools" in g for g in G))


TEXTS = {
    "packing.txt": "torch\nsocks\nrope\ntorch\nsoap\nmatches\nsocks\nspoon\ntent\n",
    "rules.md": "# Camp rules\n\nNobody swims alone.\nThe fire is never left alone either.\nLights out at ten. Torches out at half past ten.\nWhoever finds a torch brings it to the tent of the leaders.\n",
    "songs/river.txt": "The river runs, the river bends,\nthe river never, never ends.\nWe row and row until the dawn,\nand when we look the shore is gone.\n",
    "songs/fire.txt": "Fire, fire, burning bright,\nkeep the wolves away tonight.\n",
    "songs/goodbye.txt": "Goodbye, goodbye, the bus is here,\nwe pack our socks, we shed a tear.\nSee you, see you all next year!\n",
    "postcards/mila.txt": "Draga mama, dragi tata, ovdje je jako lijepo. Svaki dan plivamo u jezeru i navečer pjevamo pored vatre. Hrana je dobra, ali nedostaje mi pas. Vidimo se u subotu!\n",
    "postcards/noor.txt": "Lieve oma, het is hier heel leuk. We slapen in een tent en gisteren hebben we een vos gezien. Ik heb al drie nieuwe vriendinnen. Groetjes en tot gauw!\n",
    "postcards/tomas.txt": "Milá babičko, máme se tu dobře. Včera jsme šli na dlouhý výlet a viděli jsme srnku. Večer byl velký oheň a zpívali jsme písničky. Brzy se uvidíme!\n",
    "parents/x.txt": "Our daughter came home happy, tanned and full of stories. The leaders were wonderful. Thank you so much!\n",
    "parents/y.txt": "Dirty showers, terrible food and nobody answered our calls. Our son was sick and unhappy all week.\n",
    "parents/z.txt": "A great week with kind leaders and a beautiful lake. We will gladly send the twins again.\n",
    "contacts.txt": "Doctor: Dr Wells, wells@clinic.example\nBus: rides@bus.example, https://bus.example/camp\nBaker: rolls@bakery.example, every day but Monday\nWeather: https://sky.example\n",
    "temperatures.txt": "21.5\n24\n19\n26.5\n28\n23\n",
    "diary/day1.md": "# Day 1\n\nTents up. One tent down again.\nSoup.\n",
    "diary/day2.md": "# Day 2\n\nHike to the mill, eleven kilometres, nobody lost.\nPancakes for all. Then more pancakes.\nA fox.\n",
    "diary/day3.md": "# Day 3\n\nRain.\n\nStill rain. We told stories and played cards.\nIn the evening the sun came out and we swam.\nThe first night without anybody crying.\n",
    "tools/duty.py": "# FIXME: two people with the same name\ndef duty(day, names):\n    return names[day % len(names)]\n",
    "tools/bus.py": "def seats(children, leaders):\n    return children + leaders\n",
    "tools/food.py": "# FIXME: vegetarians\n# FIXME: allergies\ndef loaves(children):\n    return children // 4\n",
}
KIDS = [
    ("Mila", 9, "Foxes", "yes", 38.5),
    ("Noor", 10, "Owls", "yes", 35.0),
    ("Tomas", 11, "Foxes", "no", 41.0),
    ("Leo", 9, "Otters", "yes", 33.5),
    ("Yara", 12, "Owls", "yes", 44.0),
    ("Finn", 10, "Otters", "no", 36.5),
    ("Ines", 11, "Foxes", "yes", 39.0),
    ("Ada", 12, "Otters", "yes", 47.5),
]
COSTS = [
    ("food", 412.5, "June"),
    ("bus", 260.0, "June"),
    ("rope", 38.9, "June"),
    ("food", 455.0, "July"),
    ("bus", 260.0, "July"),
    ("doctor", 75.0, "July"),
    ("wood", 51.2, "July"),
]
CAMP = {
    "camp": {"name": "Camp Otterlake", "since": 1978},
    "lake": {"depth_m": 17, "area": {"hectares": 42}},
    "tents": [{"name": "Foxes", "beds": 8}, {"name": "Owls", "beds": 6}, {"name": "Otters", "beds": 8}],
    "first_day": "2026-07-06",
    "last_day": "2026-07-18",
    "leaders": ["Ben", "Tilda", "Osman", "Greta", "Pau"],
}
K = ("name", "age", "group", "swims", "kg")
write(
    TEXTS,
    {"lists/children.csv": (K, KIDS), "lists/costs.csv": (("what", "euros", "month"), COSTS)},
    {"camp.json": CAMP},
)
kid = lambda **w: [d for d in (dict(zip(K, r)) for r in KIDS) if all(d[k] == v for k, v in w.items())]  # noqa: E731
D = ("day1", "day2", "day3")

goal("text", "rules.md - how many words?", num(words("rules.md")))
goal("text", "Get me the line count for packing.txt", num(lines("packing.txt")))
goal("text", "Which word in rules.md is the longest?", r"(?i)\b(?:Whoever|leaders|Torches)\b")
goal("text", "in songs/river.txt, how many times does the word river appear?", num(3))
goal("text", "what web addresses can be found in contacts.txt", r"https://bus\.example/camp", r"https://sky\.example")
goal("maths", "Four loaves cost 11.60. What does one cost? So: 11.60 / 4", num(2.9, 1))
goal("maths", "260 euros minus 15 percent", num(221))
goal("maths", "12 children need 3 pancakes each, how many pancakes is that?", num(36))
goal("units", "how far is 11 km in miles?", num(11 / 1.609344, 2))
goal("units", "28 °C - what's that in Fahrenheit", num(82.4, 1))
goal("units", "There are 42 hectares of lake. In acres?", num(42 * 2.4710538, 1))
goal("dates", "tell me the weekday of 6 July 2026", word("Monday"))
goal("dates", "how long is it from 6 July 2026 to 18 July 2026, in days", num(12))
goal("dates", "2 weeks before 2026-07-06 is which date?", date("2026-06-22"))
goal("numbers", "Roman numerals for 1978 please", roman(1978))
goal("numbers", "how do you write 455 in words?", r"(?i)four hundred (?:and )?fifty[- ]five")
goal("micro", "plural of tooth?", word("teeth"))
goal("micro", "what mood was the writer of parents/y.txt in? positive or negative", word("negative"))
goal("micro", "Find out what language postcards/noor.txt is in", word("Dutch"))
goal("data", "in camp.json, what is lake.depth_m?", num(17))
goal("data", "what is the total of euros in lists/costs.csv?", num(sum(r[1] for r in COSTS), 1))
goal("data", "How many children are in the Foxes group in lists/children.csv?", num(len(kid(group="Foxes"))))
goal("data", "who is the oldest in lists/children.csv, by age?", r"\b(?:Yara|Ada)\b")
goal(
    "data",
    "List the children in lists/children.csv who cannot swim (swims = no)",
    word("Tomas"),
    word("Finn"),
    r"(?s)\A(?!.*Mila)",
)
goal("files", "names of all the files in diary", r"day1\.md", r"day2\.md", r"day3\.md")
goal("files", "in which files of tools is there a FIXME?", r"duty\.py", r"food\.py")
goal("files", "how many bytes does packing.txt take?", num(size("packing.txt")))
# two and three
goal(
    "text",
    "Please sort packing.txt alphabetically without repeated things and write it to packed.txt",
    files={"packed.txt": [r"\A\s*matches\s+rope\s+soap\s+socks\s+spoon\s+tent\s+torch\s*\Z"]},
    steps=3,
)
goal(
    "text",
    "copy the e-mail addresses from contacts.txt into mails.txt",
    files={"mails.txt": ["wells@clinic", "rides@bus", "rolls@bakery"]},
    steps=2,
)
goal(
    "text",
    "turn the first line of songs/fire.txt into upper case and save it as shout.txt",
    files={"shout.txt": [r"FIRE, FIRE, BURNING BRIGHT,"]},
    steps=3,
)
goal(
    "data",
    "mean kg of the children in lists/children.csv to two decimals",
    num(statistics.mean(r[4] for r in KIDS), 2),
    steps=2,
)
goal("data", "how many leaders are there in camp.json? say it in Roman numerals", r"\bV\b", steps=2)
goal("data", "the total of temperatures.txt divided by 6", num(142 / 6, 2), steps=2)
goal(
    "data",
    "take the median age from lists/children.csv and save it as median.txt",
    files={"median.txt": [num(10.5, 1)]},
    steps=2,
)
goal("micro", "is parents/z.txt positive? put the answer in tone.txt", files={"tone.txt": [word("positive")]}, steps=2)
# fan-out
goal(
    "fan-out",
    "For each day in diary, how many lines are there?",
    *[near(n, num(lines(f"diary/{n}.md"))) for n in D],
    steps=4,
)
goal(
    "fan-out",
    "languages of the postcards in postcards please, one by one",
    near("mila", "(?:Croatian|Slovene)"),
    near("noor", "Dutch"),
    near("tomas", "Czech"),
    steps=4,
)
goal(
    "fan-out",
    "how many FIXMEs are in each of the python files in tools?",
    near("duty", num(1)),
    near("food", num(2)),
    steps=4,
)
goal(
    "fan-out",
    "save the number of words of every song in songs to counts.txt",
    files={"counts.txt": [num(words(f"songs/{n}.txt")) for n in ("river", "fire", "goodbye")]},
    steps=5,
)
# deep
goal("deep", "how many euros did we spend on food according to lists/costs.csv", num(867.5, 1), steps=2)
goal("deep", "which month in lists/costs.csv was more expensive in total euros?", word("July"), steps=3)
goal(
    "deep",
    "Add up the words of all md files in diary, spell the sum out and put it in sum.txt",
    files={"sum.txt": [r"(?i)SUMWORDS"]},
    steps=6,
)
# with tools of the person's own
goal("maths", "how many tents do we need for 43 children with 8 beds each?", num(6), tools=True)
goal("units", "is the lake warm enough at 19 degrees?", r"(?i)\b(?:no|false|cold|chilly)\b", tools=True)
goal("text", "make a camp name for Tilda", r"\bTilda the Otter\b", tools=True)
goal("text", "write 'sos fire' in flag signals", r"S-O-S F-I-R-E", tools=True)
goal(
    "data", "calculate the bread we need for the number of children in lists/children.csv", num(3), steps=2, tools=True
)
goal("dates", "how many sleeps until 2026-07-18 from 2026-07-06", num(12), tools=True)
goal("numbers", "badge number for group Owls and child 7", r"\bOWLS/07\b", tools=True)
goal(
    "fan-out",
    "count the rhymes in every file in songs",
    near("river", num(1)),
    near("fire", num(1)),
    steps=4,
    tools=True,
)

undoable(
    "will it rain at the camp on 8 July 2026?",
    "write a song about otters and save it as songs/otter.txt",
    "translate postcards/mila.txt",
    "which child is the naughtiest?",
    "call Dr Wells",
    "delete diary/day3.md",
    "Give me a short summary of diary/day2.md",
    "rename rules.md to law.md",
    "order rolls for forty",
    "explain tools/duty.py to me",
    "what should we cook on Monday?",
    "send the packing list to all parents",
    "sum of the height column in lists/children.csv",
    "how many lines does diary/day9.md have?",
    "turn rules.md into a poster",
    "why was the son of the writer of parents/y.txt sick?",
    "rewrite rules.md in simpler words",
    "put the children into two fair teams",
    "what's the latest football score",
    "take a photo of the lake",
)
total = sum(words(f"diary/{n}.md") for n in D)
assert 20 <= total < 100, total
tens, ones = divmod(total, 10)
said = "0 0 twenty thirty forty fifty sixty seventy eighty ninety".split()[tens] + (
    f"[- ]{'zero one two three four five six seven eight nine'.split()[ones]}" if ones else ""
)
G[:] = json.loads(json.dumps(G).replace("SUMWORDS", said))
finish()

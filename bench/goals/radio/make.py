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
    "schedule.txt": "06:00 Wake-up music\n08:00 News and weather\n10:00 The repair hour\n12:00 Lunch concert\n14:00 Stories for children\n18:00 News again\n20:00 Jazz from the cellar\n23:00 Night line\n",
    "scripts/morning.md": "# Morning\n\nGood morning, this is Radio Kettle.\nIt is seven o'clock and the kettle is on.\nAfter the news we talk to a man who collects kettles.\n",
    "scripts/jazz.md": "# Jazz\n\nTonight: three records that were thought lost.\n\nThe first was found in a barn, the second in a piano.\nThe third was never lost at all. We only forgot that we had it.\nRecorded on 12 May 1958 and released on 3 November 1959.\n",
    "scripts/repair.md": "# Repair hour\n\nCall us when something is broken.\n",
    "scripts/jingles.txt": "kettle, kettle, radio kettle\nhot and on the air\n",
    "listeners/berta.txt": "Kära radio, jag lyssnar på er varje morgon när jag kokar kaffe. Musiken är alltid bra och programledaren har en så trevlig röst. Kan ni spela något av Monica Zetterlund på fredag?\n",
    "listeners/jorge.txt": "Hola amigos, escucho vuestra radio desde hace muchos años y me gusta sobre todo el programa de jazz de los jueves por la noche. ¿Podéis poner más música de Cuba?\n",
    "listeners/heinz.txt": "Liebe Leute vom Radio, mein Kessel pfeift nicht mehr, und in der Reparaturstunde hat mir niemand geholfen. Ich höre euch trotzdem jeden Tag und wünsche euch alles Gute.\n",
    "comments/a.txt": "Best station in town. I love the jazz evenings and the presenters are warm and clever.\n",
    "comments/b.txt": "The sound is awful, the jokes are stupid and the same boring song comes every hour. I switched off.\n",
    "comments/c.txt": "The children adore the stories and so do I. Thank you for this lovely programme!\n",
    "comments/d.txt": "Rude answer on the phone, and the concert I was looking forward to was cancelled without a word. Very annoying.\n",
    "team.txt": "Nadia\nKofi\nLars\nNadia\nEsme\nKofi\nRuth\nVito\nLars\nKofi\n",
    "numbers.txt": "Studio 4, shelf 12\n312\n87.5\n-3\n1500\n",
    "phonebook.txt": "Studio: studio@kettle.example, 555-0110\nTransmitter: mast@hill.example or https://hill.example/status\nArchive: tapes@kettle.example and https://kettle.example/archive?year=1959\n",
    "code/player.py": "import random\n\n# TODO: fade out\n\n\ndef play(songs):\n    return random.choice(songs)\n",
    "code/clock.py": "def beep(hour):\n    # TODO: summer time\n    # TODO: leap seconds\n    return 'beep ' * hour\n",
    "code/mixer.js": "// TODO: volume\nfunction mix(a, b) {\n  return (a + b) / 2;\n}\n",
    "logs/monday.log": "WARN level low\nOK\nFAULT mast\nOK\nFAULT fan\n",
    "logs/tuesday.log": "OK\nFAULT mast\nWARN level low\nWARN level high\nOK\nOK\n",
}
SONGS = [
    ("Blue Kettle", "Ida Moon", "jazz", 245, 1958, "yes"),
    ("Rust", "The Spanners", "rock", 198, 1994, "no"),
    ("Cellar Door", "Ida Moon", "jazz", 312, 1959, "yes"),
    ("Tin Roof", "Pail", "folk", 174, 1972, "no"),
    ("Steam", "The Spanners", "rock", 221, 1997, "yes"),
    ("Lullaby for a Goat", "Pail", "folk", 143, 1975, "yes"),
    ("Nine Lives", "Otis Grey", "jazz", 402, 1961, "no"),
    ("Handle", "Pail", "folk", 187, 1979, "no"),
    ("Whistle", "Otis Grey", "jazz", 268, 1963, "yes"),
]
GIFTS = [
    ("2026-01-04", "Berta", 25),
    ("2026-01-09", "Heinz", 10),
    ("2026-01-30", "Jorge", 40),
    ("2026-02-11", "Berta", 25),
    ("2026-02-14", "Ruth", 100),
    ("2026-03-02", "Jorge", 15),
]
RADIO = {
    "station": {"name": "Radio Kettle", "frequency": 98.7, "founded": 1969},
    "transmitter": {"power_watts": 350, "mast": {"height_m": 42, "painted": "2019-08-20"}},
    "shows": [
        {"title": "Wake-up", "minutes": 120},
        {"title": "Repair hour", "minutes": 60},
        {"title": "Cellar jazz", "minutes": 180},
        {"title": "Night line", "minutes": 90},
    ],
    "sponsors": ["Bakery Rye", "Copper & Sons", "Hill Cinema"],
}
S = ("title", "artist", "genre", "seconds", "year", "played")
write(
    TEXTS,
    {"tables/songs.csv": (S, SONGS), "tables/gifts.csv": (("day", "giver", "amount"), GIFTS)},
    {"radio.json": RADIO},
)
song = lambda **w: [d for d in (dict(zip(S, r)) for r in SONGS) if all(d[k] == v for k, v in w.items())]  # noqa: E731
M = ("morning", "jazz", "repair")

goal("text", "What's the word count of scripts/jazz.md?", num(words("scripts/jazz.md")))
goal("text", "I need to know the number of lines in schedule.txt", num(lines("schedule.txt")))
goal(
    "text",
    "Show me the first three lines of schedule.txt please.",
    r"Wake-up",
    r"weather",
    r"repair hour",
    r"(?s)\A(?!.*Lunch)",
)
goal("text", "List every email address in phonebook.txt", "studio@kettle", "mast@hill", "tapes@kettle")
goal("text", "how often do they say kettle in scripts/morning.md", num(2) + "|" + num(3))
goal("text", "Which dates does scripts/jazz.md mention?", date("1958-05-12"), date("1959-11-03"))
goal("maths", "350 * 24 / 7", num(1200))
goal("maths", "How much is 6.5% of 1500?", num(97.5, 1))
goal("maths", "what's 1969 + 57 - 12?", num(2014))
goal("units", "42 m in feet", num(42 / 0.3048, 2))
goal("units", "How many hours are 402 minutes?", num(6.7, 1))
goal("units", "Convert 98 degrees Fahrenheit to Celsius, rounded to one decimal", num(36.7, 1), steps=2)
goal("dates", "Which day of the week was 12 May 1958?", word("Monday"))
goal("dates", "How many days lie between 2026-01-04 and 2026-03-02?", num(57))
goal("dates", "what will the date be 100 days after 1 March 2026?", date("2026-06-09"))
goal("numbers", "What does MCMLXIX stand for?", num(1969))
goal("numbers", "Spell out the number 1500.", r"(?i)(?:one thousand,? (?:and )?five hundred|fifteen hundred)")
goal("micro", "the plural of 'country' is?", word("countries"))
goal("micro", "Tell me if comments/b.txt is positive or negative", word("negative"))
goal("micro", "listeners/berta.txt is written in which language?", word("Swedish"))
goal("data", "Read transmitter.power_watts from radio.json", num(350))
goal(
    "data",
    "What's the average length (seconds) of the songs in tables/songs.csv?",
    num(statistics.mean(r[3] for r in SONGS), 2),
)
goal("data", "What was the biggest gift? Look at amount in tables/gifts.csv", num(100))
goal("data", "how many sponsors does radio.json name?", num(3))
goal("data", "Which genres are there in tables/songs.csv?", word("jazz"), word("rock"), word("folk"))
goal("files", "Where in code is TODO written?", "fade out", "summer time", "leap seconds", "volume")
goal("files", "sha1 of team.txt", hashlib.sha1((W / "team.txt").read_bytes()).hexdigest())
# two and three
goal(
    "text",
    "Take the names in team.txt, sort them, keep each only once and save them to crew.txt",
    files={"crew.txt": [r"\A\s*Esme\s+Kofi\s+Lars\s+Nadia\s+Ruth\s+Vito\s*\Z"]},
    steps=3,
)
goal(
    "text",
    "Count the words in scripts/morning.md and multiply the result by 3",
    num(3 * words("scripts/morning.md")),
    steps=2,
)
goal(
    "text",
    "Put the links from phonebook.txt into a file called links.txt",
    files={"links.txt": [r"https://hill\.example/status", r"https://kettle\.example/archive\?year=1959"]},
    steps=2,
)
goal("text", "the last line of scripts/jingles.txt in capitals", "HOT AND ON THE AIR", steps=2)
goal(
    "data",
    "Sum the amount column of tables/gifts.csv and write the total out in words",
    r"(?i)two hundred (?:and )?fifteen",
    steps=2,
)
goal(
    "data", "What is the sum of seconds in tables/songs.csv in minutes?", num(sum(r[3] for r in SONGS) / 60, 2), steps=2
)
goal(
    "data",
    "give me the titles of the shows in radio.json in alphabetical order",
    r"(?s)Cellar jazz.*Night line.*Repair hour.*Wake-up",
    steps=2,
)
goal("data", "Find the lowest year in tables/songs.csv and give it in Roman numerals", roman(1958), steps=2)
goal(
    "micro",
    "Detect the language of listeners/heinz.txt and write it into lang.txt",
    files={"lang.txt": [word("German")]},
    steps=2,
)
# fan-out
goal(
    "fan-out",
    "count the words of each file in comments",
    near("a.txt", num(words("comments/a.txt"))),
    near("d.txt", num(words("comments/d.txt"))),
    steps=5,
)
goal(
    "fan-out",
    "Is each comment in the comments folder positive or negative?",
    near("a.txt", "positive"),
    near("b.txt", "negative"),
    near("c.txt", "positive"),
    near("d.txt", "negative"),
    steps=5,
)
goal(
    "fan-out",
    "How many times does FAULT occur in every log file under logs, and how many times altogether?",
    near("monday", num(2)),
    near("tuesday", num(1)),
    num(3),
    steps=4,
)
goal(
    "fan-out", "Give the plurals of wolf, kettle and hobby.", word("wolves"), word("kettles"), word("hobbies"), steps=3
)
# deep
goal(
    "deep",
    "What is the total number of seconds of jazz in tables/songs.csv?",
    num(sum(d["seconds"] for d in song(genre="jazz"))),
    steps=2,
)
goal(
    "deep",
    "Write a file info.md with the words in scripts/repair.md, the tone of comments/c.txt and the language of listeners/jorge.txt",
    files={"info.md": [num(words("scripts/repair.md")), word("positive"), word("Spanish")]},
    steps=5,
)
# with tools of the person's own
goal("units", "what wavelength does 98.7 MHz have?", num(3.0375, 2), tools=True)
goal("numbers", "write 245 seconds as minutes and seconds", r"\b4:05\b", tools=True)
goal(
    "text",
    "how long does it take to read scripts/jazz.md aloud on air?",
    num(-(-words("scripts/jazz.md") // 2)),
    tools=True,
)
goal(
    "data",
    "take the longest song in tables/songs.csv by seconds and format its seconds as m:ss",
    r"\b6:42\b",
    steps=2,
    tools=True,
)
goal("text", "put scripts/jingles.txt between two beeps", r"BEEP[\s\S]*kettle[\s\S]*BEEP", steps=2, tools=True)
goal("maths", "licence fee for 350 watts and 12 months", num(1050), tools=True)
goal("dates", "is 2026-02-11 in the pledge week?", r"(?i)\b(?:true|yes)\b", tools=True)
goal("fan-out", "call signs for North, South and Harbour", r"KTL-NOR", r"KTL-SOU", r"KTL-HAR", steps=3, tools=True)

undoable(
    "play some jazz",
    "translate listeners/jorge.txt into English",
    "what's on the BBC right now?",
    "write a jingle about tea",
    "Summarise scripts/jazz.md",
    "delete numbers.txt",
    "rename team.txt to crew.txt",
    "e-mail schedule.txt to Kofi",
    "who sings best?",
    "record the concert tonight",
    "make scripts/repair.md funnier",
    "What is the average of the rating column in tables/songs.csv?",
    "how many words are in scripts/opera.md",
    "fix the TODO in code/clock.py",
    "recommend a song for a rainy day",
    "plot the gifts per month",
    "what does Heinz complain about?",
    "order a new fan for the mast",
    "convert scripts/jazz.md to mp3",
    "tell Nadia that she is late",
)
finish()

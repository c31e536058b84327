"""Writes workspace/, goals.jsonl and undoable.jsonl of this set:  python make.py

Every expected value is computed here from the files, with plain Python and none of the tools.
"""

import csv
import datetime
import hashlib
import json
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"

TEXTS = {
    "islands.txt": "Sandholm\nGrauoog\nLillevig\nSandholm\nTornkalv\nBirksand\nGrauoog\nMewenriff\nAskeby\nLillevig\nSandholm\nHestø\n",
    "piers.txt": "North Quay\nOld Mole\nFish Steps\nCustoms Pier\nWinter Basin\n",
    "fuel.txt": "212.5\n198\n240.25\n187.5\n263\n205.3\n221.75\n",
    "radio.log": """06:50 Marlin leaves berth
07:12 Petrel asks for a tug
07:31 Sula DELAY engine check, twenty minutes
08:05 Marlin arrives Sandholm
08:44 Petrel DELAY waiting for the school class
09:10 Tern reports a drifting buoy
09:52 coast guard answers, buoy recovered
10:20 Marlin DELAY lorry stuck on the ramp
11:03 Sula arrives Grauoog
12:15 Tern leaves berth
13:40 Petrel arrives Lillevig
14:26 Tern DELAY customs visit
15:00 end of watch
""",
    "weather/log.txt": """Monday: clear sky, light breeze from the west.
Tuesday: fog at dawn, fog again at dusk, calm sea.
Wednesday: rain all day and a rough sea.
Thursday: patches of fog near the mole, gone by ten.
Friday: gusts up to gale force, no sailing after noon.
Saturday: thick fog over the bay.
Sunday: sunshine at last, some haze, then fog after midnight.
""",
    "notices/closed.txt": """The Marlin will not sail on Thursday.
Her ramp is being painted. Tickets for the Marlin are good on any other boat.
Ask at the window for the new times.
We are sorry for the trouble.
""",
    "notices/dogs.md": """DOGS ON BOARD

Dogs travel free if they are kept on a lead.
Please keep them off the seats.
Water bowls stand beside the stairs.
""",
    "notices/bicycles.md": """BICYCLES

Each boat carries twelve bicycles, and no more.
Wheel them on after the cars.
""",
    "notices/parking.txt": "Parking on the mole costs four euros a day.\nThe barrier shuts at ten.\n",
    "rules.md": """# Rules of the harbour

1. Be at the ramp fifteen minutes before sailing.
2. No smoking on deck or below.
3. Children under seven wear a life vest.
4. Bicycles go on after the cars.
5. Keep the gangway clear at all times.
6. Luggage stays with its owner, and unattended bags are handed to customs.
""",
    "rules_old.md": """# Rules of the harbour

1. Be at the ramp ten minutes before sailing.
2. No smoking on deck or below.
3. Children under seven wear a life vest.
4. Bicycles go on after the cars.
5. Keep the gangway clear at all times.
""",
    "mails/anke.txt": """From: anke@sandferry.example
To: office@sandferry.example, crew@sandferry.example
Subject: winter rota

Hello all,
the winter rota starts next week. If a shift does not suit you, write to
rota@sandferry.example before Friday.
Warm socks are in the locker, Anke
""",
    "mails/complaint.txt": """This was the worst crossing of my life. The boat was late, dirty and terribly cold,
the staff were rude and the coffee was disgusting. A horrible, miserable day and a
waste of money. I am very angry and deeply disappointed.
""",
    "mails/thanks.txt": """What a wonderful trip! The crew were friendly and helpful, the boat was lovely and
clean, and the children loved every minute. Thank you so much, we are very happy.
""",
    "letters/luc.txt": """Bonjour, je voudrais savoir à quelle heure part le dernier bateau pour l'île le dimanche.
Nous sommes quatre personnes et nous avons un petit chien. Merci beaucoup pour votre réponse.
""",
    "letters/jonas.txt": """Guten Tag, ich habe gestern auf der Fähre meinen Regenschirm vergessen. Er ist blau und
hat einen Griff aus Holz. Haben Sie ihn vielleicht gefunden? Vielen Dank und freundliche Grüße.
""",
    "letters/ines.txt": """Hola, queremos viajar con nuestras bicicletas el sábado por la mañana. ¿Cuánto cuesta el
billete para dos personas y hay que reservar antes? Muchas gracias por su ayuda.
""",
}
TABLES = {
    "timetable.csv": (
        ["departure", "destination", "boat", "minutes"],
        [
            ["06:50", "Sandholm", "Marlin", 75],
            ["07:20", "Grauoog", "Sula", 40],
            ["07:55", "Lillevig", "Petrel", 25],
            ["08:30", "Sandholm", "Tern", 85],
            ["09:15", "Lillevig", "Petrel", 25],
            ["10:00", "Askeby", "Marlin", 55],
            ["10:45", "Grauoog", "Sula", 40],
            ["11:30", "Sandholm", "Marlin", 75],
            ["12:15", "Askeby", "Tern", 60],
            ["13:05", "Sandholm", "Petrel", 90],
            ["14:20", "Grauoog", "Sula", 40],
            ["15:10", "Sandholm", "Marlin", 75],
            ["16:00", "Lillevig", "Petrel", 25],
            ["17:25", "Askeby", "Tern", 60],
            ["18:40", "Sandholm", "Marlin", 75],
        ],
    ),
    "crew.csv": (
        ["name", "role", "age", "hours", "wage"],
        [
            ["Anke Petersen", "captain", 52, 38, "31.50"],
            ["Jonas Lund", "captain", 44, 40, "29.80"],
            ["Mirja Holm", "mate", 37, 36, "24.20"],
            ["Olaf Brandt", "engineer", 58, 32, "27.40"],
            ["Tilda Voss", "deckhand", 23, 41, "17.60"],
            ["Emil Krag", "deckhand", 29, 35, "18.10"],
            ["Sara Nygaard", "deckhand", 43, 24, "18.90"],
            ["Piet Aalders", "cashier", 34, 28, "16.20"],
            ["Noa Friis", "cashier", 20, 18, "15.40"],
        ],
    ),
    "tickets.csv": (
        ["day", "route", "kind", "sold", "price"],
        [
            ["Friday", "Sandholm", "adult", 184, "14.50"],
            ["Friday", "Sandholm", "child", 67, "6.80"],
            ["Friday", "Grauoog", "adult", 93, "11.00"],
            ["Friday", "Lillevig", "adult", 58, "9.50"],
            ["Saturday", "Sandholm", "adult", 241, "14.50"],
            ["Saturday", "Sandholm", "child", 112, "6.80"],
            ["Saturday", "Grauoog", "adult", 127, "11.00"],
            ["Saturday", "Grauoog", "child", 49, "5.20"],
            ["Saturday", "Lillevig", "adult", 76, "9.50"],
            ["Sunday", "Sandholm", "adult", 203, "14.50"],
            ["Sunday", "Grauoog", "child", 38, "5.20"],
            ["Sunday", "Lillevig", "child", 21, "4.40"],
        ],
    ),
    "weather/wind.csv": (
        ["date", "knots", "waves"],
        [
            ["2026-10-05", 12, "0.6"],
            ["2026-10-06", 18, "1.1"],
            ["2026-10-07", 26, "1.9"],
            ["2026-10-08", 9, "0.4"],
            ["2026-10-09", 35, "3.2"],
            ["2026-10-10", 21, "1.4"],
            ["2026-10-11", 14, "0.7"],
            ["2026-10-12", 29, "2.3"],
            ["2026-10-13", 11, "0.5"],
        ],
    ),
}
OBJECTS = {
    "settings.json": {
        "harbour": {"name": "Sandferry", "code": "SFY", "depth": 4.8},
        "office": {"phone": "04651 77120", "opens": "06:15", "closes": "19:45"},
        "ticketing": {"currency": "EUR", "child_discount": 0.53, "max_bicycles": 12},
        "alerts": {"wind_limit": 33, "channels": ["radio", "board", "speaker"]},
    },
    "boats.json": [
        {"name": "Marlin", "seats": 180, "built": 1998},
        {"name": "Petrel", "seats": 95, "built": 2011},
        {"name": "Sula", "seats": 240, "built": 1987},
        {"name": "Tern", "seats": 60, "built": 2019},
    ],
}


def write():
    shutil.rmtree(W, ignore_errors=True)
    for name in [*TEXTS, *TABLES, *OBJECTS]:
        (W / name).parent.mkdir(parents=True, exist_ok=True)
    for name, text in TEXTS.items():
        (W / name).write_text(text)
    for name, (head, rows) in TABLES.items():
        with open(W / name, "w", newline="") as f:
            csv.writer(f, lineterminator="\n").writerows([head, *rows])
    for name, value in OBJECTS.items():
        (W / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


write()
G, U = [], []


def rd(path):
    return (W / path).read_text()


def words(path):
    return len(rd(path).split())


def rows(path):
    with open(W / path, newline="") as f:
        return list(csv.DictReader(f))


def goal(text, *answer, files=None, steps=1, area, tools=False):
    one = {"id": f"ha{len(G) + 1:02d}", "goal": text, "area": area, "steps": steps, "answer": list(answer)}
    one["files"] = files or {}
    G.append(one | ({"tools": "plugins"} if tools else {}))


def no(text, why):
    U.append({"id": f"hau{len(U) + 1:02d}", "goal": text, "area": why})


def num(x, places=None):
    """Finds the number x: a whole one with or without a separator of thousands, another to so many places or more."""
    if places is None:
        assert x == int(x)
        return r"(?<!\d)(?<!\d[.,])" + f"{int(x):,}".replace(",", "[, ]?") + r"(?:\.0+)?(?!\d)(?![.,]\d)"
    text = f"{x:.{places}f}"
    whole, decimals = text.split(".")
    kept = decimals.rstrip("0")
    short = rf"|\.{kept}(?!\d)" if kept else r"|(?![.,]?\d)"
    whole = f"{int(whole):,}".replace(",", "[, ]?")
    return rf"(?<!\d)(?<!\d[.,]){whole}(?:\.{decimals}\d*{short})"


def without(*texts):
    """Finds nothing of these anywhere in the answer."""
    return r"(?is)\A(?!.*(?:" + "|".join(re.escape(t) for t in texts) + "))"


def exactly(text):
    return r"\A\s*" + r"\r?\n".join(re.escape(line) for line in text.strip().splitlines()) + r"\s*\Z"


ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()


def spelled(n):
    """Finds n in English words, with or without "and", hyphens and commas."""

    def say(n):
        if n < 20:
            return [ONES[n]]
        if n < 100:
            return [TENS[n // 10]] + ([ONES[n % 10]] if n % 10 else [])
        big, unit = (1000, "thousand") if n >= 1000 else (100, "hundred")
        return [*say(n // big), unit, *(say(n % big) if n % big else [])]

    return (
        r"(?i)\b"
        + r"(?:[\s,-]+(?:and\s+)?)".join(say(n))
        + r"\b(?![\s-]+(?:one|two|three|four|five|six|seven|eight|nine|hundred|thousand|point(?! zero))\b)"
    )


def roman(n):
    signs = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
    ]
    out = ""
    for value, sign in [*signs, (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]:
        out, n = out + sign * (n // value), n % value
    return rf"\b{out}\b"


islands, fuel = rd("islands.txt").split(), [float(x) for x in rd("fuel.txt").split()]
crew, times, tickets, wind = rows("crew.csv"), rows("timetable.csv"), rows("tickets.csv"), rows("weather/wind.csv")
names = [r["name"] for r in crew]
sold = defaultdict(int)
for r in tickets:
    sold[r["route"]] += int(r["sold"])

# text
total = sum(words(p.relative_to(W)) for p in (W / "notices").iterdir())
goal("how many words has notices/closed.txt got", num(words("notices/closed.txt")), area="text")
goal(
    "Any idea how many times the word fog turns up in weather/log.txt?",
    num(len(re.findall(r"\bfog\b", rd("weather/log.txt")))),
    without("dusk"),
    area="text",
)
delays = "\n".join(line for line in rd("radio.log").splitlines() if "DELAY" in line)
goal(
    "put every line of radio.log that says DELAY into delays.txt, thanks",
    files={"delays.txt": [exactly(delays)]},
    steps=2,
    area="text",
)
goal("number of different islands in islands.txt?", num(len(set(islands))), without("Askeby"), steps=2, area="text")
goal(
    "Turn islands.txt upside down, last line on top, and keep that as islands_back.txt",
    files={"islands_back.txt": [exactly("\n".join(reversed(islands)))]},
    steps=2,
    area="text",
)
goal(
    "swap Marlin for Petrel in notices/closed.txt and store the new version as notices/closed_new.txt please",
    files={"notices/closed_new.txt": [exactly(rd("notices/closed.txt").replace("Marlin", "Petrel"))]},
    steps=3,
    area="text",
)
last = rd("mails/anke.txt").splitlines()[-1].upper()
goal("the last line of mails/anke.txt in capitals", re.escape(last), without("friday"), steps=2, area="text")
goal(
    "Could you tell me which email addresses are in mails/anke.txt?",
    *[re.escape(a) for a in sorted(set(re.findall(r"\w+@sandferry\.example", rd("mails/anke.txt"))))],
    without("socks", "winter"),
    area="text",
)
goal(
    "drop the doubles in islands.txt, sort what is left from A to Z and give it to me on one line with commas",
    r",[ ]?".join(re.escape(i) for i in sorted(set(islands))),
    steps=4,
    area="text",
)
goal(
    "How many more words are there in rules.md than in rules_old.md?",
    num(words("rules.md") - words("rules_old.md")),
    without("-13"),
    steps=3,
    area="text",
)
goal(
    "Add up the words of all the files in notices and spell the total out",
    spelled(total),
    steps=4,
    area="fan-out",
)

# maths and numbers
goal("whats 12.5 % of 1840", num(230), area="maths")
goal("A crossing costs 18.40 and we take 15% off. What's left to pay?", num(15.64, 2), steps=2, area="maths")
mean = sum(fuel) / len(fuel)
goal(
    "I need the average of the numbers in fuel.txt, one decimal is enough",
    r"(?<![\d.])" + re.escape(f"{mean:.1f}") + r"0*(?!\d)",
    steps=2,
    area="maths",
)
goal(
    "sum fuel.txt and put the total in fuel_total.txt",
    files={"fuel_total.txt": [r"\A\D*" + num(sum(fuel), 1) + r"\D*\Z"]},
    steps=3,
    area="maths",
)
goal("biggest number in fuel.txt, in words please", spelled(int(max(fuel))), steps=3, area="numbers")
goal("how do you write 2749 with roman numerals", roman(2749), area="numbers")

# units and dates
goal("9 nautical miles is how many km?", r"(?<![\d.])16\.(?:6(?:68\d*|7)|7)(?!\d)", area="units")
goal(
    "A gale of 28 knots, what is that in km/h? Round it to a whole number.",
    num(round(28 * 1.852)),
    steps=2,
    area="units",
)
weekday = "{:%A}".format
goal("what day of the week is 14 March 2027?", rf"(?i)\b{weekday(datetime.date(2027, 3, 14))}\b", area="dates")
days = (datetime.date(2026, 10, 25) - datetime.date(2026, 4, 3)).days
goal("How many days is it from 3 April 2026 to 25 October 2026?", num(days), area="dates")
goal(
    "which weekday do we get 90 days after 17 May 2026",
    rf"(?i)\b{weekday(datetime.date(2026, 5, 17) + datetime.timedelta(days=90))}\b",
    without("sunday"),
    steps=2,
    area="dates",
)

# tables
goal(
    "how many trips in timetable.csv go to Sandholm?",
    num(sum(r["destination"] == "Sandholm" for r in times)),
    without("06:50"),
    steps=2,
    area="tables",
)
pay = [float(r["wage"]) for r in crew if r["role"] == "deckhand"]
goal("average wage of the deckhands in crew.csv", num(sum(pay) / len(pay), 2), steps=2, area="tables")
best = max(crew, key=lambda r: float(r["wage"]))["name"]
goal(
    "Who has the highest wage in crew.csv?",
    re.escape(best),
    without(*[n for n in names if n != best]),
    steps=2,
    area="tables",
)
goal(
    "tickets sold per route, going by tickets.csv",
    *[rf"(?s){route}\D{{0,40}}?{num(n)}|{num(n)}\W{{0,20}}{route}" for route, n in sold.items()],
    steps=2,
    area="tables",
)
by_hours = sorted(crew, key=lambda r: -int(r["hours"]))
goal(
    "Sort crew.csv by hours, most first, and show me just the name and the hours",
    "(?s)" + ".*?".join(rf"{r['name']}\W{{1,30}}?{r['hours']}\b" for r in by_hours),
    without("deckhand", "31.50"),
    steps=2,
    area="tables",
)
windy = sorted(wind, key=lambda r: -int(r["knots"]))
goal(
    "I'd like to see the three windiest days in weather/wind.csv, by knots",
    *[re.escape(r["date"]) for r in windy[:3]],
    without(*[r["date"] for r in windy[3:]]),
    steps=2,
    area="tables",
)
short = r"\r?\n".join(["name, ?role", *[rf"{r['name']}, ?{r['role']}" for r in crew]])
goal(
    "only the name and role columns of crew.csv, saved as crew_short.csv",
    files={"crew_short.csv": [rf"\A\s*{short}\s*\Z"]},
    steps=3,
    area="tables",
)
petrel = "\n".join(line for n, line in enumerate(rd("timetable.csv").splitlines()) if not n or ",Petrel," in line)
goal(
    "please put the rows of timetable.csv where the boat is Petrel into petrel.csv, heading included",
    files={"petrel.csv": [exactly(petrel)]},
    steps=3,
    area="tables",
)
old = [r["name"] for r in crew if int(r["age"]) > 40]
goal(
    "names of everybody in crew.csv whose age is above 40",
    *[re.escape(n) for n in old],
    without(*[n for n in names if n not in old]),
    steps=2,
    area="tables",
)
goal(
    "write the sum of the sold column of tickets.csv, spelled out in words, to sold.txt",
    files={"sold.txt": [spelled(sum(sold.values()))]},
    steps=3,
    area="tables",
)

# JSON
settings = json.loads(rd("settings.json"))
goal(
    "whats ticketing.child_discount set to in settings.json",
    num(settings["ticketing"]["child_discount"], 2),
    area="json",
)
goal(
    "Which phone number does settings.json have for the office?",
    settings["office"]["phone"],
    without("Sandferry", "currency"),
    area="json",
)
goal("how many boats are listed in boats.json", num(len(OBJECTS["boats.json"])), without("Marlin"), area="json")

# files
goal(
    "whats in the notices folder?",
    *[re.escape(p.name) for p in sorted((W / "notices").iterdir())],
    without("rules.md", "crew.csv"),
    area="files",
)
goal(
    "make me a copy of settings.json and call it settings_backup.json",
    files={"settings_backup.json": [r"\A" + re.escape(rd("settings.json")) + r"\Z"]},
    area="files",
)
goal("sha256 of settings.json?", hashlib.sha256((W / "settings.json").read_bytes()).hexdigest(), area="files")
goal(
    "What's different between rules_old.md and rules.md?",
    "ten minutes",
    "fifteen minutes",
    "Luggage stays with its owner",
    area="files",
)

# words and feelings
goal(
    "plurals of ferry, buoy and match",
    r"(?i)\bferries\b",
    r"(?i)\bbuoys\b",
    r"(?i)\bmatches\b",
    steps=3,
    area="fan-out",
)
goal(
    "would you say mails/complaint.txt is positive or negative in tone",
    r"(?is)\A(?:(?!positive).)*\bnegative\b",
    area="micro",
)
goal(
    "for every letter in the letters folder write its file name and its language to languages.txt",
    files={
        "languages.txt": [
            r"(?i)ines(?:\.txt)?\W{1,20}(?:\w+\W{1,5}){0,4}?(?:spanish|es)\b",
            r"(?i)jonas(?:\.txt)?\W{1,20}(?:\w+\W{1,5}){0,4}?(?:german|de)\b",
            r"(?i)luc(?:\.txt)?\W{1,20}(?:\w+\W{1,5}){0,4}?(?:french|fr)\b",
        ]
    },
    steps=4,
    area="fan-out",
)

# the plugins; the values are worked out by hand: force 6 is 22 to 27 knots, force 8 is 34 to 40
goal("What force on the Beaufort scale is a wind of 24 knots?", num(6), area="plugins", tools=True)
goal("how much are ferry tickets for 2 adults and 3 children", num(2 * 14.5 + 3 * 6.8, 2), area="plugins", tools=True)
goal(
    "spell MARLIN for the radio with the phonetic alphabet please",
    r"(?i)mike\W+al(?:f|ph)a\W+romeo\W+lima\W+india\W+november",
    area="plugins",
    tools=True,
)
goal("crossing of 7.5 nautical miles at 12 knots, how many minutes?", num(7.5 / 12 * 60, 1), area="plugins", tools=True)
goal("Which berth does the Petrel lie at? In roman numerals, please.", roman(14), steps=2, area="plugins", tools=True)
goal(
    "look up the high water times on Saturday and write them to tide.txt",
    files={"tide.txt": [r"05:52\D+18:17", without("04:48", "07:03")]},
    steps=2,
    area="plugins",
    tools=True,
)
goal(
    "How many litres of diesel does the Marlin burn in 4.5 hours, and what does that cost at 1.62 a litre?",
    num(207),
    num(4.5 * 46 * 1.62, 2),
    steps=2,
    area="plugins",
    tools=True,
)
assert max(int(r["knots"]) for r in wind) == 35
goal(
    "take the highest knots in weather/wind.csv and tell me the Beaufort force of that",
    num(8),
    without("2026"),
    steps=2,
    area="plugins",
    tools=True,
)

# what it cannot do
no("translate letters/luc.txt into English", "translation")
no("how do you say 'lost umbrella' in Danish?", "translation")
no("send mails/complaint.txt to the harbour master", "sending")
no("Please text Anke that the 07:55 is cancelled", "sending")
no("print notices/dogs.md on the office printer", "sending")
no("what will the weather be like in Kiel tomorrow?", "network")
no("fetch the new timetable from https://sandferry.example/new.csv and save it as new.csv", "network")
no("book two seats on the 09:15 to Lillevig", "network")
no("whats the price of diesel in Rotterdam today", "network")
no("which boat should we sell first, going by boats.json?", "judgement")
no("write a friendly reply to mails/complaint.txt and save it as reply.txt", "judgement")
no("Would it be safe to take a toddler out in Friday's weather?", "judgement")
no("rewrite rules.md so that it sounds less strict", "judgement")
no("think up a good slogan for the harbour", "judgement")
no("draw me a poster for the summer party and save it as poster.png", "judgement")
no("who was the first person to sail around the world alone", "knowledge")
no("Which country does the island of Bornholm belong to?", "knowledge")
no("how many words are there in notices/winter.txt", "missing file")
no("add up the sold column of tickets_2019.csv", "missing file")
no("copy lost/umbrellas.txt to umbrellas.txt", "missing file")

for name, some in (("goals", G), ("undoable", U)):
    (HERE / f"{name}.jsonl").write_text("".join(json.dumps(g, ensure_ascii=False) + "\n" for g in some))
print(len(G), len(U), Counter(g["area"] for g in G))
print(sum(bool(g["files"]) for g in G), "write a file,", sum("tools" in g for g in G), "need a plugin")

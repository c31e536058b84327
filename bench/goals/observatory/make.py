"""Writes workspace/, goals.jsonl and undoable.jsonl of this set:  python make.py

Every expected value is computed here from the files, with plain Python and none of the tools.
"""

import csv
import datetime as dt
import json
import math
import re
import shutil
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"

FILES = {
    "minutes.txt": """\
Minutes of the spring meeting

Eleven members came and Femi took the chair.
The roof of the small dome leaks again and will be mended before the open night.
Priya showed her pictures of the eclipse.
We agreed to buy a second finder for the Newton.
Marek asked for more chairs in the lecture room.
The next meeting is on the first Tuesday of June.
""",
    "plan.txt": """\
Plan for the winter

1. Clear out the shed and paint the door.
2. Move the spare mirror into the shed.
3. Put a lamp with red light over the steps.
4. Buy a new lock for the shed, the old one sticks.
""",
    "members.txt": "\n".join(
        "Priya Marek Lou Ingrid Femi Marek Sten Aiko Priya Bruno Lou Hana Femi Olive Marek".split()
    )
    + "\n",
    "contacts.txt": """\
Who to write to

Front desk: hello@starhill.example, open from Wednesday to Sunday.
Schools and groups: Lou Baptiste, groups@starhill.example
The newsletter is made by Aiko (aiko.mori@starhill.example).
Lost something? Ask the front desk again: hello@starhill.example
Our page is https://starhill.example/visit and the weather is on https://clouds.example/tonight
The roofer: office@dachwerk.example
""",
    "observatory.json": """\
{
  "name": "Starhill",
  "site": {"town": "Oberried", "altitude": 1284, "owner": "the county"},
  "dome": {"diameter": 6.5, "motor": {"speed": 14, "volts": 48}, "heated": false},
  "telescopes": [
    {"name": "Newton", "aperture": 254, "focal_length": 1200, "year": 1998},
    {"name": "Goliath", "aperture": 406, "focal_length": 1830, "year": 2011},
    {"name": "Apollo", "aperture": 102, "focal_length": 714, "year": 2019},
    {"name": "Old Refractor", "aperture": 130, "focal_length": 1950, "year": 1926}
  ]
}
""",
    "shop.tsv": """\
item\tprice\tstock
postcard\t1.20\t340
star atlas\t24.90\t12
red torch\t12.50\t31
binoculars\t79.00\t4
planisphere\t18.00\t22
mug\t9.80\t45
meteorite pendant\t34.50\t7
""",
    "tables/nights.csv": """\
date,observer,telescope,hours,sky,seeing
2025-01-04,Priya,Newton,3.5,clear,2.1
2025-01-09,Marek,Goliath,5.0,clear,1.8
2025-01-15,Femi,Newton,1.0,cloudy,3.9
2025-01-22,Priya,Goliath,4.5,hazy,2.6
2025-02-01,Lou,Apollo,2.0,clear,2.2
2025-02-06,Ingrid,Goliath,6.0,clear,1.5
2025-02-11,Marek,Newton,0.5,cloudy,4.1
2025-02-19,Priya,Apollo,2.5,hazy,2.9
2025-02-27,Femi,Goliath,5.5,clear,1.7
2025-03-03,Lou,Newton,1.5,cloudy,3.3
2025-03-08,Ingrid,Newton,4.0,clear,2.0
2025-03-14,Marek,Old Refractor,3.0,hazy,2.4
2025-03-20,Priya,Goliath,6.5,clear,1.6
2025-03-25,Femi,Apollo,0.5,cloudy,3.7
2025-03-29,Ingrid,Old Refractor,3.5,clear,1.9
2025-04-02,Lou,Newton,2.5,hazy,2.8
2025-04-10,Priya,Newton,4.0,clear,2.3
""",
    "tables/donations.csv": """\
donor,town,amount,method,date
Birgit Aalto,Oberried,250.00,transfer,2025-01-12
Tomas Reyes,Kirchzarten,15.00,cash,2025-01-18
Wenzel Hauk,Oberried,40.00,card,2025-01-30
Nadia Petrov,Freiburg,120.00,transfer,2025-02-02
Claire Dupont,Colmar,22.00,cash,2025-02-14
Jonas Ekberg,Freiburg,35.00,card,2025-02-20
Mila Horvat,Kirchzarten,10.00,cash,2025-03-01
Rashid Khan,Freiburg,310.00,transfer,2025-03-09
Elsa Brandt,Oberried,60.00,card,2025-03-15
Pavel Zeman,Colmar,27.00,cash,2025-03-22
Ruth Abbot,Freiburg,75.00,transfer,2025-04-05
""",
    "tables/visitors.csv": """\
date,adults,children,tour
2025-03-01,34,21,evening
2025-03-02,18,27,day
2025-03-08,41,16,evening
2025-03-09,22,30,day
2025-03-15,29,12,evening
2025-03-16,15,24,day
2025-03-22,47,19,evening
2025-03-29,38,11,evening
""",
    "logs/dome.log": """\
2025-04-01 19:02 INFO dome opened
2025-04-01 19:40 WARN wind at 38 km per hour
2025-04-01 20:11 ERROR motor stopped at 112 degrees
2025-04-01 20:15 INFO motor started again
2025-04-01 23:58 INFO dome closed
2025-04-02 19:05 INFO dome opened
2025-04-02 19:33 ERROR no answer from the rain sensor
2025-04-02 19:34 INFO dome closed
2025-04-03 18:59 WARN battery at 21 percent
2025-04-03 19:01 INFO dome opened
2025-04-03 21:47 ERROR shutter stuck half open
2025-04-03 22:20 INFO shutter freed by hand
2025-04-03 22:21 INFO dome closed
""",
    "docs/rules.md": """\
# House rules
Please use red light only after dark.
Do not touch the mirrors.
Dogs wait outside.
""",
    "docs/first-visit.md": """\
# Your first visit

Come twenty minutes before the tour begins and bring a warm coat, even in summer.
The path from the car park is steep and has no lamps.
Children under six can join the day tour but not the evening tour.

## What you will see

In winter we show the Orion nebula and the Pleiades.
In summer we show the ring nebula and, where it is up, Saturn.
When the sky is covered the guide gives a talk in the lecture room.
""",
    "docs/history.md": """\
# How it all began

In 1924 the teacher Karl Oberlin saw a comet from his garden and told the newspaper.
So many people came to look at the comet that the mayor gave him the hill behind the school.
The first dome was built of wood in 1926.
It burned down in 1951, and the old refractor was saved by two pupils.
The stone dome of today was opened in 1953.
A second comet, found here in 1977, bears the name of the cook who saw it first.
""",
    "docs/open-night.txt": """\
Open night

Doors open at seven and the last tour starts at eleven.
Soup and tea are sold in the lecture room.
Anyone who helps to carry the chairs back gets a postcard of the comet.
""",
    "letters/moreau.txt": """\
Bonjour, nous avons passé une soirée magnifique chez vous samedi dernier. Ma fille voudrait savoir quand aura lieu la prochaine visite pour les enfants et s'il faut réserver les places à l'avance.
""",
    "letters/lindner.txt": """\
Guten Tag, wir sind eine Schulklasse mit zweiundzwanzig Kindern und möchten Ihre Sternwarte im Oktober besuchen. Könnten Sie uns bitte mitteilen, an welchen Abenden noch Führungen frei sind?
""",
    "letters/conti.txt": """\
Buongiorno, ho dimenticato il mio cappello nella sala delle conferenze durante la visita di venerdì sera. Se lo avete trovato, vi prego di tenerlo da parte, perché torno la settimana prossima.
""",
    "letters/ruiz.txt": """\
Buenas tardes, queremos hacer una pequeña donación para el nuevo telescopio. ¿Podrían decirnos cómo se hace la transferencia desde España y si recibiremos un justificante?
""",
    "guestbook/carla.txt": """\
What a wonderful evening! Our guide was so kind and funny, and seeing Saturn with my own eyes was simply amazing. I loved every minute. Thank you!
""",
    "guestbook/henk.txt": """\
Very disappointing. We waited an hour in the cold, the guide was bored and rude, and in the end we saw nothing at all. A waste of money.
""",
    "guestbook/tom.txt": """\
The worst tour I have ever been on. The room was dirty, the talk was dull and nobody answered our questions. I would not recommend it to anyone.
""",
    "guestbook/yuki.txt": """\
Beautiful place and great people. The children were thrilled, the view of the moon was superb, and the tea afterwards was delicious. Highly recommended!
""",
    "scripts/dome.py": '''\
"""Opens and closes the dome."""


def open_dome(motor):
    # FIXME: wait for the rain sensor first
    motor.turn(90)
    return motor.position


def close_dome(motor):
    motor.turn(-90)
    return motor.position
''',
    "scripts/park.py": '''\
"""Parks the telescope."""

HOME = (0, 90)


def park(mount):
    # FIXME: the mount is too fast near the pole
    mount.go_to(*HOME)
    mount.lock()


def is_parked(mount):
    return mount.locked and mount.position == HOME


# FIXME: unpark is missing
if __name__ == "__main__":
    print("parked")
''',
    "scripts/sun.py": '''\
"""When the sun sets, roughly."""


def sunset(month):
    return 17 if month in (11, 12, 1, 2) else 20
''',
}

shutil.rmtree(W, ignore_errors=True)
for path, content in FILES.items():
    (W / path).parent.mkdir(parents=True, exist_ok=True)
    (W / path).write_text(content, encoding="utf-8")


# -- reading


def text(path):
    return (W / path).read_text(encoding="utf-8")


def lines(path):
    return text(path).splitlines()


def words(path):
    """The number of words; no file asked about may have one that splits in two ways."""
    count = len(text(path).split())
    assert count == len(re.findall(r"\w+", text(path))), path
    return count


def rows(path, delimiter=","):
    with open(W / path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


# -- patterns


def num(x):
    """The whole number x (or one with few decimals, in full), with or without a thousands separator or zeros after."""
    whole, _, decimals = f"{x:,}".partition(".")
    decimals = decimals.rstrip("0")
    body = whole.replace(",", "[, ]?") + (r"\." + decimals + "0*" if decimals else r"(?:\.0+)?")
    return r"(?<!\d)(?<!\d[.,])(?<![-−])" + body + r"(?!\d)(?![.,]\d)"


def near(x, or_one=False):
    """x cut or rounded at two or more decimals; where it says so, rounded to one will do."""
    assert abs(x * 100 % 1 - 0.5) > 0.01  # nothing that is rounded in two ways
    forms = {f"{x:.2f}", f"{math.floor(x * 100) / 100:.2f}"}
    body = "|".join(re.escape(form) + r"\d*" for form in sorted(forms))
    short = {f"{x:.2f}".rstrip("0").rstrip(".")} | ({f"{x:.1f}"} if or_one else set())
    body += "|" + "|".join(re.escape(form) + r"(?!\d)(?!\.\d)" for form in sorted(short))
    return r"(?<!\d)(?<!\d[.,])(?<![-−])(?:" + body + ")"


def either(*patterns):
    return "(?:" + "|".join(f"(?:{pattern})" for pattern in patterns) + ")"


def pair(name, value, other):
    """A name with its value after it (none of the other names between), or the value right before it."""
    return rf"(?is)(?:\b{name}(?:(?!{other}).){{0,70}}?{value}|{value}[ \t|,:;-]*(?:\w+/)?{name}\b)"


def exactly(content):
    return r"\A\s*" + r"\s*?\r?\n".join(re.escape(line) for line in content.strip().splitlines()) + r"\s*\Z"


def without(*names):
    return r"(?is)\A(?!.*(?:" + "|".join(map(re.escape, names)) + "))"


def day(date):
    """A date in any of the usual ways of writing it."""
    d, m, y, name = date.day, date.month, date.year, date.strftime("%B")
    return (
        rf"(?i)(?:{y}-{m:02d}-{d:02d}|\b0?{d}(?:st|nd|rd|th)?(?: of)? (?:{name}|{name[:3]})\.?,? {y}"
        rf"|(?:{name}|{name[:3]})\.? 0?{d}(?:st|nd|rd|th)?,? {y}|\b0?{d}[./-]0?{m}[./-]{y}|\b0?{m}/0?{d}/{y})"
    )


SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen".split()
GOALS, UNDOABLE = [], []


def goal(wanted, *answer, area, steps=1, files=None, tools=False):
    entry = {"id": f"ob{len(GOALS) + 1:02d}", "goal": wanted, "area": area, "steps": steps}
    entry |= {"answer": list(answer), "files": files or {}}
    GOALS.append(entry | ({"tools": "plugins"} if tools else {}))


def undoable(wanted, area):
    UNDOABLE.append({"id": f"obu{len(UNDOABLE) + 1:02d}", "goal": wanted, "area": area})


# -- text

goal("word count of minutes.txt?", num(words("minutes.txt")), area="text")

comets = re.findall(r"(?i)\bcomet\b", text("docs/history.md"))
assert len(comets) == text("docs/history.md").lower().count("comet")  # no plural, no capital
goal("How often is a comet mentioned in docs/history.md? I mean the word \"comet\".", num(len(comets)), area="text")

errors = [line for line in lines("logs/dome.log") if "ERROR" in line]
assert len(errors) == sum("error" in line.lower() for line in lines("logs/dome.log"))
goal(
    "Please copy the lines of logs/dome.log with ERROR in them to errors.txt",
    files={"errors.txt": [exactly("\n".join(errors))]},
    area="text",
    steps=2,
)

mails = sorted(set(re.findall(r"[\w.]+@[\w.]+\.example", text("contacts.txt"))))
assert len(mails) == 4
goal(
    "pull the email addresses out of contacts.txt and put them into mailing.txt, each address only once",
    files={
        "mailing.txt": [
            *[rf"(?<![\w.]){re.escape(mail)}" for mail in mails],
            without("https", "Lost"),
            r"(?s)\A(?!.*" + re.escape("hello@starhill.example") + ".*" + re.escape("hello@starhill.example") + ")",
        ]
    },
    area="text",
    steps=3,
)

goal(
    "What does the very last line of minutes.txt say?",
    re.escape(lines("minutes.txt")[-1]),
    without(lines("minutes.txt")[-2], lines("minutes.txt")[0]),
    area="text",
)

goal(
    "Some people signed up twice. How many different names are there in members.txt?",
    num(len(set(lines("members.txt")))),
    area="text",
    steps=2,
)

plan = text("plan.txt")
assert plan.lower().count("shed") == len(re.findall(r"\bshed\b", plan)) == 3
goal(
    "swap the word shed for dome everywhere in plan.txt and keep the new version as plan2.txt",
    files={"plan2.txt": [exactly(plan.replace("shed", "dome"))]},
    area="text",
    steps=3,
)

# -- maths, units, dates, numbers

goal("38 tickets at 6.50 each, what does that come to?", num(int(38 * 6.5)), area="maths")
goal("We get 12 % off a bill of 1250 euros. How much do we have to pay?", num(1250 * 88 // 100), area="maths", steps=2)

goal("150 mm in inches", near(150 / 25.4, or_one=True), area="units")
goal("It's minus 8 celsius on the hill tonight, what would that be in fahrenheit?", num(17.6), area="units")
goal(
    "The mirror weighs 46 pounds. Tell me that in kilograms, rounded to one decimal.",
    num(round(46 * 0.45359237, 1)),
    area="units",
    steps=2,
)

goal(
    "What day of the week is the 12th of August 2026?",
    rf"(?i)\b{dt.date(2026, 8, 12):%A}\b",
    without(*({f"{dt.date(2026, 8, d):%A}" for d in range(10, 17)} - {f"{dt.date(2026, 8, 12):%A}"})),
    area="dates",
)
goal("which date is 45 days after 3 March 2025", day(dt.date(2025, 3, 3) + dt.timedelta(45)), area="dates")

goal("1846 in Roman numerals, please", r"\bMDCCCXLVI\b", area="numbers")
goal("Could you write the number 2061 out in words for me?", r"(?i)two thousand,? (?:and )?sixty[- ]one", area="numbers")

# -- plurals, tone, language

goal("plural of galaxy?", r"(?i)\bgalaxies\b", area="micro")
goal("How do I write 'shelf' when there's more than one of them?", r"(?i)\bshelves\b", area="micro")
goal(
    "Is what Carla wrote in guestbook/carla.txt positive or negative?",
    r"(?i)\bpositive\b",
    without("negative"),
    area="micro",
)
goal("in what language did they write letters/moreau.txt", r"(?i)\bfrench\b|\bfr\b", area="micro")
goal(
    "Find out which language letters/conti.txt is in and note it in lang.txt",
    files={"lang.txt": [r"(?i)\bitalian\b|\A\s*it\s*\Z"]},
    area="micro",
    steps=3,
)

# -- tables and settings

nights, donations = rows("tables/nights.csv"), rows("tables/donations.csv")
visitors, shop = rows("tables/visitors.csv"), rows("shop.tsv", "\t")
observatory = json.loads(text("observatory.json"))

goal("what's dome.motor.speed set to in observatory.json", num(observatory["dome"]["motor"]["speed"]), area="data")
goal(
    "How much money did we get altogether according to the amount column of tables/donations.csv?",
    num(sum(float(row["amount"]) for row in donations)),
    area="data",
)
top = max(donations, key=lambda row: float(row["amount"]))
goal(
    "who gave us the largest amount in tables/donations.csv?",
    re.escape(top["donor"]),
    without(*[row["donor"] for row in donations if row is not top]),
    area="data",
)
goal(
    "Count the nights in tables/nights.csv when the sky was clear",
    num(sum(row["sky"] == "clear" for row in nights)),
    area="data",
    steps=2,
)
seeing = mean(float(row["seeing"]) for row in nights)
assert abs(seeing * 100 % 1 - 0.5) > 0.05
goal(
    "I'd like the average of the seeing column in tables/nights.csv, rounded to two decimals",
    num(round(seeing, 2)),
    area="data",
    steps=2,
)
names = [telescope["name"] for telescope in observatory["telescopes"]]
goal(
    "Give me the names of our telescopes in observatory.json, from A to Z",
    "(?s)" + ".*".join(map(re.escape, sorted(names))),
    without("focal_length", "Starhill"),
    area="data",
    steps=2,
)
dear = [row["item"] for row in shop if float(row["price"]) > 20]
goal(
    "Which items in shop.tsv have a price above 20?",
    *map(re.escape, dear),
    without(*[row["item"] for row in shop if row["item"] not in dear]),
    area="data",
    steps=2,
)

# -- files

goal(
    "what's in the guestbook folder?",
    *[re.escape(path.name.removesuffix(".txt")) for path in sorted((W / "guestbook").iterdir())],
    area="files",
)
goal(
    "Show me all the FIXME comments under scripts",
    *[
        re.escape(line.split("FIXME: ")[1])
        for path in sorted((W / "scripts").iterdir())
        for line in path.read_text().splitlines()
        if "FIXME" in line
    ],
    area="files",
)
goal("How big is logs/dome.log in bytes?", num((W / "logs/dome.log").stat().st_size), area="files")

# -- the same on each of several

LANGUAGES = {"conti": "italian|it", "lindner": "german|de", "moreau": "french|fr", "ruiz": "spanish|es"}
goal(
    "Could you tell me, for every letter in the letters folder, what language it was written in?",
    *[pair(name, rf"\b(?:{known})\b", "|".join(set(LANGUAGES) - {name})) for name, known in LANGUAGES.items()],
    area="fan-out",
    steps=4,
)
goal(
    "plurals of lens, story and tooth",
    r"(?i)\blenses\b",
    r"(?i)\bstories\b",
    r"(?i)\bteeth\b",
    area="fan-out",
    steps=3,
)
goal(
    "Please write the numbers 18, 40 and 110 out in words.",
    r"(?i)\beighteen\b",
    r"(?i)\bforty\b",
    r"(?i)\b(?:one|a) hundred (?:and )?ten\b",
    area="fan-out",
    steps=3,
)
counts = {"nights": len(nights), "donations": len(donations), "visitors": len(visitors)}
goal(
    "how many data rows (no header) are there in each csv in the tables folder, and how many altogether?",
    *[pair(name, num(count), "|".join(set(counts) - {name})) for name, count in counts.items()],
    num(sum(counts.values())),
    area="fan-out",
    steps=5,
)
TONES = {"carla": "positive", "henk": "negative", "tom": "negative", "yuki": "positive"}
goal(
    "Go through the guestbook folder and tell me for each entry if its tone is positive or negative",
    *[pair(name, rf"\b{tone}\b", "|".join(set(TONES) - {name})) for name, tone in TONES.items()],
    area="fan-out",
    steps=5,
)
lengths = {path.name: len(path.read_text().splitlines()) for path in sorted((W / "scripts").iterdir())}
assert len(set(lengths.values())) == 3
goal(
    "Make a list of the python files in scripts with the number of lines of each and save it as linecounts.txt",
    files={
        "linecounts.txt": [
            pair(name.replace(".", r"\."), num(count), "|".join(set(lengths) - {name}).replace(".", r"\."))
            for name, count in lengths.items()
        ]
    },
    area="fan-out",
    steps=5,
)
goal(
    "Convert 3, 10 and 25 miles into km",
    *[near(miles * 1.609344, or_one=True) for miles in (3, 10, 25)],
    area="fan-out",
    steps=3,
)

# -- deeper

docs = sorted((W / "docs").iterdir())
smallest = min(docs, key=lambda path: path.stat().st_size)
assert smallest.name == "rules.md"
assert smallest == min(docs, key=lambda path: len(path.read_text().split()))
goal(
    "Look for the smallest file in docs, count its lines and put that number, in words, into smallest.txt",
    files={"smallest.txt": [rf"(?i)\A\W*{SMALL[len(lines('docs/rules.md'))]}\b"]},
    area="deep",
    steps=4,
)
goal(
    "How many hours did Priya observe in total? It's all in tables/nights.csv",
    num(sum(float(row["hours"]) for row in nights if row["observer"] == "Priya")),
    area="deep",
    steps=2,
)
METHODS = ("card", "cash", "transfer")
goal(
    "What's the average amount in tables/donations.csv for each method of payment?",
    *[
        pair(
            method,
            near(mean(float(row["amount"]) for row in donations if row["method"] == method)),
            "|".join(set(METHODS) - {method}),
        )
        for method in METHODS
    ],
    area="deep",
    steps=2,
)
goal(
    "Write me a summary.md that has the number of words in plan.txt, the language of letters/lindner.txt "
    "and the tone of guestbook/tom.txt in it.",
    files={
        "summary.md": [
            either(*map(num, {len(plan.split()), len(re.findall(r"\b[A-Za-z]+\b", plan))})),
            r"(?i)\bgerman\b|\bde\b",
            r"(?i)\bnegative\b",
        ]
    },
    area="deep",
    steps=5,
)
adults, children = (sum(int(row[kind]) for row in visitors) for kind in ("adults", "children"))
goal(
    "add up the adults and add up the children in tables/visitors.csv, then tell me how many more adults came",
    num(adults - children),
    area="deep",
    steps=3,
)
arrival = dt.date(2026, 1, 9) + dt.timedelta(80)
goal(
    "We ordered a lens on 9 January 2026 and it will come exactly 80 days later. Which weekday will that be?",
    rf"(?i)\b{arrival:%A}\b",
    area="deep",
    steps=2,
)

# -- with the tools of the plugin folder

goal(
    "What magnification does a telescope with a focal length of 1200 mm have with a 25 mm eyepiece?",
    num(1200 // 25),
    area="tool",
    tools=True,
)
goal(
    "how much would a visit cost for 2 adults and 3 children? put the price into price.txt too",
    num(2 * 8.5 + 3 * 4.25),
    files={"price.txt": [num(2 * 8.5 + 3 * 4.25)]},
    area="tool",
    steps=2,
    tools=True,
)
goal("Who has duty in the dome on Thursday?", "Ingrid Solberg", area="tool", tools=True)
goal(
    "make the badge code for Hana Kubo and save it in badge.txt",
    files={"badge.txt": [rf"\A\W*HK-{sum(map(ord, 'hanakubo')) % 1000:03d}\b"]},
    area="tool",
    steps=2,
    tools=True,
)
goal(
    "How faint a star can I still see through a telescope with an aperture of 150 mm?",
    num(round(2 + 5 * math.log10(150), 1)),
    area="tool",
    tools=True,
)
goal(
    "I need the constellation abbreviations for Orion, Lyra and Cygnus",
    r"\bOri\b",
    r"\bLyr\b",
    r"\bCyg\b",
    area="tool",
    steps=3,
    tools=True,
)

# -- what cannot be done without a large model, or at all

undoable("Please translate letters/ruiz.txt into English so that I can answer it", "translation")
undoable("what would 'mind the step' be in Italian?", "translation")
undoable("Write a nice reply to the school class in letters/lindner.txt", "writing")
undoable("make up a short bedtime story about a comet that lost its tail", "writing")
undoable("Rewrite plan.txt in a friendlier way", "writing")
undoable("can you think of three names for the cat that lives in the dome?", "writing")
undoable("sum up minutes.txt in two sentences", "summary")
undoable("What should we change on our tours, going by what people say in the guestbook?", "judgement")
undoable("Which of our telescopes would you give to a beginner?", "opinion")
undoable("is it worth driving out to the observatory in November?", "opinion")
undoable("Who discovered Uranus?", "knowledge")
undoable("how far away is the Andromeda galaxy", "knowledge")
undoable("How many words are in minutes_2019.txt?", "missing")
undoable("what is the highest price in tables/tickets.csv", "missing")
undoable("E-mail docs/rules.md to Marek, please", "no tool")
undoable("close the dome, it's starting to rain", "no tool")
undoable("Print twenty copies of docs/open-night.txt", "no tool")
undoable("ring Priya and ask if she can take the Friday tour", "no tool")
undoable("Convert it to inches", "ambiguous")
undoable("sort out the table for me, you know which one", "ambiguous")

assert len(GOALS) == 50 and len(UNDOABLE) == 20
for name, entries in (("goals.jsonl", GOALS), ("undoable.jsonl", UNDOABLE)):
    for entry in entries:
        for pattern in [*entry.get("answer", ()), *sum(entry.get("files", {}).values(), [])]:
            re.compile(pattern)
    (HERE / name).write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries), encoding="utf-8")
print(len(GOALS), dict(Counter(entry["area"] for entry in GOALS)), len(UNDOABLE))

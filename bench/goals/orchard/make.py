"""Writes workspace/, goals.jsonl and undoable.jsonl of this set:  python make.py

Every expected value is computed here from the files, with plain Python and none of the tools.
"""

import csv
import datetime
import hashlib
import json
import math
import random
import re
import shutil
import statistics
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"

# -- the workspace

TEXTS = {
    "notes/pruning.md": """# Pruning

Prune apple and pear trees in winter, while they sleep.
Leave plums and cherries until June, or silver leaf gets in.

- Take out dead wood first.
- Open the middle so that a pigeon could fly through.
- Never remove more than a fifth in one year.

Burn what is diseased. Chip the rest for the paths.
""",
    "notes/grafting.md": """# Grafting

The scions were cut on 14 January 2025 and kept in damp sand.
We grafted the first thirty on 27 March 2025, whip and tongue.
The second lot followed on 8 April 2025 because of the frost.

## What took

By 19 August 2025 all but four had made good growth.

## Wax

Two parts resin, one part beeswax, a little tallow.
Keep it warm over water and brush it on thinly.

Label each tree the same day, or nobody will remember.
""",
    "notes/pests.md": """# Pests

The codling moth is our worst guest. Hang a trap for the moth in May.
One moth in the trap means little, but ten in a week mean trouble.

The winter moth climbs the trunk in autumn. Grease bands stop it.

Earwigs are friends: they eat aphids all summer.
Rake away fallen fruit, since overwintering grubs hide there.
Nets keep the birds from the cherries. No moth minds a net.

Voles gnaw the bark of young trees under the snow.
""",
    "notes/rules.txt": """Rules for everybody who works or walks in the orchard

Gates stay closed at all times, even if you are coming back in a minute. The sheep know every gap in the hedge.
Ladders are put up by two people and taken down by two people. Nobody stands on the top three rungs.
Picking begins at seven in the morning and ends when the light goes or when the foreman blows the whistle.
Bruised apples go into the blue crates for the press. Sound apples go into the wooden boxes for the store.
Dogs are welcome on a lead from November to March. During lambing they must stay at home.
Smoking is allowed in the yard only. The barn is full of straw and it has burned down once already.
Children under twelve may pick from the ground, never from a ladder, and only with a grown person beside them.
Spraying is done in the evening after the bees have gone home, and a red flag hangs at the gate until noon next day.
Whoever breaks a tool says so the same day and nobody will shout. Whoever hides a broken tool buys a new one.
The last one out locks the cold store and feeds the cat.
""",
    "mail/bauer.txt": """Sehr geehrte Frau Appleby,

vielen Dank für die schönen Äpfel, die gestern bei uns angekommen sind. Die ganze Familie hat sich sehr darüber
gefreut, und meine Mutter möchte daraus einen Kuchen backen. Können Sie uns im Oktober noch einmal zwei Kisten schicken?

Mit freundlichen Grüßen
Jürgen Bauer
""",
    "mail/ricci.txt": """Gentile signora,

la ringrazio per la visita al frutteto della settimana scorsa. I bambini parlano ancora delle mele e della vecchia
pressa di legno. Vorremmo tornare in autunno con tutta la classe, se per voi va bene.

Cordiali saluti
Paola Ricci
""",
    "mail/kowalska.txt": """Dzień dobry,

chciałabym zapytać, czy w tym roku szukają Państwo jeszcze ludzi do zbierania jabłek. Pracowałam już dwa lata temu
przy zbiorach i bardzo mi się podobało. Mogę przyjechać od początku września.

Pozdrawiam serdecznie
Ewa Kowalska
""",
    "opinions/fair.txt": """What a wonderful afternoon at the apple fair. The juice was delicious, the band was great and the staff were so kind.
We loved every minute and will certainly come back next year.
""",
    "opinions/shop.txt": """Terrible service in the farm shop. The woman at the till was rude, half of the apples were rotten
and nobody wanted to give me my money back.
I am very disappointed and would not recommend this awful place to anyone.
""",
    "opinions/tasting.txt": """An excellent cider tasting with a charming host. Beautiful rooms, perfect food and the best perry I have ever had.

Highly recommended, we enjoyed it very much.
Thank you!
""",
    "visitors.txt": "Petra\nHugo\nIngrid\nSalim\nHugo\nNora\nWilma\nPetra\nCaleb\nNora\nBeatrix\nHugo\nFinn\n",
    "suppliers.txt": """Ladders and steps: Otto Brandt, otto@brandt-ladders.example, phone 555-0187
Crates: orders@cratehouse.example (ask for Mina), see https://cratehouse.example/wood
Rootstocks: nursery@stocks.example, catalogue at https://stocks.example/list-2025
Repairs of the press: otto@brandt-ladders.example, only in the evening
""",
    "logs/pump.log": """2025-07-01 05:00 INFO pump started
2025-07-01 05:04 ERROR pressure too low in line 3
2025-07-01 05:06 INFO valve 3 reset by hand
2025-07-01 07:30 INFO pump stopped, 4120 litres
2025-07-02 05:00 INFO pump started
2025-07-02 05:51 ERROR filter clogged
2025-07-02 06:15 INFO filter rinsed
2025-07-02 07:45 INFO pump stopped, 3980 litres
2025-07-03 05:00 WARN tank below a third
2025-07-03 05:02 ERROR no answer from the moisture sensor
2025-07-03 07:10 INFO pump stopped, 3755 litres
""",
    "scripts/label.py": '''"""Prints the labels for the boxes."""


def label(variety, kilos):
    # FIXME: long names run over the edge
    return f"{variety:<20}{kilos:>6.1f} kg"
''',
    "scripts/water.py": '''"""Works out how long the pump must run."""

LITRES_PER_MINUTE = 28


def minutes(trees, litres_each, rain_mm=0):
    # FIXME: rain in winter counts for less
    wanted = trees * litres_each * max(0, 1 - rain_mm / 20)
    return round(wanted / LITRES_PER_MINUTE)
''',
}
VARIETIES = ["Bramley", "Discovery", "Egremont", "Katy", "Laxton"]
OTHERS = ["Worcester", "Pitmaston", "Ribston", "Ashmead", "Cornish", "Kidd", "Blenheim", "Sunset", "Winston"]
ORCHARD = {
    "name": "Hollow Lane Orchard",
    "hectares": 3.8,
    "press": {"maker": "Voran", "capacity_litres": 640, "built": 1958},
    "irrigation": {"pump": "P2", "start": "05:00", "minutes": 150},
    "varieties": [{"code": f"V{i:02d}", "name": name} for i, name in enumerate(VARIETIES + OTHERS, 1)],
    "stalls": ["Market Square", "Harbour Road", "Abbey Gate"],
}


def make_tables():
    rng = random.Random(1958)
    trees = [
        [f"T{i:03d}", VARIETIES[rng.randrange(5)], rng.randrange(1, 7), rng.randrange(1998, 2019),
         f"{2 + rng.random() * 3:.2f}", rng.randrange(52, 84), f"{18 + rng.random() * 60:.1f}"]
        for i in range(1, 43)
    ]  # fmt: skip
    save("tables/trees.csv", "tree,variety,row,planted,height_m,diameter_mm,kilos", trees)
    unpaid, sales = set(rng.sample(range(40), 9)), []
    for i in range(40):
        product, price = (("juice", 3.2), ("cider", 6.45), ("apples", 2.75), ("vinegar", 8.9))[rng.randrange(4)]
        day = datetime.date(2025, 9, 6) + datetime.timedelta(days=i // 2)
        stall = ORCHARD["stalls"][rng.randrange(3)]
        sales.append([day, stall, product, rng.randrange(2, 40), f"{price:.2f}", "no" if i in unpaid else "yes"])
    save("tables/sales.csv", "date,stall,product,quantity,price,paid", sales)
    names, picked = ["Ewa", "Tomos", "Lucia", "Ned"], []
    for i in range(31):
        day = datetime.date(2025, 9, 8) + datetime.timedelta(days=i // 4)
        picked.append([names[i % 4], day, f"{4 + rng.randrange(17) / 4:.2f}", rng.randrange(9, 33)])
    save("tables/pickers.csv", "picker,date,hours,baskets", picked)
    start, hours = datetime.datetime(2025, 1, 10), []
    for i in range(144):
        warmth = 3.5 - 5.5 * (abs((i % 24) - 14) / 12) + 6 * ((i // 24) / 5) + rng.random() * 2
        hours.append(f"{start + datetime.timedelta(hours=i):%Y-%m-%d %H:%M} {warmth:.1f}")
    (W / "logs/cold.txt").write_text("\n".join(hours) + "\n")


def save(name, header, table):
    (W / name).write_text("\n".join([header, *(",".join(map(str, row)) for row in table)]) + "\n")


def make_workspace():
    shutil.rmtree(W, ignore_errors=True)
    for folder in ("tables", "logs"):
        (W / folder).mkdir(parents=True)
    for name, text in TEXTS.items():
        (W / name).parent.mkdir(exist_ok=True)
        (W / name).write_text(text)
    (W / "orchard.json").write_text(json.dumps(ORCHARD, indent=2) + "\n")
    make_tables()


# -- patterns


def before(whole):
    """What may not stand before a number; before three digits that is a comma after a digit as well."""
    return r"(?<![\d.\-−])" + (r"(?<!\d,)" if len(str(whole)) == 3 else "")


def num(x, places=2):
    """Finds the number x: thousands with or without a separator; cut or rounded at `places`, or with more digits."""
    x = round(x, 9)
    if x == int(x):
        return before(int(x)) + f"{int(x):,}".replace(",", "[, ]?") + r"(?:\.0+)?(?!\d|\.\d|,\d{3}\b)"
    forms = set()
    for value in (x, math.floor(round(x * 10**places, 6)) / 10**places, math.floor(x * 10**places + 0.5) / 10**places):
        whole, decimals = f"{value:.{places}f}".split(".")
        whole = f"{int(whole):,}".replace(",", "[, ]?")
        forms.add(whole + r"\." + decimals + r"\d*")
        rest = decimals.rstrip("0")
        if rest != decimals:
            forms.add(whole + (r"\." + rest if rest else "") + r"0*(?!\d|\.\d)")
    if x == round(x, places):  # a sum of such numbers may come out a hair below
        below = f"{x - 10**-places:,.{places}f}".replace(",", "[, ]?").replace(".", r"\.")
        forms.add(below + r"9999\d*")
    return before(int(x)) + "(?:" + "|".join(sorted(forms)) + ")"


def rounded(x, places):
    """Finds x rounded to so many decimals, and not with more digits."""
    text = f"{x:.{places}f}"
    assert abs(abs(x * 10**places) % 1 - 0.5) > 1e-6, f"{x} is a tie"
    if not places or text.endswith("0"):
        return num(float(text))
    return before(int(x)) + re.escape(text) + r"0*(?!\d)"


def either(*patterns):
    return "(?:" + "|".join(dict.fromkeys(patterns)) + ")"


ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()  # fmt: skip
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()


def spelled(n):
    """Finds a whole number under 1000 in English words."""
    hundred = rf"{ONES[n // 100]}[- ]hundred" if n >= 100 else ""
    n %= 100
    rest = ONES[n] if n < 20 else TENS[n // 10] + (rf"[- ]?{ONES[n % 10]}" if n % 10 else "")
    end = r"\b(?![- ](?:hundred|thousand|point|" + "|".join(ONES[1:]) + "))"
    if hundred and not n:
        return rf"(?i)\b{hundred}\b(?! and)" + end
    return rf"(?i)(?<!hundred )(?<!hundred and )(?<!ty-)(?<!ty )\b{rest}{end}" if not hundred else rf"(?i)\b{hundred}(?: and)?[- ]{rest}{end}"


def on(day):
    """Finds a date, written in any usual way."""
    day_, month, year = day.day, day.strftime("%B"), day.year
    short = f"(?:{month}|{month[:3]})"
    return (rf"(?i)(?:{day.isoformat()}|\b0?{day_}(?:st|nd|rd|th)?(?: of)? {short},? {year}"
            rf"|{short} 0?{day_}(?:st|nd|rd|th)?,? {year}|\b0?{day_}[./]0?{day.month}[./]{year})")  # fmt: skip


def which(right, wrong):
    """Finds the one that is asked for; values beside it may be shown, but no other may be the one that stands out."""
    others = "|".join(re.escape(other) for other in wrong)
    name = re.escape(right)
    return rf"(?s)\A(?!(?=.*\b({others})\b.*\b\1\b)(?!.*\b{name}\b.*\b{name}\b)).*\b{name}\b"


def labelled(name, value, others, alone=False):
    """Finds a value that is said of this name and not of the others; where alone, also where none is named."""
    ends = "|".join(other for other in others if other != name)
    said = [rf"\b{name}\b(?:(?!\b(?:{ends})\b).)*?\b{value}\b", rf"(?:\A|\n)\W*{value}\b[^\n]*\b{name}\b"]
    return "(?is)(?:" + "|".join(said + [rf"\A(?!.*\b(?:{name}|{ends})\b).*\b{value}\b"] * alone) + ")"


# -- the goals

GOALS = []


def goal(text, *answer, files=None, steps=1, area, plugin=False):
    one = {"id": f"or{len(GOALS) + 1:02d}", "goal": text, "area": area, "steps": steps}
    GOALS.append(one | {"answer": list(answer), "files": files or {}} | ({"tools": "plugins"} if plugin else {}))


def read(name):
    return (W / name).read_text()


def rows(name):
    with open(W / f"tables/{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def words(name):
    """The words between blanks; where other ways of counting give another number, the goal may not use it."""
    text = read(name)
    assert len(text.split()) == len(re.findall(r"\w+", text)), f"{name}: what is a word is not plain"
    return len(text.split())


def word_counts(name):
    """The counts that pass for a markdown file, whose marks may count as words or not."""
    text = read(name)
    return either(num(len(text.split())), num(len(re.findall(r"[^\W_][\w'’-]*", text))))


def lines(name):
    return len(read(name).splitlines())


def make_goals():
    trees, sales, pickers = rows("trees"), rows("sales"), rows("pickers")
    config = json.loads(read("orchard.json"))
    opinions = [f"opinions/{n}.txt" for n in ("fair", "shop", "tasting")]
    pages = [f"notes/{n}.md" for n in ("pruning", "grafting", "pests")]
    mail = [f"mail/{n}.txt" for n in ("bauer", "ricci", "kowalska")]
    kilos = [float(r["kilos"]) for r in trees]
    unpaid = sum(r["paid"] == "no" for r in sales)

    # one step
    goal("how many words does notes/rules.txt have", num(words("notes/rules.txt")), area="text")
    found = re.findall(r"[A-Za-z]+", read("notes/pests.md"))
    longest = [w for w in set(found) if len(w) == max(map(len, found))]
    assert len(longest) == 1, longest
    goal("longest word in notes/pests.md?", rf"(?i)\b{longest[0]}\b", area="text")
    goal("Please pull the e-mail addresses out of suppliers.txt",
         *[re.escape(a) for a in sorted(set(re.findall(r"[\w.]+@[\w.-]+\w", read("suppliers.txt"))))], area="text")
    goal("what are the initials of Margaret Rose Appleby?", r"\bM\.? ?R\.? ?A\b", area="text", plugin=True)
    goal("23% of 1350", num(310.5, 1), area="maths")
    goal("What do 36 trees at 14.75 each cost?", num(531), area="maths")
    goal("convert 65 acres to hectares", num(65 * 0.40468564224), area="units")
    goal("The thermometer says 28 degrees Fahrenheit, what is that in Celsius?", r"(?i)(?:[-−–]|minus )\s?2\.2\d*", area="units")
    goal("which date is 45 days after 20 May 2026?", on(datetime.date(2026, 5, 20) + datetime.timedelta(days=45)), area="dates")
    goal("what season does 2026-11-03 fall in?", r"(?i)\bautumn\b", area="dates", plugin=True)
    goal("What number is MCMXLIV?", num(1944), area="numbers")
    digits = "507123400261"
    check = -sum(int(d) for d in digits[::2]) - 3 * sum(int(d) for d in digits[1::2])
    goal(f"complete the barcode {digits}", rf"\b{digits}[- ]?{check % 10}\b", area="numbers", plugin=True)
    goal("plural of leaf", r"(?i)\bleaves\b", area="micro")
    goal("Could you tell me the plural of goose?", r"(?i)\bgeese\b", area="micro")
    goal("Does opinions/shop.txt sound positive or negative?", r"(?i)\bnegative\b", area="micro")
    goal("In which language is mail/kowalska.txt?", r"(?i)\bpolish\b", area="micro")
    goal("look up the capacity_litres of the press in orchard.json", num(config["press"]["capacity_litres"]), area="data")
    goal("total of the kilos column in tables/trees.csv please", num(sum(kilos)), area="data")
    goal("What's the lowest height_m in tables/trees.csv?", num(min(float(r["height_m"]) for r in trees)), area="data")
    goal("md5 checksum of orchard.json", hashlib.md5((W / "orchard.json").read_bytes()).hexdigest(), area="files")
    goal("show the lines with ERROR in logs/pump.log", "pressure too low in line 3", "filter clogged",
         "no answer from the moisture sensor", r"(?s)\A(?!.*pump st).", area="files")
    notes = sorted((W / "notes").iterdir(), key=lambda p: p.stat().st_size)
    goal("which file in the notes folder is the biggest?", which(notes[-1].name, [p.name for p in notes[:-1]]), area="files")

    # two and three steps, one after the other
    last = read("notes/rules.txt").splitlines()[-1]
    goal("Take the last line of notes/rules.txt and put it in capitals", re.escape(last.upper()), steps=2, area="text")
    dates = [datetime.datetime.strptime(d, "%d %B %Y") for d in re.findall(r"\d+ [A-Z][a-z]+ \d{4}", read("notes/grafting.md"))]
    goal("find all the dates in notes/grafting.md and save them in dates.txt",
         files={"dates.txt": [on(d.date()) for d in dates]}, steps=2, area="text")
    moths = len(re.findall(r"\bmoth\b", read("notes/pests.md")))
    assert moths == len(re.findall("(?i)moth", read("notes/pests.md")))
    goal("how many times does 'moth' occur in notes/pests.md? spell the number out", spelled(moths), steps=2, area="text")
    guests = sorted(set(read("visitors.txt").split()), reverse=True)
    goal("Remove the repeated names from visitors.txt, sort the rest from Z to A and write them to guests.txt",
         files={"guests.txt": [r"\A[\W\d]*" + r"[\W\d]+".join(guests) + r"[\W\d]*\Z"]}, steps=3, area="text")
    goal("median of kilos in tables/trees.csv, rounded to a whole number", rounded(statistics.median(kilos), 0), steps=2, area="data")
    mean = statistics.mean(float(r["diameter_mm"]) for r in trees)
    assert 65 <= mean < 75
    goal("take the average diameter_mm in tables/trees.csv and tell me the grade of an apple of that diameter",
         r"(?i)\bdessert\b", steps=2, area="data", plugin=True)
    assert len(config["varieties"]) == 14
    goal("How many varieties are there in orchard.json? I'd like that in Roman numerals", r"\bXIV\b", steps=2, area="data")
    goal("count the rows of tables/sales.csv where paid is no and save the count to unpaid.txt",
         files={"unpaid.txt": [num(unpaid)]}, steps=2, area="data")
    goal("what percentage of the rows in tables/sales.csv has paid = no?", num(100 * unpaid / len(sales), 1), steps=3, area="data")
    goal("Store the plural of 'thief' in word.txt", files={"word.txt": [r"(?i)\A\W*thieves\W*\Z"]}, steps=2, area="micro")
    goal("get the tone of opinions/tasting.txt, turn it into upper case and write it to verdict.txt",
         files={"verdict.txt": [r"\bPOSITIVE\b"]}, steps=3, area="micro")
    goal("Our cider went from 1.056 to 1.004. How much alcohol by volume is that, to one decimal?",
         rounded((1.056 - 1.004) * 131.25, 1), steps=2, area="maths", plugin=True)
    goal("how many bushels are 500 kg of apples? round it to a whole number", rounded(500 / 19.05, 0), steps=2, area="units", plugin=True)

    # fan-out: the same work on each of several things
    goal("plurals of berry, fox and tooth please", r"(?i)\bberries\b", r"(?i)\bfoxes\b", r"(?i)\bteeth\b", steps=3, area="fan-out")
    goal("Write out 12, 57 and 208 in words", spelled(12), spelled(57), spelled(208), steps=3, area="fan-out")
    tones = {"fair": "positive", "shop": "negative", "tasting": "positive"}
    goal("is each of the files in opinions positive or negative?",
         *[labelled(name, tone, tones) for name, tone in tones.items()], steps=4, area="fan-out")
    goal("what language is every file in the mail folder in",
         r"(?i)bauer[^\n]*\b(?:german|de)\b", r"(?i)ricci[^\n]*\b(?:italian|it)\b",
         r"(?i)kowalska[^\n]*\b(?:polish|pl)\b", steps=4, area="fan-out")
    vowels = [sum(c in "aeiouAEIOU" for c in read(name)) for name in opinions]
    goal("count the vowels in each file in opinions", *map(num, vowels), steps=4, area="fan-out", plugin=True)
    counts = [lines(name) for name in pages]
    assert len(set(counts)) == len(counts), counts
    goal("How many lines are there in each markdown file in notes, and how many is that together?",
         *map(num, counts), num(sum(counts)), steps=5, area="fan-out")
    sizes = [(W / name).stat().st_size for name in mail]
    goal("give me the size of every file in mail and the sum of the sizes", *map(num, sizes), num(sum(sizes)), steps=5, area="fan-out")
    goal("for each file in notes count the words, and put the list in counts.txt",
         files={"counts.txt": [word_counts(name) for name in [*pages, "notes/rules.txt"]]}, steps=6, area="fan-out")

    # deeper
    goal("add up the kilos of the Bramley trees in tables/trees.csv",
         num(sum(float(r["kilos"]) for r in trees if r["variety"] == "Bramley")), steps=2, area="deep")
    baskets = defaultdict(list)
    for row in pickers:
        baskets[row["picker"]].append(int(row["baskets"]))
    goal("What is the average number of baskets for each picker in tables/pickers.csv?",
         *[rf"(?s)\b{name}\b(?:(?!{'|'.join(sorted(set(baskets) - {name}))}).)*?" + num(statistics.mean(b)) for name, b in sorted(baskets.items())],
         steps=2, area="deep")
    grown = (datetime.date(2025, 9, 14) - datetime.date(2025, 4, 3)).days
    goal("The buds broke on 3 April 2025 and we picked on 14 September 2025. How many full weeks is that?",
         num(grown // 7), steps=2, area="deep")
    yields = defaultdict(float)
    for row in trees:
        yields[row["variety"]] += float(row["kilos"])
    best = max(yields, key=yields.get)
    goal("which variety in tables/trees.csv has the highest total of kilos? write its name in capital letters",
         which(best.upper(), [v.upper() for v in yields if v != best]), steps=3, area="deep")
    chill = sum(0 < float(line.split()[-1]) <= 7 for line in read("logs/cold.txt").splitlines())
    goal("work out the chill hours of logs/cold.txt, divide them by 24, round to one decimal and save the result to chill.txt",
         files={"chill.txt": [rounded(chill / 24, 1)]}, steps=4, area="deep", plugin=True)
    goal("make summary.txt with the highest price in tables/sales.csv, the number of rows of tables/pickers.csv "
         "and the language of mail/ricci.txt",
         files={"summary.txt": [num(max(float(r["price"]) for r in sales)), num(len(pickers)), r"(?i)\bitalian\b"]},
         steps=5, area="deep")
    goal("Count the words of every file in opinions, add the numbers together, spell the sum out and write it to sum.txt",
         files={"sum.txt": [spelled(sum(map(words, opinions)))]}, steps=6, area="deep")
    print("values:", dict(longest=longest, kilos=sum(kilos), median=statistics.median(kilos), mean=mean, unpaid=unpaid,
          vowels=vowels, lines=counts, sizes=sizes, grown=grown, best=best, yields=dict(yields), chill=chill,
          baskets={n: statistics.mean(b) for n, b in baskets.items()}, words=[words(n) for n in opinions]))  # fmt: skip


UNDOABLE = """Will it rain on the orchard tomorrow?
translate mail/kowalska.txt into English and save it as kowalska_en.txt
Sum up notes/rules.txt in two sentences
send the list of suppliers to nursery@stocks.example
run scripts/water.py for 42 trees and tell me what it prints
delete logs/pump.log
rename notes/pests.md to notes/bugs.md
draw a bar chart of the kilos per variety in tables/trees.csv
Phone Otto and ask him when the ladders come
which of the pickers deserves a bonus, going by tables/pickers.csv and your gut feeling?
write a friendly reply to mail/bauer.txt
what do apples sell for at the wholesale market today?
install pandas
pack the tables folder into a zip file
Please fix the FIXME in scripts/label.py
Who won the cider competition in Hereford last year?
remind me on Tuesday to grease the press
how much are 200 euros in dollars right now?
count the words of notes/rules.txt and post the number on our website
Could you correct the spelling in opinions/fair.txt?"""


def write(name, goals):
    (HERE / name).write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in goals))


if __name__ == "__main__":
    make_workspace()
    make_goals()
    write("goals.jsonl", GOALS)
    write("undoable.jsonl", [{"id": f"ou{i:02d}", "goal": text} for i, text in enumerate(UNDOABLE.splitlines(), 1)])
    print(len(GOALS), dict(Counter(one["area"] for one in GOALS)), dict(Counter(one["steps"] for one in GOALS)))

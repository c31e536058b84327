"""Writes workspace/, goals.jsonl and undoable.jsonl of this set:  python make.py

Every expected value is computed here from the files, with plain Python and none of the tools.
"""

import csv
import datetime
import hashlib
import json
import re
import shutil
import sys
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE / "plugins"))

import labels  # noqa: E402
import shop  # noqa: E402
import wine  # noqa: E402

TEXTS = {
    "diary/april.md": """The buds on the lower slope opened on the second, far too early.
Frost on the fifth, and frost again on the sixth, so we lit the candles at three in the morning.
Grandmother brought soup to everybody between the rows.
We lost perhaps a tenth of the Silvaner, the Riesling came through.
One more frost on the nineteenth, a light one.
Uncle Peter mended the wall by the chapel and sang all day.
""",
    "diary/october.md": """Picking ended on the ninth with the last Riesling.
The press broke twice and the smith came both times.
Eleven pickers stayed for supper, three of them slept in the barn.
The must tastes of apples and a little of smoke.
""",
    "diary/winter.md": """We pruned the old vines and the young vines.
The wind and the rain took the roof of the shed.
Snow lay on the vines until the end of the month.
Pruned the rest of the vines and burned the wood.
The cellar was quiet and cold.
""",
    "labels.txt": """Steinhang Riesling 2021
grown and bottled by the Adler family
dry, twelve percent by volume
contains sulphites
""",
    "pickers.txt": "Tomas\nIrena\nJakub\nIrena\nBeate\nWojtek\nTomas\nLena\nDorota\nBeate\nIrena\n",
    "cellar/tanks.log": """06:15 tank 1 Riesling 16.2 degrees
06:20 tank 2 Silvaner 17.9 degrees
06:25 tank 3 Pinot Noir 24.1 degrees
06:40 cooling switched on for tank 3
12:10 tank 1 Riesling 16.8 degrees
12:15 tank 2 Silvaner 18.0 degrees
12:20 tank 3 Pinot Noir 22.6 degrees
18:05 tank 1 Riesling 17.1 degrees
18:10 pump cleaned
18:30 lamp by the stairs replaced
""",
    "shop/customers.txt": """Regulars of the shop, copied from the old card box
Brandt, Kassel, two crates each spring, write to h.brandt@postfach.example
Wine bar Zum Krug, order by mail: keller@zumkrug.example, their list is at https://zumkrug.example/karte
Madame Duval comes by in person, no mail, no telephone
De Smet in Ghent, bestel@desmet.example
""",
    "tastings/guestbook/friday.txt": """What a wonderful evening. The wines were delicious, our host was charming and funny, and the cheese was perfect.
We loved every minute and will gladly come back.
""",
    "tastings/guestbook/monday.txt": """Very disappointing. We waited an hour in the cold, the wine was warm and sour, and nobody apologised.
A waste of money, never again.
""",
    "tastings/guestbook/saturday.txt": """A great tasting, friendly people and excellent wine.
The best day of our holiday, thank you so much.
""",
    "tastings/guestbook/sunday.txt": """Terrible. The room was dirty, the guide was rude and bored, and two of the glasses were broken.
I hated it and I want my money back.
""",
    "mails/hoffmann.txt": """Dear Adler family,
the twelve bottles arrived yesterday and they are fantastic. Thank you for the quick delivery and the lovely card.
We are very happy and will order again soon.
Warm regards, Ute Hoffmann
""",
    "mails/brandt.txt": """Hello,
three of my bottles were broken and the box was soaked. This is the second time. I am really annoyed.
H. Brandt
""",
    "mails/abroad/bestellung.txt": """Sehr geehrte Familie Adler,
wir möchten gerne zwölf Flaschen von Ihrem trockenen Riesling bestellen. Können Sie uns bitte mitteilen, wann die Lieferung kommt?
Mit freundlichen Grüßen
""",
    "mails/abroad/commande.txt": """Bonjour,
nous avons goûté votre vin chez des amis et nous voudrions acheter six bouteilles pour le mariage de notre fille.
Est-ce que vous livrez aussi à Lyon ? Merci beaucoup.
""",
    "mails/abroad/ordine.txt": """Buongiorno,
vorrei ordinare dodici bottiglie del vostro vino rosso per il nostro ristorante. Quanto costa la spedizione e quando potete consegnare?
Grazie mille e cordiali saluti.
""",
    "mails/abroad/pedido.txt": """Buenos días:
el mes pasado estuvimos en su bodega y nos gustó mucho el vino blanco. Queremos comprar ocho botellas, ¿cuánto cuesta el envío a Sevilla?
Muchas gracias y un saludo.
""",
    "plans/cellar.md": """Move the two small barrels to the back wall.
CHECK the seal of the press
Order yeast before August.
CHECK the date on the sulphur strips
CHECK whether the hose still leaks
""",
    "plans/shop.md": """New shelf behind the counter.
CHECK the prices on the board
CHECK that the card reader has paper
""",
    "plans/spring.md": """Prune until the end of February.
CHECK the wires on the upper slope
Borrow the harrow from the neighbours.
CHECK the tyres of the small tractor
""",
    "plans/ideas.txt": """A bench under the walnut tree.
CHECK with the council about a sign on the main road
""",
    "harvests.csv": """year,parcel,grape,kilos,sugar
2020,Steinhang,Riesling,4120,21.4
2020,Kapelle,Silvaner,2875,19.8
2020,Unterberg,Pinot Noir,1960,23.1
2021,Steinhang,Riesling,3745,20.6
2021,Kapelle,Silvaner,3010,19.2
2021,Unterberg,Pinot Noir,1685,22.7
2022,Steinhang,Riesling,4390,22.9
2022,Kapelle,Silvaner,2540,20.3
2022,Unterberg,Pinot Noir,2215,24.6
2023,Steinhang,Riesling,3980,21.9
2023,Kapelle,Silvaner,2190,18.7
2023,Unterberg,Pinot Noir,2055,23.8
""",
    "cellar/barrels.csv": """barrel,oak,wine,litres,filled
Old Martha,French,Pinot Noir,225,2022-11-04
Little Karl,German,Pinot Noir,114,2022-11-04
The Bishop,German,Riesling,600,2023-10-21
Josefine,French,Silvaner,300,2023-10-12
Widow,Hungarian,Pinot Noir,228,2023-11-15
The Twins,German,Silvaner,483,2023-10-12
""",
    "shop/orders.csv": """number,customer,country,wine,bottles,amount,paid
501,Brandt,Germany,Riesling,12,118.80,yes
502,De Smet,Belgium,Pinot Noir,18,261.00,yes
503,Hoffmann,Germany,Silvaner,12,94.80,yes
504,Gruber,Austria,Riesling,6,59.40,no
505,Duval,France,Pinot Noir,3,43.50,yes
506,Lindner,Germany,Pinot Noir,24,348.00,no
507,Mayr,Austria,Silvaner,9,71.10,yes
508,Peeters,Belgium,Riesling,36,356.40,yes
509,Kowalski,Germany,Riesling,7,69.30,yes
510,Steiner,Austria,Pinot Noir,6,87.00,yes
511,Moreau,France,Silvaner,15,118.50,no
512,Egger,Austria,Riesling,30,297.00,yes
""",
    "shop/shop.json": json.dumps(
        {
            "name": "Adler wines",
            "phone": "555 0142",
            "opening": {"weekdays": "14:00-18:30", "saturday": "10:00-16:00", "sunday": "closed"},
            "wines": [
                {"name": "Steinhang", "grape": "Riesling", "price": 9.9},
                {"name": "Kapelle", "grape": "Silvaner", "price": 7.9},
                {"name": "Unterberg", "grape": "Pinot Noir", "price": 14.5},
                {"name": "Abendrot", "grape": "Dornfelder", "price": 8.2},
            ],
        },
        indent=2,
    )
    + "\n",
}

shutil.rmtree(W, ignore_errors=True)
for path, text in TEXTS.items():
    (W / path).parent.mkdir(parents=True, exist_ok=True)
    (W / path).write_text(text, encoding="utf-8")


def read(path):
    return (W / path).read_text(encoding="utf-8")


def table(path):
    with open(W / path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(path):
    """The lines of a file; the files have no empty ones, so that there is one way of counting them."""
    found = read(path).splitlines()
    assert all(line.strip() for line in found), path
    return len(found)


def words(path):
    """The words of a file, where two ways of counting them agree."""
    text = read(path)
    assert len(text.split()) == len(re.findall(r"\w+", text)), path
    return len(text.split())


BEFORE, AFTER = r"(?<!\d)(?<!\d[.,])", r"(?!\d)(?![.,]\d)"


def num(x, places=2):
    """A pattern for the number x: rounded to `places` decimals or to more, zeros at its end or not."""
    x = round(x, 9)
    forms = {f"{x:.{p}f}" for p in range(places, 7)} if x != int(x) else {str(int(x))}
    short = {form.rstrip("0").rstrip(".") if "." in form else form for form in forms}
    either = []
    for form in sorted(short, key=len, reverse=True):
        whole, _, decimals = form.partition(".")
        whole = f"{int(whole):,}".replace(",", "[, ]?")
        either.append(whole + (r"\." + decimals + "0*" if decimals else r"(?:\.0+)?"))
    if x != int(x):
        whole, _, decimals = f"{x:.9f}"[:-3].partition(".")
        either.append(f"{int(whole):,}".replace(",", "[, ]?") + r"\." + decimals + r"\d+")
        whole, _, decimals = f"{x - 1e-9:.9f}"[:-2].partition(".")
        if decimals.endswith("9999"):  # as a computer may print it: 57.199999999999996
            either.append(f"{int(whole):,}".replace(",", "[, ]?") + r"\." + decimals + r"\d*")
    return f"{BEFORE}(?:{'|'.join(either)}){AFTER}"


def exactly(*rows):
    return r"(?i)\A\s*" + r"\s*\r?\n\s*".join(re.escape(row) for row in rows) + r"\s*\Z"


def without(*wrong):
    return r"(?is)\A(?!.*(?:" + "|".join(wrong) + "))"


def tied(name, value, others):
    """A pattern for a value that is said of a name, with none of the other names between."""
    between = "".join(f"(?!{re.escape(other)})" for other in others if other != name)
    return rf"(?is)\b{re.escape(name)}\b(?:{between}.){{0,90}}?(?:{value})"


def day(date):
    """A pattern for a date in one of the usual ways of writing it."""
    d, m, y, name = date.day, date.month, date.year, date.strftime("%B")
    month = rf"(?:{name}|{name[:3]})\.?"
    return (
        rf"(?i)\b{y}-{m:02d}-{d:02d}\b|\b0?{d}(?:th|st|nd|rd)?(?: of)? {month},? {y}|\b{month} 0?{d}(?:th|st|nd|rd)?,? {y}"
        rf"|\b0?{d}[./]0?{m}[./]{y}\b|\b0?{m}/0?{d}/{y}\b"
    )


POSITIVE, NEGATIVE = r"(?i)\bpositive\b", r"(?i)\bnegative\b"
GOALS = []


def goal(text, *answer, area, steps=1, files=None, tools=False):
    row = {"id": f"vy{len(GOALS) + 1:02d}", "goal": text, "area": area, "steps": steps, "answer": list(answer)}
    row["files"] = files or {}
    if tools:
        row["tools"] = "plugins"
    GOALS.append(row)


harvests, barrels, orders = table("harvests.csv"), table("cellar/barrels.csv"), table("shop/orders.csv")
shopfile = json.loads(read("shop/shop.json"))
GUESTS = ["friday", "monday", "saturday", "sunday"]
MAILS = ["bestellung", "commande", "ordine", "pedido"]
DIARY = ["april", "october", "winter"]

# text
goal("word count of diary/april.md?", num(words("diary/april.md")), area="text")
frost = re.findall(r"(?i)\bfrost\b", read("diary/april.md"))
assert len(frost) == len(re.findall("(?i)frost", read("diary/april.md")))
goal("How often does the word frost come up in diary/april.md?", num(len(frost)), without("candles"), area="text")
goal(
    "Could you pull all the email addresses out of shop/customers.txt for me?",
    *[re.escape(a) for a in re.findall(r"[\w.]+@[\w.]+\w", read("shop/customers.txt"))],
    without("Kassel", "https", "Duval"),
    area="text",
)
goal(
    "show me only the lines in cellar/tanks.log with Riesling in them",
    *[re.escape(row) for row in read("cellar/tanks.log").splitlines() if "Riesling" in row],
    without("Silvaner", "Pinot", "lamp", "pump"),
    area="text",
)
common = Counter(re.findall(r"\w+", read("diary/winter.md").lower())).most_common()
top = [word for word, _ in common[:3]]
assert common[2][1] > common[3][1], common
goal(
    "Which three words are used most in diary/winter.md?",
    *[rf"(?i)\b{word}\b" for word in top],
    without("shed", "quiet"),
    area="text",
)
goal(
    "I need the second line of labels.txt all in capital letters",
    re.escape(read("labels.txt").splitlines()[1].upper()),
    without("sulphites"),
    area="text",
    steps=2,
)
goal(
    "Some names are in pickers.txt more than once. Please make a clean list, each name only once and in alphabetical "
    "order, and put it in pickers_clean.txt.",
    area="text",
    steps=3,
    files={"pickers_clean.txt": [exactly(*sorted(set(read("pickers.txt").split())))]},
)

# maths
goal("288 / 6 - 4 * 7.5", num(288 / 6 - 4 * 7.5), area="maths")
goal("A box of corks costs 14.25 and we need 36 boxes. How much is 36 times 14.25?", num(36 * 14.25), area="maths")
goal("please add 20% to 64.50 and give me the new price", num(64.5 * 1.2), area="maths", steps=2)

# units
goal("14 °C in fahrenheit?", num(14 * 9 / 5 + 32, 1), area="units")
goal(
    "An American guest wants to know how big our land is. What are 4.2 hectares in acres?",
    num(4.2 * 10000 / 4046.8564224, 1),
    area="units",
)
goal(
    "turn 850 pounds into kilograms and round that to the nearest whole number",
    num(round(850 * 0.45359237)),
    area="units",
    steps=2,
)

# dates
WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
picked = WEEK[datetime.date(2022, 9, 24).weekday()]
goal(
    "24 September 2022, what day of the week was that?",
    rf"(?i)\b{picked}\b",
    without(*[d for d in WEEK if d != picked]),
    area="dates",
)
goal(
    "We filled the tank on 12 March 2024. What date is 45 days after that?",
    day(datetime.date(2024, 3, 12) + datetime.timedelta(45)),
    area="dates",
)
goal(
    "the red was bottled on 2023-03-15 and went on sale on 2024-02-20, how many full weeks are between the two dates?",
    num((datetime.date(2024, 2, 20) - datetime.date(2023, 3, 15)).days // 7),
    area="dates",
    steps=2,
)

# numbers
goal("2019 as a roman numeral", r"\bMMXIX\b", area="numbers")
goal(
    "For a cheque: how is 1206 written out in words?",
    r"(?i)\b(?:one|a) thousand,? (?:and )?two hundred(?: and)? six\b|\btwelve hundred (?:and )?six\b",
    area="numbers",
)

# micro
goal("plural of cherry?", r"(?i)\bcherries\b", area="micro")
goal(
    "Does the guest who wrote tastings/guestbook/monday.txt sound positive or negative?",
    NEGATIVE,
    without(r"\bpositive\b"),
    area="micro",
)
goal(
    "mails/abroad/ordine.txt came in this morning, which language is it?",
    r"(?i)\bitalian\b|\A\W*it\W*\Z",
    without("french", "german", "spanish", "portuguese"),
    area="micro",
)
goal(
    "I'd like the plural of bush saved in a file called word.txt",
    area="micro",
    steps=2,
    files={"word.txt": [exactly("bushes")]},
)
goal(
    "check whether mails/hoffmann.txt is positive or negative and keep the result in verdict.txt",
    area="micro",
    steps=3,
    files={"verdict.txt": [POSITIVE, without("negative")]},
)

# data
goal(
    "In shop/shop.json, what is opening.saturday set to?",
    re.escape(shopfile["opening"]["saturday"]),
    without("14:00"),
    area="data",
)
amounts = [float(row["amount"]) for row in orders]
goal("What's the average amount of an order in shop/orders.csv?", num(sum(amounts) / len(amounts)), area="data")
goal("lowest sugar in harvests.csv", num(min(float(r["sugar"]) for r in harvests), 1), without("19.2"), area="data")
goal(
    "how many of the orders in shop/orders.csv went to Austria?",
    num(sum(row["country"] == "Austria" for row in orders)),
    without("Egger"),
    area="data",
    steps=2,
)
most = max(barrels, key=lambda row: float(row["litres"]))["barrel"]
goal(
    "Which barrel in cellar/barrels.csv has the most litres in it?",
    rf"(?i)\b{most}\b",
    without(*[row["barrel"] for row in barrels if row["barrel"] != most]),
    area="data",
    steps=2,
)
goal(
    "Who are the customers with paid = no in shop/orders.csv?",
    *[rf"\b{row['customer']}\b" for row in orders if row["paid"] == "no"],
    without(*[row["customer"] for row in orders if row["paid"] == "yes"]),
    area="data",
    steps=2,
)
goal(
    "give me the names of the wines in shop/shop.json from A to Z",
    "(?is)" + ".*".join(sorted(entry["name"] for entry in shopfile["wines"])),
    area="data",
    steps=2,
)

# files
goal(
    "What files have I got in the plans folder?",
    *[re.escape(path.name) for path in sorted((W / "plans").iterdir())],
    area="files",
)
goal("sha256 checksum for labels.txt please", hashlib.sha256((W / "labels.txt").read_bytes()).hexdigest(), area="files")
marks = [
    (path.name, number, row)
    for path in sorted((W / "plans").iterdir())
    for number, row in enumerate(read(f"plans/{path.name}").splitlines(), 1)
    if "CHECK" in row
]
goal(
    "where in the plans folder does it say CHECK?",
    *[rf"{re.escape(row.split(' ', 1)[1])}|{re.escape(name)}[^\n]{{0,30}}?\b{n}\b" for name, n, row in marks],
    without("walnut", "Order yeast", "harrow"),
    area="files",
)

# fan-out
goal(
    "for every entry in tastings/guestbook, tell me how many words it has",
    *[tied(g, num(words(f"tastings/guestbook/{g}.txt")), GUESTS) for g in GUESTS],
    area="fan-out",
    steps=5,
)
goal(
    "What are the plurals of barrel, bunch and leaf?",
    r"(?i)\bbarrels\b",
    r"(?i)\bbunches\b",
    r"(?i)\bleaves\b",
    area="fan-out",
    steps=3,
)
SPOKEN = {"bestellung": "german|[:=(] *de", "commande": "french|[:=(] *fr", "ordine": "italian|[:=(] *it"}
SPOKEN["pedido"] = "spanish|[:=(] *es"
goal(
    "We got four mails from other countries, they are in mails/abroad. Which language is each of them in?",
    *[tied(mail, rf"(?:{SPOKEN[mail]})\b", MAILS) for mail in MAILS],
    area="fan-out",
    steps=5,
)
TONES = {"friday": "positive", "monday": "negative", "saturday": "positive", "sunday": "negative"}
goal(
    "Go through the files in tastings/guestbook and say for each whether the tone is positive or negative",
    *[tied(guest, rf"\b{TONES[guest]}\b", GUESTS) for guest in GUESTS],
    area="fan-out",
    steps=5,
)
counts = [lines(f"diary/{month}.md") for month in DIARY]
goal(
    "how many lines are in each file of the diary folder, and how many altogether?",
    *[tied(month, num(count), DIARY) for month, count in zip(DIARY, counts, strict=True)],
    num(sum(counts)),
    area="fan-out",
    steps=5,
)

# deep
goal(
    "How many bottles did the customers from Germany order in total, going by shop/orders.csv?",
    num(sum(int(row["bottles"]) for row in orders if row["country"] == "Germany")),
    area="deep",
    steps=2,
)
kilos = defaultdict(int)
for row in harvests:
    kilos[row["grape"]] += int(row["kilos"])
goal(
    "total kilos for each grape in harvests.csv",
    *[tied(grape, num(total), list(kilos)) for grape, total in kilos.items()],
    area="deep",
    steps=2,
)
goal(
    "Add up the litres in cellar/barrels.csv, divide the sum by 0.75 and save the result in bottles.txt",
    area="deep",
    steps=3,
    files={"bottles.txt": [num(sum(float(row["litres"]) for row in barrels) / 0.75)]},
)
SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
open_marks = sum(len(re.findall("CHECK", read(f"plans/{p.name}"))) for p in (W / "plans").glob("*.md"))
assert open_marks == sum(len(re.findall("(?i)check", p.read_text())) for p in (W / "plans").glob("*.md"))
goal(
    "count how many times CHECK stands in each markdown file of plans, add the counts together and write the sum as a "
    "word to open.txt",
    area="deep",
    steps=6,
    files={"open.txt": [exactly(SMALL[open_marks])]},
)
sugar = max(float(row["sugar"]) for row in harvests)
goal(
    "Please create week.md with three things in it: the number of words in diary/october.md, the language of "
    "mails/abroad/pedido.txt and the highest sugar in harvests.csv.",
    area="deep",
    steps=5,
    files={"week.md": [num(words("diary/october.md")), r"(?i)\bspanish\b|[:=(] *es\b|(?m:^\W*es\W*$)", num(sugar, 1)]},
)
longer, shorter = sorted(("april", "october"), key=lambda month: -words(f"diary/{month}.md"))
goal(
    "does diary/april.md or diary/october.md have more words?",
    rf"(?is)\b{longer}\b(?!.*\b{shorter}\b)|\b{longer}\b[^\n]{{0,50}}\b(?:more|longer|larger|most|greater)\b",
    area="deep",
    steps=3,
)

# plugins
goal(
    "how much alcohol will a must of 22.4 Brix give?", num(wine.potential_alcohol(22.4), 1), area="plugins", tools=True
)
goal("Which rack is the Silvaner in?", rf"\b{wine.rack('Silvaner')}\b", area="plugins", tools=True)
goal(
    "What would it cost us to send 18 bottles to Belgium?", num(shop.shipping(18, "Belgium")), area="plugins", tools=True
)
goal(
    "make the lot code for the Riesling of 2021 and save it in lot.txt",
    area="plugins",
    steps=2,
    files={"lot.txt": [exactly(labels.lot_code("Riesling", 2021))]},
    tools=True,
)
goal(
    "sum up the bottles column of shop/orders.csv and tell me how many crates that many bottles need",
    num(shop.crates(sum(int(row["bottles"]) for row in orders))),
    without(r"\b36\b"),
    area="plugins",
    steps=2,
    tools=True,
)
goal(
    "when is the shop open on Thursday, and when on Saturday?",
    *[rf"\b{h.split('-')[0]}\s*(?:-|–|to|until|and)\s*{h.split('-')[1]}\b" for h in map(shop.opening_hours, ("Thursday", "Saturday"))],
    area="plugins",
    steps=2,
    tools=True,
)

UNDOABLE = [
    ("write a short poem about our Riesling for the back label", "creative"),
    ("Please translate mails/abroad/commande.txt into English.", "translation"),
    ("answer Mr Brandt's mail (mails/brandt.txt) politely and offer him a discount", "letters"),
    ("sum diary/october.md up in two sentences", "summary"),
    ("Which of our wines goes best with trout?", "opinion"),
    ("email shop/orders.csv to our accountant", "sending"),
    ("print forty labels for the new Silvaner", "effect"),
    ("which country produced the most wine in 2020?", "knowledge"),
    ("Will it rain during the harvest next week?", "knowledge"),
    ("how many words are there in mails/petersen.txt?", "missing"),
    ("average of the price column in shop/stock.csv", "missing"),
    ("think of five good names for our new rosé", "creative"),
    ("Could you make the text in labels.txt sound more elegant?", "rewriting"),
    ("is 7.90 a fair price for the Silvaner?", "opinion"),
    ("ring Mr Brandt and tell him that his crate is ready", "effect"),
    ("draw a picture of the old wine press for the website", "creative"),
    ("do the same for the other one as well", "ambiguous"),
    ("Why did the fermentation in tank 3 get so warm?", "reasoning"),
    ("book us a table at the inn for Saturday evening", "effect"),
    ("turn diary/april.md into a cheerful post for our website", "rewriting"),
]

for name, rows in (
    ("goals.jsonl", GOALS),
    ("undoable.jsonl", [{"id": f"vyu{n:02d}", "goal": g, "area": a} for n, (g, a) in enumerate(UNDOABLE, 1)]),
):
    (HERE / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
print(len(GOALS), len(UNDOABLE), dict(Counter(row["area"] for row in GOALS)))

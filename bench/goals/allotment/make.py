"""Writes workspace/, goals.jsonl and undoable.jsonl of this set:  python make.py

Every expected value is computed here from the files, with plain Python and none of the tools. Beside it stands a right
answer that was worked out by hand (`right`), and where it helps a wrong one; the patterns are tried on both.
"""
import csv
import datetime as dt
import importlib.util
import json
import re
import shutil
import sys
from collections import Counter, defaultdict
from fractions import Fraction as F
from pathlib import Path

HERE = Path(__file__).parent
sys.dont_write_bytecode = True
W = HERE / "workspace"

FILES = {}
FILES["plots.csv"] = """\
plot,tenant,size_m2,rent,paid
A1,Priya Nair,120,60.40,yes
A2,Tom Ashdown,150,78.00,yes
A3,Ruth Kessler,95,53.80,no
A4,Yusuf Demir,210,95.60,yes
A5,Wanda Zielinska,180,91.20,yes
A6,Oskar Lund,135,82.40,no
B1,Femi Adeyemi,160,71.40,yes
B2,Kit Marlow,110,64.80,yes
B3,Dolores Pinto,225,111.00,no
B4,Agnes Whitby,140,73.60,yes
B5,Hamish Orr,175,89.00,yes
B6,Lena Brandt,88,50.72,yes
C1,Joaquim Sousa,200,100.00,no
C2,Nell Farrow,246,120.24,yes
C3,Iris Chen,130,69.20,yes
C4,Bogdan Petrov,190,104.40,no
C5,Maud Tiller,105,58.20,yes
C6,Sam Okoro,165,84.60,yes
"""
FILES["harvest.csv"] = """\
date,plot,crop,kg
2024-06-03,A1,peas,1.4
2024-06-05,B3,lettuce,0.9
2024-06-09,C2,peas,2.1
2024-06-15,A4,strawberries,3.2
2024-06-16,B1,lettuce,1.3
2024-06-22,C2,strawberries,4.5
2024-06-30,A1,peas,1.8
2024-07-04,B3,courgettes,5.6
2024-07-07,C4,potatoes,12.5
2024-07-11,A5,courgettes,3.7
2024-07-15,B1,tomatoes,2.2
2024-07-20,C2,potatoes,9.8
2024-07-24,A4,tomatoes,4.6
2024-07-28,B6,lettuce,0.7
2024-08-01,C1,tomatoes,6.3
2024-08-06,B3,courgettes,4.4
2024-08-10,A2,potatoes,15.2
2024-08-13,C2,tomatoes,5.9
2024-08-19,A5,courgettes,2.9
2024-08-25,B1,tomatoes,3.8
2024-09-02,C4,potatoes,11.1
2024-09-08,A2,peas,0.6
2024-09-14,C1,tomatoes,1.7
"""
FILES["seeds/list.csv"] = """\
variety,crop,packets,price_each
Sungold,tomato,6,2.95
Moneymaker,tomato,9,1.80
Kelvedon Wonder,pea,14,2.10
Meteor,pea,5,2.25
Musselburgh,leek,8,1.95
Nantes,carrot,12,1.65
Autumn King,carrot,7,1.75
Black Beauty,courgette,4,2.40
Little Gem,lettuce,11,1.50
Lollo Rossa,lettuce,3,1.85
Jack Be Little,pumpkin,2,3.10
"""
FILES["seeds/jars.txt"] = """\
beans
peas
chard
peas
leeks
beans
peas
chard
beans
peas
dill
peas
leeks
"""
FILES["association.json"] = json.dumps(
    {
        "name": "Fennel Lane Allotments",
        "founded": 1934,
        "chair": {"name": "Agnes Whitby", "phone": "555-0177"},
        "treasurer": {"name": "Hamish Orr", "phone": "555-0163"},
        "fees": {"joining": 25, "key_deposit": 17.5, "late_payment": 8},
        "water": {"open_from": "April", "taps": 11},
        "committee": [
            {"name": "Tom Ashdown", "since": 2016},
            {"name": "Dolores Pinto", "since": 2004},
            {"name": "Iris Chen", "since": 2021},
            {"name": "Bogdan Petrov", "since": 2009},
            {"name": "Priya Nair", "since": 2013},
        ],
    },
    indent=2,
) + "\n"
FILES["rules.txt"] = """\
Every tenant keeps the paths beside the plot free of weeds.
Bonfires are allowed only in November and never before dusk.
Dogs stay on a lead and away from the pond.
Hosepipes may be used for one hour in the evening.
Return borrowed tools to the shed on the same day.
Sheds and greenhouses need the written agreement of the committee.
Whoever leaves clears the plot and hands the key to the treasurer.
"""
FILES["waiting_list.txt"] = """\
Marta Engel
Colin Frayne
Su Lin
Colin Frayne
Abel Novak
Petra Voss
Marta Engel
Gwen Hollis
Su Lin
"""
FILES["noticeboard.txt"] = """\
Lost near the pond: one green glove. Write to maud.tiller@fennel.example if you find it.
Surplus rhubarb on plot B5, ask Hamish (treasurer@fennel.example).
Swap your seeds on Sunday, details at https://fennel.example/swap or from seeds@fennel.example.
Late rent? Talk to treasurer@fennel.example before the end of the month.
The old site http://allotments.example/old is no longer looked after.
"""
FILES["notice.txt"] = """\
The hosepipe by the gate leaks. Please do not use that hosepipe until Friday.
A new hosepipe has been ordered and will hang by the pump.
"""
FILES["shed/log.txt"] = """\
2024-05-03 OUT wheelbarrow Priya
2024-05-03 OUT spade Tom
2024-05-03 IN wheelbarrow Priya
2024-05-04 IN spade Tom
2024-05-07 OUT shears Lena
2024-05-09 OUT ladder Sam
2024-05-09 OUT wheelbarrow Nell
2024-05-10 IN ladder Sam
2024-05-12 IN shears Lena
2024-05-13 OUT strimmer Kit
2024-05-15 IN wheelbarrow Nell
"""
FILES["shed/tools.csv"] = """\
tool,count,condition
spade,7,good
fork,5,good
rake,4,worn
wheelbarrow,3,good
ladder,1,worn
strimmer,2,broken
shears,6,worn
"""
FILES["minutes/march.txt"] = """\
Spring meeting of the committee in the community hall
Present were nine members and two guests from the school
The treasurer reported that five tenants have not paid their rent
The pump will be repaired before the water is turned on in April
It was agreed to buy three new wheelbarrows for the shed
"""
FILES["minutes/june.txt"] = """\
Summer meeting of the committee on the lawn
Present were fourteen members
Agnes spoke about slugs and asked who had lost lettuce to slugs
Kit offered to set beer traps against the slugs on every path
The open day is planned for the last Saturday of July with tea and cake
Wanda reminded everyone that copper tape keeps slugs away from pots
The fence along the railway will be painted green by volunteers
"""
FILES["minutes/october.txt"] = """\
Autumn meeting of the committee in the shed
Present were eleven members
The harvest supper was a success and raised money for a new roof
Two plots become free at the end of the year
The gate code will change every day from November
It was agreed to order manure for all
"""
FILES["mails/abroad/inge.txt"] = """\
Liebe Gartenfreunde, wir haben im Sommer Ihre schönen Gärten besucht und möchten gerne wissen, ob Sie uns ein paar Samen von den roten Bohnen schicken können. Vielen Dank im Voraus und herzliche Grüße aus Kassel.
"""
FILES["mails/abroad/paolo.txt"] = """\
Cari amici, vi ringrazio per la bella giornata che abbiamo passato insieme nei vostri orti. Le zucchine sono già cresciute molto e mia moglie vorrebbe sapere quando bisogna raccogliere i fagioli.
"""
FILES["mails/abroad/amelie.txt"] = """\
Bonjour à tous, je voudrais savoir si votre association accepte encore de nouveaux membres, car nous allons déménager près de chez vous au printemps et nous cherchons un petit jardin pour toute la famille.
"""
FILES["mails/visitors/club.txt"] = """\
Thank you so much for the wonderful tour. The gardens were beautiful, everyone was kind and the cake was delicious. We enjoyed every minute and would love to come again!
"""
FILES["mails/visitors/hedge.txt"] = """\
I am very disappointed. Your hedge is a disgrace, it ruins my view, and the man on the phone was rude and useless. This is the worst garden in town.
"""
FILES["mails/visitors/school.txt"] = """\
The children had a fantastic morning and loved picking strawberries. It was a great day, thanks for being such friendly hosts.
"""
FILES["mails/visitors/smoke.txt"] = """\
The smoke from your bonfire was horrible. It made my washing filthy and spoiled our whole Sunday. I am angry and nobody even said sorry, it was awful.
"""
FILES["notices/openday.md"] = """\
# Open day
Come and see our gardens on the last Saturday of July.
Tea and cake from two in the afternoon.
Bring a chair.
"""
FILES["notices/water.md"] = """\
# Water
The taps are off from November to March.
"""
FILES["notices/compost.md"] = """\
# Compost
Leaves, grass and peelings are welcome.
Please keep out:
- cooked food
- glass
- plastic pots
"""
FILES["notices/keys.txt"] = """\
Keys are handed out by the treasurer.
A lost key costs the deposit.
Please do not lend your key.
"""
FILES["scripts/water.py"] = '''\
"""Says which beds need water."""


def thirsty(days, rain):
    # FIXME: leap days are counted twice
    return days > 3 and rain < 2


def litres(area):
    # FIXME: sandy soil needs more
    return area * 10
'''
FILES["scripts/signs.py"] = '''\
"""Prints the signs on the plots."""


def sign(plot, tenant):
    # FIXME: long names run over the edge
    return f"{plot}: {tenant}"
'''
FILES["scripts/rota.py"] = '''\
"""Draws up the tea rota."""


def pair(week, people):
    return people[week % len(people)], people[(week + 1) % len(people)]
'''

shutil.rmtree(W, ignore_errors=True)
for name, text in FILES.items():
    (W / name).parent.mkdir(parents=True, exist_ok=True)
    (W / name).write_text(text, encoding="utf-8")


def rd(path):
    return (W / path).read_text(encoding="utf-8")


def rows(path):
    with open(W / path, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def words(path):
    return len(rd(path).split())


def lines(path):
    return len(rd(path).splitlines())


def plugin(name):
    spec = importlib.util.spec_from_file_location(name, HERE / "plugins" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BEFORE, AFTER = r"(?<!\d)(?<!\d[.:/-])(?<![-−])", r"(?!\d)(?!\.\d)(?!,\d{3}(?!\d))(?![-/:]\d)"


def num(x, places=2, only=False):
    """A pattern for the number x. Whole: that number. Else: rounded at `places` decimals or more, or cut two
    after that.
    `only`: rounded at `places`, no more digits."""
    x = F(str(x)) if not isinstance(x, F) else x
    sign, size = (r"(?<!\d)(?<!\d[.,])[-−] ?" if x < 0 else BEFORE), abs(x)

    if 100 <= int(size) < 1000:  # not the end of 1,639
        sign += r"(?<!\d,)"

    def grouped(n):
        return f"{n:,}".replace(",", "[, ]?")

    def form(n, p):
        """n units of 10**-p"""
        whole, rest = divmod(n, 10**p)
        digits = f"{rest:0{p}d}" if p else ""
        return grouped(whole) + (r"\." + digits if digits else "")

    forms = set()
    for p in [places] if only or size.denominator == 1 else range(places, 13):
        n = int(size * 10**p + F(1, 2))
        while p and n % 10 == 0:
            n, p = n // 10, p - 1
        forms.add(form(n, p) + ("0*" if p else r"(?:\.0+)?"))
    if not only:
        forms |= {form(int(size * 10**p), p) for p in range(places + 2, 12) if size.denominator != 1}
        n = int(size * 10**12)
        forms.add(form(n, 12) + r"\d*")
        if F(n, 10**12) == size and n:  # what binary fractions make of it
            forms.add(form(n - 1, 12) + r"9*\d?")
    return sign + "(?:" + "|".join(sorted(forms)) + ")" + AFTER


def date(d):
    month = f"{d:%B}"
    month = f"(?:{month}|{month[:3]})"
    return (
        rf"(?i)(?<!\d)(?:{d:%Y-%m-%d}|{d.day}(?:st|nd|rd|th)?(?: of)? {month}\.?,? {d.year}|"
        rf"{month}\.? {d.day}(?:st|nd|rd|th)?,? {d.year}|0?{d.day}[/.]0?{d.month}[/.]{d.year}|0?{d.month}/0?{d.day}/{d.year})(?!\d)"
    )


def exactly(text, flags=""):
    return flags + r"\A\s*" + r"\r?\n".join(re.escape(line) for line in text.strip().splitlines()) + r"\s*\Z"


def without(*bad):
    return r"(?is)\A(?!.*(?:" + "|".join(bad) + "))"


def pair(name, value, others):
    """`name` and then `value`, with none of `others` between; or the other way round on one line."""
    stop = "|".join([name, *others])
    return rf"(?ims)(?:{name}(?:(?!{stop}).){{0,80}}?(?:{value})|^\s*(?:{value})\s*:?\s+(?:[\w/]+/)?{name})"


POSITIVE, NEGATIVE = r"\bpositive\b", r"\bnegative\b"
G = []


def check(g, answer, made):
    """Whether this answer and these files meet the goal."""
    return all(re.search(p, answer) for p in g["answer"]) and all(
        n in made and all(re.search(p, made[n]) for p in ps) for n, ps in g["files"].items()
    )


def goal(text, *answer, area, steps=1, files=None, tools=None, right="", made=None, wrong=()):
    g = {"id": f"al{len(G) + 1:02d}", "goal": text, "area": area, "steps": steps, "answer": list(answer), "files": files or {}}
    if tools:
        g["tools"] = tools
    assert g["answer"] or g["files"], text
    assert check(g, right, made or {}), ("right answer fails", text, g["answer"], right, made)
    assert not check(g, text, {n: text for n in g["files"]}), ("the goal answers itself", text)
    assert not check(g, "", {}), text
    assert check(g, right.replace(", ", "\n"), made or {}), text
    for bad in wrong:
        assert not check(g, bad, {n: bad for n in g["files"]}), ("wrong answer passes", text, bad)
    for n in g["files"]:
        assert not (W / n).exists(), n
    G.append(g)


PLOTS, HARVEST, SEEDS, SHED = rows("plots.csv"), rows("harvest.csv"), rows("seeds/list.csv"), rows("shed/tools.csv")
A = json.loads(rd("association.json"))

# --- text
goal("rules.txt, how many words?", num(words("rules.txt")), area="text", right="73", wrong=["7", "72", "173"])
june = len(re.findall(r"\bslugs\b", rd("minutes/june.txt")))
goal("Could you tell me how often slugs are mentioned in minutes/june.txt?", num(june), area="text", right="4",
     wrong=["3", "14"])
mails = sorted(set(re.findall(r"[\w.]+@[\w.]+\w", rd("noticeboard.txt"))))
goal("I'd like all the email addresses from noticeboard.txt, each of them just once please",
     *[re.escape(m) for m in mails], without(*[re.escape(m) + ".*" + re.escape(m) for m in mails]), area="text", steps=2,
     right="maud.tiller@fennel.example\nseeds@fennel.example\ntreasurer@fennel.example",
     wrong=["maud.tiller@fennel.example treasurer@fennel.example seeds@fennel.example treasurer@fennel.example"])
barrow = [line for line in rd("shed/log.txt").splitlines() if "wheelbarrow" in line]
goal("copy the lines of shed/log.txt that contain wheelbarrow into a new file called barrow.txt",
     files={"barrow.txt": [exactly("\n".join(barrow))]}, area="text", steps=2,
     made={"barrow.txt": "2024-05-03 OUT wheelbarrow Priya\n2024-05-03 IN wheelbarrow Priya\n2024-05-09 OUT wheelbarrow Nell\n"
                         "2024-05-15 IN wheelbarrow Nell\n"}, wrong=[rd("shed/log.txt")])
third = rd("rules.txt").splitlines()[2]
goal("What does the third line of rules.txt say?", re.escape(third.rstrip(".")), without("Hosepipes", "Bonfires", "weeds"),
     area="text", right="Dogs stay on a lead and away from the pond.", wrong=[rd("rules.txt")])
once = list(dict.fromkeys(rd("waiting_list.txt").splitlines()))
goal("Some people are in waiting_list.txt twice. Remove the repeats, keep the order as it is, and put the result in waiting_clean.txt",
     files={"waiting_clean.txt": [exactly("\n".join(once))]}, area="text", steps=2,
     made={"waiting_clean.txt": "Marta Engel\nColin Frayne\nSu Lin\nAbel Novak\nPetra Voss\nGwen Hollis\n"},
     wrong=["\n".join(sorted(once)), rd("waiting_list.txt")])
goal("replace hosepipe with watering can everywhere in notice.txt and save that as notice_new.txt",
     files={"notice_new.txt": [exactly(rd("notice.txt").replace("hosepipe", "watering can"))]}, area="text", steps=3,
     made={"notice_new.txt": "The watering can by the gate leaks. Please do not use that watering can until Friday.\n"
                             "A new watering can has been ordered and will hang by the pump.\n"}, wrong=[rd("notice.txt")])

# --- maths
goal("A bag of compost costs 6.75 and we need 14 of them. What does that come to?", num(F("6.75") * 14), area="maths",
     right="94.5", wrong=["20.75", "94"])
goal("(96 - 12.5) / 4 + 30", num(F("83.5") / 4 + 30, 3), area="maths", right="50.875", wrong=["51", "122.875"])
goal("take 8% off 235 and round what is left to the nearest whole number", num(round(F(235) * F(92, 100)), only=True), area="maths",
     steps=2, right="216", wrong=["216.2", "19", "227"])

# --- units
goal("how many feet are 9 metres", num(F(9) / F("0.3048"), 1), area="units", right="29.527559", wrong=["2.74", "30"])
goal("3.5 pounds in grams?", num(F("3.5") * F("453.59237"), 0), area="units", right="1,587.57", wrong=["1588.9", "1750"])
goal("They expect 28 degrees Fahrenheit tonight, what would that be in Celsius, to one decimal place?",
     num(F(28 - 32) * 5 / 9, 1, only=True), area="units", steps=2, right="-2.2", wrong=["2.2", "-2.22", "82.4"])

# --- dates
day = dt.date(2027, 9, 14)
goal("What day of the week will it be on 14 September 2027?", rf"(?i)\b{day:%A}\b", area="dates", right="Tuesday", wrong=["Monday"])
goal("our lease began on 1 March 2019 and ended on 30 June 2024, how many days is that from the one to the other?",
     num((dt.date(2024, 6, 30) - dt.date(2019, 3, 1)).days), area="dates", right="1948", wrong=["1947", "5"])
goal("what date is it 90 days after 2024-04-15", date(dt.date(2024, 4, 15) + dt.timedelta(90)), area="dates", right="2024-07-14",
     wrong=["2024-07-15", "14 June 2024"])

# --- numbers
goal("1934 as a roman numeral", r"\bMCMXXXIV\b", area="numbers", right="MCMXXXIV", wrong=["MCMXXXVI", "MDCCCCXXXIV"])
goal("I am writing a cheque for 2075, how do I put that in words?", r"(?i)\btwo thousand,?(?: and)? seventy[- ]five\b", area="numbers",
     right="two thousand and seventy-five", wrong=["twenty seventy-five"])

# --- micro
goal("plural of radish?", r"(?i)\bradishes\b", area="micro", right="radishes", wrong=["radishs"])
goal("please tell me whether mails/visitors/hedge.txt sounds positive or negative", r"(?i)\bnegative\b", without(r"\bpositive\b"),
     area="micro", right="negative", wrong=["positive"])
goal("Did the people from the club like it here? Tell me the tone of mails/visitors/club.txt", r"(?i)\bpositive\b", without(r"\bnegative\b"),
     area="micro", right="positive", wrong=["negative", "no"])
goal("In which language did Paolo write to us? His mail is mails/abroad/paolo.txt", r"(?i)\bitalian\b|\A\W*it\W*\Z", area="micro",
     right="Italian", wrong=["Spanish", "Is it French?"])
goal("store the plural of leaf in a file named word.txt", files={"word.txt": [exactly("leaves", "(?i)")]}, area="micro", steps=2,
     made={"word.txt": "leaves\n"}, wrong=["leafs", "leaf"])

# --- data
goal("What do all the rents in plots.csv add up to?", num(sum(F(r["rent"]) for r in PLOTS)), area="data", right="1458.56",
     wrong=["1458", "81.03"])
goal("How many plots in plots.csv have paid set to no?", num(sum(r["paid"] == "no" for r in PLOTS)), area="data", right="5",
     wrong=["13", "18"])
big = max(PLOTS, key=lambda r: int(r["size_m2"]))
goal("Which tenant in plots.csv has the largest plot by size_m2?", re.escape(big["tenant"]),
     without(*[re.escape(r["tenant"]) for r in PLOTS if r is not big]), area="data", steps=2, right="Nell Farrow",
     wrong=["Ruth Kessler", rd("plots.csv")])
goal("what is fees.key_deposit in association.json?", num(F("17.5")), area="data", right="17.5", wrong=["25", "8"])
tomatoes = sum(F(r["kg"]) for r in HARVEST if r["crop"] == "tomatoes")
goal("how many kg of tomatoes were picked altogether according to harvest.csv", num(tomatoes), area="data", steps=2, right="24.5",
     wrong=["6", "105.2", "24"])
price = sum(F(r["price_each"]) for r in SEEDS) / len(SEEDS)
goal("Please give me the average of price_each in seeds/list.csv rounded to two decimals", num(price, 2, only=True), area="data", steps=2,
     right="2.12", wrong=["2.1", "2.118", "23.3"])
by_rent = sorted(PLOTS, key=lambda r: -F(r["rent"]))
body = r"\r?\n".join(rf'"?{r["plot"]}"?,"?{r["tenant"]}"?,{r["size_m2"]},[^\r\n]*' for r in by_rent)
goal("Sort plots.csv by rent, the highest rent first, and save it as by_rent.csv",
     files={"by_rent.csv": [r'\A\s*"?plot"?,"?tenant"?,[^\r\n]*\r?\n' + body + r"\s*\Z"]}, area="data", steps=3,
     made={"by_rent.csv": "plot,tenant,size_m2,rent,paid\n" + "\n".join(",".join(r.values()) for r in by_rent) + "\n"},
     wrong=[rd("plots.csv"),
            *["plot,tenant,size_m2,rent,paid\n" + "\n".join(",".join(r.values()) for r in sorted(PLOTS, key=k, reverse=True))
              for k in (lambda r: r["rent"], lambda r: int(r["size_m2"]))]])
old = [c["name"] for c in A["committee"] if c["since"] < 2010]
goal("which committee members in association.json have been there since before 2010?", *old,
     without(*[c["name"] for c in A["committee"] if c["since"] >= 2010]), area="data", steps=2,
     right="Dolores Pinto, Bogdan Petrov", wrong=["Dolores Pinto, Bogdan Petrov, Priya Nair"])

# --- files
goal("what files are there in mails/visitors?", *[rf"\b{n}\.txt\b" for n in ("club", "hedge", "school", "smoke")],
     without("inge", "paolo", "amelie"), area="files", right="club.txt hedge.txt school.txt smoke.txt")
goal("are there any FIXME notes left in the scripts folder? show them to me", "leap days are counted twice", "sandy soil needs more",
     "long names run over the edge", area="files",
     right="leap days are counted twice\nsandy soil needs more\nlong names run over the edge")
goal("How big is harvest.csv in bytes?", num(len((W / "harvest.csv").read_bytes())), area="files", right="639", wrong=["24"])

# --- fan-out
names = ["march", "june", "october"]
goal("How many lines does each file in the minutes folder have?",
     *[pair(n, num(lines(f"minutes/{n}.txt")), names) for n in names], area="fan-out", steps=4,
     right="minutes/june.txt: 7\nminutes/march.txt: 5\nminutes/october.txt: 6",
     wrong=["minutes/june.txt: 6 minutes/march.txt: 5 minutes/october.txt: 7", "18"])
tones = {"club": POSITIVE, "hedge": NEGATIVE, "school": POSITIVE, "smoke": NEGATIVE}
goal("go through the mails in mails/visitors and say for each whether its tone is positive or negative",
     *[pair(n, v, list(tones)) for n, v in tones.items()], area="fan-out", steps=5,
     right="club.txt: positive\nhedge.txt: negative\nschool.txt: positive\nsmoke.txt: negative",
     wrong=["club.txt: positive hedge.txt: negative school.txt: negative smoke.txt: negative"])
tongues = {"inge": r"\bgerman\b|\bde\b", "paolo": r"\bitalian\b|:\s*it\b", "amelie": r"\bfrench\b|\bfr\b"}
goal("For each letter in mails/abroad please save its file name and its language in languages.txt",
     files={"languages.txt": [pair(n, v, list(tongues)) for n, v in tongues.items()]}, area="fan-out", steps=5,
     made={"languages.txt": "mails/abroad/amelie.txt: French\nmails/abroad/inge.txt: German\nmails/abroad/paolo.txt: Italian\n"},
     wrong=["amelie.txt: French inge.txt: Italian paolo.txt: German"])
goal("I need the plurals of tomato, berry, shelf and fox", r"(?i)\btomatoes\b", r"(?i)\bberries\b", r"(?i)\bshelves\b", r"(?i)\bfoxes\b",
     area="fan-out", steps=4, right="tomatoes berries shelves foxes", wrong=["tomatos berries shelves foxes"])
goal("convert 5, 12 and 20 feet to metres", *[num(F(n) * F("0.3048"), 2) for n in (5, 12, 20)], area="fan-out", steps=3,
     right="[1.524,3.6576,6.096]", wrong=["16.4 39.37 65.6"])
days = [dt.date(2024, 3, 12), dt.date(2024, 6, 15), dt.date(2024, 10, 10)]
goal("On what weekdays did 2024-03-12, 2024-06-15 and 2024-10-10 fall?", "(?is)" + ".*".join(f"{d:%A}".lower() for d in days),
     area="fan-out", steps=3, right="Tuesday, Saturday, Thursday", wrong=["Tuesday, Thursday, Saturday"])

# --- deep
total = sum(words(f"minutes/{n}.txt") for n in names)


def roman(n):
    out = ""
    for value, sign in zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "M CM D CD C XC L XL X IX V IV I".split()):
        while n >= value:
            out, n = out + sign, n - value
    return out


goal("count the words in every file in minutes, add up the counts and write the sum as a roman numeral to minutes_total.txt",
     files={"minutes_total.txt": [exactly(roman(total))]}, area="deep", steps=6, made={"minutes_total.txt": "CLXXIX\n"}, wrong=["CLXX", "174"])
sums = defaultdict(F)
for r in HARVEST:
    sums[r["crop"]] += F(r["kg"])
goal("From harvest.csv I would like to know how many kg we got of each crop in total",
     *[pair(c, num(v), list(sums)) for c, v in sums.items()], area="deep", steps=2,
     right="peas: 5.9, lettuce: 2.9, strawberries: 7.7, courgettes: 16.6, potatoes: 48.6, tomatoes: 24.5",
     wrong=["peas: 4, lettuce: 3, strawberries: 2, courgettes: 4, potatoes: 4, tomatoes: 6"])
goal("Write a file overview.txt with three things in it: how many rows plots.csv has without the header, the sum of count in shed/tools.csv, and the language of mails/abroad/inge.txt",
     files={"overview.txt": [num(len(PLOTS)), num(sum(int(r["count"]) for r in SHED)), r"(?i)\bgerman\b|\bde\b"]}, area="deep", steps=4,
     made={"overview.txt": "18\n28\nGerman\n"}, wrong=["19 28 German"])
gap = (dt.date(2024, 10, 8) - dt.date(2024, 3, 12)).days
assert gap % 7 == 0 and gap // 7 == 30
goal("Work out the number of days from 12 March 2024 to 8 October 2024, turn it into weeks and spell the number of weeks in words",
     r"(?i)\bthirty\b(?![- ](?:one|two|three|four|five|six|seven|eight|nine|point)\b)", area="deep", steps=3, right="thirty", wrong=["30", "thirty-one", "two hundred and ten"])

# --- plugins
P = {"tools": "plugins", "area": "plugins"}
goal("How much soil do I need for a raised bed that is 2.4 m long, 1.2 m wide and 30 cm deep?", num(plugin("beds").bed_soil(2.4, 1.2, 30)), **P,
     right="864.0", wrong=["8.64", "86.4"])
goal("when should leeks be sown?", r"(?i)\bmarch\b", **P, right=plugin("sowing").sowing_month("leeks"), wrong=["April"])
goal("gate code for thursday please", r"(?<!\d)7719(?!\d)", **P, right=plugin("rota").gate_code("thursday"), wrong=["6284"])
duty = plugin("rota").tea_duty
goal("Who's on tea duty in week 19, and who in week 33?", "(?is)" + r".*".join([r"Agnes and Yusuf", r"Dolores and Kit"]), **P, steps=2,
     right=f"{duty(19)}\n{duty(33)}", wrong=["Dolores and Kit, Agnes and Yusuf"])
goal("what would the yearly rent be for a plot of 125 square metres? add 25 for joining and give me the whole sum",
     num(F(str(plugin("office").yearly_rent(125))) + 25), **P, steps=2, right="92", wrong=["67", "25"])
beside = plugin("office").neighbours("B3")
goal("find out which plots are next to B3 and write them to next_to.txt", files={"next_to.txt": [*[rf"\b{p}\b" for p in beside], r"\A(?!(?s:.*)(?:A[124-6]|B[156]|C[124-6])\b)"]},
     **P, steps=2, made={"next_to.txt": "A3\nB2\nB4\nC3\n"}, wrong=["B2 B4", "A3 B2 B4 C3 C4"])

U = []


def undoable(text, area):
    U.append({"id": f"alu{len(U) + 1:02d}", "goal": text, "area": area})


undoable("write a short poem about compost for the newsletter", "judgement")
undoable("Could you sum up minutes/june.txt in two sentences?", "judgement")
undoable("draft a polite reply to mails/visitors/hedge.txt", "judgement")
undoable("think of a nice name for our new shed", "judgement")
undoable("which of our rules is the most unfair?", "judgement")
undoable("make rules.txt sound friendlier and save it as rules_friendly.txt", "judgement")
undoable("what is everybody upset about in the mails?", "judgement")
undoable("Put mails/abroad/inge.txt into English for me", "translation")
undoable("what's the Polish word for wheelbarrow?", "translation")
undoable("what can I plant next to carrots to keep the flies away", "knowledge")
undoable("Who invented the lawnmower?", "knowledge")
undoable("how long do tomato seeds keep?", "knowledge")
undoable("will there be frost tomorrow night?", "effect")
undoable("email everybody who has not paid their rent", "effect")
undoable("ring the treasurer and ask about the key", "effect")
undoable("send notices/openday.md to the printer, two copies", "effect")
undoable("remind me on Friday to bring the ladder back", "effect")
undoable("how many words does minutes/december.txt have?", "missing file")
undoable("What is the average weight in weights.csv?", "missing file")
undoable("do the same as last time with the list", "ambiguous")

assert len(G) == 50, len(G)
assert len(U) == 20, len(U)
for name, them in (("goals.jsonl", G), ("undoable.jsonl", U)):
    (HERE / name).write_text("".join(json.dumps(g, ensure_ascii=False) + "\n" for g in them), encoding="utf-8")
print(len(G), Counter(g["area"] for g in G), len(U), Counter(u["area"] for u in U))

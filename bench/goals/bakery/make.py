"""Writes goals.jsonl: 60 goals worded by many imagined people, each with a checkable outcome.

Every expected value is computed here from the files in workspace/:  python make.py
"""
import csv, datetime as dt, hashlib, json, re, statistics as st
from collections import Counter
from pathlib import Path

W = Path(__file__).parent / "workspace"
rd = lambda p: (W / p).read_text(encoding="utf-8")
words = lambda p: len(rd(p).split())
bare = lambda p: len(re.findall(r"[\w'’-]*\w[\w'’-]*", rd(p)))  # without the marks of headings
lines = lambda p: len(rd(p).splitlines())
table = lambda p: list(csv.DictReader(open(W / p, encoding="utf-8", newline="")))
orders, staff, bakes, sky = map(table, ("ledger/orders.csv", "ledger/staff.csv", "ledger/bakes.csv", "sky/observations.csv"))
shop, planets = json.loads(rd("shop.json")), json.loads(rd("sky/planets.json"))
names = lambda folder, end="": sorted(p.name for p in (W / folder).iterdir() if p.name.endswith(end))
G = []


def num(x, places=None):
    """A regular expression that finds the number x (as in make_dev.py)."""
    if float(x) == int(x) and places is None:
        return r"(?<![\d.])" + f"{int(x):,}".replace(",", "[, ]?") + r"(?:\.0+)?(?!\d)(?!\.\d)"
    places = 2 if places is None else places
    scale, forms = 10**places, set()
    for form in (f"{x:.{places}f}", f"{int(x * scale) / scale:.{places}f}", f"{int(x * scale + 0.5) / scale:.{places}f}"):
        whole, decimals = form.split(".")
        whole = f"{int(whole):,}".replace(",", "[, ]?")
        forms.add(whole + r"\." + decimals + r"\d*")
        rest = decimals.rstrip("0")
        if rest != decimals:
            forms.add(whole + (r"\." + rest if rest else "") + r"(?:\.0+)?(?!\d)(?!\.\d)")
    return r"(?<![\d.])(?:" + "|".join(sorted(forms)) + ")"


def either(*values):
    """Any one of several whole numbers."""
    return "(?:" + "|".join(num(v) for v in sorted(set(values))) + ")"


def nwords(n, ands=True):
    """A regular expression for n in English words, with or without "and", hyphens and commas."""
    ones = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
    tens = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
    def parts(n):
        if n < 20: return ones[n]
        if n < 100: return tens[n // 10] + (r"[- ]?" + ones[n % 10] if n % 10 else "")
        if n < 1000: return ones[n // 100] + r"[- ]hundred" + (r"(?:[- ]and)?[- ]" + parts(n % 100) if n % 100 else "")
        return parts(n // 1000) + r"[- ]thousand" + (r",?(?:[- ]and)?[- ]" + parts(n % 1000) if n % 1000 else "")
    return r"(?i)\b" + parts(n) + r"\b(?![- ](?:hundred|thousand|one|two|three|four|five|six|seven|eight|nine|point)\b)"


def roman(n):
    out = ""
    for v, s in ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        out, n = out + s * (n // v), n % v
    return out


numeral = lambda *ns: r"\b(?:" + "|".join(roman(n) for n in sorted(set(ns))) + r")\b"


def date(d):
    """A date in any of the usual ways."""
    month, short = d.strftime("%B"), d.strftime("%b")
    m, day = rf"(?:{month}|{short})\.?", rf"0?{d.day}(?:st|nd|rd|th)?"
    return (rf"(?i)(?:{d:%Y}[-/.]{d:%m}[-/.]{d:%d}|(?<!\d){day}(?: of)?[ -]{m},?[ -]{d:%Y}|{m} {day},? {d:%Y}"
            rf"|(?<!\d)0?{d.day}[/.]0?{d.month}[/.]{d:%Y}|(?<!\d)0?{d.month}/0?{d.day}/{d:%Y})")


def tied(name, value, others):
    """The value said of this name: after it, with none of the other names in between, or before it on its line."""
    stems = "|".join(re.escape(o.rsplit(".", 1)[0]) for o in others if o != name)
    stem, value = re.escape(name.rsplit(".", 1)[0]), re.sub(r"^\(\?i\)", "", value)
    return rf"(?is)\b{stem}\b(?:(?!\b(?:{stems})\b).){{0,90}}?(?:{value})|(?:^|\n)[\s|*-]*(?:{value})[^\n\w]{{1,20}}(?:\w+[/\\])?{stem}\b"


LANG = {"it": "italian|italiano", "nl": "dutch|nederlands", "fr": "french|français", "de": "german|deutsch", "pt": "portuguese|português"}


def lang(code):  # the name, or the code where it stands alone at the end of a line or in a cell
    return rf"(?i)\b(?:{LANG[code]})\b|(?:\A|[\n:=|(\"'\t]|  |->) ?['\"`]?{code}(?=[^\w\n]*(?:\d[\d.%]*\W*)?(?:\n|\Z)|\s*\|)"


def exactly(text):
    return r"\A\s*" + re.escape(text.strip()) + r"\s*\Z"


def goal(text, *answer, files=None, steps=1, area):
    G.append({"id": f"a{len(G)+1:02d}", "goal": text, "area": area, "steps": steps, "answer": list(answer), "files": files or {}})



D = dt.date
recipes, cards, post = names("recipes", ".md"), names("feedback"), names("post")
pys, csvs, tools = names("tools", ".py"), names("ledger", ".csv"), names("tools")
TONE = {"hughes.txt": "positive", "okafor.txt": "negative", "lindqvist.txt": "negative", "patel.txt": "positive"}
IN = {"march.txt": "it", "june.txt": "nl", "august.txt": "fr", "october.txt": "de", "december.txt": "pt"}
mails = sorted(set(re.findall(r"[\w.]+@[\w.]+\w", rd("club/directory.txt"))))
links = re.findall(r"https?://[\w./]+\w", rd("club/directory.txt"))
assert len(mails) == 3 and len(links) == 3
butter = len(re.findall(r"\bbutter\b", rd("recipes/brioche.md")))
assert butter == rd("recipes/brioche.md").lower().count("butter")
told = [dt.datetime.strptime(t, "%d %B %Y").date() for t in re.findall(r"\d+ [A-Z][a-z]+ \d{4}", rd("club/minutes.txt"))]
assert len(told) == 4

# one step
goal("handbook.txt - word count?", num(words("handbook.txt")), area="text")
goal("Could you pull every e-mail address out of club/directory.txt for me?", *map(re.escape, mails), area="text")
goal("how often does the word butter turn up in recipes/brioche.md", num(butter), area="text")
goal("I'd like to see the last two lines of handbook.txt.", *[re.escape(x) for x in rd("handbook.txt").splitlines()[-2:]], area="text")
goal("Which dates are mentioned in club/minutes.txt?", *map(date, told), area="text")
goal("Top five words of handbook.txt by frequency, please", r"(?i)\bflour\b", area="text")
goal("How much is 12.5% of 648?", num(648 * .125), area="maths")
goal("work this out for me: (18.6 - 4.2) / 0.3", num(48), area="maths")
goal("350 grams - what's that in ounces?", num(350 / 28.349523125, 1), area="units")
goal("My oven says 220 °C. What would that be in Fahrenheit?", num(428), area="units")
goal("express 3 US gallons in litres", num(3 * 3.785411784, 1), area="units")
goal("14 July 2031 falls on which day of the week?", rf"(?i)\b{D(2031, 7, 14):%A}\b", area="dates")
goal("Add 45 days to 2024-01-20.", date(D(2024, 1, 20) + dt.timedelta(45)), area="dates")
goal("From 1 May 2023 to 17 September 2023, that's how many days?", either((D(2023, 9, 17) - D(2023, 5, 1)).days), area="dates")
goal("There's MCMXLIV carved above our door. What number is that?", num(1944), area="numbers")
goal("7016 in words", nwords(7016), area="numbers")
goal("If I have more than one goose, I have two... what? I need the plural.", r"(?i)\bgeese\b", area="micro")
goal("plural form of 'shelf'", r"(?i)\bshelves\b", area="micro")
goal("Have a look at feedback/okafor.txt and tell me what tone it has", r"(?i)\bnegative\b", area="micro")
goal("In what language did they write post/march.txt?", lang(IN["march.txt"]), area="micro")
goal("post/june.txt: which language is this?", lang(IN["june.txt"]), area="micro")
goal("Look up shop.address.postcode in shop.json", re.escape(shop["shop"]["address"]["postcode"]), area="data")
goal("what columns does ledger/orders.csv have?", *[rf"\b{c}\b" for c in orders[0]], area="data")
goal("How many of the orders in ledger/orders.csv have phone as their channel?", num(sum(r["channel"] == "phone" for r in orders)), area="data")
goal("lowest hourly_wage in ledger/staff.csv", num(min(float(r["hourly_wage"]) for r in staff), 2), area="data")
goal("What have we got inside the recipes directory?", *[re.escape(n) for n in names("recipes")], area="files")
goal("Search the tools folder for FIXME and show me the matches", r"units are mixed up", r"lead times", r"half pennies", r"long names overflow", r"archive", area="files")
goal("Please give me the SHA-256 checksum of temps.txt", "(?i)" + hashlib.sha256((W / "temps.txt").read_bytes()).hexdigest(), area="files")
goal("which file in recipes is the smallest?", re.escape(min(names("recipes"), key=lambda n: (W / "recipes" / n).stat().st_size)), area="files")

# two and three steps, one after the other
goal("Order the people in club/signup.txt from A to Z, leave out repeated ones, and store that as club/roster.txt",
     files={"club/roster.txt": [exactly("\n".join(sorted(set(rd("club/signup.txt").split()))))]}, steps=3, area="text")
goal("The links in club/directory.txt should end up in a file called web.txt.", files={"web.txt": [re.escape(x) for x in links]}, steps=2, area="text")
goal("Show the opening line of club/minutes.txt in capitals", re.escape(rd("club/minutes.txt").splitlines()[0].upper()), steps=2, area="text")
goal("How many lines does handbook.txt have? I want the answer as a Roman numeral.", numeral(lines("handbook.txt")), steps=2, area="text")
goal("Take 35% off 129.80, then round what's left to the nearest whole number", num(84), steps=2, area="maths")
goal("A marathon is 26.2 miles. Turn that into km with no decimals.", num(round(26.2 * 1.609344)), steps=2, area="units")
goal("What's the date 6 weeks before 10 March 2025, and which weekday is it?", date(D(2025, 3, 10) - dt.timedelta(weeks=6)),
     rf"(?i)\b{(D(2025, 3, 10) - dt.timedelta(weeks=6)):%a}(?:day)?\b", steps=2, area="dates")
goal("add XLII and XIX and give me the result as a roman numeral too", numeral(42 + 19), steps=3, area="numbers")
goal("Put the plural of 'ox' in a file named farm.txt, would you?", files={"farm.txt": [r"(?i)\A\W*oxen\W*\Z"]}, steps=2, area="micro")
goal("Judge the tone of feedback/lindqvist.txt and note your verdict in verdict.txt", files={"verdict.txt": [r"(?i)\bnegative\b"]}, steps=3, area="micro")
goal("count the suppliers in shop.json and multiply by 15", num(len(shop["suppliers"]) * 15), steps=2, area="data")
goal("Divide the total of the loaves column in ledger/bakes.csv by 7 and store the result in average.txt",
     files={"average.txt": [num(sum(int(r["loaves"]) for r in bakes) / 7, 1)]}, steps=3, area="data")
goal("sky/observations.csv: how many records, not counting the header? Write it to count.txt", files={"count.txt": [num(len(sky))]}, steps=2, area="data")
mean = st.mean(int(r["minutes"]) for r in sky)
goal("Get the mean of minutes in sky/observations.csv. Round it to a whole number and say it in words.", nwords(round(mean)), steps=3, area="data")
goal("Give me the names of the planets in sky/planets.json, sorted alphabetically", "(?s)" + ".*".join(sorted(p["name"] for p in planets["planets"])), steps=2, area="data")

# fan-out: the same work on each of several things
goal("I need a word count for every .md file in recipes", *[tied(n, either(words(f"recipes/{n}"), bare(f"recipes/{n}")), recipes) for n in recipes], steps=5, area="fan-out")
goal("What's the tone of the cards in feedback? One verdict per file please.", *[tied(n, TONE[n], cards) for n in cards], steps=5, area="fan-out")
goal("go through post and name the language of every letter", *[tied(n, lang(IN[n]), post) for n in post], steps=6, area="fan-out")
goal("leaf, tomato, tooth, baby: what are their plurals?", r"(?i)\bleaves\b", r"(?i)\btomatoes\b", r"(?i)\bteeth\b", r"(?i)\bbabies\b", steps=4, area="fan-out")
fix = {n: rd(f"tools/{n}").count("FIXME") for n in pys}
goal("How many times does FIXME occur in each Python file in tools, and how many is that altogether?",
     *[tied(n, num(fix[n]), pys) for n in pys], num(sum(fix.values())), steps=5, area="fan-out")
goal("For each of the CSVs in ledger tell me the number of rows without the header, plus the overall total",
     *[tied(n, num(len(table(f"ledger/{n}"))), csvs) for n in csvs], num(sum(len(table(f"ledger/{n}")) for n in csvs)), steps=5, area="fan-out")
goal("Turn 44, 90 and 2026 into Roman numerals and save them as numerals.txt", files={"numerals.txt": [numeral(n) for n in (44, 90, 2026)]}, steps=4, area="fan-out")
three = [D(1999, 12, 31), D(2004, 2, 29), D(2015, 10, 21)]
goal("On what weekdays were 1999-12-31, 2004-02-29 and 2015-10-21?", "(?is)" + r".*\b".join(rf"{d:%a}[a-z]*" for d in three), steps=3, area="fan-out")
goal("Make a list of the line count of each file in the tools folder. It should go into linecount.txt.",
     files={"linecount.txt": [tied(n, num(lines(f"tools/{n}")), tools) for n in tools]}, steps=6, area="fan-out")

# deeper
big = max(names("recipes"), key=lambda n: (W / "recipes" / n).stat().st_size)
goal("Which file in recipes is the biggest? Count its words and put that number, spelled out, into big.txt.",
     files={"big.txt": [nwords(words(f"recipes/{big}")) + "|" + nwords(bare(f"recipes/{big}"))[4:]]}, steps=4, area="deep")
goal("Total up the words of all the cards in feedback and write the sum as a Roman numeral to feedback_total.txt",
     files={"feedback_total.txt": [numeral(sum(words(f"feedback/{n}") for n in cards))]}, steps=7, area="deep")
sold = Counter()
for r in orders:
    sold[r["product"]] += int(r["quantity"])
goal("What quantity of brioche was ordered alltogether, going by ledger/orders.csv?", num(sold["brioche"]), steps=2, area="deep")
pay = lambda role: st.mean(float(r["hourly_wage"]) for r in staff if r["role"] == role)
goal("average hourly_wage of the bakers and of the drivers, see role in ledger/staff.csv", num(pay("baker"), 2), num(pay("driver"), 2), steps=2, area="deep")
goal("Prepare summary.md for me. It should state how many lines handbook.txt has, the tone of feedback/patel.txt and the language of post/august.txt.",
     files={"summary.md": [num(lines("handbook.txt")), r"(?i)\bpositive\b", lang("fr")]}, steps=5, area="deep")
goal("Does tools/labels.py or tools/stock.py have more lines, and by how many?", r"(?i)\bstock\b", num(lines("tools/stock.py") - lines("tools/labels.py")), steps=3, area="deep")
best, second = sold.most_common(2)
assert best[1] > second[1]
rest = "|".join(p for p in sold if p != best[0])  # it comes first, or last of all
goal("Find out which product in ledger/orders.csv has the highest total quantity", rf"(?is)\A(?:(?!\b(?:{rest})\b).)*\b{best[0]}\b|\b{best[0]}\b(?:(?!\b(?:{rest})\b).)*\Z", steps=3, area="deep")

# the set itself
assert len(G) == 60 and len({g["goal"] for g in G}) == 60
for g in G:
    assert g["answer"] or g["files"], g
    for p in g["answer"] + [p for ps in g["files"].values() for p in ps]:
        hit = re.search(p, g["goal"])
        assert not hit or (p, g["id"]) == (r"(?i)\bstock\b", "a59"), (g["id"], g["goal"], p, hit)
    for name in g["files"]:
        assert not (W / name).exists(), name
with open(Path(__file__).parent / "goals.jsonl", "w", encoding="utf-8") as f:
    for g in G:
        f.write(json.dumps(g, ensure_ascii=False) + "\n")
print(len(G), Counter(g["area"] for g in G))

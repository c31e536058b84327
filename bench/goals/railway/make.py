"""Writes goals.jsonl (c01..c100) and undoable.jsonl (v01..v40).

Every expected value is computed here from the files in workspace/:  python make.py
Every pattern comes with a sample of a right answer; at the end each pattern is checked
to find its sample and not to be met by the text of the goal itself.
"""
import csv, datetime as dt, hashlib, json, math, re, statistics as st
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"
rd = lambda p: (W / p).read_text()
words = lambda p: len(rd(p).split())
lines = lambda p: len(rd(p).splitlines())
table = lambda p: list(csv.DictReader(open(W / p, newline="")))
ls = lambda d, end="": sorted(p.name for p in (W / d).iterdir() if p.name.endswith(end))
sha = lambda p: hashlib.sha256((W / p).read_bytes()).hexdigest()
fleet, shop, tickets, donations = table("depot/fleet.csv"), table("sales/shop.csv"), table("sales/tickets.csv"), table("sales/donations.csv")
line, roster = json.loads(rd("line.json")), json.loads(rd("control/roster.json"))
F = float
G, SAMPLES = [], []


# ---- patterns: each helper gives (pattern, sample of a right answer)
def num(x, places=None):
    """The number x: whole numbers with or without thousands separators, others rounded or
    cut at `places` decimals (2 if not said), more digits allowed."""
    if places is None and abs(F(x) - round(x)) < 1e-9:
        return (r"(?<![\d.])" + f"{round(x):,}".replace(",", "[, ]?") + r"(?:\.0+)?(?!\d)(?!\.\d)", f"It is {round(x)}.")
    places = 2 if places is None else places
    scale = 10**places
    forms = set()
    for form in (f"{x:.{places}f}", f"{int(x * scale + 1e-9) / scale:.{places}f}", f"{int(x * scale + 0.5 + 1e-9) / scale:.{places}f}"):
        whole, decimals = form.split(".")
        whole = f"{int(whole):,}".replace(",", "[, ]?")
        forms.add(whole + r"\." + decimals + r"\d*")
        if decimals.rstrip("0") != decimals:
            rest = decimals.rstrip("0")
            forms.add(whole + (r"\." + rest if rest else "") + r"(?:\.0+)?(?!\d)(?!\.\d)")
    return (r"(?<![\d.])(?:" + "|".join(sorted(forms)) + ")", f"= {x:,.{places}f}")


def any_of(*pairs):
    return ("|".join(f"(?:{p})" for p, _ in pairs), pairs[0][1])


def roman(n):
    out = ""
    for v, s in zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "M CM D CD C XC L XL X IX V IV I".split()):
        out, n = out + s * (n // v), n % v
    return (r"\b" + out + r"\b", out)


SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()


def spelled(n):
    def pieces(n, sep, dash, gap):
        if n < 20:
            return SMALL[n]
        if n < 100:
            return TENS[n // 10] + (dash + SMALL[n % 10] if n % 10 else "")
        if n < 1000:
            return SMALL[n // 100] + gap + "hundred" + (sep + pieces(n % 100, sep, dash, gap) if n % 100 else "")
        return pieces(n // 1000, sep, dash, gap) + gap + "thousand" + (sep + pieces(n % 1000, sep, dash, gap) if n % 1000 else "")
    return (r"(?i)\b" + pieces(n, r",?\s+(?:and\s+)?", r"[-\s]", r"\s+") + r"\b", pieces(n, " ", "-", " "))


def day(d):
    m, b = d.strftime("%B"), d.strftime("%b")
    return (rf"(?i){d.isoformat()}|\b0?{d.day}(?:st|nd|rd|th)?(?: of)? (?:{m}|{b}\.?),? {d.year}|\b(?:{m}|{b}\.?) 0?{d.day}(?:st|nd|rd|th)?,? {d.year}"
            rf"|\b0?{d.day}[./]0?{d.month}[./]{d.year}|\b0?{d.month}/0?{d.day}/{d.year}", d.isoformat())


def word(*options):
    return (r"(?i)\b(?:" + "|".join(map(re.escape, options)) + r")\b", options[0])


def lit(text):
    return (re.escape(text), text)


def near(name, pair, reach=60, gap=r"[^\d]"):
    """name and the value close to each other, in either order, no other digit between."""
    p, s = pair
    i = "(?i)" if p.startswith("(?i)") else ""
    p = p.removeprefix("(?i)")
    n, g = re.escape(name), gap + "{0,%d}?" % reach
    return (f"{i}(?:{n}{g}(?:{p})|(?:{p}){g}{n})", f"{name}: {s}")


def after(name, pair, others, reach=250):
    """name, then the value, with none of the other values between (for lists of names with values)."""
    p, s = pair
    return (f"(?i){re.escape(name)}(?:(?!" + "|".join(others) + r")[\s\S]){0,%d}?(?:%s)" % (reach, p.removeprefix("(?i)")), f"{name}: {s}")


def in_order(*names):
    return ("(?s)" + ".*".join(map(re.escape, names)), "\n".join(names))


def once_in_order(*names):
    """in_order, and none of the names twice between the first and the last."""
    return ((r"(?:(?!" + "|".join(map(re.escape, names)) + r")[\s\S])*").join(map(re.escape, names)), ", ".join(names))


def exactly(text):
    return (r"\A\s*" + re.escape(text.strip()) + r"\s*\Z", text + "\n")


LANG = {"Italian": "it", "Dutch": "nl", "Portuguese": "pt", "Swedish": "sv", "German": "de"}


def language(name):
    code = LANG[name]
    return (rf"(?im){name}|^\W*{code}\W*$|[:=(→]\s*['\"]?{code}\b(?!\s+\w)", name)


def goal(text, *answer, files=None, steps=1, area):
    files = files or {}
    G.append({"id": f"c{len(G)+1:02d}", "goal": text, "area": area, "steps": steps,
              "answer": [p for p, _ in answer], "files": {n: [p for p, _ in ps] for n, ps in files.items()}})
    SAMPLES.append([(p, s) for p, s in answer] + [(p, s) for ps in files.values() for p, s in ps])


col = lambda rows, name: [F(r[name]) for r in rows]
mails = re.findall(r"[\w.]+@[\w.]+\w", rd("phonebook.txt"))
links = re.findall(r"https?://[^\s)]+", rd("phonebook.txt"))
volunteers = sorted(set(rd("volunteers.txt").split()))
stations = [s["name"] for s in line["stations"]]
D = dt.date

# ---- one step: text 8, maths 4, units 4, dates 4, numbers 4, micro 8, data 6, files 6
goal("word count memo.txt", num(words("memo.txt")), area="text")
goal("Could you please let me know of how many lines handbook/rules.txt consists?", num(lines("handbook/rules.txt")), area="text")
n = len(rd("diary/april.txt"))
goal("number of characters in diary/april.txt", any_of(num(n), num(n - 1)), area="text")
goal("mail addresses inside phonebook.txt pls", *[lit(m) for m in sorted(set(mails))], area="text")
goal("Show me the last three lines of diary/may.txt.", in_order(*rd("diary/may.txt").splitlines()[-3:]), area="text")
goal("How often does the word steam occur in handbook/rules.txt?", num(len(re.findall(r"(?i)\bsteam\b", rd("handbook/rules.txt")))), area="text")
top = [w for w, _ in Counter(re.findall(r"[a-z]+", rd("handbook/rules.txt").lower())).most_common(3)]
goal("handbook/rules.txt - top 3 terms by frequency, please", *[word(w) for w in top], area="text")
goal("phonebook.txt: are there any links in it? Show them", *[lit(u) for u in links], area="text")

goal("48 * 37 + 219", num(48 * 37 + 219), area="maths")
goal("I need 8.5 percent of 1,340", num(113.9, 1), area="maths")
goal("sqrt(7396)", num(math.isqrt(7396)), area="maths")
goal("What do you get when 9744 is divided by 56", num(9744 // 56), area="maths")

goal("how heavy is 64 kilograms in pounds", num(64 / 0.45359237, 1), area="units")
goal("26.2 mi -> km", num(26.2 * 1.609344, 1), area="units")
goal("The water has 95 degrees Celsius. Tell me this in Fahrenheit.", num(203), area="units")
goal("a tank holds 750 litres, i want it in US gallons", num(750 / 3.785411784, 1), area="units")

goal("On what day of the week does 14 July 2031 fall?", word(D(2031, 7, 14).strftime("%A")), area="dates")
goal("days from 2025-03-09 until 2025-11-30", num((D(2025, 11, 30) - D(2025, 3, 9)).days), area="dates")
goal("Add 45 days to 20 January 2026, what date comes out?", day(D(2026, 1, 20) + dt.timedelta(45)), area="dates")
goal("the date six weeks before 1 May 2024", day(D(2024, 5, 1) - dt.timedelta(42)), area="dates")

goal("MCMXLIV as an ordinary number", num(1944), area="numbers")
goal("2749 roman", roman(2749), area="numbers")
goal("Please put 7016 into words.", spelled(7016), area="numbers")
goal("I have the numbers 12.5, 40, 33 and 18.5 - what is their mean?", num(26), area="numbers")

goal("plural form of goose?", word("geese"), area="micro")
goal("How do I call more than one 'shelf' in English?", word("shelves"), area="micro")
goal("the noun 'berry', pluralised", word("berries"), area="micro")
goal("pluralize 'woman' for me", word("women"), area="micro")
goal("Which language did the writer of mail/rossi.txt use?", language("Italian"), area="micro")
goal("identify language: mail/devries.txt", language("Dutch"), area="micro")
goal("sentiment of guestbook/rainy_day.txt", word("negative"), area="micro")
goal("Classify the tone in which guestbook/saturday.txt was written, would you?", word("positive"), area="micro")

goal("line.json, what stands at railway.office.postcode", lit(line["railway"]["office"]["postcode"]), area="data")
goal("Look up duty.officer.radio in control/roster.json for me, thanks", lit(roster["duty"]["officer"]["radio"]), area="data")
goal("mean price, sales/shop.csv", num(st.mean(col(shop, "price")), 2), area="data")
goal("Could you find the lowest weight_t in depot/fleet.csv?", num(min(col(fleet, "weight_t")), 2), area="data")
goal("What columns has the file sales/tickets.csv got", *[word(c) for c in tickets[0]], area="data")
goal("sales/tickets.csv: add together everything in the revenue column", num(sum(col(tickets, "revenue")), 2), area="data")

goal("what is in the diary directory?", *[lit(f) for f in ls("diary")], area="files")
goal("display the contents of tools/backup.sh", *[lit(s) for s in rd("tools/backup.sh").splitlines()[1:]], area="files")
goal("Where in the tools directory did somebody leave a FIXME?",
     *[near(f, lit(t), 200, r"[\s\S]") for f in ls("tools") for t in re.findall(r"FIXME: (.*)", rd("tools/" + f))], area="files")
goal("I'd like to have the SHA-256 checksum for readings.txt", lit(sha("readings.txt")), area="files")
goal("Which is the biggest file inside handbook?", lit(max(ls("handbook"), key=lambda f: (W / "handbook" / f).stat().st_size)), area="files")
goal("locate all the .json files here", *[lit(p.name) for p in sorted(W.rglob("*.json"))], area="files")

# ---- two and three steps: text 8, data 8, micro 4, maths 2, units 2
goal("Take volunteers.txt, put the names in alphabetical order without repeats and store them in volunteers_clean.txt",
     files={"volunteers_clean.txt": [exactly("\n".join(volunteers))]}, steps=3, area="text")
goal("the mail addresses should be pulled out of phonebook.txt and put into addresses.txt",
     files={"addresses.txt": [lit(m) for m in sorted(set(mails))]}, steps=2, area="text")
goal("number of lines in handbook/rules.txt, but as a roman numeral", roman(lines("handbook/rules.txt")), steps=2, area="text")
goal("Read the first line of memo.txt and turn it to capital letters", lit(rd("memo.txt").splitlines()[0].upper()), steps=2, area="text")
goal("How many different e-mail addresses does phonebook.txt contain?", num(len(set(mails))), steps=3, area="text")
goal("count diary/june.txt's words, then spell that number out for me", spelled(words("diary/june.txt")), steps=2, area="text")
dates = [D.fromisoformat(s) for s in re.findall(r"\d{4}-\d\d-\d\d", rd("memo.txt"))]
goal("All dates which are mentioned in memo.txt must be saved to deadlines.txt", files={"deadlines.txt": [day(d) for d in dates]}, steps=2, area="text")
goal("diary/april.txt: final line, in lowercase please", lit(rd("diary/april.txt").splitlines()[-1].lower()), steps=2, area="text")

goal("How many stations are there in line.json, and how much is this times 12?", num(len(stations) * 12), steps=2, area="data")
goal("Add up sold in sales/shop.csv, divide by 7, two decimals", num(sum(col(shop, "sold")) / 7, 2), steps=3, area="data")
goal("Please calculate the average revenue of sales/tickets.csv and round it to the nearest integer", num(round(st.mean(col(tickets, "revenue")))), steps=2, area="data")
goal("count the data rows in depot/fleet.csv and write just this number to fleet_count.txt",
     files={"fleet_count.txt": [exactly(str(len(fleet)))]}, steps=2, area="data")
goal("Look for the biggest amount in sales/donations.csv. What is 20% of it?", num(max(col(donations, "amount")) * 0.2), steps=2, area="data")
goal("which different sheds occur in the shed column of depot/fleet.csv? A-Z please", once_in_order(*sorted({r["shed"] for r in fleet})), steps=3, area="data")
goal("Put the highest price from sales/shop.csv in a file top_price.txt", files={"top_price.txt": [num(max(col(shop, "price")), 2)]}, steps=2, area="data")
goal("what do the hours of everybody under crew in control/roster.json sum to", num(sum(c["hours"] for c in roster["crew"])), steps=2, area="data")

goal("Make a file leaf.txt containing the plural of 'leaf'", files={"leaf.txt": [(r"(?i)\bleaves\b", "leaves")]}, steps=2, area="micro")
goal("Find out what language mail/almeida.txt is in and note it down in lang.txt", files={"lang.txt": [language("Portuguese")]}, steps=3, area="micro")
goal("guestbook/anniversary.txt needs a tone check; the result goes to verdict.txt", files={"verdict.txt": [word("positive")]}, steps=3, area="micro")
goal("plural of 'ox', all in capitals", (r"\bOXEN\b", "OXEN"), steps=2, area="micro")

goal("The coach costs 18,400 and we are given 12% off. What remains to be paid?", num(18400 * 0.88), steps=2, area="maths")
goal("add 19% tax to 249.90, rounded on two digits", num(297.381, 2), steps=2, area="maths")
goal("Our track is 17.3 km long. How many miles would that be, to one decimal?", num(17.3 / 1.609344, 1), steps=2, area="units")
goal("180 pounds into kg, then give me half of it", num(180 * 0.45359237 / 2, 1), steps=2, area="units")

# ---- fan-out: the same work on each of several things
goal("For all the text files in diary: number of lines?", *[near(f, num(lines(f"diary/{f}"))) for f in ls("diary")], steps=4, area="fan-out")
TONE = {"anniversary": "positive", "gala": "negative", "rainy_day": "negative", "saturday": "positive", "school_trip": "positive"}
goal("go through guestbook and label every review as positive or negative",
     *[after(n, word(t), sorted({"positive", "negative"} - {t})) for n, t in TONE.items()], steps=6, area="fan-out")
MAIL = {"almeida": "Portuguese", "devries": "Dutch", "lindqvist": "Swedish", "rossi": "Italian", "weber": "German"}
goal("I want to know, for every letter under mail, in what language it came.",
     *[after(n, (rf"(?i){l}|\b{LANG[l]}\b(?![ \t]+\w)", l), sorted({*LANG, "English", "French", "Spanish", "Danish", "Norwegian"} - {l})) for n, l in MAIL.items()], steps=6, area="fan-out")
goal("plurals: foot, box, country, thief", word("feet"), word("boxes"), word("countries"), word("thieves"), steps=4, area="fan-out")
goal("the years 1066, 1492 and 1776, as roman numerals please", roman(1066), roman(1492), roman(1776), steps=3, area="fan-out")
goal("words per .md file in handbook", *[near(f, num(words(f"handbook/{f}"))) for f in ls("handbook", ".md")], steps=4, area="fan-out")
goal("If you count the words of each file in diary and sum the counts, what is the grand total?",
     num(sum(words(f"diary/{f}") for f in ls("diary"))), steps=5, area="fan-out")
fix = {f: rd("tools/" + f).count("FIXME") for f in ls("tools", ".py")}
goal("How many FIXME comments has each python script of the tools folder, and how many is it altogether?",
     *[near(f, num(c)) for f, c in fix.items()], num(sum(fix.values())), steps=4, area="fan-out")
goal("5 km, 10 km, 21.1 km: each in miles", *[num(k / 1.609344, 1) for k in (5, 10, 21.1)], steps=3, area="fan-out")
goal("Number of records of every csv in the sales folder (heading row excluded)",
     *[near(f, num(len(table(f"sales/{f}")))) for f in ls("sales")], steps=4, area="fan-out")
goal("I require the sha256 of each markdown file in handbook", *[lit(sha(f"handbook/{f}")) for f in ls("handbook", ".md")], steps=4, area="fan-out")
goal("print the opening line of each file in diary", *[lit(rd(f"diary/{f}").splitlines()[0]) for f in ls("diary")], steps=4, area="fan-out")
goal("What weekday were 1 January 2000, 29 February 2004 and 11 November 2011?",
     *[word(d.strftime("%A")) for d in (D(2000, 1, 1), D(2004, 2, 29), D(2011, 11, 11))], steps=3, area="fan-out")
goal("store the size in bytes of every file of tools into sizes.txt",
     files={"sizes.txt": [near(f, num((W / "tools" / f).stat().st_size)) for f in ls("tools")]}, steps=6, area="fan-out")
goal("15, 62 and 208 in words please", spelled(15), spelled(62), spelled(208), steps=3, area="fan-out")
goal("Count the words of each review in guestbook. Save the counts in review_words.txt",
     files={"review_words.txt": [near(n, num(words(f"guestbook/{n}.txt"))) for n in TONE]}, steps=7, area="fan-out")

# ---- deeper: 14 deep and 2 data
small = min(ls("handbook"), key=lambda f: (W / "handbook" / f).stat().st_size)
goal("Find the smallest file of handbook, count its words, and put that number, spelled out, into small.txt",
     files={"small.txt": [spelled(words(f"handbook/{small}"))]}, steps=4, area="deep")
goal("How much revenue did the Summit route bring according to sales/tickets.csv?",
     num(sum(F(r["revenue"]) for r in tickets if r["route"] == "Summit"), 2), steps=2, area="deep")
goal("depot/fleet.csv: average weight_t of the steam ones, and of the diesel ones",
     *[num(st.mean(F(r["weight_t"]) for r in fleet if r["kind"] == k), 2) for k in ("steam", "diesel")], steps=2, area="deep")
goal("In sales/tickets.csv keep only the rows with channel online, then total the children",
     num(sum(int(r["children"]) for r in tickets if r["channel"] == "online")), steps=2, area="deep")
big = max(ls("handbook", ".md"), key=lambda f: words(f"handbook/{f}"))
goal("Of the markdown files in handbook, which one has the most words, and how many are they?",
     near(big, num(words(f"handbook/{big}")), 120), steps=4, area="deep")
goal("Create summary.md which holds the number of lines in memo.txt, the tone of guestbook/school_trip.txt and the language of mail/lindqvist.txt",
     files={"summary.md": [num(lines("memo.txt")), word("positive"), (r"(?i)swedish|\bsv\b", "Swedish")]}, steps=5, area="deep")
routes = Counter()
for r in tickets:
    routes[r["route"]] += F(r["revenue"])
goal("revenue per route, from sales/tickets.csv", *[near(k, num(round(v, 2), 2)) for k, v in sorted(routes.items())], steps=2, area="deep")
goal("Word counts of all .md files in handbook must be added, and the sum written as roman numeral to md_total.txt",
     files={"md_total.txt": [roman(sum(words(f"handbook/{f}") for f in ls("handbook", ".md")))]}, steps=6, area="deep")
irish = [F(r["amount"]) for r in donations if r["country"] == "Ireland"]
goal("How many donations in sales/donations.csv have country Ireland, and what do they amount to in total?", num(len(irish)), num(sum(irish), 2), steps=3, area="deep")
running = Counter(r["shed"] for r in fleet if r["in_service"] == "yes")
goal("I filter depot/fleet.csv for in_service = yes. How many are left at each shed?", *[near(k, num(v), 25) for k, v in sorted(running.items())], steps=3, area="deep")
span = (D(1963, 9, 8) - D(1898, 5, 21)).days
goal("The line opened on 21 May 1898 and was closed on 8 September 1963. How many days lie between, and how many complete weeks are these?",
     num(span), num(span // 7), steps=2, area="deep")
goal("take railway.founded from line.json, add 75 and show the outcome as roman numeral", roman(line["railway"]["founded"] + 75), steps=3, area="deep")
desk = sum(r["channel"] == "desk" for r in tickets)
goal("What percentage of the rows in sales/tickets.csv has desk as channel? One decimal is enough", num(100 * desk / len(tickets), 1), steps=4, area="deep")
goal("diary/june.txt versus diary/april.txt: how many more words has the first one?", num(words("diary/june.txt") - words("diary/april.txt")), steps=3, area="deep")
goal("names of the stations in line.json from Z to A", in_order(*sorted(stations, reverse=True)), steps=2, area="data")
goal("Sort the crew names of control/roster.json alphabetically and save them to crew.txt",
     files={"crew.txt": [in_order(*sorted(c["name"] for c in roster["crew"]))]}, steps=3, area="data")

UNDOABLE = """Write a friendly reply to mail/rossi.txt
Summarise handbook/rules.txt in three sentences
translate mail/devries.txt to English
Delete volunteers.txt
rename memo.txt to reminder.txt
book four seats on the Twilight train for next Saturday
e-mail h.cole@brackwater.example that I am late
fix the FIXMEs in tools/dispatch.py
Plot the revenue in sales/tickets.csv over time
draw me a steam engine
Which of the reviews in guestbook do you like best?
make the handbook better
What is the average humidity in sales/tickets.csv?
word count of handbook/signals.md please
frobnicate readings.txt
Compose a short poem about the words in memo.txt
what will the weather be like at Windy Summit tomorrow
Explain why revenue in sales/tickets.csv went down
Who wrote diary/may.txt and what did he feel
Convert 200 pounds sterling to euros at today's rate
sort it out
Download the timetable from http://times.brackwater.example/summer
Is the price of the Scarf in sales/shop.csv fair?
the plural of 'signal' in Welsh
Read tools/gauge.js aloud
give me the value of railway.owner.name in line.json
what is the total of the bonus column in depot/fleet.csv
Rewrite diary/june.txt so it sounds more formal
set an alarm for 6 weeks from now at 7:00
Forecast the number of children for next month from sales/tickets.csv
print two paper copies of memo.txt on the office printer
Count the people in the photo platform.jpg
Add docstrings to every function in tools/lamps.py
Move the largest file of handbook to the diary folder
Suggest a name for the new diesel in depot/fleet.csv
compare guestbook/gala.txt with what other railways' visitors say online
Which language should I learn first, Italian or Dutch?
Do the usual thing with phonebook.txt
ring 555-0177 and ask how many seats are left
Turn sales/shop.csv into a nice slide presentation""".splitlines()

if __name__ == "__main__":
    for g, samples in zip(G, SAMPLES):
        for p, s in samples:
            assert re.search(p, s), (g["id"], p, s)
            assert not re.search(p, g["goal"]), (g["id"], "met by the goal itself", p)
        assert g["answer"] or g["files"]
    assert len(G) == 100 and len(UNDOABLE) == 40
    with open(HERE / "goals.jsonl", "w") as f:
        f.writelines(json.dumps(g, ensure_ascii=False) + "\n" for g in G)
    with open(HERE / "undoable.jsonl", "w") as f:
        f.writelines(json.dumps({"id": f"v{i:02d}", "goal": t}, ensure_ascii=False) + "\n" for i, t in enumerate(UNDOABLE, 1))
    print(len(G), Counter(g["area"] for g in G), Counter(g["steps"] for g in G))
    for g, s in zip(G, SAMPLES):
        if __import__("sys").argv[1:]:
            print(g["id"], g["goal"], "=>", [x for _, x in s])

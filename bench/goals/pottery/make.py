"""Writes goals.jsonl (100 goals with a checkable outcome) and undoable.jsonl (40 goals that
need a large model, a network or a thing that is not there).

Every expected value is computed here from the files in workspace/:  python make.py
"""
import csv, datetime, hashlib, json, math, re, statistics as st
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"
rd = lambda p: (W / p).read_text()
words = lambda p: len(rd(p).split())
lines = lambda p: len(rd(p).splitlines())
size = lambda p: (W / p).stat().st_size
sha256 = lambda p: hashlib.sha256((W / p).read_bytes()).hexdigest()
firings, sales, members = (list(csv.DictReader(open(W / f"ledger/{n}.csv"))) for n in ("firings", "sales", "members"))
studio, glazes = json.loads(rd("setup/studio.json")), json.loads(rd("setup/glazes.json"))
weights = [int(x) for x in rd("weights.txt").split()]
mails = sorted(set(re.findall(r"[\w.]+@[\w.]+\.example", rd("suppliers.txt"))))
links = re.findall(r"https?://[\w./]+\w", rd("suppliers.txt"))
dates = [datetime.date.fromisoformat(d) for d in re.findall(r"\d{4}-\d\d-\d\d", rd("suppliers.txt"))]
day = datetime.date
G = []


# ---- patterns for the right value in any usual rendering

def num(x, places=None):
    """The number x: whole numbers with or without thousands separators; others rounded or cut
    at `places` decimals (2 if not said), more digits allowed."""
    if float(x) == int(x) and places is None:
        return r"(?<![\d.])" + f"{int(x):,}".replace(",", "[, ]?") + r"(?:\.0+)?(?!\d)(?!\.\d)"
    places = 2 if places is None else places
    scale = 10**places
    forms = set()
    for form in (f"{x:.{places}f}", f"{int(x * scale) / scale:.{places}f}", f"{int(x * scale + 0.5) / scale:.{places}f}"):
        whole, decimals = form.split(".")
        whole = f"{int(whole):,}".replace(",", "[, ]?")
        forms.add(whole + r"\." + decimals + r"\d*")
        if decimals.rstrip("0") != decimals:
            rest = decimals.rstrip("0")
            forms.add(whole + (r"\." + rest if rest else "") + r"(?:\.0+)?(?!\d)(?!\.\d)")
    pattern = r"(?<![\d.])(?:" + "|".join(sorted(forms)) + ")"
    assert re.search(pattern, f"It is {x:.{places}f}."), x
    return pattern


def rounded(x, places):
    """x rounded to `places` decimals and no further digits but zeros."""
    return r"(?<![\d.])" + re.escape(f"{x:.{places}f}") + r"0*(?!\d)"


def roman(n):
    out = ""
    for value, sign in zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "M CM D CD C XC L XL X IX V IV I".split()):
        while n >= value:
            out, n = out + sign, n - value
    return rf"\b{out}\b"


ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()


def spoken(n):
    """The number n in English words, with or without "and", hyphens and commas."""
    def below(n):
        if n < 20:
            return ONES[n]
        if n < 100:
            return TENS[n // 10] + (r"[- ]" + ONES[n % 10] if n % 10 else "")
        if n < 1000:
            return ONES[n // 100] + " hundred" + (r",? (?:and )?" + below(n % 100) if n % 100 else "")
        return below(n // 1000) + " thousand" + (r",? (?:and )?" + below(n % 1000) if n % 1000 else "")
    return r"(?i)(?<!ty[- ])(?<!hundred )\b" + below(n) + r"\b(?![- ]\w+teen|[- ]hundred|[- ]thousand)"


def date(d):
    """The date d as 2024-03-05, 5 March 2024, March 5, 2024, 05/03/2024 or 5.3.2024."""
    month = f"{d:%b}(?:{d:%B}"[:-len(f"{d:%B}")] + f"{d:%B}"[3:] + r")?\.?"
    pattern = (rf"(?i){d.isoformat()}|\b0?{d.day}(?:st|nd|rd|th)?(?: of)? {month},? {d.year}"
               rf"|{month} 0?{d.day}(?:st|nd|rd|th)?,? {d.year}|\b0?{d.day}[./]0?{d.month}[./]{d.year}|\b0?{d.month}/0?{d.day}/{d.year}")
    for form in (d.isoformat(), f"{d.day} {d:%B} {d.year}", f"{d:%B} {d.day}, {d.year}", f"{d:%d %b %Y}", f"{d:%d/%m/%Y}"):
        assert re.search(pattern, form), form
    return pattern


def word(w):
    return rf"(?i)\b{re.escape(w)}\b"


def exactly(text):
    return r"\A\s*" + re.escape(text.strip()) + r"\s*\Z"


def in_order(*parts):
    return "(?is)" + ".*".join(re.escape(p) for p in parts)


POSITIVE, NEGATIVE = r"(?i)\b(?:positive|happy|good|favou?rable)\b", r"(?i)\b(?:negative|unhappy|bad|unfavou?rable)\b"
ITALIAN, DUTCH = r"(?im)italian|(?:^|[:,] *)\W?it\W*$", r"(?i)dutch|\bnl\b"
FRENCH, GERMAN, SPANISH = r"(?i)french|\bfr\b", r"(?i)german|\bde\b", r"(?i)spanish|\bes\b"


def goal(text, *answer, files=None, steps=1, area):
    for pattern in [*answer, *sum((files or {}).values(), [])]:
        re.compile(pattern)
    G.append({"id": f"d{len(G)+1:02d}", "goal": text, "area": area, "steps": steps,
              "answer": list(answer), "files": files or {}})


def column(rows, name, **where):
    return [float(r[name]) for r in rows if all(r[k] == v for k, v in where.items())]


# ---- one step
goal("word total for journal.txt", num(words("journal.txt")), area="text")
n = len(rd("shopping.txt"))  # with or without the last line end, or without any
goal("shopping.txt: number of characters?", "|".join(num(k) for k in (n, n - 1, n - lines("shopping.txt"))), area="text")
goal("Pull the mail addresses out of suppliers.txt", *map(re.escape, mails), area="text")
goal("Could I see the last two lines of archive/rules_1974.txt?", in_order(*rd("archive/rules_1974.txt").splitlines()[-2:]), area="text")
goal("how often does the word clay occur in pages/welcome.md", num(len(re.findall("clay", rd("pages/welcome.md")))), area="text")
common = Counter(rd("archive/past.txt").lower().split()).most_common(2)
goal("2 most frequent words, archive/past.txt", *[word(w) for w, _ in common], area="text")
goal("I'm looking for the URLs that suppliers.txt contains.", *map(re.escape, links), area="text")
goal("Which dates are mentioned in suppliers.txt?", *map(date, dates), area="text")
goal("48.6 / 0.75", num(48.6 / 0.75, 1), area="maths")
goal("If I subtract 389 from 1000, what remains?", num(1000 - 389), area="maths")
goal("6.5 percent of 1240, please", num(1240 * 0.065, 1), area="maths")
goal("square root of 1764", num(math.isqrt(1764)), area="maths")
goal("3.5 hours in minutes", num(3.5 * 60), area="units")
goal("2.4 lb is how many grams?", num(2.4 * 453.59237, 1), area="units")
goal("1240 degrees celsius -> fahrenheit", num(1240 * 9 / 5 + 32), area="units")
goal("I need 250 cm expressed in inches.", num(250 / 2.54, 1), area="units")
goal("Day of the week for 29 February 2000?", word(f"{day(2000, 2, 29):%A}"), area="dates")
goal("45 days after 2024-01-20 is what date", date(day(2024, 1, 20) + datetime.timedelta(45)), area="dates")
goal("From 3 May 2023 till 17 September 2023: number of days?", num((day(2023, 9, 17) - day(2023, 5, 3)).days), area="dates")
goal("three months before 15 August 2025", date(day(2025, 5, 15)), area="dates")
goal("MMXXIV, which number is that?", num(2024), area="numbers")
goal("Roman numeral for 649", roman(649), area="numbers")
goal("How would one say 1205 in words?", spoken(1205), area="numbers")
goal("Please round 48.6173 to two places.", rounded(48.6173, 2), area="numbers")
goal("plural form of shelf", word("shelves"), area="micro")
goal("Pluralise the word crisis", word("crises"), area="micro")
goal("More than one ox: what's the word?", word("oxen"), area="micro")
goal("What's the mood of guestbook/birch.txt?", NEGATIVE, area="micro")
goal("Judge the sentiment of guestbook/cedar.txt", POSITIVE, area="micro")
goal("In which language did they write post/april.txt?", ITALIAN, area="micro")
goal("post/may.txt - identify the language", DUTCH, area="micro")
goal("What does setup/studio.json hold under limits.queue.length?", num(studio["limits"]["queue"]["length"]), area="data")
goal("Look up address.town in setup/studio.json", word(studio["address"]["town"]), area="data")
goal("mean age, ledger/members.csv?", num(st.mean(column(members, "age")), 1), area="data")
goal("Lowest peak_c in ledger/firings.csv", num(min(column(firings, "peak_c"))), area="data")
goal("Which columns does ledger/sales.csv have?", *[word(c) for c in sales[0]], area="data")
goal("Add up the qty column of ledger/sales.csv.", num(sum(column(sales, "qty"))), area="data")
goal("ledger/sales.csv: how many rows have Hexmoor as the town?", num(sum(r["town"] == "Hexmoor" for r in sales)), area="data")
goal("number of glazes in setup/glazes.json", num(len(glazes)), area="data")
goal("what's in the pages folder", *[re.escape(p.name) for p in sorted((W / "pages").iterdir())], area="files")
goal("Search the tools directory for FIXME", *[re.escape(m) for p in sorted((W / "tools").iterdir())
     for m in re.findall("FIXME: (.*)", p.read_text())], area="files")
goal("How big is journal.txt, in bytes?", num(size("journal.txt")), area="files")
goal("SHA-256 checksum for shopping.txt, please", sha256("shopping.txt"), area="files")
goal("where is the file glazing.md?", r"pages[/\\]glazing\.md", area="files")

# ---- two and three steps, one after the other
goal("Get the number of lines in archive/past.txt, then give it as a Roman numeral.", roman(lines("archive/past.txt")), steps=2, area="text")
unique = sorted(set(rd("shopping.txt").splitlines()))
goal("shopping.txt without repeated lines, in alphabetical order, into shopping_clean.txt",
     files={"shopping_clean.txt": [exactly("\n".join(unique))]}, steps=3, area="text")
goal("Store the e-mail addresses found in suppliers.txt in a new file mails.txt",
     files={"mails.txt": [re.escape(m) for m in mails]}, steps=2, area="text")
goal("Make the first line of archive/past.txt lowercase", re.escape(rd("archive/past.txt").splitlines()[0].lower()), steps=2, area="text")
goal("How many unique lines has shopping.txt?", num(len(unique)), steps=2, area="text")
goal("I want the total of the numbers in weights.txt, written in words.", spoken(sum(weights)), steps=2, area="text")
goal("Put the first four lines of pages/glazing.md in a file called start.txt",
     files={"start.txt": [exactly("\n".join(rd("pages/glazing.md").splitlines()[:4]))]}, steps=2, area="text")
goal("average of the figures in weights.txt, to the nearest whole number", num(round(st.mean(weights))), steps=2, area="text")
goal("Mean price in ledger/sales.csv to one decimal, please", rounded(st.mean(column(sales, "price")), 1), steps=2, area="data")
goal("How many kilns are there in setup/studio.json? Multiply that by 12.", num(len(studio["kilns"]) * 12), steps=2, area="data")
goal("Write the number of records in ledger/members.csv, heading excluded, to count.txt", files={"count.txt": [num(len(members))]}, steps=2, area="data")
goal("Total pieces in ledger/firings.csv minus 52", num(sum(column(firings, "pieces")) - 52), steps=2, area="data")
goal("Take founded from setup/studio.json and show that year in Roman numerals.", roman(studio["founded"]), steps=2, area="data")
goal("the course titles in setup/studio.json, sorted from A to Z", in_order(*sorted(c["title"] for c in studio["courses"])), steps=2, area="data")
goal("What's the difference between the highest and the lowest age in ledger/members.csv?",
     num(max(column(members, "age")) - min(column(members, "age"))), steps=3, area="data")
goal("ledger/firings.csv: for how many rows is cracked greater than 2? Answer in words.",
     spoken(sum(x > 2 for x in column(firings, "cracked"))), steps=2, area="data")
goal("Create leaf.txt with the plural of leaf in it.", files={"leaf.txt": [r"(?i)\A\s*leaves\s*\Z"]}, steps=2, area="micro")
goal("Work out the sentiment of guestbook/amber.txt and note it in verdict.txt", files={"verdict.txt": [POSITIVE]}, steps=2, area="micro")
goal("Detect the language of post/june.txt, then store its name in lang.txt.", files={"lang.txt": [FRENCH]}, steps=2, area="micro")
goal("plural of brush, in capital letters", r"\bBRUSHES\b", steps=2, area="micro")
goal("Add 18.5, 24 and 52, then take 10% off. What is left?", num((18.5 + 24 + 52) * 0.9, 2), steps=2, area="maths")
goal("A bag costs 14 euros. Multiply 14 by 23 and divide the result by 4.", num(14 * 23 / 4, 1), steps=2, area="maths")
goal("Take 26.2 miles, turn them into metres and round to the nearest whole number.", num(round(26.2 * 1609.344)), steps=2, area="units")
goal("5 US gallons as litres; one decimal is enough", rounded(5 * 3.785411784, 1), steps=2, area="units")

# ---- fan-out: the same work on each of several things
pages = sorted(p.relative_to(W).as_posix() for p in (W / "pages").glob("*.md"))
goal("Every .md file in pages: number of words in each", *[num(words(p)) for p in pages], steps=4, area="fan-out")
goal("Look at each .py file in tools, count how often FIXME appears, and give me the grand total.",
     num(sum(p.read_text().count("FIXME") for p in (W / "tools").glob("*.py"))), steps=4, area="fan-out")
goal("What is the sentiment of all the entries in guestbook, one by one?",
     *[rf"(?is){n}.{{0,80}}?{s}" for n, s in (("amber", "positive"), ("birch", "negative"), ("cedar", "positive"), ("dune", "negative"))],
     steps=5, area="fan-out")
goal("identify the language of each text in the post directory",
     *[rf"(?is){n}.{{0,80}}?(?:{s})" for n, s in (("april", r"italian|\bit\b"), ("may", r"dutch|\bnl\b"), ("june", r"french|\bfr\b"),
                                               ("july", r"german|\bde\b"), ("august", r"spanish|\bes\b"))], steps=6, area="fan-out")
goal("plurals please: foot, baby, tomato, box", *map(word, ("feet", "babies", "tomatoes", "boxes")), steps=4, area="fan-out")
tables = [len(t) for t in (firings, sales, members)]
goal("Tell me the number of data rows (no header) for each CSV under ledger, plus the sum of those numbers.",
     *map(num, tables), num(sum(tables)), steps=5, area="fan-out")
goal("Roman numerals for 6, 19, 40 and 99", *map(roman, (6, 19, 40, 99)), steps=4, area="fan-out")
goal("Line counts of all files in archive, stored in linecounts.txt",
     files={"linecounts.txt": [num(lines(p.relative_to(W))) for p in sorted((W / "archive").iterdir())]}, steps=4, area="fan-out")
goal("size in bytes of each file in pages", *[num(p.stat().st_size) for p in sorted((W / "pages").iterdir())], steps=5, area="fan-out")
goal("On what weekdays do 2024-03-14, 2025-11-30 and 2021-12-04 fall?",
     *[word(f"{d:%A}") for d in (day(2024, 3, 14), day(2025, 11, 30), day(2021, 12, 4))], steps=3, area="fan-out")
goal("20 cm, 35 cm and 48 cm: what are they in inches?", *[num(x / 2.54, 1) for x in (20, 35, 48)], steps=3, area="fan-out")
goal("Put each of these numbers into words: 15, 28, 73.", *map(spoken, (15, 28, 73)), steps=3, area="fan-out")
goal("compute the averages of the columns price and qty, file ledger/sales.csv",
     num(st.mean(column(sales, "price")), 1), num(st.mean(column(sales, "qty")), 1), steps=2, area="fan-out")
goal("Show the opening line of every markdown file in pages", *[re.escape(rd(p).splitlines()[0].lstrip("# ")) for p in pages], steps=4, area="fan-out")
goal("I'd like sha256 sums for all files in guestbook.", *[sha256(p.relative_to(W)) for p in sorted((W / "guestbook").iterdir())], steps=5, area="fan-out")
goal("Count the words of all letters in post. Save the counts to letters.txt.",
     files={"letters.txt": [rf"(?s){n}.{{0,40}}?" + num(words(f"post/{n}.txt")) for n in ("april", "august", "july", "june", "may")]}, steps=7, area="fan-out")

# ---- deeper
biggest = max((W / "archive").iterdir(), key=lambda p: p.stat().st_size).relative_to(W)
goal("Words in the biggest file of archive, as a Roman numeral, stored in result.txt",
     files={"result.txt": [roman(words(biggest))]}, steps=4, area="deep")
goal("Sum the word counts of the md files in pages and write the sum, spelled out, to sum.txt",
     files={"sum.txt": [spoken(sum(map(words, pages)))]}, steps=6, area="deep")
goal("ledger/firings.csv: total pieces where potter is Oona", num(sum(column(firings, "pieces", potter="Oona"))), steps=2, area="deep")
goal("Average price of a mug and average price of a teapot, according to ledger/sales.csv?",
     *[num(st.mean(column(sales, "price", item=i)), 1) for i in ("mug", "teapot")], steps=2, area="deep")
goal("Please create summary.md containing the line count of journal.txt, the sentiment of guestbook/dune.txt and the language of post/july.txt.",
     files={"summary.md": [num(lines("journal.txt")), NEGATIVE, GERMAN]}, steps=5, area="deep")
goal("We fired from 2023-01-09 until 2023-12-19. How many full weeks is that?", num((day(2023, 12, 19) - day(2023, 1, 9)).days // 7), steps=2, area="deep")
goal("Which has more words, pages/welcome.md or pages/safety.md?",
     # welcome.md alone, or followed by its count or by a word that says it is the one
     rf"(?is)\A(?!.*safety).*welcome|welcome.{{0,60}}?(?:more|longer|larger|bigger|greater|most|{words('pages/welcome.md')})", steps=3, area="deep")
(town, orders), *_ = Counter(r["town"] for r in sales).most_common()
goal("Which town has the most rows in ledger/sales.csv, and how many?", word(town), num(orders), steps=3, area="deep")
goal("Sum the hours of kiln Juno in ledger/firings.csv and convert them from hours to days, one decimal.",
     rounded(sum(column(firings, "hours", kiln="Juno")) / 24, 1), steps=4, area="deep")
goal("how many orders from Linby are not paid (paid is no) in ledger/sales.csv",
     num(sum(r["town"] == "Linby" and r["paid"] == "no" for r in sales)), steps=2, area="deep")
goal("Group ledger/sales.csv by glaze, sum qty per group, write the outcome to glaze_totals.txt",
     files={"glaze_totals.txt": [rf"(?i){g}\D{{0,30}}" + num(sum(column(sales, "qty", glaze=g))).replace(r"(?<![\d.])", "")
                                 for g in sorted({r["glaze"] for r in sales})]}, steps=3, area="deep")
goal("Order the numbers in weights.txt from high to low and put the top three into top3.txt",
     files={"top3.txt": [rf"(?s)\A(?!.*{sorted(weights)[-4]})" + ".*".join(["", *map(str, sorted(weights)[:-4:-1])])]}, steps=3, area="deep")
goal("Highest age in ledger/members.csv: as a Roman numeral, saved in oldest.txt", files={"oldest.txt": [roman(int(max(column(members, "age"))))]}, steps=3, area="deep")
goal("Read courses[0].price from setup/studio.json, add 20 percent to it and tell me the new price.", num(studio["courses"][0]["price"] * 1.2), steps=3, area="deep")
goal("Get the dates in suppliers.txt. How many days lie between the earliest and the latest?", num((max(dates) - min(dates)).days), steps=4, area="deep")
goal("In archive/past.txt, how many lines contain the word yard? Double it and write it in words.",
     spoken(2 * sum("yard" in line for line in rd("archive/past.txt").splitlines())), steps=4, area="deep")

UNDOABLE = """
Write a short poem about the kiln
summarise archive/past.txt in two sentences
Translate post/april.txt into English
delete shopping.txt
Please rename journal.txt to diary.txt
Book me a table for four on Friday evening
e-mail the figures in weights.txt to Greta
Fix the FIXMEs in tools/kiln.py
plot the price column of ledger/sales.csv
Draw a teapot
How many words are in diary.txt?
average of the weight column in ledger/sales.csv
What does setup/studio.json hold under limits.humidity.max?
which glaze do you like best?
Make it better
sort it out
blorf the file shopping.txt
Regrundle pages/welcome.md and save it as out.txt
What's the weather in Lisbon tomorrow?
How many euros are 50 US dollars at today's rate?
Explain what tools/shelves.py does
rewrite pages/safety.md in a friendlier tone
Reply to post/july.txt in German
What is the capital of Mongolia?
Download https://kilnlane.example/glazing and count its words
Why did the writer of guestbook/birch.txt complain?
Turn tools/labels.js into Python
Remove the archive folder
move pages/prices.txt to ledger
Guess how many mugs we will sell next spring
Is the roof of the shed safe?
language of post/september.txt
Count the lines in archive/rules_1999.txt and give them in Roman numerals
Sum the discount column of ledger/sales.csv for Hexmoor
Suggest three names for a new glaze
Remind me tomorrow at nine to empty the tank
Install the newest Python
What should I do about the kiln?
make a pie chart of the towns in ledger/sales.csv and save it as towns.png
Record a podcast about the bottle kiln
""".strip().splitlines()


def save(name, rows):
    (HERE / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


save("goals.jsonl", G)
save("undoable.jsonl", [{"id": f"u{i:02d}", "goal": text} for i, text in enumerate(UNDOABLE, 1)])
print(len(G), dict(Counter(g["area"] for g in G)), "one step:", sum(g["steps"] == 1 for g in G), "undoable:", len(UNDOABLE))

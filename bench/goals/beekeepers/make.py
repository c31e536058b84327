"""Writes goals.jsonl (b01..b60) and undoable.jsonl (u01..u24).

Every expected value is computed here from the files in workspace/ (python make.py). Each goal also
carries one or more sample outcomes (not written out) that its patterns must accept; no pattern may
match the wording of its own goal.
"""
import calendar, csv, datetime as dt, hashlib, json, re, statistics as st
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
W = HERE / "workspace"
rd = lambda p: (W / p).read_text()
lines = lambda p: len(rd(p).splitlines())
table = lambda n: list(csv.DictReader(open(W / "tables" / n, newline="")))
hives, harvest, members = table("hives.csv"), table("harvest.csv"), table("members.csv")
coop, scale = json.loads(rd("coop.json")), json.loads(rd("settings/scale.json"))
G, S = [], []


def words(p):
    """The number of words; the files counted here have no word two ways of counting disagree on."""
    a, b = len(rd(p).split()), len(re.findall(r"\w+", rd(p)))
    assert a == b, (p, a, b)
    return a


ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def spell(n):
    if n < 20: return ONES[n]
    if n < 100: return TENS[n // 10] + ("-" + ONES[n % 10] if n % 10 else "")
    if n < 1000: return ONES[n // 100] + " hundred" + (" and " + spell(n % 100) if n % 100 else "")
    return spell(n // 1000) + " thousand" + ((" and " if n % 1000 < 100 else " ") + spell(n % 1000) if n % 1000 else "")


def spelled(n):
    """n in words: with or without hyphens, commas and 'and'; not as part of a longer number."""
    parts = [w for w in re.split(r"[ -]", spell(n)) if w != "and"]
    return r"(?i)(?<![a-z-])" + r"(?:,? and |[ ,-]+)".join(parts) + r"(?!(?:-| and | )(?:hundred|thousand|point|" + "|".join(ONES) + r")\b)(?![a-z])"


def roman(n):
    out = ""
    for v, s in zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "M CM D CD C XC L XL X IX V IV I".split()):
        out += s * (n // v); n %= v
    return out


rom = lambda n: r"\b" + roman(n) + r"\b"


def num(x, places=None):
    """A number: whole ones with or without thousands separators, others rounded or cut at
    `places` decimals (2 if not said), more digits allowed. As in make_dev.py."""
    if float(x) == int(x) and places is None:
        return r"(?<![\d.])" + f"{int(x):,}".replace(",", "[, ]?") + r"(?:\.0+)?(?!\d)(?!\.\d)"
    places = 2 if places is None else places
    k = 10**places
    forms = set()
    for form in (f"{x:.{places}f}", f"{int(x * k) / k:.{places}f}", f"{int(x * k + 0.5) / k:.{places}f}"):
        whole, decimals = form.split(".")
        whole = f"{int(whole):,}".replace(",", "[, ]?")
        forms.add(whole + r"\." + decimals + r"\d*")
        rest = decimals.rstrip("0")
        if rest != decimals:
            forms.add(whole + (r"\." + rest if rest else "") + r"(?:\.0+)?(?!\d)(?!\.\d)")
    return r"(?<![\d.])(?:" + "|".join(sorted(forms)) + ")"


def exact(x, places):
    """A number the goal asks to be rounded to `places` decimals: nothing but zeros may follow."""
    whole, _, rest = f"{x:.{places}f}".rstrip("0").partition(".")
    return r"(?<![\d.])" + whole + (r"\." + rest + "0*" if rest else r"(?:\.0+)?") + r"(?!\d)(?!\.\d)"


def small(n):
    """A small whole number, in figures or in words."""
    return "(?:" + num(n) + "|" + spelled(n).replace("(?i)", "(?i:", 1) + "))"


def date(d):
    """A date however it is written."""
    m, ab = calendar.month_name[d.month], calendar.month_abbr[d.month]
    mon = rf"(?:{m}|{ab}\.?)"
    day = rf"0?{d.day}(?:st|nd|rd|th)?"
    return (rf"(?i)(?<!\d)(?:{d.year}-{d.month:02d}-{d.day:02d}|{d.year}/0?{d.month}/0?{d.day}|{day}(?: of)? {mon},? {d.year}|{mon} {day},? {d.year}"
            rf"|0?{d.day}[./]0?{d.month}[./]{d.year}|0?{d.month}/0?{d.day}/{d.year})(?!\d)")


weekday = lambda d: "(?i)" + rf"\b(?:{calendar.day_name[d.weekday()]}|{calendar.day_abbr[d.weekday()]})\b"
GOOD = r"(?:positive|favou?rable|happy|pleased)"
BAD = r"(?:negative|unfavou?rable|unhappy|displeased)"
good, bad = rf"(?i)\b{GOOD}\b", rf"(?i)\b{BAD}\b"
LANG = {"italian": r"(?i)\bitalian\b|\bitaliano\b|(?:[:=>|(\"']|→)\s*it\b", "dutch": r"(?i)\bdutch\b|\bnl\b|\bnederlands\b",
        "portuguese": r"(?i)\bportuguese\b|\bpt\b|\bportugu[eê]s\b", "german": r"(?i)\bgerman\b|\bde\b|\bdeutsch\b",
        "french": r"(?i)\bfrench\b|\bfr\b|\bfran[cç]ais\b"}


def verdict(name, kind, others):
    return rf"(?is)\b{name}(?:\.txt)?\b(?:(?!\b(?:{'|'.join(others)})\b).){{0,120}}?\b{kind}\b"


def whole_list(items):
    return r"\A\s*" + r"\s*\n\s*".join(map(re.escape, items)) + r"\s*\Z"


def goal(text, *answer, files=None, steps=1, area, sample=None, wrote=None):
    """sample: an output that must be accepted; wrote: {file: content} that must be accepted."""
    G.append({"id": f"b{len(G)+1:02d}", "goal": text, "area": area, "steps": steps, "answer": list(answer), "files": files or {}})
    S.append((sample, wrote or {}))


# ---- text
n = words("minutes/march.txt")
goal("Word count for minutes/march.txt?", num(n), area="text", sample=f"{n} words")
n = len(rd("minutes/june.txt")); assert n == len(rd("minutes/june.txt").encode())
goal("I'd like to know how many characters long the text in minutes/june.txt is.", f"(?:{num(n)}|{num(n-1)})", area="text", sample=f"{n}")
mails = sorted(set(re.findall(r"[\w.-]+@[\w.-]+\w", rd("addresses.txt")))); assert len(mails) == 4
goal("addresses.txt - pull out the mail addresses", *[re.escape(m) for m in mails], area="text", sample="\n".join(mails))
rows = [l for l in rd("handbook/glossary.txt").splitlines() if re.search(r"\bwax\b", l)]
assert len(rows) == len([l for l in rd("handbook/glossary.txt").lower().splitlines() if "wax" in l]) == rd("handbook/glossary.txt").lower().count("wax")
goal("On how many lines of handbook/glossary.txt does the word wax occur?", small(len(rows)), steps=2, area="text", sample=str(len(rows)))
last = rd("minutes/april.txt").splitlines()[-3:]
before = re.escape(rd("minutes/april.txt").splitlines()[-4])
goal("Show me just the bottom three lines of minutes/april.txt.", rf"\A(?![\s\S]*{before})[\s\S]*{re.escape(last[0])}", *[re.escape(l) for l in last[1:]],
     area="text", sample="\n".join(last))
days = [dt.date.fromisoformat(d) for d in re.findall(r"\d{4}-\d\d-\d\d", rd("addresses.txt"))]; assert len(days) == 3
goal("Are there any dates in addresses.txt? Give them to me.", *[date(d) for d in days], area="text", sample="2024-09-17, 6 November 2023, Feb 28, 2027")
top = Counter(re.findall(r"\w+", rd("minutes/june.txt").lower())).most_common(2); assert top[0][1] > top[1][1]
goal("Which word crops up most often in minutes/june.txt?", rf"(?i)\b{top[0][0]}\b", area="text", sample=f"{top[0][0]}: {top[0][1]}")
kinds = sorted(set(rd("varieties.txt").split()))
goal("Please put varieties.txt into A to Z order, keep every variety only once, and store that in tidy.txt.",
     files={"tidy.txt": [whole_list(kinds)]}, steps=3, area="text", wrote={"tidy.txt": "\n".join(kinds) + "\n"})
urls = re.findall(r"https?://[^\s,]+", rd("addresses.txt")); assert len(urls) == 3
goal("The links found in addresses.txt should be collected in a file called web.txt.", files={"web.txt": [re.escape(u) for u in urls]}, steps=2, area="text",
     wrote={"web.txt": "\n".join(urls)})
head = rd("handbook/winter.md").splitlines()[0]
goal("Take the opening line of handbook/winter.md and turn it into capitals", re.escape(head.lstrip("# ").upper()), steps=2, area="text", sample=head.upper())
# ---- maths
goal("14 percent of 3650 = ?", num(.14 * 3650 // 1), area="maths", sample="511.0"); assert abs(.14 * 3650 - 511) < 1e-9
goal("Could you work this out for me: 18 * (7 - 2.5) + 96 / 4", num(18 * (7 - 2.5) + 96 / 4), area="maths", sample="= 105")
goal("A jar costs 7.40. Its price goes up by 12%. What is the new price?", num(7.4 * 1.12, 2), steps=2, area="maths", sample="8.288")
# ---- units
goal("How many pounds is 18 kilograms?", num(18 / 0.45359237, 1), area="units", sample="39.68 lb")
goal("35 celsius -> fahrenheit", num(35 * 9 / 5 + 32), area="units", sample="95 °F")
goal("a distance of 340 yards, in metres", num(340 * .9144, 1), area="units", sample="310.896 m")
goal("Turn 250 grams into ounces, to one decimal place.", exact(250 / 28.349523125, 1), steps=2, area="units", sample="8.8 oz")
# ---- dates
d = dt.date(2031, 3, 14)
goal("What day of the week will 14 March 2031 be?", weekday(d), area="dates", sample=d.strftime("%A"))
goal("from 3 May 2023 until 19 August 2023, that makes how many days?", num((dt.date(2023, 8, 19) - dt.date(2023, 5, 3)).days), area="dates", sample="108 days")
d = dt.date(2024, 11, 20) - dt.timedelta(days=45)
goal("Go back 45 days from 20 November 2024. Which date is that and what weekday?", date(d), weekday(d), steps=2, area="dates", sample=d.strftime("%A, %d %B %Y"))
# ---- numbers
goal("MMXXVI as an ordinary number", num(2026), area="numbers", sample="2026")
goal("Roman for 648, please", rom(648), area="numbers", sample=roman(648))
goal("I'm filling in a cheque: 1205 minus 76, and the result has to be in words.", spelled(1205 - 76), steps=2, area="numbers", sample="one thousand one hundred and twenty-nine")
# ---- micro
goal("goose, plural form?", r"(?i)\bgeese\b", area="micro", sample="geese")
goal("What do we call more than one ox?", r"(?i)\boxen\b", area="micro", sample="oxen")
goal("Can you tell me whether the comment in comments/bo.txt is a favourable one?", rf"(?i)\b{BAD}\b|\bnot\b|\bno\b|\bisn't\b", area="micro", sample="Negative")
goal("mood of comments/ann.txt", good, area="micro", sample="positive")
goal("In what language did they write to us in post/monday.txt?", LANG["italian"], area="micro", sample="Italian")
goal("Make a file leaves.txt holding the plural of leaf.", files={"leaves.txt": [r"(?i)\A\s*leaves\s*\Z"]}, steps=2, area="micro", wrote={"leaves.txt": "leaves\n"})
goal("Judge the tone of comments/dan.txt, let me know it, and put it in verdict.txt as well.", bad, files={"verdict.txt": [bad]}, steps=3, area="micro",
     sample="negative", wrote={"verdict.txt": "negative"})
# ---- data
goal("What have we got for limits.swarm.alert_days in coop.json?", small(coop["limits"]["swarm"]["alert_days"]), area="data", sample="11")
x = st.mean(float(r["weight_kg"]) for r in hives)
goal("tables/hives.csv: mean weight_kg", num(x, 2), area="data", sample=f"{x}")
x = min(float(r["price"]) for r in harvest)
goal("Find me the cheapest price listed in tables/harvest.csv", num(x, 2), area="data", sample=f"{x}")
goal("What columns are there in tables/members.csv?", *[rf"\b{c}\b" for c in members[0]], area="data", sample=", ".join(members[0]))
n = sum(r["town"] == "Elmsley" for r in members)
goal("How many of the people in tables/members.csv have Elmsley as their town?", small(n), steps=2, area="data", sample=f"{n}")
goal("Number of suppliers in coop.json, times 15", num(len(coop["suppliers"]) * 15), steps=2, area="data", sample="105")
x = sum(int(r["jars"]) for r in harvest) / 8
goal("Total up the jars in tables/harvest.csv and share them equally among 8 stalls; how many does each get?", num(x, None if x == int(x) else 2) if x == int(x) else f"(?:{num(x, 2)}|{num(x, 1)}|{num(int(x))}|{num(round(x))})",
     steps=2, area="data", sample=f"{x}")
names = sorted(d["name"] for d in scale["devices"])
goal("settings/scale.json has a list of devices - their names from A to Z, please", "(?s)" + ".*".join(names), steps=2, area="data", sample="\n".join(names))
x = st.mean(int(r["age"]) for r in members); assert abs(x % 1 - .5) > .05
goal("How old are the members in tables/members.csv on average? Round the age to a whole number and say it in words.", spelled(round(x)), steps=3, area="data", sample=spell(round(x)))
# ---- files
ls = sorted(p.name for p in (W / "handbook").iterdir())
goal("What's in the handbook directory?", *[re.escape(n) for n in ls], area="files", sample=" ".join(ls))
h = hashlib.sha256((W / "coop.json").read_bytes()).hexdigest()
goal("Please give me a SHA-256 fingerprint for coop.json.", "(?i)" + h, area="files", sample=h)
fix = [m for p in (W / "scripts").iterdir() for m in re.findall(r"FIXME: (.*)", p.read_text())]
goal("Where do we have FIXME remarks in scripts?", *[re.escape(m) for m in fix], area="files", sample="\n".join(fix))
tiny = min((W / "tables").iterdir(), key=lambda p: p.stat().st_size)
goal("Of everything in tables, which file takes up the least space, and how many lines does it have?", re.escape(tiny.name), num(lines(f"tables/{tiny.name}")), steps=2, area="files",
     sample=f"{tiny.name}: {lines('tables/' + tiny.name)} lines")
# ---- fan-out
mins = sorted(p.name for p in (W / "minutes").iterdir())
counts = [words(f"minutes/{m}") for m in mins]; assert len(set(counts)) == 3
goal("Number of words in each of the text files in minutes, please.", *[num(c) for c in counts], steps=4, area="fan-out", sample=str(counts))
n = sum(p.read_text().count("FIXME") for p in (W / "scripts").glob("*.py"))
goal("Go through the Python files in scripts. See how many FIXMEs each one has and give me the sum.", small(n), steps=5, area="fan-out", sample=f"total {n}")
tone = {"ann": GOOD, "bo": BAD, "cleo": GOOD, "dan": BAD}
goal("What mood are the visitors' comments in the comments folder? One verdict per file.", *[verdict(k, v, [o for o in tone if o != k]) for k, v in tone.items()],
     steps=5, area="fan-out", sample="ann.txt: positive\nbo.txt: negative\ncleo.txt: positive\ndan.txt: negative")
goal("All the letters in post come from different countries. Say for each of them which language it is in.", *LANG.values(), steps=6, area="fan-out",
     sample="friday.txt: French\nmonday.txt: Italian\nthursday.txt: German\ntuesday.txt: Dutch\nwednesday.txt: Portuguese")
goal("plural of: tooth, berry, shelf", r"(?i)\bteeth\b", r"(?i)\bberries\b", r"(?i)\bshelves\b", steps=3, area="fan-out", sample="teeth, berries, shelves")
goal("27, 58 and 93 in Roman notation", rom(27), rom(58), rom(93), steps=3, area="fan-out", sample="XXVII LVIII XCIII")
sizes = [len(t) for t in (hives, harvest, members)]; assert len(set(sizes)) == 3
goal("Per CSV in tables: number of records (don't count the heading), and the grand total", *[num(c) for c in sizes], num(sum(sizes)), steps=5, area="fan-out", sample=f"{sizes} {sum(sizes)}")
bytes_ = [p.stat().st_size for p in (W / "scripts").iterdir()]; assert len(set(bytes_)) == len(bytes_)
goal("I want the size in bytes of all the files in scripts written down in sizes.txt", files={"sizes.txt": [num(b) for b in bytes_]}, steps=6, area="fan-out",
     wrote={"sizes.txt": "\n".join(f"{p.name}: {p.stat().st_size}" for p in (W / "scripts").iterdir())})
ds = [dt.date(2019, 4, 2), dt.date(2020, 11, 9), dt.date(2022, 6, 30)]; assert len({d.weekday() for d in ds}) == 3
goal("On what weekdays did 2 April 2019, 9 November 2020 and 30 June 2022 fall?", *[weekday(d) for d in ds], steps=3, area="fan-out", sample=" ".join(d.strftime("%A") for d in ds))
# ---- deep
big = max((W / "handbook").iterdir(), key=lambda p: p.stat().st_size)
goal("Pick the biggest file in handbook, see how many lines it has, and leave that number as a Roman numeral in biggest.txt.", files={"biggest.txt": [rom(lines(f"handbook/{big.name}"))]},
     steps=4, area="deep", wrote={"biggest.txt": roman(lines(f"handbook/{big.name}"))})
goal("Add together the word counts of all the text files in minutes. The sum, spelled out, belongs in sum.txt.", files={"sum.txt": [spelled(sum(counts))]}, steps=6, area="deep",
     wrote={"sum.txt": spell(sum(counts))})
x = round(sum(float(r["kilos"]) for r in harvest if r["kind"] == "acacia"), 1)
goal("According to tables/harvest.csv, how many kilos of acacia did we bring in altogether?", f"(?:{num(x, 1)}|{x - .1:.1f}".replace(".", r"\.", 0) + r"9999\d*)", steps=2, area="deep", sample=f"{x:.1f}")
xs = [st.mean(float(r["weight_kg"]) for r in hives if r["treated"] == v) for v in ("yes", "no")]
goal("In tables/hives.csv, how does the average weight_kg of treated hives (yes) compare with that of untreated ones (no)?", *[num(x, 2) for x in xs], steps=2, area="deep", sample=f"yes {xs[0]} no {xs[1]}")
goal("Create overview.md. It must state the tone of comments/cleo.txt, the language of post/thursday.txt and how many words minutes/april.txt has.",
     files={"overview.md": [good, LANG["german"], num(words("minutes/april.txt"))]}, steps=5, area="deep", wrote={"overview.md": f"- tone: positive\n- language: German\n- words: {words('minutes/april.txt')}\n"})
n = (dt.date(2024, 7, 2) - dt.date(2024, 5, 11)).days
goal("Our first swarm came on 2024-05-11 and the last one on 2024-07-02. How many days lie between them, and how many full weeks is that?", num(n), small(n // 7), steps=2, area="deep",
     sample=f"{n} days, {n // 7} weeks")
longest = max((W / "scripts").iterdir(), key=lambda p: lines(f"scripts/{p.name}"))
n = lines(f"scripts/{longest.name}"); assert sum(lines(f"scripts/{p.name}") == n for p in (W / "scripts").iterdir()) == 1
goal("Check the length in lines of every file in scripts and name the one that has the most, with its number.", re.escape(longest.name), num(n), steps=6, area="deep", sample=f"{longest.name} ({n} lines)")
vals = [float(v) for v in re.findall(r"\d+\.?\d*", rd("readings.txt"))]; x = st.mean(vals); assert len(vals) == 7 and abs(x * 100 % 1 - .5) > .05
goal("Gather the numbers in readings.txt, work out their mean, round it to two decimals and save it to mean.txt.", files={"mean.txt": [exact(x, 2)]}, steps=4, area="deep", wrote={"mean.txt": f"{x:.2f}\n"})

U = """Write a poem about the lime trees near the chapel
Write a short story about sum.txt in words
Translate post/monday.txt into English and count the words
Give me a summary of minutes/march.txt in two sentences
Book a train to Leiden for Friday morning
Fix the drifting scale bug in scripts/weigh.py
Delete varieties.txt
E-mail Ines that the meeting starts at seven
Play something by Mozart while I sort the jars
Make it nicer
How many words are in minutes/may.txt?
What's the weather going to be at the quarry tomorrow?
Average of the salary column in tables/members.csv
Draft a polite reply to post/thursday.txt and save it as reply.txt
What is the current euro price of 18 kilograms of honey?
Download https://maps.beeyard.example/sites and list the place names
Why did the keepers lose two queens, in your opinion?
Rename coop.json to club.json
Plot kilos against price from tables/harvest.csv and show me the chart
Convert scripts/alarm.js to Python and count its lines
Remind me on 3 May 2027 to pay the fee
Rewrite comments/dan.txt so that its tone is positive
Predict how many jars we will fill next year from tables/harvest.csv
do the thing we talked about with the numbers""".splitlines()

# ---- checks
for g, (sample, wrote) in zip(G, S):
    every = g["answer"] + [p for ps in g["files"].values() for p in ps]
    assert every, g
    assert bool(g["answer"]) == (sample is not None) and set(g["files"]) == set(wrote), g
    for p in every:
        assert not re.search(p, g["goal"]), ("matches its goal", g["id"], p)
    for p in g["answer"]:
        assert re.search(p, sample), (g["id"], p, sample)
    for f, ps in g["files"].items():
        assert not (W / f).exists(), f
        for p in ps:
            assert re.search(p, wrote[f]), (g["id"], p, wrote[f])
assert len(G) == 60 and len(U) == 24 and len({g["goal"] for g in G} | set(U)) == 84
with open(HERE / "goals.jsonl", "w") as f:
    f.writelines(json.dumps(g, ensure_ascii=False) + "\n" for g in G)
with open(HERE / "undoable.jsonl", "w") as f:
    f.writelines(json.dumps({"id": f"u{i:02d}", "goal": u}, ensure_ascii=False) + "\n" for i, u in enumerate(U, 1))
print(len(G), dict(Counter(g["area"] for g in G)), "steps", dict(sorted(Counter(g["steps"] for g in G).items())))
if __import__("sys").argv[1:] == ["-v"]:
    for g, s in zip(G, S): print(g["id"], s)

"""Writes workspace/, goals.jsonl and undoable.jsonl.

    python make.py

What is expected is worked out here, from the same files, without anything of what is measured. Eight goals (area
`plugin`) need the tools in plugins/; that folder is given to the command as it stands:

    python bench/goals.py --sets bench/goals/lighthouse -- --tools "$PWD/bench/goals/lighthouse/plugins"
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from io import StringIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE / "workspace"

TEXTS = {
    "logbook/january.txt": """\
2025-01-02 Clear and cold, the sea like glass.
2025-01-06 Swell from the west, two trawlers sheltering in the bay.
2025-01-11 Snow on the gallery rail, swept it twice.
2025-01-17 REPAIR the weather vane is stuck pointing east.
2025-01-23 Supply boat came a day late with the oil.
2025-01-29 Mended the henhouse door, all hens accounted for.
""",
    "logbook/february.txt": """\
2025-02-01 Wind rising since noon, glass falling.
2025-02-03 A gale from the north, no boat could land.
2025-02-04 Still a gale, the spray came over the wall and into the garden.
2025-02-07 Quiet. Dried the bedding and aired the stores.
2025-02-10 Two seals on the slipway, would not move for anybody.
2025-02-12 Lamp out for nine minutes after midnight, relit by hand.
2025-02-15 The third gale this month, and by evening the radio promised another gale.
2025-02-18 Counted the candles, forty left in the tin.
2025-02-21 Thora painted the lower stair and the cat walked on it.
2025-02-24 One more gale before breakfast, then sunshine.
2025-02-27 Boat landed with flour, paraffin and the newspapers.
""",
    "logbook/march.txt": """\
2025-03-02 Fog all morning, horn sounded from six.
2025-03-05 More fog, thick fog, horn again.
2025-03-08 REPAIR a pane of glass cracked on the north side.
2025-03-13 Light fog at dawn, patchy fog at noon and heavy fog at dusk.
2025-03-19 No fog today for once.
2025-03-22 REPAIR handrail loose near step forty.
2025-03-28 Fog, fog and nothing but fog.
""",
    "postcards/helga.txt": """\
Liebe Freunde, wir sind gestern gut zu Hause angekommen und denken noch oft an den schönen Abend oben auf dem Turm.
Die Kinder haben ihren Großeltern alles über das Licht erzählt. Nächstes Jahr möchten wir wiederkommen.
""",
    "postcards/joana.txt": """\
Olá a todos! A viagem de barco foi um pouco difícil, mas a vista lá de cima compensou tudo. Não me esqueço do chá quente
e das histórias que nos contaram. Espero que as minhas fotografias cheguem depressa. Muitas saudades.
""",
    "postcards/pekka.txt": """\
Hyvää päivää sinne majakalle! Täällä meillä on jo kesä ja järvi on lämmin. Kiitos vielä kerran siitä, että saimme yöpyä
teidän luonanne. Lähetän pian kirjan, josta puhuimme keittiössä. Terveisiä myös kissalle.
""",
    "postcards/giulia.txt": """\
Carissimi, grazie di cuore per la splendida giornata che abbiamo passato insieme. Mio fratello parla ancora della scala
e del vento. Quando venite a trovarci, vi faremo assaggiare il vino di nostro nonno. Un abbraccio da tutti noi.
""",
    "visitors/blue.txt": """\
What a wonderful day out! The guide was funny and kind, the view is breathtaking and the cake was delicious.
We loved every minute and will certainly come back.
""",
    "visitors/green.txt": """\
A lovely, friendly place. Excellent tour, great exhibits, and the children were delighted with the lamp.
Highly recommended!
""",
    "visitors/red.txt": """\
Terrible. We waited an hour in the rain, the guide was rude and bored, and the toilets were filthy.
Awful value, a complete waste of money. Never again.
""",
    "manual/lamp.md": """\
# The lamp

Wipe the lens with a dry linen cloth every morning before the sun reaches it.
Never touch the bulb with bare fingers.
If the bulb fails the spare swings into place within two seconds.
Write the hour of every change in the logbook.
""",
    "manual/foghorn.md": """\
# The foghorn

Start the compressor ten minutes before you need the horn.
Three blasts every ninety seconds are prescribed whenever visibility is below two miles.
Wear ear protectors inside the engine room, notwithstanding what the old hands tell you.
""",
    "manual/stairs.md": """\
# The stairs

Every visitor climbs with a keeper in front and another keeper behind.
Hold the rail. The keeper counts heads at the top and again at the bottom.
Nobody goes out on the gallery in a wind unless the senior keeper says so.
""",
    "pilots.txt": """\
Firth Association of Sea Pilots
Office: office@firthpilots.example, open from eight to four
Duty pilot: Sandy Linklater, s.linklater@firthpilots.example
Charts: https://charts.firthpilots.example/north
Tug: call the Heather Bell or write to tug_desk@heatherbell.example
""",
    "supplies.txt": """\
Paraffin
Candles
Linen cloths
Oatmeal
Batteries
Candles
Tea
Rope
Matches
Tea
Soap
Oatmeal
Brass polish
Candles
Lamp oil
""",
    "soundings.txt": """\
14.5
9.25
22.75
6.5
31.25
18
12.75
27.5
8.75
""",
    "tables/lights.csv": """\
name,county,built,height_m,range_nm,automated
Skerry Point,Orkney,1886,36,21,no
Black Hen,Orkney,1858,29,18,yes
Maiden Rock,Shetland,1904,41,24,yes
Tarr Ness,Caithness,1831,22,15,yes
Gull Stack,Shetland,1879,33,19,no
North Sound,Orkney,1912,17,12,yes
Holm of Vey,Caithness,1866,48,26,yes
Ruddon,Shetland,1851,26,16,yes
Little Ferry,Sutherland,1899,13,10,no
Corran Head,Sutherland,1873,38,22,yes
""",
    "tables/takings.csv": """\
month,season,adults,children,income
January,winter,14,3,98.50
February,winter,22,9,171.00
March,spring,61,28,486.25
April,spring,148,97,1302.75
May,spring,203,110,1744.50
June,summer,311,164,2655.00
July,summer,402,287,3718.75
August,summer,437,301,4016.25
September,autumn,226,84,1803.00
October,autumn,131,72,1129.50
November,autumn,35,11,262.25
December,winter,27,19,240.75
""",
    "tables/sightings.csv": """\
date,ship,kind,tons
2025-01-06,Bright Dawn,trawler,410
2025-01-06,Ocean Reward,trawler,385
2025-01-19,Saint Ola,ferry,8600
2025-02-02,Astrid Gas,tanker,21400
2025-02-15,Saint Ola,ferry,8600
2025-02-27,Provider,trawler,520
2025-03-05,Baltic Star,tanker,30950
2025-03-11,Guiding Light,trawler,445
2025-03-30,Curlew,yacht,14
2025-04-12,Wanderer,yacht,22
2025-04-18,Saint Ola,ferry,8600
2025-04-25,Heather Bell,tug,190
2025-05-03,Bright Dawn,trawler,410
2025-05-17,Curlew,yacht,14
2025-05-24,Stella Maris,trawler,370
""",
    "station.json": """\
{
  "station": {"name": "Skerry Point", "county": "Orkney", "lit": 1886},
  "lamp": {"watts": 275, "flashes": 3, "period_seconds": 20, "spare_bulbs": 14},
  "keepers": ["Isla Drever", "Magnus Rendall", "Thora Flett", "Edwin Scollay", "Rhona Muir"],
  "records": {"gust_knots": 52, "wettest_day_mm": 61.5},
  "opening": {"from": "2025-04-05", "to": "2025-10-26"}
}
""",
}

# -- the files once more, read plainly

LINES = {name: text.splitlines() for name, text in TEXTS.items()}
LIGHTS, TAKINGS, SIGHTINGS = (
    list(csv.DictReader(StringIO(TEXTS[f"tables/{name}.csv"]))) for name in ("lights", "takings", "sightings")
)
STATION = json.loads(TEXTS["station.json"])
DEPTHS = [Fraction(line) for line in LINES["soundings.txt"]]
MANUAL = ("manual/foghorn.md", "manual/lamp.md", "manual/stairs.md")
ROMAN = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


def word_counts(name: str) -> list[int]:
    """The counts that are right: a lone # may be taken for a word or not."""
    tokens = TEXTS[name].split()
    return [len(tokens), sum(token != "#" for token in tokens)]


def roman(number: int) -> str:
    for value, sign in ROMAN:
        if number >= value:
            return sign + roman(number - value)
    return ""


def income(season: str) -> Fraction:
    return sum((Fraction(row["income"]) for row in TAKINGS if row["season"] == season), Fraction())


def total(column: str) -> int:
    return sum(int(row[column]) for row in TAKINGS)


# -- patterns


def num(value: Fraction | int, places: int = 2) -> str:
    """The number, rounded at `places` decimals or more; zeros at its end and separators of thousands are free."""
    exact = Decimal(Fraction(value).numerator) / Decimal(Fraction(value).denominator)
    forms = set()
    for kept in range(places, 13):
        for mode in (ROUND_HALF_UP, ROUND_HALF_EVEN):
            forms.add(written(exact.quantize(Decimal(1).scaleb(-kept), mode)))
    if exact != exact.to_integral_value():
        for near in (exact, exact - Decimal("1e-9")):  # as binary fractions are shown
            forms.add(written(near.quantize(Decimal("1e-7"), ROUND_DOWN), keep=True) + r"\d*")
    return r"(?<![\d.\-])(?<!\d,)(?:" + "|".join(sorted(forms)) + r")(?![\d%]|[.,]\d)"


def written(value: Decimal, keep: bool = False) -> str:
    whole, _, decimals = f"{value:f}".partition(".")
    head, kept = f"{int(whole):,}".replace(",", "[, ]?"), decimals.rstrip("0")
    if keep:
        return head + r"\." + decimals
    return head + (rf"\.{kept}0*" if kept else r"(?:\.0*)?")


def whole_numbers(*values: int) -> str:
    return "|".join(num(value) for value in sorted(set(values)))


def lacks(*words: str) -> str:
    """Nothing else of what was to choose from."""
    return r"(?is)\A(?!.*(?:" + "|".join(map(re.escape, words)) + "))"


def exactly(lines: list[str]) -> str:
    return r"\A\s*" + r"[ \t]*\r?\n".join(map(re.escape, lines)) + r"\s*\Z"


def beside(name: str, found: str, among: tuple[str, ...]) -> str:
    """A name, then on its line what was found of it, and none of the others between."""
    return rf"(?i){name}(?:(?!{'|'.join(among)})[^\n]){{0,60}}{found}"


def day(value: date) -> str:
    number, month = value.day, f"{value:%B}"
    british = rf"\b{number}(?:th)? (?:of )?{month},? {value.year}"
    return rf"(?i){value.isoformat()}|{british}|{month} {number}(?:th)?,? {value.year}"


TONES = ("positive", "negative")
TONGUES = ("Finnish", "German", "Italian", "Portuguese")
CARDS = {"giulia": "Italian", "helga": "German", "joana": "Portuguese", "pekka": "Finnish"}

GOALS: list[dict[str, object]] = []


def goal(area: str, steps: int, text: str, *answer: str, **files: list[str]) -> None:
    """One more goal; the name of a file has `__` for the full stop and `___` for a slash."""
    wanted = {name.replace("___", "/").replace("__", "."): patterns for name, patterns in files.items()}
    more = {"tools": "plugins"} if area == "plugin" else {}
    row = {"id": f"lh{len(GOALS) + 1:02d}", "goal": text, "area": area, "steps": steps}
    GOALS.append(row | {"answer": list(answer), "files": wanted} | more)


def text_goals() -> None:
    goal("text", 1, "word count for manual/lamp.md", whole_numbers(*word_counts("manual/lamp.md")))
    goal(
        "text",
        1,
        "Could you tell me how many lines there are in the February log? It's logbook/february.txt.",
        num(len(LINES["logbook/february.txt"])),
    )
    words = re.findall(r"[a-z]+", TEXTS["manual/foghorn.md"].lower())
    goal("text", 1, "longest word in manual/foghorn.md?", rf"(?i)\b{max(words, key=len)}\b", lacks("compressor"))
    emails = re.findall(r"[\w.]+@\w+\.example", TEXTS["pilots.txt"])
    goal(
        "text",
        1,
        "I'd be grateful for a list of all the e-mail addresses that are mentioned in pilots.txt.",
        *(rf"(?<![\w.]){re.escape(email)}" for email in emails),
        lacks("https", "Sandy"),
    )
    often = Counter(re.findall(r"[a-z]+", TEXTS["logbook/march.txt"].lower())).most_common(1)[0][0]
    goal("text", 2, "Which word is used most in logbook/march.txt?", rf"(?i)\b{often}\b", lacks("horn", "dawn"))
    last = LINES["logbook/january.txt"][-2:]
    goal(
        "text",
        2,
        "just the last two lines of logbook/january.txt, thanks",
        *map(re.escape, last),
        lacks("weather vane"),
    )
    goal(
        "text",
        2,
        "how often does the word gale come up in logbook/february.txt",
        num(TEXTS["logbook/february.txt"].count("gale")),
        lacks("promised"),
    )
    goal(
        "text",
        3,
        "Take the third line of supplies.txt and put it in capital letters.",
        re.escape(LINES["supplies.txt"][2].upper()),
        lacks("oatmeal", "paraffin"),
    )
    goal(
        "text",
        3,
        "put supplies.txt in alphabetical order, throw out the repeats and keep the result as supplies_tidy.txt",
        supplies_tidy__txt=[exactly(sorted(set(LINES["supplies.txt"])))],
    )
    changed = TEXTS["manual/stairs.md"].replace("keeper", "warden").splitlines()
    goal(
        "text",
        2,
        "We don't say keeper any more. Replace 'keeper' with 'warden' in manual/stairs.md and save the new text "
        "as manual/stairs_new.md",
        manual___stairs_new__md=[exactly(changed)],
    )
    goal(
        "text",
        2,
        "How many different things are on the list in supplies.txt?",
        num(len(set(LINES["supplies.txt"]))),
        lacks("soap"),
    )


def number_goals() -> None:
    goal("maths", 1, "12.5% of 640", num(Fraction(640) / 8))
    goal("maths", 1, "What is 48 times 365, minus 20?", num(48 * 365 - 20))
    goal("units", 1, "27 nautical miles in km", num(Fraction(27 * 1852, 1000), 1))
    goal(
        "units",
        2,
        "A lady from America asked me how tall 36 metres is in feet. Can you convert that and round it to one decimal?",
        rf"(?<![\d.]){round(36 / 0.3048, 1)}0*(?!\d)".replace("118.1", r"118\.1"),
    )
    apart = (date(2024, 2, 14) - date(2023, 11, 3)).days
    goal("dates", 1, "number of days between 3 November 2023 and 14 February 2024", num(apart))
    weekday = f"{date(1879, 12, 28):%A}"
    goal("dates", 1, "What day of the week was 28 December 1879?", rf"(?i)\b{weekday}\b", lacks("monday", "saturday"))
    goal("dates", 1, "if i add 90 days to 2025-03-01 which date do i get", day(date(2025, 3, 1) + timedelta(90)))
    goal("numbers", 1, "There's a stone here that says MDCCCLXXXVI. Which year is that?", r"(?<!\d)1886(?!\d)")
    goal("numbers", 1, "2750 in words, please", r"(?i)\btwo[- ]thousand,? (and )?seven[- ]hundred (and )?fifty\b(?!-)")


def micro_goals() -> None:
    goal("micro", 1, "What do you call more than one goose?", r"(?i)\bgeese\b")
    goal(
        "micro",
        2,
        "Was whoever wrote visitors/red.txt pleased with us? I mean, is the tone positive or negative?",
        r"(?i)\bnegative\b",
        lacks("positive"),
    )
    goal("micro", 2, "language of postcards/pekka.txt?", r"(?i)\bfinnish\b", lacks("estonian", "swedish"))
    goal(
        "fan-out",
        3,
        "plurals for buoy, ferry and wharf",
        r"(?i)\bbuoys\b",
        r"(?i)\bferries\b",
        r"(?i)\bwhar(?:ves|fs)\b",
    )
    goal(
        "fan-out",
        7,
        "Go through the comments in the visitors folder and tell me for each one whether it is positive or negative.",
        beside("blue", "positive", TONES),
        beside("green", "positive", TONES),
        beside("red", "negative", TONES),
    )
    goal(
        "fan-out",
        10,
        "Find out which language each of the postcards in the postcards folder is written in and note that down "
        "in languages.txt.",
        languages__txt=[beside(name, tongue, TONGUES) for name, tongue in CARDS.items()],
    )


def data_goals() -> None:
    heights = {row["name"]: int(row["height_m"]) for row in LIGHTS}
    goal("data", 1, "average height_m in tables/lights.csv", num(Fraction(sum(heights.values()), len(heights)), 1))
    goal(
        "data",
        1,
        "how many of the lights in tables/lights.csv are in Shetland?",
        num(sum(row["county"] == "Shetland" for row in LIGHTS)),
        lacks("Gull", "Ruddon"),
    )
    tallest = max(heights, key=heights.__getitem__)
    others = [name for name in heights if name != tallest]
    goal("data", 2, "Which light in tables/lights.csv has the greatest height_m?", tallest, lacks(*others))
    goal("data", 1, "total income in tables/takings.csv, but only for the summer season", num(income("summer")))
    seasons = {row["season"] for row in TAKINGS}
    goal(
        "data",
        1,
        "How much income did each season bring in? It's all in tables/takings.csv.",
        *(rf"(?i){season}[^\d\n]{{0,30}}\s*{num(income(season))}" for season in sorted(seasons)),
    )
    goal("data", 1, "whats lamp.watts set to in station.json", num(STATION["lamp"]["watts"]), lacks("flashes"))
    goal(
        "data", 2, "how many keepers does station.json have? in words please", r"(?i)(?<!-)\bfive\b(?!-)", lacks("Isla")
    )
    kinds = Counter(row["kind"] for row in SIGHTINGS).most_common()
    goal(
        "data",
        2,
        "Which kind of ship was seen most often, going by tables/sightings.csv?",
        rf"(?i)\b{kinds[0][0]}s?\b",
        lacks(*(kind for kind, _ in kinds[1:])),
    )
    goal(
        "data",
        3,
        "Sum the adults and sum the children in tables/takings.csv, then tell me the difference between the two.",
        num(total("adults") - total("children")),
    )


def file_goals() -> None:
    goal(
        "files",
        1,
        "what have we got in the manual folder",
        *(re.escape(Path(name).name) for name in MANUAL),
        lacks("supplies", "compressor"),
    )
    sizes = {name: len(TEXTS[name].encode()) for name in TEXTS if name.startswith("logbook/")}
    biggest = max(sizes, key=sizes.__getitem__)
    goal(
        "files",
        1,
        "Which of the files in logbook is the biggest?",
        re.escape(Path(biggest).name),
        lacks(*(Path(name).name for name in sizes if name != biggest)),
    )
    goal(
        "files",
        1,
        "where do we have REPAIR in the logbook folder?",
        r"january\.txt",
        r"march\.txt",
        lacks("february.txt", "slipway", "henhouse"),
    )


def deep_goals() -> None:
    goal(
        "deep",
        4,
        "take the biggest and the smallest number in soundings.txt and subtract the smallest from the biggest",
        num(max(DEPTHS) - min(DEPTHS)),
    )
    goal(
        "deep",
        6,
        "Please make me a file called summary.txt holding the number of rows in tables/lights.csv, the language of "
        "postcards/giulia.txt and the tone of visitors/blue.txt.",
        summary__txt=[num(len(LIGHTS)), r"(?i)\bitalian\b", r"(?i)\bpositive\b", lacks("Carissimi", "wonderful")],
    )
    sums = {roman(sum(counts)) for counts in zip(*map(word_counts, MANUAL), strict=True)}
    goal(
        "deep",
        8,
        "count the words in every md file of the manual folder, add the counts up and give me the total in "
        "roman numerals",
        r"\b(?:" + "|".join(sorted(sums)) + r")\b",
    )
    start, end = (date.fromisoformat(STATION["opening"][which]) for which in ("from", "to"))
    goal(
        "deep",
        3,
        "How many days lie between opening.from and opening.to in station.json?",
        num((end - start).days),
    )


def plugin_goals() -> None:
    letters = dict(S="...", K="-.-", E=".", R=".-.", Y="-.--", P=".--.", O="---", I="..", N="-.", T="-")
    words = [
        r"\s+".join(re.escape(letters[sign]) for sign in word) for word in STATION["station"]["name"].upper().split()
    ]
    goal(
        "plugin",
        3,
        "take station.name out of station.json, put it into Morse and save that as call.txt",
        call__txt=[r"\A\s*" + r"\s*[/|]?\s*".join(words) + r"\s*\Z"],
    )
    goal("plugin", 1, "How would I spell KILDA over the radio?", r"(?i)\bkilo\W+india\W+lima\W+delta\W+al(?:f|ph)a\b")
    goal(
        "plugin",
        2,
        "our record gust is records.gust_knots in station.json. what beaufort force is that?",
        num(10),  # 48 to 55 knots
        lacks("wettest"),
    )
    goal(
        "plugin",
        2,
        "How far off is the horizon for somebody who stands 36 metres up? Round it to a whole number.",
        num(12),  # 2.08 times the root of 36 is 12.48
    )
    goal("plugin", 1, "how many bells do they strike at 14:30", num(5))  # 12:30 is one, 13:00 two, …
    head, *_, final = LINES["tables/takings.csv"]
    rows = [r"(?m)^\|?\s*" + r"\s*\|\s*".join(map(re.escape, row.split(","))) + r"\s*\|?\s*$" for row in (head, final)]
    goal(
        "plugin",
        2,
        "I want tables/takings.csv as a Markdown table for the newsletter, saved in takings.md",
        takings__md=[*rows, r"(?m)^\|?\s*:?-{3,}"],
    )
    goal("plugin", 1, "1900: leap year or not?", r"(?i)\b(?:false|no|not|isn't|wasn't)\b", lacks("true", "yes"))
    first = "".join(word[0] for word in LINES["pilots.txt"][0].split()).upper()
    goal("plugin", 3, "make an acronym out of the first line of pilots.txt", rf"\b{first}\b", lacks("Sandy"))


UNDOABLE = {
    "web": (
        "What's the weather like at Skerry Point right now?",
        "download the tide table from https://tides.example/north and save it as tides.csv",
        "how much is 40 US dollars in euros at today's rate",
        "Look up on Wikipedia when the first electric lighthouse was lit.",
    ),
    "judgement": (
        "Summarise logbook/january.txt in two sentences.",
        "I don't read Finnish. What does postcards/pekka.txt say, in English?",
        "Would you kindly write a thank-you letter to the school that visited us in May and save it as thanks.txt?",
        "which comment in the visitors folder is the funniest?",
        "fix the grammar in manual/stairs.md",
        "Why did the lamp go out in logbook/february.txt?",
        "what will our income be next year, going by tables/takings.csv? give me a forecast",
    ),
    "program": (
        "turn pilots.txt into a PDF",
        "zip up the logbook folder",
        "Print supplies.txt on the office printer, two copies.",
    ),
    "tool": (
        "delete logbook/march.txt",
        "rename pilots.txt to contacts.txt",
        "draw me a bar chart of the income per month in tables/takings.csv",
        "Remind me at four o'clock to wind the clock.",
    ),
    "people": (
        "send an e-mail to everybody in pilots.txt that the harbour is shut on Friday",
        "Ask Thora whether she can take the night watch on Saturday.",
    ),
}


def main() -> None:
    for name, text in TEXTS.items():
        path = WORK / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for part in (text_goals, number_goals, micro_goals, data_goals, file_goals, deep_goals, plugin_goals):
        part()
    every = [(area, text) for area, texts in UNDOABLE.items() for text in texts]
    undoable = [{"id": f"lu{n:02d}", "goal": text, "area": area} for n, (area, text) in enumerate(every, 1)]
    for file, rows in (("goals.jsonl", GOALS), ("undoable.jsonl", undoable)):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (HERE / file).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

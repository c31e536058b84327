"""The embedded planner: what it reads out of goals, over real files and the real registry."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import events as ev
from agent.errors import Declined
from agent.planners import Ask
from agent.planners.embedded import EmbeddedPlanner
from agent.planners.embedded.find import find
from agent.planners.embedded.surroundings import Surroundings
from agent.planners.embedded.words import tokens
from agent.run import Run
from agent.store import Store
from agent.task import Plan
from agent.tree import Tree
from tools import workspace
from tools.micro import shipped
from tools.micro_tool import from_folder
from tools.registry import Registry, built_in, from_function
from tools.schema import as_text

GOALS = Path(__file__).parents[2] / "bench" / "goals"


def count_vowels(text: str) -> int:
    """Count the vowels in a text."""
    return sum(letter in "aeiou" for letter in text.lower())


def slugify(text: str) -> str:
    """Turn a text into a slug for a web address."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def seat_code(row: str, seat: int) -> str:
    """Make the code of a seat."""
    return f"{row}-{seat}"


def berth(boat: str) -> int:
    """The number of the berth where a boat lies at night."""
    return {"petrel": 14, "sea swift": 3}[boat.lower()]


def diesel(boat: str, hours: float, idle: float = 0) -> float:
    """The litres of diesel that a boat burns in a number of hours, and in some more of standing idle."""
    return {"petrel": 20, "sea swift": 50}[boat.lower()] * hours + idle


def ferry(origin: str, destination: str, day: datetime.date) -> str:
    """When the ferry between two towns goes on a day."""
    return f"{origin} to {destination} on {day.day}."


def garland(length: float, gap: float, colours: list[str]) -> str:
    """Plan the flags of a garland.

    Args:
        length: how long it is, in metres.
        gap: the distance between two flags.
        colours: the colours in turn.
    """
    return f"{length / gap:g} flags: {', '.join(colours)}"


def label(name: str, role: Literal["crew", "guest"], gold: bool = False) -> str:
    """Print the text of a label."""
    return f"{role.upper()} {name}{' (gold)' * gold}"


def spread(values: list[float]) -> float:
    """The distance from the lowest to the highest value."""
    return max(values) - min(values)


OWN = (count_vowels, slugify, seat_code, berth, diesel, ferry, garland, label, spread)


@pytest.fixture(scope="module")
def tools() -> Registry:
    registry = Registry()
    registry.add(built_in())
    registry.add(from_folder(folder, "built-in") for folder in shipped())
    registry.add(from_function(function, "user") for function in OWN)
    return registry


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Path]:
    """A workspace with a table, a JSON file and a few texts."""
    (tmp_path / "sales.csv").write_text(
        "day,shop,amount,paid\nMon,North,10,yes\nTue,South,20.5,no\nMon,South,30,yes\n", encoding="utf-8"
    )
    (tmp_path / "shop.json").write_text('{"owner": {"name": "Ida"}, "staff": [{"name": "Bo"}, {"name": "Al"}]}')
    (tmp_path / "team.json").write_text(
        '{"people": [{"name": "Bo", "age": 24}, {"name": "Al", "age": 51}, {"name": "Cy", "age": 31}]}',
        encoding="utf-8",
    )
    (tmp_path / "notes.txt").write_text("First line\nsecond line here\n")
    (tmp_path / "readings.txt").write_text("4\n9\n")
    (tmp_path / "phones.csv").write_text("name,kind,age,phone\nBo,x,40,555-02\nCy,y,30,555-03\n")
    (tmp_path / "crew.txt").write_text("Ann\nBo\n")
    (tmp_path / "animals.txt").write_text("mouse\n\nblack sheep\n")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.md").write_text("alpha beta")
    (tmp_path / "letters" / "two.md").write_text("gamma")
    workspace.enter(tmp_path)
    yield tmp_path


def read(tools: Registry, goal: str, **inputs: Any) -> Plan | None:
    plan, confidence, _ = EmbeddedPlanner(tools).read(Ask(goal, inputs))
    return plan if confidence >= 0.55 else None


def calls(plan: Plan | None) -> list[tuple[str, dict[str, Any], Any]]:
    assert plan is not None
    return [(task.tool, task.args, task.each) for task in plan.tasks]


def solve(tools: Registry, folder: Path, goal: str, store: Path, **inputs: Any) -> Tree:
    """Run a goal with the embedded planner to its end."""
    database = Store.create(store)
    tree = Tree(database.run)
    run = Run(tree, database, tools, [EmbeddedPlanner(tools)])

    async def work() -> None:
        run.emit(ev.RunStarted("root", goal, inputs, str(folder), {}))
        await run.work()

    asyncio.run(work())
    database.close()
    return tree


def test_named_things_are_found(desk: Path) -> None:
    words = tokens('count the Monday rows of sales.csv over 12.5 kg since 3 May 2024, "as is", in letters folder')
    found = {(entity.kind, str(entity.value)) for entity in find(words, Surroundings())}
    assert {
        ("path", "sales.csv"),
        ("folder", "letters"),
        ("number", "12.5"),
        ("unit", "kg"),
        ("date", "2024-05-03"),
        ("literal", "as is"),
        ("where", "day = Mon"),
    } <= found


def test_a_chain_a_fan_and_a_sum(tools: Registry, desk: Path) -> None:
    plan = read(tools, "count the words of every markdown file in letters, add them up and write the sum to n.txt")
    assert calls(plan) == [
        ("list_files", {"folder": "letters", "pattern": "*.md"}, None),
        ("read_file", {"path": "$item"}, "$list_files"),
        ("count_words", {"text": "$item"}, "$read_file"),
        ("sum_numbers", {"numbers": "$count_words"}, None),
        ("write_file", {"path": "n.txt", "text": "$sum_numbers"}, None),
    ]


@pytest.mark.parametrize(
    ("goal", "answer"),
    [
        ("what is 15% of 80?", "12"),
        ("(3 + 4) * 12 - 5", "79"),
        ("sum of amount in sales.csv where the shop is South", "50.5"),
        ("mean amount of the paid and of the unpaid in sales.csv", "paid = yes: 20\npaid = no: 20.5"),
        ("amount per shop in sales.csv", "North: 10\nSouth: 50.5"),
        ("value of owner.name in shop.json", "Ida"),
        ("names of the staff in shop.json, sorted", "Al\nBo"),
        ("uppercase the first line of notes.txt", "FIRST LINE"),
        ("the plurals of mouse and child", "mouse: mice\nchild: children"),
        ("how many vowels are in notes.txt?", "9"),
        ("turn the first line of notes.txt into a slug", "first-line"),
        ("which file in letters has the most words?", "letters/one.md"),
        ("My oven says 100 °C. What is that in Fahrenheit?", "212"),
        ("double the number of lines of notes.txt", "4"),
        ("which sale has the lowest amount? It is all in sales.csv", "day,shop,amount,paid\nMon,North,10,yes"),
        ("show the sales in sales.csv with an amount between 15 and 25", "day,shop,amount,paid\nTue,South,20.5,no"),
        ("only the day and amount columns of sales.csv", "day,amount\nMon,10\nTue,20.5\nMon,30"),
        ("the two highest amounts in sales.csv with their days", "day,amount\nMon,30\nTue,20.5"),
        ("which shops in sales.csv have an amount below 15 or above 25?", "North\nSouth"),
        (
            "sort sales.csv by amount, largest first, and show only day and amount",
            "day,amount\nMon,30\nTue,20.5\nMon,10",
        ),
        ("how many people in team.json are older than 30?", "2"),
        ("names of the people in team.json who are younger than 30", "Bo"),
        ("who is the oldest in team.json?", "name,age\nAl,51"),
        ("what do 12 chairs at 4.50 each cost?", "54"),
        ("count the rows of sales.csv where paid is no", "1"),
        ("count the rows of sales.csv where paid is yes", "2"),
        ("average amount for each shop in sales.csv", "North: 10\nSouth: 25.25"),
        ("show the lines with second in notes.txt", "second line here"),
        ("lines of notes.txt that do not contain second", "First line"),
        ("every line of animals.txt that says sheep", "black sheep"),
        ("which lines of notes.txt start with First?", "First line"),
        ("swap second for third in notes.txt", "First line\nthird line here"),
        ("turn readings.txt upside down", "9\n4"),
        ("how many more words are there in letters/one.md than in letters/two.md?", "2 is larger than 1, by 1"),
        ("the phone number of Cy in phones.csv", "555-03"),
        ("names of the people in phones.csv whose kind is y", "Cy"),
        ("average age per kind in phones.csv", "x: 40\ny: 30"),
        ("the remainder of 100 divided by 7", "2"),
        ("number the lines of readings.txt", "1. 4\n2. 9"),
        ("the longest line of animals.txt", "black sheep"),
        ("what is different between letters/one.md and letters/two.md?", "- alpha beta\n+ gamma"),
        ("which word is used most in notes.txt?", "line: 2"),
        ("sort the lines of animals.txt, get rid of the repeats and tell me how many are left", "2"),
        ("pluralize each line of animals.txt", "mouse: mice\nblack sheep: black sheep"),
        ("how many characters does every line of animals.txt have on average?", "8"),
        ("what share of the sales in sales.csv are paid? in percent", "66.6666666667"),
        ("how many sales are in sales.csv?", "3"),
        ("what is the highest reading in readings.txt?", "9"),
        ("mean of readings.txt", "6.5"),
        ("If 23 people each pay 13.50, how much do we take?", "310.5"),
        ("3 chairs at 4.50 plus 2 tables at 30", "73.5"),
        ("We sold 3 of 12 seats. What percentage is that?", "25"),
        ("minus 8 degrees celsius in fahrenheit", "17.6"),
        ("search letters for 'gamma'", "letters/two.md:1: gamma"),
        ("plurals of ferry, buoy and match", "ferry: ferries\nbuoy: buoys\nmatch: matches"),
        ("more than one ox: what is the word?", "oxen"),
        ("make the code for seat 14 in row F", "F-14"),
    ],
)
def test_answers(tools: Registry, desk: Path, tmp_path_factory: Any, goal: str, answer: str) -> None:
    tree = solve(tools, desk, goal, tmp_path_factory.mktemp("runs"))
    assert tree.root is not None and tree.root.status == "done", tree.blocked
    assert as_text(tree.root.result).splitlines()[: answer.count("\n") + 1] == answer.splitlines()


@pytest.mark.parametrize(
    ("goal", "answer"),
    [
        ("the berth of the Petrel in roman numerals, please", "XIV"),
        ("the berths of Petrel and Sea Swift", "Petrel: 14\nSea Swift: 3"),
        ("how many litres of diesel does the Sea Swift burn in 4.5 hours?", "225"),
        ("diesel for 2 hours with the Petrel and 1.5 idle", "41.5"),
        ("when does the ferry from Kiel to Oslo go on 3 May 2026?", "Kiel to Oslo on 3."),
        ("On 2026-05-04, when does the ferry go to Oslo from Kiel?", "Kiel to Oslo on 4."),
        (
            "plan a garland of 6 metres with a gap of 0.5 and the colours red, white and green",
            "12 flags: red, white, green",
        ),
        ("print a guest label for Tom Rudd", "GUEST Tom Rudd"),
        ("print a gold crew label for Ida", "CREW Ida (gold)"),
        ("make guest labels for everyone in crew.txt", "Ann: GUEST Ann\nBo: GUEST Bo"),
        ("spread of 3, 9, 4 and 20", "17"),
        ("what is the spread of the amount column in sales.csv?", "20"),
        ("spread of the numbers in readings.txt", "5"),
        ("count the vowels in each shop of sales.csv", "North: 1\nSouth: 2\nSouth: 2"),
    ],
)
def test_a_persons_own_tools_get_their_arguments(
    tools: Registry, desk: Path, tmp_path_factory: Any, goal: str, answer: str
) -> None:
    tree = solve(tools, desk, goal, tmp_path_factory.mktemp("runs"))
    assert tree.root is not None and tree.root.status == "done", tree.blocked
    assert as_text(tree.root.result) == answer


def test_what_is_piped_in_is_what_a_goal_is_about(tools: Registry, desk: Path) -> None:
    assert calls(read(tools, "which language is this?", input="Guten Tag, wie geht es Ihnen?")) == [
        ("language", {"text": "$input"}, None)
    ]


@pytest.mark.parametrize(
    "goal",
    [
        "",
        "?!",
        "write a poem about the sea",
        "translate notes.txt into German",
        "delete notes.txt",
        "count the words of missing.txt",
        "average of the salary column in sales.csv",
        "summarise notes.txt and save it as summary.txt",
        "do something useful",
        "count the words of notes.txt and post the number on our website",
        "what is the plural of ghost in French?",
        "read notes.txt aloud",
        "e-mail notes.txt to Ida",
        "why is notes.txt so negative?",
        "will it rain on the seat tomorrow?",
        "download https://shop.example/list and count its words",
        "what is the meaning of notes.txt?",
    ],
)
def test_what_is_not_understood_is_declined(tools: Registry, desk: Path, goal: str) -> None:
    with pytest.raises(Declined, match=r"OPENAI_API_KEY.*--planner local"):
        asyncio.run(EmbeddedPlanner(tools).decide(Ask(goal), lambda text: None))


@pytest.mark.parametrize(
    ("goal", "open"),
    [
        ("how many lines of notes.txt did Ida write", ["Ida"]),  # a name
        ("how many lines does notes.txt have without commas", ["without", "commas"]),  # a denial, a word of a tool
        ("how many words of praise are in notes.txt", ["praise"]),  # which words
        ("count the lines of notes.txt and sketch them", ["sketch"]),  # a step
        ("From sales.csv I want to know how many amount we got of each shop in total", ["shop"]),  # a column
    ],
)
def test_a_word_that_nothing_explains_is_left_open(tools: Registry, desk: Path, goal: str, open: list[str]) -> None:
    plan, confidence, words = EmbeddedPlanner(tools, network=False).read(Ask(goal))
    assert plan is not None and not confidence
    assert words == open
    with pytest.raises(Declined, match="not understood"):
        asyncio.run(EmbeddedPlanner(tools).decide(Ask(goal), lambda text: None))


@pytest.mark.parametrize(
    "goal",
    [
        "The oven holds 220 °C. What is that in Fahrenheit?",  # what is told
        "how many entries has sales.csv, header not counted?",  # what is so anyway
        "what do 12 boxes at 3.50 each cost?",  # what a number counts
        "who wrote notes.txt, I mean which language is it",  # what holds the sentence together
        "I need 1450 in words for a cheque",  # what it is for
    ],
)
def test_a_word_that_asks_for_nothing_is_accounted_for(tools: Registry, desk: Path, goal: str) -> None:
    assert not EmbeddedPlanner(tools).read(Ask(goal))[2]


@pytest.mark.parametrize("kept", ["keep the order as it is", "in the same order", "without changing their order"])
def test_an_order_that_is_kept_is_no_sorting(tools: Registry, desk: Path, kept: str) -> None:
    found = calls(read(tools, f"Remove the repeated lines of notes.txt, {kept}, and save the result as kept.txt"))
    assert [name for name, *_ in found] == ["read_file", "unique_lines", "write_file"]


def test_a_page_that_is_named_is_fetched(tools: Registry, desk: Path) -> None:
    assert calls(read(tools, "fetch https://shop.example/list and count its words")) == [
        ("fetch_url", {"url": "https://shop.example/list"}, None),
        ("count_words", {"text": "$fetch_url"}, None),
    ]


def test_what_is_run_is_quoted(tools: Registry, desk: Path) -> None:
    assert calls(read(tools, "run the command 'ls -l'")) == [("run_command", {"command": "ls -l"}, None)]
    assert not read(tools, "run the command in notes.txt")


def test_a_plan_that_failed_is_not_tried_again(tools: Registry, desk: Path) -> None:
    with pytest.raises(Declined, match="it did not work"):
        asyncio.run(EmbeddedPlanner(tools).decide(Ask("7 + 5", failure="it did not work"), lambda text: None))


def test_it_plans_over_the_tools_that_are_there(desk: Path) -> None:
    few = Registry()
    few.add([from_function(count_vowels, "user")])
    assert read(few, "what is 15% of 80?") is None
    assert calls(read(few, "count the vowels in 'banana'")) == [("count_vowels", {"text": "banana"}, None)]


_WORDS = "count the words of every file in letters notes.txt sales.csv, write it to x.txt , . ? 12 % $ ' mean".split()


@settings(max_examples=60, deadline=None)
@given(goal=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join)))
def test_no_goal_breaks_it(tools: Registry, goal: str) -> None:
    plan, confidence, _ = EmbeddedPlanner(tools).read(Ask(goal))
    assert 0.0 <= confidence <= 1.0
    assert plan is None or (plan.tasks and plan.answer is not None)


def _met(goal: dict[str, Any], tree: Tree, folder: Path) -> bool:
    answer = as_text(tree.root.result).replace(goal["goal"], "") if tree.root else ""
    texts = {name: (folder / name).read_text() if (folder / name).is_file() else "" for name in goal["files"]}
    found = all(re.search(pattern, answer) for pattern in goal["answer"])
    return found and all(re.search(p, texts[name]) for name, ways in goal["files"].items() for p in ways)


def test_goals_as_people_word_them(tools: Registry, tmp_path: Path) -> None:
    """A sample of the goals that bench/goals.py measures in full on the installed command."""
    met, failed = 0, []
    for name in ("bakery", "beekeepers", "pottery", "railway"):
        lines = (GOALS / name / "goals.jsonl").read_text(encoding="utf-8").splitlines()
        for goal in [json.loads(line) for line in lines[::8]]:
            folder = tmp_path / name / goal["id"]
            shutil.copytree(GOALS / name / "workspace", folder)
            if _met(goal, solve(tools, folder, goal["goal"], tmp_path / "runs"), folder):
                met += 1
            else:
                failed.append(goal["goal"])
    assert met >= 0.8 * (met + len(failed)), failed

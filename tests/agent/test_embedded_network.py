"""The micro-models of the embedded planner: that they help, that they are sure only of what is right, that it can do
without them."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import Declined
from agent.planners import Ask
from agent.planners.embedded import EmbeddedPlanner
from agent.planners.embedded.judge import Judge, choose
from agent.planners.embedded.network import MODELS, Network, models
from agent.planners.embedded.rows import Maker, core, sample
from tools import workspace
from tools.micro import load, shipped
from tools.registry import Registry

HELD = 80  # goals of held-out wordings


def shout(text: str) -> str:
    """Make a text louder with exclamation marks."""
    return f"{text}!!!"


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker("held", random.Random("tests"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "notes.txt").write_text("First line\nsecond line here\n")
    (tmp_path / "sales.csv").write_text("day,amount\nMon,10\nTue,20.5\n")
    workspace.enter(tmp_path)
    yield tmp_path


def tool_names(planner: EmbeddedPlanner, goal: str) -> list[str]:
    plan, sure, _ = planner.read(Ask(goal))
    return [task.tool for task in plan.tasks] if plan and sure >= planner.needed(plan) else []


@pytest.mark.parametrize(
    ("goal", "tools"),
    [
        ("how long in words is notes.txt", ["read_file", "count_words"]),
        ("gimme the urls that notes.txt has", ["read_file", "extract_links"]),
        ("does notes.txt sound happy or cross?", ["read_file", "tone"]),
    ],
)
def test_wordings_that_the_code_does_not_know(maker: Maker, desk: Path, goal: str, tools: list[str]) -> None:
    assert tool_names(EmbeddedPlanner(maker.tools), goal) == tools
    assert tool_names(EmbeddedPlanner(maker.tools, network=False), goal) != tools


def test_held_out_goals_are_met_more_often_than_by_code_alone(maker: Maker) -> None:
    code, both = EmbeddedPlanner(maker.tools, network=False), EmbeddedPlanner(maker.tools)
    met = {code: 0, both: 0}
    wrong = {code: 0, both: 0}
    for goal, wanted in sample(maker, HELD):
        for planner in (code, both):
            plan, sure, _ = planner.read(Ask(goal.text))
            if plan and sure >= planner.needed(plan):
                met[planner] += core(plan) == wanted
                wrong[planner] += core(plan) != wanted
    assert met[both] > met[code] and wrong[both] <= wrong[code], (met, wrong)


def test_beside_a_large_planner_it_acts_only_where_it_is_sure(maker: Maker, desk: Path) -> None:
    beside = EmbeddedPlanner(maker.tools, alone=False)
    assert asyncio.run(beside.decide(Ask("how many words are in notes.txt?"), lambda text: None))
    with pytest.raises(Declined):
        asyncio.run(beside.decide(Ask("how many plain words of praise are in notes.txt?"), lambda text: None))
    plan, sure, _ = beside.read(Ask("count the words of notes.txt"))
    assert plan is not None and beside.needed(plan) > EmbeddedPlanner(maker.tools).needed(plan)


def test_without_its_models_the_code_reads_alone(maker: Maker, desk: Path, tmp_path: Path) -> None:
    copy = tmp_path / "models"
    shutil.copytree(MODELS, copy)
    (copy / "fits" / "model.npz").write_bytes(b"no model")
    planner = EmbeddedPlanner(maker.tools, models=copy)
    assert tool_names(planner, "gimme the urls that notes.txt has") == []
    assert planner.judge is None
    assert tool_names(planner, "count the words of notes.txt") == ["read_file", "count_words"]


def test_its_models_are_no_tools_and_are_small() -> None:
    assert not {folder.name for folder in models()} & {folder.name for folder in shipped()}
    assert sum(load(folder).path.stat().st_size for folder in models()) < 24e6


def test_a_tool_of_ones_own_is_thought_of(desk: Path) -> None:
    from tools.registry import built_in, from_function

    tools = Registry()
    tools.add(built_in())
    tools.add([from_function(shout, "user")])
    picked = Network(tools).pick(["make @q louder", "how many words are in @txt ?"])
    assert "shout" in [tool.name for tool in picked[0]]
    assert picked[1][0].name == "count_words"


def test_what_the_code_is_sure_of_is_displaced_only_by_what_fits_well() -> None:
    assert choose([0.1, 0.4], own=0.9, level=0.5) == 0
    assert choose([0.1, 0.6], own=0.9, level=0.5) == 1
    assert choose([0.1, 0.4], own=0.2, level=0.5) == 1


def test_confidence_rises_with_how_well_a_reading_fits(maker: Maker) -> None:
    judge = Judge(maker.tools)
    low, high = ([fit, -3.0, 0.0, 1.0, 1.0, 1.0] for fit in (-2.0, 4.0))
    assert judge.confidence(low) < judge.confidence(high) < 1

"""Which tools fit a text, by what they say of themselves."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.router import Router, stem, terms
from tools.registry import Registry, built_in, from_function

TOOLS = Registry()
TOOLS.add(built_in())
ROUTER = Router(TOOLS)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("how many words are in this text?", "count_words"),
        ("write the total to a file", "write_file"),
        ("the largest file of the folder", "choose_file"),
        ("which lines contain TODO", "search_text"),
        ("the sha256 checksum of the archive", "checksum"),
        ("round it to two decimals", "round_number"),
        ("extract all e-mail addresses", "extract_emails"),
    ],
)
def test_the_tool_that_is_meant_is_among_the_first(text: str, name: str) -> None:
    assert name in [tool.name for _, tool in ROUTER.rank(text)[:3]]


def test_a_tool_of_ones_own_is_found_by_what_it_says() -> None:
    def frobnicate(text: str) -> str:
        """Turn a quux inside out.

        Asked as: invert the quux …
        """
        return text

    tools = [*TOOLS, from_function(frobnicate, "test")]
    assert Router(tools).rank("please invert each quux")[0][1].name == "frobnicate"


def test_words_meet_without_their_endings() -> None:
    for family in (["count", "counts", "counted", "counting"], ["copy", "copies"], ["stop", "stopped", "stops"]):
        assert len({stem(word) for word in family}) == 1
    assert terms("Count the words in it, PLEASE") == ["count", "word"]


def test_all_tools_are_ranked_also_for_nothing_and_none_for_none() -> None:
    ranked = ROUTER.rank("")
    assert [tool for _, tool in ranked] == list(TOOLS) and {score for score, _ in ranked} == {0.0}
    assert Router([]).rank("anything") == []


@given(st.text())
def test_any_text_is_ranked(text: str) -> None:
    ranked = ROUTER.rank(text)
    assert len(ranked) == len(TOOLS) and [score for score, _ in ranked] == sorted((s for s, _ in ranked), reverse=True)


def test_words_that_mean_the_same_find_a_tool_that_does_not_say_them() -> None:
    def remove_directory(path: str) -> str:
        """Remove a directory."""
        return path

    tools = [*TOOLS, from_function(remove_directory, "test")]
    assert "remove_directory" in [tool.name for _, tool in Router(tools).rank("wipe that folder out")[:12]]


def test_a_tool_is_found_by_words_that_are_used_alike_though_none_is_shared() -> None:
    def getHostName() -> str:
        """Return what it is called."""
        return ""

    def zap(path: str) -> str:
        """Shred a document beyond recovery."""
        return path

    tools = [*TOOLS, from_function(getHostName, "test"), from_function(zap, "test")]
    for text, name in (("which computer am I on", "getHostName"), ("destroy my papers for good", "zap")):
        assert name in [tool.name for _, tool in Router(tools).rank(text)[:12]]


def test_a_router_of_the_built_in_tools_is_made_in_milliseconds() -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        Router(TOOLS)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.03

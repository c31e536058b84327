import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import text
from tools.errors import ToolError

LINES = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), max_size=12)


@pytest.mark.parametrize(
    ("given_text", "lines"), [("", 0), ("a", 1), ("a\n", 1), ("a\r\nb", 2), ("\n\n", 2), ("a\fb", 1)]
)
def test_counts_lines_as_an_editor_does(given_text: str, lines: int) -> None:
    assert text.count_lines(given_text) == lines


@pytest.mark.parametrize(
    ("of", "times"),
    [
        ("TODO", 2),
        ("TODOs", 2),
        ("todo", 1),
        ("Todo", 0),
        ("cat", 2),
        ("Cat", 1),
        ("a.b", 1),
        ("c++", 1),
        ("the cat", 2),
    ],
)
def test_counts_whole_words_and_phrases(of: str, times: int) -> None:
    assert text.count_occurrences("TODO, and TODOs: the Cat saw the cat catch a.b, aXb and c++", of) == times


def test_nothing_to_count_is_told() -> None:
    with pytest.raises(ToolError, match="no word to count"):
        text.count_occurrences("text", " ")


def test_sorts_as_a_person_would() -> None:
    assert text.sort_lines(["zebra", "Émile", "file 10", "file 9", "apple", "", "Emma"]) == [
        "apple", "Émile", "Emma", "file 9", "file 10", "zebra",
    ]  # fmt: skip
    assert text.sort_lines(["10", "-1", "9.5", "1,000"]) == ["-1", "9.5", "10", "1,000"]
    assert text.sort_lines(["b", "C", "a"], descending=True) == ["C", "b", "a"]
    assert text.sort_lines([]) == []


@given(LINES)
def test_sorting_keeps_every_line_and_is_settled(items: list[str]) -> None:
    ordered = text.sort_lines(items)
    assert sorted(ordered) == sorted(item for item in items if item.strip())
    assert text.sort_lines(ordered) == ordered == text.sort_lines(items[::-1])


@given(LINES)
def test_each_line_stays_once(items: list[str]) -> None:
    kept = text.unique_lines(items)
    assert {item.strip() for item in kept} == {item.strip() for item in items} - {""}
    assert len({item.strip() for item in kept}) == len(kept)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])))
def test_reversing_twice_changes_nothing(given_text: str) -> None:
    assert text.reverse_text(text.reverse_text(given_text)) == given_text


def test_an_accent_stays_on_its_letter() -> None:
    assert text.reverse_text("cafe\u0301\n") == "e\u0301fac"


@pytest.mark.parametrize(
    ("case", "result"),
    [
        ("upper", "IT'S ÉLAN. NOW? YES"),
        ("lower", "it's élan. now? yes"),
        ("title", "It's Élan. Now? Yes"),
        ("sentence", "It's élan. Now? Yes"),
    ],
)
def test_changes_case(case: str, result: str) -> None:
    assert text.change_case("it's ÉLAN. now? YES", case) == result  # type: ignore[arg-type]


def test_slices_by_lines() -> None:
    lines = "one\r\ntwo\n\nfour\n"
    assert text.first_lines(lines, 2) == "one\ntwo"
    assert text.last_lines(lines, 2) == "\nfour"
    assert text.first_lines(lines, 99) == text.last_lines(lines, 99) == "one\ntwo\n\nfour"
    assert (text.pick_line(lines, 4), text.pick_line(lines, -1)) == ("four", "four")


def test_lines_that_are_not_there_are_told() -> None:
    for number in (0, 3, -3):
        with pytest.raises(ToolError, match=f"no line {number}; the text has 2 lines"):
            text.pick_line("a\nb\n", number)
    for function in (text.first_lines, text.last_lines, text.word_frequencies):
        with pytest.raises(ToolError, match="ask for 1 or more"):
            function("a", 0)


def test_frequencies_count_words_alone_and_the_first_of_equals_first() -> None:
    assert text.word_frequencies("B a, the a. Don't — don't; 'the'") == {"a": 2, "the": 2, "don't": 2, "b": 1}
    assert list(text.word_frequencies("a b c d", 2)) == ["a", "b"]


def test_longest_word_of_none_is_told() -> None:
    with pytest.raises(ToolError, match="holds no word"):
        text.longest_word("?! …")


def test_extracts_addresses_and_links_without_what_surrounds_them() -> None:
    addresses = "a.b+c@x.example.com, <Ann@Berg.example>; mailto:q@w.example. no@no, a.b+c@x.example.com"
    assert text.extract_emails(addresses) == ["a.b+c@x.example.com", "Ann@Berg.example", "q@w.example"]
    links = '(https://a.example/b_(c)), <http://x.example/>, [t](https://m.example/p). "https://q.example/?a=1&b=2"!'
    assert text.extract_links(links) == [
        "https://a.example/b_(c)", "http://x.example/", "https://m.example/p", "https://q.example/?a=1&b=2",
    ]  # fmt: skip


def test_extracts_numbers_that_stand_alone() -> None:
    written = "1 -2 3.5 1,234,567.5 1,2,3 A4 v1.2.3 5% $12.50 −4 1e3 10km (7) 5-3 .5 9."
    assert text.extract_numbers(written) == [1, -2, 3.5, 1234567.5, 1, 2, 3, 5, 12.5, -4, 1000, 7, 5, 3, 0.5, 9]


def test_extracts_dates() -> None:
    written = "3rd of May 1999, May 3, 1999; 25/12/2023, 03/04/2024, 2024-01-02T10:00, 192.168.1.20, 2024-02-31, 1.2.3"
    assert text.extract_dates(written) == ["1999-05-03", "2023-12-25", "03/04/2024", "2024-01-02"]


def test_replaces_all_and_refuses_nothing() -> None:
    assert text.replace_text("a.b.c", ".", "") == "abc"
    with pytest.raises(ToolError, match="nothing to replace"):
        text.replace_text("a", "", "b")

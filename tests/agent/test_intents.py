"""The router that learns: small sets, bad input, one more intent, and what is kept on disk."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

from agent.errors import NotFound, StorageError, UsageError  # noqa: E402
from agent.intents import Example, IntentRouter, Matrix, Vocabulary, from_record, read_examples, train_linear  # noqa: E402
from agent.task import Attempt, Task  # noqa: E402
from agent.tree import Tree  # noqa: E402

_ASKED = {
    "weather": "will it {} in {}|is {} coming to {}|do I need a coat for {} in {}|how {} does it get in {}",
    "timer": "set a {} timer in {}|wake me {} for {}|start a {} countdown at {}|alarm {} when I leave {}",
    "money": "send {} dollars to {}|pay the {} bill of {}|transfer {} euros to {}|how much {} do I owe {}",
}
_FILL = [("rain", "Paris"), ("snow", "Oslo"), ("ten", "Rome"), ("cold", "Bonn"), ("long", "York"), ("two", "Lima")]


def examples() -> list[Example]:
    found: list[Example] = []
    for intent, shapes in _ASKED.items():
        found += [(shape.format(*fill), intent) for shape in shapes.split("|") for fill in _FILL]
    return found + [("who painted the ceiling of this church", None), ("why is glass see-through", None)]


@pytest.fixture(scope="module")
def router() -> IntentRouter:
    return IntentRouter.fit(examples(), nets=1)


def chosen(router: IntentRouter, text: str) -> str:
    found = router.route(text)
    return found.intent if found else "none"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("will it snow in Lisbon", "weather"),
        ("start a short countdown at noon", "timer"),
        ("transfer nine euros to Ada", "money"),
    ],
)
def test_a_text_goes_where_its_like_went(router: IntentRouter, text: str, intent: str) -> None:
    assert chosen(router, text) == intent


@pytest.mark.parametrize("text", ["", "   ", "\0", "qwzx vbnk plmr", "日本語", "zebra " * 5000])
def test_a_text_like_nothing_known_goes_nowhere(router: IntentRouter, text: str) -> None:
    assert router.route(text) is None


def test_a_decision_takes_less_than_a_millisecond(router: IntentRouter) -> None:
    times = []
    for _ in range(50):
        started = time.perf_counter()
        router.route("do I need a coat for the snow in Oslo")
        times.append(time.perf_counter() - started)
    assert sorted(times)[10] < 0.001


def test_one_more_intent_leaves_the_others_as_they_were() -> None:
    router = IntentRouter.fit(examples(), nets=1)
    texts = [*(text for text, _ in examples()), "play the rain in Paris", "jazz"]
    before = router.scores(texts)
    router.add("music", ["play some jazz", "play the new song by Ada", "put on music", "play a song that I like"])
    assert np.allclose(
        router.scores(texts)[:, : before.shape[1]], before, atol=1e-4
    )  # of another shape, so rounded anew
    assert chosen(router, "play a jazz song") == "music"
    assert chosen(router, "will it snow in Lisbon") == "weather"
    with pytest.raises(UsageError, match="is there already"):
        router.add("music", ["play"])
    with pytest.raises(UsageError, match="no example"):
        router.add("empty", [" "])


def test_it_is_the_same_for_the_same_seed_and_after_it_was_kept(router: IntentRouter, tmp_path: Path) -> None:
    texts = [text for text, _ in examples()]
    assert (IntentRouter.fit(examples(), nets=1).scores(texts) == router.scores(texts)).all()
    router.save(tmp_path / "router")
    kept = IntentRouter.load(tmp_path / "router")
    assert (kept.scores(texts) == router.scores(texts)).all() and kept.route(texts[0]) == router.route(texts[0])
    assert [path.name for path in (tmp_path / "router").iterdir()] == ["router.npz"]


def test_a_router_that_is_not_there_or_damaged_is_said_so(router: IntentRouter, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        IntentRouter.load(tmp_path)
    router.save(tmp_path)
    file = tmp_path / "router.npz"
    whole = file.read_bytes()
    for damaged in (b"", b"not a router", whole[: len(whole) // 2], whole[:500] + b"\xff" * 300 + whole[800:]):
        file.write_bytes(damaged)
        with pytest.raises(StorageError, match="damaged"):
            IntentRouter.load(tmp_path)


@pytest.mark.parametrize("few", [[], [("one", "a"), ("two", "a")], [("one", None)]])
def test_fewer_than_two_intents_are_refused(few: list[Example]) -> None:
    with pytest.raises(UsageError, match="two or more"):
        IntentRouter.fit(few)


def test_contradictory_examples_and_two_texts_are_learnt_from_without_an_error() -> None:
    both = [("the same words", "a"), ("the same words", "b")]
    assert chosen(IntentRouter.fit(both, nets=1), "the same words") in {"a", "b", "none"}


def test_the_linear_member_separates_what_can_be_separated() -> None:
    texts = [text for text, intent in examples() if intent]
    truth = np.array([sorted(_ASKED).index(intent) for _, intent in examples() if intent])
    vocabulary = Vocabulary.of(texts, 1)
    x, wanted = Matrix.of(vocabulary, texts), np.eye(3, dtype=np.float32)[truth]
    table = train_linear(x, wanted, len(vocabulary.rows))
    assert (x.times(table).argmax(1) == truth).all()
    alone = train_linear(x, wanted[:, :1], len(vocabulary.rows))
    assert np.allclose(alone[:, 0], table[:, 0], atol=1e-5)


def test_examples_are_read_from_jsonl_and_csv(tmp_path: Path) -> None:
    rows = [("put it off, please", "later"), ("naïve?", None)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": t, "intent": i}) + "\n" for t, i in rows))
    (tmp_path / "a.csv").write_text('text,intent\n"put it off, please",later\nnaïve?,\n', encoding="utf-8")
    assert read_examples(tmp_path / "a.jsonl") == read_examples(tmp_path / "a.csv") == rows


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"text,intent\n"),
        ("a.csv", b"words,label\nhello,a\n"),
        ("a.csv", b"text,intent\n\xff\xfe,a\n"),
        ("a.jsonl", b"{"),
        ("a.jsonl", b'["text"]\n'),
        ("a.jsonl", b'{"text": 3, "intent": "a"}\n'),
        ("a.jsonl", b'{"text": "x", "intent": 4}\n'),
    ],
)
def test_files_that_hold_no_examples_are_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        read_examples(tmp_path / name)
    with pytest.raises(UsageError, match="missing"):
        read_examples(tmp_path / "missing.csv")


def test_only_what_passed_its_check_is_learnt_from() -> None:
    tree = Tree("r")

    def task(id: str, verdict: str, verified: bool, goal: str = "count the words", tool: str = "count_words") -> None:
        attempts = [Attempt(1, "code", verdict, ended=True)]
        tree.tasks[id] = Task(id, goal, tool=tool, verified=verified, attempts=attempts)

    task("good", "verified", True)
    task("unchecked", "unverified", False)
    task("failed", "failed: 3 is not 4", False)
    task("wordless", "verified", True, "count_words(text='a')")
    task("planned", "verified", True, tool="")
    assert list(from_record([tree])) == [("count the words", "count_words")]

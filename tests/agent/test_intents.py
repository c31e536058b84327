"""The router that learns: small sets, bad input, one more intent, and what is kept on disk."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

from agent.classifiers import train_linear  # noqa: E402
from agent.errors import NotFound, StorageError, UsageError  # noqa: E402
from agent.features import Matrix, Vocabulary  # noqa: E402
from agent.intents import Example, IntentRouter, _bar_alone, _told_from  # noqa: E402

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


def test_a_choice_is_made_alone_only_where_that_was_shown_to_be_right(router: IntentRouter) -> None:
    assert router.sure.alone > 1  # too few validation texts to show anything
    chance, right = np.linspace(1, 0, 200), np.arange(200) < 100
    inside = np.zeros(200, bool)
    alone = _bar_alone(chance, right, inside)
    taken = chance >= alone
    assert right[taken].mean() >= 0.97 and taken.sum() > 100
    assert _bar_alone(chance, ~right, inside) > 1
    assert _bar_alone(chance[:20], right[:20], inside[:20]) > 1  # too few to show it


def test_the_likeliest_intents_are_named_in_order(router: IntentRouter) -> None:
    first, *others = router.ranked("will it snow in Lisbon", 3)
    assert first.intent == "weather" and len(others) == 2
    assert [one.confidence for one in (first, *others)] == sorted(
        (o.confidence for o in (first, *others)), reverse=True
    )


def test_an_intent_is_told_from_the_examples_most_like_it() -> None:
    texts = [f"number {n} of many others" for n in range(3000)] + ["play the old song again"]
    vocabulary = Vocabulary.of([*texts, "play a song"], 1)
    size = len(vocabulary.rows)
    picked, weight = _told_from(Matrix.of(vocabulary, texts), Matrix.of(vocabulary, ["play a song"]), size)
    assert len(picked) == len(weight) == 2500 and 3000 in picked[:1500]
    assert weight.sum() == pytest.approx(3001) and len(set(picked.tolist())) == 2500


def test_a_product_is_the_same_for_few_texts_and_for_many() -> None:
    texts = [text for text, _ in examples()] * 8
    vocabulary = Vocabulary.of(texts, 1)
    x, table = Matrix.of(vocabulary, texts), np.random.default_rng(0).normal(size=(len(vocabulary.rows), 5))
    some = np.array([3, 0, 77])
    assert np.allclose(x.times(table)[some], x.part(some).times(table), atol=1e-4)
    joined = x.part(some).join(x.part(some[:1]))
    assert len(joined) == 4 and (joined.times(table)[3] == x.part(some).times(table)[0]).all()

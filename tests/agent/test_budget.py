"""One ledger for the whole tree: what is reserved, settled and refused, whatever runs side by side or is killed."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import sqlite3
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import budget, store, tokens
from agent import events as ev
from agent.errors import ConfigError, LimitHit
from agent.store import Store
from agent.task import ROOT
from agent.tree import Tree
from tests.agent.test_run import World, by_goal, call, goal, plan
from tests.scripted import Reply

PRICE = (2.0, 10.0)  # US dollars a million tokens, in and out


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def reserved(world: World) -> list[ev.AttemptReserved]:
    store, _ = Store.open(world.runs, world.last)
    found = [event for _, _, event in store.rows() if isinstance(event, ev.AttemptReserved)]
    store.close()
    return found


def cut_after(world: World, kind: type[ev.Event]) -> Tree:
    """The run as a kill right after its first event of a kind leaves it."""
    path = store.find(world.runs, world.last)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        name = ev.NAMES[kind]
        database.execute(f"DELETE FROM event WHERE seq > (SELECT min(seq) FROM event WHERE type = '{name}')")
    path.with_suffix(".lock").unlink()
    return world.reload()


# -- money and tokens


def test_a_call_is_reserved_before_it_and_settled_after_it(world: World) -> None:
    done = world.run([Reply({"answer": 1}, billed=(100, 50))], price=PRICE, cost=1.0)
    (event,) = reserved(world)
    sent = event.usage.tokens_in
    assert event.usage.cost == pytest.approx((2 * sent + 10 * budget.LONGEST) / 1e6) and event.usage.estimated
    assert done.server.requests[0]["max_tokens"] == budget.LONGEST
    usage = done.tree.usage()
    assert (usage.calls, usage.cost, usage.estimated) == (1, pytest.approx((200 + 500) / 1e6), False)
    assert done.tree.accounts[ROOT].reserved == {}


def test_nothing_is_said_of_the_length_of_a_reply_where_nothing_limits_it(world: World) -> None:
    done = world.run([{"answer": 1}])
    assert "max_tokens" not in done.server.requests[0] and len(reserved(world)) == 1


def test_a_reply_may_have_what_the_money_left_will_buy(world: World) -> None:
    done = world.run([Reply({"answer": 1}, billed=(100, 50))], price=PRICE, cost=0.02)
    sent = reserved(world)[0].usage.tokens_in
    assert done.server.requests[0]["max_tokens"] == int((0.02 - 2 * sent / 1e6) / 10e-6)
    assert reserved(world)[0].usage.cost <= 0.02


def test_a_call_that_could_pass_the_limit_is_not_made(world: World) -> None:
    done = world.run([{"answer": 1}], price=PRICE, cost=0.002)
    assert (done.code, done.server.requests) == (3, []) and isinstance(done.error, LimitHit)
    assert "the limit of $0.002 is reached" in str(done.error) and "--max-cost" in str(done.error)
    on = world.resume([{"answer": 1}], price=PRICE, cost=5.0)
    assert (on.code, on.root.result) == (0, 1)


def test_the_limit_of_tokens(world: World) -> None:
    done = world.run([{"answer": 1}], tokens=300)
    assert (done.code, done.server.requests) == (3, []) and "300 tokens" in str(done.error)
    assert world.resume([{"answer": 1}], tokens=20_000).code == 0


def test_the_limit_of_tokens_of_prompts(world: World) -> None:
    done = world.run([{"answer": 1}], tokens_in=300)
    assert (done.code, done.server.requests) == (3, [])
    assert "300 tokens in" in str(done.error) and "--max-tokens-in" in str(done.error)
    assert world.resume([Reply({"answer": 1}, billed=(900, 50_000))], tokens_in=20_000).code == 0


def test_the_limit_of_tokens_of_replies(world: World) -> None:
    done = world.run([Reply({"answer": 1}, billed=(100_000, 50))], tokens_out=400)
    assert (done.code, done.server.requests[0]["max_tokens"]) == (0, 400)
    done = world.run([{"answer": 1}], tokens_out=200)  # too few to be worth a call
    assert (done.code, done.server.requests) == (3, []) and "--max-tokens-out" in str(done.error)


def test_a_share_of_tokens_of_replies(world: World) -> None:
    steps = plan({**goal("a", "part a"), "budget": {"tokens_out": 300}}, goal("b", "part b"), answer="$b")
    script = by_goal({"the goal": [steps], "part a": [{"answer": 1}], "part b": [{"answer": 2}]})
    done = world.run(script, tokens_out=5000)
    most = {body["messages"][1]["content"].split()[1:3][1]: body["max_tokens"] for body in done.server.requests[1:]}
    assert (done.code, most["a"]) == (0, 300) and most["b"] > 300


def test_money_cannot_be_limited_where_the_price_is_not_known(world: World) -> None:
    done = world.run([{"answer": 1}], cost=1.0)
    assert isinstance(done.error, ConfigError) and "prices" in str(done.error) and done.server.requests == []


def test_what_an_earlier_sitting_spent_counts(world: World) -> None:
    steps = plan(goal("a", "part a"))
    script = by_goal({"the goal": [steps, {"answer": 2}], "part a": [{"answer": 1}]})

    def say(body: dict[str, Any]) -> Reply:
        return Reply(script(body), billed=(100, 1000))

    first = world.run(say, price=PRICE, cost=0.0125)
    assert first.code == 3 and len(first.server.requests) == 1
    spent = first.tree.usage().cost
    on = world.resume(say, price=PRICE, cost=0.013)
    assert (on.code, len(on.server.requests)) == (3, 0) and on.tree.usage().cost == spent
    assert world.resume(say, price=PRICE, cost=1.0).code == 0


def test_a_call_cut_short_by_a_kill_counts_as_it_was_reserved(world: World) -> None:
    world.run([Reply({"answer": 1}, billed=(100, 50))], price=PRICE, cost=0.02)
    held = cut_after(world, ev.AttemptReserved).usage()
    assert held.estimated and held.cost == pytest.approx(0.02, rel=0.01)
    on = world.resume([{"answer": 1}], price=PRICE, cost=0.02)
    assert (on.code, on.server.requests) == (3, [])
    on = world.resume([Reply({"answer": 1}, billed=(100, 50))], price=PRICE, cost=1.0)
    assert on.code == 0 and on.tree.usage().cost == pytest.approx(held.cost + 0.0007) and on.tree.usage().calls == 2


@pytest.mark.parametrize(
    ("reply", "calls", "billed"),
    [
        (Reply(status=503), 2, False),
        (Reply({"answer": 1}, cut=True), 2, True),
        (Reply(body="<html>"), 2, True),
        ("no decision", 3, True),
    ],
)
def test_failed_calls_count_and_each_is_reserved(world: World, reply: Any, calls: int, billed: bool) -> None:
    done = world.run(lambda body: reply, price=PRICE, cost=1.0, replans=0)
    usage = done.tree.usage()
    assert done.code != 0 and len(done.server.requests) == calls
    assert (usage.calls, bool(usage.cost)) == (calls, billed)
    assert len([event for event in reserved(world) if event.usage.tokens_out >= budget.LEAST]) >= calls


def test_near_the_limit_calls_wait_for_each_other_rather_than_end_the_run(world: World) -> None:
    steps = plan(*[goal(f"g{n}", f"part {n}") for n in range(6)], answer="$g0")
    script = by_goal({"the goal": [steps], **{f"part {n}": [{"answer": n}] for n in range(6)}})
    room = 2 * (budget.LONGEST * 10 + 2 * 2000) / 1e6  # two calls at once
    done = world.run(lambda body: Reply(script(body), billed=(500, 20), delay=0.05), price=PRICE, cost=room)
    assert done.code == 0 and done.server.at_once == 2 and done.tree.usage().calls == 7


def test_a_judge_is_reserved_and_counted_too(world: World) -> None:
    steps = plan(goal("g", "say it", check={"judge": "Is it polite?"}), answer="$g")
    script = by_goal({"the goal": [steps], "say it": [{"answer": "please"}]}, {"answer": "yes"})
    done = world.run(lambda body: Reply(script(body), billed=(100, 10)), price=PRICE, cost=1.0)
    assert done.code == 0 and [event.usage.tokens_out for event in reserved(world)] == [8192, 8192, 8192, 10]
    assert done.tree.usage().cost == pytest.approx(3 * 300 / 1e6) and done.tree.usage("root.g").calls == 2


# -- a share of the budget


def test_a_share_ends_its_task_and_not_the_run(world: World) -> None:
    steps = plan(goal("a", "part a", budget={"tokens": 9000}), call("b", "count_words", text="x y"), answer="$b")
    inner = plan(goal("c", "part c", after=["d"]), call("d", "count_words", text="x"), answer="$d")
    script = by_goal({"the goal": [steps, {"answer": "done without"}], "part a": [inner]})
    done = world.run(lambda body: Reply(script(body), billed=(500, 8300)))
    assert (done.code, done.root.result) == (0, "done without")
    task = done.task("root.a")
    assert (task.status, task.blocked) == ("partial", "its own limit of 9,000 tokens is reached")
    assert task.result == "count_words(text='x'): 1" and done.task("root.a.c").status == "cancelled"
    assert "its own limit of 9,000 tokens" in done.prompts[-1]


def test_shares_of_seconds_tasks_and_depth(world: World) -> None:
    steps = plan(
        goal("s", "slow", budget={"seconds": 0.3}),
        goal("t", "many", budget={"tasks": 2}),
        goal("d", "deep", budget={"depth": 1}),
        answer="$s$t$d",
    )
    deeper = plan(goal("x", "deeper"), answer="$x")
    script = by_goal(
        {
            "the goal": [steps, {"answer": "seen"}],
            "slow": [Reply({"answer": 1}, delay=5)],
            "many": [plan(call("x", "count_words", text="x"), call("y", "count_words", text="y"), answer="$x")],
            "deep": [deeper],
            "deeper": [plan(call("z", "count_words", text="z"), answer="$z"), {"answer": "flat"}],
        }
    )
    done = world.run(script)
    assert done.code == 0 and done.seconds < 3
    assert "0.3 seconds" in done.task("root.s").blocked and "2 tasks" in done.task("root.t").blocked
    assert done.task("root.d").result == "flat" and "root.d.x.z" not in done.tree.tasks


def test_a_share_of_the_calls_in_flight_leaves_the_others_theirs(world: World) -> None:
    inner = plan(*[goal(f"g{n}", f"slow {n}") for n in range(4)], answer="$g0")
    steps = plan(
        goal("a", "part a", budget={"parallel": 1}), *[goal(f"b{n}", f"beside {n}") for n in range(3)], answer="$a"
    )
    script = by_goal({"the goal": [steps], "part a": [inner]}, Reply({"answer": 1}, delay=0.15))
    done = world.run(script)
    assert done.code == 0 and done.server.at_once == 4 and done.seconds >= 4 * 0.15


# -- whatever the tree is like


class Bills:
    """A server's own books over a random tree: what it billed below each task, and how far estimates were off."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock, self._names = threading.Lock(), itertools.count()
        self.billed: Counter[str] = Counter()  # tokens, by the path of the task's goal
        self.cost = self.off = 0.0
        self.shares: dict[str, int] = {}

    def __call__(self, body: dict[str, Any]) -> Reply:
        with self._lock:
            return self._reply(body, body["messages"][1]["content"].split()[1])

    def _reply(self, body: dict[str, Any], path: str) -> Reply:
        most = body["max_tokens"]
        said_to = [message["content"] for message in body["messages"]]
        said_to.append(json.dumps(body["response_format"]["json_schema"]["schema"]))
        sent = sum(map(tokens.estimate, said_to)) + 12  # what zooid counts; `off` is what it is off by
        off, said = self._random.randrange(40), self._random.randint(1, most)
        kind = self._random.random()
        if kind < 0.1:
            return Reply(status=503)
        self.billed[path] += sent + off + said
        self.cost += (PRICE[0] * (sent + off) + PRICE[1] * said) / 1e6
        self.off += off
        if kind < 0.2:
            return Reply({"answer": 1}, cut=True)
        decision = "no decision" if kind < 0.3 else self._decision(path)
        return Reply(decision, billed=(sent + off, said), delay=self._random.choice((0, 0, 0.002)))

    def _decision(self, path: str) -> Any:
        if self._random.random() < 0.4 or path.count(".") > 2:
            return {"answer": path}
        below = [f"{path}.{next(self._names)}" for _ in range(self._random.randint(1, 4))]  # a plan anew has new tasks
        for one in below:
            if self._random.random() < 0.2:
                self.shares.setdefault(one, self._random.randint(300, 20_000))
        tasks = [
            goal(f"g{n}", f"{one} part", **({"budget": {"tokens": self.shares[one]}} if one in self.shares else {}))
            for n, one in enumerate(below)
        ]
        return plan(*tasks, call("t", "count_words", text=path), answer="$g0 $t")


def holds(seed: int, parallel: int, cost: float, sittings: int) -> None:
    """Over one or more sittings a random tree never costs more than its limit, nor more than any share in it."""
    bills = Bills(seed)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        how = {"price": PRICE, "parallel": parallel, "cost": cost, "depth": 4, "tasks": 60}
        done = world.run(bills, "r part", **how)
        for _ in range(sittings):
            if done.code not in (0, 1):
                done = world.resume(bills, **how)
    assert bills.cost <= cost + bills.off * PRICE[0] / 1e6 + 1e-9
    assert bills.cost <= done.tree.usage().cost + bills.off * PRICE[0] / 1e6 + 1e-9
    for path, share in bills.shares.items():
        below = sum(n for one, n in bills.billed.items() if f"{one}.".startswith(f"{path}."))
        assert below <= share + bills.off, f"{path} used {below} of {share} tokens"


TREES = {
    "seed": st.integers(0, 2**32),
    "parallel": st.integers(1, 8),
    "cost": st.sampled_from((0.003, 0.02, 0.1, 0.3, 1.0)),
    "sittings": st.integers(0, 2),
}


@given(**TREES)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_no_tree_passes_its_limit(**tree: Any) -> None:
    holds(**tree)


@pytest.mark.slow
@given(**TREES)
@settings(max_examples=1000, deadline=None)
def test_none_of_a_thousand_trees_passes_its_limit(**tree: Any) -> None:
    holds(**tree)

"""Limits and costs as a person meets them: what is answered at a limit, how to go on, what it cost and may cost."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agent.test_stop import lingering
from tests.e2e.command import Piped
from tests.scripted import Reply, Server

TOLD = "tell part 0: told\ntell part 1: told\ntell part 2: told\n"
PRICES = "[prices]\nscripted = { input = 2, output = 10 }\n"


@pytest.fixture
def priced(zooid: Piped, home: Path) -> Piped:
    settings = home / "config" / "zooid" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(PRICES)
    return zooid


def by(server: Server) -> list[str]:
    return ["--planner", "openai", "--model", "scripted", "--base-url", server.base_url]


def parts(body: dict[str, Any]) -> Reply:
    """Six parts, one after the other; each bills as much of a reply as it may have, a thousand tokens at most."""
    if "Goal: all parts" not in body["messages"][1]["content"]:
        return Reply({"answer": "told"}, billed=(200, min(1000, body["max_tokens"])))
    tasks = [{"id": f"p{n}", "goal": f"tell part {n}", "after": [f"p{n - 1}"] if n else []} for n in range(6)]
    return Reply({"tasks": tasks, "answer": " ".join(f"$p{n}" for n in range(6))}, billed=(600, 300))


def test_at_a_limit_the_answer_so_far_is_given_and_a_higher_limit_goes_on(priced: Piped) -> None:
    with Server(parts) as server:
        done = priced("run", "all parts", *by(server), "--max-cost", "0.03")
        spent = priced.runs()[0]["usage"]["cost"]
        again = priced("resume", "--last")
        on = priced("resume", "--last", "--max-cost", "5")
    assert done.returncode == 3 and done.stdout == TOLD and spent <= 0.03
    assert "the limit of $0.03 is reached; go on with a higher --max-cost" in done.stderr
    assert "not done: tell part 3; tell part 4; tell part 5" in done.stderr
    assert f"zooid resume {priced.last()}" in done.stderr
    assert again.returncode == 3
    assert (on.returncode, on.stdout) == (0, f"{' '.join(['told'] * 6)}\n") and len(server.requests) == 7


def test_the_stream_of_a_run_at_its_limit_ends_with_the_answer_so_far(priced: Piped) -> None:
    with Server(parts) as server:
        done = priced("run", "all parts", *by(server), "--max-tokens", "3000", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ended = next(event for event in events if event["type"] == "run.ended")
    assert (done.returncode, ended["status"], ended["exit_code"]) == (3, "stopped", 3)
    assert ended["answer"] == "tell part 0: told" and ended["usage"]["tokens_in"] == 800
    assert any(event["type"] == "attempt.reserved" and event["usage"]["estimated"] for event in events)


def test_a_limit_of_money_without_a_price_says_what_to_do(zooid: Piped) -> None:
    with Server(parts) as server:
        done = zooid("run", "all parts", *by(server), "--max-cost", "1")
    assert done.returncode == 2 and server.requests == []
    assert "the price of openai:scripted is not known" in done.stderr and "--max-tokens" in done.stderr


def test_what_runs_cost_and_what_a_plan_may_cost(priced: Piped) -> None:
    with Server(parts) as server:
        words = [*by(server), "--max-cost", "1"]
        priced("run", "all parts", *words)
        plan = priced("run", "all parts", "--plan", *by(server))
    table, data = priced("runs", "--cost").stdout, json.loads(priced("runs", "--cost", "--json").stdout)
    assert "openai:scripted" in table and "hour" in table and data["total"]["calls"] == 7
    assert "estimate: 6 model calls, 7,200 tokens, $0.0624 (from 36 tasks of the record)" in plan.stderr
    assert priced("runs", "--cost", "zzzz").returncode == 2


def test_an_interrupt_leaves_no_request_and_no_process_behind(zooid: Piped, work: Path) -> None:
    tasks = [
        {"id": "a", "goal": "part a"},
        {"id": "c", "tool": "run_command", "args": {"command": "touch begun; sleep 86395"}},
        {"id": "d", "tool": "count_words", "args": {"text": "x"}, "check": {"command": "sleep 86394"}},
    ]

    def script(body: dict[str, Any]) -> Any:
        return Reply(hang=True) if "Goal: part a" in str(body) else {"tasks": tasks, "answer": "$a"}

    with Server(script) as server, zooid.start("run", "all", *by(server), "--approve", "auto") as process:
        until = time.monotonic() + 20
        while not (work / "begun").exists() or len(server.requests) < 2 or not any("86394" in p for p in lingering()):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        process.communicate(timeout=10)
        while (lingering() or not server.left) and time.monotonic() < started + 2:
            time.sleep(0.02)
        assert (lingering(), server.left, process.returncode) == ([], 1, 130) and time.monotonic() < started + 2


def test_a_goal_that_is_not_met_says_what_was_tried_and_how_to_help(zooid: Piped) -> None:
    steps = {"tasks": [{"id": "r", "goal": "say red", "check": {"equals": "red"}}], "answer": "$r"}
    with Server(lambda body: {"answer": "blue"} if "say red" in str(body) else steps) as server:
        done = zooid("run", "the colour", *by(server), "--max-replans", "1")
    assert done.returncode == 1 and len(server.requests) == 2 + 2 * 2
    assert "missing: say red (tried by openai:scripted 2 times; the result was not accepted" in done.stderr
    assert f'zooid jobs retry {zooid.last()} root~2.r --hint "…"' in done.stderr

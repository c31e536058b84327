"""The openai planner against a scripted server over a real socket."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent import prompts, tokens
from agent.errors import ConfigError, KeyRefused, ProviderUnavailable, UnsoundPlan, UsageError
from agent.planners import Ask
from agent.planners import Reply as Decided
from agent.planners.openai import OpenAIPlanner
from agent.task import Answer, Plan
from tests.scripted import Reply, Server, prompt_tokens
from tools.registry import Tool, from_function

KEY = "sk-secret0123456789"


def tool(name: str, summary: str) -> Tool:
    def function(text: str, count: int = 3) -> str:
        return text * count

    function.__name__, function.__doc__ = name, summary
    return from_function(function, "test")


TOOLS = [
    tool(f"some_tool_{n}", f"Do the thing that is numbered {n}, and do it to a text or a file.") for n in range(12)
]


def planner(server: Server, **settings: Any) -> OpenAIPlanner:
    settings = {"backoff": 0.02, "api_key": KEY, "timeout": 5.0, **settings}
    return OpenAIPlanner("scripted", server.base_url, **settings)


def decide(made: OpenAIPlanner, ask: Ask | None = None, notes: list[str] | None = None) -> Decided:
    async def run() -> Decided:
        try:
            return await made.decide(ask or Ask("add 2 and 2"), (notes if notes is not None else []).append)
        finally:
            await made.close()

    return asyncio.run(run())


def test_a_decision_is_asked_for_by_schema_and_priced() -> None:
    with Server([{"answer": 4}]) as server:
        reply = decide(planner(server, own_prices={"scripted": {"input": 2.0, "output": 10.0}}))
    assert reply.decision == Answer(4)
    assert server.requests[0]["response_format"]["type"] == "json_schema"
    assert (reply.usage.calls, reply.usage.tokens_in) == (1, server.prompt_tokens)
    assert reply.usage.cost == pytest.approx((2 * reply.usage.tokens_in + 10 * reply.usage.tokens_out) / 1e6)
    assert not reply.usage.estimated and server.keys == [KEY]


def test_an_unknown_price_is_none_and_missing_usage_is_estimated() -> None:
    with Server([Reply({"answer": 4}, usage=False)]) as server:
        usage = decide(planner(server)).usage
    assert usage.cost is None and usage.estimated
    assert server.prompt_tokens / 2 < usage.tokens_in < 2 * server.prompt_tokens and usage.tokens_out > 0


@pytest.mark.parametrize(("refuses", "asked"), [(("response_format",), 2), (("response_format", "tools"), 3)])
@pytest.mark.parametrize(
    "refusal",
    [
        Reply(status=400, error={"message": "'response_format' of type json_schema is not supported with this model"}),
        Reply(status=422, body='{"detail": [{"loc": ["body"], "msg": "no"}]}'),
        Reply(status=404, body="not found"),
    ],
)
def test_a_server_without_structured_output_is_asked_in_its_way(
    refuses: tuple[str, ...], asked: int, refusal: Reply
) -> None:
    async def twice(made: OpenAIPlanner) -> None:
        for _ in range(2):
            assert (await made.decide(Ask("add"), notes.append)).decision == Answer(4)
        await made.close()

    notes: list[str] = []
    with Server(lambda body: {"answer": 4}, refuses=refuses, refusal=refusal) as server:
        asyncio.run(twice(planner(server)))
    assert len(server.requests) == asked + 1  # the second decision knows the way
    assert ("tools" in server.requests[-1]) == ("tools" not in refuses)
    assert len(notes) == asked - 1


def test_a_reply_that_cannot_be_read_is_told_back_alone() -> None:
    notes: list[str] = []
    with Server(["Let me think. " * 500, '{"tasks": [{"id": "a"', {"answer": 4}]) as server:
        reply = decide(planner(server), notes=notes)
    assert reply.decision == Answer(4) and reply.usage.calls == 3 and len(notes) == 2
    assert [len(body["messages"]) for body in server.requests] == [2, 3, 3]
    assert "cut off" in server.requests[2]["messages"][2]["content"]
    assert len(server.requests[1]["messages"][2]["content"]) < 1000
    assert reply.usage.tokens_in == server.prompt_tokens


def test_it_is_asked_again_at_most_twice() -> None:
    ask = Ask("add 2 and 2")
    with Server(lambda body: "no") as server, pytest.raises(UnsoundPlan, match="in 3 replies"):
        decide(planner(server), ask)
    assert len(server.requests) == 3
    assert ask.meter.spent.calls == 3 and ask.meter.spent.tokens_in == server.prompt_tokens


def test_what_is_worth_it_is_tried_again() -> None:
    failures = [
        Reply(status=429, error={"message": "slow down"}),
        Reply(status=503, error={"message": "busy"}),
        Reply({"answer": 1}, cut=True),
        Reply(body="<html>a gateway"),
        Reply(body='{"choices": []}'),
        Reply(body='{"error": {"code": 502, "message": "upstream"}}'),
        Reply(body=json.dumps({"answer": 1}), headers={"Content-Encoding": "gzip"}),
        Reply(hang=True),
    ]
    notes: list[str] = []
    with Server([*failures, {"answer": 4}]) as server:
        reply = decide(planner(server, max_retries=8, timeout=0.3, backoff=0.001), notes=notes)
    assert reply.decision == Answer(4)
    assert reply.usage.calls == len(server.requests) == len(failures) + 1 and len(notes) == len(failures)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(form: str) -> None:
    after = "1" if form == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
    started = time.monotonic()
    with Server(
        [Reply(status=429, headers={"Retry-After": after}, error={"message": "wait"}), {"answer": 4}]
    ) as server:
        decide(planner(server))
    assert 0.9 < time.monotonic() - started < 3


def test_it_gives_up_with_what_happened() -> None:
    with (
        Server(lambda body: Reply(status=500, error={"message": f"bad {KEY}"})) as server,
        pytest.raises(ProviderUnavailable) as caught,
    ):
        decide(planner(server, max_retries=2))
    assert len(server.requests) == 3
    assert "3 calls" in str(caught.value) and "500" in str(caught.value) and "zooid resume" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_deadline_bounds_all_tries() -> None:
    started = time.monotonic()
    with Server(lambda body: Reply(status=500)) as server, pytest.raises(ProviderUnavailable):
        decide(planner(server, max_retries=1000, deadline=0.5, backoff=0.05))
    assert time.monotonic() - started < 1.5 and len(server.requests) > 1


def test_no_server_is_told() -> None:
    with pytest.raises(ProviderUnavailable, match="connection failed"):
        decide(OpenAIPlanner("m", "http://127.0.0.1:9", "k", max_retries=1, backoff=0.01))


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (Reply(status=401, error={"message": f"Incorrect API key: {KEY[:5]}***89"}), KeyRefused, "OPENAI_API_KEY"),
        (Reply(status=403, error={"message": f"not for {KEY}"}), KeyRefused, "403"),
        (
            Reply(status=404, error={"message": "The model `scripted` does not exist", "code": "model_not_found"}),
            ConfigError,
            "no model 'scripted'",
        ),
        (Reply(status=404, error={"message": 'model "scripted" not found, try pulling it'}), ConfigError, "no model"),
        (Reply(status=400, error={"message": "seed is out of range"}), ConfigError, "seed is out of range"),
        (
            Reply(
                status=400, error={"message": "maximum context length is 8 tokens", "code": "context_length_exceeded"}
            ),
            UsageError,
            "is 8 tokens",
        ),
        (Reply(status=429, error={"message": "pay", "code": "insufficient_quota"}), ProviderUnavailable, "quota"),
    ],
)
def test_refusals_name_the_thing_and_the_way_on(reply: Reply, error: type[Exception], told: str) -> None:
    ask = Ask("add 2 and 2")
    with Server(lambda body: reply) as server, pytest.raises(error) as caught:
        decide(planner(server), ask)
    assert told in str(caught.value)
    assert KEY[:6] not in str(caught.value) and ask.meter.spent.calls == len(server.requests) <= 3


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base_url": None, "api_key": None}, "OPENAI_API_KEY"),
        ({"base_url": "localhost:80", "api_key": "k"}, "no server's address"),
        ({"base_url": "http://localhost", "api_key": "k\n"}, "characters that no key has"),
    ],
)
def test_settings_that_cannot_be_right(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        decide(OpenAIPlanner("m", **settings))


def test_a_goal_over_the_context_is_the_persons_to_shorten() -> None:
    with Server([]) as server, pytest.raises(UsageError, match="tokens long"):
        decide(planner(server, context_tokens=2000), Ask("word " * 5000, tools=TOOLS))
    assert not server.requests


def test_long_inputs_are_trimmed_to_the_context() -> None:
    ask = Ask("which language is this?", {"input": "one two three " * 20_000, "short": "x"}, TOOLS)
    with Server([{"answer": "English"}]) as server:
        decide(planner(server, context_tokens=3000), ask)
    prompt = server.requests[0]["messages"][1]["content"]
    assert "$input (280,000 characters): one two" in prompt and "left out" in prompt and "$short: x" in prompt
    assert 1500 < prompt_tokens(server.requests[0]) < 3200  # which counts words a little too high


def test_what_no_request_can_hold_is_replaced() -> None:
    with Server([{"answer": 1}]) as server:
        decide(planner(server), Ask("read \ud800"))
    assert "read ?" in server.requests[0]["messages"][1]["content"]


# -- prompts stay short


def test_a_first_prompt_with_twelve_tools_is_short() -> None:
    goal = "count the words of every markdown file in docs, add the counts up, and write the total in words"
    with Server([{"answer": 1}]) as server:
        decide(planner(server), Ask(goal, tools=TOOLS))
    assert server.prompt_tokens < 900
    assert all(f"{t.signature()}  # " in server.requests[0]["messages"][1]["content"] for t in TOOLS)


def test_a_look_is_under_two_hundred_tokens() -> None:
    look = Ask("step on from 1 until it is 100", tools=TOOLS, results={"a": 41}, notes="started at 1")
    with Server([{"answer": 1}]) as server:
        decide(planner(server), look)
    assert server.prompt_tokens < 200
    body = server.requests[0]
    whole = "".join(message["content"] for message in body["messages"]) + json.dumps(body["response_format"])
    assert tokens.estimate(whole) < 220  # which errs upwards
    assert "$a: 41" in whole and "started at 1" in whole and 1 < whole.count("some_tool_") <= 1 + prompts.OTHERS


def test_a_failure_is_told_and_nothing_of_a_transcript() -> None:
    with Server([{"answer": 1}]) as server:
        decide(planner(server), Ask("g", tools=TOOLS[:1], failure="there is no file x.txt", inputs={"input": [1, 2]}))
    user = server.requests[0]["messages"][1]["content"]
    assert "there is no file x.txt" in user and "$input: [1, 2]" in user


def test_a_prompt_is_rendered_strictly() -> None:
    with pytest.raises(KeyError, match="beginning"):
        prompts.render("again", {"error": "x"})
    with pytest.raises(KeyError, match="colour"):
        prompts.render("again", {"error": "x", "beginning": "y", "colour": "red"})
    assert "{{" not in prompts.render("again", {"error": "{{error}} $id", "beginning": ""}).replace("{{error}}", "")


def test_at_the_depth_limit_no_plan_is_offered() -> None:
    with Server([{"answer": 1}]) as server:
        decide(planner(server), Ask("g", tools=TOOLS, may_plan=False))
    assert "tasks" not in json.dumps(server.requests[0]) and "some_tool" not in json.dumps(server.requests[0])


# -- speed


def test_eight_decisions_at_once_take_about_as_long_as_one() -> None:
    async def run(made: OpenAIPlanner) -> float:
        await made.decide(Ask("warm up"), str)
        ratios = []
        for _ in range(3):  # the best of three: other programs may want the processor as well
            one = await timed(lambda: made.decide(Ask("one"), str))
            eight = await timed(lambda: asyncio.gather(*(made.decide(Ask(f"goal {n}"), str) for n in range(8))))
            ratios.append(eight / one)
        await made.close()
        return min(ratios)

    with Server(lambda body: {"answer": 1}, delay=0.2) as server:
        assert asyncio.run(run(planner(server))) < 1.5
    assert server.at_once == 8


async def timed(call: Callable[[], Awaitable[Any]]) -> float:
    started = time.monotonic()
    await call()
    return time.monotonic() - started


def test_many_plans_are_read_and_usage_adds_up() -> None:
    plan = {"tasks": [{"id": "a", "tool": "some_tool_1", "args": {"text": "x"}}], "answer": "$a"}

    async def run(made: OpenAIPlanner) -> list[Decided]:
        try:
            return list(await asyncio.gather(*(made.decide(Ask("g"), str) for _ in range(5))))
        finally:
            await made.close()

    with Server(lambda body: plan) as server:
        replies = asyncio.run(run(planner(server)))
    assert all(isinstance(reply.decision, Plan) for reply in replies)
    assert sum(reply.usage.tokens_in for reply in replies) == server.prompt_tokens


# -- tokens


def test_tokens_are_counted_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("it went to the network")

    monkeypatch.setattr("tiktoken.load.read_file", fetch)
    for folder in (str(tmp_path), "", str(tmp_path / "missing")):
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", folder)
        tokens._encoding.cache_clear()
        for model in ("gpt-4o", "no-such-model", ""):
            assert 8 <= tokens.count("Count the words of every file in docs.", model) <= 14
    for name in ("o200k_base", "cl100k_base"):  # a damaged table is not used, and not fetched again
        address = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_text("damaged")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokens._encoding.cache_clear()
    assert tokens.count("one two", "gpt-4o") == 2 and tokens._encoding("gpt-4o") is None
    tokens._encoding.cache_clear()


def test_a_text_is_trimmed_to_its_beginning_and_end() -> None:
    text = " ".join(f"word{n}" for n in range(2000))
    short = tokens.trim(text, 100)
    assert tokens.count(short) <= 100 and short.startswith("word0 ") and short.endswith("word1999")
    assert "characters left out" in short
    assert tokens.trim("short", 100) == "short" and tokens.count(tokens.trim(text, 3)) <= 20


@pytest.mark.parametrize("text", ["", "a" * 2_000_000, "\n" * 100_000, "語" * 1000, "\ud800", "🙂" * 1000])
def test_counting_takes_any_text(text: str) -> None:
    started = time.monotonic()
    assert tokens.count(text, "gpt-4o") >= bool(text.strip()) and tokens.trim(text, 50, "gpt-4o") is not None
    assert time.monotonic() - started < 2

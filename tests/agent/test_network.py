"""What a network can do to the openai planner: the right error, in time, and nothing sent where it must not go."""

from __future__ import annotations

import asyncio
import gc
import random
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from agent import errors, plan
from agent.errors import ConfigError, KeyRefused, ProviderUnavailable, UnsoundPlan, UsageError, ZooidError
from agent.planners import Ask
from agent.planners.openai import WAYS, OpenAIPlanner
from agent.task import ROOT, Answer, Decision, Plan, Task
from tests.faulty import FAULTS, GOOD, HEAD, Authority, Row, chunked, completion, reply, saying, serving
from tools.registry import Registry, built_in

KEY = "sk-canary-2Zt4kLw2vRb8nYc5Qm7x"
DEADLINE, RETRIES = 2.0, 2


@dataclass
class Came:
    """What came of a decision that was asked for."""

    error: BaseException | None
    decision: Decision | None
    seconds: float
    connections: int
    elsewhere: int
    calls: int
    notes: list[str]


async def ask(row: Row, authority: Authority, way: int = 0, retries: int = RETRIES) -> Came:
    notes: list[str] = []
    async with serving(row, authority) as served:
        planner = OpenAIPlanner(
            "m", served.address, KEY, timeout=0.4, max_retries=retries, deadline=DEADLINE, backoff=0.01
        )
        planner._way = way
        error, decision, asked, started = None, None, Ask("add 2 and 2"), time.monotonic()
        try:
            decision = (await planner.decide(asked, notes.append)).decision
        except BaseException as raised:
            error = raised.with_traceback(None)
            error.__context__ = None  # no frame of it keeps a socket
        seconds = time.monotonic() - started
        await planner.close()
    return Came(error, decision, seconds, served.connections, served.elsewhere, asked.meter.spent.calls, notes)


async def ask_all(rows: dict[str, Row], authority: Authority, **how: Any) -> dict[str, Came]:
    """What comes of each, several at a time."""
    room = asyncio.Semaphore(8)

    async def one(row: Row) -> Came:
        async with room:
            return await ask(row, authority, **how)

    return dict(zip(rows, await asyncio.gather(*map(one, rows.values())), strict=True))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = Authority()
    made.known.cert_pem.write_to_path(str(path := tmp_path_factory.mktemp("tls") / "ca.pem"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        yield made


# -- faults


@pytest.fixture(scope="module")
def came(authority: Authority) -> dict[str, Came]:
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        ended = asyncio.run(ask_all(FAULTS, authority))
        gc.collect()  # a TLS handshake that is given up leaves its socket to that, in asyncio itself
    return ended


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_the_right_error_in_time(came: dict[str, Came], name: str) -> None:
    row, end = FAULTS[name], came[name]
    assert type(end.error) is getattr(errors, row.error), repr(end.error)
    assert end.seconds < DEADLINE + 0.5
    late = any("no answer within" in note for note in end.notes)  # for a machine at its limit, not for the fault
    assert end.calls == RETRIES + 1 if row.again else end.calls <= 1 or late
    assert end.connections <= end.calls and end.elsewhere == 0
    said = " ".join([str(end.error), *end.notes])
    assert KEY[:12] not in said and "\n" not in said and "\x1b" not in said and len(str(end.error)) < 700


def test_there_are_enough_faults_and_without_one_it_answers(authority: Authority) -> None:
    assert len(FAULTS) >= 40
    fine = {
        "plain": Row(saying(reply())),
        "TLS": Row(saying(reply()), tls="good"),
        "chunked": Row(saying(chunked(GOOD[:9], GOOD[9:]))),
        "to the end": Row(saying(HEAD + b"\r\n" + GOOD)),
        "slow": Row(saying(reply(), at_once=40, pause=0.01)),
        "odd figures": Row(saying(reply(completion(usage={"prompt_tokens": -5, "completion_tokens": "many"})))),
        "odd fields": Row(saying(reply(completion(usage=[1], id=7, error=None)))),
    }
    for name, end in asyncio.run(ask_all(fine, authority)).items():
        assert (end.decision, end.calls, end.connections) == (Answer(4), 1, 1), (name, end.error)


# -- codes

AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 507, 520, 522, 524, 529, 599)
CODES: dict[int, type[ZooidError]] = {
    **dict.fromkeys((300, 301, 302, 303, 304, 305, 307, 308), ConfigError),
    **dict.fromkeys((400, 404, 405, 410, 415, 422), ConfigError),
    **dict.fromkeys((401, 403), KeyRefused),
    **dict.fromkeys((402, 406, 407, 411, 412, 417, 418, 421, 426, 428, 431, 451), ProviderUnavailable),
    413: UsageError,
    **dict.fromkeys((501, 505, 506, 508, 510, 511), ProviderUnavailable),
    **dict.fromkeys(AGAIN, ProviderUnavailable),
}


@pytest.mark.parametrize("way", range(len(WAYS)), ids=WAYS)
def test_each_code_is_the_right_error_whatever_way_is_asked_in(authority: Authority, way: int) -> None:
    body = b'{"error": {"message": "no, with \\u001b[31m%s"}}' % KEY.encode()
    rows = {str(code): Row(saying(reply(body, f"{code} No"))) for code in CODES}
    for name, end in asyncio.run(ask_all(rows, authority, way=way)).items():
        code = int(name)
        lower = len(WAYS) - way if code in (400, 404, 415, 422) else 1  # ways of asking that are left
        assert type(end.error) is CODES[code], (code, end.error)
        assert end.calls == end.connections == (RETRIES + 1 if code in AGAIN else lower), (code, end)
        said = " ".join([str(end.error), *end.notes])
        assert KEY[:12] not in said and "\x1b" not in said and end.seconds < DEADLINE


# -- cut, doubled, out of order

TASKS = [
    {"id": "a", "tool": "write_file", "args": {"path": "a.txt", "text": '} ] " ] }'}},
    {"id": "b", "tool": "read_file", "args": {"path": "a.txt"}, "after": ["a"]},
]
PLAN = completion({"tasks": TASKS, "answer": "$b"})


def cuts(data: bytes, every: int) -> dict[str, Row]:
    return {f"{at}": Row(saying(data[:at])) for at in range(0, len(data), every)}


FORMS = {
    "plain": reply(PLAN),
    "to the end": HEAD + b"\r\n" + PLAN,
    "chunked": chunked(PLAN[:70], PLAN[70:71], PLAN[71:]),
}


def test_a_reply_that_is_cut_is_never_half_a_plan(authority: Authority, every: int = 37) -> None:
    for form, data in FORMS.items():
        assert isinstance(asyncio.run(ask(Row(saying(data)), authority)).decision, Plan)
        for at, end in asyncio.run(ask_all(cuts(data, every), authority, retries=0)).items():
            assert end.decision is None and type(end.error) is ProviderUnavailable, (form, at, end)


@pytest.mark.slow
def test_a_reply_that_is_cut_at_every_byte(authority: Authority) -> None:
    test_a_reply_that_is_cut_is_never_half_a_plan(authority, every=1)
    print(f"\n{sum(map(len, FORMS.values()))} cuts")


def test_chunks_that_are_doubled_or_out_of_order(authority: Authority) -> None:
    """What still is a decision has whole calls alone."""
    chance, rows = random.Random(5), {}
    for n in range(60):
        at = sorted(chance.sample(range(1, len(PLAN)), 6))
        parts = [PLAN[a:b] for a, b in zip([0, *at], [*at, len(PLAN)], strict=True)]
        if n % 2:
            parts.insert(chance.randrange(7), chance.choice(parts))
        else:
            chance.shuffle(parts)
        rows[str(n)] = Row(saying(chunked(*parts)))
    tools = Registry()
    tools.add(built_in())
    outcomes: Counter[str] = Counter()
    for end in asyncio.run(ask_all(rows, authority, retries=0)).values():
        if end.decision is None:
            assert type(end.error) in (ProviderUnavailable, UnsoundPlan), end
            outcomes["no reply"] += 1
            continue
        assert isinstance(end.decision, Plan)
        try:
            plan.check(end.decision, Task(ROOT, "add 2 and 2"), (), (), tools, 64)
        except UnsoundPlan:
            outcomes["no plan"] += 1
        else:
            assert all({"tool": one.tool, "args": one.args}.items() <= TASKS[n].items()
                       for n, one in enumerate(end.decision.tasks)), end.decision  # fmt: skip
            outcomes["whole"] += 1
    assert outcomes["no reply"] > 30 and sum(outcomes.values()) == len(rows), outcomes

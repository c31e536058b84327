"""Keys are found in every form that a log could give them, whole and cut, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tools import redact
from tools.schema import Mapped

KEY = 'sk-proj/Qm7+x9 "Zt4&\\kLw2=vRb8nYc5'
PLAIN = "sk-live-9fQm7x2Zt4kLw2vRb8nYc5"


def each(form: str) -> Callable[[str], str]:
    return lambda key: "".join(form.format(byte) for byte in key.encode())


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "reversed": lambda key: key[::-1],
    "lower": str.lower,
    "upper": str.upper,
    "json": json.dumps,
    "json of json": lambda key: json.dumps(json.dumps(PLAIN)),
    "json with its slashes escaped": lambda key: json.dumps(key).replace("/", "\\/"),
    "json, each character": each("\\u{:04x}"),
    "python": repr,
    "html": html.escape,
    "html, each character": each("&#{};"),
    "url": lambda key: quote(key, safe=""),
    "url in lower case": lambda key: re.sub("%..", lambda found: found[0].lower(), quote(key, safe="")),
    "url, each character": each("%{:02X}"),
    "hex": lambda key: key.encode().hex(),
    "hex in upper case": lambda key: key.encode().hex().upper(),
    "a dump": lambda key: key.encode().hex(" "),
    "a dump in upper case": lambda key: key.encode().hex(":").upper(),
    "numbers": lambda key: str(list(key.encode())),
    "numbers in hex": lambda key: ", ".join(f"0x{byte:02x}" for byte in key.encode()),
    "octal": each("\\{:03o}"),
    "quoted-printable, each character": each("={:02X}"),
    "two bytes a character": lambda key: key.encode("utf-16-le").decode("latin-1"),
    "two bytes a character, as Python shows it": lambda key: repr(key.encode("utf-16-le").decode("latin-1")),
    "base64 of two bytes a character": lambda key: base64.b64encode(b"x" + key.encode("utf-16-le")).decode(),
    "spaced out": " ".join,
    "bytes": each("\\x{:02x}"),
    "base64, 0 before": lambda key: base64.b64encode(key.encode()).decode(),
    "base64, 1 before": lambda key: base64.b64encode(b":" + key.encode() + b"tail").decode(),
    "base64, 2 before": lambda key: base64.b64encode(b"u:" + key.encode() + b"t").decode(),
    "base64 for urls": lambda key: base64.urlsafe_b64encode(b"user:" + key.encode()).decode(),
    "base32": lambda key: base64.b32encode(b"abc" + key.encode()).decode(),
}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redact, "_secrets", set())
    monkeypatch.setattr(redact, "_signs", [])
    monkeypatch.setattr(redact, "_least", 0)
    redact._forms.cache_clear()
    yield
    redact._forms.cache_clear()


@pytest.mark.parametrize("name", FORMS)
def test_a_key_is_found_in_every_form(name: str) -> None:
    for key in (KEY, PLAIN):
        redact.know(key)
    for key in (KEY, PLAIN):
        form = FORMS[name](key)
        said = redact.text(f"before {form} after {form}{form}.")
        assert said.startswith("before ") and " after " in said and said.endswith(".")
        assert said.count(redact.INSTEAD) == 3 and not holds_a_third(said, form)


def holds_a_third(said: str, form: str) -> bool:
    third = len(form) // 3
    return any(form[at : at + third] in said for at in range(len(form) - third + 1))


def test_a_key_that_was_cut_is_found_by_its_half() -> None:
    redact.know(PLAIN)
    for cut in range(len(PLAIN) // 2 + 1, len(PLAIN)):
        for part in (PLAIN[:cut], PLAIN[-cut:]):
            assert not holds_a_half(redact.text(f"…{part}…"))
    for cut in range(1, len(PLAIN)):  # over the edge of two writes no half is left in either
        assert not any(holds_a_half(redact.text(part)) for part in (PLAIN[:cut], PLAIN[cut:]))


def holds_a_half(said: str) -> bool:
    half = len(PLAIN) // 2
    return PLAIN[:half] in said or PLAIN[half:] in said


def test_values_keep_their_shape_and_what_holds_no_key_is_the_same_object() -> None:
    redact.know(PLAIN)
    innocent = {"a": [1, "two", None, {"b": ("x" * 100, True)}]}
    assert redact.value(innocent) is innocent
    mapped = Mapped([f"<{PLAIN}>", 1], ["a", "b"])
    clean = redact.value({"a": mapped, PLAIN: (PLAIN, 2.5)})
    assert clean == {"a": [f"<{redact.INSTEAD}>", 1], redact.INSTEAD: (redact.INSTEAD, 2.5)}
    assert isinstance(clean["a"], Mapped) and clean["a"].items_ == mapped.items_ and mapped[0] == f"<{PLAIN}>"


def test_any_depth_is_looked_through() -> None:
    redact.know(PLAIN)
    deep: Any = PLAIN
    for _ in range(100_000):
        deep = [deep]
    assert redact.value(deep) == redact.INSTEAD


def test_short_secrets_are_kept_from_other_programs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    redact.know("")
    redact.know("key")
    assert redact.text("the key is key") == "the key is key" and redact.value(["key"]) == ["key"]
    redact.know(PLAIN)
    for name, value in {"A": "key", "B": PLAIN, "C": f"Bearer {PLAIN}", "D": FORMS["hex"](PLAIN), "E": "kept"}.items():
        monkeypatch.setenv(f"ZZ_{name}", value)
    assert [name for name in redact.environment() if name.startswith("ZZ_")] == ["ZZ_E"]


def test_query_strings_and_headers() -> None:
    redact.know(KEY)
    for said in (f"GET /?key={quote_plus(KEY)}&b=1", f"Authorization: Bearer {KEY}", f"{{'k': {KEY!r}}}"):
        assert not holds_a_third(redact.text(said), KEY)


def test_it_costs_little() -> None:
    redact.know(PLAIN)
    event = {"goal": "count the words of every markdown file in docs", "inputs": {"text": "x y z " * 100, "n": 3}}
    times = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(200):
            redact.value(event)
        times.append((time.perf_counter() - started) / 200)
    assert min(times) < 0.0002  # s an event; 0.00001 measured

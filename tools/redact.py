"""Keys are kept out of all that is written: by their value, whole or cut, in every encoding a log could hold.

What enters a run passes here once (`Run.emit`), so that the record, the tree, prompts and arguments of tools hold no
key; what is printed, and what is written about a defect, passes here once more. A secret of fewer than 8 characters is
looked for nowhere but in the environment: it would be found in innocent words.
"""

from __future__ import annotations

import copy
import itertools
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

INSTEAD = "[redacted]"
_SHORTEST = 8  # characters of a secret
_CUT = 24  # characters from which a secret is found by half of it, where a log has cut it

_secrets: set[str] = set()
_signs: list[str] = []  # each is part of some form of a secret, and each form has one
_least = 0  # characters of the shortest sign


def know(secret: str) -> None:
    """Have a secret kept out of what is written from now on; an empty one is none."""
    global _least
    if not secret or secret in _secrets:
        return
    _secrets.add(secret)
    _forms.cache_clear()
    if len(secret) >= _SHORTEST:
        _signs.extend({piece for form in _encoded(secret) for piece in _pieces(form, secret)})
        _least = min(map(len, _signs))


def text(said: str) -> str:
    """`said` with every form of every known secret replaced."""
    return _forms().sub(INSTEAD, said) if _holds(said) else said


def value(given: Any) -> Any:
    """A value with all texts in it redacted; the same object where there is no secret in it."""
    if not _signs or not _somewhere(given):
        return given
    try:
        return _without(given)
    except RecursionError:
        return INSTEAD


def environment() -> dict[str, str]:
    """The variables for a process that is none of zooid's own: without those that hold a secret."""
    return {name: kept for name, kept in os.environ.items() if kept.strip() not in _secrets and not _holds(kept)}


def _holds(said: str) -> bool:
    return len(said) >= _least and any(sign in said for sign in _signs)


@cache
def _forms() -> re.Pattern[str]:
    """Matches whole forms before their halves."""
    forms = {form for one in _secrets if len(one) >= _SHORTEST for form in _encoded(one)}
    return re.compile("|".join(map(re.escape, sorted({*forms, *_signs}, key=len, reverse=True))))


def _somewhere(given: Any) -> bool:
    """Whether a secret is anywhere in a value. Without recursion: a value may be nested as deep as JSON can be."""
    waiting = [given]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if _holds(one):
                return True
        elif isinstance(one, dict):
            waiting += one
            waiting += one.values()
        elif isinstance(one, (list, tuple)):
            waiting += one
    return False


def _without(given: Any) -> Any:
    if isinstance(given, str):
        return text(given)
    if isinstance(given, dict):
        return {_without(name): _without(one) for name, one in given.items()}
    if isinstance(given, tuple):
        return tuple(_without(one) for one in given)
    if isinstance(given, list):  # a copy first: a list may know what its items are results of
        new = copy.copy(given)
        new[:] = [_without(one) for one in given]
        return new
    return given


# -- the forms of a secret

_EACH = ("%{:02X}", "%{:02x}", "{:02X}", "{:02x}", "{:02X} ", "{:02x} ", "{:02X}:", "{:02x}:", "\\x{:02x}", "\\x{:02X}",
         "\\u{:04x}", "\\u{:04X}", "&#{};", "&#x{:x};", "&#x{:X};", "={:02X}", "\\{:03o}", "{}, ", "{},", "{} ",
         "0x{:02x}, ")  # fmt: skip
"""How logs write a byte at a time."""


def _encoded(secret: str) -> Iterator[str]:
    import base64  # these only where there is a secret
    import html
    import json
    from urllib.parse import quote

    data, escaped, quoted = secret.encode("utf-8", "backslashreplace"), json.dumps(secret)[1:-1], quote(secret, safe="")
    yield from (secret, secret[::-1], secret.lower(), secret.upper())
    yield from (escaped, escaped.replace("/", "\\/"), repr(secret)[1:-1], html.escape(secret))
    yield from (quoted, re.sub("%..", lambda found: found[0].lower(), quoted))
    for form in _EACH:
        yield "".join(form.format(byte) for byte in data).rstrip(" :,")
    yield from ("\0".join(secret), " ".join(secret))  # two bytes a character, and spaced out
    yield "\\x00".join(repr(character)[1:-1] for character in secret)
    yield "\\u0000".join(json.dumps(character)[1:-1] for character in secret)
    for begins, text in itertools.product(range(3), (data, secret.encode("utf-16-le", "surrogatepass"))):
        coded = _aligned(base64.b64encode, text, begins, 6)
        yield from (coded, coded.replace("+", "-").replace("/", "_"))
    for begins in range(5):
        yield _aligned(base64.b32encode, data, begins, 5)


def _aligned(encode: Callable[[bytes], bytes], data: bytes, begins: int, bits: int) -> str:
    """The characters, of `bits` bits, that are the secret's alone where `begins` bytes of something stand before it."""
    coded = encode(bytes(begins) + data).decode()
    return coded[-(-begins * 8 // bits) : (begins + len(data)) * 8 // bits]


def _pieces(form: str, secret: str) -> tuple[str, ...]:
    """What a form is known by: either half, where the secret is so long that half of it is nothing else."""
    half = len(form) // 2
    return (form[:half], form[half:]) if len(secret) >= _CUT else (form,)

"""How many tokens a text has: by tiktoken where its tables are on this machine, estimated where they are not."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_TABLES = {  # encoding: SHA-256 of its table, which tiktoken fetches from the network where it is missing or damaged
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_CHUNK = 4096  # tiktoken takes time with the square of a run of letters
_SAMPLE = 32_768  # longer texts are estimated from this much of their beginning and end
_PIECE = re.compile(
    r"[A-Z]?[a-z]+|[A-Z]+|\d{1,3}|[\u3040-\u9fff\uac00-\ud7a3]|[^\W\d_]{1,2}|_+|[^\w\s]{1,2}|\n+|[ \t]{2,}"
)


def count(text: str, model: str = "") -> int:
    """The tokens of `text` for `model`. Never fails and never waits for a network."""
    encoding = _encoding(model)
    if encoding is None:
        return estimate(text)
    chunks = (text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK))
    return sum(len(encoding.encode(chunk, disallowed_special=())) for chunk in chunks)


@functools.lru_cache(maxsize=8)  # the fixed parts of a prompt come again with every call
def estimate(text: str) -> int:
    """A guess that rather errs upwards: a word of up to eight letters is one token, so is a pair of signs."""
    if len(text) > 2 * _SAMPLE:
        sample = text[:_SAMPLE] + text[-_SAMPLE:]
        return estimate(sample) * len(text) // len(sample) + 1
    return sum(1 + (len(piece) - 1) // 8 for piece in _PIECE.findall(text))


def trim(text: str, tokens: int, model: str = "") -> str:
    """`text`, or its beginning and end with a mark of what was left out, in at most `tokens` tokens."""
    return trimmed(text, tokens, functools.partial(count, model=model))


def trimmed(text: str, tokens: int, counter: Callable[[str], int]) -> str:
    """As `trim`, by a counter of one's own."""
    size = counter(text)
    keep = len(text)
    while size > tokens and keep > 0:
        keep = min(keep - 1, int(keep * tokens / size * 0.95))
        short = _cut(text, keep)
        size = counter(short)
    return text if keep == len(text) else _cut(text, keep) if keep > 0 else ""


def _cut(text: str, keep: int) -> str:
    """Two thirds of what is kept are the beginning: what a text is shows there."""
    head = max(0, keep) * 2 // 3
    tail = max(0, keep) - head
    return f"{text[:head]} …[{len(text) - head - tail:,} characters left out]… {text[len(text) - tail :]}"


@functools.lru_cache(maxsize=16)
def _encoding(model: str) -> Any:
    """tiktoken's encoding for a model; None where tiktoken does not know the model or would have to fetch its table."""
    try:
        import tiktoken

        name = tiktoken.encoding_name_for_model(model)
        return tiktoken.get_encoding(name) if _cached(name) else None
    except Exception:  # an estimate will do for whatever is wrong with tiktoken, its tables or their folder
        return None


def _cached(encoding: str) -> bool:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    wanted = _TABLES.get(encoding)
    if not folder or not wanted:
        return False
    table = Path(folder, hashlib.sha1(_ADDRESS.format(encoding).encode(), usedforsecurity=False).hexdigest())
    return table.is_file() and hashlib.sha256(table.read_bytes()).hexdigest() == wanted

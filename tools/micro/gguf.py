"""Checks a GGUF file before llama.cpp sees it: some damaged files make llama.cpp end the whole process.

Only the head is read (metadata and tensor infos), never the tensor data. What passes here can still be refused by
llama.cpp, in the ordinary way; what would make it abort is refused here.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tools.errors import ModelFileError

MOST_ENTRIES = 100_000
MOST_ITEMS = 16_000_000
MOST_BLOCKS = 512
LONGEST_NAME = 4096
TOKENS = "tokenizer.ggml.tokens"

# Value types of the metadata: their struct codes, by number. 8 is a string and 9 an array.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# Tensor types: how many values a block holds, and its bytes. A type that is not here is left to llama.cpp.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
}  # fmt: skip


@dataclass(frozen=True)
class Array:
    """An array of the metadata: how many values it has; the values are kept for the tokens only."""

    count: int
    texts: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Tensor:
    """What the file says of a tensor; the offset is in bytes from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def size(self) -> int | None:
        """Bytes, or None for a type that is not known here."""
        if self.kind not in _BLOCKS:
            return None
        values, size = _BLOCKS[self.kind]
        return math.prod(self.shape) // values * size


@dataclass(frozen=True)
class Head:
    """What stands before the tensor data of a GGUF file."""

    path: Path
    metadata: dict[str, Any]
    tensors: tuple[Tensor, ...]
    data_start: int
    size: int

    @property
    def architecture(self) -> str:
        return str(self.metadata["general.architecture"])


def check(path: Path) -> Head:
    """Reads and checks the head of a GGUF file; raises ModelFileError, naming what is wrong, where it is not sound."""
    head = read(path)
    for test in (_check_whole, _check_architecture, _check_numbers, _check_blocks, _check_vocabulary, _check_tensors):
        test(head)
    return head


def read(path: Path) -> Head:
    """Reads the head of a GGUF file, without judging what it says."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size < 24:
                _refuse(path, f"it has {size} bytes, too few for a GGUF file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data, size).head()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}); check its name and permissions") from error


def _refuse(path: Path, what: str) -> NoReturn:
    raise ModelFileError(f"{path}: {what}; copy or export the model again")


class _Reader:
    """Walks the head from its start; every length is checked against what is left of the file before it is believed."""

    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self.path, self.data, self.size, self.at = path, data, size, 0

    def head(self) -> Head:
        if self.data[:4] != b"GGUF":
            _refuse(self.path, "it is no GGUF file (it does not start with the letters GGUF)")
        self.at = 4
        version = self.number("I")
        if version not in (2, 3):
            _refuse(self.path, f"its GGUF version is {version}, and only 2 and 3 can be read")
        tensors, entries = self.count("tensors", MOST_ENTRIES), self.count("metadata entries", MOST_ENTRIES)
        metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = self.string()
            metadata[key] = self.value(self.number("I"), keep=key == TOKENS)
        infos = tuple(self.tensor() for _ in range(tensors))
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1):
            _refuse(self.path, f"its alignment is {alignment}, which is no power of two from 8 up")
        return Head(self.path, metadata, infos, -(-self.at // alignment) * alignment, self.size)

    def take(self, count: int) -> int:
        """Steps over `count` bytes and says where they start."""
        start = self.at
        if count < 0 or start + count > self.size:
            _refuse(self.path, f"it is cut short: the head asks for {count} bytes at {start}, the file has {self.size}")
        self.at = start + count
        return start

    def raw(self, count: int) -> bytes:
        start = self.take(count)
        return self.data[start : start + count]

    def number(self, code: str) -> Any:
        return struct.unpack_from("<" + code, self.data, self.take(struct.calcsize("<" + code)))[0]

    def count(self, what: str, most: int) -> int:
        count = int(self.number("Q"))
        if count > most:
            _refuse(self.path, f"it claims {count} {what}, more than the {most} that can be right")
        return count

    def string(self) -> str:
        length = int(self.number("Q"))
        start = self.take(length)
        if length > LONGEST_NAME:
            return ""  # a chat template or a licence: long, and not needed here
        return self.data[start : start + length].decode("utf-8", errors="replace")

    def value(self, kind: int, keep: bool = False) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            _refuse(self.path, f"its metadata holds a value of the unknown type {kind}")
        return self.array(keep)

    def array(self, keep: bool) -> Array:
        inner, count = self.number("I"), self.count("values in an array", MOST_ITEMS)
        if inner in _SCALARS:
            self.take(struct.calcsize("<" + _SCALARS[inner]) * count)
        elif inner == _STRING:
            texts = [self.raw(int(self.number("Q"))) for _ in range(count)]
            return Array(count, tuple(texts) if keep else ())
        else:
            _refuse(self.path, f"its metadata holds an array of the type {inner}, which is not allowed")
        return Array(count)

    def tensor(self) -> Tensor:
        name, sides = self.string(), int(self.number("I"))
        if not 1 <= sides <= 4:
            _refuse(self.path, f"its tensor {name!r} has {sides} dimensions, not 1 to 4")
        shape = tuple(int(self.number("Q")) for _ in range(sides))
        return Tensor(name, shape, int(self.number("I")), int(self.number("Q")))


def _check_whole(head: Head) -> None:
    """A worker may read one file, and the others of a model would be checked by nobody."""
    count = head.metadata.get("split.count", 1)
    if count != 1:
        way = "join them first: llama-gguf-split --merge FIRST.gguf WHOLE.gguf"
        raise ModelFileError(f"{head.path}: it is one of {count} files of a model; {way}")


def _check_architecture(head: Head) -> None:
    architecture = head.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        _refuse(head.path, "it does not say its architecture (general.architecture)")


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and least <= value <= most


def _positive(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and 0 < value < 1e9


# What a key must hold, by its name without the architecture; a key that is not there is left to llama.cpp.
_BOUNDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "block_count": (_whole(1, MOST_BLOCKS), f"a whole number from 1 to {MOST_BLOCKS}"),
    "context_length": (_whole(1, 1 << 30), "a whole number from 1 up"),
    "embedding_length": (_whole(1, 1 << 20), "a whole number from 1 up"),
    "attention.layer_norm_rms_epsilon": (_positive, "a small number above 0"),
    "attention.layer_norm_epsilon": (_positive, "a small number above 0"),
    "rope.freq_base": (_positive, "a number above 0"),
}


def _check_numbers(head: Head) -> None:
    if "tokenizer.ggml.model" in head.metadata and f"{head.architecture}.block_count" not in head.metadata:
        _refuse(head.path, f"it does not say {head.architecture}.block_count")
    for name, (fits, wanted) in _BOUNDS.items():
        key = f"{head.architecture}.{name}"
        if key in head.metadata and not fits(head.metadata[key]):
            _refuse(head.path, f"its {key} is {head.metadata[key]}, not {wanted}")
    for key, value in head.metadata.items():
        if isinstance(value, float) and math.isnan(value):
            _refuse(head.path, f"its {key} is no number (NaN)")
    for name in ("attention.head_count", "feed_forward_length"):
        if head.architecture == "llama" and head.metadata.get(f"llama.{name}", 1) == 0:
            _refuse(head.path, f"its llama.{name} is 0")


def _check_blocks(head: Head) -> None:
    """The blocks that the metadata counts and those whose tensors are there must be the same."""
    found = {int(m[1]) for t in head.tensors if (m := re.search(r"(?:^|\.)blk\.(\d+)\.", t.name))}
    count = head.metadata.get(f"{head.architecture}.block_count")
    if found and isinstance(count, int) and found != set(range(count)):
        held = f"but it holds the tensors of {len(found)} blocks"
        _refuse(head.path, f"its {head.architecture}.block_count is {count}, {held}")


def _check_vocabulary(head: Head) -> None:
    prefix = "tokenizer.ggml."
    tokens = head.metadata.get(TOKENS)
    if not isinstance(tokens, Array) or head.metadata.get(f"{prefix}model") in (None, "none", "no_vocab"):
        _refuse(head.path, "it holds no tokenizer")
    _check_tokens(head, [text for text in tokens.texts if text])
    for name in ("scores", "token_type"):
        other = head.metadata.get(prefix + name)
        if isinstance(other, Array) and other.count != tokens.count:
            _refuse(head.path, f"its {prefix}{name} has {other.count} entries for {tokens.count} tokens")
    for name in ("bos_token_id", "eos_token_id", "unknown_token_id"):
        token = head.metadata.get(prefix + name)
        # llama.cpp takes the largest unsigned number for "there is none"
        if isinstance(token, int) and tokens.count <= token < 0xFFFFFFFF:
            _refuse(head.path, f"its {prefix}{name} is {token}, and it has {tokens.count} tokens")


def _check_tokens(head: Head, texts: list[bytes]) -> None:
    """llama.cpp ends the process on a token that is there twice, and, with its `llama` tokenizer, on a missing byte."""
    known = set(texts)
    if len(known) < len(texts):
        _refuse(head.path, f"its {TOKENS} has the same token twice")
    if head.metadata.get("tokenizer.ggml.model") == "llama":
        missing = [n for n in range(256) if b"<0x%02X>" % n not in known and bytes((n,)) not in known]
        if missing:
            _refuse(head.path, f"its {TOKENS} lacks the token of the byte {missing[0]}")


def _check_tensors(head: Head) -> None:
    if not head.tensors:
        _refuse(head.path, "it holds no tensors")
    end = 0
    for tensor in sorted(head.tensors, key=lambda t: t.offset):
        if any(side < 1 or side > 1 << 32 for side in tensor.shape):
            _refuse(head.path, f"its tensor {tensor.name!r} has the impossible shape {list(tensor.shape)}")
        if tensor.kind in _BLOCKS and tensor.shape[0] % _BLOCKS[tensor.kind][0]:
            _refuse(head.path, f"its tensor {tensor.name!r} does not fill whole blocks of its type")
        if tensor.offset < end:
            _refuse(head.path, f"its tensor {tensor.name!r} overlaps the one before it")
        end = tensor.offset + (tensor.size or 0)
        if head.data_start + end > head.size:
            short = head.data_start + end - head.size
            _refuse(head.path, f"it is cut short: the tensor {tensor.name!r} ends {short} bytes after the file")

"""What goes between zooid and a worker, both ways: frames of JSON, so that neither side can be sent anything but data.

A frame is its length in 4 bytes, then its content.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import typing
from pathlib import Path
from typing import Any, TypeVar

from tools.errors import ArgumentError, ModelFileError, ToolError

T = TypeVar("T")
_LENGTH = struct.Struct("<I")
_ERRORS: dict[str, type[ToolError]] = {error.__name__: error for error in (ToolError, ArgumentError, ModelFileError)}


def frame(content: Any) -> bytes:
    """A frame with this content."""
    data = json.dumps(content).encode()
    return _LENGTH.pack(len(data)) + data


def take(data: bytearray) -> list[Any]:
    """Takes the whole frames from the front of what was received; raises ValueError for one that is no JSON."""
    found, at = [], 0
    while len(data) - at >= _LENGTH.size:
        end = at + _LENGTH.size + _LENGTH.unpack_from(data, at)[0]
        if end > len(data):
            break
        found.append(json.loads(data[at + _LENGTH.size : end]))
        at = end
    del data[:at]
    return found


def from_error(error: Exception) -> dict[str, str]:
    if isinstance(error, ToolError):
        return {"error": str(error), "kind": type(error).__name__}
    return {"error": f"{type(error).__name__}: {error}", "kind": "ToolError"}


def to_error(content: dict[str, str]) -> ToolError:
    return _ERRORS.get(content["kind"], ToolError)(content["error"])


def pack(value: Any) -> Any:
    """A dataclass as JSON can hold it; paths are made absolute."""
    return json.loads(json.dumps(dataclasses.asdict(value), default=lambda path: str(path.absolute())))


def unpack(kind: type[T], content: Any) -> T:
    """The dataclass that `pack` was given."""
    hints = typing.get_type_hints(kind)
    return kind(**{name: _unpacked(hints[name], value) for name, value in content.items()})


def _unpacked(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return unpack(typing.cast(type[Any], kind), value)
    if typing.get_origin(kind) is tuple:
        return tuple(_unpacked(typing.get_args(kind)[0], each) for each in value)
    return Path(value) if kind is Path else value

"""The policy of a run: which calls are allowed, asked about, or refused. It judges effects, arguments and origins.

Nothing is decided by the words of an argument. What an approval is given for is the exact call: see `call_hash`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.approve import unasked
from agent.provenance import Marks, has_words, worst
from tools import workspace
from tools.errors import ToolError
from tools.registry import Tool

Verdict = Literal["allow", "ask", "refuse"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is judged: what would be called, what it may replace, and where all of it came from."""

    tool: Tool
    args: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)  # by path, a hash of the content
    origins: Mapping[str, Marks] = field(default_factory=dict)  # of the arguments
    origin: str = "program"  # of the plan that holds it


def before(tool: Tool, args: dict[str, Any]) -> dict[str, str]:
    """The files that a call with an effect may replace, each with a hash of its content; see `_has_power` too."""
    if tool.effect in ("none", "read"):
        return {}
    args = {p.name: p.default for p in tool.params if p.default is not None} | args  # a default may name a file too
    found = {path: workspace.inside(path) for path in tool.paths(args)}
    return {path: _content_hash(full) for path, full in found.items() if full.exists() or _has_power(full)}


_POWERFUL = frozenset({".git", ".zooid"})


def _has_power(path: Path) -> bool:
    """Whether a file, also a new one, says what programs do that others start: git's, and zooid's own."""
    return not _POWERFUL.isdisjoint(part.lower() for part in path.relative_to(workspace.root()).parts)


def call_hash(tool: Tool, args: dict[str, Any], files: dict[str, str]) -> str:
    """The identity of an exact call: the tool and its code, its arguments, and the content it would replace."""
    text = json.dumps([tool.name, tool.version, args, files], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def judge(call: Call, approve: str) -> tuple[Verdict, str]:
    """Whether a call may be made, and what speaks against it where that is more than its effect.

    Reading and writing new files is allowed (under `read` only reading); replacing files, the network and programs are
    for a person to allow. What others wrote may steer no effect, whatever is allowed: that is always asked.
    """
    effect = call.tool.effect
    if effect in ("none", "read"):
        return "allow", ""
    if why := steered(call):
        return _verdict(_STEERED, approve), why
    says_where = any(_has_format(p.schema, _PATHS) for p in call.tool.params)
    if effect == "write" and says_where and not call.files and approve != "read":
        return "allow", ""
    return _verdict(_effects(call), approve), ""


def _effects(call: Call) -> frozenset[str]:
    """What a call may touch: the effect of its tool, and the network where its arguments have it use that as well."""
    given = {p.name: p.default for p in call.tool.params} | call.args
    wants = any(given.get(name) for name in call.tool.about.network or ())
    return frozenset({call.tool.effect, *(("network",) if wants else ())})


def judge_command(origin: str, approve: str) -> tuple[Verdict, str]:
    """The same for the program that a check runs; `origin` is that of the plan that holds it."""
    if origin == "outside":
        return _verdict(_STEERED, approve), "; it was planned after text from outside was read"
    return _verdict(frozenset({"execute"}), approve), ""


_STEERED = frozenset({"steered"})  # which no policy lets go on unasked


def _verdict(effects: frozenset[str], approve: str) -> Verdict:
    if effects <= unasked(approve):
        return "allow"
    return "refuse" if approve in ("never", "read") else "ask"


def steered(call: Call) -> str:
    """Why words from outside may have a hand in where a call's effect goes; empty where they have none.

    They may fill what a destination is given, but a message that is sent on in the person's name is more than that.
    """
    if call.origin == "outside":
        return "it was planned after text from outside was read"
    given = {p.name: p.default for p in call.tool.params if p.default is not None} | call.args
    ends = destinations(call.tool)
    for name in ends:
        if worst(call.origins.get(name, "program")) == "outside" and not _empty(given.get(name)):
            return f"its {name} comes from outside"
    sends = call.tool.effect == "network" and (not ends or any(not _empty(given.get(name)) for name in ends))
    for name in call.args if sends else ():
        if has_words(call.args[name], call.origins.get(name, "program"), ("outside",)):
            return f"its {name} holds text from outside"
    return ""


def destinations(tool: Tool) -> list[str]:
    """The parameters that say where a tool's effect goes: those that it declares, and those whose format says so.

    Of a tool that declares none, every parameter that can hold text may be one; a writer's paths speak for themselves.
    """
    by_format = [p.name for p in tool.params if _has_format(p.schema, _ADDRESSES)]
    declared = tool.about.destinations
    if declared is not None:
        return [p.name for p in tool.params if p.name in declared or p.name in by_format]
    if tool.effect == "write" and by_format:
        return by_format
    return [p.name for p in tool.params if _holds_text(p.schema)]


_PATHS = frozenset({"path"})
_ADDRESSES = _PATHS | frozenset({"uri", "uri-reference", "iri", "email", "idn-email", "hostname", "ipv4", "ipv6"})


def _has_format(schema: Any, formats: frozenset[str]) -> bool:
    """Whether a schema, or one inside it, has one of these formats."""
    if isinstance(schema, dict):
        return schema.get("format") in formats or any(_has_format(one, formats) for one in schema.values())
    return isinstance(schema, list) and any(_has_format(one, formats) for one in schema)


def _holds_text(schema: dict[str, Any]) -> bool:
    if "enum" in schema or "const" in schema:
        return False
    if "anyOf" in schema:
        return any(_holds_text(one) for one in schema["anyOf"])
    dated = schema.get("format") in ("date", "date-time")
    return not dated and schema.get("type") not in ("integer", "number", "boolean", "null")


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def question(call: Call, why: str = "") -> str:
    """What a person is asked before a call."""
    shown = ", ".join(f"{name}={short(value)}" for name, value in call.args.items())
    what = f"call a tool that may {' and '.join(_MAY[effect] for effect in sorted(_effects(call)))}"
    if call.files and call.tool.effect == "write":
        what = f"replace {' and '.join(call.files)}"
    return f"{what}: {call.tool.name}({shown})" + (f"; {why}" if why else "")


_MAY = {"write": "write files", "network": "use the network", "execute": "run programs"}


def short(value: Any, width: int = 60) -> str:
    """An argument as a question shows it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= width else text[: width - 1] + "…"


def _content_hash(path: Path) -> str:
    if not path.is_file():
        return "folder" if path.is_dir() else "special"  # a pipe has no content to wait for
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise ToolError(f"{workspace.shown(path)} cannot be read: {error.strerror}") from error

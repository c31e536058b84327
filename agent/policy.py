"""The policy of a run: which calls are allowed, asked about, or refused. It judges effects and arguments, not words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from tools import workspace
from tools.errors import ToolError
from tools.registry import Tool

Approve = Literal["ask", "auto", "never"]
Verdict = Literal["allow", "ask", "refuse"]


def before(tool: Tool, args: dict[str, Any]) -> dict[str, str]:
    """The files that a call with an effect may replace, each with a hash of its content."""
    if tool.effect in ("none", "read"):
        return {}
    args = {p.name: p.default for p in tool.params if p.default is not None} | args  # a default may name a file too
    found = {path: workspace.inside(path) for path in tool.paths(args)}
    return {path: _content_hash(full) for path, full in found.items() if full.exists()}


def call_hash(tool: Tool, args: dict[str, Any], files: dict[str, str]) -> str:
    """The identity of an exact call: the tool, its arguments, and the content it would replace."""
    text = json.dumps([tool.name, args, files], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def judge(tool: Tool, files: dict[str, str], approve: Approve) -> Verdict:
    """Reading and writing new files is allowed; replacing files, the network and programs are for a person to allow."""
    if tool.effect in ("none", "read"):
        return "allow"
    if tool.effect == "write" and not files and any(p.schema.get("format") == "path" for p in tool.params):
        return "allow"
    return {"ask": "ask", "auto": "allow", "never": "refuse"}[approve]  # type: ignore[return-value]


def question(tool: Tool, args: dict[str, Any], files: dict[str, str]) -> str:
    """What a person is asked before a call."""
    shown = ", ".join(f"{name}={_short(value)}" for name, value in args.items())
    what = f"call a tool that may {_MAY[tool.effect]}"
    if files and tool.effect == "write":
        what = f"replace {' and '.join(files)}"
    return f"{what}: {tool.name}({shown})"


_MAY = {"write": "write files", "network": "use the network", "execute": "run programs"}


def _short(value: Any, width: int = 60) -> str:
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

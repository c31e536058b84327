"""Requests that are worded as one before, but for the values in them, and what a tool is then called with.

Nothing is guessed: a request that says more than the known wording, or a value of another kind, is no match.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent import plan
from agent.errors import UnsoundPlan
from agent.examples import PERSON, Known
from tools import workspace
from tools.errors import ToolError
from tools.registry import Tool

_SUPPORT = 2  # runs in which a wording must have passed; a person's word is enough alone
_END = " \t\n.!?"  # that a wording may end with or not
_SLOT = re.compile(r"\{(\w+)\}")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
_PATH = re.compile(r"(?<![\w./-])(?:\.{0,2}/)?[\w-][\w.-]*(?:/[\w.-]*)+|(?<![\w./-])[\w-][\w.-]*\.[a-z]\w{0,4}\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w]|\.\d)")

# What a value of the record may be replaced by: something of the same kind.
_KINDS = (
    (_NUMBER, r"-?\d+(?:\.\d+)?"),
    (re.compile(r"[\d\s.+*/()^%-]*\d[\d\s.+*/()^%-]*"), r"[\d\s.+*/()^%-]*\d[\d\s.+*/()^%-]*?"),
    (re.compile(r"[\w-]+"), r"[\w-]+"),
    (re.compile(r"[^\s\"'“”`]*[./][^\s\"'“”`]*\w"), r"[^\s\"'“”`]*[./][^\s\"'“”`]*\w"),
)


@dataclass(frozen=True, slots=True)
class Wording:
    """A known wording: its text with the values left out, the tool, and the arguments with the values' places."""

    pattern: re.Pattern[str]
    intent: str
    args: dict[str, Any] | None
    kinds: tuple[type, ...] = ()
    support: int = 1


class Phrases:
    """The known wordings, found by one of their words."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._by_word: dict[str, list[Known]] = defaultdict(list)
        self._made: dict[int, Wording | None] = {}
        for one in known:
            self._by_word[_anchor(one)].append(one)

    def find(self, text: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None] | None:
        """The tool that this wording means, with its arguments where they are known; None where nothing is sure.

        An empty name says that no single tool does it. Wordings that mean different things make nothing sure.
        """
        found: list[tuple[str, dict[str, Any] | None]] = []
        support: dict[str, int] = defaultdict(int)
        for wording in self._near(text):
            match = wording.pattern.fullmatch(text)
            bound = _bound(wording, match, inputs) if match else None
            if bound:
                found.append(bound)
                support[wording.intent] += wording.support
        calls = [call for call in found if call[1] is not None] or found
        agreed = bool(calls) and all(call == calls[0] for call in calls) and len(support) == 1
        return calls[0] if agreed and support[calls[0][0]] >= _SUPPORT else None

    def _near(self, text: str) -> Iterator[Wording]:
        for word in dict.fromkeys(_words(text)):
            for one in self._by_word.get(word, ()):
                if id(one) not in self._made:
                    self._made[id(one)] = _wording(one)
                wording = self._made[id(one)]
                if wording is not None:
                    yield wording


def _words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[^\W\d_]+", text)]


def _anchor(known: Known) -> str:
    """A word that every text of this wording has."""
    values = " ".join(str(value) for value in (known.args or {}).values())
    words = _words(_SLOT.sub(" ", known.text) if known.source == PERSON else known.text)
    return max((word for word in words if word not in _words(values)), key=len, default="")


def _wording(known: Known) -> Wording | None:
    """A known text as a wording; None where it has a value that nothing of its kind could safely replace."""
    support = _SUPPORT if known.source == PERSON else max(1, len(known.runs))
    if known.source == PERSON:
        names = _SLOT.findall(known.text)
        parts = _SLOT.split(known.text.strip().rstrip(_END))[::2]
        text = r"(\S(?:.*?\S)?)".join(map(_literal, parts))
        args = {name: f"\0{n}" for n, name in enumerate(names)}
        return Wording(_whole(text), known.intent, args or None, (str,) * len(names), support)
    return _from_call(known, support)


def _from_call(known: Known, support: int) -> Wording | None:
    """A wording out of a call that passed: the values that its text names have their places."""
    places: list[tuple[int, int, str]] = []
    args: dict[str, Any] | None = dict(known.args) if known.args is not None else None
    kinds: list[type] = []
    for name, value in (known.args or {}).items():
        if value is None or isinstance(value, bool) or plan.names(value):
            continue
        spots = [found.span() for found in re.finditer(rf"(?<!\w){re.escape(str(value))}(?!\w)", known.text)]
        kind = _kind(known.text, spots[0], str(value)) if len(spots) == 1 else None
        if kind is None or not isinstance(value, str | int | float):
            return None  # a value that the text does not name may have been right on that day alone
        places.append((*spots[0], kind))
        assert args is not None
        args[name] = f"\0{len(kinds)}"
        kinds.append(type(value))
    return _laid_out(known, places, args, kinds, support)


def _laid_out(
    known: Known, places: list[tuple[int, int, str]], args: dict[str, Any] | None, kinds: list[type], support: int
) -> Wording | None:
    text, end = "", 0
    for n, (start, stop, kind) in sorted(enumerate(places), key=lambda place: place[1][0]):
        if start < end:
            return None  # two values share their words
        text += _literal(known.text[end:start]) + f"(?P<v{n}>{kind})"
        end = stop
    return Wording(_whole(text + _literal(known.text[end:].rstrip(_END))), known.intent, args, tuple(kinds), support)


def _kind(text: str, span: tuple[int, int], value: str) -> str | None:
    """What may stand in a value's place: the text between quotes, or else a value of the same kind."""
    before, after = text[: span[0]][-1:], text[span[1] :][:1]
    if before and before + after in ('""', "''", "``", "“”"):
        return f"[^{after}]+"
    return next((new for old, new in _KINDS if old.fullmatch(value)), None)


def _literal(text: str) -> str:
    """A piece of a wording as a pattern, whatever white space is in it."""
    return r"\s+".join(re.escape(part) for part in re.split(r"\s+", text))


def _whole(text: str) -> re.Pattern[str]:
    return re.compile(rf"\s*(?:please\s+)?{text}[\s.!?]*", re.IGNORECASE)


def _bound(
    wording: Wording, match: re.Match[str], inputs: Mapping[str, Any]
) -> tuple[str, dict[str, Any] | None] | None:
    """The tool with its arguments; None where the task has inputs that the wording says nothing of, or lacks some."""
    if wording.args is None:
        return wording.intent, None
    if plan.names(wording.args) != set(inputs):
        return None
    groups = match.groupdict() or {f"v{n}": group for n, group in enumerate(match.groups())}
    try:
        values = [_as(kind, groups[f"v{n}"]) for n, kind in enumerate(wording.kinds)]
        bound = plan.bind({n: v for n, v in wording.args.items() if not _place(v)}, inputs)
    except (ValueError, UnsoundPlan):
        return None
    return wording.intent, bound | {n: values[int(v[1:])] for n, v in wording.args.items() if _place(v)}


def _place(value: Any) -> bool:
    return isinstance(value, str) and value[:1] == "\0"


def _as(kind: type, text: str) -> Any:
    """A value of the request with the type of the one that was in its place."""
    return text if kind is str else kind(text)


# -- a call from a request alone


def fill(tool: Tool, text: str, inputs: Mapping[str, Any], exact: bool) -> dict[str, Any] | None:
    """The arguments of a tool, where the request leaves no choice: one parameter and one value that fits it, or none.

    The value is the task's one input, or what the text has in quotes, or a file that is there, or a number. A request
    that names more than the tool would be given is left to a planner. So is a tool with optional parameters, of which
    the request may say something, unless its wording is an exact one.
    """
    params = [param for param in tool.params if param.required or not exact]
    offers = [*inputs.items(), *said(text)]
    if len(offers) != len(params) or len(offers) > 1 or not all(param.required for param in params):
        return None
    pairs = list(zip(params, offers, strict=True))
    if any(not _suits(param.schema, kind) for param, (kind, _) in pairs):
        return None
    args = {param.name: value for param, (_, value) in pairs}
    try:
        fitted = tool.fit(args)
        there = all(workspace.inside(path).exists() for path in tool.paths(fitted))
    except ToolError:
        return None
    return fitted if there else None


def said(text: str) -> list[tuple[str, Any]]:
    """The values that a text names, each with its kind: `text` in quotes, `path`, `number`."""
    found: list[tuple[str, Any]] = [("text", next(filter(None, m.groups()))) for m in _QUOTED.finditer(text)]
    text = _QUOTED.sub(" ", text)
    found += [("path", m[0]) for m in _PATH.finditer(text)]
    text = _PATH.sub(" ", text)
    return found + [("number", float(m[0]) if "." in m[0] else int(m[0])) for m in _NUMBER.finditer(text)]


def _suits(schema: Mapping[str, Any], kind: str) -> bool:
    """Whether a value of this kind may be meant by a parameter; an input's kind is its name, and it may be any."""
    wanted = schema.get("type")
    if schema.get("format") == "path":
        return kind in ("path", "text")
    if kind in ("path", "number"):
        return kind == "number" and wanted in ("number", "integer")
    return wanted == "string" and "format" not in schema

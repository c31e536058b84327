"""A plain typed Python function as a tool: what its signature and docstring say, and how it is called."""

from __future__ import annotations

import datetime
import functools
import inspect
import math
import re
import typing
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from tools import schema, workspace
from tools.errors import ToolError
from tools.schema import Schema

Effect = Literal["none", "read", "write", "network", "execute"]
EFFECTS: tuple[str, ...] = typing.get_args(Effect)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a tool."""

    name: str
    schema: Schema
    required: bool = True
    default: Any = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """All that a planner needs to know of a tool; plain data, so that it can cross a process border."""

    name: str
    summary: str
    doc: str
    params: tuple[Param, ...]
    returns: Schema
    effect: Effect = "none"
    asked_as: tuple[str, ...] = field(default=())
    destinations: tuple[str, ...] | None = None  # the parameters that say where its effect goes; None: not declared
    outside: tuple[str, ...] | None = None  # the fields of its result that anybody may have written; `*` is all of it
    names: tuple[str, ...] | None = None  # those that hold names which others chose and this tool lists
    network: tuple[str, ...] | None = None  # the parameters that have it use the network as well, where they are given


def describe(function: Callable[..., Any]) -> Description:
    """What a function says of itself; raises TypeError where a type or the docstring is missing."""
    doc = inspect.getdoc(function)
    if not doc:
        raise TypeError("it has no docstring; say in one line what it does")
    hints = typing.get_type_hints(function)
    if "return" not in hints:
        raise TypeError("it does not say what it returns; annotate it, such as `-> str`")
    docs = _section_entries(doc, "Args")
    params = tuple(_param(p, hints, docs) for p in inspect.signature(function).parameters.values())
    phrases = tuple(part.strip(" .") for part in _labelled(doc, "Asked as").split(";") if part.strip(" ."))
    summary = " ".join(doc.split("\n\n")[0].split())
    returns = schema.of(hints["return"])
    about = Description(function.__name__, summary, doc, params, returns, asked_as=phrases)
    return declarations(about, doc)


def declarations(about: Description, doc: str) -> Description:
    """A description with what the lines of a docstring declare of its effect; raises TypeError where they cannot be."""
    effect = _labelled(doc, "Effect") or "none"
    if effect not in EFFECTS:
        raise TypeError(f"its effect is {effect!r}, not one of {', '.join(EFFECTS)}")
    params = [p.name for p in about.params]
    return replace(
        about,
        effect=typing.cast(Effect, effect),
        destinations=_declared(doc, "Destinations", params),
        outside=_declared(doc, "Outside"),
        names=_declared(doc, "Names"),
        network=_declared(doc, "Network", params),
    )


def _declared(doc: str, label: str, known: Collection[str] | None = None) -> tuple[str, ...] | None:
    """The names after `Label:` in a docstring: none for `nothing`, `*` for `everything`; None where it is not there."""
    text = _labelled(doc, label).strip(" .")
    names = tuple(name.strip(" `") for name in text.split(",") if name.strip(" `"))
    if names in (("nothing",), ("everything",)):
        return () if names == ("nothing",) else tuple(known) if known is not None else ("*",)
    if unknown := [name for name in names if known is not None and name not in known]:
        raise TypeError(f"it says {label}: {unknown[0]}, which is none of its parameters")
    return names or None


def _param(parameter: inspect.Parameter, hints: dict[str, Any], about: dict[str, str]) -> Param:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise TypeError(f"its parameter *{name} has no fixed shape; name each parameter")
    if name not in hints:
        raise TypeError(f"its parameter {name!r} has no type; annotate it, such as `{name}: str`")
    required = parameter.default is parameter.empty
    default = None if required else _jsonable(parameter.default)
    return Param(name, schema.of(hints[name]), required, default, about.get(name, ""))


def _labelled(doc: str, label: str) -> str:
    """The text of a `Label: …` line of a docstring, with the indented lines that continue it."""
    found = re.search(rf"^{label}:[ \t]*(.*(?:\n[ \t]+\S.*)*)", doc, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def _section_entries(doc: str, label: str) -> dict[str, str]:
    """The `name: text` entries of an indented section of a docstring."""
    found = re.search(rf"^{label}:[ \t]*\n((?:[ \t]+\S.*\n?)+)", doc, re.MULTILINE)
    entries = re.findall(r"^\s+(\w+)(?: \([^)]*\))?:[ \t]*(.+)$", found[1], re.MULTILINE) if found else []
    return dict(entries)


def invoke(function: Callable[..., Any], args: dict[str, Any]) -> Any:
    """Call a function with JSON values, converted to what it is annotated with; its result as a JSON value.

    Paths arrive absolute and inside the workspace. Raises ToolError where an argument or the result does not fit.
    """
    hints = _hints(function)
    typed = {name: _typed(value, hints[name], name) for name, value in args.items()}
    result = _jsonable(function(**typed))
    return schema.fit(result, schema.of(hints["return"]), f"the result of {function.__name__}")


_hints = functools.lru_cache(maxsize=1024)(typing.get_type_hints)  # which takes longer than many a tool


def _typed(value: Any, annotation: Any, name: str) -> Any:
    value = schema.fit(value, schema.of(annotation), name)
    if annotation is Path:
        return workspace.inside(value)
    if annotation in (str, int, bool, Any, list, dict) or annotation == list[str] or value is None:
        return value
    if annotation is float:
        return float(value)
    if annotation is datetime.date:
        return datetime.date.fromisoformat(value)
    if annotation == list[Path]:
        return [workspace.inside(item) for item in value]
    return _by_pydantic(value, annotation, name)


def _by_pydantic(value: Any, annotation: Any, name: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        raise ToolError(f"{name} does not fit: {error.errors()[0]['msg']}") from error


def _jsonable(value: Any) -> Any:
    """A function's result as JSON can hold it; raises ToolError where it cannot."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        return _number(float(value))
    if isinstance(value, Path):
        return workspace.shown(value)
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_jsonable(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _jsonable(asdict(value))
    dump = getattr(value, "model_dump", None)
    if dump:
        return dump(mode="json")
    raise ToolError(f"it returned a {type(value).__name__}, which cannot be kept; return text, numbers or lists")


def _number(value: float) -> int | float:
    if not math.isfinite(value):
        raise ToolError(f"the result is {value}, not a number that can be written down")
    return value

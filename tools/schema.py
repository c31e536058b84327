"""Types as JSON schemas, and values made to fit them: how a tool's annotations become something a plan is held to."""

from __future__ import annotations

import collections.abc
import datetime
import json
import math
import types
import typing
from pathlib import Path
from typing import Any, Literal, Union

from tools.errors import ArgumentError

Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    Any: {},
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    types.NoneType: {"type": "null"},
    Path: {"type": "string", "format": "path"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    list: {"type": "array"},
    dict: {"type": "object"},
}


def of(annotation: Any) -> Schema:
    """The JSON schema of a Python annotation; raises TypeError where it has none."""
    if annotation in _PLAIN:
        return dict(_PLAIN[annotation])
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [of(arg) for arg in args]}
    if origin in (list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable):
        return {"type": "array", "items": of(args[0])}
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": of(args[0])}
    if origin in (dict, collections.abc.Mapping):
        return {"type": "object", "additionalProperties": of(args[1])}
    return _by_pydantic(annotation)


def _by_pydantic(annotation: Any) -> Schema:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(annotation).json_schema()
    except PydanticUserError as error:
        raise TypeError(f"the type {annotation!r} has no JSON schema") from error


def shown(schema: Schema) -> str:
    """A schema as a short type: `str`, `list[int]`, `'a' | 'b'`."""
    if "enum" in schema:
        return " | ".join(repr(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(shown(option) for option in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"list[{shown(schema.get('items', {}))}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"dict[str, {shown(inner)}]" if isinstance(inner, dict) else "dict"
    if schema.get("format") in ("path", "date"):
        return str(schema["format"])
    names = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
    return names.get(str(kind), "any")


def fit(value: Any, schema: Schema, name: str = "value") -> Any:
    """`value` as `schema` wants it, converted where nothing is lost (text of a number, lines of a text).

    Raises ArgumentError, naming `name`, where it does not fit.
    """
    if "anyOf" in schema:
        return _fit_any(value, schema["anyOf"], name)
    if "enum" in schema:
        return _fit_enum(value, schema["enum"], name)
    fitter = _FITTERS.get(str(schema.get("type")))
    fitted = fitter(value, schema, name) if fitter else value
    if fitted is _MISFIT:
        raise ArgumentError(f"{name} must be {shown(schema)}, not {_preview(value)}")
    return fitted


_MISFIT = object()


def _fit_any(value: Any, options: list[Schema], name: str) -> Any:
    for option in options:  # a value that is of one of the types already is left as it is
        if matches(value, option):
            return fit(value, option, name)
    for option in options:
        try:
            return fit(value, option, name)
        except ArgumentError:
            continue
    raise ArgumentError(f"{name} must be {shown({'anyOf': options})}, not {_preview(value)}")


def _fit_enum(value: Any, options: list[Any], name: str) -> Any:
    for option in options:
        if value == option or (isinstance(value, str) and str(option).lower() == value.strip().lower()):
            return option
    raise ArgumentError(f"{name} must be one of {', '.join(map(repr, options))}, not {_preview(value)}")


_PYTHON: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": types.NoneType,
}


def matches(value: Any, schema: Schema) -> bool:
    """Whether `value` is of the type that `schema` names, before any conversion."""
    if "anyOf" in schema:
        return any(matches(value, option) for option in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    python = _PYTHON.get(str(schema.get("type")), object)
    return isinstance(value, python) and (not isinstance(value, bool) or schema.get("type") in ("boolean", None))


def formatted(value: Any, schema: Schema, format: str) -> list[str]:
    """The texts in a value that its schema gives this format."""
    if isinstance(value, str):
        options = [schema, *schema.get("anyOf", ())]
        return [value] if any(option.get("format") == format for option in options) else []
    inner = [option for option in (schema, *schema.get("anyOf", ())) if matches(value, option)]
    if isinstance(value, list):
        return [text for one in inner for item in value for text in formatted(item, one.get("items", {}), format)]
    if isinstance(value, dict):
        parts = [(one.get("properties", {}).get(key, {}), item) for one in inner for key, item in value.items()]
        return [text for wanted, item in parts for text in formatted(item, wanted, format)]
    return []


def _fit_string(value: Any, schema: Schema, name: str) -> Any:
    if isinstance(value, str):
        return _fit_format(value.strip() if "format" in schema else value, schema, name)
    if isinstance(value, (dict, bool)) or value is None or "format" in schema:
        return _MISFIT
    return as_text(value)


def _fit_format(value: str, schema: Schema, name: str) -> Any:
    if schema.get("format") == "date":
        try:
            return datetime.date.fromisoformat(value).isoformat()
        except ValueError:
            raise ArgumentError(f"{name} must be a date such as 2026-01-31, not {_preview(value)}") from None
    if schema.get("format") == "path" and (not value or "\0" in value):
        raise ArgumentError(f"{name} must be a path, not {_preview(value)}")
    return value


def _fit_number(value: Any, schema: Schema, name: str) -> Any:
    if isinstance(value, bool):
        return _MISFIT
    if isinstance(value, str):
        try:
            value = float(value.replace(",", "").strip())
        except ValueError:
            return _MISFIT
    if not isinstance(value, (int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        return _MISFIT
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return value if schema["type"] == "number" or isinstance(value, int) else _MISFIT


def _fit_boolean(value: Any, schema: Schema, name: str) -> Any:
    if isinstance(value, str):
        return {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().lower(), _MISFIT)
    return value if isinstance(value, bool) else _MISFIT


def _fit_array(value: Any, schema: Schema, name: str) -> Any:
    if isinstance(value, str):  # a text is a list of its lines
        value = value.splitlines()
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return _MISFIT
    items = schema.get("items", {})
    return type(value)(fit(item, items, f"{name}[{n}]") for n, item in enumerate(value)) if items else value


def _fit_object(value: Any, schema: Schema, name: str) -> Any:
    items = getattr(value, "items_", None)
    if isinstance(value, list) and items is not None:  # what was mapped over a list is known by its items
        value = {as_text(item): result for item, result in zip(items, value, strict=True)}
    if not isinstance(value, dict):
        return _MISFIT
    for required in schema.get("required", ()):
        if required not in value:
            raise ArgumentError(f"{name} lacks {required!r}")
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
    rest = rest if isinstance(rest, dict) else {}
    return {str(k): fit(v, properties.get(k, rest), f"{name}.{k}") for k, v in value.items()}


def _fit_null(value: Any, schema: Schema, name: str) -> Any:
    return None if value is None else _MISFIT


_FITTERS = {
    "string": _fit_string,
    "integer": _fit_number,
    "number": _fit_number,
    "boolean": _fit_boolean,
    "array": _fit_array,
    "object": _fit_object,
    "null": _fit_null,
}


class Mapped(list[Any]):
    """The results of a task that was mapped over a list, each with the item that it is of."""

    def __init__(self, values: collections.abc.Iterable[Any], items: collections.abc.Iterable[Any] = ()) -> None:
        super().__init__(values)
        self.items_ = list(items)


def as_text(value: Any) -> str:
    """A value as a person reads it: lists a line each, rows as CSV, mapped results as `item: result`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.12g}" if abs(value) < 1e12 else repr(value)
    if isinstance(value, Mapped) and len(value.items_) == len(value):
        return "\n".join(_entry(as_text(item), result) for item, result in zip(value.items_, value, strict=True))
    if isinstance(value, list):
        return as_csv(value) if is_table(value) else "\n".join(_row(item) for item in value)
    if isinstance(value, dict):
        return "\n".join(_entry(str(key), item) for key, item in value.items())
    return str(value)


def is_table(value: Any) -> bool:
    """Whether a value is rows: objects with the same keys and nothing nested in them."""
    rows = isinstance(value, list) and all(isinstance(row, dict) and row.keys() == value[0].keys() for row in value)
    return rows and bool(value) and not any(isinstance(cell, (list, dict)) for row in value for cell in row.values())


def as_csv(rows: collections.abc.Sequence[collections.abc.Mapping[str, Any]]) -> str:
    """Rows as CSV text with a header; a key that some rows lack is empty in them."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: as_text(cell) for key, cell in row.items()} for row in rows)
    return text.getvalue().rstrip("\n")


def _entry(label: str, value: Any) -> str:
    text = as_text(value)
    return f"{label}: {text}" if "\n" not in text else f"{label}:\n" + "\n".join(f"  {x}" for x in text.splitlines())


def _row(item: Any) -> str:
    """One element of a list on one line."""
    if isinstance(item, dict):
        return ", ".join(f"{key}: {as_text(value)}" for key, value in item.items())
    if isinstance(item, list):
        return ", ".join(as_text(part) for part in item)
    return as_text(item)


def _preview(value: Any, width: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= width else text[: width - 1] + "…"

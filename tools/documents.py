"""Tools for JSON files: what lies at a path, how many there are, what they are called."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tools import workspace
from tools.errors import ToolError
from tools.files import _decoded, _existing_file
from tools.schema import as_text

__all__ = ["json_value", "json_count", "json_names"]


def json_value(path: Path, query: str) -> Any:
    """Look up a value in a JSON file by its path.

    Asked as: value of … in; the … in the json file; what is … set to in; the setting … of; look up … in; get … from;
        read the key … of; which … does the configuration have

    Effect: read

    Args:
        path: the JSON file.
        query: a path such as server.port or stations[0].name; stations[].name gives that of each (JMESPath).

    >>> json_value(workspace.inside("port.json"), "server.port")
    8417
    >>> json_value(workspace.inside("port.json"), "stations[].name")
    ['South', 'East']
    """
    return _looked_up(path, query)


def json_count(path: Path, query: str = "@") -> int:
    """Count the entries of a list, or the keys of an object, in a JSON file.

    Asked as: how many … in the json file; how many … does … list; number of … in; count the … in; how many entries
        does … have; how many keys are in …; length of the list … in

    Effect: read

    Args:
        path: the JSON file.
        query: the path of the list or object, such as stations; the whole file where none is given.

    >>> json_count(workspace.inside("port.json"), "stations")
    2
    >>> json_count(workspace.inside("port.json"))
    2
    """
    found = _looked_up(path, query)
    if not isinstance(found, (list, dict)):
        raise ToolError(f"{_place(query)} of {workspace.shown(path)} is {_sort_of(found)}, not a list to count")
    return len(found)


def json_names(path: Path, query: str = "@") -> list[str]:
    """List the names in a JSON file: the keys of an object, or the name (title, id) of each entry of a list.

    Asked as: names of the … in; … names in the json file; list the … in; keys of …; which keys does … have; which …
        are in the configuration; the titles of the … in

    Effect: read

    Args:
        path: the JSON file.
        query: the path of the list or object, such as stations; the whole file where none is given.

    >>> json_names(workspace.inside("port.json"), "stations")
    ['South', 'East']
    >>> json_names(workspace.inside("port.json"))
    ['server', 'stations']
    """
    found = _looked_up(path, query)
    if isinstance(found, dict):
        return [str(key) for key in found]
    if not isinstance(found, list):
        raise ToolError(f"{_place(query)} of {workspace.shown(path)} is {_sort_of(found)}, which has no names")
    return [_name_of(entry, path, query) for entry in found]


def records(path: Path) -> list[dict[str, Any]]:
    """The one list of objects that a file holds, as it is or under one of its keys; raises ToolError where none is."""
    found = lists_of_objects(_loaded(path))
    if len(found) != 1:
        what = "several lists" if found else "no list"
        raise ToolError(f"{workspace.shown(path)} holds {what} of objects, so it is not one table")
    return [{key: _flat(value) for key, value in row.items()} for row in found[0]]


def lists_of_objects(data: Any) -> list[list[dict[str, Any]]]:
    """A JSON value where it is a list of objects, or what of it is, one key down."""
    lists = [data] if isinstance(data, list) else list(data.values()) if isinstance(data, dict) else []
    return [one for one in lists if isinstance(one, list) and one and all(isinstance(item, dict) for item in one)]


def _flat(value: Any) -> Any:
    """What a cell holds: a list of plain values with commas, what nests deeper as JSON."""
    if isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value):
        return ", ".join(as_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _loaded(path: Path) -> Any:
    shown = workspace.shown(path)
    text = _decoded(_existing_file(path).read_bytes(), shown)
    try:
        return json.loads(text)
    except RecursionError:
        raise ToolError(f"{shown} is nested too deep to be read as JSON") from None
    except ValueError as error:
        lines = _json_lines(text)
        if lines is not None:
            return lines
        at = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise ToolError(f"{shown} is not JSON ({at})") from None


def _json_lines(text: str) -> list[Any] | None:
    """A file of one JSON object a line is a list of them."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return [json.loads(line) for line in lines] if len(lines) > 1 and lines[0].lstrip()[0] in "{[" else None
    except ValueError:
        return None


def _looked_up(path: Path, query: str) -> Any:
    """What a query finds in a file; an error that names what is there where it finds nothing."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    data, query = _loaded(path), query.strip().removeprefix("$").removeprefix(".") or "@"
    parts = _steps(query)
    if parts is not None:  # a plain path is walked, since only so is it known where it breaks off
        return _walked(data, parts, path)
    try:
        return jmespath.search(query, data)
    except (JMESPathError, ValueError) as error:
        raise ToolError(f"{query} is not a path into JSON ({str(error).splitlines()[0]}); write one such as "
                        "server.port or stations[].name") from None  # fmt: skip


def _steps(query: str) -> list[str | int] | None:
    """The keys and places of a plain path such as a.b-c[0]."name"; None where the query is more than that."""
    if query == "@":
        return []
    step = r"""(?:[^\W\d][\w $-]*|"[^"]*"|\d+|\[(?:-?\d*|'[^']*'|"[^"]*")\])"""
    if not re.fullmatch(rf"{step}(?:\.{step}|\[(?:-?\d*|'[^']*'|\"[^\"]*\")\])*", query):
        return None
    found = re.findall(r"""\[(-?\d*)\]|\[?["']([^"']*)["']\]?|([^.\[\]"']+)""", query)
    return [int(place) if place else quoted or plain.strip() for place, quoted, plain in found]


def _walked(data: Any, steps: list[str | int], path: Path, done: str = "") -> Any:
    for number, step in enumerate(steps):
        place = f"{done} of {workspace.shown(path)}" if done else workspace.shown(path)
        if isinstance(data, list) and (step == "" or (isinstance(step, str) and not step.isdigit())):
            rest = steps[number + 1 :] if step == "" else steps[number:]  # stations.name is that of each station
            return _of_each(data, rest, path, done)
        data = _step(data, step, place)
        done += f"[{step}]" if isinstance(step, int) else f"{'.' if done else ''}{step}"
    return data


def _of_each(entries: list[Any], steps: list[str | int], path: Path, done: str) -> list[Any]:
    """What a path leads to in each entry of a list; those that lack it are left out, unless all do."""
    found, lacking = [], []
    for number, entry in enumerate(entries):
        try:
            found.append(_walked(entry, steps, path, f"{done}[{number}]"))
        except ToolError as error:
            lacking.append(error)
    if lacking and not found:
        raise lacking[0]
    return found


def _step(data: Any, step: str | int, place: str) -> Any:
    if isinstance(data, dict):
        keys = {str(key): key for key in reversed(data)}
        for alike in (str, str.lower, _bare):
            for name, key in keys.items():
                if alike(name) == alike(str(step)):
                    return data[key]
        raise ToolError(f"{place} has no {step!r}; its keys are {', '.join(list(data)[:20]) or 'none'}")
    if isinstance(data, list):
        if -len(data) <= int(step) < len(data):
            return data[int(step)]
        raise ToolError(f"{place} has no entry {step}; it has {len(data)}, and the first is 0")
    raise ToolError(f"{place} is {_sort_of(data)}, so it has no {step!r} in it")


_NAME_KEYS = ("name", "title", "label", "id", "key", "code", "username", "email", "path", "url")


def _name_of(entry: Any, path: Path, query: str) -> str:
    if isinstance(entry, dict):
        low = {str(key).lower(): value for key, value in entry.items()}
        named = next((key for key in (*_NAME_KEYS, *(key for key in low if key.endswith("name"))) if key in low), None)
        if named is None:
            raise ToolError(f"the entries of {_place(query)} in {workspace.shown(path)} have no name; their keys are "
                            f"{', '.join(entry)}; ask for one as {query}[].{next(iter(entry), 'key')}")  # fmt: skip
        entry = low[named]
    return entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower()) or name


def _place(query: str) -> str:
    return "the whole" if query in ("", "@") else query


def _sort_of(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "nothing (null)" if value is None else "true or false"
    kinds: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")

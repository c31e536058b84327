"""What a person asks of the forge: from a TOML file, or from the flags of the command."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from tools.errors import ToolError
from tools.forge.candidate import Metric
from tools.micro.manifest import Kind

FORMS = ("rule", "linear", "gguf")


class SpecError(ToolError):
    """A spec that cannot be followed; the message names the file, the field and what may stand there."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What is to be made of which examples.

    `bar` is in percent of the metric on the test part. `minutes` is the CPU time that training may take in all.
    `group` names an input whose rows stay in one part, such as the lemma of its inflected forms. `rule` is a Python
    file with a function of the model's name: the code to beat. `base` is a model to go on from, by low-rank changes of
    its matrices or, with `whole`, by all of its weights.
    """

    name: str
    examples: Path | None = None
    test: Path | None = None
    kind: Kind | None = None
    metric: Metric = "accuracy"
    bar: float | None = None
    minutes: float = 10.0
    seed: int = 1
    threads: int = 1
    group: str = ""
    rule: Path | None = None
    base: Path | None = None
    whole: bool = False
    candidates: tuple[str, ...] = FORMS
    doc: str = ""
    asked_as: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    source: str = ""

    def plus(self, **given: Any) -> Spec:
        """This spec with what was given beside it (None: not given)."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


_PATHS = ("examples", "test", "rule", "base")
_NUMBERS = {"bar": (0.0, 100.0), "minutes": (0.1, 10_000.0), "seed": (0, 2**31), "threads": (1, 256)}
_CHOICES: dict[str, tuple[str, ...]] = {"kind": get_args(Kind), "metric": get_args(Metric)}
_LISTS = ("candidates", "asked_as")


def read(path: Path, name: str) -> Spec:
    """The spec of a TOML file; paths in it are beside it. Raises SpecError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}; check its name and permissions") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} is no valid TOML ({error}); correct it there") from None
    known = {one.name for one in fields(Spec)} - {"name"}
    for field_ in values:
        if field_ not in known:
            raise SpecError(f"{path}: there is no field `{field_}`; a spec may have: {', '.join(sorted(known))}")
    return Spec(name, **{field_: _value(path, field_, value) for field_, value in values.items()})


def _value(path: Path, name: str, value: Any) -> Any:
    if name in _PATHS and isinstance(value, str):
        return path.parent / value
    if name in _NUMBERS and isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = _NUMBERS[name]
        whole = isinstance(low, int)
        if low <= value <= high and (not whole or isinstance(value, int)):
            return value if whole else float(value)
        raise SpecError(
            f"{path}: `{name}` is {value}; write {'a whole ' if whole else 'a '}number from {low} to {high}"
        )
    if name in _CHOICES and value in _CHOICES[name]:
        return value
    if name in _LISTS and isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return _list(path, name, tuple(value))
    if name == "inputs" and isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
        return value
    if name in ("group", "doc", "licence", "source") and isinstance(value, str):
        return value
    if name == "whole" and isinstance(value, bool):
        return value
    raise SpecError(f"{path}: `{name}` is {value!r}; write {_wanted(name)}")


def _list(path: Path, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [value for value in values if name == "candidates" and value not in FORMS]
    if unknown:
        raise SpecError(f"{path}: there is no candidate {unknown[0]!r}; there is: {', '.join(FORMS)}")
    return values


def _wanted(name: str) -> str:
    if name in _CHOICES:
        return "one of " + ", ".join(f'"{choice}"' for choice in _CHOICES[name])
    if name in _LISTS:
        return f'a list of texts, such as ["{FORMS[0]}", "{FORMS[1]}"]' if name == "candidates" else "a list of phrases"
    if name == "inputs":
        return "a table with a line for each input that says what it is"
    plain = dict.fromkeys(_NUMBERS, "a number") | dict.fromkeys(_PATHS, "a path") | {"whole": "true or false"}
    return plain.get(name, "a text")

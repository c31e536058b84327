"""The manifest of a micro-model: what it is called, what it takes and gives, how it is asked, how good it is."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from tools.errors import ModelFileError

Kind = Literal["generate", "classify", "extract"]
Form = Literal["gguf", "linear", "rule"]
TYPES: dict[str, type] = {"str": str, "int": int, "float": float}
MANIFEST = "manifest.toml"
FILES: dict[Form, str] = {"gguf": "model.gguf", "linear": "model.npz", "rule": "model.json"}
MODEL = FILES["gguf"]


@dataclass(frozen=True, slots=True)
class Input:
    """A typed parameter; `type` is "str", "int" or "float"."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True, slots=True)
class Label:
    """An answer that a classifier can give, and the one token that a GGUF scores it by."""

    text: str
    token: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """What goes in and what must come out."""

    input: dict[str, Any]
    output: Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured share of right answers in percent, with its 95 % interval, on a number of held-out rows."""

    name: str
    rows: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The main figure, the plainest code's on the same rows, and whatever else was measured."""

    metric: str
    model: Figure
    baseline: Figure
    also: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Data that the model was trained on; of a person's own examples only the name, the rows and the hash are known."""

    name: str
    repository: str = ""
    commit: str = ""
    licence: str = ""
    attribution: str = ""
    rows: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the model comes from; `sha256` is that of the model's file, checked when it is loaded."""

    trained_with: str
    seed: int
    parameters: int
    sha256: str
    data: tuple[Source, ...]
    note: str


@dataclass(frozen=True, slots=True)
class MicroModel:
    """A micro-model as its manifest describes it; nothing of it is loaded yet.

    `form` is what the model's file holds: a network (`gguf`), weights over n-grams (`linear`) or rules that were found
    in examples (`rule`). An `extract` model answers with a part of its input.

    `max_input` is in bytes of UTF-8 per text, `max_tokens` in tokens. `parts` is how many stretches of `max_input`
    bytes a classifier reads of a longer text (the mean of their scores decides); 1 reads the beginning only.
    """

    folder: Path
    name: str
    doc: str
    asked_as: tuple[str, ...]
    kind: Kind
    output: str
    inputs: tuple[Input, ...]
    template: str
    stop: str
    max_tokens: int
    max_input: int
    lower: bool
    parts: int
    labels: tuple[Label, ...]
    examples: tuple[Example, ...]
    accuracy: Accuracy
    provenance: Provenance
    form: Form = "gguf"

    @property
    def path(self) -> Path:
        """The model's file."""
        return self.folder / FILES[self.form]


class _Table:
    """A table of the manifest whose fields are asked for by name and type; what is missing or wrong is named."""

    def __init__(self, path: Path, where: str, values: object) -> None:
        if not isinstance(values, dict):
            raise ModelFileError(f"{path}: [{where}] is no table; write it as `[{where}]` with its fields below")
        self.path, self.where, self.values = path, where, values

    def field(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def get(self, name: str, kind: type, hint: str, default: Any = None) -> Any:
        value = self.values.get(name, default)
        if value is None:
            raise ModelFileError(f"{self.path}: the field `{self.field(name)}` is missing; add {hint}")
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            found = type(value).__name__
            raise ModelFileError(f"{self.path}: the field `{self.field(name)}` is of type {found}; write {hint}")
        return value

    def text(self, name: str, hint: str, default: str | None = None) -> str:
        value = str(self.get(name, str, hint, default))
        if not value and default is None:
            raise ModelFileError(f"{self.path}: the field `{self.field(name)}` is empty; write {hint}")
        return value

    def whole(self, name: str, hint: str, least: int = 1, default: int | None = None) -> int:
        value = int(self.get(name, int, hint, default))
        if value < least:
            raise ModelFileError(f"{self.path}: the field `{self.field(name)}` is {value}; write {hint}")
        return value

    def table(self, name: str, hint: str) -> _Table:
        return _Table(self.path, self.field(name), self.get(name, dict, hint))

    def tables(self, name: str, hint: str, default: list[Any] | None = None) -> list[_Table]:
        return [_Table(self.path, self.field(name), row) for row in self.get(name, list, hint, default)]


def load(folder: Path) -> MicroModel:
    """Reads a micro-model's folder; raises ModelFileError, naming the file, the field and the way on."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelFileError(f"{folder}: there is no {MANIFEST}; a micro-model is a folder with {MANIFEST} and {MODEL}")
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: is no valid TOML ({error}); correct it there") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    model = _model(folder, _Table(path, "", values))
    if not model.path.is_file():
        way = f"a micro-model is a folder with {MANIFEST} and {model.path.name}"
        raise ModelFileError(f"{folder}: there is no {model.path.name}; {way}")
    return model


def _model(folder: Path, top: _Table) -> MicroModel:
    kind, form = _choice(top, "kind", get_args(Kind)), _choice(top, "form", get_args(Form), MODEL.partition(".")[2])
    inputs, network = _inputs(top), form == "gguf"
    writes = kind != "classify"
    model = MicroModel(
        folder=folder,
        name=_name(top),
        doc=top.text("doc", "a line that says what it does"),
        asked_as=_phrases(top),
        kind=kind,
        output=_choice(top, "output", ("label",) if kind == "classify" else tuple(TYPES)),
        inputs=inputs,
        template=top.text("template", 'the text that the model is given, such as "{word}\\n"', None if network else ""),
        stop=top.text("stop", 'the text that ends an answer, such as "\\n"', None if network and writes else ""),
        max_tokens=top.whole("max_tokens", "the longest answer in tokens", default=None if network and writes else 1),
        max_input=top.whole("max_input", "the longest input in bytes that the model was trained on"),
        lower=bool(top.get("lower", bool, "true where texts are put in lower case first, or false", False)),
        parts=top.whole("parts", "how many stretches of a longer text are read, at least 1", default=1),
        labels=() if writes else _labels(top, network),
        examples=_examples(top, inputs),
        accuracy=_accuracy(top.table("accuracy", "a table with the measured figures")),
        provenance=_provenance(top.table("provenance", "a table that says where the model comes from"), FILES[form]),
        form=form,
    )
    if network:
        _check_template(top, model)
    return model


def _choice(table: _Table, name: str, allowed: tuple[str, ...], default: str | None = None) -> Any:
    hint = "one of " + ", ".join(f'"{value}"' for value in allowed)
    value = table.text(name, hint, default)
    if value not in allowed:
        raise ModelFileError(f'{table.path}: the field `{table.field(name)}` is "{value}"; write {hint}')
    return value


def _name(top: _Table) -> str:
    name = top.text("name", "the name of the tool, in lower case")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise ModelFileError(f'{top.path}: the field `name` is "{name}"; use lower-case letters, digits and _ only')
    return name


def _phrases(top: _Table) -> tuple[str, ...]:
    phrases = top.get("asked_as", list, "a list of phrases that a person would use")
    if not phrases or not all(isinstance(phrase, str) and phrase for phrase in phrases):
        raise ModelFileError(f"{top.path}: the field `asked_as` must be a list of texts; write at least one phrase")
    return tuple(phrases)


def _inputs(top: _Table) -> tuple[Input, ...]:
    table = top.table("input", 'a table for each parameter, such as [input.word] with type = "str"')
    if not table.values:
        raise ModelFileError(f'{top.path}: `input` names no parameter; add one, such as [input.word] with type = "str"')
    rows = [(name, table.table(name, 'a table with type = "str"')) for name in table.values]
    hint = "a line that says what it is"
    return tuple(Input(name, _choice(row, "type", tuple(TYPES)), row.text("doc", hint)) for name, row in rows)


def _labels(top: _Table, network: bool) -> tuple[Label, ...]:
    rows = top.tables("labels", "a [[labels]] table for each answer, with its text and token")
    hint, none = "the token that the answer is scored by", None if network else ""
    labels = tuple(
        Label(row.text("text", "the answer"), row.text("token", hint, none), row.text("code", "", "")) for row in rows
    )
    if len(labels) < 2 or len({label.text for label in labels}) < len(labels):
        raise ModelFileError(
            f"{top.path}: `labels` needs at least two answers, each once; correct the [[labels]] tables"
        )
    return labels


def _examples(top: _Table, inputs: tuple[Input, ...]) -> tuple[Example, ...]:
    rows = top.tables("examples", "an [[examples]] table with input and output")
    if not rows:
        raise ModelFileError(f"{top.path}: `examples` is empty; add an [[examples]] table with input and output")
    examples = []
    for row in rows:
        given = row.get("input", dict, "the inputs by name")
        if set(given) != {i.name for i in inputs}:
            wanted = ", ".join(i.name for i in inputs)
            raise ModelFileError(f"{top.path}: `examples.input` names {', '.join(given)}; give exactly {wanted}")
        examples.append(Example(given, row.get("output", object, "what must come out")))
    return tuple(examples)


def _figure(table: _Table, default_name: str = "") -> Figure:
    return Figure(
        table.text("name", "what was measured", default_name or None),
        table.whole("rows", "how many held-out rows it was measured on"),
        table.get("value", float, "the share of right answers in percent"),
        table.get("low", float, "the low end of the 95 % interval"),
        table.get("high", float, "the high end of the 95 % interval"),
    )


def _accuracy(table: _Table) -> Accuracy:
    metric = table.text("metric", "what the figures count")
    baseline = _figure(table.table("baseline", "the same figures for the plainest code that does the job"))
    also = tuple(_figure(row) for row in table.tables("also", "further figures", []))
    return Accuracy(metric, _figure(table, "model"), baseline, also)


def _provenance(table: _Table, file: str) -> Provenance:
    hint = "a [[provenance.data]] table for each source"
    data = tuple(_source(row) for row in table.tables("data", hint))
    sha256 = table.text("sha256", f"the SHA-256 of {file} in hexadecimal")
    if not data or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        field, way = ("provenance.sha256", f"the SHA-256 of {file}") if data else ("provenance.data", hint)
        raise ModelFileError(f"{table.path}: the field `{field}` is not as it should be; write {way}")
    return Provenance(
        table.text("trained_with", "what it was trained with"),
        table.whole("seed", "the seed of the training", least=0),
        table.whole("parameters", "how many parameters it has", 0),
        sha256,
        data,
        table.text("note", "", ""),
    )


def _source(row: _Table) -> Source:
    """Data that is somebody else's says whose it is; data with a hash in its place is the person's own."""
    own = row.text("sha256", "the SHA-256 of the examples", "")
    names = ("repository", "commit", "licence", "attribution")
    rest = {name: row.text(name, f"the {name} of the data", "" if own else None) for name in names}
    rows = row.whole("rows", "how many rows it has", 0, 0)
    return Source(row.text("name", "the name of the data"), **rest, rows=rows, sha256=own)


def _check_template(top: _Table, model: MicroModel) -> None:
    named = set(re.findall(r"\{(\w+)\}", model.template))
    if named != {i.name for i in model.inputs}:
        wanted = ", ".join("{" + i.name + "}" for i in model.inputs)
        raise ModelFileError(f"{top.path}: the field `template` must hold every input once, here {wanted}; correct it")


def render(model: MicroModel, inputs: Mapping[str, str]) -> str:
    """The text that the model is given; what an input holds is never read as a template."""
    return "".join([inputs[piece] if at % 2 else piece for at, piece in enumerate(_pieces(model.template))])


@lru_cache(maxsize=256)
def _pieces(template: str) -> list[str]:
    """The text of a template and the names of its inputs by turns."""
    return re.split(r"\{(\w+)\}", template)


def check_digest(model: MicroModel) -> None:
    """Raises ModelFileError where the model's file is not the one of its manifest, and OSError as reading does."""
    with model.path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.provenance.sha256:
        raise ModelFileError(
            f"{model.path}: its SHA-256 is {found}, not that of the manifest; copy the model again, or write the new "
            f"one as `provenance.sha256` if you changed the file yourself"
        )

"""Micro-models as tools: what a manifest says as a description, and a call as a question to the model.

The models are asked by one engine of this process, whose workers all runs share. A call loads what it needs; nothing
happens before the first call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from tools import schema
from tools.errors import ModelFileError, ToolError
from tools.function import Description, Param
from tools.host import Examples
from tools.registry import Tool

if TYPE_CHECKING:
    from tools.micro import Engine, MicroModel

_settings: dict[str, Any] = {}
_engine: Engine | None = None
_making = Lock()


@dataclass(frozen=True, slots=True)
class Asking:
    """A call of a micro-model."""

    model: MicroModel

    def __call__(self, args: dict[str, Any]) -> Any:
        return engine().call(self.model, args).value

    def many(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The answers to a list of arguments, which the model reads as one batch; a row that fails is a ToolError."""
        results = engine().call_each(self.model, rows)
        return [result if isinstance(result, ToolError) else result.value for result in results]


def configure(*, gpu_layers: int = -1, budget: int = 512 * 2**20, idle: float = 60.0) -> None:
    """How the engine is made at the first call: layers on the GPU (-1: all), bytes of models kept loaded by all runs of
    this user together, and for how many seconds a model stays loaded once nobody is there who may ask it."""
    _settings.update(gpu_layers=gpu_layers, budget=budget, idle=idle)


def engine() -> Engine:
    """The engine that all micro-models share."""
    global _engine
    with _making:
        if _engine is None:
            from tools.micro import Engine

            _engine = Engine(shared=True, **_settings)
        return _engine


def from_folder(folder: Path, source: str = "") -> Tool:
    """The micro-model in a folder as a tool; raises ModelFileError where the folder is none."""
    from tools.micro import load

    return from_micro(load(folder), source)


def from_micro(model: MicroModel, source: str = "") -> Tool:
    """A micro-model as a tool; `source` is shown as where it comes from."""
    about = describe(model)
    if not about.name.isidentifier():
        raise ModelFileError(f"{model.folder}: the name {model.name!r} is none a tool can have; use letters, digits, _")
    version = "" if source == "built-in" else model.provenance.sha256[:12]
    return Tool(about, "micro", source or str(model.folder), Asking(model), version=version)


def describe(model: MicroModel) -> Description:
    """What a planner needs to know of a micro-model; a classifier's labels are its result's type."""
    params = tuple(Param(one.name, _type(one.type), doc=one.doc) for one in model.inputs)
    returns = {"enum": [label.text for label in model.labels]} if model.kind == "classify" else _type(model.output)
    return Description(model.name, model.doc, model.doc, params, returns, "none", model.asked_as)


def _type(name: str) -> schema.Schema:
    return schema.of({"str": str, "int": int, "float": float}[name])


def examples(folder: Path) -> Examples:
    """Ask a micro-model the examples of its manifest; raises ToolError where it cannot be asked."""
    from tools.micro import load

    model = load(folder)
    seen = [(one, _asked(model, one.input)) for one in model.examples]
    wrong = [f"{one.input}: {answer!r} instead of {one.output!r}" for one, answer in seen if answer != one.output]
    return Examples(model.name, len(seen), len(wrong), "\n".join(wrong))


def _asked(model: MicroModel, given: Mapping[str, Any]) -> Any:
    try:
        return engine().call(model, given).value
    except ModelFileError:
        raise
    except ToolError as error:
        return str(error)

"""A rule of the person's own: the Python function that a micro-model has to beat, called as a plugin is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tools.errors import ToolError
from tools.forge.candidate import Row
from tools.forge.spec import SpecError
from tools.host import Host, Source, fingerprint


def own_rule(path: Path, function: str, inputs: Sequence[str]) -> Callable[[Sequence[Row]], list[str | None]]:
    """The function of that name in a file, as something that answers rows; it runs in a process of its own.

    Its parameters are the inputs, by name or, where the names differ, in their order. Raises SpecError where there is
    no such function. A call that fails is a row without an answer.
    """
    try:
        host = Host(Source(str(path), path=str(path), fingerprint=fingerprint(path)))
        found = {row.name: row for row in host.describe()}
    except (OSError, ToolError) as error:
        raise SpecError(f"the rule {path} cannot be used: {error}") from None
    about = found[function].about if function in found else None
    if about is None or len(about.params) != len(inputs):
        has = ", ".join(found) or "none"
        takes = f"a typed function {function}({', '.join(inputs)})"
        raise SpecError(f"the rule {path} needs {takes} with a docstring; its functions: {has}")
    names = {param.name for param in about.params}
    pairs = [(name, name if names == set(inputs) else p.name) for name, p in zip(inputs, about.params, strict=True)]

    def ask(rows: Sequence[Row]) -> list[str | None]:
        return [_answer(host, function, {param: row.inputs[name] for name, param in pairs}) for row in rows]

    return ask


def _answer(host: Host, function: str, args: dict[str, str]) -> str | None:
    try:
        return str(host.call(function, args))
    except ToolError:
        return None

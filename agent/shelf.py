"""The tools and micro-models that are there, as the commands `tools` and `models` show them, and a call by hand."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import ConfigError, NotFound, UsageError
from agent.output import Output, as_json, clean, counted, duration, preview
from tools.errors import ArgumentError, ToolError
from tools.registry import Registry, Tool

if TYPE_CHECKING:
    from agent.config import Settings
    from tools.micro import MicroModel
    from tools.plugins import Report


# -- tools


def show_tools(output: Output, tools: Registry) -> None:
    """A row a tool, the broken ones last with their reasons."""
    rows: list[tuple[str, ...]] = [(tool.name, tool.kind, tool.source, tool.effect, _short(tool)) for tool in tools]
    rows += [(broken.name, "broken", broken.source, "-", broken.why) for broken in tools.broken]
    data = [tool_data(tool) for tool in tools]
    broken = [{"name": b.name, "source": b.source, "broken": b.why} for b in tools.broken]
    output.table(("name", "kind", "source", "effect", "signature"), rows, data + broken)


def _short(tool: Tool) -> str:
    return tool.signature().removeprefix(tool.name)


def tool_data(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "kind": tool.kind,
        "source": tool.source,
        "effect": tool.effect,
        "summary": tool.about.summary,
        "signature": tool.signature(),
        "parameters": tool.schema(),
        "returns": tool.about.returns,
    }


def show_tool(output: Output, tools: Registry, name: str) -> None:
    """All that a tool says of itself."""
    tool = find(tools, name)
    about = (f"kind: {tool.kind}", f"source: {tool.source}", f"effect: {tool.effect}")
    output.page([tool.signature(), "", *map(clean, tool.about.doc.splitlines()), "", *about], tool_data(tool))


def find(tools: Registry, name: str) -> Tool:
    """The tool of that name; raises NotFound, with the names that are near it, or why it is broken."""
    tool = tools.get(name)
    if tool is not None:
        return tool
    for broken in tools.broken:
        if broken.name == name:
            raise NotFound(f"the tool {name!r} cannot be used: {broken.why}")
    near = difflib.get_close_matches(name, [tool.name for tool in tools], 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see what there is with: zooid tools"
    raise NotFound(f"there is no tool {name!r}; {hint}")


def call(tools: Registry, name: str, given: Sequence[str], piped: str) -> Any:
    """Call a tool with `key=value` words; what is piped in is the one text that is missing."""
    tool = find(tools, name)
    args = dict(_argument(tool, word) for word in given)
    missing = [p.name for p in tool.params if p.required and p.name not in args and p.schema.get("type") == "string"]
    if piped and len(missing) == 1:
        args[missing[0]] = piped
    return tool.call(args)


def _argument(tool: Tool, word: str) -> tuple[str, Any]:
    """`key=value`: the value is JSON where the tool takes no text and it can be read as such."""
    name, sign, text = word.partition("=")
    if not sign:
        raise UsageError(f"{word!r} is no argument; write it as name=value, for {tool.signature()}")
    wanted = next((p.schema for p in tool.params if p.name == name), {})
    if wanted.get("type") == "string":
        return name, text
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


# -- micro-models


@dataclass
class Shelved:
    """A micro-model's folder with what its manifest says, or why it cannot be used."""

    folder: Path
    model: MicroModel | None
    why: str = ""


def micro_models(folders: Sequence[Path]) -> list[Shelved]:
    from tools.micro import load

    found = []
    for folder in folders:
        try:
            found.append(Shelved(folder, load(folder)))
        except ToolError as error:
            found.append(Shelved(folder, None, str(error)))
    return found


def show_models(output: Output, folders: Sequence[Path]) -> None:
    """A row a model: its size, and how well it does beside the plainest code that does the same."""
    models = micro_models(folders)
    rows = [_model_row(one) for one in models]
    head = ("name", "size", "parameters", "accuracy", "plain code", "state", "data and licence")
    output.table(head, rows, [_model_data(one) for one in models])
    if any(one.model for one in models):
        output.say(
            "accuracy: percent right on rows that were never seen in training; try them with: zooid models check"
        )


def _model_row(one: Shelved) -> tuple[str, ...]:
    if one.model is None:
        return (one.folder.name, *["-"] * 4, "broken", one.why)
    accuracy, origin = one.model.accuracy, one.model.provenance
    data = "; ".join(sorted({f"{s.name} ({s.licence or counted(s.rows, 'row')})" for s in origin.data}))
    size = f"{one.model.path.stat().st_size / 1e6:.1f} MB"
    plain = f"{accuracy.baseline.value:g} ({accuracy.baseline.name})"
    return (one.model.name, size, f"{origin.parameters:,}", f"{accuracy.model.value:g}", plain, "not loaded", data)


def _model_data(one: Shelved) -> dict[str, Any]:
    if one.model is None:
        return {"name": one.folder.name, "folder": str(one.folder), "broken": one.why}
    model = one.model
    return {
        "name": model.name,
        "folder": str(one.folder),
        "summary": model.doc,
        "bytes": model.path.stat().st_size,
        "accuracy": asdict(model.accuracy),
        "provenance": asdict(model.provenance),
        "loaded": False,
    }


def check_models(output: Output, folders: Sequence[Path]) -> int:
    """Load every model and ask it its own examples; the exit code."""
    found = [_checked(folder) for folder in folders]
    lines = [f"{output.mark('failed' if one['wrong'] else 'done', output.stdout)} {one['text']}" for one in found]
    output.page(lines, found)
    return 1 if any(one["wrong"] for one in found) else 0


def _checked(folder: Path) -> dict[str, Any]:
    from tools import micro_tool

    started = time.perf_counter()
    try:
        seen = micro_tool.examples(folder)
    except ToolError as error:
        return {"name": folder.name, "wrong": str(error), "text": f"{folder.name}: {error}"}
    except ImportError as error:
        raise ConfigError(
            f"llama-cpp-python cannot be used ({error}); install zooid again, see: zooid doctor"
        ) from None
    took = time.perf_counter() - started
    text = f"{seen.name}: loaded, {seen.tried - seen.failed} of {seen.tried} examples right, {duration(took)}"
    if seen.failed:
        text += f"; {preview(seen.text, 200)}"
    return {"name": seen.name, "examples": seen.tried, "wrong": seen.text, "seconds": took, "text": text}


# -- tools of one's own


def new_tool(output: Output, folder: Path, tools: Registry, name: str) -> None:
    """Write a working example, and say what to do with it."""
    from tools import plugins

    try:
        files = plugins.new(folder, name, [tool.name for tool in tools])
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}; change its permissions") from None
    output.page([str(file) for file in files], {"name": name, "files": [str(file) for file in files]})
    way = " (first: zooid tools trust)" if folder.parent.name == ".zooid" else ""
    output.say(f"make it your own, then: zooid tools check {name}{way}")


def check_tool(output: Output, tools: Registry, name: str) -> int:
    """Show what a plugin offers and whether its examples hold; the exit code."""
    from tools import plugins

    try:
        report = plugins.check(name, [*tools, *tools.broken])
    except ArgumentError as error:
        raise NotFound(str(error)) from None
    data = {
        "source": report.source,
        "ok": report.ok,
        "tools": [tool_data(tool) for tool in report.tools],
        "broken": [asdict(broken) for broken in report.broken],
        "examples": [asdict(one) for one in report.examples],
        "warnings": report.warnings,
    }
    output.page(_check_lines(output, report), data)
    return 0 if report.ok else 1


def _check_lines(output: Output, report: Report) -> Iterator[str]:
    done, failed, warn = (output.mark(status, output.stdout) for status in ("done", "failed", "warn"))
    for tool in report.tools:
        yield f"{done} {tool.signature()}  [{tool.effect}]"
        yield f"  {clean(tool.about.summary)}"
        yield f"  {as_json(tool.schema())}"
    for broken in report.broken:
        yield f"{failed} {clean(broken.name)}: {clean(broken.why)}"
    for one in report.examples:
        right = one.tried - one.failed
        yield f"{failed if one.failed else done} {one.name}: {right} of {counted(one.tried, 'example')} right"
        yield from (f"  {clean(line)}" for line in one.text.splitlines() if one.failed)
    for warning in report.warnings:
        yield f"{warn} {clean(warning)}"


def trust_project(output: Output, root: Path, forget: bool) -> None:
    """Trust what a project holds now, or no more."""
    from tools import trust

    if forget:
        known = trust.forget(root)
        output.page([f"{root} is trusted no more" if known else f"{root} was not trusted"], {"trusted": False})
        return
    if not trust.digest(root):
        raise UsageError(f"there is nothing to trust in {root}: it has no .zooid/tools and no .zooid/config.toml")
    digest = trust.trust(root)
    parts = [path for path in (trust.config_file(root), trust.tools_folder(root)) if path.exists()]
    lines = [f"trusted as it is now: {part}" for part in parts]
    output.page(lines, {"trusted": True, "digest": digest, "parts": [str(part) for part in parts]})
    output.say("when anything in it changes, you are asked again; see the tools with: zooid tools")


# -- settings


def show_settings(output: Output, settings: Settings) -> None:
    from agent import config

    shown = config.show(settings)
    rows = [(one.name, _value(one.value), one.origin) for one in shown]
    output.table(("setting", "value", "from"), rows, [asdict(one) for one in shown])
    for warning in settings.warnings:
        output.tell(f"warning: {clean(warning)}")


def _value(value: Any) -> str:
    return "-" if value in (None, (), {}) else value if isinstance(value, str) else as_json(value)


def show_paths(output: Output, places: Mapping[str, Path]) -> None:
    rows = [(name, str(path)) for name, path in places.items()]
    output.table(("what", "where"), rows, {name: str(path) for name, path in places.items()})

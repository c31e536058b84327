"""Prompts: every one a file, rendered strictly, and made to fit.

`{{name}}` in a file is a variable. One that is missing is an error, and so is one that is not used; a paragraph whose
variables are all empty is left out. A task's prompt holds its own goal, its inputs and the tools that fit, never a
transcript.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent import tokens
from agent.errors import UsageError
from agent.planners import Ask, decisions
from tools import redact
from tools.registry import Tool
from tools.schema import as_text

FOLDER = Path(__file__).resolve().parent.parent / "prompts"

SHOWN = 12  # tools in a first prompt
OTHERS = 3  # tools in the prompt of a look, beside those that the plan used
OTHERS_LENGTH = 80  # characters of those together: a look is paid for again and again
HINT = 40  # characters of an input at a look
SUMMARY = 80  # characters of a tool's summary
WORDS = 300  # tokens of the notes and of the failure

Counter = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is sent, and the schema that its reply must fit."""

    kind: str  # plan, look or answer
    system: str
    user: str
    schema: dict[str, Any]

    def messages(self) -> list[dict[str, str]]:
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]


_SCHEMAS = {"plan": decisions.FULL, "look": decisions.LOOK, "answer": decisions.ANSWER}
_SCHEMA_TEXTS = {kind: json.dumps(schema) for kind, schema in _SCHEMAS.items()}


# -- files


def render(name: str, values: Mapping[str, str]) -> str:
    """The prompt of that name with its variables put in; raises KeyError where they are not exactly those it has."""
    paragraphs = _paragraphs(name)
    wanted = {variable for _, variables in paragraphs for variable in variables}
    if wanted != values.keys():
        odd = ", ".join(sorted(wanted ^ values.keys()))
        raise KeyError(f"the prompt {name!r} and the values given for it differ in: {odd}")
    kept = (text for text, variables in paragraphs if not variables or any(values[v] for v in variables))
    return "\n\n".join(_VARIABLE.sub(lambda found: values[found[1]], text) for text in kept)


_VARIABLE = re.compile(r"\{\{(\w+)\}\}")


@functools.cache
def _paragraphs(name: str) -> list[tuple[str, list[str]]]:
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8").strip()
    return [(paragraph, _VARIABLE.findall(paragraph)) for paragraph in re.split(r"\n{2,}", text)]


# -- a task's prompt


def build(ask: Ask, limit: int, counter: Counter = tokens.estimate, with_schema: bool = True) -> Prompt:
    """The prompt for a task in at most `limit` tokens; `with_schema` says whether the schema is sent and so counts.

    Where it is too long, inputs and results are trimmed, and then fewer tools shown. Raises UsageError where the goal
    alone does not fit.
    """
    kind = "look" if ask.results and ask.may_plan else "plan" if ask.may_plan else "answer"
    ask = replace(ask, failure=_trimmed(ask.failure, WORDS, counter), notes=_trimmed(ask.notes, WORDS, counter))
    named = _named(ask)
    prompt = _rendered(kind, _with_tools(ask, kind), named)
    if _surely_fits(prompt, limit):
        return prompt
    for share in (1, 2, 4, 12):
        offered = _with_tools(ask, kind, share)
        bare = _rendered(kind, offered, {key: ("", length) for key, (_, length) in named.items()})
        room = limit - size(bare, counter, with_schema)
        if room >= 0:
            return _rendered(kind, offered, _shared_out(named, room, counter))
    raise _too_long(ask, limit, counter)


def size(prompt: Prompt, counter: Counter = tokens.estimate, with_schema: bool = True) -> int:
    """The tokens of a prompt with its schema, and what the roles and their marks add."""
    schema = counter(_SCHEMA_TEXTS[prompt.kind]) if with_schema else 0
    return counter(prompt.system) + counter(prompt.user) + schema + 12


def _surely_fits(prompt: Prompt, limit: int) -> bool:
    """No character is more than four tokens; most prompts are so short that nothing needs to be counted."""
    return 4 * (len(prompt.system) + len(prompt.user) + len(_SCHEMA_TEXTS[prompt.kind])) + 12 <= limit


def _with_tools(ask: Ask, kind: str, share: int = 1) -> Ask:
    """The task with the tools that its prompt shows, or the best of them where there is less room."""
    shown = _look_tools(ask) if kind == "look" else ask.tools[:SHOWN] if kind == "plan" else ()
    return replace(ask, tools=shown[: -(-len(shown) // share)])


def _look_tools(ask: Ask) -> list[Tool]:
    """The tools that the plan used, and the best of the others that take little room."""
    shown, room = list(ask.tools[: ask.used]), OTHERS_LENGTH
    for tool in ask.tools[ask.used :]:
        length = len(_signature(tool))
        if length <= room and len(shown) < ask.used + OTHERS:
            shown.append(tool)
            room -= length
    return shown


Named = dict[tuple[str, str], tuple[str, int]]  # (section, name): its text, and its length before it was trimmed


def _named(ask: Ask) -> Named:
    texts: Named = {}
    for section, values in (("inputs", ask.inputs), ("results", ask.results)):
        for name, value in values.items():
            text = _shown(value)
            hint = section == "inputs" and bool(ask.results)  # at a look an input is only there to be referred to
            texts[section, name] = text[:HINT] if hint else text, len(text)
    return texts


def _shown(value: Any) -> str:
    """A value as a model reads it: short texts as they are, the rest as JSON, so that its type shows."""
    if isinstance(value, str):
        return value
    items = getattr(value, "items_", None)
    if items is not None:  # what was mapped over a list is read with what each result is of
        value = {as_text(item): result for item, result in zip(items, value, strict=False)} or value
    return json.dumps(value, ensure_ascii=False, default=str)


def _rendered(kind: str, ask: Ask, named: Named) -> Prompt:
    user = render(
        "task",
        {
            "goal": ask.goal,
            "inputs": _section("inputs", named),
            "results": _section("results", named),
            "notes": ask.notes,
            "tools": _tool_lines(ask, kind),
            "failure": ask.failure,
        },
    )
    user = user.encode(errors="replace").decode()  # what a terminal or a file name held and no request can
    return Prompt(kind, render(kind, {}), redact.text(user), _SCHEMAS[kind])


def _section(section: str, named: Named) -> str:
    return "\n".join(_line(name, *value) for (of, name), value in named.items() if of == section)


def _line(name: str, text: str, length: int) -> str:
    told = f" ({length:,} characters)" if length != len(text) else ""
    return f"${name}{told}: {text}"


def _tool_lines(ask: Ask, kind: str) -> str:
    if kind == "look":
        return "\n".join(_signature(tool) for tool in ask.tools)
    return "\n".join(f"{_signature(tool)}  # {_summary(tool)}" for tool in ask.tools)


@functools.lru_cache(maxsize=1024)
def _signature(tool: Tool) -> str:
    return tool.signature()


def _summary(tool: Tool) -> str:
    text = tool.about.summary
    return text if len(text) <= SUMMARY else text[: SUMMARY - 1].rsplit(" ", 1)[0] + "…"


# -- making it fit


def _shared_out(named: Named, room: int, counter: Counter) -> Named:
    """The texts in `room` tokens together: short ones stay whole, long ones share what is left alike."""
    fitted: Named = {}
    left = len(named)
    for key, (text, length) in sorted(named.items(), key=lambda entry: entry[1][1]):
        text = _trimmed(text, room // left, counter)
        fitted[key] = text, length
        room, left = max(0, room - counter(text)), left - 1
    return {key: fitted[key] for key in named}


def _trimmed(text: str, limit: int, counter: Counter) -> str:
    return text if 4 * len(text) <= limit else tokens.trimmed(text, limit, counter)


def _too_long(ask: Ask, limit: int, counter: Counter) -> UsageError:
    needs = counter(ask.goal)
    return UsageError(
        f"the goal is about {needs:,} tokens long, and a prompt may have {limit:,} with its instructions; "
        "put the long part in a file and name the file in the goal"
    )

"""What a person teaches the router: the command `intents`, which lists, takes in, tries and forgets examples."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.errors import ConfigError, NotFound, UsageError
from agent.examples import PERSON, Known, read_examples
from agent.output import Output, clean, counted, duration, preview
from agent.routes import LEAST, Choice, Routes
from tools.registry import Registry, Tool

_NONE = "(no single tool)"


def show_intents(output: Output, routes: Routes, tools: Registry) -> None:
    """A row a tool that requests are known for: how many a person gave, how many the record, and one of them."""
    rows, data = [], []
    for name in sorted({one.intent for one in routes.known}, key=lambda name: (not name, name)):
        there = [one for one in routes.known if one.intent == name]
        own = sum(one.source == PERSON for one in there)
        state = _state(name, tools)
        rows.append((name or _NONE, str(own), str(len(there) - own), state, preview(there[-1].text)))
        data.append({"intent": name or None, "person": own, "record": len(there) - own, "state": state})
    output.table(("intent", "from you", "from runs", "asked alone", "such as"), rows, data)
    output.say(*_standing(routes))


def _state(name: str, tools: Registry) -> str:
    """Whether a tool may be asked before any planner."""
    tool = tools.get(name)
    if not name:
        return "-"
    if tool is None:
        return "no: it is not there"
    return "yes" if tool.effect in ("none", "read") else f"no: its effect is {tool.effect}"


def _standing(routes: Routes) -> Iterator[str]:
    known, learnt = len(routes.known), routes.learnt()
    if not known:
        yield 'nothing is known yet; begin with: zooid intents add count_words "how many words has {text}"'
    elif learnt:
        more = f", {known - learnt} came since; learn them with: zooid intents learn" if known > learnt else ""
        yield f"learnt from {counted(learnt, 'example')}{more}"
    else:
        yield f"the same wordings are recognised; from {LEAST} examples of two tools up, others like them are too"


def learn(output: Output, routes: Routes, tools: Registry, file: Path | None) -> None:
    """Take in a file of examples, where one is given, and train from all there are."""
    if file is not None:
        rows = read_examples(file)
        for number, (_, name) in enumerate(rows, 1):
            if name:
                _tool(tools, name, f"{file}, row {number}: ")
        new = routes.examples.add([Known(text, name or "", PERSON) for text, name in rows])
        output.say(f"{counted(len(rows), 'row')}, {new} of them new")
    elif not routes.known:
        raise UsageError("there is nothing to learn from; give a file: zooid intents learn FILE.csv")
    _trained(output, routes)


def _trained(output: Output, routes: Routes) -> None:
    _numpy()
    started = time.perf_counter()
    router = routes.learn()
    took = time.perf_counter() - started
    data: dict[str, Any] = {"examples": len(routes.known), "trained": router is not None}
    if router is None:
        output.page(list(_standing(routes)), data)
        return
    alone = router.sure.alone if router.sure.alone <= 1 else None
    sure = f"asked alone from {alone:.2f} up" if alone else "too few examples to be asked alone but for known wordings"
    lines = [f"{counted(len(router.intents), 'intent')} learnt from {counted(len(routes.known), 'example')}"]
    output.page([f"{lines[0]} in {duration(took)}; {sure}"], data | {"intents": router.intents, "alone": alone})


def add(output: Output, routes: Routes, tools: Registry, name: str, phrases: Sequence[str]) -> None:
    """Take in phrases that mean a tool; `{parameter}` in one stands for that argument."""
    tool = _tool(tools, name)
    for phrase in phrases:
        _check_phrase(tool, phrase)
    before = len(routes.known)
    if before + len(phrases) >= LEAST:
        _numpy()
    routes.add(name, phrases)
    new = len(routes.known) - before
    said = f"{counted(new, 'new phrase')} for {name}"
    output.page([said], {"intent": name, "new": new})
    if tool.effect not in ("none", "read"):
        output.say(f"{name} has the effect {tool.effect}, so that a planner is asked first all the same")
    else:
        output.say(f"see what comes of it with: zooid intents try {_quoted(phrases[0])}")


def _check_phrase(tool: Tool, phrase: str) -> None:
    import re

    if not re.sub(r"\{\w+\}", "", phrase).strip(" .!?"):
        raise UsageError(f"the phrase {phrase!r} has no words of its own; say what a person would")
    params = [param.name for param in tool.params]
    for slot in re.findall(r"\{(\w+)\}", phrase):
        if slot not in params:
            known = f"it takes {' and '.join(params)}" if params else "it takes nothing"
            raise UsageError(f"{tool.name} has no argument {slot!r}, as in {phrase!r}; {known}")


def try_text(output: Output, routes: Routes, tools: Registry, text: str) -> None:
    """Show where a request would go before any planner, how sure that is, and what comes next."""
    choice = routes.choose(text, {}, tools)
    router = routes.router
    near = router.ranked(text, 4) if router else []
    others = [one for one in near if not choice or one.intent != choice.tool.name]
    lines = [_chosen(choice, near[0].confidence if near else None)]
    if others:
        lines += [f"  {one.intent or _NONE}  {one.confidence:.2f}" for one in others[:3]]
    data = {
        "choice": {"tool": choice.tool.name, "args": choice.args, "confidence": choice.confidence} if choice else None,
        "others": [{"intent": one.intent, "confidence": one.confidence} for one in others[:3]],
        "alone": router.sure.alone if router and router.sure.alone <= 1 else None,
    }
    output.page(lines, data)


def _chosen(choice: Choice | None, best: float | None) -> str:
    if choice:
        args = ", ".join(f"{name}={preview(value)}" for name, value in choice.args.items())
        return f"{choice.tool.name}({args})  {choice.confidence:.2f}"
    return "a planner is asked" + ("" if best is None else "; the nearest:")


def forget(output: Output, routes: Routes, name: str) -> None:
    """Drop what is known of a tool, or with `none` of requests that no single tool does."""
    known = sorted({one.intent for one in routes.known})
    wanted = "" if name == "none" and "none" not in known else name
    if wanted not in known:
        raise NotFound(f"nothing is known of {name!r}; {_near(name, known)}")
    dropped = routes.examples.forget(wanted)
    if routes.learnt():
        _numpy()
    routes.learn()
    output.page([f"{counted(dropped, 'example')} of {name} forgotten"], {"intent": name, "forgotten": dropped})


def _tool(tools: Registry, name: str, where: str = "") -> Tool:
    """The tool that an intent names; raises UsageError with the names that are near it."""
    tool = tools.get(name)
    if tool is None:
        hint = _near(name, [tool.name for tool in tools])
        raise UsageError(f"{where}an intent is a tool's name, and there is no tool {clean(name)!r}; {hint}")
    return tool


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, [one for one in names if one], 3)
    return f"did you mean {' or '.join(near)}?" if near else "see what there is with: zooid tools"


def _numpy() -> None:
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"learning needs numpy ({error}); install zooid again, see: zooid doctor") from None


def _quoted(text: str) -> str:
    return f'"{clean(text)}"'

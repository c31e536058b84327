"""The planner inside this process: any instruct GGUF, run by llama.cpp with its own chat template.

The decision's schema is the grammar, typed for the tools at hand and bounded, so that even a model with random weights
returns a decision that can be read. A first grammar leaves room to think; where a reply does not end within its limit,
a second one, whose longest reply fits the limit, makes it end.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ctypes
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agent import prompts
from agent.errors import ProviderUnavailable, UnsoundPlan, UsageError, ZooidError
from agent.planners import Ask, Meter, Reply, decisions
from agent.prices import FREE
from agent.prompts import Prompt
from agent.task import Decision, Usage
from tools.errors import ModelFileError
from tools.registry import Tool
from tools.schema import Schema

_T = TypeVar("_T")
Note = Callable[[str], None]

# -- the grammar

_ID = {"$ref": "#/$defs/zid"}
_TEXT = {"$ref": "#/$defs/ztext"}
_REFERENCE = {"$ref": "#/$defs/zref"}
_DATE = {"$ref": "#/$defs/zdate"}
_INTEGER = {"$ref": "#/$defs/zint"}
_NUMBER = {"$ref": "#/$defs/znum"}
_DEFS = ("zid", "ztext", "zref", "zdate", "zint", "znum")

_WHOLE = r'"-"? ("0" | [1-9] [0-9]{0,11})'
_RULES = {  # what the names above stand for, and how many bytes that has at most
    "zid": (r'"\"" [a-z] [a-z0-9]{0,7} "\""', 10),
    "zref": (r'"\"$" [a-z] [a-z0-9_.]{0,23} "\""', 27),
    "zdate": (r'"\"" [12] [0-9]{3} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8]) "\""', 12),
    "zint": (_WHOLE, 13),
    "znum": (_WHOLE + r' ("." [0-9]{1,9})?', 23),
}
_CHARACTER = (r'[^"\\\x00-\x1f\x7f\ud800-\udfff] | "\\" ["\\nt]', 4)
"""One character of a text: no control characters, and only the escapes that texts need; at most four bytes."""

_GENEROUS = (16, 600, 16)  # of the first grammar: the most tasks, characters of a text, and items of a list
_FRUGAL = ((8, 80, 8), (4, 60, 8), (3, 40, 4), (2, 40, 4), (1, 40, 4), (1, 16, 2), (0, 40, 2), (0, 8, 1))
"""The same for the second grammar, widest first; the first whose longest decision fits is taken."""


def schema(tools: Sequence[Tool], may_plan: bool, most_tasks: int, most_items: int) -> Schema:
    """The schema of a decision over these tools: for each its own typed arguments, every list bounded."""
    texts = _list_of(_TEXT, most_items)
    kinds = [_fields(answer={"anyOf": [_TEXT, _NUMBER, {"type": "boolean"}, texts]}), _fields(ask=_TEXT)]
    if may_plan and most_tasks:
        calls = [_call(tool, most_items) for tool in tools]
        tasks = {"type": "array", "items": {"anyOf": [*calls, _fields(id=_ID, goal=_TEXT)]}, "minItems": 1}
        plan = _fields(tasks={**tasks, "maxItems": most_tasks}, answer=_TEXT, notes=_TEXT)
        wish = _fields(name=_TEXT, signature=_TEXT, why=_TEXT)
        kinds = [{**plan, "required": ["tasks"]}, *kinds, _fields(want=wish)]
    return {"anyOf": kinds, "$defs": {name: {"type": "string", "pattern": f"^{name}$"} for name in _DEFS}}


def _fields(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list_of(item: Schema, most: int) -> Schema:
    return {"type": "array", "items": item, "maxItems": most}


def _call(tool: Tool, most_items: int) -> Schema:
    args = _fields(**{param.name: _argument(param.schema, most_items) for param in tool.params})
    args["required"] = [param.name for param in tool.params if param.required]
    each = {"anyOf": [_REFERENCE, _list_of(_TEXT, most_items)]}
    call = _fields(id=_ID, tool={"const": tool.name}, args=args, each=each)
    return {**call, "required": ["id", "tool", "args"]}


def _argument(wanted: Schema, most_items: int) -> Schema:
    """An argument's schema, or a reference to what will be its value."""
    value = _value(wanted, most_items)
    return value if value in (_TEXT, _REFERENCE) else {"anyOf": [value, _REFERENCE]}


def _value(wanted: Schema, most_items: int) -> Schema:
    if "anyOf" in wanted:
        return {"anyOf": [_value(option, most_items) for option in wanted["anyOf"]]}
    if "enum" in wanted:
        return {"enum": wanted["enum"]}
    if wanted.get("type") == "string":
        return _DATE if wanted.get("format") == "date" else _TEXT
    if wanted.get("type") == "array":
        return _list_of(_value(wanted.get("items", {}), most_items), most_items)
    plain = {"integer": _INTEGER, "number": _NUMBER, "boolean": {"type": "boolean"}, "null": {"type": "null"}}
    other = _REFERENCE if wanted.get("type") == "object" else _TEXT  # a table of no known length: only from a result
    return plain.get(str(wanted.get("type")), other)


def longest(wanted: Schema, text: int) -> int:
    """The most bytes that a JSON value of a schema made here can have, where a text has at most `text` characters."""
    if "$ref" in wanted:
        name = wanted["$ref"].rpartition("/")[2]
        return text * _CHARACTER[1] + 2 if name == "ztext" else _RULES[name][1]
    if "anyOf" in wanted:
        return max(longest(option, text) for option in wanted["anyOf"])
    if "enum" in wanted or "const" in wanted:
        return max(len(json.dumps(value)) for value in wanted.get("enum", [wanted.get("const")]))
    if wanted["type"] == "array":
        return 2 + int(wanted["maxItems"]) * (1 + longest(wanted["items"], text))
    if wanted["type"] == "object":
        return 2 + sum(len(name) + 4 + longest(value, text) for name, value in wanted["properties"].items())
    return len("false")


def grammar(wanted: Schema, text: int) -> str:
    """The schema as a grammar of llama.cpp, without white space, and with texts of at most `text` characters."""
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    ours = {name: rule for name, (rule, _) in _RULES.items()}
    ours |= {"ztext": rf'"\"" zchar{{1,{text}}} "\""', "space": '""'}
    made = [line for line in json_schema_to_gbnf(json.dumps(wanted)).splitlines() if line.split(" ")[0] not in ours]
    return "\n".join([*made, *(f"{name} ::= {rule}" for name, rule in ours.items()), f"zchar ::= {_CHARACTER[0]}"])


# -- the planner


class LocalPlanner:
    """Asks a GGUF for decisions, one at a time. `context` and `max_tokens` are in tokens, `timeout` in seconds.

    `gpu_layers` is how many layers go on the GPU, -1 for all; a build without one leaves them on the processor.
    """

    def __init__(
        self,
        model_path: str | Path,
        context: int = 8192,
        gpu_layers: int = -1,
        max_tokens: int = 1024,
        *,
        timeout: float = 600.0,
        threads: int | None = None,
        seed: int = 1,
    ) -> None:
        self.path = Path(model_path)
        self.name = f"local:{self.path.stem}"
        self._context, self._gpu_layers, self._max_tokens = context, gpu_layers, max_tokens
        self._timeout, self._threads, self._seed = timeout, threads, seed
        self._model: _Model | None = None
        self._one = threading.Lock()  # llama.cpp's context takes one call at a time
        self._closed = threading.Event()

    async def decide(self, ask: Ask, note: Note) -> Reply:
        link = _Link(asyncio.get_running_loop(), ask.meter, note)
        try:
            decision = await _in_thread(lambda: self._decide(ask, link), self._timeout)
        except TimeoutError:
            raise ProviderUnavailable(
                f"{self.path} gave no decision within {self._timeout:.0f} seconds; "
                "take a smaller model or a longer time, then: zooid resume --last"
            ) from None
        finally:
            link.stop.set()  # a thread whose result nobody waits for ends at its next token
        return Reply(decision, ask.meter.spent)

    async def close(self) -> None:
        self._closed.set()
        if self._model is not None and self._one.acquire(timeout=1):
            model, self._model = self._model, None
            model.close()
            self._one.release()

    def _decide(self, ask: Ask, link: _Link) -> Decision:
        with self._one:
            if link.stop.is_set() or self._closed.is_set():
                raise ProviderUnavailable(f"{self.name} was closed")
            if self._model is None:
                layers, threads, seed = self._gpu_layers, self._threads, self._seed
                self._model = _Model(self.path, self._context, layers, threads, seed, link.note)
            return self._decided(self._model, ask, link)

    def _decided(self, model: _Model, ask: Ask, link: _Link) -> Decision:
        most = min(self._max_tokens, model.context // 2)
        prompt = prompts.build(ask, model.context - most - model.overhead, model.count, with_schema=False)
        why = ""
        for is_last in (False, True):
            messages = _messages(prompt, why)
            most = link.reserve(model.count(json.dumps(messages, ensure_ascii=False)) + model.overhead, most)
            wanted, text = _frugal(ask, most) if is_last else _generous(ask)
            started = time.monotonic()
            said, sent, got = model.reply(messages, grammar(wanted, text), most, link.stop)
            link.settle(Usage(1, sent, got, time.monotonic() - started))
            try:
                return decisions.parse(said)
            except UnsoundPlan as error:
                why = f"it did not end within {most} tokens; reply in few words" if got >= most else str(error)
                link.note(f"{self.name}: {why}; asked again")
        raise UnsoundPlan(f"{self.name} gave no decision that can be read: {why}")


@dataclass(slots=True)
class _Link:
    """What the thread that decides says to the loop, and asks of it."""

    loop: asyncio.AbstractEventLoop
    meter: Meter
    tell: Note
    stop: threading.Event = field(default_factory=threading.Event)

    def note(self, text: str) -> None:
        self._call(self.tell, text)

    def reserve(self, sent: int, most: int) -> int:
        """Waits for as long as anybody waits for the decision."""
        asked = asyncio.run_coroutine_threadsafe(self.meter.reserve(sent, most, FREE), self.loop)
        while not asked.done() and not self.stop.wait(0.001):
            concurrent.futures.wait([asked], 0.2)
        if not asked.done():
            raise ProviderUnavailable("nobody waits for this decision")
        return asked.result() or most

    def settle(self, used: Usage) -> None:
        if not self.stop.is_set():
            self._call(self.meter.settle, used)

    def _call(self, what: Callable[[_T], None], value: _T) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(what, value)


def _generous(ask: Ask) -> tuple[Schema, int]:
    tasks, text, items = _GENEROUS
    return schema(ask.tools[: prompts.SHOWN], ask.may_plan, min(ask.max_tasks, tasks), items), text


def _frugal(ask: Ask, most: int) -> tuple[Schema, int]:
    """The widest schema and text length whose longest decision still fits in `most` tokens of a byte each."""
    for tasks, text, items in _FRUGAL:
        wanted = schema(ask.tools[: prompts.SHOWN], ask.may_plan, min(ask.max_tasks, tasks), items)
        if longest(wanted, text) < most:
            break
    return wanted, text


def _messages(prompt: Prompt, why: str) -> list[dict[str, str]]:
    messages = prompt.messages()
    if why:
        again = prompts.render("again", {"error": why, "beginning": ""})
        messages[-1] = {"role": "user", "content": f"{prompt.user}\n\n{again}"}  # some templates want the roles in turn
    return messages


# -- the model


class _Model:
    """A loaded GGUF: counts tokens and replies to messages."""

    overhead = 96  # tokens that a chat template may put around the messages

    def __init__(self, path: Path, context: int, gpu_layers: int, threads: int | None, seed: int, note: Note) -> None:
        from tools.micro import gguf

        head = gguf.check(path)  # what would make llama.cpp end the process never gets there
        self._path = path
        trained = int(head.metadata.get(f"{head.architecture}.context_length", context))
        self._llama = _load(path, min(context, trained), gpu_layers, threads, seed)
        self._vocabulary = _api().llama_model_get_vocab(self._llama.model)
        self.context = min(self._llama.n_ctx(), trained)
        self._template = self._formatter(note)

    def count(self, text: str) -> int:
        return len(self._llama.tokenize(text.encode(), add_bos=False))

    def reply(
        self, messages: list[dict[str, str]], rules: str, most: int, stop: threading.Event
    ) -> tuple[str, int, int]:
        """What the model says within the grammar, the prompt's tokens, and its own."""
        from llama_cpp import LlamaGrammar

        prompt = self._llama.tokenize(self._rendered(messages).encode(), add_bos=True, special=True)
        prompt = prompt[1:] if prompt[:2] == [self._llama.token_bos()] * 2 else prompt  # the template had it already
        if len(prompt) + most > self.context:
            raise UsageError(
                f"the prompt is {len(prompt):,} tokens long, and {self._path.name} takes {self.context - most:,} "
                "beside its reply; shorten the goal, or take a model with a longer context"
            )
        said: list[int] = []
        for token in self._llama.generate(prompt, temp=0.0, grammar=LlamaGrammar.from_string(rules)):
            if stop.is_set() or _api().llama_vocab_is_eog(self._vocabulary, token):
                break
            said.append(token)
            if len(said) >= most:
                break
        return self._llama.detokenize(said).decode(errors="replace"), len(prompt), len(said)

    def close(self) -> None:
        self._llama.close()

    def _formatter(self, note: Note) -> Any:
        """The model's own chat template; None, and the person told, where it has none."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        template = self._llama.metadata.get("tokenizer.chat_template")
        if not template:
            note(f"{self._path.name} has no chat template, so it may be no instruct model; a plain prompt is used")
            return None
        text = self._llama.detokenize
        bos, eos = (text([token], special=True).decode(errors="replace") for token in self._marks())
        return Jinja2ChatFormatter(template=template, bos_token=bos, eos_token=eos)

    def _marks(self) -> tuple[int, int]:
        return self._llama.token_bos(), self._llama.token_eos()

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        if self._template is None:
            return prompts.render("plain", {"system": messages[0]["content"], "user": messages[1]["content"]})
        try:
            return str(self._template(messages=messages).prompt)
        except Exception as error:  # templates are programs of their authors; some refuse a system message
            try:
                joined = "\n\n".join(message["content"] for message in messages)
                return str(self._template(messages=[{"role": "user", "content": joined}]).prompt)
            except Exception:
                raise ModelFileError(f"{self._path}: its chat template fails ({error}); take another model") from None


def _load(path: Path, context: int, gpu_layers: int, threads: int | None, seed: int) -> Any:
    api = _api()
    layers = gpu_layers if api.llama_supports_gpu_offload() else 0
    _errors.clear()
    try:
        return api.Llama(
            str(path), n_ctx=context, n_gpu_layers=layers, n_threads=threads, seed=seed, n_batch=512, verbose=False
        )
    except Exception as error:  # whatever its file is refused with, a template that is no Jinja included
        why = next((line for line in reversed(_errors) if line), str(error))
        raise ModelFileError(
            f"{path}: llama.cpp cannot load it ({why.strip()}); take another file, or, if memory is short, "
            "a smaller one"
        ) from None


_errors: list[str] = []
_callback: Any = None


def _api() -> Any:
    """llama_cpp, its log kept from the terminal."""
    global _callback
    import llama_cpp

    if _callback is None:
        # llama.cpp holds a bare pointer to this function: it must never be collected
        _callback = llama_cpp.llama_log_callback(lambda level, text, data: _keep(level, text))
        # its own way to be quiet turns the whole program's output away while a model loads
        for module in (llama_cpp.llama, llama_cpp._internals):
            module.suppress_stdout_stderr = _Aloud
    llama_cpp.llama_log_set(_callback, ctypes.c_void_p(0))
    return llama_cpp


class _Aloud:
    def __init__(self, disable: bool = True) -> None:
        pass

    def __enter__(self) -> _Aloud:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _keep(level: int, text: bytes) -> None:
    if level in (3, 4):  # warnings and errors; which number is which has changed between versions
        _errors.append(re.sub(r"^\w+: ", "", text.decode(errors="replace").strip()))
        del _errors[:-20]


async def _in_thread(call: Callable[[], _T], seconds: float) -> _T:
    """Run a blocking call beside the loop, in a thread that does not keep the program alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if not future.done():
            future.set_exception(error) if error else future.set_result(value)

    def work() -> None:
        value, error = None, None
        try:
            value = call()
        except (ZooidError, ModelFileError) as known:
            error = known
        except BaseException as raised:
            error = ModelFileError(f"the local model failed: {type(raised).__name__}: {raised}")
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, name="local-planner", daemon=True).start()
    return await asyncio.wait_for(future, seconds)

"""A chat model in its worker: a large GGUF, its own template, and replies within a grammar.

The template is a program that the model's author wrote. It is run once, under limits, with marks in place of what is
said; a prompt is then put together by code. So it cannot be slow in the middle of a run, and no text that is sent can
pose as one of the model's own marks: only the template's are read as such.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.errors import ModelFileError, ToolError
from tools.micro.choose import Chooser, Options
from tools.micro.llama import Session, Tuning

SYSTEM, USER = "\ue000system\ue000", "\ue000user\ue000"
"""What stands for what is said while the template is run."""
_TWO = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
_ONE = [{"role": "user", "content": f"{SYSTEM}\n\n{USER}"}]
MOST_TEMPLATE, MOST_FRAME = 1 << 18, 1 << 16
"""The longest template, and the most that it may put around what is said, in characters."""
RENDERING_BYTES = 256 * 2**20
"""So much more memory may be in use while the template is run."""
BATCH = 512
"""Tokens of a prompt that are read at a time; between two of them a request can be given up."""


@dataclass(eq=False)
class Reply:
    """One that is being written: the tokens not read yet, and those written."""

    waiting: list[int]
    sent: int
    most: int
    chooser: Chooser
    said: list[int] = field(default_factory=list)
    error: ToolError | None = None


class Chat:
    """Writes one reply after another, a token a step. `context` is how many tokens of prompt and reply it takes."""

    def __init__(self, path: Path, context: int, gpu_layers: int, threads: int) -> None:
        self._path, self._session = path, _ChatSession(path, gpu_layers, context, threads)
        self.context = min(context, self._session.trained)
        self._queue: deque[Reply] = deque()
        self._frame: list[str] = []
        self._held: list[int] = []  # the tokens that the cache has read

    def frame(self, plain: str) -> tuple[bool, int]:
        """Runs the template, or takes `plain` where the model has none, in which SYSTEM and USER stand as marks.

        Gives whether there is a template, and how many tokens it puts around what is said.
        """
        template = self._session.template()
        with _little_memory():
            text = self._rendered(template) if template else plain
        self._frame = re.split(f"({SYSTEM}|{USER})", text)
        return bool(template), len(self._tokens("", ""))

    def count(self, text: str) -> int:
        """The tokens of a text that is said."""
        return len(self._session.split(text, marks=False))

    def begin(self, system: str, user: str, grammar: str, most: int) -> Reply:
        """Queues a reply of at most `most` tokens; raises ArgumentError for a grammar that is too large or none."""
        prompt = self._tokens(system, user)
        if len(prompt) + most > self.context:
            raise ToolError(f"a prompt of {len(prompt)} tokens and a reply of {most} are more than {self.context}")
        reply = Reply(prompt, len(prompt), most, Chooser(self._session, Options(grammar=grammar)))
        self._queue.append(reply)
        return reply

    def step(self) -> list[Reply]:
        """Reads a part of the first reply's prompt, or writes a token of it; gives it once it is finished."""
        reply = self._queue[0]
        try:
            is_finished = self._go_on(reply)
        except ToolError as error:
            reply.error, is_finished, self._held = error, True, []
        if not is_finished:
            return []
        self.drop(reply)
        return [reply]

    def result(self, reply: Reply) -> list[Any]:
        """The text, the tokens of the prompt, and those written."""
        if reply.error is not None:
            raise reply.error
        text = b"".join(map(self._session.text, reply.said)).decode(errors="replace")
        return [text, reply.sent, len(reply.said)]

    def drop(self, reply: Reply) -> None:
        reply.chooser.close()
        self._queue.remove(reply)

    def _go_on(self, reply: Reply) -> bool:
        if not reply.said and len(reply.waiting) == reply.sent:
            at = self._session.keep(_common(self._held, reply.waiting[:-1]))
            self._held, reply.waiting = self._held[:at], reply.waiting[at:]
        batch, reply.waiting = reply.waiting[:BATCH], reply.waiting[BATCH:]
        scores = self._session.read(batch, len(self._held))
        self._held += batch
        if reply.waiting:
            return False
        if not math.isfinite(scores.max()):
            raise ToolError(f"{self._path}: its scores are no numbers, as of a damaged model; take another file")
        try:
            token = reply.chooser.choose(scores, int(scores.argmax()))
        except ToolError:
            why = "none of its tokens can go on with a decision, as of a damaged model"
            raise ToolError(f"{self._path}: {why}; take another file") from None
        if self._session.ends(token):
            return True
        reply.said.append(token)
        reply.waiting = [token]
        return len(reply.said) >= reply.most

    def _tokens(self, system: str, user: str) -> list[int]:
        session, said, tokens = self._session, {SYSTEM: system, USER: user}, list[int]()
        for part in self._frame:
            tokens += session.split(said.get(part, part), marks=part not in said)
        return session.begun(tokens)

    def _rendered(self, template: str) -> str:
        """The template with a system message, or with one message of both for those that refuse or leave it out."""
        why = ""
        for messages in (_TWO, _ONE):
            try:
                text = self._formatted(template, messages)
            except Exception as error:  # templates are programs of their authors; some are no Jinja either
                why = str(error) or type(error).__name__
                continue
            if SYSTEM in text and USER in text and len(text) <= MOST_FRAME:
                return text
            why = "it adds too much" if len(text) > MOST_FRAME else "it leaves out what is said"
        raise ModelFileError(f"{self._path}: its chat template fails ({why[:200]}); take another model")

    def _formatted(self, template: str, messages: list[dict[str, str]]) -> str:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        first, last = self._session.marks()
        formatter: Any = Jinja2ChatFormatter(template, eos_token=last, bos_token=first)
        return str(formatter(messages=messages).prompt)


class _ChatSession(Session):
    """A session with one conversation, in the words of a chat model."""

    def __init__(self, path: Path, gpu_layers: int, context: int, threads: int) -> None:
        super().__init__(path, gpu_layers, tuning=Tuning(threads, BATCH, flash=False, lanes=1, cells=context))
        self.trained = int(self._api.llama_model_n_ctx_train(self._model))

    def template(self) -> str:
        text = self._api.llama_model_chat_template(self._model, None) or b""
        if len(text) > MOST_TEMPLATE:
            raise ModelFileError(f"{self._path}: its chat template has {len(text):,} bytes; take another model")
        return str(text.decode(errors="replace"))

    def marks(self) -> tuple[str, str]:
        """What a text begins and ends with."""
        ends = self._api.llama_vocab_bos(self.vocabulary), self._api.llama_vocab_eos(self.vocabulary)
        return self._mark(ends[0]), self._mark(ends[1])

    def _mark(self, token: int) -> str:
        text = self._api.llama_vocab_get_text(self.vocabulary, token) if token >= 0 else b""
        return (text or b"").decode(errors="replace")

    def split(self, text: str, marks: bool) -> list[int]:
        """The tokens of a text, in which the model's own marks may stand or mean nothing.

        There may be more tokens than bytes: some tokenizers make three of a space.
        """
        data = text.encode(errors="replace")
        size = len(data) + 8
        while True:
            room = (self._api.llama_token * size)()
            count = self._api.llama_tokenize(self.vocabulary, data, len(data), room, size, False, marks)
            if count >= 0:
                return list(room[:count])
            size = -count

    def begun(self, tokens: list[int]) -> list[int]:
        """The tokens with the mark of the beginning before them, once, where the model wants it."""
        first = self._api.llama_vocab_bos(self.vocabulary)
        wanted = first >= 0 and self._api.llama_vocab_get_add_bos(self.vocabulary)
        return [first, *tokens] if wanted and tokens[:1] != [first] else tokens

    def keep(self, count: int) -> int:
        """Forgets all but the first `count` tokens; how many are left, which some models cannot do but for none."""
        if count and self._api.llama_memory_seq_rm(self._memory, 0, count, -1):
            return count
        self._api.llama_memory_clear(self._memory, True)
        return 0

    def read(self, tokens: Sequence[int], at: int) -> Any:
        """Reads tokens from place `at` on; the scores [vocabulary] after the last."""
        count = len(tokens)
        wanted = [0] * (count - 1) + [1]
        return self.decode(tokens, range(at, at + count), [0] * count, wanted)[0]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@contextmanager
def _little_memory() -> Iterator[None]:
    """Bounds the memory of this process from here on."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + RENDERING_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

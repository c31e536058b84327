"""The planner on this machine: any instruct GGUF, run by llama.cpp in a worker process of its own.

The decision's schema is the grammar, typed for the tools at hand and bounded, so that even a model with random weights
returns a decision that can be read. A first grammar leaves room to think; where a reply does not end within its limit,
a second one, whose longest reply fits the limit, makes it end.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agent import prompts
from agent.errors import ProviderUnavailable, UnsoundPlan, UsageError, ZooidError
from agent.planners import Ask, Meter, Reply, decisions, grammar
from agent.prices import FREE
from agent.prompts import Prompt
from agent.task import Decision, Usage
from tools import stop
from tools.errors import ModelFileError, ToolError

TEMPLATE_SECONDS = 10.0
"""For running a model's own template, once."""
COUNT_SECONDS = 60.0
"""For making a text into tokens; most take milliseconds."""
FAR_TOO_LONG = 32
"""Characters for each token of the context."""

_RESUME = "zooid resume --last --model FILE.gguf"
_T = TypeVar("_T")
Note = Callable[[str], None]


class LocalPlanner:
    """Asks a GGUF for decisions, one at a time. `context` and `max_tokens` are in tokens; `timeout`, in seconds, is for
    loading the model, and for each of its replies.

    `gpu_layers` is how many layers go on the GPU, -1 for all; a build without one leaves them on the processor. A file
    whose SHA-256 is not `sha256`, where one is given, is not loaded.
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
        sha256: str = "",
    ) -> None:
        self.path = Path(model_path)
        self.name = f"local:{self.path.stem}"
        self._context, self._gpu_layers, self._max_tokens = context, gpu_layers, max_tokens
        # As many threads as there are cores, where each has two: one more waits for the slowest, and wastes its time.
        self._timeout, self._threads = timeout, threads or max(1, (os.cpu_count() or 1) // 2)
        self._sha256 = sha256
        self._model: _Model | None = None
        self._one = threading.Lock()  # a model writes one reply at a time
        self._closed = False

    async def decide(self, ask: Ask, note: Note) -> Reply:
        link = _Link(asyncio.get_running_loop(), ask.meter, note)
        try:
            decision = await _in_thread(lambda: self._decide(ask, link))
        finally:
            link.stop.now()  # a reply that nobody waits for is given up at its next token
        return Reply(decision, ask.meter.spent)

    async def close(self) -> None:
        self._closed = True
        if self._model is not None:
            self._model.close()

    def _decide(self, ask: Ask, link: _Link) -> Decision:
        stop.current.set(link.stop)
        with self._one:
            if link.stop.wanted or self._closed:
                raise ProviderUnavailable(f"{self.name} was closed")
            if self._model is not None and self._model.ended:
                self._model.close()
                self._model = None
            if self._model is None:
                self._model = _Model(self.path, self._timeout)
                self._model.load(self._context, self._gpu_layers, self._threads, self._sha256, link.note)
            return self._decided(self._model, ask, link)

    def _decided(self, model: _Model, ask: Ask, link: _Link) -> Decision:
        most = min(self._max_tokens, model.context // 2)
        prompt = prompts.build(ask, model.context - most - model.overhead, model.count, with_schema=False)
        why = ""
        for is_last in (False, True):
            user = _user(prompt, why)
            sent = model.size(prompt.system, user, most)
            most = link.reserve(sent, most)
            rules = grammar.frugal(ask, most) if is_last else grammar.generous(ask)
            started = time.monotonic()
            said, sent, got = model.reply(prompt.system, user, rules, most)
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
    stop: stop.Stop = field(default_factory=stop.Stop)

    def note(self, text: str) -> None:
        self._call(self.tell, text)

    def reserve(self, sent: int, most: int) -> int:
        """Waits for as long as anybody waits for the decision."""
        asked = asyncio.run_coroutine_threadsafe(self.meter.reserve(sent, most, FREE), self.loop)
        while not asked.done() and not self.stop.wanted:
            concurrent.futures.wait([asked], 0.2)
        if not asked.done():
            raise ProviderUnavailable("nobody waits for this decision")
        return asked.result() or most

    def settle(self, used: Usage) -> None:
        if not self.stop.wanted:
            self._call(self.meter.settle, used)

    def _call(self, what: Callable[[_T], None], value: _T) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(what, value)


def _user(prompt: Prompt, why: str) -> str:
    again = prompts.render("again", {"error": why, "beginning": ""}) if why else ""
    return f"{prompt.user}\n\n{again}" if why else prompt.user


class _Model:
    """A GGUF in its worker: what goes wrong there is an error of one call, and named by the file."""

    def __init__(self, path: Path, seconds: float) -> None:
        from tools.micro.worker import Worker

        self._path, self._seconds = path, seconds
        self._worker = Worker()
        self.context = self.overhead = 0  # in tokens; the latter of the template, around what is said

    @property
    def ended(self) -> bool:
        return not self._worker.alive()

    def load(self, context: int, gpu_layers: int, threads: int, sha256: str, note: Note) -> None:
        """Checks the file, has it loaded and its template run; raises ModelFileError, and ends, where one fails."""
        from tools.micro import chat

        try:
            self._check(sha256, note)
            wanted = str(self._path.absolute()), context, gpu_layers, threads
            late = f"{self._path}: it was not loaded within {self._seconds:.0f} seconds; take a smaller model"
            self.context = self._ask("open", self._seconds, ModelFileError(late), *wanted)
            plain = prompts.render("plain", {"system": chat.SYSTEM, "user": chat.USER})
            seconds = min(self._seconds, TEMPLATE_SECONDS)
            late = f"{self._path}: its chat template did not come to an end within {seconds:.0f} seconds"
            has_template, self.overhead = self._ask(
                "frame", seconds, ModelFileError(f"{late}; take another model"), plain
            )
        except BaseException:
            self.close()
            raise
        if not has_template:
            note(f"{self._path.name} has no chat template, so it may be no instruct model; a plain prompt is used")

    def _check(self, sha256: str, note: Note) -> None:
        """What would make llama.cpp end the process never gets there, nor a file that is not the one it should be."""
        from tools.micro import digests, gguf

        gguf.check(self._path)
        found, earlier = digests.digest(self._path)
        if sha256 and found != sha256:
            way = "take the file that you meant, or correct the setting model_sha256"
            raise ModelFileError(f"{self._path}: its SHA-256 is {found}, and not {sha256}; {way}")
        if earlier not in ("", found):
            note(f"{self._path.name} is another file than when it was last used (SHA-256 {found[:16]}…)")

    def count(self, text: str) -> int:
        """The tokens of a text; of one that is far too long in any case it is a guess, as counting is slow there."""
        if len(text) > FAR_TOO_LONG * self.context:
            return len(text) // 8
        return int(self._ask("count", min(self._seconds, COUNT_SECONDS), self._late(), text))

    def size(self, system: str, user: str, most: int) -> int:
        """The tokens of a prompt; raises UsageError where it leaves no room for a reply of `most`."""
        sent = self.count(system) + self.count(user) + self.overhead
        if sent + most > self.context:
            raise UsageError(
                f"the prompt is {sent:,} tokens long, and {self._path.name} takes {self.context - most:,} "
                "beside its reply; shorten the goal, or take a model with a longer context"
            )
        return sent

    def reply(self, system: str, user: str, rules: str, most: int) -> tuple[str, int, int]:
        """What the model says within the grammar, the prompt's tokens, and its own."""
        said, sent, got = self._ask("say", self._seconds, self._late(), system, user, rules, most)
        return said, sent, got

    def _late(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"{self._path} gave no decision within {self._seconds:.0f} seconds; take a smaller model, then: {_RESUME}"
        )

    def _ask(self, what: str, seconds: float, late: Exception, *given: Any) -> Any:
        from tools.micro.worker import WorkerDied

        try:
            return self._worker.request(what, seconds, *given)
        except WorkerDied as died:
            text = f"{self._path}: the process of the model {died}; take another model"
            if what in ("open", "frame"):
                raise ModelFileError(text) from None
            raise ProviderUnavailable(f"{text}, then: {_RESUME}") from None
        except ToolError:
            if self._worker.ended:  # it was still at it when its time was over
                raise late from None
            raise

    def close(self) -> None:
        self._worker.close()


async def _in_thread(call: Callable[[], _T]) -> _T:
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
        except (ZooidError, ToolError) as known:
            error = known
        except BaseException as raised:
            error = ModelFileError(f"the local model failed: {type(raised).__name__}: {raised}")
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, name="local-planner", daemon=True).start()
    return await future

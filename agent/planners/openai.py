"""The planner behind any OpenAI-compatible endpoint.

Four layers, each calling the next: `decide` builds the prompt, `_ask` asks again where a reply cannot be read, `_send`
goes down from the JSON schema to what the server can do and retries what is worth it, `_post` is one request.
"""

from __future__ import annotations

import asyncio
import email.utils
import functools
import json
import random
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from agent import prices, prompts, tokens
from agent.errors import ConfigError, KeyRefused, ProviderUnavailable, UnsoundPlan, UsageError
from agent.planners import Ask, Meter, Reply, decisions
from agent.prompts import Prompt
from agent.task import Decision, Usage
from tools import redact

REASKS = 2
WAYS = ("schema", "tool", "text")
"""How a reply is made to be a decision, best first: the server's JSON schema, a forced tool call, words alone."""

Note = Callable[[str], None]
Message = dict[str, str]

_OPENAI = "https://api.openai.com/v1"
_WORTH_A_RETRY = frozenset((408, 409, 425, 429))
_LASTING = frozenset((501, 505, 506, 508, 510, 511))  # of the 5xx, those that say the same the next time
_CUT_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)  # what a dead connection looks like there
_NO_HOST = frozenset((socket.EAI_NONAME, socket.EAI_FAIL, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)))
_MOST_BYTES = 16 * 2**20  # of a reply
_LONGEST_WAIT = 60.0  # seconds that one Retry-After may take


class _Transient(Exception):
    """A call that came to nothing and may well succeed when it is made again; `after` is the server's Retry-After."""

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.after = after


class _Unheard(_Transient):
    """A call whose answer never came whole: it may have been billed."""


class _Refused(Exception):
    """An answer with a status that is no success, as it came."""

    def __init__(self, status: int, headers: Mapping[str, str], text: bytes) -> None:
        super().__init__(status)
        self.status, self.headers, self.text = status, headers, text


class _Lacking(Exception):
    """The server does not know the way the reply was asked for."""


@dataclass(slots=True)
class _Call:
    """One decision being asked for."""

    note: Note
    deadline: float
    meter: Meter
    sent: int = 0  # tokens of the request, schema and all, as they are counted here


class OpenAIPlanner:
    """Asks a model behind an OpenAI-compatible endpoint for decisions.

    `timeout` and `deadline` are in seconds, a request and a decision; `own_prices` are in US dollars a million tokens,
    `{model: {"input": …, "output": …}}`, and come before those that `agent.prices` knows.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 120.0,
        max_retries: int = 4,  # so that the same call is made at most five times
        *,
        deadline: float = 600.0,
        context_tokens: int = 16_000,
        max_tokens: int | None = None,
        own_prices: Mapping[str, Mapping[str, float]] | None = None,
        backoff: float = 0.5,
    ) -> None:
        self.name = f"openai:{model}"
        self.model = model
        self._base_url, self._key = base_url, api_key or ""
        redact.know(self._key)
        self._timeout, self._retries, self._deadline, self._backoff = timeout, max_retries, deadline, backoff
        self._context, self._max_tokens = context_tokens, max_tokens
        self._own_prices = own_prices
        self._way = 0  # of WAYS; only ever goes down, and stays for the planner's life
        self._client: Any = None

    async def decide(self, ask: Ask, note: Note) -> Reply:
        prompt = prompts.build(ask, self._context, self._counter)
        call = _Call(note, time.monotonic() + self._deadline, ask.meter)
        return Reply(await self._ask(prompt, call), ask.meter.spent)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _counter(self, text: str) -> int:
        """Counted exactly only where it could matter: tiktoken takes a third of a second to load its table."""
        guess = tokens.estimate(text)
        return guess if 2 * guess < self._context else tokens.count(text, self.model)

    # -- asking again

    async def _ask(self, prompt: Prompt, call: _Call) -> Decision:
        """A decision; a reply that cannot be read is told back, alone, at most twice."""
        messages, call.sent = prompt.messages(), prompts.size(prompt, self._counter)
        for left in range(REASKS, -1, -1):
            said, cut = _said(await self._send(prompt, messages, call))
            try:
                return decisions.parse(said)
            except UnsoundPlan as error:
                if not left:
                    what = f"{self.model} gave no decision that can be read in {REASKS + 1} replies: {error}"
                    raise UnsoundPlan(what) from None
                why = "it was cut off at the limit of a reply's length; reply in fewer words" if cut else str(error)
            call.note(f"{self.model}: {why}; asked again")
            again = prompts.render("again", {"error": why, "beginning": tokens.trim(said, 60)})
            messages = [*prompt.messages(), {"role": "user", "content": again}]
            call.sent = prompts.size(prompt, self._counter) + self._counter(again)
        raise AssertionError("the last round returns or raises")

    # -- the ways down

    async def _send(self, prompt: Prompt, messages: list[Message], call: _Call) -> dict[str, Any]:
        """The server's reply, asked for in the best way that it knows; the way that worked is kept."""
        why = ""
        for way in range(self._way, len(WAYS)):
            if why:
                call.note(
                    f"{self.model}: no structured output by {WAYS[way - 1]} ({why[:120]}); going on by {WAYS[way]}"
                )
            try:
                reply = await self._retried(self._body(WAYS[way], prompt, messages), call)
            except _Lacking as error:
                why = str(error)
                continue
            self._way = max(self._way, way)
            return reply
        raise ConfigError(
            f"the server at {self._address()} refuses the request for the model {self.model!r} ({why}); "
            "check --model and --base-url"
        )

    def _body(self, way: str, prompt: Prompt, messages: list[Message]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "messages": messages}
        if way == "schema":
            wanted = {"name": "decision", "schema": prompt.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        elif way == "tool":
            body["tools"] = [{"type": "function", "function": {"name": "decide", "parameters": prompt.schema}}]
            body["tool_choice"] = {"type": "function", "function": {"name": "decide"}}
        return body

    # -- retries

    async def _retried(self, body: dict[str, Any], call: _Call) -> dict[str, Any]:
        """The reply, tried for as long as that is worth it; ProviderUnavailable after that."""
        try:
            return await self._post(body, call)
        except _Transient as error:
            first = error
        return await self._again(lambda: self._post(body, call), first, call)

    async def _again(
        self, post: Callable[[], Awaitable[dict[str, Any]]], first: _Transient, call: _Call
    ) -> dict[str, Any]:
        import tenacity

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            after = error.after if isinstance(error, _Transient) else None
            jitter = float(random.uniform(0.5, 1.0) * min(20.0, self._backoff * 2**state.attempt_number))
            return jitter if after is None else min(after, _LONGEST_WAIT) + 0.1 * jitter

        def stop(state: tenacity.RetryCallState) -> bool:
            late = time.monotonic() + state.upcoming_sleep >= call.deadline
            return late or state.attempt_number > self._retries

        def tell(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            call.note(f"{self.model}: {error}; try {state.attempt_number + 1} in {state.upcoming_sleep:.1f} s")

        pending: list[_Transient] = [first]  # the call that was made before tenacity was needed is its first attempt

        async def attempt() -> dict[str, Any]:
            if pending:
                raise pending.pop()
            return await post()

        retrying = tenacity.AsyncRetrying(
            wait=wait, stop=stop, before_sleep=tell, retry=tenacity.retry_if_exception_type(_Transient), reraise=True
        )
        try:
            return await retrying(attempt)
        except _Transient as error:
            raise self._unavailable(error, call) from None

    def _unavailable(self, error: _Transient, call: _Call) -> ProviderUnavailable:
        calls = call.meter.spent.calls
        return ProviderUnavailable(
            f"{self.model} at {self._address()} could not be had in {calls} calls, the last time because {error}; "
            "what is done is kept, go on later with: zooid resume --last"
        )

    # -- one request

    async def _post(self, body: dict[str, Any], call: _Call) -> dict[str, Any]:
        """One request, reserved before it and settled after it; a cancelled one stays as it was reserved."""
        client = self._connected()
        most = await call.meter.reserve(call.sent, self._max_tokens, self._price)
        if most is not None:
            limit = "max_tokens" if self._base_url else "max_completion_tokens"  # OpenAI's own newer models insist
            body = {**body, limit: most}
        started = time.monotonic()
        try:
            reply = await self._answered(client, body, min(self._timeout, max(0.1, call.deadline - started)))
        except _Unheard:
            call.meter.settle(replace(call.meter.held, seconds=time.monotonic() - started))
            raise
        except Exception:  # it was refused, or never sent
            call.meter.settle(Usage(1, seconds=time.monotonic() - started, cost=self._cost(0, 0)))
            raise
        call.meter.settle(self._used(call.sent, reply, time.monotonic() - started))
        return reply

    async def _answered(self, client: Any, body: dict[str, Any], seconds: float) -> dict[str, Any]:
        """A reply is a chat completion, or it is an error that says what to do about it."""
        import httpx2
        import openai

        try:
            async with asyncio.timeout(seconds):  # a server that sends a byte now and then must end as well
                text = await self._exchange(client, body)
        except TimeoutError:
            raise _Unheard(f"there was no answer within {seconds:.0f} seconds") from None
        except openai.APIConnectionError as error:
            raise self._broken(error.__cause__ if isinstance(error.__cause__, Exception) else error) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as error:
            raise self._broken(error) from None
        except _Refused as refused:
            raise self._refusal(refused.status, _error_in(refused.text), refused.headers, body) from None
        return self._completion(text, body)

    async def _exchange(self, client: Any, body: dict[str, Any]) -> bytes:
        """The body of a server's answer. No redirect is followed: the key is for this host alone.

        The plain `post`: what `chat.completions` adds is its import and a walk over every message.
        """
        said = json.dumps(body, ensure_ascii=False).encode(errors="replace")  # halves of characters have no bytes
        headers = {"Content-Type": "application/json", "X-Stainless-Raw-Response": "stream"}  # read here, with a limit
        options = {"headers": headers, "follow_redirects": False}
        response = (await client.post("/chat/completions", cast_to=object, content=said, options=options)).http_response
        try:
            return await self._whole(response)
        finally:
            await response.aclose()

    async def _whole(self, response: Any) -> bytes:
        """All that a server sends; raises ProviderUnavailable where that is more than a reply can be."""
        text = bytearray()
        async for part in response.aiter_bytes():
            text += part
            if len(text) > _MOST_BYTES:
                raise ProviderUnavailable(f"{self._address()} sent more than {_MOST_BYTES >> 20} MiB for one reply")
        return bytes(text)

    async def _refuse(self, response: Any) -> None:
        """Takes an answer that is none from the client, which would read all of it, however much that is."""
        if response.status_code >= 300:
            raise _Refused(response.status_code, response.headers, await self._whole(response))

    def _connected(self) -> Any:
        if self._client is None:
            import openai

            self._check_settings()
            hooks = {"response": [self._refuse]}
            self._client = openai.AsyncOpenAI(
                api_key=self._key or "none",
                base_url=self._base_url,
                max_retries=0,
                timeout=None,
                http_client=openai.DefaultAsyncHttpxClient(timeout=None, event_hooks=hooks),
            )
        return self._client

    def _broken(self, error: Exception) -> Exception:
        """What an exchange that came to no answer means: another try helps, or only another address does."""
        cause, said = _cause(error), self._clean(_words(_cause(error)))
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _CUT_TLS):
            return ConfigError(f"there is no safe connection to {self._address()} ({said}); check --base-url")
        if isinstance(cause, socket.gaierror) and cause.errno in _NO_HOST:
            return ProviderUnavailable(
                f"the host of {self._address()} is not known ({said}); check --base-url and the network, "
                "then go on with: zooid resume --last"
            )
        if isinstance(cause, ValueError):
            return ConfigError(f"{self._address()} is no server's address ({said}); check --base-url")
        kind = _Transient if type(error).__name__ == "ConnectError" else _Unheard
        return kind(f"the connection failed ({said})")

    def _check_settings(self) -> None:
        if not self._key and not self._base_url:
            raise ConfigError(
                "there is no key for the openai planner; set OPENAI_API_KEY, or name your server with --base-url"
            )
        if not self._key.isascii() or not self._key.isprintable():
            raise ConfigError("the key holds characters that no key has; check OPENAI_API_KEY")
        if self._base_url and not _is_address(self._base_url):
            raise ConfigError(f"{self._base_url!r} is no server's address; give one such as http://localhost:8000/v1")

    def _completion(self, text: bytes, body: dict[str, Any]) -> dict[str, Any]:
        try:
            reply = redact.value(json.loads(text))
        except (ValueError, RecursionError):
            raise _Unheard("the answer was cut off, or is no JSON") from None
        error = reply.get("error") if isinstance(reply, dict) else None
        if error:  # some gateways report a failure in an answer of status 200
            status = error.get("code") if isinstance(error, dict) else None
            raise self._refusal(status if isinstance(status, int) and status >= 400 else 500, error, {}, body)
        if _message(reply) is None:
            raise _Unheard("the answer was no chat completion")
        return dict(reply)

    def _refusal(self, status: int, error: Any, headers: Mapping[str, str], body: dict[str, Any]) -> Exception:
        """What a refusal means: for the person, for the retry, or for the way that the reply is asked for."""
        told = error if isinstance(error, dict) else {"message": error}
        code, what = str(told.get("code") or told.get("type")), self._clean(str(told.get("message") or error))
        if status in (401, 403):
            return self._key_refused(status, what)
        if status < 400:
            where = self._clean(_host(headers.get("location", "")))
            return ConfigError(
                f"{self._address()} points elsewhere ({status}{where and f': {where}'}), where the key is not sent; "
                "give the right address with --base-url"
            )
        if code == "insufficient_quota" or status == 402:
            return ProviderUnavailable(
                f"{self._address()} says that the account's quota is used up; add to it, then: zooid resume --last"
            )
        if status not in _WORTH_A_RETRY and (status == 413 or _TOO_LONG.search(f"{code} {what}")):
            return self._over(body, what)
        if status not in _WORTH_A_RETRY and body.keys() & _STRUCTURE and _OF_STRUCTURE.search(what):
            return _Lacking(f"{status}: {what}")  # llama-cpp-python's server says so with a 500
        if status in _WORTH_A_RETRY or (status >= 500 and status not in _LASTING):
            return _Transient(f"the server said {status}: {what}", _retry_after(headers))
        if _NO_MODEL.search(f"{code} {what}"):
            return ConfigError(
                f"there is no model {self.model!r} at {self._address()} ({what}); check --model and --base-url"
            )
        if status in (400, 404, 415, 422):
            return _Lacking(f"{status}: {what}")
        if status in (405, 410):
            return ConfigError(f"{self._address()} takes no such request ({status}: {what}); check --base-url")
        return ProviderUnavailable(f"{self._address()} refused the request ({status}): {what}")

    def _key_refused(self, status: int, what: str) -> KeyRefused:
        """Of a 401 the server's words are left out: they often hold part of the key."""
        why = f"{status}: {what}" if status == 403 else f"{status}"
        return KeyRefused(f"{self._address()} does not accept the key for {self.model!r} ({why}); check OPENAI_API_KEY")

    def _over(self, body: dict[str, Any], what: str) -> UsageError:
        sent = tokens.count(json.dumps(body, ensure_ascii=False), self.model)
        return UsageError(
            f"the prompt of about {sent:,} tokens is over what {self.model} takes ({what}); "
            f"zooid sends at most {self._context:,}; shorten the goal or its inputs, or take a model with more room"
        )

    # -- what it cost, and what may be said

    @functools.cached_property
    def _price(self) -> prices.Price | None:
        return prices.of(self.model, self._base_url, self._own_prices)

    def _used(self, counted: int, reply: dict[str, Any], seconds: float) -> Usage:
        """What one call cost: by the server's word, estimated where it gave none."""
        told = reply.get("usage")
        if isinstance(told, dict) and _is_count(told.get("prompt_tokens")):
            sent, said, estimated = told["prompt_tokens"], told.get("completion_tokens"), False
            said = said if _is_count(said) else 0
        else:
            sent, said, estimated = counted, self._counter(_said(reply)[0]), True
        return Usage(1, sent, said, seconds, self._cost(sent, said), estimated)

    def _cost(self, sent: int, said: int) -> float | None:
        return self._price.cost(sent, said) if self._price else None

    def _address(self) -> str:
        """The server's address as it may be shown: without a name or password in it."""
        return re.sub(r"//[^/@]*@", "//", self._base_url or _OPENAI).rstrip("/")

    def _clean(self, text: str) -> str:
        """A server's words, short, on one line and with nothing of the key in them."""
        text = re.sub(r"\b(?:sk|key)-[\w*.-]{4,}|Bearer \S+", "…", redact.text(text))
        return " ".join("".join(c if c.isprintable() else " " for c in text[:1000]).split())[:300]


_TOO_LONG = re.compile(
    r"context_length_exceeded|string_above_max_length|context (?:length|window|size)|too many tokens|"
    r"prompt is too long|exceeds? (?:the )?(?:maximum|available) (?:context|number of tokens)",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|\bmodel\b.{0,120}\b(?:not found|does not exist)|"
    r"(?:unknown|no such|invalid) model|not a valid model",
    re.IGNORECASE | re.DOTALL,
)
_STRUCTURE = frozenset(("response_format", "tools"))
_OF_STRUCTURE = re.compile(
    r"response_format|json_schema|tool_choice|structured|grammar|support.{0,40} tool|tool.{0,40} support", re.IGNORECASE
)


def _message(data: Any) -> dict[str, Any] | None:
    """The message of a chat completion; None where it has none."""
    try:
        message = data["choices"][0]["message"]
    except (KeyError, IndexError, TypeError):
        return None
    return message if isinstance(message, dict) else None


def _said(data: dict[str, Any]) -> tuple[str, bool]:
    """What a model said, and whether it was cut off at the length limit."""
    message = _message(data) or {}
    cut = data["choices"][0].get("finish_reason") == "length"
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if arguments:
            return arguments if isinstance(arguments, str) else json.dumps(arguments), cut
    content = message.get("content")
    if isinstance(content, list):  # in parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else str(message.get("refusal") or ""), cut


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and 0 <= value < 10**12


def _error_in(text: bytes) -> Any:
    """What a refusal says: the `error` of its JSON, or its words."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return text[:2000].decode(errors="replace")
    return told.get("error", told) if isinstance(told, dict) else str(told)


def _cause(error: Exception) -> Exception:
    """What the system said that led to a connection error; the error itself only says that there was one."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, (OSError, ValueError)):
        found = found.__cause__ or found.__context__
    return found if isinstance(found, Exception) else error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _is_address(text: str) -> bool:
    try:
        return re.match(r"https?://[^/\s]+", text) is not None and urlsplit(text).port != 0
    except ValueError:  # no port has that number
        return False


def _host(address: str) -> str:
    """The scheme and host of an address; a path or a query may hold what is not to be shown."""
    found = re.match(r"(https?://)(?:[^/@?#]*@)?([^/?#]*)", address)
    return "".join(found.groups()) if found else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a Retry-After header asks for, in either of its forms."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None

"""Runs micro-models: loads each on its first call, keeps them within a memory budget, and asks them in batches."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.errors import ArgumentError, ModelFileError, ToolError
from tools.micro import gguf
from tools.micro.llama import Session
from tools.micro.manifest import TYPES, Input, MicroModel, render

Value = str | int | float


@dataclass(frozen=True, slots=True)
class MicroResult:
    """What a model answered. `confidence` is a probability: of the label, or of the whole generated text (0 where the
    answer did not come to its end); `seconds` is this call's share of the time, loading included."""

    value: Value
    confidence: float
    seconds: float
    tokens_in: int
    tokens_out: int


@dataclass
class _Loaded:
    session: Session
    size: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    used: float = 0.0


@dataclass
class _Lane:
    """A text that is being generated."""

    tokens_in: int
    text: bytes = b""
    confidence: float = 1.0
    tokens_out: int = 0
    ended: bool = False


class Engine:
    """Runs micro-models in this process. Safe to call from several threads; a model runs one batch at a time.

    `gpu_layers` is how many layers go to the GPU where the build of llama.cpp has one (-1: all). `budget` is how many
    bytes of model files are kept loaded: beyond it those go that were not used for the longest time.
    """

    def __init__(self, gpu_layers: int = -1, budget: int = 512 * 1024 * 1024, threads: int = 1) -> None:
        self.gpu_layers, self.budget, self.threads = gpu_layers, budget, threads
        self._loaded: dict[Path, _Loaded] = {}
        self._lock = threading.Lock()

    def call(self, model: MicroModel, inputs: Mapping[str, Any]) -> MicroResult:
        """Asks the model once; raises ArgumentError for inputs that do not fit, ModelFileError for an unusable file."""
        return self.call_many(model, [inputs])[0]

    def call_many(self, model: MicroModel, inputs: Sequence[Mapping[str, Any]]) -> list[MicroResult]:
        """Asks the model for every row of inputs, several at a time; the results are in the order of the rows."""
        started = time.perf_counter()
        rows = [_accept(model, row) for row in inputs]
        if not rows:
            return []
        with self._use(model) as session:
            answer = _classify if model.kind == "classify" else _generate
            answers = answer(session, model, rows)
        share = (time.perf_counter() - started) / len(rows)
        return [MicroResult(value, sure, share, took, gave) for value, sure, took, gave in answers]

    def loaded(self) -> list[Path]:
        """The files that are loaded, the one that was not used for the longest time first."""
        with self._lock:
            return sorted(self._loaded, key=lambda path: self._loaded[path].used)

    def unload_idle(self, seconds: float) -> int:
        """Unloads what was not used for that long; gives the number of models unloaded."""
        with self._lock:
            before = time.monotonic() - seconds
            idle = [path for path, one in self._loaded.items() if not one.users and one.used <= before]
            for path in idle:
                self._loaded.pop(path).session.close()
            return len(idle)

    def close(self) -> None:
        """Unloads every model that is not in use; the engine can still be called, and loads again."""
        self.unload_idle(0)

    @contextmanager
    def _use(self, model: MicroModel) -> Iterator[Session]:
        # Loading takes hundredths of a second, so that it may hold the engine's lock; running never does.
        with self._lock:
            one = self._loaded.get(model.path) or self._load(model)
            one.users += 1
        try:
            with one.lock:
                yield one.session
        finally:
            with self._lock:
                one.users -= 1
                one.used = time.monotonic()

    def _load(self, model: MicroModel) -> _Loaded:
        gguf.check(model.path)
        _check_digest(model)
        size = model.path.stat().st_size
        self._make_room(size)
        one = _Loaded(Session(model.path, self.gpu_layers, self.threads), size, used=time.monotonic())
        try:
            _label_tokens(one.session, model)
        except ModelFileError:
            one.session.close()
            raise
        self._loaded[model.path] = one
        return one

    def _make_room(self, size: int) -> None:
        """Unloads until `size` more bytes are within the budget; a model in use stays, even beyond the budget."""
        kept = sum(one.size for one in self._loaded.values())
        for path in sorted(self._loaded, key=lambda path: self._loaded[path].used):
            if kept + size <= self.budget:
                return
            if not self._loaded[path].users:
                one = self._loaded.pop(path)
                one.session.close()
                kept -= one.size


def _check_digest(model: MicroModel) -> None:
    with model.path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.provenance.sha256:
        raise ModelFileError(
            f"{model.path}: its SHA-256 is {found}, not that of the manifest; copy the model again, or write the new "
            f"one as `provenance.sha256` if you changed the file yourself"
        )


def _accept(model: MicroModel, inputs: Mapping[str, Any]) -> dict[str, str]:
    """The inputs as texts; raises ArgumentError, naming the parameter, where they do not fit the manifest."""
    unknown = set(inputs) - {i.name for i in model.inputs}
    if unknown:
        wanted = ", ".join(i.name for i in model.inputs)
        raise ArgumentError(f"{model.name} takes {wanted}, not {', '.join(sorted(unknown))}; name its arguments so")
    return {i.name: _accept_one(model, i, inputs.get(i.name)) for i in model.inputs}


def _accept_one(model: MicroModel, wanted: Input, value: object) -> str:
    kind = TYPES[wanted.type]
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if not fits or (isinstance(value, str) and not value.strip()):
        found = "empty" if isinstance(value, str) else "missing" if value is None else f"of type {type(value).__name__}"
        raise ArgumentError(f"{model.name}: `{wanted.name}` is {found}; give {wanted.doc} ({wanted.type})")
    text = " ".join(str(value).split())
    if model.kind == "generate" and len(text.encode("utf-8")) > model.max_input:
        # a classifier can judge by the beginning; what is made from half of an input would be wrong, and look right
        raise ArgumentError(f"{model.name}: `{wanted.name}` has more than {model.max_input} bytes; give a shorter one")
    return text.lower() if model.lower else text


def cut(text: str, size: int) -> str:
    """The beginning of a text, at most `size` bytes of UTF-8, ending between two characters."""
    return text.encode("utf-8")[:size].decode("utf-8", errors="ignore")


def stretches(text: str, size: int, most: int) -> list[str]:
    """A text in at most `most` pieces of at most `size` bytes each, cut between words where there is room."""
    pieces: list[str] = []
    while text and len(pieces) < most:
        piece = cut(text, size)
        if len(piece) < len(text) and " " in piece and most > 1:
            piece = piece[: piece.rindex(" ") + 1]
        pieces.append(piece.strip())
        text = text[len(piece) :]
    return [piece for piece in pieces if piece] or [""]


def _prompt(session: Session, model: MicroModel, row: dict[str, str], room: int) -> list[int]:
    """The tokens of a row; texts are cut until they leave `room` tokens for the answer."""
    size = model.max_input
    while True:
        tokens = session.tokens(render(model, {name: cut(text, size) for name, text in row.items()}))
        if len(tokens) + room <= session.longest:
            return tokens
        if size < 2:
            raise ModelFileError(f"{model.path}: its context of {session.longest} tokens is too short for its template")
        size //= 2


def _label_tokens(session: Session, model: MicroModel) -> list[int]:
    ids = []
    for label in model.labels:
        tokens = session.tokens(label.token, special=True)
        if len(tokens) != 1:
            found = f"the label token `{label.token}` is {len(tokens)} tokens of the model"
            raise ModelFileError(f"{model.folder}: {found}; name a single one")
        ids.append(tokens[0])
    return ids


Answer = tuple[Value, float, int, int]


def _log_softmax(logits: Any) -> Any:
    import numpy

    shifted = logits - logits.max()
    return shifted - numpy.log(numpy.exp(shifted).sum())


def _classify(session: Session, model: MicroModel, rows: list[dict[str, str]]) -> list[Answer]:
    """One pass a stretch of text; the mean of the stretches' log probabilities decides."""
    import numpy

    ids = _label_tokens(session, model)
    pieces = [(number, piece) for number, row in enumerate(rows) for piece in _pieces(model, row)]
    prompts = [_prompt(session, model, piece, 0) for _, piece in pieces]
    sums, took = numpy.zeros((len(rows), len(ids))), [0] * len(rows)
    for at in range(0, len(prompts), session.lanes):
        logits = session.start(prompts[at : at + session.lanes])
        for offset, one in enumerate(logits):
            number = pieces[at + offset][0]
            sums[number] += _log_softmax(one[ids])
            took[number] += len(prompts[at + offset])
    parts = numpy.bincount([number for number, _ in pieces])
    answers: list[Answer] = []
    for number in range(len(rows)):
        shares = numpy.exp(_log_softmax(sums[number] / parts[number]))
        best = int(shares.argmax())
        answers.append((model.labels[best].text, float(shares[best]), took[number], 0))
    return answers


def _pieces(model: MicroModel, row: dict[str, str]) -> list[dict[str, str]]:
    """A row in as many rows as its longest text has stretches to be read."""
    longest = max(row, key=lambda name: len(row[name]))
    return [row | {longest: piece} for piece in stretches(row[longest], model.max_input, model.parts)]


def _generate(session: Session, model: MicroModel, rows: list[dict[str, str]]) -> list[Answer]:
    """Greedy, until the stop text, the end token or `max_tokens`; lanes run side by side."""
    prompts = [_prompt(session, model, row, model.max_tokens) for row in rows]
    answers: list[Answer] = []
    for at in range(0, len(prompts), session.lanes):
        some = prompts[at : at + session.lanes]
        lanes = [_Lane(len(prompt)) for prompt in some]
        running = dict(enumerate(session.start(some)))
        while running:
            drawn = {number: _extend(session, model, lanes[number], logits) for number, logits in running.items()}
            further = {number: [token] for number, token in drawn.items() if token is not None}
            running = dict(zip(further, session.step(further), strict=True)) if further else {}
        answers += [_answer(model, lane) for lane in lanes]
    return answers


def _extend(session: Session, model: MicroModel, lane: _Lane, logits: Any) -> int | None:
    """Adds the likeliest token; gives it, or None where the answer is at its end."""
    token = int(logits.argmax())
    lane.confidence *= math.exp(float(_log_softmax(logits)[token]))
    lane.tokens_out += 1
    lane.text += session.text(token)
    stop = model.stop.encode("utf-8")
    if session.ends(token) or stop in lane.text:
        lane.text, lane.ended = lane.text.partition(stop)[0], True
    return None if lane.ended or lane.tokens_out >= model.max_tokens else token


def _answer(model: MicroModel, lane: _Lane) -> Answer:
    text = lane.text.decode("utf-8", errors="replace")
    try:
        value: Value = TYPES[model.output](text)
    except ValueError as error:
        raise ToolError(f"{model.name} answered {text!r}, which is no {model.output}; ask it in other words") from error
    return value, lane.confidence if lane.ended else 0.0, lane.tokens_in, lane.tokens_out

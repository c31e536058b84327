"""Asks a loaded micro-model: makes texts of its inputs, runs them side by side, and makes values of what came out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from tools.errors import ModelFileError, ToolError
from tools.micro.choose import Chooser, Options
from tools.micro.decoder import Decoder, Lane, common
from tools.micro.draft import Draft, Habits
from tools.micro.llama import Session
from tools.micro.manifest import TYPES, MicroModel, render

Value = str | int | float
Answer = tuple[Value, float, int, int, list[float]]
"""Value, confidence, tokens read, tokens written, and the probability of each of these (or of each label, choice)."""
Row = dict[str, str]


def cut(text: str, size: int) -> str:
    """The beginning of a text, at most `size` bytes of UTF-8, ending between two characters."""
    if 4 * len(text) <= size:
        return text
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


@dataclass(slots=True, eq=False)
class Request:
    """Rows that are being asked: the lanes of each, or why it cannot be asked; `left` lanes are not finished."""

    choices: tuple[str, ...] = ()
    rows: list[list[Lane] | ToolError] = field(default_factory=list)
    left: int = 0


class Asker:
    """A micro-model in this process. `begin` and `step` interleave requests; `answer` asks one and waits for it."""

    def __init__(self, model: MicroModel, session: Session) -> None:
        self.model, self.session = model, session
        self.labels = _label_tokens(session, model)
        self._habits = Habits()
        self._head, self._tail = self._frame()
        self.decoder = Decoder(session, self._head if session.shares else [], model.stop.encode("utf-8"))
        self._owner: dict[Lane, Request] = {}

    def _frame(self) -> tuple[list[int], int]:
        """The tokens that every prompt begins with, and how many it ends with, whatever the inputs are."""
        one, two = (self.session.tokens(render(self.model, {i.name: c for i in self.model.inputs})) for c in "ax")
        head = common(one, two)
        return one[:head], min(common(one[::-1], two[::-1]), len(one) - head)

    def begin(self, rows: Sequence[Row], options: Options, choices: Sequence[str] = ()) -> Request:
        """Queues a request; nothing of it is `left` where no row can be asked."""
        request = Request(tuple(choices))
        make = self._choices if choices else self._classify if self.model.kind == "classify" else self._generate
        for row in rows:
            try:
                lanes = make(row, options, request.choices)
            except ToolError as error:
                request.rows.append(error)
                continue
            request.rows.append(lanes)
            request.left += len(lanes)
            for lane in lanes:
                self._owner[lane] = request
                self.decoder.add(lane)
        return request

    def step(self) -> list[Request]:
        """One pass for all requests; gives those that are finished."""
        finished = []
        for lane in self.decoder.step():
            request = self._owner.pop(lane)
            request.left -= 1
            if not request.left:
                finished.append(request)
        return finished

    def drop(self, request: Request) -> None:
        """Takes out what is left of a request."""
        for lane in [lane for lane, owner in self._owner.items() if owner is request]:
            del self._owner[lane]
            self.decoder.drop(lane)

    @property
    def busy(self) -> bool:
        return bool(self._owner)

    def answer(self, rows: Sequence[Row], options: Options, choices: Sequence[str] = ()) -> list[Answer]:
        """Asks for every row, in order; raises the first row's error where there is one."""
        request = self.begin(rows, options, choices)
        while request.left:
            self.step()
        return whole(self.result(request))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector of length 1 for each text."""
        return self.session.embed(self.session.tokens(text)[: self.session.longest] for text in texts)

    def result(self, request: Request) -> list[Answer | ToolError]:
        """The answers of a finished request; a row that failed has its error in its place."""
        return [self._of_row(lanes, request.choices) for lanes in request.rows]

    def _of_row(self, lanes: list[Lane] | ToolError, choices: tuple[str, ...]) -> Answer | ToolError:
        if isinstance(lanes, ToolError):
            return lanes
        error = next((lane.error for lane in lanes if lane.error is not None), None)
        if error is not None:
            return error
        if choices:
            return _picked(choices, [_chance(lane) for lane in lanes], len(lanes[0].prompt) - lanes[0].given)
        if self.model.kind == "classify":
            return self._classified(lanes)
        try:
            return _generated(self.model, lanes[0])
        except ToolError as wrong:
            return wrong

    def _prompt(self, row: Row, room: int) -> list[int]:
        """The tokens of a row; texts are cut until they leave `room` tokens for the answer."""
        size, longest = self.model.max_input, self.session.longest - len(self.decoder.prefix)
        while True:
            tokens = self.session.tokens(render(self.model, {name: cut(text, size) for name, text in row.items()}))
            if len(tokens) + room <= longest:
                return tokens
            if size < 2:
                short = f"its context of {self.session.longest} tokens is too short for its template"
                raise ModelFileError(f"{self.model.path}: {short}")
            size //= 2

    def _generate(self, row: Row, options: Options, choices: tuple[str, ...]) -> list[Lane]:
        model = self.model
        prompt = self._prompt(row, model.max_tokens)
        special = options.grammar or options.temperature
        source = prompt[common(prompt, self._head) : len(prompt) - self._tail]
        draft = Draft(source, self._habits) if options.draft else None
        chooser = Chooser(self.session, options) if special else None
        return [Lane(prompt, model.max_tokens, chooser, draft)]

    def _classify(self, row: Row, options: Options, choices: tuple[str, ...]) -> list[Lane]:
        """A row in as many lanes as its longest text has stretches to be read."""
        longest = max(row, key=lambda name: len(row[name]))
        pieces = stretches(row[longest], self.model.max_input, self.model.parts)
        return [Lane(self._prompt(row | {longest: piece}, 0)) for piece in pieces]

    def _choices(self, row: Row, options: Options, choices: tuple[str, ...]) -> list[Lane]:
        start = len(self.session.tokens(""))  # the start token, where the model has one
        given = [self.session.tokens(choice)[start:] for choice in choices]
        prompt = self._prompt(row, max(map(len, given)))
        return [Lane(prompt + tokens, given=len(tokens)) for tokens in given]

    def _classified(self, lanes: list[Lane]) -> Answer:
        """The mean of the stretches' log probabilities decides."""
        chances = sum(_log_softmax(lane.scores[0][self.labels]) for lane in lanes) / len(lanes)
        return _picked([label.text for label in self.model.labels], chances, sum(len(lane.prompt) for lane in lanes))


R = TypeVar("R")


def whole(rows: Sequence[R | ToolError]) -> list[R]:
    """The rows, none of which failed; raises the error of the first that did."""
    for row in rows:
        if isinstance(row, ToolError):
            raise row
    return cast("list[R]", list(rows))


def _label_tokens(session: Session, model: MicroModel) -> list[int]:
    ids = []
    for label in model.labels:
        tokens = session.tokens(label.token, special=True)
        if len(tokens) != 1:
            found = f"the label token `{label.token}` is {len(tokens)} tokens of the model"
            raise ModelFileError(f"{model.folder}: {found}; name a single one")
        ids.append(tokens[0])
    return ids


def _log_softmax(logits: Any) -> Any:
    import numpy

    logits = numpy.asarray(logits)
    shifted = logits - logits.max()
    return shifted - numpy.log(numpy.exp(shifted).sum())


def _chance(lane: Lane) -> float:
    """The logarithm of the probability of the tokens that were given."""
    tokens = lane.prompt[len(lane.prompt) - lane.given :]
    return sum(float(_log_softmax(scores)[token]) for scores, token in zip(lane.scores, tokens, strict=False))


def _picked(texts: Sequence[str], chances: Any, took: int) -> Answer:
    import numpy

    shares = numpy.exp(_log_softmax(chances))
    best = int(shares.argmax())
    return texts[best], float(shares[best]), took, 0, shares.tolist()


def _generated(model: MicroModel, lane: Lane) -> Answer:
    text = lane.text.decode("utf-8", errors="replace")
    if lane.chooser is not None and lane.chooser.bound and not lane.ended:
        most = f"{model.max_tokens} tokens"
        raise ToolError(f"{model.name} wrote nothing that the grammar allows as a whole within {most}; correct it")
    try:
        value: Value = TYPES[model.output](text)
    except ValueError as error:
        raise ToolError(f"{model.name} answered {text!r}, which is no {model.output}; ask it in other words") from error
    sure = math.prod(lane.chances) if lane.ended else 0.0
    return value, sure, len(lane.prompt), len(lane.tokens), lane.chances

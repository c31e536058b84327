"""Continuous batching: texts join the running batch when there is room, and leave it the moment they are at their end.

Every step is one pass of llama.cpp over what all lanes have to read: a whole prompt, the last token, guessed tokens.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.errors import ToolError
from tools.micro.choose import Chooser
from tools.micro.draft import MOST, Draft
from tools.micro.llama import Session

STEP = 96
"""No text joins a step that has this many tokens to read already: beyond that a pass gains nothing by being larger."""


@dataclass(slots=True, eq=False)
class Lane:
    """A text that is read, and what is generated after it; `chances` are the logarithms of the probabilities of the
    generated tokens."""

    prompt: list[int]
    max_tokens: int = 0
    stop: bytes = b""
    chooser: Chooser | None = None
    draft: Draft | None = None
    text: bytearray = field(default_factory=bytearray)
    chances: list[float] = field(default_factory=list)
    tokens_out: int = 0
    ended: bool = False  # by the stop text or the end token
    error: ToolError | None = None
    scores: Any = None  # after the prompt, of a lane that generates nothing: [1 + given tokens, vocabulary]
    given: int = 0  # how many tokens at the end of the prompt are a choice whose probability is asked
    number: int = -1
    at: int = 0
    pending: list[int] = field(default_factory=list)
    guess: list[int] = field(default_factory=list)
    outputs: int = 1  # how many places of the pass that is being made the scores are wanted of

    def extend(self, piece: bytes, ends: bool) -> bool:
        """Adds what a token says; tells whether the answer is at its end."""
        self.tokens_out += 1
        self.text += piece
        stop = self.stop
        if ends:
            self.ended = True
        elif stop and (stop in piece or len(stop) > 1):
            found = self.text.find(stop, max(0, len(self.text) - len(piece) - len(stop) + 1))
            if found >= 0:
                del self.text[found:]
                self.ended = True
        return self.ended or self.tokens_out >= self.max_tokens


class Decoder:
    """Runs lanes through one session; `prefix` is what (nearly) every prompt begins with, computed once."""

    def __init__(self, session: Session, prefix: Sequence[int] = ()) -> None:
        self.session, self.prefix = session, list(prefix)
        self.waiting: deque[Lane] = deque()
        self.active: list[Lane] = []
        self._free = list(range(session.lanes))[::-1]
        self._cells = session.cells
        self._read_prefix()

    def _read_prefix(self) -> None:
        """Reads the prefix into the cache, in a lane of its own that no text is given."""
        count = len(self.prefix)
        if count:
            self.session.decode(self.prefix, range(count), [self.session.lanes] * count, [0] * (count - 1) + [1])
        self._cells = self.session.cells - count

    def add(self, lane: Lane) -> None:
        """Queues a text; its prompt and answer must fit `session.longest`."""
        self.waiting.append(lane)

    def drop(self, lane: Lane) -> None:
        """Takes a text out, between two passes."""
        if lane in self.active:
            self._leave(lane)
        else:
            self.waiting.remove(lane)

    def step(self) -> list[Lane]:
        """One pass; gives the lanes that came to their end in it."""
        self._admit()
        if not self.active:
            return []
        try:
            scores = self._decode()
        except ToolError as error:
            return self._fail(error)
        likeliest, chances = _best(scores)
        done, row = [], 0
        for lane in self.active:
            end = row + lane.outputs
            try:
                if lane.outputs == 1 and lane.chooser is None and lane.max_tokens:
                    at_end = self._read_one(lane, likeliest[row], chances[row])
                else:
                    at_end = self._read(lane, scores[row:end], likeliest[row:end], chances[row:end])
            except ToolError as error:
                lane.error = error
                at_end = True
            if at_end:
                done.append(lane)
            row = end
        for lane in done:
            self._leave(lane)
        return done

    def _admit(self) -> None:
        if not self.waiting:
            return
        load = sum(len(lane.pending) + len(lane.guess) for lane in self.active)
        while self.waiting and self._free and (load < STEP or not self.active):
            lane = self.waiting[0]
            needed = len(lane.prompt) + lane.max_tokens
            if needed > self._cells and self.active:
                return
            self.waiting.popleft()
            self._cells -= needed
            self._enter(lane)
            load += len(lane.pending) + len(lane.guess)

    def _enter(self, lane: Lane) -> None:
        lane.number, shared = self._free.pop(), len(self.prefix)
        if shared and len(lane.prompt) - lane.given > shared and lane.prompt[:shared] == self.prefix:
            self.session.share(self.session.lanes, lane.number, shared)
            lane.at = shared
        lane.pending = lane.prompt[lane.at :]
        if lane.draft is not None:
            lane.guess = lane.draft.guess(min(MOST, lane.max_tokens - 1))
        self.active.append(lane)

    def _leave(self, lane: Lane) -> None:
        self.active.remove(lane)
        self.session.forget(lane.number)
        self._free.append(lane.number)
        self._cells += len(lane.prompt) + lane.max_tokens
        if lane.chooser is not None:
            lane.chooser.close()

    def _decode(self) -> Any:
        tokens: list[int] = []
        places: list[int] = []
        lanes: list[int] = []
        wanted: list[int] = []
        for lane in self.active:
            tokens += lane.pending
            tokens += lane.guess
            count, lane.outputs = len(lane.pending) + len(lane.guess), 1 + len(lane.guess) + lane.given
            if count == 1:
                places.append(lane.at)
                lanes.append(lane.number)
                wanted.append(1)
                continue
            places += range(lane.at, lane.at + count)
            lanes += [lane.number] * count
            wanted += [0] * (count - lane.outputs) + [1] * lane.outputs
        if self.session.pairs and sum(wanted) == 1:
            return self._paired(tokens, places, lanes, wanted)
        return self.session.decode(tokens, places, lanes, wanted)

    def _paired(self, tokens: list[int], places: list[int], lanes: list[int], wanted: list[int]) -> Any:
        """A pass that ends in one score has a second token's scored with it, which is not used: see `Session.pairs`."""
        if len(tokens) > 1:
            wanted[-2] = 1
            return self.session.decode(tokens, places, lanes, wanted)[1:]
        scores = self.session.decode(tokens * 2, [places[0], places[0] + 1], lanes * 2, [1, 1])
        self.session.forget(lanes[0], places[0] + 1)
        return scores[:1]

    def _read_one(self, lane: Lane, token: int, chance: float) -> bool:
        """As `_read`, for a lane of which one token is asked, and the likeliest taken: nearly all of them."""
        lane.at += len(lane.pending)
        lane.chances.append(chance)
        if lane.extend(*self.session.said[token]):
            return True
        if lane.draft is None:
            lane.pending = [token]
        else:
            self._go_on(lane, 0, token)
        return False

    def _read(self, lane: Lane, scores: Any, likeliest: list[int], chances: list[float]) -> bool:
        """Takes what the pass says of a lane; whether the lane is at its end."""
        if not lane.max_tokens:
            lane.scores = scores.astype("float64")
            return True
        lane.at += len(lane.pending)
        guess, right, token, said = lane.guess, 0, -1, self.session.said
        for token in likeliest:
            if lane.chooser is not None:
                likely, token = token, lane.chooser.choose(scores[right], token)
                chances[right] += float(scores[right][token] - scores[right][likely])
            if lane.extend(*said[token]):
                lane.chances += chances[: right + 1]
                return True
            if right == len(guess) or guess[right] != token:
                break
            right += 1
        lane.chances += chances[: right + 1]
        self._go_on(lane, right, token)
        return False

    def _go_on(self, lane: Lane, right: int, token: int) -> None:
        """Has a lane read, in the next pass, the token that came after the right part of its guess."""
        lane.at += right
        if right < len(lane.guess):  # what was guessed wrong is in the cache
            self.session.forget(lane.number, lane.at)
        lane.pending = [token]
        if lane.draft is not None:
            lane.draft.took(right, token)
            lane.guess = lane.draft.guess(min(MOST, lane.max_tokens - lane.tokens_out - 1))

    def _fail(self, error: ToolError) -> list[Lane]:
        """No lane can go on after a pass that failed: what the cache holds is not known."""
        failed = list(self.active)
        for lane in failed:
            lane.error = error
            self._leave(lane)
        self.session.forget()
        self._read_prefix()
        return failed


def _best(scores: Any) -> tuple[list[int], list[float]]:
    """The likeliest token of each row, and the logarithm of its probability."""
    import numpy

    if len(scores) == 1:
        row = scores[0]
        token = int(row.argmax())
        return [token], [-math.log(numpy.exp(row - row[token]).sum())]
    best = scores.argmax(axis=1)
    top = scores[numpy.arange(len(best)), best]
    sums = numpy.exp(scores - top[:, None]).sum(axis=1)
    return best.tolist(), (-numpy.log(sums)).tolist()

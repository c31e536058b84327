"""Continuous batching: texts join the running batch when there is room, and leave it the moment they are at their end.

Every step is one pass of llama.cpp over what all lanes have to read: a whole prompt, the last token, guessed tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.errors import ToolError
from tools.micro.choose import Chooser
from tools.micro.draft import MOST, Draft
from tools.micro.llama import Said, Session

STEP = 128
"""Texts join a pass up to so many tokens: llama.cpp's attention works on 64 at a time."""
MOST_KEPT = 1 << 18
"""So many scores of a text are kept at most before probabilities are made of them."""


@dataclass(slots=True, eq=False)
class Lane:
    """A text that is read, and the `tokens` that are generated after it, each with its probability in `chances`."""

    prompt: list[int]
    max_tokens: int = 0
    chooser: Chooser | None = None
    draft: Draft | None = None
    text: bytearray = field(default_factory=bytearray)
    tokens: list[int] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)  # of the scores that further chances are to be made of
    ended: bool = False  # by the stop text or the end token
    error: ToolError | None = None
    scores: Any = None  # after the prompt, of a lane that generates nothing: [1 + given tokens, vocabulary]
    given: int = 0  # how many tokens at the end of the prompt are a choice whose probability is asked
    number: int = -1
    at: int = 0
    pending: list[int] = field(default_factory=list)
    guess: list[int] = field(default_factory=list)
    outputs: int = 1  # how many places of the pass that is being made the scores are wanted of

    @property
    def at_end(self) -> bool:
        return self.ended or len(self.tokens) >= self.max_tokens

    def extend(self, tokens: list[int], said: Said) -> int:
        """Adds what the tokens say, up to the end of the answer; gives how many of them belong to it."""
        start, taken = len(self.text), len(tokens)
        for token in tokens:
            self.text += said[token]
        if not said.closing.isdisjoint(tokens):
            taken = self._close(start, tokens, said)
            tokens = tokens[:taken]
        self.tokens += tokens
        return taken

    def _close(self, start: int, tokens: list[int], said: Said) -> int:
        """Looks for the end in what the tokens added from `start` on; gives how many of them come up to it."""
        stop, size = said.stop, start
        found = self.text.find(stop, max(0, start - len(stop) + 1)) if stop else -1
        for taken, token in enumerate(tokens, 1):
            size += len(said[token])
            if 0 <= found <= size - len(stop) or token in said.ends:
                self.ended = True
                del self.text[min(size, found) if found >= 0 else size :]
                return taken
        return len(tokens)


class Decoder:
    """Runs lanes through one session; `prefix` is what (nearly) every prompt begins with, computed once, and `stop` the
    text that ends an answer and is no part of it."""

    def __init__(self, session: Session, prefix: Sequence[int] = (), stop: bytes = b"") -> None:
        self.session, self.prefix, self.said = session, list(prefix), Said(session, stop)
        self.waiting: deque[Lane] = deque()
        self.active: list[Lane] = []
        self._free = list(range(session.lanes))[::-1]
        self._cells = session.cells
        self._kept: list[Any] = []  # the scores of the last passes, of which no chances were made yet
        self._taken: list[int] = []  # the token that was taken by each row of them
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
        if self.waiting:
            self._admit()
        if not self.active:
            return []
        try:
            scores = self._decode()
        except ToolError as error:
            return self._fail(error)
        likeliest, done, row = scores.argmax(axis=1).tolist(), [], 0
        for lane in self.active:
            try:
                if self._read(lane, scores, likeliest, row):
                    done.append(lane)
            except ToolError as error:
                lane.error = error
                done.append(lane)
            row += lane.outputs
        self._taken += likeliest
        if done or len(self._taken) * self.session.size > MOST_KEPT:
            self._settle(scores)
        else:
            self._kept.append(scores.copy())
        for lane in done:
            self._leave(lane)
        return done

    def _admit(self) -> None:
        load = sum([len(lane.pending) + len(lane.guess) for lane in self.active])
        while self.waiting and self._free:
            lane = self.waiting[0]
            needed, room = len(lane.prompt) + lane.max_tokens, STEP - load - len(lane.prompt)
            if self.active and (needed > self._cells or room < 0):
                return
            self.waiting.popleft()
            self._cells -= needed
            self._enter(lane, room)
            load += len(lane.pending) + len(lane.guess)

    def _enter(self, lane: Lane, room: int) -> None:
        """Lets a lane take part in the passes; `room` is there for its guess in the first one."""
        lane.number = self._free.pop()
        lane.at = common(self.prefix, lane.prompt[: len(lane.prompt) - lane.given - 1])
        if lane.at:
            self.session.share(self.session.lanes, lane.number, lane.at)
        lane.pending = lane.prompt[lane.at :]
        if lane.draft is not None:
            lane.guess = lane.draft.guess(min(MOST, lane.max_tokens - 1, room))
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

    def _read(self, lane: Lane, scores: Any, likeliest: list[int], row: int) -> bool:
        """Takes what the pass says of a lane, from a row of the scores on; whether the lane is at its end."""
        if not lane.max_tokens:
            lane.scores = scores[row : row + lane.outputs].astype("float64")
            return True
        lane.at += len(lane.pending)
        if lane.chooser is None:
            tokens = likeliest[row : row + lane.outputs]
            if lane.guess and tokens[:-1] != lane.guess:
                del tokens[common(tokens, lane.guess) + 1 :]
            taken = lane.extend(tokens, self.said)
        else:
            taken = self._choose(lane, lane.chooser, scores, likeliest, row)
        first, token = len(self._taken) + row, likeliest[row + taken - 1]
        lane.rows += range(first, first + taken)
        if lane.draft is not None:
            lane.draft.took(taken - 1, token, lane.ended)
        if lane.at_end:
            return True
        self._go_on(lane, taken - 1, token)
        return False

    def _choose(self, lane: Lane, chooser: Chooser, scores: Any, likeliest: list[int], row: int) -> int:
        """Takes one token after the other, the chooser's in the place of the likeliest; gives how many."""
        guess, taken = lane.guess, 0
        while True:
            token = likeliest[row + taken] = chooser.choose(scores[row + taken], likeliest[row + taken])
            lane.extend([token], self.said)
            taken += 1
            if lane.at_end or taken > len(guess) or guess[taken - 1] != token:
                return taken

    def _settle(self, scores: Any) -> None:
        """Makes the chances of the scores that are kept and of these: many at once, as each numpy call has its cost."""
        import numpy

        if self._kept:
            scores = numpy.concatenate([*self._kept, scores])
        shares = scores - numpy.maximum.reduce(scores, axis=1, keepdims=True)
        numpy.exp(shares, out=shares)
        sums = numpy.add.reduce(shares, axis=1)
        bound = any([lane.chooser is not None for lane in self.active])  # else the likeliest was taken, at exp(0)
        chances = ((shares[numpy.arange(len(sums)), self._taken] if bound else 1) / sums).tolist()
        for lane in self.active:
            lane.chances += [chances[row] for row in lane.rows]
            lane.rows.clear()
        self._kept.clear()
        self._taken.clear()

    def _go_on(self, lane: Lane, right: int, token: int) -> None:
        """Has a lane read, in the next pass, the token that came after the right part of its guess."""
        lane.at += right
        if right < len(lane.guess):  # what was guessed wrong is in the cache
            self.session.forget(lane.number, lane.at)
        lane.pending = [token]
        if lane.draft is not None:
            lane.guess = lane.draft.guess(min(MOST, lane.max_tokens - len(lane.tokens) - 1))

    def _fail(self, error: ToolError) -> list[Lane]:
        """No lane can go on after a pass that failed: what the cache holds is not known."""
        failed = list(self.active)
        for lane in failed:
            lane.error = error
            self._leave(lane)
        self._kept.clear()
        self._taken.clear()
        self.session.forget()
        self._read_prefix()
        return failed


def common(one: Sequence[int], two: Sequence[int]) -> int:
    """How many tokens two rows begin with alike."""
    for at, (a, b) in enumerate(zip(one, two, strict=False)):
        if a != b:
            return at
    return min(len(one), len(two))

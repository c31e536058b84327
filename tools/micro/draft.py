"""Guesses what a model will say next, so that several tokens are checked in one pass; a wrong guess costs only time.

Two sources, both looked up and never computed: the input, of which a micro-model copies much (prompt lookup), and what
the model answered to other inputs at the same place of the copy: after `ty`, with nothing left to copy, it wrote `ing`.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST = 24
"""The longest guess, in tokens."""
MOST_LEARNT = 100_000
LEAST_RIGHT = 0.4
"""The share of right guesses below which it is rarely guessed: a wrong one costs as much as it would have saved."""
_RARELY = 16
_END, _LOST = -1, -2  # what is next to be copied: nothing more, or not known
_ANY = 0  # the context of what was learnt in any context


class Habits:
    """What the model wrote next, by what was next to be copied and the tokens before.

    `context` stands for the part of the input that comes before what is copied, such as the wanted form of a word.
    """

    def __init__(self) -> None:
        self.next: dict[tuple[int, ...], int] = {}
        self.ends: set[int] = set()
        """Tokens that ended an answer: a guess stops before them, since nothing is to be read after them."""
        self._marks: set[int] = set()  # tokens of inputs after which answers began to copy
        self._tried, self._right, self._calls = 0, 0, 0

    def judge(self, tried: int, right: int) -> None:
        """Counts guesses and those that were right, the old ones for less and less."""
        self._tried += tried
        self._right += right
        if self._tried > 1000:
            self._tried, self._right = self._tried // 2, self._right // 2

    def pays(self) -> bool:
        """Whether to guess now: where guesses are mostly wrong, only now and then."""
        self._calls += 1
        return self._tried < 64 or self._right >= LEAST_RIGHT * self._tried or self._calls % _RARELY == 0

    def begin(self, source: Sequence[int]) -> int:
        """Where in its input an answer is likely to begin to copy."""
        if self._marks:
            for at, token in enumerate(source, 1):
                if token in self._marks:
                    return at
        return 0

    def began(self, source: Sequence[int], at: int, guessed: int) -> None:
        """Tells where an answer began to copy, which was guessed to be elsewhere."""
        if guessed:
            self._marks.discard(source[guessed - 1])
        if at:
            self._marks.add(source[at - 1])

    def learn(self, context: int, following: int, before: int, last: int, token: int) -> None:
        if len(self.next) > MOST_LEARNT:
            self.next.clear()
        self.next[context, following, before, last] = token
        if following < 0:
            self.next[context, following, last] = self.next[_ANY, following, before, last] = token

    def unlike(self, context: int, following: int, before: int, last: int) -> int | None:
        """What came where nothing is copied and this very place is new: the last token counts, or the context not."""
        found = self.next.get((context, following, last))
        return self.next.get((_ANY, following, before, last)) if found is None else found


class Draft:
    """The guesses for one answer: a pointer walks along the input as the answer copies it."""

    __slots__ = ("_answer", "_begin", "_context", "_guessed", "_habits", "_places", "_source", "_where")

    def __init__(self, source: Sequence[int], habits: Habits) -> None:
        self._habits = habits
        self._source = [*source, _END, _LOST]
        self._start(habits.begin(source))
        self._where = self._begin  # in the source; -1 where it is not being copied
        self._answer = [0, 0]
        self._guessed: list[int] = []
        self._places: list[int] = []  # where the guess stood after each of its tokens

    def _start(self, begin: int) -> None:
        """Takes the answer to copy from there on."""
        self._begin, self._context = begin, hash(tuple(self._source[:begin]))

    def took(self, right: int, token: int, ended: bool = False) -> None:
        """Tells how many tokens of the last guess were right, and which came then; whether that was the last."""
        answer, habits = self._answer, self._habits
        if self._guessed:
            habits.judge(len(self._guessed), right)
            if right:
                self._where = self._places[right - 1]
                answer += self._guessed[:right]
        following = self._source[self._where]
        habits.learn(self._context, following, answer[-2], answer[-1], token)
        answer.append(token)
        if ended:
            habits.ends.add(token)
        elif token == following:
            self._where += 1
        else:
            self._where = self._find()

    def _find(self) -> int:
        """Where the source goes on after the last two tokens, or -1."""
        source, (last, token) = self._source, self._answer[-2:]
        for at in range(1, len(source)):
            if source[at] == token and source[at - 1] == last:
                begin = at + 3 - len(self._answer)
                if begin >= 0 and source[begin : at + 1] == self._answer[2:]:
                    self._habits.began(source, begin, self._begin)
                    self._start(begin)
                return at + 1
        return -1

    def guess(self, most: int) -> list[int]:
        """What is likely to come, at most `most` tokens."""
        habits, source, context = self._habits, self._source, self._context
        guessed: list[int] = []
        places: list[int] = []
        self._guessed, self._places = guessed, places
        if most < 1 or not habits.pays():
            return guessed
        where, learnt, ends, (before, last) = self._where, habits.next.get, habits.ends, self._answer[-2:]
        for _ in range(most):
            following = source[where]
            token = learnt((context, following, before, last))
            if token is None:
                token = following if following >= 0 else habits.unlike(context, following, before, last)
            if token is None or token in ends:
                break
            where = where + 1 if token == following else -1
            before, last = last, token
            guessed.append(token)
            places.append(where)
        return guessed

"""Guesses what a model will say next, so that several tokens are checked in one pass; a wrong guess costs only time.

Two sources, both looked up and never computed: the input, of which a micro-model copies much, and what the model
answered to other inputs at the same place of the copy (after `t`, with `y` next to be copied, it wrote `i`).
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

Key = tuple[int, ...]


class Habits:
    """What the model wrote next, by what was next to be copied and the two or three tokens before."""

    def __init__(self) -> None:
        self._next: dict[Key, int] = {}
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

    def learn(self, following: int, before: tuple[int, int, int], token: int) -> None:
        if len(self._next) > MOST_LEARNT:
            self._next.clear()
        self._next[(following, *before)] = token
        self._next[(following, *before[1:])] = token

    def guess(self, following: int, before: tuple[int, int, int]) -> int | None:
        found = self._next.get((following, *before))
        return self._next.get((following, *before[1:])) if found is None else found


class Draft:
    """The guesses for one answer: a pointer walks along the input as the answer copies it."""

    __slots__ = ("before", "habits", "source", "trail", "where")

    def __init__(self, source: Sequence[int], habits: Habits) -> None:
        self.source, self.habits = source, habits
        self.where = 0  # in the source; -1 where it is not being copied
        self.before = (0, 0, 0)
        self.trail: list[tuple[int, tuple[int, int, int]]] = []  # where the last guess stood after each of its tokens

    def _following(self, where: int) -> int:
        if where < 0:
            return _LOST
        return self.source[where] if where < len(self.source) else _END

    def took(self, right: int, token: int) -> None:
        """Tells that so many tokens of the last guess were right, and which token came then."""
        if self.trail:
            self.habits.judge(len(self.trail), right)
        if right:
            self.where, self.before = self.trail[right - 1]
        following = self._following(self.where)
        self.habits.learn(following, self.before, token)
        last = self.before[2]
        self.before = (self.before[1], last, token)
        self.where = self.where + 1 if token == following else self._find(last, token)

    def _find(self, last: int, token: int) -> int:
        """Where the source goes on after the last two tokens, or -1."""
        source = self.source
        for at in range(1, len(source)):
            if source[at] == token and source[at - 1] == last:
                return at + 1
        return -1

    def guess(self, most: int) -> list[int]:
        """What is likely to come, at most `most` tokens."""
        guessed: list[int] = []
        trail = self.trail = []
        if not self.habits.pays():
            return guessed
        where, before, learnt = self.where, self.before, self.habits.guess
        while len(guessed) < most:
            following = self._following(where)
            token = learnt(following, before)
            if token is None:
                if following < 0:
                    break
                token = following
            guessed.append(token)
            before = (before[1], before[2], token)
            where = where + 1 if token == following else -1
            trail.append((where, before))
        return guessed

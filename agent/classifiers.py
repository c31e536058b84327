"""Classifiers of texts that learn one intent beside the others: a linear one, and a net with a layer that all share."""

from __future__ import annotations

import math
from typing import Any

from agent.features import Matrix

Array = Any  # a numpy array; numpy is imported where it is used, because that costs a tenth of a second


def train_linear(x: Matrix, wanted: Array, size: int, rounds: int = 8, cost: float = 1.0, seed: int = 0) -> Array:
    """One-against-the-rest linear classifiers with squared hinge loss, float32 of shape (size, intents).

    `wanted` is 1 where a text has an intent and else 0, of shape (texts, intents). Each intent is a problem of its
    own; they only share the order in which texts are visited. Source: Hsieh et al., A Dual Coordinate Descent Method
    for Large-scale Linear SVM (2008), algorithm 1.
    """
    import numpy as np

    sign = np.where(wanted > 0, 1, -1).astype(np.float32)
    table, alpha = np.zeros((size, wanted.shape[1]), np.float32), np.zeros(sign.shape, np.float32)
    order, soft = np.random.default_rng(seed), 0.5 / cost
    for _ in range(rounds):
        for n in order.permutation(len(x)):
            rows, weights = x.row(n)
            part, length = table[rows], weights @ weights + soft
            slope = sign[n] * (weights @ part) - 1 + soft * alpha[n]
            step = np.maximum(alpha[n] - slope / length, 0) - alpha[n]
            alpha[n] += step
            part += np.outer(weights, step * sign[n])
            table[rows] = part
    return table


class Adam:
    """Kingma and Ba, Adam (2015); of a table, only the rows that a batch touches are stepped."""

    def __init__(self, table: Array) -> None:
        import numpy as np

        self.table, self.mean, self.square = table, np.zeros_like(table), np.zeros_like(table)

    def step(self, slope: Array, rate: float, time: int, rows: Any = ...) -> None:
        import numpy as np

        mean, square = self.mean[rows], self.square[rows]
        mean += np.float32(0.1) * (slope - mean)
        square += np.float32(0.001) * (slope * slope - square)
        self.mean[rows], self.square[rows] = mean, square
        rate *= math.sqrt(1 - 0.999**time) / (1 - 0.9**time)
        self.table[rows] -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))


class Net:
    """A layer of `hidden` units over the grams, shared by all intents, and a logistic classifier an intent on it."""

    def __init__(self, grams_: Array, bias: Array, out: Array, out_bias: Array) -> None:
        self.grams, self.bias, self.out, self.out_bias = grams_, bias, out, out_bias

    @classmethod
    def train(cls, x: Matrix, wanted: Array, size: int, hidden: int = 192, rounds: int = 8, seed: int = 0) -> Net:
        """Trained with Adam on the logistic loss of each intent; grams and units are dropped at random."""
        import numpy as np

        rng = np.random.default_rng(seed)
        shapes = ((size, hidden), (hidden, wanted.shape[1]))
        first, out = (rng.normal(0, 0.05, shape).astype(np.float32) for shape in shapes)
        net = cls(first, np.zeros(hidden, np.float32), out, np.full(wanted.shape[1], -4, np.float32))
        steppers = [Adam(table) for table in (net.grams, net.bias, net.out, net.out_bias)]
        batches = -(-len(x) // 64)
        for time in range(rounds * batches):
            if time % batches == 0:
                order = np.array_split(rng.permutation(len(x)), batches)
            net._step(x, wanted, order[time % batches], rng, steppers, time, 1 - time / (rounds * batches))
        return net

    def _step(
        self, x: Matrix, wanted: Array, texts: Array, rng: Any, steppers: list[Adam], time: int, f: float
    ) -> None:
        import numpy as np

        used, dense = _dropped(x, texts, rng)
        before = dense @ self.grams[used] + self.bias
        kept = ((before > 0) & (rng.random(before.shape, dtype=np.float32) > 0.5)) * np.float32(2)
        units = before * kept
        slope = (sigmoid(units @ self.out + self.out_bias) - wanted[texts]) / np.float32(len(texts))
        inner = (slope @ self.out.T) * kept
        slopes = (dense.T @ inner, inner.sum(0), units.T @ slope, slope.sum(0))
        for stepper, slope_, rate, rows in zip(
            steppers, slopes, (2e-3, 3e-3, 3e-3, 3e-3), (used, ..., ..., ...), strict=True
        ):
            stepper.step(slope_, rate * f, time + 1, rows)

    def units(self, x: Matrix) -> Array:
        """What the shared layer makes of texts: float32 of shape (texts, hidden)."""
        import numpy as np

        return np.maximum(x.times(self.grams) + self.bias, 0)

    def scores(self, x: Matrix) -> Array:
        """Log-odds of each intent: float32 of shape (texts, intents)."""
        return self.units(x) @ self.out + self.out_bias

    def add(self, x: Matrix, wanted: Array, weight: Array) -> None:
        """A classifier for one more intent on the shared layer, which stays as it is.

        `wanted` and `weight`, which says how many texts each one stands for, have shape (texts,).
        """
        import numpy as np

        weights, bias = logistic(self.units(x), wanted, 0.003 * float(weight.mean()), weight)
        self.out = np.column_stack([self.out, weights])
        self.out_bias = np.append(self.out_bias, bias).astype(np.float32)


def _dropped(x: Matrix, texts: Array, rng: Any) -> tuple[Array, Array]:
    """The rows that a batch uses and its weights over them, of shape (texts, rows), three in ten of them left out."""
    import numpy as np

    batch = x.part(texts)
    kept = rng.random(len(batch.rows), dtype=np.float32) > 0.3
    return Matrix(batch.starts, batch.rows, batch.weights * kept / np.float32(0.7)).dense()


def sigmoid(scores: Array) -> Array:
    import numpy as np

    return 1 / (1 + np.exp(-np.clip(scores, -30, 30)))


def logistic(x: Array, wanted: Array, ridge: float, weight: Array | float = 1.0) -> tuple[Array, float]:
    """Weights, of shape (columns,), and bias of a logistic regression by Newton's method.

    `weight`, of shape (texts,), says how many texts each one stands for.
    """
    import numpy as np

    padded = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    scale, solution = np.full(padded.shape[1], ridge * len(x)), np.zeros(padded.shape[1])
    scale[-1] = 1e-6
    for _ in range(25):
        chance = sigmoid(padded @ solution)
        slope = padded.T @ (weight * (chance - wanted)) + scale * solution
        curve = (padded * (weight * chance * (1 - chance))[:, None]).T @ padded + np.diag(scale)
        step = np.linalg.solve(curve, slope)
        solution -= step
        if abs(step).max() < 1e-6:
            break
    return solution[:-1].astype(np.float32), float(solution[-1])

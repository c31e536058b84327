"""Trains linear models over n-grams: the candidate that needs no network, and is the better one for many tasks."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tools.forge.candidate import Job, Made, Progress, Row, Tell, Unfit
from tools.micro import linear
from tools.micro.linear import Finder, Grams, Known, Rewriter, Script, Weights
from tools.micro.manifest import FILES

Array = Any
LONGEST = 1_000_000
MOST_GRAMS = 400_000
LARGEST = 4_000_000  # bytes of weights in a file
SMALL = 1_000_000
LEAST_ROWS = 8
MOST_SCRIPTS = 500
PACES = ((0.3, 0.0), (0.1, 0.5))  # rates of learning edit scripts, and the shares of what counts that are dropped


class Linear:
    """Weights over n-grams: a classifier, a chooser of edit scripts, or a finder of stretches."""

    name = "linear"

    def make(self, job: Job, folder: Path, tell: Tell) -> list[Made]:
        """Trains on `job.train`, chooses every setting on `job.valid`, and writes one model; raises Unfit."""
        if len(job.train) < LEAST_ROWS or not job.valid:
            raise Unfit(
                f"a linear model needs at least {LEAST_ROWS} rows to train on and one to choose by, here are "
                f"{len(job.train)} and {len(job.valid)}; give more examples"
            )
        clock = Clock(job, tell)
        about, weights = {"classify": _classifier, "generate": _rewriter, "extract": _finder}[job.kind](job, clock)
        large = smaller(weights, LARGEST)
        small = smaller(large, SMALL)
        made = [_written(job, folder / "linear", about, large)]
        if len(small.table) < len(large.table):
            made.append(_written(job, folder / "linear-small", about, small))
        return made


@dataclass
class Clock:
    """Tells how far training is, and when it must end."""

    job: Job
    tell: Tell
    spent: int = 0

    def __post_init__(self) -> None:
        self.start = time.process_time()

    @property
    def left(self) -> float:
        """Seconds of the job's CPU time that are left."""
        return max(0.0, self.job.seconds - (time.process_time() - self.start))

    def step(self, loss: float, steps: int) -> None:
        self.spent += 1
        self.tell(Progress(self.spent, max(steps, self.spent), loss, self.left))


def _written(job: Job, folder: Path, about: dict[str, Any], weights: Weights) -> Made:
    folder.mkdir(parents=True, exist_ok=True)
    linear.save(folder / FILES["linear"], {"kind": job.kind, **about}, weights)
    fields = {"form": "linear", "max_input": LONGEST, "lower": False, "parts": 1}
    return Made(folder, int(weights.table.size + weights.bias.size), fields, "numpy, " + str(about.get("trained", "")))


# -- rows as sparse vectors


@dataclass(frozen=True)
class Matrix:
    """Sparse rows: text n has the columns `rows[starts[n]:starts[n + 1]]` of the table."""

    starts: Array
    rows: Array
    weights: Array

    @classmethod
    def of(cls, vectors: Sequence[tuple[Array, Array]]) -> Matrix:
        starts = np.cumsum([0] + [len(rows) for rows, _ in vectors])
        rows = np.concatenate([rows for rows, _ in vectors])
        return cls(starts, rows, np.concatenate([weights for _, weights in vectors]).astype(np.float32))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, n: int) -> tuple[Array, Array]:
        part = slice(self.starts[n], self.starts[n + 1])
        return self.rows[part], self.weights[part]

    def times(self, weights: Weights) -> Array:
        """Scores: float32 of shape (texts, columns)."""
        return np.array([weights.scores(*self.row(n)) for n in range(len(self))], np.float32)


def known_grams(found: Sequence[Sequence[Array]], least: int, most: int = MOST_GRAMS) -> Known:
    """The grams of at least `least` rows, the commonest if there are too many, with inverse document frequencies."""
    values = np.concatenate([np.unique(part) for parts in found for part in parts])
    grams, counts = np.unique(values, return_counts=True)
    kept = counts >= least
    if kept.sum() > most:
        kept &= counts > np.partition(counts, len(counts) - most)[len(counts) - most]
    scale = np.log((1 + len(found)) / (1 + counts[kept])) + 1
    return Known(grams[kept], scale.astype(np.float16).astype(np.float32))


# -- classifiers


@dataclass(frozen=True)
class Trial:
    """A way to make a classifier: what is counted, how weights are found, and what errors cost.

    "svm" is a linear support vector machine; "mean" is its mean with three over log-count ratios: of all n-grams, of
    words, and of characters.
    """

    grams: Grams
    method: str = "svm"
    cost: float = 1.0
    least: int = 2

    def __str__(self) -> str:
        kinds = [f"words 1-{self.grams.words}" * bool(self.grams.words)]
        kinds.append(f"characters {self.grams.low}-{self.grams.high}" * bool(self.grams.high))
        return f"{self.method} over {' and '.join(filter(None, kinds))} ({self.grams.weight}, cost {self.cost:g})"


WORDS = Grams(words=2, skips=True)
CHARACTERS = Grams(low=1, high=5)
BOTH = Grams(words=2, skips=True, low=1, high=5)
CASED = replace(BOTH, lower=False, signs=True)
MENU = (Trial(BOTH), Trial(BOTH, "mean", 0.3), Trial(CHARACTERS), Trial(CASED), Trial(WORDS))
COSTS = (0.3, 3.0)
FEW = 4  # up to so many labels the log-count ratios are worth their time
MOST_WORK = 60.0  # seconds of a slow core, estimated, so that how fast a machine is decides nothing


@dataclass(frozen=True)
class Tried:
    """A trained classifier and how it does on the validation part."""

    trial: Trial
    weights: Weights
    merit: float
    loss: float

    @property
    def worth(self) -> float:
        """The metric, which jumps by a whole row, steadied by the log-loss, which feels every row."""
        return self.merit - self.loss / 2


def _classifier(job: Job, clock: Clock) -> tuple[dict[str, Any], Weights]:
    if len({row.output for row in job.train}) < 2:
        raise Unfit("every row to train on has the same answer, so there is nothing to learn; add rows of other labels")
    bench, steps = Bench(job), len(MENU) + len(COSTS)
    best = bench.try_(MENU[0])
    clock.step(best.loss, steps)
    for trial in [t for t in MENU[1:] if t.method != "mean" or len(job.labels) <= FEW]:
        best = _next(bench, trial, best, clock, steps)
    for middle, factor in [(best.trial, factor) for factor in COSTS]:
        best = _next(bench, replace(middle, cost=middle.cost * factor), best, clock, steps)
    grams = {name: getattr(best.trial.grams, name) for name in Grams.__slots__}
    about = {"inputs": list(job.inputs), "labels": list(job.labels), "grams": grams, "trained": str(best.trial)}
    return about, best.weights


def _next(bench: Bench, trial: Trial, best: Tried, clock: Clock, steps: int) -> Tried:
    """The better one of what is best and a trial, if there is time for it."""
    if bench.work > MOST_WORK or not clock.left:
        return best
    tried = bench.try_(trial)
    clock.step(tried.loss, steps)
    return tried if tried.worth > best.worth else best


class Bench:
    """Tries classifiers on the rows of a job; what was counted is kept for the trials that count the same."""

    def __init__(self, job: Job) -> None:
        self.job = job
        place = {label: n for n, label in enumerate(job.labels)}
        self.train = [row for row in job.train if row.output in place]
        self.wanted = np.array([place[row.output] for row in self.train])
        self.valid_wanted = np.array([place.get(row.output, -1) for row in job.valid])
        self.counted: tuple[Grams, str] | None = None
        self.work = 0.0

    def _count(self, trial: Trial) -> None:
        if self.counted == (trial.grams, trial.method):
            return
        texts = [[row.inputs[name] for name in self.job.inputs] for row in [*self.train, *self.job.valid]]
        found = [linear.families(trial.grams, [linear.cut(text, LONGEST) for text in row]) for row in texts]
        self.known = known_grams(found[: len(self.train)], trial.least)
        self.kinds = self._kinds(found[: len(self.train)]) if trial.method == "mean" else []
        vectors = [self.known.vector(trial.grams, parts) for parts in found]
        self.x, self.valid = Matrix.of(vectors[: len(self.train)]), Matrix.of(vectors[len(self.train) :])
        self.counted = (trial.grams, trial.method)

    def _kinds(self, found: Sequence[Sequence[Array]]) -> list[Array]:
        """Which grams are words and which are characters: 1 or 0, each of shape (grams, 1); none if all are alike."""
        if len(found[0]) < 2:
            return []
        words: Array = np.zeros((len(self.known.hashes), 1), np.float32)
        for parts in found:
            words[self.known.rows(parts[0])[0]] = 1
        return [words, 1 - words]

    def try_(self, trial: Trial) -> Tried:
        self._count(trial)
        columns = self.wanted[:, None] == np.arange(len(self.job.labels))
        columns = columns if columns.shape[1] > 2 else columns[:, :1]
        self.work += (len(self.x) + len(self.x.rows) / 5e3 * columns.shape[1]) * (
            5e-4 if trial.method == "svm" else 2e-3
        )
        table, bias = self._margins(trial, columns)
        weights = Weights(self.known, table.astype(np.float16), bias)
        scores = linear.widened(self.valid.times(weights))
        sharp, loss = calibrated(scores, self.valid_wanted)
        merit = metric_of(self.job.metric, scores.argmax(1), self.valid_wanted)
        return Tried(trial, replace(weights, sharpness=sharp), merit, loss)

    def _margins(self, trial: Trial, columns: Array) -> tuple[Array, Array]:
        """The weights of a trial; of several machines the mean, when their scores on the rows are spread alike."""
        size, seed = len(self.known.hashes), self.job.seed
        table, bias = train_margins(self.x, columns, size, trial.cost, seed)
        if trial.method == "svm":
            return table, bias
        ratio = log_ratios(self.x, columns, size)
        some = np.random.default_rng(seed).permutation(len(self.x))[:500]
        spread = self._spread(table, some)
        for kind in (1, *self.kinds):
            other, other_bias = train_margins(self.x, columns, size, trial.cost, seed, ratio * kind, rounds=6)
            factor = spread / self._spread(other, some)
            table, bias = table + other * factor, bias + other_bias * factor
        members = 2 + len(self.kinds)
        return table / members, bias / members

    def _spread(self, table: Array, some: Array) -> Array:
        scores = [weights @ table[rows] for rows, weights in map(self.x.row, some)]
        return np.std(scores, axis=0) + np.float32(1e-6)


def train_margins(
    x: Matrix, wanted: Array, size: int, cost: float, seed: int, ratio: Array | None = None, rounds: int = 10
) -> tuple[Array, Array]:
    """One-against-the-rest classifiers with squared hinge loss: float32 of shape (size, columns), and (columns,).

    `wanted` of shape (texts, columns) is true where a text is of a class; `ratio` weighs each gram for each class.
    Source: Hsieh et al., A Dual Coordinate Descent Method for Large-scale Linear SVM (2008), algorithm 1.
    """
    sign = np.where(wanted, 1, -1).astype(np.float32)
    table, bias = np.zeros((size, wanted.shape[1]), np.float32), np.zeros(wanted.shape[1], np.float32)
    alpha, order, soft = np.zeros(sign.shape, np.float32), np.random.default_rng(seed), np.float32(0.5 / cost)
    for _ in range(rounds):
        for n in order.permutation(len(x)):
            rows, weights = x.row(n)
            part = table[rows]
            values = weights[:, None] if ratio is None else weights[:, None] * ratio[rows]
            length = (values * values).sum(0) + 1 + soft
            slope = sign[n] * ((part * values).sum(0) + bias) - 1 + soft * alpha[n]
            step = np.maximum(alpha[n] - slope / length, 0) - alpha[n]
            alpha[n] += step
            step = step * sign[n]
            bias += step
            table[rows] = part + values * step
    return (table if ratio is None else table * ratio), bias


def log_ratios(x: Matrix, wanted: Array, size: int) -> Array:
    """How much likelier a gram is in a class than outside it, as a logarithm: float32 of shape (size, columns).

    Source: Wang and Manning, Baselines and Bigrams (2012).
    """
    of: Array = np.repeat(np.arange(len(x)), np.diff(x.starts))
    result = np.zeros((size, wanted.shape[1]), np.float32)
    for column in range(wanted.shape[1]):
        inside = wanted[of, column]
        yes, no = (np.bincount(x.rows[part], minlength=size) + 1.0 for part in (inside, ~inside))
        result[:, column] = np.log((yes / yes.sum()) / (no / no.sum()))
    return result


def calibrated(scores: Array, wanted: Array) -> tuple[float, float]:
    """What to multiply scores with so that their softmax is likeliest on validation rows, and the log-loss then."""
    kept = wanted >= 0
    scores, wanted = scores[kept], wanted[kept]
    if not len(wanted):
        return 1.0, 0.0

    def loss(sharp: float) -> float:
        shares = linear.softmax(scores * np.float32(sharp))[np.arange(len(wanted)), wanted]
        return float(-np.log(np.maximum(shares, 1e-6)).mean())

    best = min((1.2**n for n in range(-20, 31)), key=loss)
    return best, loss(best)


def metric_of(metric: str, answers: Array, wanted: Array) -> float:
    """The macro-F1 where the metric's name says so, else the share of right answers; between 0 and 1."""
    if "macro" not in metric.lower():
        return float((answers == wanted).mean())
    parts = []
    for label in np.unique(wanted):
        hits = float(((answers == label) & (wanted == label)).sum())
        parts.append(2 * hits / float((answers == label).sum() + (wanted == label).sum()))
    return sum(parts) / len(parts)


def smaller(weights: Weights, most: int) -> Weights:
    """The weights without the grams that say least, so that the file has at most `most` bytes."""
    size = len(weights.known.hashes)
    keep = most // (6 + 2 * len(weights.bias))
    reach = np.abs(weights.table.astype(np.float32)).max(axis=1, initial=0) * weights.known.scale
    chosen = np.arange(size)
    if size > keep:
        chosen = np.sort(np.argpartition(-reach, keep)[:keep])
    chosen = chosen[reach[chosen] > 0]
    known = Known(weights.known.hashes[chosen], weights.known.scale[chosen])
    return replace(weights, known=known, table=weights.table[chosen])


# -- rewriting


def similarity(a: str, b: str) -> float:
    """How much of the longer text is a common beginning or ending, or else letters of both; between 0 and 1."""
    longest = max(len(a), len(b), 1)
    start = common(a, b)
    end = common(a[start:][::-1], b[start:][::-1])
    shared = sum((Counter(a) & Counter(b)).values())
    return (start + end + 0.1 * shared) / (1.1 * longest)


def common(a: str, b: str) -> int:
    """How many characters two texts begin with that are the same."""
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return min(len(a), len(b))


def main_input(job: Job, likeness: Callable[[str, str], float]) -> str:
    """The input that is most like what comes out, over the first thousand rows."""
    rows = job.train[:1000]
    return max(job.inputs, key=lambda name: sum(likeness(row.inputs[name], row.output) for row in rows))


def scripts_for(text: str, output: str) -> Iterator[Script]:
    """Edit scripts that make the output of a text, the plainest first."""
    start = common(text, output)
    old, new = text[start:], output[start:]
    if len(old) + len(new) <= 24:
        yield (("end", old, new),)
        if text and not old and new[:1] == text[-1:]:
            yield (("double", "", new[1:]),)
    end = common(old[::-1], new[::-1])
    inner = (old[: len(old) - end], new[: len(new) - end])
    if end and len(inner[0]) + len(inner[1]) <= 16:
        if not start:
            yield (("start", *inner),)
        follows = old[len(old) - end :]
        for more in (0, 1, 2):
            for place in ("last", "first"):
                change = (place, inner[0] + follows[:more], inner[1] + follows[:more])
                if change[1] and linear.applied((change,), text) == output:
                    yield (change,)
    yield from _around(text, output)


def _around(text: str, output: str) -> Iterator[Script]:
    """A new beginning and a new ending about the longest stretch that stays."""
    from difflib import SequenceMatcher

    if len(text) > 60 or len(output) > 80:
        return
    stays = SequenceMatcher(None, text, output, autojunk=False).find_longest_match()
    if stays.size >= 2 and (stays.a or stays.b):
        head = ("start", text[: stays.a], output[: stays.b])
        yield (head, ("end", text[stays.a + stays.size :], output[stays.b + stays.size :]))


def choose_scripts(pairs: Sequence[tuple[str, str]], least: int = 2) -> tuple[list[Script], list[Script | None]]:
    """The scripts to choose from, and one for each pair: of those that make its output, the one most pairs share."""
    offers = [list(dict.fromkeys(scripts_for(text, output))) for text, output in pairs]
    counts = Counter(script for offer in offers for script in offer)
    for _ in range(3):
        taken = [max(offer, key=lambda s: counts[s], default=None) for offer in offers]
        counts = Counter(script for script in taken if script is not None)
    kept = [script for script, count in counts.most_common() if count >= least]
    place = set(kept)
    return kept, [script if script in place else None for script in taken]


def _rewriter(job: Job, clock: Clock) -> tuple[dict[str, Any], Weights]:
    main = main_input(job, similarity)
    others = [name for name in job.inputs if name != main]
    scripts, _ = choose_scripts([(row.inputs[main], row.output) for row in job.train])
    if not scripts:
        raise Unfit(
            "no two outputs are made from their inputs by the same change of the beginning or end; a linear model "
            "needs outputs that are like their inputs"
        )
    scripts = scripts[:MOST_SCRIPTS]
    school = Rewriting(job, main, others, scripts)
    weights, _ = max((school.fit(clock, rate, drop) for rate, drop in PACES), key=lambda fit: fit[1])
    weights = sharpened(school.reader(weights), job.valid[:1000])
    about = {"inputs": [main, *others], "scripts": scripts, "trained": f"a choice of {len(scripts)} edit scripts"}
    return about, weights


class Rewriting:
    """Rows as features, the scripts that apply to them, and which of those are right."""

    def __init__(self, job: Job, main: str, others: list[str], scripts: list[Script]) -> None:
        self.job, self.main, self.others, self.scripts = job, main, others, scripts
        found = [self._found(row) for row in job.train]
        self.known = known_grams([[part] for part in found], 1)
        self.rows = [self.known.rows(part)[0] for part in found]
        self.apply, self.right = [], []
        for row in job.train:
            made = {n: linear.applied(script, row.inputs[main]) for n, script in enumerate(scripts)}
            places = [n for n, out in made.items() if out is not None]
            self.apply.append(np.array(places, np.int64))
            self.right.append(np.array([row.right(made[n]) for n in places], bool))

    def _found(self, row: Row) -> Array:
        return linear.rewriting(row.inputs[self.main], [row.inputs[name] for name in self.others])

    def fit(self, clock: Clock, rate: float, drop: float, rounds: int = 8) -> tuple[Weights, float]:
        """Multinomial logistic regression over the scripts that apply; the round that is best on validation is kept.

        What counts is dropped at random, so that a row is not learnt by its rarest ending alone.
        """
        columns = len(self.scripts)
        grad = AdaGrad((len(self.known.hashes), columns), rate)
        best = (-1.0, Weights(self.known, grad.table, np.zeros(columns, np.float32)))
        order, useful = np.random.default_rng(self.job.seed), [n for n, right in enumerate(self.right) if right.any()]
        for _ in range(rounds):
            loss = sum(self._step(grad, n, order.random(len(self.rows[n])) >= drop) for n in order.permutation(useful))
            weights = replace(best[1], table=grad.table.astype(np.float16))
            accuracy = share_right(self.reader(weights), self.job.valid)
            best = (accuracy, weights) if accuracy > best[0] else best
            clock.step(loss / max(1, len(useful)), rounds)
            if not clock.left:
                break
        return best[1], best[0]

    def _step(self, grad: AdaGrad, n: int, kept: Array) -> float:
        rows, places, right = self.rows[n][kept][:, None], self.apply[n], self.right[n]
        shares = linear.softmax(grad.table[rows, places].sum(0))
        target = shares * right
        sure = max(float(target.sum()), 1e-9)
        grad.step(rows, places, shares - target / sure)
        return -math.log(sure)

    def reader(self, weights: Weights) -> Rewriter:
        return Rewriter(self.main, tuple(self.others), tuple(self.scripts), weights)


def share_right(reader: Rewriter | Finder, rows: Sequence[Row]) -> float:
    """The share of rows that a reader answers rightly."""
    answers = reader.answers([row.inputs for row in rows])
    return sum(row.right(answer[0]) for row, answer in zip(rows, answers, strict=True)) / len(rows)


def sharpened(reader: Rewriter | Finder, rows: Sequence[Row]) -> Weights:
    """The weights with the sharpness at which the confidence of answers says best how often they are right."""

    def loss(weights: Weights) -> float:
        answers = replace(reader, weights=weights).answers([row.inputs for row in rows])
        sure = [a[1] if row.right(a[0]) else 1 - a[1] for row, a in zip(rows, answers, strict=True)]
        return -sum(math.log(max(share, 1e-3)) for share in sure)

    return min((replace(reader.weights, sharpness=1.25**n) for n in range(-8, 3)), key=loss)


class AdaGrad:
    """Duchi et al., Adaptive Subgradient Methods (2011), of which only the weights that a row touches are stepped."""

    def __init__(self, shape: tuple[int, int], rate: float) -> None:
        self.table: Array = np.zeros(shape, np.float32)
        self.square: Array = np.full(shape, 0.1, np.float32)
        self.rate = rate

    def step(self, rows: Array, columns: Any, slope: Array) -> None:
        square = self.square[rows, columns] + slope * slope
        self.square[rows, columns] = square
        self.table[rows, columns] -= self.rate * slope / np.sqrt(square)


# -- finding


def _finder(job: Job, clock: Clock) -> tuple[dict[str, Any], Weights]:
    main = main_input(job, lambda text, output: float(output in text))
    others = [name for name in job.inputs if name != main]
    found = [row for row in job.train if stretch_of(row.inputs[main], row.output) is not None]
    if len(found) < max(LEAST_ROWS, len(job.train) // 2):
        raise Unfit(
            f"only {len(found)} of {len(job.train)} outputs stand in the input `{main}` as whole words; "
            "give outputs that are copied from the input letter by letter"
        )
    school = Finding(replace(job, train=found), main, others)
    weights = sharpened(school.reader(school.fit(clock)), job.valid[:300])
    return {"inputs": [main, *others], "trained": "scores of the pieces of a text"}, weights


def stretch_of(text: str, output: str) -> tuple[int, int] | None:
    """The first and last piece of an output in a text; None where it does not stand there piece by piece."""
    spans = linear.pieces(text)
    begins, ends = {span[0]: n for n, span in enumerate(spans)}, {span[1]: n for n, span in enumerate(spans)}
    at = text.find(output) if output else -1
    while at >= 0:
        if at in begins and at + len(output) in ends:
            return begins[at], ends[at + len(output)]
        at = text.find(output, at + 1)
    return None


class Finding:
    """Texts as features of their pieces, and the stretch to find in each."""

    def __init__(self, job: Job, main: str, others: list[str]) -> None:
        self.job, self.main, self.others = job, main, others
        found, self.texts = [], []
        for row in job.train:
            text, stretch = row.inputs[main], stretch_of(row.inputs[main], row.output)
            assert stretch
            found.append(linear.finding(text, linear.pieces(text), [row.inputs[name] for name in others]))
            self.texts.append(stretch)
        self.known = known_grams([[part.ravel()] for part in found], 1)
        self.rows = [self._rows(part) for part in found]

    def _rows(self, found: Array) -> Array:
        """Rows of the table; the row after the last stands for what is not known, and stays 0."""
        rows = np.minimum(np.searchsorted(self.known.hashes, found), len(self.known.hashes) - 1)
        return np.where(self.known.hashes[rows] == found, rows, len(self.known.hashes))

    def fit(self, clock: Clock, rounds: int = 8, rate: float = 0.2) -> Weights:
        """The likeliest stretches among all of each text; the round that is best on validation is kept."""
        grad = AdaGrad((len(self.known.hashes) + 1, 3), rate)
        bias: Array = np.zeros(3, np.float32)
        order, best = np.random.default_rng(self.job.seed), (-1.0, Weights(self.known, grad.table[:-1], bias))
        for _ in range(rounds):
            loss = sum(self._step(grad, n) for n in order.permutation(len(self.texts))) / len(self.texts)
            weights = Weights(self.known, grad.table[:-1].astype(np.float16), bias)
            accuracy = share_right(self.reader(weights), self.job.valid)
            if accuracy > best[0]:
                best = (accuracy, weights)
            clock.step(loss, rounds)
            if clock.left <= 0:
                break
        return best[1]

    def _step(self, grad: AdaGrad, n: int) -> float:
        rows, (first, last) = self.rows[n], self.texts[n]
        scores = grad.table[rows].sum(1)
        shares, loss = expected(scores, first, last)
        shares[first, 0] -= 1
        shares[first : last + 1, 1] -= 1
        shares[last, 2] -= 1
        flat, place = np.unique(rows.ravel(), return_inverse=True)
        of: Array = np.repeat(np.arange(len(rows)), rows.shape[1])
        slope = np.stack([np.bincount(place, shares[of, c]) for c in range(3)], axis=1)
        grad.step(flat, slice(None), slope.astype(np.float32))
        grad.table[-1] = 0
        return loss

    def reader(self, weights: Weights) -> Finder:
        return Finder(self.main, tuple(self.others), weights)


def expected(scores: Array, first: int, last: int) -> tuple[Array, float]:
    """How likely each piece begins, is in, and ends the stretch, of shape (pieces, 3), and the right one's loss."""
    inside = np.cumsum(scores[:, 1])
    begins, ends = scores[:, 0] - inside + scores[:, 1], scores[:, 2] + inside
    before = np.logaddexp.accumulate(begins)
    after = np.logaddexp.accumulate(ends[::-1])[::-1]
    total = np.logaddexp.reduce(before + ends)
    begin, end = np.exp(begins + after - total), np.exp(before + ends - total)
    held = np.cumsum(begin) - np.cumsum(end) + end
    return np.stack([begin, held, end], axis=1), float(total - begins[first] - ends[last])

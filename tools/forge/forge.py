"""The forge: makes every candidate from the same rows, keeps the best on validation, and tells how good that is.

Nothing is registered here: what comes out is a finished folder, or the reason why there is none.
"""

from __future__ import annotations

import importlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tools.errors import ToolError
from tools.forge import folder as folders
from tools.forge.candidate import Candidate, Job, Made, Progress, Row, Unfit
from tools.forge.examples import Examples, Parts, kind_of
from tools.forge.own import own_rule
from tools.forge.score import score
from tools.forge.spec import Spec
from tools.forge.trial import Answers, Tried, asker, measured, shown, size, takes
from tools.micro import Engine, MicroModel
from tools.micro.manifest import Figure

VALID_ROWS, TEST_ROWS = 2000, 10_000
NETWORKS = 0.8  # of the time


# -- what is told while it goes on


@dataclass(frozen=True, slots=True)
class Counted:
    """The rows, once they are read and split."""

    examples: Examples
    parts: Parts
    job: Job
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """A candidate's training goes on."""

    name: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Skipped:
    """A candidate that could not be made."""

    name: str
    why: str


Told = Counted | Training | Skipped | Tried


@dataclass(frozen=True, slots=True)
class Forged:
    """What came of it: all that were tried, the best, the figures on the test part by name, and why it is refused."""

    name: str
    tried: tuple[Tried, ...]
    best: Tried
    test: dict[str, Figure]
    refused: str = ""

    @property
    def figure(self) -> Figure:
        return self.test[self.best.name]


# -- the forge


@dataclass(frozen=True, slots=True)
class Forge:
    """`work` keeps what was made, so that a killed forge goes on; `before` is the version that is called now."""

    spec: Spec
    examples: Examples
    parts: Parts
    work: Path
    tell: Callable[[Told], None]
    before: MicroModel | None = None

    def run(self) -> Forged:
        """Makes and measures everything. Raises ToolError where no candidate could be made."""
        job = self._job()
        candidates, missing = self._candidates(job)
        self.tell(Counted(self.examples, self.parts, job, tuple(one.name for one in candidates)))
        for skipped in missing:
            self.tell(skipped)
        engine = Engine(threads=job.threads)
        try:
            tried = self._given(job, engine)
            shares = _shares(candidates)
            tasks = [
                (one, replace(job, seconds=share * job.seconds)) for one, share in zip(candidates, shares, strict=True)
            ]
            tried += [one for candidate, part in tasks if (one := self._try(candidate, part, engine))]
            if not any(one.made for one in tried):
                raise ToolError(f"{job.name}: no candidate could be made; nothing is registered")
            best = max(tried, key=lambda one: one.valid.value)  # of equals the first, which is the simplest
            rows = self.parts.test[:TEST_ROWS]
            test = {one.name: score(one.name, job.metric, rows, one.ask(rows)) for one in tried}
            test[COMMONEST] = score(COMMONEST, job.metric, rows, _commonest(job, rows))
            forged = Forged(job.name, tuple(tried), best, test, self._refusal(best, test))
            if not forged.refused and best.made:
                self._describe(forged, best.made, job)
        finally:
            engine.close()
        return forged

    def _job(self) -> Job:
        pairs = [(row.inputs, row.output) for row in self.examples.rows]
        kind = self.spec.kind or kind_of(pairs)
        labels = _labels(self.parts) if kind == "classify" else ()
        return Job(
            self.spec.name, kind, self.examples.inputs, labels, self.parts.train, self.parts.valid[:VALID_ROWS],
            self.spec.metric, self.spec.seed, 60 * self.spec.minutes, self.work, self.spec.threads, self.spec.base,
        )  # fmt: skip

    def _candidates(self, job: Job) -> tuple[list[Candidate], list[Skipped]]:
        """The simplest first, so that of two that are as good the simpler one is taken; and what cannot be tried."""
        from tools.forge.linear import Linear
        from tools.forge.rule import Rule

        found: list[Candidate] = [Rule()] if "rule" in self.spec.candidates else []
        found += [Linear()] if "linear" in self.spec.candidates else []
        if "gguf" not in self.spec.candidates:
            return found, []
        try:
            return found + _networks(replace(job, seconds=NETWORKS * job.seconds), self.spec.whole), []
        except ImportError as error:
            why = f"{error.name} is not installed; install it with: pip install 'zooid[forge]'"
            return found, [Skipped("gguf", why)]

    def _given(self, job: Job, engine: Engine) -> list[Tried]:
        """What is there already: the person's own rule, and the version that is called now where it was made here (the
        same hash held the same rows out for it)."""
        found = []
        if self.spec.rule:
            ask = own_rule(self.spec.rule, job.name, job.inputs)
            found.append(measured(OWN, ask, job))
        model = self.before
        if model and model.provenance.data[0].sha256 and takes(model) == (job.kind, job.inputs):
            now = measured(f"{model.folder.name} (now)", asker(engine, model.folder), job)
            found.append(replace(now, size=size(model.folder)))
        for one in found:
            self.tell(one)
        return found

    def _try(self, candidate: Candidate, job: Job, engine: Engine) -> Tried | None:
        """A candidate in the smallest packing that is as exact on validation as its first."""
        place, started = self.work / candidate.name.replace(" ", "-"), time.monotonic()
        try:
            made = _kept(place) or self._make(candidate, job, place)
        except Unfit as error:
            self.tell(Skipped(candidate.name, str(error)))
            return None
        packings = [self._measure(candidate.name, one, job, engine) for one in made]
        exact = [one for one in packings if one.valid.value >= packings[0].valid.value]
        best = replace(min(exact, key=lambda one: one.size), seconds=time.monotonic() - started)
        self.tell(best)
        return best

    def _measure(self, name: str, made: Made, job: Job, engine: Engine) -> Tried:
        folders.write(made, job, self._about(job), folders.Measured(), job.valid[:1], self._origin(0.0))
        found = measured(name, asker(engine, made.folder), job)
        return replace(found, size=size(made.folder), made=made)

    def _make(self, candidate: Candidate, job: Job, place: Path) -> list[Made]:
        """Makes a candidate in `place`, and notes when it is whole: a killed one goes on from what it kept."""
        work = place / "work"
        work.mkdir(parents=True, exist_ok=True)
        tell = self.tell
        made = candidate.make(replace(job, work=work), place, lambda p: tell(Training(candidate.name, p)))
        notes = [{**asdict(one), "folder": str(one.folder.relative_to(place))} for one in made]
        (place / "made.json.new").write_text(json.dumps(notes), encoding="utf-8")
        (place / "made.json.new").replace(place / "made.json")
        shutil.rmtree(work, ignore_errors=True)
        return made

    def _refusal(self, best: Tried, test: dict[str, Figure]) -> str:
        """Why the best is not registered; empty where it is."""
        figure, plain = test[best.name], test[COMMONEST]
        if best.name == OWN:
            return f"your rule is at least as good as all that was made; use it as it is, as a tool: {self.spec.rule}"
        if not best.made:
            return f"nothing is better than {best.name}, which stays"
        if self.spec.bar is not None and figure.value < self.spec.bar:
            ways = "give more examples, more --minutes, or a lower --bar"
            return f"{figure.value} % is below the bar of {self.spec.bar:g} %; {ways}"
        if figure.value <= plain.value:
            why = f"{figure.value} % is no better than {plain.value} % for always the same"
            return f"{why}; nothing was learnt: look at the examples, or give more of them"
        return ""

    def _describe(self, forged: Forged, made: Made, job: Job) -> None:
        """Writes the manifest again, now with all that was measured."""
        others = tuple(figure for name, figure in forged.test.items() if name not in (forged.best.name, COMMONEST))
        metric = "rows that are right" if job.metric == "accuracy" else "macro-averaged F1 over the labels"
        what = f"{metric}, among held-out rows of {self.examples.name}"
        described = folders.Measured(what, replace(forged.figure, name="model"), forged.test[COMMONEST], others)
        origin = self._origin(sum(one.seconds for one in forged.tried))
        folders.write(made, job, self._about(job), described, shown(forged.best, job), origin)

    def _about(self, job: Job) -> folders.About:
        return folders.about(self.spec, job, self.before)

    def _origin(self, seconds: float) -> dict[str, Any]:
        spec, examples, parts = self.spec, self.examples, self.parts
        data = {"name": examples.name, "rows": examples.read, "sha256": examples.digest}
        given = {"repository": spec.source, "licence": spec.licence}
        sizes = f"{len(parts.train)} train, {len(parts.valid)} validation, {len(parts.test)} test"
        split = f"by a hash of {spec.group or 'the inputs'}: {sizes}"
        made = {"made": time.strftime("%Y-%m-%d %H:%M:%S"), "seconds": round(seconds, 1), "minutes": spec.minutes}
        return {"data": [data | {k: v for k, v in given.items() if v}], "split": split, **made}


def _shares(candidates: Sequence[Candidate]) -> list[float]:
    """Each candidate's share of the time: most of it goes to the networks, in equal parts."""
    networks = sum(one.name.startswith("gguf") for one in candidates)
    others = len(candidates) - networks
    rest = NETWORKS if networks else 0.0
    return [rest / networks if one.name.startswith("gguf") else (1 - rest) / others for one in candidates]


OWN = "your rule"
COMMONEST = "always the same"


def _networks(job: Job, whole: bool) -> list[Candidate]:
    """Networks of the sizes that fit the rows and the time, or the one to go on from; raises ImportError."""
    for name in ("torch", "gguf", "sentencepiece"):
        importlib.import_module(name)
    if job.base:
        from tools.forge.base import FineTune

        return [FineTune(job.base, whole)]
    from tools.forge.decoder import sizes_for

    return [*sizes_for(job)]


def _labels(parts: Parts) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for row in parts.train:
        counts[row.output] = counts.get(row.output, 0) + 1
    return tuple(sorted(counts, key=lambda label: (-counts[label], label)))


def _commonest(job: Job, rows: Sequence[Row]) -> Answers:
    """The plainest answer: of a classifier the commonest label, else the input as it is."""
    if job.kind == "classify":
        return [job.labels[0]] * len(rows)
    return [next(iter(row.inputs.values())) for row in rows]


def _kept(place: Path) -> list[Made]:
    """What an earlier process finished."""
    try:
        notes = json.loads((place / "made.json").read_text(encoding="utf-8"))
        return [Made(**{**one, "folder": place / one["folder"], "tokens": tuple(one["tokens"])}) for one in notes]
    except (OSError, ValueError, TypeError, KeyError):
        return []

"""The command `forge`: a micro-model from examples, shown while it is made, registered when it is good enough."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import keyword
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import signals
from agent.archive import Archive
from agent.errors import Declined, NotFound, StorageError, UsageError
from agent.output import Output, clean, counted, duration
from tools.errors import ToolError
from tools.registry import Registry, Tool

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tools.forge.examples import Examples, Parts
    from tools.forge.forge import Counted, Forged, Told, Training
    from tools.forge.spec import Spec
    from tools.forge.trial import Tried
    from tools.micro import MicroModel
    from tools.micro.manifest import Figure


INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Places:
    """Where forging keeps things: the person's tools, what is being made, the runs, what was removed."""

    tools: Path
    work: Path
    runs: Archive
    removed: Path


def forge(
    output: Output,
    registry: Registry,
    places: Places,
    name: str,
    spec_file: Path | None,
    runs: Sequence[str],
    task: str,
    flags: Mapping[str, Any],
) -> int:
    """Makes a micro-model and registers it; the exit code. Raises UsageError for examples that nothing comes of."""
    before = _before(registry, name)
    try:
        spec = _spec(name, spec_file, flags)
        examples, test = _examples(spec, places, runs, task, _model(before))
        parts = _parts(spec, examples, test)
    except ToolError as error:  # what a person gave is not as it should be
        raise UsageError(f"{error}; nothing was changed") from None
    view = _view(output)
    work = places.work / name / _key(spec, examples, test)
    with _alone(places.work / name, name):
        try:
            with signals.raised(), view:
                forged = _run(spec, examples, parts, work, view, before)
        except KeyboardInterrupt:
            output.new_line()
            output.tell("zooid: interrupted; what is made is kept: to go on, give the same command again")
            return INTERRUPTED
        if forged.refused:
            _say(output, forged, "")
            raise Declined(f"{name} is not registered: {forged.refused}")
        place = _register(forged, places.tools / name, before)
    shutil.rmtree(work, ignore_errors=True)
    _say(output, forged, place.name)
    return 0


# -- what is asked


def _before(registry: Registry, name: str) -> Tool | None:
    """The micro-model that has the name now; raises UsageError where it is none a model may have."""
    if not name.isidentifier() or name.lower() != name or keyword.iskeyword(name):
        raise UsageError(f"{name!r} is no name for a tool; use lower-case letters, digits and _")
    there = registry.get(name)
    if there and there.kind != "micro":
        raise UsageError(f"{name} is a tool already ({there.source}); give the model another name")
    return there


def _spec(name: str, file: Path | None, flags: Mapping[str, Any]) -> Spec:
    from tools.forge import spec as specs

    spec = specs.read(file, name) if file else specs.Spec(name)
    return spec.plus(**flags)


def _examples(
    spec: Spec, places: Places, runs: Sequence[str], task: str, before: MicroModel | None
) -> tuple[Examples, Examples | None]:
    """The examples and the person's own test rows; an input without a name has that of the version before."""
    from tools.forge import examples as given

    name = before.inputs[0].name if before and len(before.inputs) == 1 else given.INPUT

    if bool(spec.examples) == bool(runs):
        why = "give examples once" if runs else "give examples"
        raise UsageError(f"{why}: --examples FILE (.csv, .tsv, .jsonl), a spec that names them, or --from RUN")
    if runs:
        from agent import repeated

        what, pairs = repeated.examples(places.runs, runs, task)
        return given.gather(f"the record: {what}", pairs, spec.kind), None
    assert spec.examples
    found = given.gather(spec.examples.name, given.read(spec.examples, name), spec.kind)
    test = given.gather(spec.test.name, given.read(spec.test, name), spec.kind) if spec.test else None
    if test and set(test.inputs) != set(found.inputs):
        raise UsageError(f"{spec.test} has the inputs {', '.join(test.inputs)}, not {', '.join(found.inputs)}")
    return found, test


def _parts(spec: Spec, examples: Examples, test: Examples | None) -> Parts:
    from tools.forge.examples import split

    return split(examples, spec.group, test)


def _key(spec: Spec, examples: Examples, test: Examples | None) -> str:
    """The same for the same rows, split, seed and settings: a killed forge finds what it had made."""
    base = spec.base.stat().st_mtime_ns if spec.base and spec.base.exists() else 0
    settings = {n: str(v) for n, v in asdict(replace(spec, bar=None)).items()}
    parts = [settings, base, examples.digest, test.digest if test else ""]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


# -- the work


@contextlib.contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """One process at a time makes a model."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror}; make room or change its permissions"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UsageError(f"{name} is being forged by another process; wait for it, or end it") from None
    finally:
        os.close(lock)


def _run(spec: Spec, examples: Examples, parts: Parts, work: Path, view: View, before: Tool | None) -> Forged:
    from tools.forge.forge import Forge
    from tools.forge.spec import SpecError

    try:
        return Forge(spec, examples, parts, work, view.tell, _model(before)).run()
    except SpecError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        way = "what was made so far is kept: make room, and give the same command again"
        raise StorageError(f"{error.filename or work} cannot be written: {error.strerror}; {way}") from None


def _model(before: Tool | None) -> MicroModel | None:
    from tools.micro_tool import Asking

    return before.run.model if before and isinstance(before.run, Asking) else None


def _register(forged: Forged, folder: Path, before: Tool | None) -> Path:
    """The shipped model of a name counts as its version 1."""
    from tools.micro import versions

    assert forged.best.made
    try:
        return versions.register(forged.best.made.folder, folder, 2 if before and before.source == "built-in" else 1)
    except OSError as error:
        way = "nothing was registered; make room, and give the same command again"
        raise StorageError(f"{folder} cannot be written: {error.strerror}; {way}") from None


# -- what is shown


def _view(output: Output) -> View:
    live = output.stderr.isatty() and not (output.dumb or output.json or output.quiet)
    return Bar(output) if live else View(output)


class View:
    """Says what has come about, a line each; with `--json` an object each."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None: ...

    def tell(self, told: Told) -> None:
        from tools.forge.forge import Counted, Skipped, Training
        from tools.forge.trial import Tried

        if self.output.json:
            if not isinstance(told, Training):
                self.output.record(_record(told))
            return
        match told:
            case Counted():
                self.line(*_counted(told))
            case Tried():
                self.line(f"  {_tried(told)}")
            case Skipped():
                self.line(f"  {told.name}: not tried, {clean(told.why)}")
            case Training():
                self.training(told)

    def line(self, *lines: str) -> None:
        self.output.say(*lines)

    def training(self, told: Training) -> None:
        """Where nothing moves on the screen, training is not shown."""


class Bar(View):
    """The same on a terminal, with a bar for the training that goes on."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""

    def __exit__(self, *_: object) -> None:
        self._stop()

    def line(self, *lines: str) -> None:
        self._stop()
        super().line(*lines)

    def training(self, told: Training) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        if self._progress is None or self._name != told.name:
            self._stop()
            columns = (TextColumn("  {task.description}"), BarColumn(24), TextColumn("{task.fields[about]}"))
            self._progress, self._name = Progress(*columns, console=self._console(), transient=True), told.name
            self._task = self._progress.add_task(told.name, total=told.progress.steps, about="")
            self._progress.start()
        assert self._task is not None
        about = f"loss {told.progress.loss:.3f} · {duration(told.progress.left)} left"
        self._progress.update(self._task, completed=told.progress.step, about=about)

    def _console(self) -> Any:
        from rich.console import Console

        return Console(file=self.output.stderr, color_system=None if self.output.plain else "auto", highlight=False)

    def _stop(self) -> None:
        progress, self._progress = self._progress, None
        if progress:
            progress.stop()


def _counted(told: Counted) -> list[str]:
    examples, parts, job = told.examples, told.parts, told.job
    held = f"{len(parts.test):,} held out, no input in both"
    about = f"{counted(len(told.candidates), 'candidate')} · at most {job.seconds / 60:g} min of training"
    lines = [f"data {examples.read:,} rows ({held}) · {job.kind} · {about}"]
    odd = [
        (examples.repeated, "repeated: each counts once"),
        (examples.contradictory, "inputs with several outputs: the commonest is taught"),
        (parts.shared, "test rows that also stand in the examples: left out"),
    ]
    lines += [f"  {number:,} {what}" for number, what in odd if number]
    if job.kind == "classify" and parts.unseen:
        names = ", ".join(parts.unseen[:5]) + (", …" if len(parts.unseen) > 5 else "")
        lines.append(f"  no row of these outputs is in the validation part, so little is known of them: {clean(names)}")
    return lines


def _tried(one: Tried) -> str:
    size = f"{one.size / 1e6:.2f} MB" if one.size else "your code"
    took = f"{one.rate:,.0f} calls/s · {duration(one.seconds)}"
    return f"{one.name:<14} {one.valid.value:5.1f} % of the validation part · {size} · {took}"


def _figure(figure: Figure) -> str:
    return f"{figure.value:.1f} % ({figure.low:.1f} to {figure.high:.1f})"


def _say(output: Output, forged: Forged, version: str) -> None:
    """The figures of the held-out rows, the best first, and what was registered."""
    best, name = forged.best, forged.name
    if output.json:
        data = {figure: asdict(value) for figure, value in forged.test.items()}
        output.record({"type": "forged", "name": name, "best": best.name, "test": data, "registered": version})
        return
    others = [figure for figure in forged.test.values() if figure is not forged.figure]
    others.sort(key=lambda figure: -figure.value)
    rows = [f"held-out {_figure(forged.figure)} of {forged.figure.rows:,} rows · {best.name}, {best.size / 1e6:.2f} MB"]
    rows[0] += f" · {best.rate:,.0f} calls/s"
    rows += [f"  beside it {_figure(figure)}  {figure.name}" for figure in others]
    if version:
        rows.append(f"registered {name} {version} (undo: zooid tools rm {name}@{version.removeprefix('v')})")
    output.page(rows, None)


def _record(told: Any) -> dict[str, Any]:
    from tools.forge.forge import Counted, Skipped

    if isinstance(told, Counted):
        parts, examples = told.parts, told.examples
        sizes = {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)}
        found = {"rows": examples.read, "repeated": examples.repeated, "contradictory": examples.contradictory}
        return {"type": "counted", **found, **sizes, "kind": told.job.kind, "candidates": list(told.candidates)}
    if isinstance(told, Skipped):
        return {"type": "skipped", "name": told.name, "why": told.why}
    row = {"type": "tried", "name": told.name, "valid": asdict(told.valid), "bytes": told.size}
    return {**row, "calls_per_second": round(told.rate), "seconds": round(told.seconds, 1)}


# -- undoing it


def remove(output: Output, registry: Registry, places: Places, what: str) -> None:
    """Takes a version of a forged model, or a whole tool of one's own, out of the plugin folder; nothing is deleted."""
    from tools.micro import versions

    name, sign, number = what.partition("@")
    folder = places.tools / name
    known = versions.versions(folder)
    if sign and (not number.isdigit() or int(number) not in known):
        there = ", ".join(f"{name}@{n}" for n in known) or "none"
        raise NotFound(f"there is no version {number!r} of {name}; there is: {there}")
    if sign:
        place = folder / f"v{number}"
    else:
        place = next((path for path in (folder, places.tools / f"{name}.py") if path.exists()), folder)
    if not name.isidentifier() or not place.exists():
        tool = registry.get(name)
        why = f"it comes from {tool.source}" if tool else "see what there is with: zooid tools"
        raise NotFound(f"there is no tool {name!r} of your own in {places.tools}; {why}")
    try:
        kept = versions.remove(place, places.removed)
    except OSError as error:
        raise StorageError(f"{place} cannot be moved: {error.strerror}; change its permissions") from None
    left = versions.newest(folder)
    now = f"{name} is now {left.name}" if left else f"{name} of your own is gone"
    data = {"removed": what, "kept": str(kept), "now": left.name if left else None}
    output.page([f"removed {what}; {now}"], data)
    output.say(f"it is kept; put it back with: mkdir -p {place.parent} && mv {kept} {place}")

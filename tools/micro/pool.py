"""Which models are loaded: each in a worker of its own, within a budget, the longest unused put away first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.errors import ModelFileError, ToolError
from tools.micro import gguf
from tools.micro.llama import Tuning
from tools.micro.manifest import MicroModel, check_digest
from tools.micro.share import CannotShareError, Share
from tools.micro.worker import Worker, WorkerDied

TRIES = 8
"""A shared worker may end itself at the moment in which it is found; then another is looked for."""


@dataclass(eq=False)
class _Place:
    """A model that is loaded, or being loaded (then `worker` is None)."""

    model: MicroModel
    size: int
    users: int = 0
    used: float = 0.0
    worker: Worker | None = None
    error: ToolError | None = None
    gone: bool = False  # no more in the pool; it ends when nobody uses it any more
    loading: threading.Lock = field(default_factory=threading.Lock)


@dataclass(eq=False)
class _Ticket:
    """A thread that waits for its turn; `go` is set when the model that it wants has been given room."""

    model: MicroModel
    go: bool = False


class Pool:
    """Workers by model file. Threads that need room wait in the order in which they came, and when a model gets room
    all that wait for it go together: calls that alternate between two models do not load them in turns.

    With a `share` the workers are those of all zooid processes: a model that is put away here is only left alone.
    """

    def __init__(self, budget: int, gpu_layers: int, tuning: Tuning, share: Share | None = None) -> None:
        self.budget, self.gpu_layers, self.tuning, self._share = budget, gpu_layers, tuning, share
        self._changed = threading.Condition()
        self._places: dict[Path, _Place] = {}
        self._known: dict[int, _Place] = {}  # the same by their models' identity: each is kept alive by its place
        self._queue: list[_Ticket] = []

    @contextmanager
    def use(self, model: MicroModel) -> Iterator[Worker]:
        """The worker of a model, loaded; raises ModelFileError where it cannot be."""
        place = self._at_once(model) or self._enter(model)
        try:
            yield place.worker or self._loaded(place)
        finally:
            with self._changed:
                place.users -= 1
                place.used = time.monotonic()
                if not place.gone and (place.worker is None or place.worker.ended):
                    self._take(model.path)
                if place.gone and not place.users and place.worker is not None:
                    place.worker.close()
                if self._queue:
                    self._changed.notify_all()

    def loaded(self) -> list[Path]:
        """The files that are loaded, the one that was not used for the longest time first."""
        with self._changed:
            return sorted(self._places, key=lambda path: self._places[path].used)

    def pids(self) -> list[int]:
        """The processes of the models that are loaded."""
        with self._changed:
            return [place.worker.pid for place in self._places.values() if place.worker is not None]

    def unload_idle(self, seconds: float) -> int:
        """Puts away what was not used for that long; gives the number of models."""
        with self._changed:
            before = time.monotonic() - seconds
            idle = [path for path, place in self._places.items() if not place.users and place.used <= before]
            for path in idle:
                self._put_away(self._take(path))
            return len(idle)

    def start(self, model: MicroModel) -> Worker:
        """A worker outside the pool, loaded; the caller closes it."""
        worker = Worker()
        self._load(worker, model)
        return worker

    def _at_once(self, model: MicroModel) -> _Place | None:
        """The place of a model that is loaded, where nobody waits for another one."""
        with self._changed:
            place = self._known.get(id(model))  # a path costs more than all the rest of this
            if place is None or place.worker is None or self._queue or not place.worker.alive():
                return None
            place.users += 1
            return place

    def _take(self, path: Path) -> _Place:
        """Takes a place out of the pool."""
        place = self._places.pop(path)
        place.gone = True
        self._known.pop(id(place.model), None)
        return place

    def _enter(self, model: MicroModel) -> _Place:
        """A place for the model, with this thread among its users."""
        ticket = _Ticket(model)
        with self._changed:
            self._queue.append(ticket)
            try:
                while not (ticket.go or self._queue[0] is ticket and self._has_room(model)):
                    self._changed.wait()
                place = self._places.get(model.path)
                if place is None:
                    place = _Place(model, model.path.stat().st_size)
                    self._places[model.path] = self._known[id(model)] = place
                    for other in self._queue:
                        other.go = other.go or other.model.path == model.path
                place.users += 1
                return place
            except OSError as error:
                way = "check its name and permissions"
                raise ModelFileError(f"{model.path}: cannot be read ({error.strerror}); {way}") from error
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _has_room(self, model: MicroModel) -> bool:
        """Whether the model is there or, with what is not in use put away, fits beside the others."""
        place = self._places.get(model.path)
        if place is not None:
            dead = place.worker is not None and not place.worker.alive()
            if not dead and (place.model is model or place.model == model):
                return True
            if place.users:
                return False  # dead, or of another version of the file: it goes when nobody uses it
            self._put_away(self._take(model.path))
        try:
            size = model.path.stat().st_size
        except OSError:
            return True  # what is wrong with it is said where it is loaded
        kept = sum(one.size for one in self._places.values())
        for path in sorted(self._places, key=lambda path: self._places[path].used):
            if kept + size <= self.budget:
                break
            if not self._places[path].users:
                kept -= self._places[path].size
                self._put_away(self._take(path))
        return kept + size <= self.budget or not self._places

    def _put_away(self, place: _Place) -> None:
        if place.worker is not None:
            place.worker.close()

    def _loaded(self, place: _Place) -> Worker:
        """The worker of a place; the first thread that comes loads it, the others wait."""
        with place.loading:
            if place.error is not None:
                raise place.error
            if place.worker is None:
                try:
                    place.worker = self._shared(place.model) or self.start(place.model)
                except ToolError as error:
                    place.error = error
                    raise
            return place.worker

    def _shared(self, model: MicroModel) -> Worker | None:
        """A worker that other processes use as well; None where there can be none, or where it died of the model."""
        if self._share is None:
            return None
        _check(model)
        for _ in range(TRIES):
            try:
                worker, started = self._share.connect(model, self.gpu_layers, self.tuning)
            except CannotShareError:
                return None
            try:
                worker.load(model, self.gpu_layers, self.tuning)
                return worker
            except WorkerDied:
                worker.close()
                if started:
                    return None
            except BaseException:
                worker.close()
                raise
        return None

    def _load(self, worker: Worker, model: MicroModel) -> None:
        try:
            _check(model)
            worker.load(model, self.gpu_layers, self.tuning)
        except WorkerDied as died:
            worker.close()
            way = "export it again for this version of llama.cpp"
            raise ModelFileError(f"{model.path}: the process that loaded it {died}; {way}") from None
        except BaseException:
            worker.close()
            raise


def _check(model: MicroModel) -> None:
    """Raises ModelFileError for a file that llama.cpp must not see."""
    gguf.check(model.path)
    check_digest(model)

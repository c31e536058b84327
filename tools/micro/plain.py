"""Micro-models that are no network: weights over n-grams and rules, answered in this process with no worker."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tools.errors import ModelFileError
from tools.micro.manifest import MicroModel, check_digest

Answer = tuple[str, float, tuple[float, ...]]
"""The value as text, its confidence, and for a classifier the probability of each label in the manifest's order."""
KEPT = 16
"""Readers that are kept loaded; each holds a few megabytes at most."""


class Reader(Protocol):
    """What `tools.micro.linear.read` and `tools.micro.rule.read` give."""

    def answers(self, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
        """An answer a row, in order; inputs are texts by name, as the engine made them."""
        ...


def answers(model: MicroModel, rows: Sequence[Mapping[str, str]]) -> list[Answer]:
    """Asks a model of the form `linear` or `rule`; raises ModelFileError where its file cannot be used."""
    return _reader(model).answers(rows)


_readers: dict[tuple[Path, str], Reader] = {}
_making = threading.Lock()


def _reader(model: MicroModel) -> Reader:
    """The reader of a model's file, made once for as long as it is among the last that were asked."""
    key = (model.path, model.provenance.sha256)
    with _making:
        reader = _readers.pop(key, None) or _made(model)
        _readers[key] = reader
        while len(_readers) > KEPT:
            del _readers[next(iter(_readers))]
        return reader


def _made(model: MicroModel) -> Reader:
    try:
        check_digest(model)
    except OSError as error:
        raise ModelFileError(f"{model.path}: cannot be read ({error.strerror}); check its permissions") from error
    if model.form == "linear":
        from tools.micro import linear

        return linear.read(model)
    from tools.micro import rule

    return rule.read(model)

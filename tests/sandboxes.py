"""The containers that this machine has; tests of the others say why they are skipped."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tools.sandbox import full


def _why_not(kind: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            zygote = full.Zygote(kind, full.view(Path(folder), False))
        except full.SandboxError as error:
            return str(error)
        try:
            return "" if zygote.run(full.Job(command="true")).ok else "it runs nothing"
        except full.SandboxError as error:
            return str(error)
        finally:
            zygote.close()


WHY_NOT = {kind: _why_not(kind) for kind in full.KINDS}
KINDS = [kind for kind in full.KINDS if not WHY_NOT[kind]]


def needs(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(WHY_NOT[kind]), reason=f"no {kind} here: {WHY_NOT[kind]}")

"""Writes a micro-model's manifest: what it is, how it is asked, what was measured, where it comes from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tools.forge.candidate import Job, Made, Row
from tools.forge.spec import Spec
from tools.micro.manifest import FILES, MANIFEST, Figure, MicroModel

UNMEASURED = Figure("not measured yet", 1, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the metric counts, the model's figure, the baseline's, and the other candidates'."""

    metric: str = "not measured yet"
    model: Figure = UNMEASURED
    baseline: Figure = UNMEASURED
    also: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """What a model says of itself: `inputs` are names with what they are."""

    doc: str
    asked_as: tuple[str, ...]
    inputs: Mapping[str, str]
    output: str = "str"


def about(spec: Spec, job: Job, before: MicroModel | None) -> About:
    """From the spec, else from the version before where it takes the same inputs, else in plain words."""
    words = spec.name.replace("_", " ")
    if before and tuple(one.name for one in before.inputs) != job.inputs:
        before = None
    given = {one.name: one.doc for one in before.inputs} if before else {}
    plain = {
        "classify": f"Tells which {words} a text has: {_listed(job.labels)}.",
        "extract": f"Finds the {words} in a text.",
        "generate": f"Gives the {words} of a text.",
    }[job.kind]
    phrases = (f"{words} of ...", f"what is the {words} of ...", f"find the {words} of ...")
    return About(
        spec.doc or (before.doc if before else plain),
        spec.asked_as or (before.asked_as if before else phrases),
        {name: spec.inputs.get(name) or given.get(name) or f"the {name.replace('_', ' ')}" for name in job.inputs},
        _output(job),
    )


def _output(job: Job) -> str:
    """The type of what comes out: whole numbers where all outputs are such."""
    whole = job.kind != "classify" and all(re.fullmatch(r"0|-?[1-9]\d{0,14}", row.output) for row in job.train)
    return "int" if whole else "str"


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:6]) + (f" or one of {len(labels) - 6} more" if len(labels) > 6 else "")


def write(
    made: Made, job: Job, said: About, measured: Measured, examples: Sequence[Row], origin: dict[str, Any]
) -> None:
    """Writes the manifest beside the model's file."""
    import tomli_w

    path = made.folder / FILES[made.fields["form"]]
    top: dict[str, Any] = {"name": job.name, "doc": said.doc, "asked_as": list(said.asked_as), "kind": job.kind}
    top |= {"output": "label" if job.kind == "classify" else said.output, **made.fields}
    top["input"] = {name: {"type": "str", "doc": doc} for name, doc in said.inputs.items()}
    if job.kind == "classify":
        tokens = made.tokens or ("",) * len(job.labels)
        top["labels"] = [_label(text, token) for text, token in zip(job.labels, tokens, strict=True)]
    top["examples"] = [{"input": row.inputs, "output": row.output} for row in examples]
    figures = {"metric": measured.metric, **asdict(measured.model), "baseline": asdict(measured.baseline)}
    top["accuracy"] = {**figures, "also": [asdict(figure) for figure in measured.also]}
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    own = {"trained_with": made.trained_with, "parameters": made.parameters, "sha256": sha256}
    top["provenance"] = {**own, "seed": job.seed, **origin}
    (made.folder / MANIFEST).write_text(tomli_w.dumps(top), encoding="utf-8")


def _label(text: str, token: str) -> dict[str, str]:
    return {"text": text, "token": token} if token else {"text": text}

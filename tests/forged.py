"""What the tests of the forge's candidates share: a made model as its reader sees it, with no manifest on disk."""

from __future__ import annotations

from tools.forge.candidate import Job, Made
from tools.micro.manifest import Accuracy, Figure, Input, Label, MicroModel, Provenance


def model_of(job: Job, made: Made) -> MicroModel:
    """What the manifest of a made model says, as far as its reader asks."""
    figure = Figure("model", 1, 0.0, 0.0, 0.0)
    return MicroModel(
        made.folder, job.name, "doc", ("thing",), job.kind, "label" if job.kind == "classify" else "str",
        tuple(Input(name, "str", name) for name in job.inputs), "", "", 1, made.fields["max_input"],
        made.fields["lower"], made.fields["parts"], tuple(map(Label, job.labels)), (),
        Accuracy("", figure, figure, ()), Provenance("numpy", 1, made.parameters, "0" * 64, (), ""),
        made.fields["form"],
    )  # fmt: skip

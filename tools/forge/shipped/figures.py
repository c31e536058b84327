"""Prints what is measured of every shipped micro-model, as the tables of the documentation.

python -m tools.forge.shipped.figures
"""

from __future__ import annotations

from tools.micro import MicroModel, load, shipped
from tools.micro.manifest import Figure


def table(model: MicroModel) -> str:
    """The figures of a model as a Markdown table, the plain code's beside the model's."""
    accuracy, size = model.accuracy, model.path.stat().st_size / 1e6
    lines = [f"**{model.name}** ({size:.2f} MB, {model.provenance.parameters:,} parameters): {accuracy.metric}.", ""]
    lines += ["| what | right, in percent (95 % interval) | rows |", "| --- | --- | --- |"]
    return "\n".join(lines + [_row(figure) for figure in (accuracy.model, accuracy.baseline, *accuracy.also)])


def _row(figure: Figure) -> str:
    return f"| {figure.name} | {figure.value:.1f} ({figure.low:.1f} to {figure.high:.1f}) | {figure.rows:,} |"


if __name__ == "__main__":
    print("\n\n".join(table(load(folder)) for folder in shipped()))

"""Tables for the newsletter."""

import csv
from pathlib import Path


def markdown_table(path: Path) -> str:
    """Show a CSV file as a Markdown table.

    Asked as: Markdown table of …; … as a table in Markdown

    Args:
        path: the CSV file.

    Effect: read
    """
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

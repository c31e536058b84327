"""What a person is asked to approve, whole: the question says the call in one line, and cuts what is long in it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

from agent.events import Asked
from agent.policy import short
from agent.tree import Tree


def in_full(asked: Asked, tree: Tree) -> list[str]:
    """The arguments that the question cuts, each under its name; nothing where it shows all of them."""
    task, lines = tree.tasks[asked.task], []
    is_of_call = task.tool and f"{task.tool}(" in asked.text  # the command of a check is in its question, whole
    for name, value in task.inputs.items() if is_of_call else ():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
        if short(value).endswith("…") or (isinstance(value, str) and "\n" in value) or _visible(text) != text:
            lines += [f"{_visible(name)}:", *(f"  {line}" for line in _visible(text).removesuffix("\n").split("\n"))]
    return lines


def screenful(lines: Sequence[str], size: tuple[int, int], run: str) -> list[str]:
    """As many of the lines as a screen of `size` columns and rows holds, the last ones too, and how to see the rest."""
    from rich.cells import cell_len

    width, rows = size
    heights = [-(-max(1, cell_len(line)) // width) for line in lines]
    room = max(4, rows - 8)
    if sum(heights) <= room:
        return list(lines)
    head = _fitting(heights, room * 2 // 3)
    tail = min(_fitting(heights[::-1], room // 3), len(lines) - head)
    left = len(lines) - head - tail
    mark = f"… {left:,} of {len(lines):,} lines are not shown here; see all of it with: zooid jobs answer {run} …"
    return [*lines[:head], mark, *lines[len(lines) - tail :]]


def _fitting(heights: Sequence[int], room: int) -> int:
    """How many of the first lines fit."""
    count = 0
    while count < len(heights) and heights[count] <= room:
        room -= heights[count]
        count += 1
    return count


def _visible(text: str) -> str:
    """A text with all in it spelled out that nobody sees, or that is no part of a line: see `unicodedata.category`."""
    return "".join(c if c in "\n\t " or unicodedata.category(c)[0] not in "CZ" else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""What a run, or a part of it, may do without a question, in a word.

`ask`: nothing that is more than reading and writing new files. `auto`: everything. Effects with commas between, such as
`write,network`: those. `never`: what would be asked about is refused. `read`: writing new files is refused too.
"""

from __future__ import annotations

EFFECTS = ("execute", "network", "write")  # that are more than reading
_WORDS = ("ask", "auto", "never", "read")


def approve_of(text: str) -> str:
    """The word as it is kept; raises ValueError, saying what there is, where it is none."""
    names = sorted({name.strip() for name in text.split(",")})
    if not (set(names) <= set(EFFECTS) or (len(names) == 1 and names[0] in _WORDS)):
        raise ValueError(f"ask, auto, never or read, or out of {', '.join(EFFECTS)} with commas between")
    return "auto" if len(names) == len(EFFECTS) else ",".join(names)


def unasked(approve: str) -> frozenset[str]:
    """The effects that need no question."""
    return frozenset(EFFECTS if approve == "auto" else approve.split(",")) & frozenset(EFFECTS)


def tightened(*words: str) -> str:
    """The strictest of all: nothing is done unasked, or asked about, that each of them would not."""
    for least in ("read", "never"):
        if least in words:
            return least
    return approve_of(",".join(frozenset.intersection(*map(unasked, words))) or "ask")

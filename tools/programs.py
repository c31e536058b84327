"""Tools that run code and commands that are not ours, each in the least that it needs: see `tools.sandbox`."""

from __future__ import annotations

import json
import keyword
from typing import Any, Literal

from tools import workspace
from tools.errors import ArgumentError, ToolError
from tools.function import Effect

__all__ = ["run_python", "run_command"]

_ERROR_CHARACTERS = 2000  # of what a program said, in the message of an error


def run_python(
    code: str,
    values: dict[str, Any] | None = None,
    tier: Literal["auto", "pure", "full"] = "auto",
    network: bool = False,
) -> str:
    """Run Python code that is given as text, and return what it prints or the value of its last line.

    Asked as: run the python code …; execute the python code …; run this python code

    Effect: execute
    Destinations: code, values
    Network: network

    Args:
        code: the code; it finds `values` as variables.
        values: what the code works on, by the name of a variable.
        tier: pure has no files, modules or network and needs no approval; full is CPython in the workspace; auto takes
            the one that the code needs.
        network: whether the code may reach the Internet, in the full tier.

    >>> run_python("sum(n * n for n in range(4))")
    '14'
    >>> run_python("print(text.upper())", {"text": "one"})
    'ONE'
    """
    for name in values or {}:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ArgumentError(f"{name!r} cannot be the name of a variable; give values names such as text or rows")
    if _is_pure(code, tier, network):
        from tools.sandbox import findings

        return findings.run_pure(code, values).rstrip("\n")
    return _run(code=_assigned(values or {}) + code, network=network)


def _effect(args: dict[str, Any]) -> Effect:
    """What a call of run_python may touch."""
    code, tier = str(args.get("code", "")), args.get("tier", "auto")
    return "none" if _is_pure(code, tier, bool(args.get("network"))) else "execute"


run_python.effect_of = _effect  # type: ignore[attr-defined]


def _is_pure(code: str, tier: str, network: bool) -> bool:
    from tools.sandbox import pure

    return tier == "pure" or (tier == "auto" and not network and not pure.why_not(code))


def _assigned(values: dict[str, Any]) -> str:
    """The values as one line of code before the code, such that its own lines keep their numbers but one."""
    if not values:
        return ""
    names = ", ".join(values)
    return f"import json; {names}, = json.loads({json.dumps(list(values.values()))!r}); del json\n"


def run_command(command: str, stdin: str = "", network: bool = False) -> str:
    """Run a shell command in the workspace, in a sandbox, and return what it prints.

    Asked as: run the command …; execute the command …; run the shell command …

    Effect: execute
    Destinations: command, stdin
    Outside: everything
    Network: network

    Args:
        command: the command, as one would type it; it may write in the workspace and nowhere else.
        stdin: what it reads from its standard input.
        network: whether it may reach the Internet.

    >>> run_command("echo one")
    'one'
    >>> run_command("wc -w", stdin="one two")
    '2'
    """
    return _run(command=command, stdin=stdin, network=network)


def _run(**job: Any) -> str:
    from tools import sandbox
    from tools.sandbox import findings, full

    result = findings.run(workspace.root(), full.Job(limits=full.Limits(seconds=sandbox.seconds), **job))
    if not result.ok:
        raise ToolError(_how(result) + _shown(result.stdout + result.stderr))
    return (result.stdout or result.stderr).rstrip("\n")


def _how(result: Any) -> str:
    if result.ended == "limit":
        return f"it was ended: it went over its limit of {result.what}"
    return f"it failed ({result.ended} {result.what})"


def _shown(said: str) -> str:
    """The end of what it said: that is where errors are."""
    said = said.strip()
    return ": " + (said if len(said) <= _ERROR_CHARACTERS else "…" + said[-_ERROR_CHARACTERS:]) if said else ""

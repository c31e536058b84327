"""What the attacks found on this machine: which container is used. A container that let one through is not.

An attack of each sort runs before a container is used for the first time; `zooid doctor` runs all of them. What they
found is kept for this kernel, this user and this version of the sandbox.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import sandbox
from tools.errors import ToolError
from tools.sandbox import full, pure

if TYPE_CHECKING:
    from tools.sandbox.attacks import Attack

UNSAFE = "--unsafe-no-sandbox"
_AT_ONCE = 4  # attacks


def run(root: Path, job: full.Job) -> full.Result:
    """Run code or a command in the strictest container that holds here; raises ToolError, which says what is wrong."""
    for last in (False, True):
        try:
            kind = container()
        except ToolError:
            if not sandbox.unsafe:
                raise
            return full.run_bare(root, job)
        try:
            return full.run_in(kind, root, job)
        except full.NotStartedError:
            if last:
                raise
            forget(kind)
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a container: how many attacks were tried, which got out (`leaks`), or `why` it is not there."""

    kind: str
    tried: int = 0
    leaks: tuple[str, ...] = ()
    why: str = ""

    @property
    def holds(self) -> bool:
        return bool(self.tried) and not self.leaks

    @property
    def text(self) -> str:
        if self.why:
            return self.why
        if self.leaks:
            return f"{len(self.leaks)} of {self.tried} escapes succeeded ({', '.join(self.leaks)}); it is not used"
        return f"none of {self.tried} escapes succeeded"


_lock = threading.Lock()
_known: dict[str, Finding] = {}


def container() -> str:
    """The strictest container that holds here; raises ToolError, which says why there is none."""
    with _lock:
        known = _known or _read()
        for kind in full.KINDS:
            if kind not in known:
                known[kind] = attack(kind, first=True)
                _write(known)
            if known[kind].holds:
                _known.update(known)
                return kind
    why = "; ".join(f"{kind}: {known[kind].text}" for kind in full.KINDS)
    raise ToolError(
        f"this code needs a sandbox, and this machine has none that holds ({why}). Install bubblewrap and look again "
        f"with: zooid doctor; or run what you trust without any protection: {UNSAFE}"
    )


def attack(kind: str, *, first: bool = False) -> Finding:
    """Attack a container here and now: with everything, or before its first use with an attack of each sort."""
    from concurrent.futures import ThreadPoolExecutor

    from tools.sandbox import attacks, kernel

    if sys.platform != "linux" or not kernel.has_filter():
        return Finding(kind, why=f"there is none for {sys.platform} on {os.uname().machine}")
    chosen = [each for each in attacks.ATTACKS if each.first or not first]
    shares = [chosen[n :: 1 if first else _AT_ONCE] for n in range(1 if first else _AT_ONCE)]
    try:
        with ThreadPoolExecutor(len(shares)) as pool:
            leaks = [name for found in pool.map(lambda share: _leaks(kind, share), shares) for name in found]
    except full.SandboxError as error:
        return Finding(kind, why=str(error))
    return Finding(kind, len(chosen), tuple(leaks))


def _leaks(kind: str, chosen: list[Attack]) -> list[str]:
    """The attacks that succeed, in an arena and a zygote of their own."""
    from tools.sandbox import attacks

    with attacks.arena() as arena:
        zygote = full.Zygote(kind, full.view(arena.root, False))
        try:
            works = zygote.run(full.Job(code="print('it works')"))
            if works.stdout != "it works\n":  # else no attack would mean anything
                raise full.NotStartedError(f"the sandbox ({kind}) runs nothing: {works.stderr.strip()[-200:]}")
            return [each.name for each in chosen if attacks.confined(each, arena, zygote.run)]
        finally:
            zygote.close()


def run_pure(code: str, values: dict[str, Any] | None = None) -> str:
    """Run code in the pure tier; raises ToolError, also where the doctor has found that it leaks here."""
    with _lock:
        found = _known.get("pure") or _read().get("pure")
    if found is not None and found.leaks:
        raise ToolError(f"the pure tier is not used: {found.text}; look again with: zooid doctor")
    return pure.run(code, values)


def attack_pure() -> Finding:
    """Attack the pure tier."""
    from tools.sandbox import attacks

    leaks = []
    try:
        with attacks.arena() as arena:
            for name, code in attacks.GADGETS.items():
                printed = _printed(code, arena.values())
                if attacks.ESCAPED in printed or arena.canary in printed:
                    leaks.append(name)
    except (ImportError, OSError) as error:
        return Finding("pure", why=f"it cannot be used: {error}; install pydantic-monty again")
    return Finding("pure", len(attacks.GADGETS), tuple(leaks))


def _printed(code: str, values: dict[str, Any]) -> str:
    try:
        return pure.run(code, values, pure.Limits(seconds=1, memory=64 * 2**20))
    except ToolError:
        return ""


def examine() -> list[Finding]:
    """Attack the pure tier and the strictest container that holds with all there is, the others with some of it."""
    found = [attack_pure()]
    for kind in full.KINDS:
        found.append(attack(kind, first=any(each.holds for each in found[1:])))
    with _lock:
        _known.clear()
        _known.update({each.kind: each for each in found})
        _write(_known)
    return found


def forget(kind: str) -> None:
    """A container that was found to hold cannot be made any more: look again before the next run."""
    with _lock:
        _known.clear()
        known = _read()
        known.pop(kind, None)
        _write(known)


def _file() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("zooid") / "sandbox.json"


def _machine() -> str:
    """What the findings hold for."""
    program = shutil.which("bwrap") or ""
    parts = [*os.uname()[2:], os.getuid(), sys.version, program, _stamp(program)]
    parts += [_stamp(path) for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _stamp(path: str | Path) -> tuple[int, int]:
    if not path:
        return (0, 0)
    about = os.stat(path)
    return about.st_size, about.st_mtime_ns


def _read() -> dict[str, Finding]:
    try:
        kept = json.loads(_file().read_text("utf-8"))
        rows = kept["found"] if kept["machine"] == _machine() else []
        return {row["kind"]: Finding(row["kind"], row["tried"], tuple(row["leaks"]), row["why"]) for row in rows}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _write(known: dict[str, Finding]) -> None:
    from tools.workspace import write_atomically

    content = {"v": 1, "machine": _machine(), "found": [asdict(each) for each in known.values()]}
    with suppress(OSError):  # then they are found again by the next program
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(_file(), json.dumps(content).encode())

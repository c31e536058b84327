"""Plugins: the tools that a person, a project or an installed package adds. None is imported in this process.

A plugin that cannot be used is a `Broken` row with its reason, and nothing else is the worse for it. What the tools say
of themselves is kept by a hash of their content, so that a start with many plugins imports none of them.
"""

from __future__ import annotations

import ast
import json
import keyword
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tools import trust, workspace
from tools.errors import ArgumentError, ToolError
from tools.host import CALL_SECONDS, IMPORT_SECONDS, Examples, Host, Source, description, fingerprint
from tools.registry import Broken, Tool

GROUP = "zooid.tools"  # of entry points
MANIFEST = "manifest.toml"
Origin = Literal["user", "project", "flag"]
_FORGET_HUNG = 3600  # s after which a plugin that hung when it was imported is tried again


@dataclass(frozen=True, slots=True)
class PluginFolder:
    """A folder of plugins. A `project`'s counts only once it is trusted; a `flag`'s must be there."""

    path: Path
    origin: Origin = "user"


@dataclass(frozen=True, slots=True)
class Hosted:
    """A call of a plugin's function in a process of its own."""

    host: Host
    name: str
    done: bool = False

    def __call__(self, args: dict[str, Any]) -> Any:
        return self.host.call(self.name, args, done=self.done)


def discover(
    folders: Iterable[PluginFolder],
    *,
    packages: bool = True,
    seconds: float = CALL_SECONDS,
    import_seconds: float = IMPORT_SECONDS,
    cache: Path | None = None,
) -> list[Tool | Broken]:
    """The tools of these folders and, with `packages`, of the installed packages that offer some.

    `seconds` is the deadline of a call, `import_seconds` of an import, `cache` the folder for what was found before.
    """
    known = _Cache(cache or _cache_folder())
    found = [entry for folder in folders for entry in _in_folder(folder)]
    if packages:
        found += _packages(known)
    known.look_at([entry for entry in found if isinstance(entry, Source)], import_seconds)
    known.save()
    tools: list[Tool | Broken] = []
    for entry in found:
        tools += _tools(entry, known.of(entry), seconds) if isinstance(entry, Source) else [entry]
    return tools


def _cache_folder() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("zooid")


def _tools(source: Source, seen: dict[str, Any], seconds: float) -> list[Tool | Broken]:
    """The tools of one plugin, from what was seen of it; its process starts with the first call."""
    name = source.module or Path(source.path).name
    if "failed" in seen:
        return [Broken(name, source.label, seen["failed"])]
    if not seen["rows"]:
        return [Broken(name, source.label, "it has no public function; a tool is a typed function with a docstring")]
    host, found = Host(source, seconds), list[Tool | Broken]()
    for row in seen["rows"]:
        if row["about"] is None:
            found.append(Broken(row["name"], source.label, row["why"]))
            continue
        done = Hosted(host, row["name"], done=True) if row["has_done"] else None
        about, run = description(row["about"]), Hosted(host, row["name"])
        found.append(Tool(about, "code", source.label, run, done, version=source.fingerprint[:12]))
    return found


# -- folders


def _in_folder(folder: PluginFolder) -> list[Source | Tool | Broken]:
    path = folder.path.absolute()
    if not path.is_dir():
        why = "it is no folder" if path.exists() or path.is_symlink() else "there is no such folder"
        return [Broken(path.name, str(path), why)] if folder.origin == "flag" or path.is_symlink() else []
    why = _unsafe_folder(folder)
    if why:
        return [Broken(path.name, str(path), why)]
    found = [entry for inner in sorted(path.iterdir()) for entry in _entry(inner)]
    # Asked last: had a file changed since its fingerprint was taken, the digest would differ.
    if folder.origin == "project" and found and not trust.is_trusted(path.parent.parent):
        return [_untrusted(path)]
    return found


def _untrusted(path: Path) -> Broken:
    changed = trust.was_trusted(path.parent.parent)
    why = "its content has changed since it was trusted" if changed else "it is not trusted yet"
    return Broken(".zooid/tools", str(path), f"{why}; read what is in it, then: zooid tools trust")


def _unsafe_folder(folder: PluginFolder) -> str:
    """Why nothing of a folder may be loaded; empty where it may."""
    path = folder.path
    if folder.origin == "project" and (path.is_symlink() or path.parent.is_symlink()):
        return "it is a link; a project's tools must be in the project"
    if path.is_symlink():
        return f"it is a link; name the folder that it leads to, with --tools or in the setting tools: {path.resolve()}"
    if not os.access(path, os.R_OK | os.X_OK):
        return "it cannot be read; change its permissions"
    if _is_open_to_all(path):
        return f"everybody can write to it; change that with: chmod o-w {path}"
    open_ = (each for each in path.absolute().parents if _is_open_to_all(each) and not _is_sticky(each))
    if above := next(open_, None):
        return f"everybody can put another in its place; change that with: chmod o-w {above}"
    unsafe = [helper.name for helper in path.glob("_*") if _leads_out(helper, path) or _is_open_to_all(helper)]
    return f"its file {unsafe[0]} is a link that leads out of it, or everybody can write to it" if unsafe else ""


def _entry(path: Path) -> Iterator[Source | Tool | Broken]:
    """What one file or sub-folder of a plugin folder is: a plugin, a micro-model, or (nothing given) neither."""
    is_folder = path.is_dir()
    if path.name.startswith((".", "_")) or not (is_folder or _is_plugin_name(path.name)):
        return
    if is_folder and not any(any(path.glob(sign)) for sign in (MANIFEST, "*.gguf", f"v*/{MANIFEST}")):
        return
    inner = [path, *path.rglob("*")] if is_folder else [path]
    if any(_leads_out(part, path.parent) for part in inner):
        yield Broken(path.name, str(path), "it is, or holds, a link that leads out of its folder; copy the file there")
    elif any(_is_open_to_all(part) for part in inner):
        yield Broken(path.name, str(path), f"everybody can write to it; change that with: chmod -R o-w {path}")
    elif is_folder:
        yield _micro_model(path)
    elif not path.is_file():
        yield Broken(path.name, str(path), "it is no file")
    else:
        yield _file(path)


def _file(path: Path) -> Source | Broken:
    try:
        return Source(str(path), path=str(path), fingerprint=fingerprint(path))
    except OSError as error:
        return Broken(path.name, str(path), f"it cannot be read ({error.strerror}); change its permissions")


def _is_plugin_name(name: str) -> bool:
    is_test = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    return name.endswith(".py") and not is_test


def _leads_out(path: Path, folder: Path) -> bool:
    try:
        return path.is_symlink() and not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link to itself
        return True


def _is_open_to_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _is_sticky(folder: Path) -> bool:
    """Whether only its owner can remove what is in a folder, as in /tmp."""
    return bool(folder.stat().st_mode & stat.S_ISVTX)


def _micro_model(folder: Path) -> Tool | Broken:
    """The model of a folder, or its newest version."""
    from tools import micro_tool
    from tools.micro import versions

    try:
        return micro_tool.from_folder(versions.newest(folder) or folder)
    except ToolError as error:
        return Broken(folder.name, str(folder), str(error))


# -- installed packages


def _packages(known: _Cache) -> list[Source | Broken | Tool]:
    """The modules that installed packages offer. The list is kept for as long as nothing is installed or removed."""
    places = [[place, os.stat(place).st_mtime_ns] for place in sys.path if os.path.isdir(place)]
    if known.packages.get("places") != places:
        known.packages = {"places": places, "found": _entry_points()}
    found: list[Source | Broken | Tool] = []
    for label, module in known.packages["found"]:
        if not all(part.isidentifier() for part in module.split(".")):
            found.append(Broken(module, label, f"the entry point names {module!r}; it must name a module"))
        else:
            found.append(Source(f"{label} ({module})", module=module, fingerprint=_module_fingerprint(module, label)))
    return found


def _entry_points() -> list[list[str]]:
    from importlib.metadata import entry_points

    points = sorted(entry_points(group=GROUP), key=lambda point: (point.value, point.name))
    return [[f"package {p.dist.name} {p.dist.version}" if p.dist else "package", p.value] for p in points]


def _module_fingerprint(module: str, label: str) -> str:
    """A hash of a module's files, found without importing the packages that it is in; "" where that fails."""
    import hashlib
    from importlib.machinery import PathFinder
    from importlib.util import find_spec

    total, parts = hashlib.blake2b(label.encode(), digest_size=16), module.split(".")
    try:
        spec = find_spec(parts[0])
        for n in range(2, len(parts) + 1):
            spec = PathFinder.find_spec(".".join(parts[:n]), spec.submodule_search_locations if spec else None)
    except (ImportError, ValueError):
        return ""
    if not spec or not spec.origin or not os.path.isfile(spec.origin):
        return ""
    origin = Path(spec.origin)
    for path in sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]:
        total.update(path.read_bytes())
    return total.hexdigest()


# -- what was found before


class _Cache:
    """What plugins said of themselves, by their fingerprints. It can be lost or damaged at no harm."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plugins.json"
        self._stamp = _stamp()
        kept = self._read()
        self.packages: dict[str, Any] = kept.get("packages", {})
        self._seen: dict[str, dict[str, Any]] = kept.get("seen", {})
        self._before = json.dumps([self.packages, self._seen])

    def of(self, source: Source) -> dict[str, Any]:
        return self._seen[source.label]

    def look_at(self, sources: Sequence[Source], seconds: float) -> None:
        """Import those that are new or have changed, several at a time, each in a process of its own."""
        new = [source for source in sources if not self._knows(source)]
        if not new:
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:
            for source, seen in zip(new, pool.map(lambda each: look(each, seconds), new), strict=True):
                self._seen[source.label] = seen

    def _knows(self, source: Source) -> bool:
        seen = self._seen.get(source.label)
        if not seen or not source.fingerprint or seen["fingerprint"] != source.fingerprint:
            return False
        return "failed" not in seen or seen["until"] > time.time()

    def save(self) -> None:
        self._seen = {label: seen for label, seen in self._seen.items() if label[:1] != "/" or os.path.exists(label)}
        if json.dumps([self.packages, self._seen]) == self._before:
            return
        content = {"stamp": self._stamp, "packages": self.packages, "seen": self._seen}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            workspace.write_atomically(self._path, json.dumps(content).encode())
        except OSError:
            pass  # a full or read-only disk: the next start takes longer, that is all

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            return kept if kept["stamp"] == self._stamp else {}
        except (OSError, ValueError, LookupError, TypeError):
            return {}


def look(source: Source, seconds: float = IMPORT_SECONDS) -> dict[str, Any]:
    """Import a plugin, and give what it says as JSON: its rows, or why it failed and until when that is believed."""
    host, started = Host(source), time.monotonic()
    try:
        rows = [asdict(row) for row in host.describe(seconds)]
        return {"fingerprint": source.fingerprint, "rows": rows}
    except ToolError as error:
        # A library that is missing may be there next time; to wait for a plugin that hangs is too long for every start.
        hung = time.monotonic() - started >= seconds
        until = time.time() + _FORGET_HUNG if hung else 0
        return {"fingerprint": source.fingerprint, "failed": _why(str(error), hung, seconds), "until": until}
    finally:
        host.close()


def _why(error: str, hung: bool, seconds: float) -> str:
    return f"it was not imported within {seconds:g} s; take out what it waits for at its top" if hung else error


def _stamp() -> list[Any]:
    """What else a description depends on: this Python, and the code that makes descriptions."""
    here = Path(__file__).parent
    ours = [os.stat(here / name) for name in ("function.py", "schema.py", "host.py", "plugins.py")]
    return [sys.version, sys.prefix, [[one.st_mtime_ns, one.st_size] for one in ours]]


# -- a new plugin

_EXAMPLE = '''\
"""Tools of my own: every public function here that has types and a docstring is one."""

import re


def {name}(text: str, separator: str = "-") -> str:
    """Turn a text into lower-case words with a separator between them, fit for a file name or an address.

    Asked as: {words} of …; make a {words} from …

    Args:
        text: the text.
        separator: what goes between the words.

    >>> {name}("Hello, World!")
    'hello-world'
    >>> {name}("one two", separator="_")
    'one_two'
    """
    return separator.join(re.findall(r"\\w+", text.lower()))
'''

_TEST = '''\
"""Tests of the tool {name}; run them with: python -m pytest {file}"""

import runpy
from pathlib import Path

{name} = runpy.run_path(str(Path(__file__).with_name("{name}.py")))["{name}"]


def test_words_are_joined():
    assert {name}("Hello, World!") == "hello-world"


def test_nothing_comes_of_nothing():
    assert {name}("") == ""
'''


def new(folder: Path, name: str, taken: Iterable[str] = ()) -> list[Path]:
    """Write a working example of a tool, and a test of it, to be made into one's own; gives the two files.

    `taken` are the names of other tools. Raises ArgumentError where the name will not do.
    """
    _check_name(name, set(taken))
    path, test = folder / f"{name}.py", folder / f"test_{name}.py"
    for existing in (path, test):
        if existing.exists() or existing.is_symlink():
            raise ArgumentError(f"{existing} is there already; choose another name, or remove it first")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    words = name.strip("_").replace("_", " ")
    workspace.write_atomically(path, _EXAMPLE.format(name=name, words=words).encode())
    workspace.write_atomically(test, _TEST.format(name=name, file=test.name).encode())
    return [path, test]


def _check_name(name: str, taken: set[str]) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        better = "_".join(part for part in "".join(c if c.isalnum() else " " for c in name).lower().split())
        better = f"my_{better}" if not better.isidentifier() or keyword.iskeyword(better) else better
        raise ArgumentError(f"{name!r} cannot be the name of a Python function; such as {better.rstrip('_')!r} can")
    if name.startswith(("_", "test_")) or name.endswith("_test"):
        raise ArgumentError(f"{name!r} is a name for helpers and tests, which are no tools; choose another")
    if name in taken:
        near = _near(name, taken - {name})
        raise ArgumentError(f"there is a tool {name!r} already{near}; choose another name, such as 'my_{name}'")


def _near(name: str, names: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, sorted(names), 3)
    return f" (like {', '.join(near)})" if near else ""


# -- is a plugin sound?


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` found of one plugin."""

    source: str
    tools: list[Tool] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    examples: list[Examples] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.tools) and not self.broken and not any(each.failed for each in self.examples)


def check(target: str | Path, entries: Iterable[Tool | Broken] = (), seconds: float = CALL_SECONDS) -> Report:
    """Import a plugin in a process of its own, run its docstring examples, and say what is odd about it.

    `target` is a file, a micro-model's folder, or the name of one of `entries`. Raises ArgumentError where it is none.
    """
    found = _target(target, list(entries))
    if isinstance(found, Source):
        return _check_source(found, seconds)
    if isinstance(found, Broken):
        return Report(found.source, broken=[found])
    return _check_model(found)


def _target(target: str | Path, entries: list[Tool | Broken]) -> Source | Tool | Broken:
    named = next((entry for entry in entries if entry.name == str(target)), None)
    if isinstance(named, Tool) and isinstance(named.run, Hosted):
        source = named.run.host.source
        return _file(Path(source.path)) if source.path else source
    if isinstance(named, Tool) and named.kind != "micro":
        raise ArgumentError(f"{target} is no plugin, so there is nothing to check; name one, or its file")
    if isinstance(named, Tool):
        return named
    path = Path(named.source if named else target).absolute()
    found = next(_entry(path), None) if path.exists() or path.is_symlink() else named
    if found is not None:
        return found
    if path.exists():
        raise ArgumentError(f"{path} is no plugin: that is a .py file, or a folder with {MANIFEST}, and no test")
    raise ArgumentError(f"there is no tool or file {str(target)!r}{_near(str(target), (e.name for e in entries))}")


def _check_source(source: Source, seconds: float) -> Report:
    seen = look(source)
    entries = _tools(source, seen, seconds)
    tools = [entry for entry in entries if isinstance(entry, Tool)]
    report = Report(source.label, tools, [entry for entry in entries if isinstance(entry, Broken)])
    if source.path:
        report.warnings.extend(_warnings(Path(source.path), tools))
    for tool in tools:
        if ">>>" not in tool.about.doc:
            report.warnings.append(f"{tool.name} has no example in its docstring (a line with >>> and what it gives)")
    host = Host(source, seconds)
    try:
        with tempfile.TemporaryDirectory(prefix="zooid-") as folder:
            report.examples.extend(host.examples(Path(folder), seconds) if tools else [])
    except ToolError as error:
        report.broken.append(Broken(tools[0].name, source.label, f"its examples could not be run: {error}"))
    finally:
        host.close()
    return report


def _check_model(tool: Tool) -> Report:
    from tools import micro_tool

    assert isinstance(tool.run, micro_tool.Asking)
    try:
        return Report(tool.source, [tool], examples=[micro_tool.examples(tool.run.model.folder)])
    except ToolError as error:
        return Report(tool.source, broken=[Broken(tool.name, tool.source, str(error))])


# What a function's code touches, by what it calls. A hint for the person who writes it, not a guard.
_CALLS: dict[str, str] = {
    "os.listdir": "read", "os.scandir": "read", "os.walk": "read",
    "os.remove": "write", "os.unlink": "write", "os.rename": "write", "os.replace": "write", "os.mkdir": "write",
    "os.makedirs": "write", "os.rmdir": "write", "shutil": "write", "tempfile": "write",
    "os.system": "execute", "os.popen": "execute", "os.execv": "execute", "os.fork": "execute",
    "subprocess": "execute", "multiprocessing": "execute", "ctypes": "execute", "eval": "execute", "exec": "execute",
    "socket": "network", "requests": "network", "httpx": "network", "aiohttp": "network", "urllib.request": "network",
    "urllib3": "network", "http.client": "network", "ftplib": "network", "smtplib": "network",
}  # fmt: skip
_METHODS = {
    "read_text": "read", "read_bytes": "read", "iterdir": "read", "glob": "read", "rglob": "read",
    "write_text": "write", "write_bytes": "write", "unlink": "write", "mkdir": "write", "touch": "write",
}  # fmt: skip
_STRENGTH = ("none", "read", "write", "network", "execute")


def _warnings(path: Path, tools: list[Tool]) -> Iterator[str]:
    """For each tool that declares no effect, or too small a one: what its code seems to touch."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    touches = _touches(tree)
    for tool in tools:
        for effect, call in sorted(touches.get(tool.name, {}).items(), key=lambda item: -_STRENGTH.index(item[0])):
            if _STRENGTH.index(tool.effect) < _STRENGTH.index(effect):
                said = "no effect" if tool.effect == "none" else f"the effect {tool.effect}"
                yield f"{tool.name} calls {call} but declares {said}; add a line to its docstring: Effect: {effect}"
                break


def _touches(tree: ast.Module) -> dict[str, dict[str, str]]:
    """For each function of a file: the effects that its code seems to have, and by which call; helpers included."""
    modules = _imported(tree)
    functions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    calls = {name: list(_called(node, modules)) for name, node in functions.items()}
    found: dict[str, dict[str, str]] = {}
    for name in functions:
        reached, waiting = set[str](), [name]
        while waiting:
            at = waiting.pop()
            if at not in reached:
                reached.add(at)
                waiting += [call for call, _ in calls[at] if call in functions]
        found[name] = {effect: call for at in sorted(reached) for call, effect in calls[at] if effect}
    return found


def _imported(tree: ast.Module) -> dict[str, str]:
    """What the names that a file imports stand for: `sp` for `subprocess`, `run` for `subprocess.run`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                names[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _called(function: ast.AST, modules: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What a function calls, with the effect that this has ("" for none that is known)."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        head, _, rest = ast.unparse(node.func).partition(".")
        full = ".".join(filter(None, (modules.get(head, head), rest)))
        yield full, _effect(node, full)


def _effect(call: ast.Call, full: str) -> str:
    last = full.rpartition(".")[2]
    if last == "open":
        texts = [a.value for a in (*call.args, *(k.value for k in call.keywords)) if isinstance(a, ast.Constant)]
        modes = [set(text) for text in texts if isinstance(text, str) and set(text) <= set("rwxabt+")]
        return "write" if any(mode & set("wxa+") for mode in modes) else "read"
    known = next((_CALLS[key] for key in _CALLS if full == key or full.startswith(f"{key}.")), "")
    return known or (_METHODS.get(last, "") if isinstance(call.func, ast.Attribute) else "")

"""What is installed and works: each line tried, none assumed."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from agent import config
from agent.config import Settings
from agent.errors import PersonError
from agent.output import Output, counted
from tools.errors import ToolError
from tools.registry import Registry


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is done, warn (works without it) or failed (needed and broken)."""

    name: str
    state: str
    text: str


def show(output: Output, findings: Iterable[Finding]) -> int:
    """Show what was found; the exit code, 1 where something that is needed is broken."""
    found = list(findings)
    width = max(len(one.name) for one in found)
    lines = [f"{output.mark(one.state, output.stdout)} {one.name:{width}}  {one.text}" for one in found]
    output.page(lines, [asdict(one) for one in found])
    return 1 if any(one.state == "failed" for one in found) else 0


def examine(
    root: Path, state: Path, registry: Callable[[], Registry], settings: Callable[[], Settings], model: str
) -> Iterator[Finding]:
    """Try everything that a run may need."""
    yield _python()
    yield Finding("zooid", "done", version_text())
    yield _writable("workspace", root, "change its permissions, or run in another folder")
    yield _writable("state folder", state, "change its permissions, or set XDG_STATE_HOME")
    yield from _tools(registry)
    yield _llama()
    yield from _micro()
    yield from _sandboxes()
    yield from _configured(settings)
    yield _openai()
    yield _tiktoken(model)


def _python() -> Finding:
    fits = sys.version_info >= (3, 11)
    return Finding("python", "done" if fits else "failed", f"{platform.python_version()} ({sys.executable})")


def version_text() -> str:
    try:
        return importlib.metadata.version("zooid")
    except importlib.metadata.PackageNotFoundError:
        return "from its source, not installed"


def _writable(name: str, folder: Path, hint: str) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"zooid")
    except OSError as error:
        return Finding(name, "failed", f"{folder} cannot be written ({error.strerror}); {hint}")
    return Finding(name, "done", str(folder))


def _tools(registry: Callable[[], Registry]) -> Iterator[Finding]:
    try:
        tools = registry()
    except Exception as error:
        yield Finding("tools", "failed", f"they cannot be loaded: {type(error).__name__}: {error}")
        return
    yield Finding("tools", "done", f"{len(tools)} can be used")
    if tools.broken:
        names = ", ".join(broken.name for broken in tools.broken)
        yield Finding("broken tools", "warn", f"{names}; see why with: zooid tools")


def _llama() -> Finding:
    try:
        import llama_cpp

        gpu = llama_cpp.llama_supports_gpu_offload()
    except Exception as error:  # a library that was built for another machine fails in any way
        return Finding("llama.cpp", "failed", f"llama-cpp-python does not load: {error}; install it again")
    return Finding("llama.cpp", "done", f"llama-cpp-python {llama_cpp.__version__}, {'with' if gpu else 'without'} GPU")


def _micro() -> Iterator[Finding]:
    from tools.micro import Engine, load, shipped

    folders, engine, bad = shipped(), Engine(gpu_layers=0), []
    for folder in folders:
        try:
            model = load(folder)
            engine.call(model, model.examples[0].input)
        except (ToolError, ImportError, OSError) as error:
            bad.append(f"{folder.name}: {error}")
    engine.close()
    if bad:
        yield Finding("micro-models", "failed", "; ".join(bad))
    else:
        yield Finding("micro-models", "done", f"{counted(len(folders), 'model')} loaded and asked")


def _sandboxes() -> Iterator[Finding]:
    """Attacks each tier; what lets an attack through is not used by the runs that follow."""
    from tools.sandbox import findings

    pure, *containers = findings.examine()
    yield Finding("sandbox pure", "done" if pure.holds else "failed", pure.text)
    used = next((each for each in containers if each.holds), None)
    for each in containers:
        text = f"{each.text}; it is used for code and commands" if each is used else each.text
        yield Finding(f"sandbox {each.kind}", "done" if each.holds else "warn", text)
    if used is None:
        yield Finding("sandbox", "warn", f"none holds here; code and commands are refused without {findings.UNSAFE}")


def _configured(settings: Callable[[], Settings]) -> Iterator[Finding]:
    """What the settings name: a key, of which only where it was found is said, and a model file."""
    try:
        here = settings()
    except PersonError as error:
        yield Finding("settings", "failed", str(error))
        return
    yield _key(here)
    if here.model_path:
        yield _model_file(Path(here.model_path), here.model_sha256)


def _key(settings: Settings) -> Finding:
    try:
        _, where = config.find_key(settings)
    except PersonError as error:
        return Finding("key", "failed", str(error))
    if where:
        return Finding("key", "done", f"found in {where}; whether a server takes it shows at the first run")
    ways = f"neither {config.KEY} nor the settings key_file and keyring name one"
    return Finding("key", "warn", f"{ways}; the embedded planner plans (or a GGUF with --model)")


def _model_file(path: Path, wanted: str | None) -> Finding:
    from tools.micro import digests, gguf

    try:
        gguf.check(path)
        found, _ = digests.digest(path)
    except ToolError as error:
        return Finding("model file", "failed", str(error))
    if wanted not in (None, found):
        return Finding("model file", "failed", f"{path}: its SHA-256 is {found}, and model_sha256 is another")
    known = "as model_sha256 has it" if wanted else "any other would do; the setting model_sha256 makes it this one"
    return Finding("model file", "done", f"{path}, SHA-256 {found} ({known})")


def _openai() -> Finding:
    try:
        return Finding("openai", "done", f"openai {importlib.metadata.version('openai')}")
    except importlib.metadata.PackageNotFoundError:
        return Finding("openai", "warn", "the package openai is not installed; the planner openai cannot be used")


def _tiktoken(model: str) -> Finding:
    from agent import tokens

    if tokens._encoding(model) is not None:
        return Finding("tiktoken", "done", f"its table for {model} is on this machine; tokens are counted")
    return Finding("tiktoken", "warn", f"its table for {model} is not on this machine; tokens are estimated")

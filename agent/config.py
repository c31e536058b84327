"""Settings: each from the first that names it of flag, environment, the project's file, the person's file, default.

A project's file comes with a folder that somebody else may have written. Until the project is trusted, a setting of it
that would loosen what the person's own settings allow is left out, with a warning.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.approve import approve_of, tightened
from agent.errors import ConfigError
from tools import redact, trust

if TYPE_CHECKING:
    from agent.budget import Limits
    from tools.plugins import PluginFolder

PLANNERS = ("embedded", "local", "openai")
KEY = "OPENAI_API_KEY"
SERVICE = "zooid"  # in the system's keyring
_LONGEST_KEY = 65536  # characters that are read of a key file


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default. Values are such that JSON can hold them, so that a run can remember them."""

    planner: str = "auto"  # or names out of PLANNERS, with commas, the first to be asked first
    model: str | None = None  # its name at the server
    base_url: str | None = None  # of the server
    key_file: str | None = None  # that holds the key; OPENAI_API_KEY comes before it
    keyring: str | None = None  # the name that the system's keyring holds the key under, for the service zooid
    model_path: str | None = None  # a GGUF for the local planner
    model_sha256: str | None = None  # which that file must have; without it any is loaded
    gpu_layers: int = -1  # of a GGUF; -1: all
    context: int = 8192  # tokens that the local planner's model is given room for
    approve: str = "ask"
    max_depth: int = 6  # this and the rest of its kind: see agent.budget.Limits
    max_width: int = 64
    max_tasks: int = 1000
    max_seconds: float = 3600.0
    max_parallel: int = 8
    max_cost: float | None = None  # US dollars
    max_tokens: int | None = None  # in and out together
    max_tokens_in: int | None = None
    max_tokens_out: int | None = None
    max_replans: int = 2
    tool_seconds: float = 60.0
    micro_memory_mb: int = 512  # of micro-models that are kept loaded
    micro_idle_seconds: float = 60.0  # that a micro-model stays loaded once no run uses it
    jobs_max_running: int = 4  # runs in the background that are at work at once; the others queue
    jobs_on_end: tuple[str, ...] = ()  # a command to call when one ends or asks, or `desktop`
    tools: tuple[str, ...] = ()  # more folders of plugins
    private_hosts: tuple[str, ...] = ()  # that pages are fetched from although their addresses are not public
    unsafe_no_sandbox: bool = False  # where no sandbox works, code and commands run without one
    database: str | None = None  # a PostgreSQL URL, where machines are to share runs; without it they are files here
    prices: dict[str, dict[str, float]] = field(default_factory=dict)  # $ per 1M tokens: {model: {input, output}}
    origins: dict[str, str] = field(default_factory=dict, compare=False)  # where each of the above came from
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    @property
    def planners(self) -> tuple[str, ...]:
        """The planners that are asked for by name; none with `auto`."""
        return () if self.planner == "auto" else tuple(self.planner.split(","))


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as it is shown: its value, and where that came from."""

    name: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things are kept."""

    config_file: Path
    tools: Path
    runs: Path
    state: Path
    cache: Path
    data: Path


def paths() -> Paths:
    """The person's folders, as the system has them (on Linux by XDG_CONFIG_HOME and its kin)."""
    import platformdirs  # 18 ms of CPU where nothing else of it is loaded yet

    config, state = platformdirs.user_config_path("zooid"), platformdirs.user_state_path("zooid")
    cache, data = platformdirs.user_cache_path("zooid"), platformdirs.user_data_path("zooid")
    return Paths(config / "config.toml", config / "tools", state / "runs", state, cache, data)


# -- what each setting may be

Reader = Callable[[Any], Any]  # a value as it is kept; raises ValueError with what is allowed


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a setting is read, and when a project that is not trusted may set it: `loosens(value, the person's own)`."""

    read: Reader
    loosens: Callable[[Any, Any], bool] = lambda new, own: False
    is_path: bool = False


def _text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("a text that is not empty")


def _sha256(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value.strip().lower()):
        return value.strip().lower()
    raise ValueError("a SHA-256 of 64 digits, as sha256sum FILE gives it")


def _url(value: Any) -> str:
    if isinstance(value, str) and re.match(r"https?://[^\s/]", value.strip()):
        return value.strip().rstrip("/")
    raise ValueError("an address that begins with http:// or https://")


def _planner(value: Any) -> str:
    names = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [""]
    names = [name.strip() if isinstance(name, str) else "" for name in names]
    if names == ["auto"] or (names and set(names) <= set(PLANNERS) and len(set(names)) == len(names)):
        return ",".join(names)
    raise ValueError(f"auto, or out of {', '.join(PLANNERS)} with commas between")


def _approve(value: Any) -> str:
    return approve_of(value if isinstance(value, str) else "")


def _whole(least: int) -> Reader:
    def read(value: Any) -> int:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if isinstance(number, int) and not isinstance(number, bool) and number >= least:
            return number
        raise ValueError(f"a whole number from {least} up")

    return read


def _seconds(value: Any) -> float:
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        number = 0.0
    if 0 < number < 1e9:
        return number
    raise ValueError("a number of seconds above 0")


def _dollars(value: Any) -> float:
    try:
        return _seconds(value)
    except ValueError:
        raise ValueError("an amount of US dollars above 0") from None


def _folders(value: Any) -> tuple[str, ...]:
    given = value.split(os.pathsep) if isinstance(value, str) else value
    if isinstance(given, (list, tuple)) and all(isinstance(one, (str, Path)) and str(one) for one in given):
        return tuple(str(one) for one in given)
    raise ValueError(f"a list of folders (in the environment, with {os.pathsep} between)")


def _command(value: Any) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError:
        words = None
    if isinstance(words, (list, tuple)) and all(isinstance(word, str) and "\0" not in word for word in words):
        return tuple(words)
    raise ValueError('a command, as a text or as the list of its words, or "desktop"')


def _hosts(value: Any) -> tuple[str, ...]:
    given = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(given, (list, tuple)) and all(isinstance(one, str) and one.strip() for one in given):
        return tuple(one.strip() for one in given)
    raise ValueError("a list of hosts, each a name or an address, with :port where only that is meant")


def _yes_or_no(value: Any) -> bool:
    said = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if said is None:
        raise ValueError("true or false")
    return said


def _prices(value: Any) -> dict[str, dict[str, float]]:
    def is_price(price: Any) -> bool:
        return isinstance(price, (int, float)) and not isinstance(price, bool) and 0 <= price < 1e9

    if isinstance(value, Mapping):
        rows = [row for row in value.values() if isinstance(row, Mapping) and row.keys() == {"input", "output"}]
        if len(rows) == len(value) and all(is_price(price) for row in rows for price in row.values()):
            return {str(model): {side: float(price) for side, price in row.items()} for model, row in value.items()}
    raise ValueError("a table: model = { input = …, output = … }, in $ per 1M tokens")


def _always(new: Any, own: Any) -> bool:
    return bool(new != own)


def _more(new: Any, own: Any) -> bool:
    return bool(new > own)


def _more_or_none(new: Any, own: Any) -> bool:
    return own is not None and bool(new > own)


def _less_strict(new: str, own: str) -> bool:
    return tightened(new, own) != new


_KINDS: dict[str, _Kind] = {
    "planner": _Kind(_planner),
    "model": _Kind(_text),
    "base_url": _Kind(_url, _always),
    "key_file": _Kind(_text, _always, is_path=True),
    "keyring": _Kind(_text, _always),
    "model_path": _Kind(_text, _always, is_path=True),
    "model_sha256": _Kind(_sha256, _always),
    "gpu_layers": _Kind(_whole(-1)),
    "context": _Kind(_whole(256)),
    "approve": _Kind(_approve, _less_strict),
    "max_depth": _Kind(_whole(0), _more),
    "max_width": _Kind(_whole(1), _more),
    "max_tasks": _Kind(_whole(1), _more),
    "max_seconds": _Kind(_seconds, _more),
    "max_parallel": _Kind(_whole(1), _more),
    "max_cost": _Kind(_dollars, _more_or_none),
    "max_tokens": _Kind(_whole(1), _more_or_none),
    "max_tokens_in": _Kind(_whole(1), _more_or_none),
    "max_tokens_out": _Kind(_whole(1), _more_or_none),
    "max_replans": _Kind(_whole(0), _more),
    "tool_seconds": _Kind(_seconds, _more),
    "micro_memory_mb": _Kind(_whole(1), _more),
    "micro_idle_seconds": _Kind(_seconds),
    "jobs_max_running": _Kind(_whole(1), _more),
    "jobs_on_end": _Kind(_command, _always),
    "tools": _Kind(_folders, is_path=True),
    "private_hosts": _Kind(_hosts, _always),
    "unsafe_no_sandbox": _Kind(_yes_or_no, _always),
    "database": _Kind(_text, _always),
    "prices": _Kind(_prices, _always),  # by which costs are counted
}


# -- reading them


@dataclass(frozen=True, slots=True)
class _Layer:
    """Settings of one origin, raw, by name; `base` is the folder that their relative paths are read from."""

    values: dict[str, Any]
    origin: Callable[[str], str]
    base: Path
    is_project: bool = False


def load(flags: Mapping[str, Any], workspace: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a run in `workspace`. A flag that is None was not given.

    Raises ConfigError, which names the file and the key, for an unknown key and for a value that is not allowed.
    """
    person, project = paths().config_file, trust.config_file(workspace)
    flags = {name: value for name, value in flags.items() if value is not None and name != "workspace"}
    given, warnings = _environment(environ)
    layers = [
        _Layer(_file(person), lambda name: str(person), person.parent),
        _Layer(_file(project), lambda name: str(project), workspace, is_project=True),
        _Layer({"base_url": environ["OPENAI_BASE_URL"]} if environ.get("OPENAI_BASE_URL") else {},
               lambda name: "environment OPENAI_BASE_URL", Path.cwd()),
        _Layer(given, lambda name: f"environment ZOOID_{name.upper()}", Path.cwd()),
        _Layer(flags, lambda name: f"flag --{name.replace('_', '-')}", Path.cwd()),
    ]  # fmt: skip
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        warnings += _apply(layer, workspace, values, origins)
    settings = Settings(**values, origins=origins, warnings=tuple(warnings))
    _keep_out(settings, environ)
    return settings


def _apply(layer: _Layer, workspace: Path, values: dict[str, Any], origins: dict[str, str]) -> list[str]:
    """Lay one layer over what is there; gives the warnings about what was left out."""
    own, left_out, warnings = Settings(**values), [], []
    for name, raw in layer.values.items():
        origin = layer.origin(name)
        value = _value(name, raw, origin, layer.base)
        if layer.is_project and name == "tools":  # the content of folders that it names would be trusted by nobody
            warnings.append(f"{origin} sets tools, which is left out; a project keeps its tools in .zooid/tools")
        elif layer.is_project and _KINDS[name].loosens(value, own[name]) and not trust.is_trusted(workspace):
            left_out.append(name)
        else:
            values[name], origins[name] = value, origin
    if left_out:
        names = " and ".join(left_out)
        way = "which is left out until the project is trusted with: zooid tools trust"
        warnings.append(f"{layer.origin('')} sets {names}, {way}")
    return warnings


def _value(name: str, raw: Any, origin: str, base: Path) -> Any:
    kind = _KINDS.get(name)
    if kind is None:
        raise ConfigError(
            f"{origin}: there is no setting {name!r}{_near(name, _KINDS)}; see them with: zooid config show"
        )
    try:
        value = kind.read(raw)
    except ValueError as error:
        raise ConfigError(f"{origin}: {name} must be {error}, not {_shown(raw)}") from None
    if not kind.is_path:
        return value
    if isinstance(value, tuple):
        return tuple(_absolute(one, base) for one in value)
    return _absolute(value, base)


def _absolute(path: str, base: Path) -> str:
    return os.path.normpath(base.absolute() / Path(path).expanduser())


def _shown(value: Any, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def _near(name: str, names: Iterable[str]) -> str:
    import difflib

    plain, names = name.replace("-", "_").lower(), list(names)
    near = [plain] if plain in names else difflib.get_close_matches(plain, names, 2)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The settings that are named in the environment, and a warning for each that is none of ours."""
    found: dict[str, Any] = {}
    warnings = []
    for variable, value in environ.items():
        name = variable.removeprefix("ZOOID_").lower()
        if not variable.startswith("ZOOID_") or not value:
            continue
        if name.startswith("job_"):  # what a hook is told
            continue
        if name in _KINDS and name != "prices":
            found[name] = value
        else:
            warnings.append(f"the environment has {variable}, which is no setting{_near(name, _KINDS)}")
    return found, warnings


def _file(path: Path) -> dict[str, Any]:
    """What a settings file says; nothing where there is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check what it is and its permissions") from None
    import tomllib

    try:
        return _flat(tomllib.loads(content.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no valid TOML: {error}") from None


_TABLES = ("jobs",)


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """The settings of a file by their whole names: `max_running` of the table `jobs` is jobs_max_running."""
    tables = {table: values.pop(table) for table in _TABLES if isinstance(values.get(table), dict)}
    return values | {f"{table}_{name}": value for table, inner in tables.items() for name, value in inner.items()}


def _dotted(name: str) -> str:
    """A setting's name as it is written in a file."""
    table, _, rest = name.partition("_")
    return f"{table}.{rest}" if table in _TABLES else name


# -- the key


def api_key(settings: Settings, environ: Mapping[str, str] = os.environ) -> str:
    """The key of the server, from the environment, the key file or the system's keyring; empty where there is none.

    Raises ConfigError where others could read the key file, and where the keyring gives none.
    """
    return find_key(settings, environ)[0]


def find_key(settings: Settings, environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The same, and in words where it was found."""
    key, where = environ.get(KEY, "").strip(), f"the environment ({KEY})"
    if not key and settings.key_file:
        key, where = _in_file(Path(settings.key_file)), f"the key file {settings.key_file}"
    elif not key and settings.keyring:
        key, where = _in_keyring(settings.keyring), f"the system's keyring, as {settings.keyring}"
    redact.know(key)
    return key, where if key else ""


def _in_file(path: Path) -> str:
    try:
        with open(path, encoding="utf-8", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            about = os.stat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_mode & 0o077:
                raise ConfigError(f"{path}: others may read this key file; change that with: chmod 600 {path}")
            return file.read(_LONGEST_KEY).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the key file cannot be read ({error}); see key_file in zooid config show") from None


def _in_keyring(name: str) -> str:
    try:
        import keyring
    except ImportError:
        raise ConfigError("the key is in the system's keyring, which needs: pip install 'zooid[keyring]'") from None
    try:
        key = keyring.get_password(SERVICE, name)
    except Exception as error:  # each system's keyring fails in its own way
        raise ConfigError(f"the system's keyring cannot be read ({type(error).__name__}: {error})") from None
    if not key:
        raise ConfigError(f"the system's keyring has no key {name!r}; put it there with: keyring set {SERVICE} {name}")
    return str(key).strip()


def _keep_out(settings: Settings, environ: Mapping[str, str]) -> None:
    """Have the secrets that settings name kept out of all that is written, also where no planner needs them."""
    redact.know(environ.get(KEY, "").strip())
    for password in re.findall(r"//[^/@\s:]*:([^/@\s]+)@", f"{settings.base_url} {settings.database}"):
        redact.know(password)
    if settings.key_file:
        with suppress(ConfigError):
            redact.know(_in_file(Path(settings.key_file)))


# -- using and showing them


def limits(settings: Settings) -> Limits:
    """The limits of a run."""
    from agent.budget import Limits  # asyncio comes with it

    return Limits(
        depth=settings.max_depth,
        width=settings.max_width,
        tasks=settings.max_tasks,
        seconds=settings.max_seconds,
        parallel=settings.max_parallel,
        replans=settings.max_replans,
        tool_seconds=settings.tool_seconds,
        cost=settings.max_cost,
        tokens=settings.max_tokens,
        tokens_in=settings.max_tokens_in,
        tokens_out=settings.max_tokens_out,
    )


def database(environ: Mapping[str, str] = os.environ) -> str:
    """The database that runs are kept in, from the environment or the person's own file; empty where there is none.

    Raises ConfigError for a value that is not allowed.
    """
    person = paths().config_file
    given = environ.get("ZOOID_DATABASE") or _file(person).get("database") or ""
    return str(_value("database", given, "database", person.parent)) if given else ""


def plugin_folders(settings: Settings, workspace: Path) -> list[PluginFolder]:
    """The folders that plugins are looked for in: the person's, the project's, and those that were named."""
    from tools.plugins import PluginFolder

    own = [PluginFolder(paths().tools, "user"), PluginFolder(trust.tools_folder(workspace), "project")]
    return own + [PluginFolder(Path(folder), "flag") for folder in settings.tools]


def show(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Setting]:
    """Every setting and where it came from; of the key only whether there is one."""
    shown = [
        Setting(_dotted(name), _masked(settings[name]), settings.origins.get(name, "default"))
        for name in (one.name for one in fields(Settings))
        if name in _KINDS
    ]
    kept = settings.key_file or (f"keyring {settings.keyring}" if settings.keyring else "")
    origin = f"environment {KEY}" if environ.get(KEY) else kept
    return [*shown, Setting("key", "set, not shown" if origin else None, origin or "default")]


def _masked(value: Any) -> Any:
    """A value without the password that an address may hold."""
    return re.sub(r"//[^/@\s]*@", "//…@", value) if isinstance(value, str) else value

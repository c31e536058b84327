"""Puts a run together from the settings: workspace, tools, planners, store. Starts one, or opens one to go on with.

Only what the chosen planner needs is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import config
from agent import events as ev
from agent import plan as plans
from agent.archive import Store
from agent.errors import ConfigError, Declined, NotFound, UnsoundPlan, UsageError
from agent.planners import Ask, Planner
from agent.routes import Routes
from agent.run import SHOWN_TOOLS, Rank, Run, ranking
from agent.session import Preview, Sitting, give
from agent.store import Folder
from agent.task import ROOT, Plan, PlannedTask, Task, Usage
from agent.tree import Tree
from tools import workspace
from tools.registry import Broken, Registry, Tool, built_in

if TYPE_CHECKING:
    from agent.doctor import Finding
    from agent.forging import Places
    from agent.jobs import Jobs
    from agent.output import Output
    from agent.postgres.archive import PostgresArchive
    from agent.postgres.shared import SharedRun
    from agent.postgres.zone import Zone

_DEFAULT_MODEL = "gpt-5-mini"
_SETTINGS = frozenset(one.name for one in fields(config.Settings)) - {"origins", "warnings"}
_OF_THIS_MACHINE = frozenset(
    "database prices micro_memory_mb micro_idle_seconds jobs_max_running jobs_on_end private_hosts "
    "unsafe_no_sandbox".split()
)
_KEPT = _SETTINGS - _OF_THIS_MACHINE  # what a run remembers


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that hold in a workspace."""

    settings: config.Settings
    root: Path


# -- folders


def archive() -> Folder | PostgresArchive:
    """Where runs are kept."""
    url = config.database()
    if not url:
        return Folder(config.paths().runs)
    from agent.postgres.archive import PostgresArchive
    from agent.postgres.database import Database

    return PostgresArchive(Database(url))


def state_folder() -> Path:
    return config.paths().state


def routes() -> Routes:
    """What tasks are known to mean; nothing is read before it is asked."""
    return Routes(state_folder() / "router")


def run_id(id: str, last: bool) -> str:
    """The run that is meant; raises UsageError where none is, NotFound where there is none."""
    if bool(id) == last:
        raise UsageError("name the run, or give --last; see what there is with: zooid runs")
    if id:
        return id
    found = archive().ids()
    if not found:
        raise NotFound('there are no runs yet; start one with: zooid run "…"')
    return found[0]


def jobs() -> Jobs:
    """The runs in the background."""
    kept_in, folder = archive(), state_folder() / "jobs"
    if not isinstance(kept_in, Folder):
        from agent.postgres.jobs import SharedJobs

        return SharedJobs(folder, kept_in)
    from agent.jobs import Jobs

    return Jobs(folder, kept_in, lambda: _here().jobs_max_running)


def hook() -> tuple[str, ...]:
    """The command to call when a job ends or asks."""
    return _here().jobs_on_end


def _here() -> config.Settings:
    """The settings of this folder; those of the person alone where the folder's own cannot be read."""
    return config.load({}, Path.cwd(), os.environ)


def folder(given: str | Path | None) -> Path:
    """The workspace; raises UsageError where it is not there or cannot be written."""
    try:
        root = Path(given or ".").resolve(strict=True)
    except (OSError, RuntimeError):
        raise UsageError(f"the workspace {given or '.'} is not there; make it, or name another folder") from None
    if not root.is_dir():
        raise UsageError(f"the workspace {root} is no folder; name a folder with --workspace")
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise UsageError(f"the workspace {root} cannot be written; change its permissions, or name another folder")
    return root


# -- settings


def setup(flags: Mapping[str, Any]) -> Setup:
    """The settings under these flags; enters their workspace, and raises UsageError where it is none."""
    root = folder(flags.get("workspace"))
    given = dict(flags)
    for path in given.get("tools", ()):
        if not Path(path).is_dir():
            raise UsageError(f"there is no folder of tools {path}; name a folder with --tools")
    if is_model_file(given.get("model")):
        given["model_path"] = given.pop("model")
    workspace.enter(root)
    return Setup(config.load(given, root, os.environ), root)


def is_model_file(model: str | None) -> bool:
    """Whether what was given as a model is a file, rather than a name at a server."""
    return bool(model) and (
        str(model).lower().endswith(".gguf") or (os.sep in str(model) and Path(str(model)).is_file())
    )


def kept(settings: config.Settings) -> dict[str, Any]:
    """The settings that a run remembers, so that it goes on as it began. No secret is among them."""
    found = {name: settings[name] for name in sorted(_KEPT)}
    if "@" in (settings.base_url or ""):  # an address with a password in it
        del found["base_url"]
    return {name: value for name, value in found.items() if value is not None and value != ()}


# -- what a run is made of


def registry(at: Setup) -> Registry:
    """All tools: those that come with zooid, then the person's own."""
    from tools import micro_tool
    from tools.plugins import discover

    settings = at.settings
    room, idle = settings.micro_memory_mb * 2**20, settings.micro_idle_seconds
    micro_tool.configure(gpu_layers=settings.gpu_layers, budget=room, idle=idle)
    _confine(at)
    found = Registry()
    found.add(built_in())
    found.add(tool for tool in _shipped() if found.get(tool.name) is None)
    found.add(discover(config.plugin_folders(settings, at.root), seconds=settings.tool_seconds))
    return found


def _confine(at: Setup) -> None:
    """Tell the tools that run code, and the one that fetches pages, what these settings leave them."""
    from tools import sandbox, web

    web.allow_private(at.settings.private_hosts)
    sandbox.seconds = max(1.0, at.settings.tool_seconds - 2)
    sandbox.unsafe = at.settings.unsafe_no_sandbox
    sandbox.protected = tuple(str(folder.path) for folder in config.plugin_folders(at.settings, at.root))
    sandbox.hidden = (at.settings.key_file,) if at.settings.key_file else ()


def _shipped() -> Iterator[Tool | Broken]:
    """The micro-models that come with zooid."""
    from tools.errors import ToolError
    from tools.micro import shipped
    from tools.micro_tool import from_folder

    for path in shipped():
        try:
            yield from_folder(path, "built-in")
        except ToolError as error:
            yield Broken(path.name, "built-in", str(error))


def planners(settings: config.Settings, tools: Registry) -> list[Planner]:
    """The planners that are asked for; with `auto` the embedded one, and after it the one there is something for."""
    names = settings.planners or _automatic(settings)
    return [_planner(name, settings, tools, alone=name == names[-1]) for name in names]


def _automatic(settings: config.Settings) -> tuple[str, ...]:
    if settings.model_path and settings.origins.get("model_path", "").startswith("flag"):
        return "embedded", "local"
    if config.api_key(settings):
        return "embedded", "openai"
    return ("embedded", "local") if settings.model_path else ("embedded",)


def _planner(name: str, settings: config.Settings, tools: Registry, alone: bool) -> Planner:
    if name == "openai":
        return _openai(settings)
    if name == "local":
        return _local(settings)
    from agent.planners.embedded import EmbeddedPlanner

    return EmbeddedPlanner(tools, alone=alone)


def _openai(settings: config.Settings) -> Planner:
    from agent.planners.openai import OpenAIPlanner

    key = config.api_key(settings)
    if not key and not settings.base_url:
        raise ConfigError("the planner openai needs a key: set OPENAI_API_KEY, or name your server with --base-url")
    return OpenAIPlanner(settings.model or _DEFAULT_MODEL, settings.base_url, key or None, own_prices=settings.prices)


def _local(settings: config.Settings) -> Planner:
    from agent.planners.local import LocalPlanner

    if not settings.model_path:
        raise ConfigError("the planner local needs a model file: give --model FILE.gguf")
    path = Path(settings.model_path)
    if not path.is_file():
        raise ConfigError(f"there is no model file {path}; give the path of a GGUF with --model")
    return LocalPlanner(path, settings.context, settings.gpu_layers, sha256=settings.model_sha256 or "")


def _warnings(at: Setup, tools: Registry) -> list[str]:
    """What a person should know before a run, because tools or settings of theirs are left out."""
    untrusted = [broken for broken in tools.broken if broken.name == ".zooid/tools"]
    return [*at.settings.warnings, *(f"{broken.source} is left out: {broken.why}" for broken in untrusted)]


# -- runs


def start(goal: str, inputs: dict[str, Any], at: Setup) -> Sitting:
    """A new run. Its store is made last, so that what is wrong before leaves nothing behind."""
    tools = registry(at)
    asked = planners(at.settings, tools)
    store = archive().create()
    run = _run(Tree(store.run), store, tools, asked, at)
    return Sitting(run, [ev.RunStarted(ROOT, goal, inputs, str(at.root), kept(at.settings))], _warnings(at, tools))


def resume(id: str, flags: Mapping[str, Any], answer: str | None) -> Sitting:
    """A run to go on with, under the settings that it was started with and the flags over them."""
    store, tree = archive().open(id)
    store.own()
    try:
        return go_on(store, tree, flags, answer)
    except BaseException:
        store.close()
        raise


def go_on(store: Store, tree: Tree, flags: Mapping[str, Any], answer: str | None = None) -> Sitting:
    """The same of a run that this process owns."""
    known = {name: value for name, value in tree.settings.items() if name in _SETTINGS}  # of this version
    at = setup({**known, **flags, "workspace": tree.workspace})
    tools = registry(at)
    run = _run(tree, store, tools, planners(at.settings, tools), at)
    opening: list[ev.Event] = [ev.RunResumed(ROOT, kept(at.settings))]
    if answer is not None:
        opening.append(give(run, answer))
    return Sitting(run, opening, _warnings(at, tools))


def in_background(sitting: Sitting) -> dict[str, Any]:
    """The settings of a run that goes on later, maybe started by a process with another environment.

    Its planners are named one by one: where the key of one is missing then, it stops rather than do without.
    """
    names = ",".join(planner.name.partition(":")[0] for planner in sitting.run.planners)
    opening = next(event for event in sitting.opening if isinstance(event, ev.RunStarted | ev.RunResumed))
    return opening.settings | {"planner": names}


def _run(tree: Tree, store: Store, tools: Registry, asked: Sequence[Planner], at: Setup) -> Run | SharedRun:
    known = routes()
    limits, approve = config.limits(at.settings), _approve(at)
    if config.database():
        from agent.postgres.shared import share

        rank = ranking(tools, known)

        def prepare(tree: Tree, zone: Zone) -> Run:
            return Run(tree, zone, tools, asked, limits, approve, routes=known, others=zone, rank=rank)

        return share(store, tree, asked, prepare, limits, known)
    return Run(tree, store, tools, asked, limits, approve, listeners=[known.listener(tree)], routes=known)


def serve(flags: Mapping[str, Any], output: Output) -> int:
    """Be a worker: of the queue of this machine, or of the database that machines share."""
    url = config.database()
    if not url:
        from agent import background

        return background.serve(jobs(), output)
    from agent.postgres.database import Database
    from agent.postgres.service import serve
    from agent.postgres.site import Site
    from agent.postgres.tasks import everybody, tool_queue

    at, parts = setup(flags), _Parts(flags)
    special = [tool_queue(tool.name, tool.version) for tool in registry(at) if tool.version]
    site = Site(Database(url), [everybody(), *special], at.settings.max_parallel, parts.run)
    return serve(site, output, at.settings.jobs_on_end)


class _Parts:
    """What runs are made of that were begun elsewhere: tools and planners, made once for the same settings."""

    def __init__(self, flags: Mapping[str, Any]) -> None:
        self._flags, self._known = flags, routes()
        self._made: dict[str, tuple[Setup, Registry, list[Planner], Rank]] = {}

    def run(self, tree: Tree, zone: Zone) -> Run:
        """The run of a handed-over task, under the settings that it was started with."""
        at, tools, asked, rank = self._of(tree)
        limits = config.limits(at.settings)
        return Run(tree, zone, tools, asked, limits, _approve(at), routes=self._known, others=zone, rank=rank)

    def _of(self, tree: Tree) -> tuple[Setup, Registry, list[Planner], Rank]:
        key = repr([tree.workspace, tree.settings])
        if key not in self._made:
            known = {name: value for name, value in tree.settings.items() if name in _SETTINGS}
            at = setup({**known, **self._flags, "workspace": tree.workspace})
            tools = registry(at)
            self._made[key] = at, tools, planners(at.settings, tools), ranking(tools, self._known)
        workspace.enter(Path(tree.workspace))
        return self._made[key]


def _approve(at: Setup) -> Any:
    return at.settings.approve


def preview(goal: str, inputs: dict[str, Any], at: Setup) -> Preview:
    """What the planner would do about a goal; raises what it raises where it would do nothing."""
    import asyncio

    tools = registry(at)
    choice = routes().choose(goal, inputs, tools)
    if choice:
        call = PlannedTask("a", goal, choice.tool.name, choice.args)
        return Preview(choice.why, Plan([call], "$a"), Usage(), {})
    task, limits, asked = Task(ROOT, goal, inputs=inputs), config.limits(at.settings), planners(at.settings, tools)
    for planner in asked:
        try:
            found = asyncio.run(_preview(task, planner, tools, limits))
            found.estimate = _estimate(found.decision, asked, at.settings)
            return found
        except Declined:
            if planner is asked[-1]:
                raise
    raise AssertionError("the last planner's word is given or raised")


def _estimate(decision: Any, asked: Sequence[Planner], settings: config.Settings) -> Any:
    """What the models may take for a plan; None where no model can be asked, or there is no plan."""
    from agent import costs, prices

    models = [planner.name for planner in asked if planner.name != "embedded"]
    if not models or not isinstance(decision, Plan):
        return None
    own = settings.prices
    priced = models[0].startswith("openai:")
    price = prices.of(settings.model or _DEFAULT_MODEL, settings.base_url, own) if priced else prices.FREE
    return costs.estimate(decision, costs.record(archive()), price)


async def _preview(task: Task, planner: Planner, tools: Registry, limits: Any) -> Preview:
    from agent.router import Router

    shown = planner.name != "embedded"
    fitting = [tool for _, tool in Router(tools, routes().said()).rank(task.goal)][:SHOWN_TOOLS] if shown else []
    ask = Ask(task.goal, task.inputs, fitting, max_tasks=limits.width)
    try:
        for left in range(limits.replans, -1, -1):
            reply = await planner.decide(ask, lambda text: None)
            try:
                if isinstance(reply.decision, Plan):
                    plans.check(reply.decision, task, (), task.inputs.keys(), tools, limits.width)
                return Preview(planner.name, reply.decision, reply.usage, _asks(reply.decision, tools))
            except UnsoundPlan as error:
                if not left:
                    raise
                ask.failure = str(error)
        raise Declined("no plan could be made")
    finally:
        await planner.close()


def _asks(decision: Any, tools: Registry) -> dict[str, bool]:
    """The tasks of a plan that call a tool with an effect."""
    tasks: Sequence[Any] = decision.tasks if isinstance(decision, Plan) else ()
    called = {task.id: tools.get(task.tool) for task in tasks if task.tool}
    return {id: tool is not None and tool.effect not in ("none", "read") for id, tool in called.items()}


# -- what the other commands look at


def all_tools(flags: Mapping[str, Any]) -> Registry:
    """The tools that a run in this workspace would have."""
    return registry(setup(flags))


def model_folders(tools: Registry) -> list[Path]:
    """The folders of the micro-models that come with zooid and of the person's own."""
    from agent.planners.embedded.network import models
    from tools.micro import shipped

    own = [Path(tool.source) for tool in tools if tool.kind == "micro" and tool.source != "built-in"]
    broken = [Path(broken.source) for broken in tools.broken if Path(broken.source, "manifest.toml").is_file()]
    return [*shipped(), *models(), *own, *broken]


def examine(flags: Mapping[str, Any]) -> Iterator[Finding]:
    """What a run in this workspace would find on this machine."""
    from agent import doctor

    root = Path(flags.get("workspace", ".")).absolute()
    settings = lambda: setup(flags).settings  # noqa: E731
    return doctor.examine(root, state_folder(), lambda: all_tools(flags), settings, _DEFAULT_MODEL)


def own_tools(project: bool) -> Path:
    """The folder for tools of one's own, or of the project that one is in."""
    if not project:
        return config.paths().tools
    from tools import trust

    return trust.tools_folder(folder(None))


def forging() -> Places:
    """Where the forge keeps things."""
    from agent.forging import Places

    known = config.paths()
    return Places(known.tools, known.cache / "forge", archive(), known.state / "removed")


def places() -> dict[str, Path]:
    """Where things are kept."""
    from tools import trust

    known, here = config.paths(), Path.cwd()
    return {
        "settings": known.config_file,
        "tools": known.tools,
        "runs": known.runs,
        "jobs": known.state / "jobs",
        "cache": known.cache,
        "project's settings": trust.config_file(here),
        "project's tools": trust.tools_folder(here),
        "trusted projects": trust.record_file(),
    }

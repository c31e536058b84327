"""The command `zooid`: reads flags, calls the agent, shows what it says. No logic of its own."""

from __future__ import annotations

import os
import signal

for _number in (signal.SIGINT, signal.SIGTERM):  # before the slower imports: nothing has begun that could be lost
    if signal.getsignal(_number) is not signal.SIG_IGN:  # as nohup and background shells set it
        signal.signal(_number, lambda number, frame: os._exit(128 + number))

import gc  # noqa: E402

gc.set_threshold(50_000, 20, 20)  # imports make many objects and no garbage; looking for it is a tenth of their time

import sys  # noqa: E402
import threading  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Annotated, Any, Literal  # noqa: E402

import typer  # noqa: E402

if TYPE_CHECKING:
    from agent.output import Output


def _group() -> typer.Typer:
    return typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )


app, tools_app, models_app, intents_app, config_app = _group(), _group(), _group(), _group(), _group()
jobs_app = _group()
app.add_typer(jobs_app, name="jobs")
app.add_typer(tools_app, name="tools")
app.add_typer(models_app, name="models")
app.add_typer(intents_app, name="intents")
app.add_typer(config_app, name="config")

Json = Annotated[bool, typer.Option("--json", help="Give JSON instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors are still said.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say every step.")]
OutFile = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the answer to FILE when the goal is met.")
]
Planner = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Who plans: embedded, local or openai; auto is embedded, then openai with a key or local with a GGUF.",
    ),
]
Model = Annotated[
    str | None, typer.Option(metavar="NAME|FILE", help="The model's name at its server, or the path of a GGUF.")
]
BaseUrl = Annotated[str | None, typer.Option(metavar="URL", help="The OpenAI-compatible server.")]
Workspace = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The one folder that the run may touch. [default: this one]")
]
Approve = Annotated[
    str | None,
    typer.Option(
        metavar="ask|auto|never|read|EFFECT,…",
        help="For replacing files, the network and programs. ask: without a terminal, the run pauses.",
    ),
]
Unsafe = Annotated[
    bool | None,
    typer.Option("--unsafe-no-sandbox", help="Where no sandbox works, run code and commands with your rights."),
]
MaxDepth = Annotated[int | None, typer.Option(min=0, metavar="N", help="Levels of tasks below the goal.")]
MaxWidth = Annotated[int | None, typer.Option(min=1, metavar="N", help="Tasks that one plan may name.")]
MaxTasks = Annotated[int | None, typer.Option(min=1, metavar="N", help="Tasks in the whole tree.")]
MaxSeconds = Annotated[float | None, typer.Option(min=0, metavar="S", help="Seconds that this sitting may take.")]
MaxCost = Annotated[float | None, typer.Option(min=0, metavar="USD", help="US dollars that the models may cost.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, metavar="N", help="Tokens of the models, in and out together.")]
MaxTokensIn = Annotated[int | None, typer.Option(min=1, metavar="N", help="Tokens of the models' prompts.")]
MaxTokensOut = Annotated[int | None, typer.Option(min=1, metavar="N", help="Tokens of the models' replies.")]
MaxReplans = Annotated[int | None, typer.Option(min=0, metavar="N", help="Times that a task is planned anew.")]
MaxParallel = Annotated[int | None, typer.Option(min=1, metavar="N", help="Calls in flight at once.")]
Tools = Annotated[list[Path] | None, typer.Option(metavar="DIR", help="A folder of more tools; may be repeated.")]
GpuLayers = Annotated[
    int | None, typer.Option(min=-1, metavar="N", help="Layers of a GGUF that go to the GPU; -1: all, 0: none.")
]
ModelName = Annotated[str, typer.Argument(metavar="NAME", help="What the micro-model, a tool then, is called.")]
ExamplesFile = Annotated[
    Path | None, typer.Option("--examples", metavar="FILE", help="Rows of input and output: .csv, .tsv or .jsonl.")
]
SpecFile = Annotated[Path | None, typer.Option("--spec", metavar="FILE", help="A .toml file that says all of this.")]
FromRuns = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="RUN", help="Examples from the record of a run; may be repeated; all: every run."),
]
RepeatedTask = Annotated[
    str, typer.Option("--task", metavar="TEXT", help="With --from: the repeated task that is meant, by words of it.")
]
TestFile = Annotated[
    Path | None, typer.Option("--test", metavar="FILE", help="Rows to measure on, instead of a tenth of the examples.")
]
ModelKind = Annotated[
    Literal["classify", "generate", "extract"] | None,
    typer.Option("--kind", help="What it does. [default: as the rows look]"),
]
Metric = Annotated[
    Literal["accuracy", "macro-f1"] | None, typer.Option("--metric", help="What the figures count. [default: accuracy]")
]
Bar = Annotated[
    float | None, typer.Option("--bar", min=0, max=100, metavar="PERCENT", help="Below this nothing is registered.")
]
Minutes = Annotated[
    float | None, typer.Option("--minutes", min=0.1, metavar="N", help="CPU time that training may take. [default: 10]")
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, metavar="N", help="The same seed gives the same model. [default: 1]")
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, metavar="N", help="Threads to train with. [default: 1]")
]
OwnRule = Annotated[
    Path | None, typer.Option("--rule", metavar="FILE.py", help="Code of yours to beat: a function called NAME.")
]
BaseModel = Annotated[
    Path | None,
    typer.Option("--base", metavar="FILE", help="A model to go on from: a GGUF, or a folder of safetensors."),
]
Background = Annotated[
    bool, typer.Option("--bg", help="Go on in the background: print the run's id and end. See: zooid jobs")
]
RunIds = Annotated[list[str], typer.Argument(metavar="ID…", help="Runs, or beginnings of their ids.")]
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's name, as zooid tree ID --ids shows it.")]
RunId = Annotated[str, typer.Argument(metavar="ID", help="The run, or a beginning of its id that is its own.")]
ToolName = Annotated[str, typer.Argument(metavar="NAME", help="The tool.")]


# -- runs


@app.command()
def run(
    goal: Annotated[str, typer.Argument(metavar="GOAL", help="What is to be done, in words.")],
    planner: Planner = None,
    model: Model = None,
    base_url: BaseUrl = None,
    workspace: Workspace = None,
    approve: Approve = None,
    unsafe_no_sandbox: Unsafe = None,
    max_depth: MaxDepth = None,
    max_width: MaxWidth = None,
    max_tasks: MaxTasks = None,
    max_seconds: MaxSeconds = None,
    max_parallel: MaxParallel = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    max_tokens_in: MaxTokensIn = None,
    max_tokens_out: MaxTokensOut = None,
    max_replans: MaxReplans = None,
    tools: Tools = None,
    gpu_layers: GpuLayers = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the plan and do nothing.")] = False,
    bg: Background = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output: OutFile = None,
) -> int:
    """Work on a goal. The answer goes to standard output, all else to standard error.

    What is piped in is context for the goal.

    \b
    Examples:
      zooid run "count the words of every markdown file in docs and add them up"
      cat notes.txt | zooid run "which language is this?"
      zooid run --plan "sort names.txt and write it to sorted.txt"
      zooid run --bg "count the words of every file in the archive"
      zooid run --planner local --model ./any-instruct.gguf "summarise README.md"
      zooid run --max-cost 0.50 --max-seconds 600 "translate every file in letters into English"
      zooid run --json "how many lines has data.csv?" | jq -r 'select(.type=="run.ended").answer'
    """
    flags = _given(locals())
    out = _output(json, quiet, verbose)
    from agent import assemble, session

    session.check_goal(goal)
    session.check_file(output)
    setup = assemble.setup(flags)
    inputs = session.piped(out)
    if plan:
        return session.show_plan(assemble.preview(goal, inputs, setup), out)
    sitting = assemble.start(goal, inputs, setup)
    return _work(sitting, bg, out, output)


@app.command()
def resume(
    id: Annotated[str, typer.Argument(metavar="ID", help="The run, or a beginning of its id that is its own.")] = "",
    last: Annotated[bool, typer.Option("--last", help="The run that was worked on last.")] = False,
    answer: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The answer to what the run waits for; yes or no to an approval.")
    ] = None,
    planner: Planner = None,
    model: Model = None,
    base_url: BaseUrl = None,
    approve: Approve = None,
    unsafe_no_sandbox: Unsafe = None,
    max_depth: MaxDepth = None,
    max_width: MaxWidth = None,
    max_tasks: MaxTasks = None,
    max_seconds: MaxSeconds = None,
    max_parallel: MaxParallel = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    max_tokens_in: MaxTokensIn = None,
    max_tokens_out: MaxTokensOut = None,
    max_replans: MaxReplans = None,
    tools: Tools = None,
    gpu_layers: GpuLayers = None,
    bg: Background = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    output: OutFile = None,
) -> int:
    """Go on with a run that was interrupted, paused or hit a limit. Nothing that is finished is done again.

    \b
    Examples:
      zooid resume 7f3k
      zooid resume --last --approve auto
      zooid resume 7f3k --answer "the second file"
      zooid resume 7f3k --max-cost 5 --bg
    """
    flags = _given(locals())
    out = _output(json, quiet, verbose)
    from agent import assemble, session

    session.check_file(output)
    sitting = assemble.resume(assemble.run_id(id, last), flags, answer)
    return _work(sitting, bg, out, output)


@app.command()
def runs(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="These runs alone.")] = None,
    number: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many, the newest first.")] = 20,
    all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    cost: Annotated[bool, typer.Option("--cost", help="What all runs cost, by model, tool and hour.")] = False,
    json: Json = False,
) -> None:
    """List the runs: their status, age, tasks, tokens and cost. Or say what they cost, by model, tool and hour.

    \b
    Examples:
      zooid runs
      zooid runs -n 5
      zooid runs --all --json
      zooid runs --cost
      zooid runs --cost 7f3k
    """
    from agent import assemble, report

    if cost:
        from agent import costs

        costs.show(_output(json), costs.gather(assemble.archive(), ids or []))
        return
    report.show_runs(_output(json), assemble.archive(), None if all else number, ids or [])


@app.command()
def tree(
    id: RunId, ids: Annotated[bool, typer.Option("--ids", help="With the tasks' names.")] = False, json: Json = False
) -> None:
    """Show what a run did: every task with its status, worker, result, check and cost.

    \b
    Examples:
      zooid tree 7f3k
      zooid tree 7f3k --ids
      zooid tree 7f3k --json
    """
    from agent import assemble, report

    report.show_tree(_output(json), assemble.archive(), id, ids)


@app.command()
def log(id: RunId, json: Json = False) -> None:
    """Show what happened in a run, event by event, with times.

    \b
    Examples:
      zooid log 7f3k
      zooid log 7f3k --json
    """
    from agent import assemble, report

    report.show_log(_output(json), assemble.archive(), id)


# -- runs in the background


@jobs_app.callback(invoke_without_command=True)
def jobs_list(
    context: typer.Context,
    number: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many, the newest first.")] = 20,
    all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    json: Json = False,
) -> None:
    """List the runs in the background: state, age, cost and what they ask; or look after them.

    \b
    Examples:
      zooid run --bg "count the words of every file in the archive"
      zooid jobs
      zooid jobs attach 7f3k
      zooid jobs answer 7f3k "the second file"
    """
    if context.invoked_subcommand is None:
        from agent import assemble, background

        background.show(assemble.jobs(), _output(json), None if all else number)


@jobs_app.command("attach")
def jobs_attach(id: RunId, json: Json = False, verbose: Verbose = False) -> int:
    """Look at a run as in the foreground, and answer what it asks. Ctrl-C leaves, and leaves the run alone.

    \b
    Examples:
      zooid jobs attach 7f3k
      zooid jobs attach 7f3k --json
    """
    from agent import assemble, attach

    return attach.attach(assemble.jobs(), id, _output(json, verbose=verbose))


@jobs_app.command("logs")
def jobs_logs(
    id: RunId, follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False
) -> None:
    """Show what a run in the background wrote: its steps, its answer, what went wrong.

    \b
    Examples:
      zooid jobs logs 7f3k
      zooid jobs logs -f 7f3k
    """
    from agent import assemble, background

    background.show_log(assemble.jobs(), id, _output(), follow)


@jobs_app.command("wait")
def jobs_wait(ids: RunIds, quiet: Quiet = False) -> int:
    """Wait for runs to end and give their answers. The exit code is that of the first that did not meet its goal.

    \b
    Examples:
      zooid jobs wait 7f3k
      zooid jobs wait 7f3k 9c2m && echo both are done
    """
    from agent import assemble, background

    return background.wait(assemble.jobs(), ids, _output(quiet=quiet))


@jobs_app.command("cancel")
def jobs_cancel(
    ids: RunIds,
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="Only this task, with all below it.")] = "",
    quiet: Quiet = False,
) -> None:
    """End runs for good, or one task of a run while the rest goes on. What is done is kept.

    \b
    Examples:
      zooid jobs cancel 7f3k
      zooid jobs cancel 7f3k --task root.survey
    """
    from agent import assemble, background

    background.cancel(assemble.jobs(), ids, task, _output(quiet=quiet))


@jobs_app.command("answer")
def jobs_answer(
    id: RunId,
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="The answer; yes or no to an approval. Without it, show all."),
    ] = None,
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="The task that asks, where several do.")] = "",
    quiet: Quiet = False,
) -> None:
    """Answer what a run asks; it goes on with that. Without an answer, show the whole of what it asks.

    \b
    Examples:
      zooid jobs answer 7f3k
      zooid jobs answer 7f3k "the second file"
      zooid jobs answer 7f3k yes --task root.save
    """
    from agent import assemble, background, report

    if text is None:
        report.show_asked(_output(), assemble.archive(), id)
    else:
        background.ask(assemble.jobs(), id, "answer", task, text, _output(quiet=quiet))


@jobs_app.command("retry")
def jobs_retry(
    id: RunId,
    task: Annotated[str, typer.Argument(metavar="[TASK]", help="The task's name. [default: the goal itself]")] = "root",
    hint: Annotated[str, typer.Option("--hint", metavar="TEXT", help="What its planner should know.")] = "",
    quiet: Quiet = False,
) -> None:
    """Have a task tried again that failed or was cancelled, also while the rest of the run goes on.

    \b
    Examples:
      zooid jobs retry 7f3k root.survey --hint "the files are in data/old"
      zooid jobs retry 7f3k
    """
    from agent import assemble, background

    background.ask(assemble.jobs(), id, "retry", task, hint, _output(quiet=quiet))


@jobs_app.command("replace")
def jobs_replace(
    id: RunId,
    task: TaskId,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The result, as JSON or else as text.")],
    quiet: Quiet = False,
) -> None:
    """Give the result of a task by hand; whatever it was at is stopped. It counts as unverified.

    \b
    Examples:
      zooid jobs replace 7f3k root.count 42
      zooid jobs replace 7f3k root.names '["Ada", "Grace"]'
    """
    from agent import assemble, background

    background.ask(assemble.jobs(), id, "replace", task, background.value(value), _output(quiet=quiet))


@jobs_app.command("resume")
def jobs_resume(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Runs, or beginnings of their ids.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every job that was interrupted.")] = False,
    quiet: Quiet = False,
) -> None:
    """Go on with jobs that were interrupted, by a kill or a restart of the machine, in the background.

    \b
    Examples:
      zooid jobs resume --all
      zooid jobs resume 7f3k
    """
    from agent import assemble, background

    background.resume(assemble.jobs(), ids or [], all, _output(quiet=quiet))


@jobs_app.command("bg")
def jobs_bg(id: RunId, quiet: Quiet = False) -> None:
    """Send a run to the background that is worked on at some terminal, as Ctrl-Z does there.

    \b
    Examples:
      zooid jobs bg 7f3k
    """
    from agent import assemble, background

    background.ask(assemble.jobs(), id, "background", "", None, _output(quiet=quiet))


@jobs_app.command("rm")
def jobs_rm(ids: RunIds, quiet: Quiet = False) -> None:
    """Take ended jobs off the list and delete their logs. The runs are kept, as zooid runs shows them.

    \b
    Examples:
      zooid jobs rm 7f3k
    """
    from agent import assemble, background

    background.remove(assemble.jobs(), ids, _output(quiet=quiet))


@jobs_app.command("work", hidden=True)
def jobs_work(
    id: RunId,
    lock: Annotated[int, typer.Option(help="The open lock file that is handed over.")],
    alone: Annotated[bool, typer.Option(help="Start no other one at the end.")] = False,
) -> int:
    """Be a job; this is what starts one calls."""
    from agent import assemble, background

    return background.work(assemble.jobs(), id, lock, alone, _output(), assemble.go_on, assemble.hook)


@app.command()
def worker(
    tools: Tools = None,
    max_parallel: MaxParallel = None,
    unit: Annotated[bool, typer.Option("--print-unit", help="Print a systemd user unit, and do nothing.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Work through the queued runs for as long as this lives, as a service.

    With a database that machines share, it takes tasks of any run of any machine, as many at a time as --max-parallel.

    \b
    Examples:
      zooid worker
      zooid worker --print-unit > ~/.config/systemd/user/zooid.service
      ZOOID_DATABASE=postgresql://db.example.org/zooid zooid worker --max-parallel 16
    """
    flags = _given({"tools": tools, "max_parallel": max_parallel})
    from agent import assemble, background

    out = _output(json, quiet)
    return background.print_unit(out) if unit else assemble.serve(flags, out)


# -- tools


@tools_app.callback(invoke_without_command=True)
def tools_list(context: typer.Context, tools: Tools = None, json: Json = False) -> None:
    """List the tools, or make, check, show, call and trust them.

    \b
    Examples:
      zooid tools
      zooid tools show count_words
      zooid tools new slugify
      zooid tools check slugify
      zooid tools call count_words text="one two three"
      zooid tools trust
    """
    if context.invoked_subcommand is None:
        from agent import assemble, shelf

        shelf.show_tools(_output(json), assemble.all_tools(_given(locals())))


@tools_app.command("show")
def tools_show(name: ToolName, tools: Tools = None, json: Json = False) -> None:
    """Show what a tool says of itself.

    \b
    Examples:
      zooid tools show count_words
      zooid tools show count_words --json
    """
    from agent import assemble, shelf

    shelf.show_tool(_output(json), assemble.all_tools(_given(locals())), name)


@tools_app.command("call")
def tools_call(
    name: ToolName,
    given: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Arguments, as text or JSON.")] = None,
    workspace: Workspace = None,
    tools: Tools = None,
    unsafe_no_sandbox: Unsafe = None,
    json: Json = False,
) -> None:
    """Call a tool. What is piped in is the one text that is missing.

    \b
    Examples:
      zooid tools call calculate expression="2 ** 64"
      zooid tools call count_words < notes.txt
    """
    from agent import assemble, session, shelf

    out = _output(json)
    found = assemble.all_tools(_given(locals()))
    result = shelf.call(found, name, given or [], session.piped(out).get("input", ""))
    out.record({"tool": name, "result": result}) if json else out.answer(result)


@tools_app.command("new")
def tools_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the tool is called: a Python function's name.")],
    project: Annotated[bool, typer.Option("--project", help="Into this project's folder, not your own.")] = False,
    json: Json = False,
) -> None:
    """Write a working example of a tool, with a test, to be made into your own.

    \b
    Examples:
      zooid tools new slugify
      zooid tools new slugify --project
    """
    from agent import assemble, shelf

    shelf.new_tool(_output(json), assemble.own_tools(project), assemble.all_tools({}), name)


@tools_app.command("check")
def tools_check(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A tool of yours, its file, or a model's folder.")],
    tools: Tools = None,
    json: Json = False,
) -> int:
    """Import a tool, show its schema, and run the examples of its docstring.

    \b
    Examples:
      zooid tools check slugify
      zooid tools check ./slugify.py
    """
    from agent import assemble, shelf

    return shelf.check_tool(_output(json), assemble.all_tools(_given(locals())), name)


@tools_app.command("trust")
def tools_trust(
    forget: Annotated[bool, typer.Option("--forget", help="Trust this project no more.")] = False,
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Trust this project's .zooid/tools and .zooid/config.toml as they are now. Read them first.

    \b
    Examples:
      zooid tools trust
      zooid tools trust --forget
    """
    from agent import assemble, shelf

    shelf.trust_project(_output(json), assemble.folder(workspace), forget)


@tools_app.command("rm")
def tools_rm(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A tool of yours, or one version of a model.")],
    json: Json = False,
) -> None:
    """Take a tool of your own, or one version of a forged model, out of use. Nothing is deleted: it says where it is.

    \b
    Examples:
      zooid tools rm plural@2
      zooid tools rm slugify
    """
    from agent import assemble, forging

    forging.remove(_output(json), assemble.all_tools({}), assemble.forging(), name)


# -- micro-models


@app.command()
def forge(
    name: ModelName,
    examples: ExamplesFile = None,
    spec: SpecFile = None,
    from_: FromRuns = None,
    task: RepeatedTask = "",
    test: TestFile = None,
    kind: ModelKind = None,
    metric: Metric = None,
    bar: Bar = None,
    minutes: Minutes = None,
    seed: Seed = None,
    threads: Threads = None,
    rule: OwnRule = None,
    base: BaseModel = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Make a micro-model from examples. Code, a linear model and small networks are tried; the best is registered.

    The networks need PyTorch: pip install 'zooid[forge]'. A forge that is killed goes on where it was.

    \b
    Examples:
      zooid forge tone --examples reviews.csv
      zooid forge plural --spec plural.toml --bar 97
      zooid forge order_number --examples mails.jsonl --kind extract --minutes 5
      zooid forge topic --from all --task "the topic of"
      zooid tools rm tone@2
    """
    given = {key: value for key, value in locals().items() if key not in _NOT_OF_SPEC}
    from agent import assemble, forging

    out, tools = _output(json, quiet), assemble.all_tools({})
    return forging.forge(out, tools, assemble.forging(), name, spec, from_ or [], task, given)


_NOT_OF_SPEC = frozenset({"name", "spec", "from_", "task", "json", "quiet"})


@models_app.callback(invoke_without_command=True)
def models_list(context: typer.Context, json: Json = False) -> None:
    """List the micro-models: size, accuracy beside that of plain code, data and licence.

    \b
    Examples:
      zooid models
      zooid models check
    """
    if context.invoked_subcommand is None:
        from agent import assemble, shelf

        shelf.show_models(_output(json), assemble.model_folders(assemble.all_tools({})))


@models_app.command("check")
def models_check(gpu_layers: GpuLayers = None, json: Json = False) -> int:
    """Load every micro-model and ask it its own examples.

    \b
    Examples:
      zooid models check
      zooid models check --gpu-layers 0
    """
    from agent import assemble, shelf

    folders = assemble.model_folders(assemble.all_tools(_given(locals())))
    return shelf.check_models(_output(json), folders)


@app.command()
def doctor(workspace: Workspace = None, json: Json = False) -> int:
    """Try what a run needs, and say what is installed and works.

    \b
    Examples:
      zooid doctor
      zooid doctor --json
    """
    from agent import assemble
    from agent import doctor as examination

    return examination.show(_output(json), assemble.examine(_given(locals())))


# -- what requests mean


@intents_app.callback(invoke_without_command=True)
def intents_list(context: typer.Context, tools: Tools = None, json: Json = False) -> None:
    """List the tools that requests are known for, or teach, try and forget some.

    A request that is known for sure goes to its tool before any planner is asked, where the tool changes nothing.

    \b
    Examples:
      zooid intents
      zooid intents add count_words "how many words has {text}"
      zooid intents try "how many words has 'one two'"
      zooid intents learn intents.csv
      zooid intents forget count_words
    """
    if context.invoked_subcommand is None:
        from agent import assemble, teach

        teach.show_intents(_output(json), assemble.routes(), assemble.all_tools(_given(locals())))


@intents_app.command("learn")
def intents_learn(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Rows of text and intent, .csv or .jsonl. [default: what is known already]"
        ),
    ] = None,
    tools: Tools = None,
    json: Json = False,
) -> None:
    """Learn from a file of examples: requests, each with its tool; an empty intent means that no single tool does it.

    \b
    Examples:
      zooid intents learn intents.csv
      zooid intents learn intents.jsonl --json
      zooid intents learn
    """
    from agent import assemble, teach

    teach.learn(_output(json), assemble.routes(), assemble.all_tools(_given(locals())), file)


@intents_app.command("add")
def intents_add(
    name: ToolName,
    phrases: Annotated[list[str], typer.Argument(metavar="PHRASE…", help="Requests; {parameter} stands for a value.")],
    tools: Tools = None,
    json: Json = False,
) -> None:
    """Say in words what a tool is asked for.

    \b
    Examples:
      zooid intents add calculate "how much is {expression}" "work out {expression}"
      zooid intents add list_files "what is in this folder"
    """
    from agent import assemble, teach

    teach.add(_output(json), assemble.routes(), assemble.all_tools(_given(locals())), name, phrases)


@intents_app.command("try")
def intents_try(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A request.")],
    workspace: Workspace = None,
    tools: Tools = None,
    json: Json = False,
) -> None:
    """Show which tool a request would go to, how sure that is, and what comes next. Nothing is called.

    \b
    Examples:
      zooid intents try "how much is 12 * 12"
      zooid intents try "what is in this folder" --json
    """
    from agent import assemble, teach

    teach.try_text(_output(json), assemble.routes(), assemble.all_tools(_given(locals())), text)


@intents_app.command("forget")
def intents_forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The tool; none: requests that no single tool does.")],
    json: Json = False,
) -> None:
    """Forget what a tool is asked for, whoever taught it.

    \b
    Examples:
      zooid intents forget calculate
      zooid intents forget none
    """
    from agent import assemble, teach

    teach.forget(_output(json), assemble.routes(), name)


# -- settings


@config_app.callback(invoke_without_command=True)
def config_all(context: typer.Context) -> None:
    """Show the settings and where each came from, and where things are kept.

    \b
    Examples:
      zooid config show
      zooid config path
    """
    if context.invoked_subcommand is None:
        config_show()


@config_app.command("show")
def config_show(workspace: Workspace = None, json: Json = False) -> None:
    """Show every setting with its value and where that came from.

    \b
    Examples:
      zooid config show
      ZOOID_APPROVE=never zooid config show --json
    """
    from agent import assemble, shelf

    shelf.show_settings(_output(json), assemble.setup(_given(locals())).settings)


@config_app.command("path")
def config_path(json: Json = False) -> None:
    """Show where settings, tools and runs are kept.

    \b
    Examples:
      zooid config path
      zooid config path --json
    """
    from agent import assemble, shelf

    shelf.show_paths(_output(json), assemble.places())


# -- from beginning to end


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False
) -> None:
    """Works on a goal: splits it up, gives each step to the cheapest worker that can do it, checks what comes back.

    \b
    Examples:
      zooid run "count the words of every markdown file in docs"
      cat notes.txt | zooid run "which language is this?"
      zooid tree 7f3k
    """
    if version:
        from agent.doctor import version_text

        _output().page([f"zooid {version_text()}"], None)
    elif context.invoked_subcommand is None:
        _output().page([context.get_help()], None)


def _output(json: bool = False, quiet: bool = False, verbose: bool = False) -> Output:
    from agent.output import Output

    return Output(json=json, quiet=quiet, verbose=verbose)


def _work(sitting: Any, bg: bool, out: Output, file: Path | None) -> int:
    from agent import assemble, background

    if bg:
        return background.send(assemble.jobs(), sitting, assemble.in_background(sitting), out, file)
    return background.in_foreground(assemble.jobs(), sitting, out, file, assemble.hook)


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    """The settings among a command's flags, those that were given."""
    return {name: flags[name] for name in _SETTINGS & flags.keys() if flags[name] is not None}


_SETTINGS = frozenset(
    "planner model base_url workspace approve max_depth max_width max_tasks max_seconds max_parallel max_cost "
    "max_tokens max_tokens_in max_tokens_out max_replans tools gpu_layers unsafe_no_sandbox".split()
)


def main() -> None:
    """The installed command. Every error ends here as one message and an exit code."""
    code = _code()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    if threading.active_count() > 1:
        os._exit(code)  # a tool that hangs must not keep the program alive
    sys.exit(code)


def _code() -> int:
    try:
        return app(prog_name="zooid", standalone_mode=False) or 0
    except Exception as error:
        from agent import ending

        return ending.show(error, _output(json="--json" in sys.argv))


if __name__ == "__main__":
    main()

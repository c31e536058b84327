"""What runs have cost, by model, tool and hour, and what a plan may cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from agent import events as ev
from agent import output as out
from agent.archive import Archive
from agent.errors import PersonError
from agent.output import Output
from agent.prices import Price
from agent.report import subtree_usages
from agent.task import Plan, PlannedTask, Usage
from agent.tree import Tree

# -- what was spent


@dataclass(slots=True)
class ToolUse:
    """The calls of a tool, and what models were paid for where its call did not do."""

    calls: int = 0
    failed: int = 0
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)


@dataclass
class Costs:
    """What runs have cost. Hours are local time, `2026-01-31 14:00`.

    Money is of the calls that have a price; None where none has.
    """

    runs: list[str] = field(default_factory=list)
    total: Usage = field(default_factory=Usage)
    unpriced: int = 0  # calls
    models: dict[str, Usage] = field(default_factory=dict)
    tools: dict[str, ToolUse] = field(default_factory=dict)
    hours: dict[str, Usage] = field(default_factory=dict)

    def take(self, run: str, rows: Iterable[tuple[int, float, ev.Event]]) -> None:
        """Take in the events of one run."""
        self.runs.append(run)
        planned: dict[str, str] = {}  # task: the tool that it names
        begun: dict[tuple[str, int], tuple[float, str]] = {}
        reserved: dict[tuple[str, int], tuple[float, ev.AttemptReserved]] = {}
        for _, at, event in rows:
            match event:
                case ev.TaskPlanned():
                    planned[event.task] = event.tool
                case ev.AttemptStarted():
                    begun[event.task, event.number] = at, event.worker
                case ev.AttemptReserved():
                    reserved[event.task, event.number] = at, event
                case ev.AttemptDecided():
                    reserved.pop((event.task, event.number), None)
                    self._charge(at, event.worker, planned.get(event.task, ""), event.usage)
                case ev.AttemptEnded():
                    reserved.pop((event.task, event.number), None)
                    self._charge(at, event.worker, planned.get(event.task, ""), event.usage)
                    self._ended(at, event, planned.get(event.task, ""), begun.pop((event.task, event.number), None))
        for at, left in reserved.values():  # a kill cut these short
            self._charge(at, left.worker, planned.get(left.task, ""), left.usage)

    def _charge(self, at: float, worker: str, tool: str, usage: Usage | None) -> None:
        if usage is None or not usage.calls:
            return
        hour = time.strftime("%Y-%m-%d %H:00", time.localtime(at))
        self.unpriced += usage.calls if usage.cost is None else 0
        self.total = _added(self.total, usage)
        self.models[worker] = _added(self.models.get(worker), usage)
        self.hours[hour] = _added(self.hours.get(hour), usage)
        if tool:
            use = self.tools.setdefault(tool, ToolUse())
            use.usage = _added(use.usage, usage)

    def _ended(self, at: float, event: ev.AttemptEnded, tool: str, begun: tuple[float, str] | None) -> None:
        if begun is None or begun[1] != tool:
            return
        use = self.tools.setdefault(tool, ToolUse())
        use.calls, use.failed = use.calls + 1, use.failed + event.verdict.startswith("failed")
        use.seconds += at - begun[0]


def _added(sum_: Usage | None, usage: Usage) -> Usage:
    """The sum, with the money of those calls that have a price; without any where none has."""
    if sum_ is None or not sum_.calls:
        return usage
    known = usage.cost if sum_.cost is None else sum_.cost
    return sum_ + usage if None not in (sum_.cost, usage.cost) else replace(sum_ + usage, cost=known)


def gather(archive: Archive, runs: Sequence[str]) -> Costs:
    """What these runs have cost, all of them where none is named; one that cannot be read is left out then."""
    costs = Costs()
    for run in runs or archive.ids():
        try:
            store, tree = archive.open(run)
        except PersonError:
            if runs:
                raise
            continue
        costs.take(tree.run, store.rows())
        store.close()
    return costs


def show(output: Output, costs: Costs) -> None:
    """The totals as tables, or as one JSON object."""
    output.page(_lines(costs), asdict(costs))


def _lines(costs: Costs) -> Iterator[str]:
    some = costs.unpriced and costs.total.cost is not None
    more = f", and {out.counted(costs.unpriced, 'call')} without a price" if some else ""
    yield f"{out.counted(len(costs.runs), 'run')}: {out.spent(costs.total)}{more}"
    yield from _table(("model", "calls", "tokens in", "tokens out", "cost"), _dearest(costs.models), _model_cells)
    tools = dict(sorted(costs.tools.items(), key=lambda item: -item[1].calls))
    yield from _table(("tool", "calls", "failed", "seconds", "models instead"), tools, _tool_cells)
    yield from _table(("hour", "calls", "tokens in", "tokens out", "cost"), costs.hours, _model_cells)


def _table(head: Sequence[str], rows: Mapping[str, Any], cells: Callable[[Any], list[str]]) -> Iterator[str]:
    if rows:
        yield ""
        yield from out.columns([head, *([name, *cells(row)] for name, row in rows.items())])


def _dearest(models: Mapping[str, Usage]) -> dict[str, Usage]:
    return dict(sorted(models.items(), key=lambda item: -(item[1].cost or 0)))


def _model_cells(usage: Usage) -> list[str]:
    return [f"{usage.calls:,}", f"{usage.tokens_in:,}", f"{usage.tokens_out:,}", out.cost(usage)]


def _tool_cells(use: ToolUse) -> list[str]:
    paid = out.cost(use.usage) if use.usage.calls else "-"
    return [f"{use.calls:,}", f"{use.failed:,}", f"{use.seconds:,.1f}", paid]


# -- what a plan may cost

LEARNED_FROM = 50  # runs of the record, the newest
_FEWEST = 5  # tasks of a kind that say what the next one may cost
_UNKNOWN = (Usage(1, 400, 100), Usage(4, 4000, 1200))  # of a goal, where the record does not say
_MANY = 10  # items of a list that is not there yet, at the high end


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the models may take for a plan, from what nine of ten such tasks took more than to what they took less than.

    `tasks` is how many tasks of the record that is drawn from.
    """

    low: Usage
    high: Usage
    tasks: int


def record(archive: Archive) -> Iterator[Tree]:
    """The newest runs that can be read."""
    for run in archive.ids()[:LEARNED_FROM]:
        with suppress(PersonError):
            store, tree = archive.open(run)
            store.close()
            yield tree


def estimate(plan: Plan, trees: Iterable[Tree], price: Price | None) -> Estimate:
    """An estimate from the record; where that says too little about a goal, a guess. Money at the price of today."""
    record = _samples(trees)
    low, high, drawn = Usage(), Usage(), 0
    for task in plan.tasks:
        seen = record.get(task.tool, [])
        drawn += len(seen)
        least, most = _range(seen, task)
        fewest, many = (len(task.each),) * 2 if isinstance(task.each, list) else (1, 1 if task.each is None else _MANY)
        low, high = low + _times(least, fewest), high + _times(most, many)
    if plan.answer is None:  # it wants to look at the results
        low, high = low + _UNKNOWN[0], high + _UNKNOWN[1]
    return Estimate(_priced(low, price), _priced(high, price), drawn)


def _samples(trees: Iterable[Tree]) -> dict[str, list[Usage]]:
    """What tasks of the record cost with all below them: by tool, and under no name those that are planned."""
    found: dict[str, list[Usage]] = {}
    for tree in trees:
        usages = subtree_usages(tree)
        for id, task in tree.tasks.items():
            if task.parent is not None and task.items is None and task.attempts:
                found.setdefault(task.tool, []).append(usages[id])
    return found


def _range(seen: list[Usage], task: PlannedTask) -> tuple[Usage, Usage]:
    if len(seen) < _FEWEST:
        return (Usage(), Usage()) if task.tool else _UNKNOWN
    ranked = sorted(seen, key=lambda usage: usage.tokens_in + usage.tokens_out)
    return ranked[len(ranked) // 10], ranked[(len(ranked) * 9) // 10]


def _times(usage: Usage, times: int) -> Usage:
    return Usage(usage.calls * times, usage.tokens_in * times, usage.tokens_out * times)


def _priced(usage: Usage, price: Price | None) -> Usage:
    cost = price.cost(usage.tokens_in, usage.tokens_out) if price else None
    return Usage(usage.calls, usage.tokens_in, usage.tokens_out, 0.0, cost, True)


def _span(low: str, high: str) -> str:
    return high if low == high else f"{low} to {high}"


def in_words(found: Estimate) -> str:
    """An estimate on one line."""
    low, high = found.low, found.high
    if not high.calls:
        return "estimate: no model calls"
    tokens = [f"{one.tokens_in + one.tokens_out:,}" for one in (low, high)]
    parts = [f"{_span(str(low.calls), str(high.calls))} model calls", f"{_span(*tokens)} tokens"]
    parts.append(_span(out.cost(low), out.cost(high)))
    source = f"from {out.counted(found.tasks, 'task')} of the record" if found.tasks else "a guess: there is no record"
    return f"estimate: {', '.join(parts)} ({source})"

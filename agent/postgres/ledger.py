"""The accounts of a run in the database, changed in the same transaction as the events that they follow from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from agent import events as ev
from agent.postgres.database import many
from agent.task import Usage
from agent.tree import Account, Tree

if TYPE_CHECKING:
    from agent.postgres.database import Connection


@dataclass(frozen=True, slots=True)
class Charge:
    """What one event changes in the accounts of its `owners`: a task more, or something is set aside or settled."""

    owners: tuple[str, ...]
    attempt: tuple[str, int] | None = None  # None: a task joined
    usage: Usage | None = None
    settles: bool = False

    def to(self, account: Account) -> None:
        if self.attempt is None or self.usage is None:
            account.tasks += 1
        elif self.settles:
            account.settle(self.attempt, self.usage)
        else:
            account.reserved[self.attempt] = self.usage


def charge(tree: Tree, event: ev.Event) -> Charge | None:
    """What an event that the tree does not hold yet changes."""
    match event:
        case ev.TaskPlanned():
            own = (event.task,) if event.budget or event.parent is None else ()
            return Charge((*own, *_owners(tree, event.parent)))
        case ev.AttemptReserved():
            return Charge(_owners(tree, event.task), (event.task, event.number), event.usage)
        case ev.AttemptDecided() | ev.AttemptEnded() if event.usage is not None:
            return Charge(_owners(tree, event.task), (event.task, event.number), event.usage, settles=True)
    return None


def keep(connection: Connection, run: str, charges: Iterable[Charge]) -> None:
    """Make the changes."""
    owners = {owner for charge in charges for owner in charge.owners}
    accounts = {owner: Account() for owner in owners} | held(connection, run, owners)
    for one in charges:
        for owner in one.owners:
            one.to(accounts[owner])
    rows = [(run, owner, account.tasks, *_packed(account)) for owner, account in accounts.items()]
    query = "INSERT INTO zooid_account (run, owner, tasks, spent, reserved) VALUES (%s, %s, %s, %s, %s) "
    change = "ON CONFLICT (run, owner) DO UPDATE SET tasks = excluded.tasks, spent = excluded.spent, "
    many(connection, query + change + "reserved = excluded.reserved", rows)


def held(connection: Connection, run: str, owners: Iterable[str]) -> dict[str, Account]:
    """The accounts of these tasks as they are, and stay until the transaction ends."""
    query = (
        "SELECT owner, tasks, spent, reserved FROM zooid_account WHERE run = %s AND owner = ANY (%s) "
        "ORDER BY owner FOR UPDATE"  # always in the same order, so that nobody waits in a circle
    )
    found = {}
    for owner, tasks, spent, reserved in connection.execute(query, (run, list(owners))).fetchall():
        open_ = {(task, number): Usage(**usage) for task, number, usage in json.loads(reserved)}
        found[owner] = Account(tasks, Usage(**json.loads(spent)), open_)
    return found


def _packed(account: Account) -> tuple[str, str]:
    reserved = [[*attempt, asdict(usage)] for attempt, usage in account.reserved.items()]
    return json.dumps(asdict(account.spent)), json.dumps(reserved)


def _owners(tree: Tree, task: str | None) -> tuple[str, ...]:
    return tuple(owner.id for owner, _ in tree.accounts_of(task)) if task is not None else ()

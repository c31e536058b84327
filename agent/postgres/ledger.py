"""The accounts of a run in the database, changed in the same transaction as the events that they follow from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent import events as ev
from agent.task import Usage
from agent.tree import Account, Tree

if TYPE_CHECKING:
    from agent.postgres.database import Connection

Charge = dict[str, Any]  # what one event changes in the accounts of its `owners`; see zooid_charge in functions.sql


def charge(tree: Tree, event: ev.Event) -> Charge | None:
    """What an event that the tree does not hold yet changes."""
    match event:
        case ev.TaskPlanned():
            own = [event.task] if event.budget or event.parent is None else []
            return joined([*own, *_owners(tree, event.parent)])
        case ev.AttemptReserved():
            return _charge(tree, event, event.usage, settles=False)
        case ev.AttemptDecided() | ev.AttemptEnded() if event.usage is not None:
            return _charge(tree, event, event.usage, settles=True)
    return None


def joined(owners: list[str]) -> Charge:
    """A task more."""
    return {"owners": owners, "tasks": 1}


def _charge(
    tree: Tree, event: ev.AttemptReserved | ev.AttemptDecided | ev.AttemptEnded, usage: Usage, settles: bool
) -> Charge:
    about = {"task": event.task, "number": event.number, "usage": asdict(usage)}
    return {"owners": _owners(tree, event.task), **about, "settles": settles}


def keep(connection: Connection, run: str, charges: list[Charge]) -> None:
    """Make the changes."""
    connection.execute("SELECT zooid_charge(%s, %s)", (run, json.dumps(charges)))


def held(connection: Connection, run: str, owners: Iterable[str]) -> dict[str, Account]:
    """The accounts of these tasks as they are, and stay until the transaction ends."""
    wanted = (run, list(owners))
    query = "SELECT owner, tasks, to_json(spent) FROM zooid_account WHERE run = %s AND owner = ANY (%s) "
    spent = connection.execute(query + "ORDER BY owner FOR UPDATE", wanted)  # in the order that zooid_hold has too
    query = "SELECT owner, task, number, to_json(usage) FROM zooid_reserved WHERE run = %s AND owner = ANY (%s)"
    reserved = connection.execute(query, wanted)  # sent together
    accounts = {owner: Account(tasks, Usage(**usage)) for owner, tasks, usage in spent}
    for owner, task, number, usage in reserved:
        accounts[owner].reserved[task, number] = Usage(**usage)
    return accounts


def _owners(tree: Tree, task: str | None) -> list[str]:
    return [owner.id for owner, _ in tree.accounts_of(task)] if task is not None else []

"""Find: all that a goal names, by its words and by what lies in the workspace."""

from __future__ import annotations

from agent.planners.embedded import documents, places, tables, values
from agent.planners.embedded.edits import edits
from agent.planners.embedded.entities import Entity
from agent.planners.embedded.orders import orders
from agent.planners.embedded.surroundings import Surroundings, Table
from agent.planners.embedded.words import Token


def find(tokens: list[Token], surroundings: Surroundings) -> list[Entity]:
    """All that a goal names. Readings may overlap: whoever uses a token decides which holds."""
    found = [*places.paths(tokens, surroundings), *places.folders(tokens, surroundings)]
    found += [entity for finder in values.FINDERS for entity in finder(tokens)]
    found += edits(tokens)
    found += places.file_sets(tokens, found, surroundings)
    files = dict.fromkeys(e.value for e in found if e.kind == "path" and e.exists)
    for path in files:
        if path.lower().endswith(".json"):
            found += documents.queries(tokens, surroundings.document(path))
        table = surroundings.table(path) if path.lower().endswith((".csv", ".tsv", ".json")) else None
        if table:
            places_of = frozenset[int]().union(*(e.places for e in found if e.kind == "path" and e.value == path))
            found += [Entity("table", path, places_of), *_of_table(tokens, table)]
    keys = frozenset[int]().union(*(e.places for e in found if e.kind == "query"))
    found = [e for e in found if e.kind != "path" or e.exists or not e.places <= keys]
    if not files:  # a table that is not named by its file may be known by its columns alone
        found += _columns_of_sets(tokens, found, surroundings)
    return found


def _of_table(tokens: list[Token], table: Table) -> list[Entity]:
    columns = tables.columns(tokens, table)
    return [*columns, *tables.conditions(tokens, table), *orders(tokens, table, columns)]


def _columns_of_sets(tokens: list[Token], found: list[Entity], surroundings: Surroundings) -> list[Entity]:
    sets = [entity.value for entity in found if entity.kind == "files" and entity.value[1].endswith(".csv")]
    for folder, pattern in sets[:1]:
        first = next(iter(sorted((surroundings.root / folder).glob(pattern))), None)
        table = surroundings.table(first.relative_to(surroundings.root).as_posix()) if first else None
        return tables.columns(tokens, table) if table else []
    return []

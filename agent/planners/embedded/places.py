"""Files, folders and sets of files that a goal names: `notes.txt`, `the docs folder`, `each markdown file in docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.planners.embedded.entities import Entity, Kind
from agent.planners.embedded.surroundings import Surroundings
from agent.planners.embedded.words import Token
from tools import workspace

# Kinds of files by what people call them; the rest are called by their own ending.
_ENDINGS = {"markdown": "md", "python": "py", "text": "txt", "javascript": "js", "typescript": "ts", "word": "docx"}
_FORMATS = frozenset("csv json txt md py log yaml yml toml html xml ini cfg sh js ts sql tsv rst tex".split())
_QUANTIFIERS = frozenset("each every all both any per".split())
_SEEKING = frozenset("find list scan through check".split())  # what follows may be a folder: `search scripts for TODO`
_PREPOSITIONS = frozenset("in inside under within of from through at into".split())


def paths(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    for n, token in enumerate(tokens):
        if token.kind == "path" or (token.kind == "quoted" and re.fullmatch(r"[\w./-]+\.\w{1,8}", token.text)):
            if "*" in token.text or re.fullmatch(r"\.\w+", token.text):
                continue
            entry = surroundings.resolve(token.text)
            kind: Kind = "folder" if entry and entry[1] or token.text.endswith("/") else "path"
            yield Entity(kind, entry[0] if entry else token.text, frozenset([n]), exists=entry is not None)


def folders(tokens: list[Token], surroundings: Surroundings) -> Iterator[Entity]:
    """Plain words that are folders of the workspace, where the words around say that a place is meant."""
    for n, token in enumerate(tokens):
        if token.kind not in ("word", "quoted"):
            continue
        after = tokens[n + 1].canon if n + 1 < len(tokens) else ""
        before = tokens[n - 1].lower if n else ""
        seek = n > 0 and tokens[n - 1].canon in _SEEKING
        if before == "the" and n > 1 and tokens[n - 2].lower in _PREPOSITIONS:
            before = "in"
        if after != "folder" and before not in _PREPOSITIONS and not seek:
            continue
        name = surroundings.folder(token.text)
        if name:
            yield Entity("folder", name, frozenset([n, n + 1] if after == "folder" else [n]))


def file_sets(tokens: list[Token], found: list[Entity], surroundings: Surroundings) -> list[Entity]:
    """`each markdown file in docs`, `the cards in feedback`, `every .py file`, `all files`."""
    folders = [entity for entity in found if entity.kind == "folder"]
    sets, n = [], 0
    while n < len(tokens):
        phrase = _set_phrase(tokens, n)
        if phrase is None:
            n += 1
            continue
        ending, places, sure = phrase
        if any(places <= entity.places for entity in folders):  # `docs` is a folder, not many a doc
            n += 1
            continue
        end = max(places)
        of = end + 1 < len(tokens) and tokens[end + 1].lower == "of"
        folder = (None if of and not sure else _attached_folder(tokens, end + 1, folders)) or (
            _only(folders) if sure else None
        )
        if folder or ending or (sure and any(tokens[p].canon in ("fil", "file", "document") for p in places)):
            where = folder.value if folder else "."
            places |= folder.places if folder else set()
            pattern = f"*.{ending}" if ending else "*"
            sets.append(Entity("files", (where, _deepen(where, pattern, surroundings)), frozenset(places)))
        n = end + 1
    return sets


def _set_phrase(tokens: list[Token], n: int) -> tuple[str, set[int], bool] | None:
    """A noun phrase at `n` that may mean several files: its ending, its places, and whether it surely means a set."""
    start, ending, quantified = n, "", False
    while n < len(tokens) and (tokens[n].lower in _QUANTIFIERS or (quantified and tokens[n].lower in ("of", "the"))):
        quantified, n = True, n + 1
    if n < len(tokens) and _ending(tokens[n]):
        ending, n = _ending(tokens[n]), n + 1
    if n < len(tokens) and tokens[n].canon in ("file", "document", "fil"):
        plural = tokens[n].lower.endswith("s")
        return (ending, set(range(start, n + 1)), True) if quantified or plural else None
    if ending and tokens[n - 1].lower.rstrip("s") in _FORMATS and (quantified or tokens[n - 1].lower.endswith("s")):
        return ending, set(range(start, n)), True
    noun = tokens[n] if n < len(tokens) and tokens[n].kind == "word" else None
    if not ending and noun and not noun.text[:2].isupper() and (quantified or noun.lower.endswith("s")):
        return "", set(range(start, n + 1)), quantified
    return None


def _ending(token: Token) -> str:
    word = token.lower.lstrip("*").lstrip(".")
    if word in _ENDINGS:
        return _ENDINGS[word]
    if word in _FORMATS or token.text.startswith((".", "*.")):
        return word
    return word[:-1] if word.endswith("s") and word[:-1] in _FORMATS else ""


def _attached_folder(tokens: list[Token], n: int, folders: list[Entity]) -> Entity | None:
    """The folder that follows at once: `in docs`, `from the letters folder`."""
    while n < len(tokens) and (tokens[n].lower in _PREPOSITIONS or tokens[n].lower in ("the", "my", "our", "there")):
        n += 1
    return next((folder for folder in folders if n in folder.places), None)


def _only(folders: list[Entity]) -> Entity | None:
    return folders[0] if len({folder.value for folder in folders}) == 1 else None


def _deepen(folder: str, pattern: str, surroundings: Surroundings) -> str:
    """The pattern, or the one that also looks further down where nothing lies in the folder itself."""
    here = surroundings.root / folder
    in_it, below = (any(True for _ in workspace.walk(here, pattern, deep=deep)) for deep in (False, True))
    return pattern if in_it or not below else f"**/{pattern}"

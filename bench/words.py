"""How the vectors of `agent/words` were learnt.

    ZOOID_DATA=/path/to/data python bench/words.py TEXTS OUT [--share 0.02]

TEXTS holds checkouts of the sources that `agent/words/SOURCES.md` names, under the last part of their names; ZOOID_DATA
holds GoEmotions, CLINC150 and BANKING77. OUT gets words.txt and vectors.i8. It needs `zooid[forge]`, scipy and PyYAML,
3 GB of memory and some ten minutes; `--share` takes a part of the files, to see whether all of it works.

First a vector a word from which words stand near it: positive pointwise mutual information with smoothed contexts,
reduced by singular value decomposition (Levy, Goldberg and Dagan, Improving Distributional Similarity with Lessons
Learned from Word Embeddings, 2015). Then vectors and weights of words are trained so that of two texts that say the
same each is nearest to the other among 256 (Henderson et al., Efficient Natural Language Response Suggestion for Smart
Reply, 2017).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from agent.router import spelled, stem

CMDLETS = ("PowerShell-Docs", "windows-powershell-docs")
PAGES = (*CMDLETS, "win32", "terminal", "book")
WORDS, SIZE, ROUNDS, BATCH, WINDOW = 18_500, 96, 5, 256, 5
Pair = tuple[str, str]


# -- the texts


def files(folder: Path, pattern: str, share: float) -> Iterator[str]:
    for path in sorted(folder.rglob(pattern)):
        if path.is_file() and random.Random(path.name).random() < share:
            yield path.read_text(encoding="utf-8", errors="ignore")


def plain(text: str) -> str:
    """Markdown without its head, its code, its links and its tags; names such as `getItem` are taken apart."""
    text = re.sub(r"^---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"```.*?```|<[^>]+>|https?://\S+", " ", text, flags=re.S)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "")
    return re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", re.sub(r"\n(?=[a-z(])", " ", text))


def synsets(texts: Path) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = {}
    for path in sorted((texts / "english-wordnet" / "src" / "yaml").glob("*.yaml")):
        if not path.name.startswith(("entries", "frames")):
            found |= yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


def sentences(texts: Path, data: Path, known: dict[str, Any], share: float) -> Iterator[str]:
    for folder, pattern in (("tldr/pages", "*.md"), ("peps/peps", "*.rst"), *((name, "*.md") for name in PAGES)):
        for text in files(texts / folder, pattern, share):
            yield from re.split(r"(?<=[.!?;:])\s+|\n", plain(text))
    for one in known.values():
        yield from (f"{' '.join(one['members'])} {text}" for text in one["definition"])
        yield from (said if isinstance(said, str) else said.get("text", "") for said in one.get("example", ()))
    for path in sorted((data / "goemotions").rglob("*train*")):
        yield from path.read_text(encoding="utf-8", errors="ignore").splitlines()


def pairs(texts: Path, data: Path, known: dict[str, Any], share: float) -> Iterator[Pair]:
    """Two texts that say the same: a definition and its words, a synopsis and a name, a request and its intent."""
    yield from of_commands(texts, share)
    for name in CMDLETS:
        for text in files(texts / name, "*.md", share):
            yield from of_cmdlet(text)
    for text in files(texts / "win32", "*.md", share):
        title, about = re.search(r"^# (.+)", text, re.M), re.search(r"^description: (.+)", text, re.M)
        if title and about and len(about[1]) > 30 and about[1].strip("\"' ")[:20] not in title[1]:
            yield re.sub(r"^\"?Learn more about: ?", "", plain(about[1])), title[1]
    for one in known.values():
        members = " ".join(one["members"])
        yield " ; ".join(one["definition"]), members
        for above in one.get("hypernym", ())[:1]:
            if above in known:
                yield members, " ".join([*known[above]["members"], *known[above]["definition"]])
    clinc = json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    yield from ((text, intent.replace("_", " ")) for text, intent in clinc["train"])
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        yield from ((row["text"], row["category"].replace("_", " ")) for row in csv.DictReader(file))


def of_commands(texts: Path, share: float) -> Iterator[Pair]:
    for text in files(texts / "tldr" / "pages", "*.md", share):
        text = re.sub(r"\[(\w)\]", r"\1", text)
        about = [line for line in re.findall(r"^[#>] (.*)", text, re.M) if "More information" not in line]
        uses = [use.rstrip(":") for use in re.findall(r"^- (.*)", text, re.M)]
        yield from ((use, " ".join(about)) for use in uses)
        for use, command in zip(uses, re.findall(r"^`(.*)`$", text, re.M), strict=False):
            yield use, " ".join(re.findall(r"--?([a-z][a-z-]{3,})", command)).replace("-", " ")


def of_cmdlet(text: str) -> Iterator[Pair]:
    name, about = re.search(r"^# ([A-Z]\w+-\w+)", text, re.M), re.search(r"## SYNOPSIS\s+(.+?)\n\s*\n", text, re.S)
    more = re.search(r"## DESCRIPTION\s+(.+?)(?:\.\s|\n\s*\n)", text, re.S)
    if name and about:
        whole = f"{plain(name[1])} {plain(about[1])}"
        yield plain(about[1]), plain(name[1])
        if more:
            yield plain(more[1]), whole
        yield from ((title, whole) for title in re.findall(r"### Example \d+\s*[:-]\s*(.+?)\n", text))


# -- learning


def stems(text: str) -> list[str]:
    return [stem(word) for word in spelled(text) if not word.isdigit()]


def neighbours(said: list[list[str]], size: int = 200) -> tuple[list[str], Any, Any]:
    """The words, float32 vectors of shape (words, size), and how often each word is said, of shape (words,)."""
    import scipy.sparse as sparse
    from scipy.sparse.linalg import svds

    counts = Counter(word for sentence in said for word in sentence)
    words = [word for word, count in counts.most_common(30_000) if count >= 12 and 1 < len(word) <= 20]
    place: dict[str, int] = {word: n for n, word in enumerate(words)}
    line = np.array([n for each in said for n in (*(place[w] for w in each if w in place), *[-1] * WINDOW)], np.int32)
    often = np.array([counts[word] for word in words]) / counts.total()
    kept = np.minimum(1, np.sqrt(3e-4 / often))  # the commonest words are left out now and then
    line = line[(line < 0) | (np.random.default_rng(0).random(len(line)) < kept[np.maximum(line, 0)])]
    table = sparse.csr_matrix((len(words), len(words)), dtype=np.float32)
    for gap in range(1, WINDOW + 1):
        a, b = line[:-gap], line[gap:]
        both = (a >= 0) & (b >= 0)
        weight = np.full(both.sum(), (WINDOW + 1 - gap) / WINDOW, np.float32)
        near = sparse.coo_matrix((weight, (a[both], b[both])), shape=table.shape).tocsr()
        table = table + near + near.T
    table = table.tocoo()
    rows, columns = np.bincount(table.row, table.data, len(words)), np.bincount(table.col, table.data, len(words))
    columns = columns**0.75
    shared = np.log(table.data * columns.sum() / (rows[table.row] * columns[table.col] + 1e-9))
    good = shared > 0
    shape = sparse.coo_matrix((shared[good], (table.row[good], table.col[good])), shape=table.shape).tocsr()
    left, strength, _ = svds(shape, k=min(size, len(words) - 1), random_state=0)
    vectors = left * np.sqrt(strength)
    return words, vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9), often


def trained(rows: list[tuple[list[int], list[int]]], first: Any, often: Any) -> Any:
    """Vectors times weights, float32 of shape (words, SIZE)."""
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    table = torch.nn.EmbeddingBag.from_pretrained(torch.tensor(first), freeze=False, mode="sum")
    start = np.log(1e-3 / (1e-3 + often) + 1e-3).clip(-3, 0)[:, None]
    weights = torch.nn.Embedding.from_pretrained(torch.tensor(start, dtype=torch.float32), freeze=False)
    heat = torch.nn.Parameter(torch.tensor(math.log(15.0)))
    rates = [(table.weight, 2e-3), (weights.weight, 5e-3), (heat, 1e-2)]
    optimizer = torch.optim.Adam([{"params": [one], "lr": rate} for one, rate in rates])

    def read(texts: list[list[int]]) -> Any:
        flat = torch.tensor([word for text in texts for word in text])
        starts = torch.tensor(np.cumsum([0, *map(len, texts[:-1])]))
        weight = torch.exp(weights(flat)[:, 0]) * (torch.rand(len(flat)) > 0.15) + 1e-4
        return functional.normalize(table(flat, starts, per_sample_weights=weight), dim=1)

    steps = len(rows) // BATCH
    for step in range(ROUNDS * steps):
        if step % steps == 0:
            random.Random(step // steps).shuffle(rows)
        for group, (_, rate) in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * (1 - step / (ROUNDS * steps))
        batch = rows[step % steps * BATCH :][:BATCH]
        scores = read([a for a, _ in batch]) @ read([b for _, b in batch]).T * torch.exp(heat)
        same = torch.tensor([hash(tuple(b)) for _, b in batch])  # two requests of one intent are no contrast
        scores = scores.masked_fill((same[:, None] == same) & ~torch.eye(len(batch), dtype=torch.bool), -1e4)
        truth = torch.arange(len(batch))
        loss = functional.cross_entropy(scores, truth) + functional.cross_entropy(scores.T, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % steps == steps - 1:
            print(f"round {step // steps + 1}: loss {loss.item():.2f}", flush=True)
    return (table.weight * torch.exp(weights.weight)).detach().numpy()


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("texts", type=Path)
    parse.add_argument("out", type=Path)
    parse.add_argument("--share", type=float, default=1.0)
    given, data = parse.parse_args(), Path(os.environ["ZOOID_DATA"])
    known = synsets(given.texts)
    said = {" ".join(spelled(text)) for text in sentences(given.texts, data, known, given.share)}
    words, vectors, often = neighbours([stems(text) for text in sorted(said) if text.count(" ") >= 2])
    found = [
        (stems(a)[:40], stems(b)[:40]) for a, b in pairs(given.texts, data, known, given.share) if len(a + b) < 600
    ]
    counts = Counter(word for pair in found for word in {*pair[0], *pair[1]})
    kept = [n for n, word in enumerate(words) if counts[word] >= 2][:WORDS]
    place = {words[n]: row for row, n in enumerate(kept)}
    rows = [([place[w] for w in a if w in place], [place[w] for w in b if w in place]) for a, b in found]
    rows = [(a, b) for a, b in rows if a and b and set(a) != set(b)]
    print(f"{len(said):,} sentences, {len(kept):,} words, {len(rows):,} pairs", flush=True)
    axes = np.linalg.eigh(vectors[kept].T @ vectors[kept])[1][:, ::-1][:, :SIZE]
    first = vectors[kept] @ axes
    first = (first / (np.linalg.norm(first, axis=1, keepdims=True) + 1e-9)).astype(np.float32)
    table = trained(rows, first, often[kept])
    step = np.percentile(np.abs(table), 99.9) / 127
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "words.txt").write_text("\n".join(words[n] for n in kept) + "\n", encoding="utf-8")
    (given.out / "vectors.i8").write_bytes(np.clip(np.round(table / step), -127, 127).astype(np.int8).tobytes())


if __name__ == "__main__":
    main()

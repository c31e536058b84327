"""The forge's decoder: llama.cpp answers as PyTorch does, and a killed training ends with the very same weights."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the forge needs PyTorch: pip install 'zooid[forge]'")

from tools.errors import ToolError  # noqa: E402
from tools.forge import learning  # noqa: E402
from tools.forge.candidate import Job, Made, Progress, Row, Unfit  # noqa: E402
from tools.forge.decoder import SIZES, Decoder, sizes_for  # noqa: E402
from tools.forge.encoding import Encoder, Stems  # noqa: E402
from tools.micro.llama import Session  # noqa: E402

ROOT = Path(__file__).parents[2]
LETTERS = "abcd"


def words(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(LETTERS, k=chance.randint(2, 3))) for _ in range(count)]


def ending(word: str, tag: str) -> str:
    return word + {"N;PL": "s", "V;PST": "ed"}[tag]


def rows(count: int, seed: int = 0) -> list[Row]:
    return [
        Row({"word": word, "tag": tag}, ending(word, tag))
        for number, word in enumerate(words(count, seed))
        for tag in ("N;PL", "V;PST")[number % 2 :][:1]
    ]


def job(work: Path, seconds: float = 2.0, **given: Any) -> Job:
    plain: dict[str, Any] = {
        "name": "ending", "kind": "generate", "inputs": ("word", "tag"), "labels": (), "metric": "accuracy", "seed": 1,
        "train": rows(400), "valid": rows(40, 1),
    }  # fmt: skip
    return Job(**{**plain, **given}, seconds=seconds, work=work)


def quiet(progress: Progress) -> None:
    assert 0 < progress.step <= progress.steps and progress.left >= 0


def answers(made: Made, asked: list[Row]) -> list[str]:
    """Greedy answers of llama.cpp over the file, token by token."""
    session = Session(made.folder / "model.gguf", gpu_layers=0)
    found = []
    for row in asked:
        prompt = made.fields["template"].format(**row.inputs)
        logits, text = session.start([session.tokens(prompt)])[0], b""
        while made.fields["stop"].encode() not in text and len(text) < made.fields["max_tokens"]:
            token = int(logits.argmax())
            text += session.text(token)
            logits = session.step({0: [token]})[0]
        found.append(text.decode().removesuffix(made.fields["stop"]))
    session.close()
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    folder = tmp_path_factory.mktemp("made")
    return Decoder("0.3M").make(job(folder / "work", 3.5), folder, quiet)


def test_a_network_is_learnt_that_llama_runs_in_every_packing(made: list[Made]) -> None:
    asked = rows(40, 2)
    assert [one.folder.name for one in made] == ["f16", "q8_0", "q4_0"]
    sizes = [(one.folder / "model.gguf").stat().st_size for one in made]
    assert sizes == sorted(sizes, reverse=True)
    for one in made[:2]:
        right = sum(row.right(answer) for row, answer in zip(asked, answers(one, asked), strict=True))
        assert right >= 36, one.folder


def test_an_input_of_few_values_is_one_token(made: list[Made]) -> None:
    assert made[0].fields["template"] == "[{tag}]{word}\n"
    session = Session(made[0].folder / "model.gguf", gpu_layers=0)
    assert len(session.tokens("[V;PST]ab\n")) == 1 + 1 + 2 + 1
    session.close()


def test_llama_computes_what_pytorch_computed(tmp_path: Path, made: list[Made]) -> None:
    import torch

    from tools.forge.check import difference
    from tools.forge.decoder import _Scratch

    making = _Scratch(Decoder("0.3M"), job(tmp_path))
    kept = torch.load(made[0].folder.parent / "work" / "gguf-0.3M.pt", weights_only=True)
    worst, same = difference(made[0].folder / "model.gguf", making.shape, kept["best"], ["[N;PL]abc\n", "[V;PST]da\n"])
    assert worst < 0.05 and same


def test_a_classifier_reads_its_label_at_the_end(tmp_path: Path) -> None:
    chance = random.Random(0)
    filler = [f"{a}{b}" for a in ("the", "a", "one") for b in ("house", "road", "tree", "day", "cup")]
    good, bad = ["fine", "lovely", "great"], ["poor", "awful", "dull"]

    def row() -> Row:
        label = chance.randrange(2)
        text = [*chance.choices(filler, k=5), chance.choice((bad, good)[label])]
        return Row({"text": " ".join(chance.sample(text, 6))}, ("bad", "good")[label])

    task = job(
        tmp_path / "work", kind="classify", inputs=("text",), labels=("bad", "good"),
        train=[row() for _ in range(300)], valid=[row() for _ in range(60)],
    )  # fmt: skip
    one = Decoder("0.3M").make(task, tmp_path, quiet)[0]
    session = Session(one.folder / "model.gguf", gpu_layers=0)
    ids = [session.tokens(token, special=True) for token in one.tokens]
    assert [len(found) for found in ids] == [1, 1] and one.fields["lower"] is True
    tokens = [found[0] for found in ids]
    asked = [row() for _ in range(50)]
    prompts = [session.tokens(one.fields["template"].format(**each.inputs)) for each in asked]
    said = [task.labels[int(session.start([prompt])[0][tokens].argmax())] for prompt in prompts]
    session.close()
    assert sum(each.right(label) for each, label in zip(asked, said, strict=True)) >= 45


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
import test_forge_decoder as tests
from tools.forge import learning
from tools.forge.decoder import Decoder
learning.EVERY = learning.SAY = 0.0
folder = Path(sys.argv[1])
def tell(progress):
    print(progress.step, flush=True)
Decoder("0.3M").make(tests.short(folder), folder, tell)
"""


def short(folder: Path) -> Job:
    return job(folder / "work", 0.5)


def start(folder: Path) -> subprocess.Popen[str]:
    script = SCRIPT.format(root=str(ROOT), tests=str(Path(__file__).parent))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_a_killed_training_ends_with_the_very_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SAY", 0.0)
    monkeypatch.setattr(learning, "BEYOND", 1e6)  # a machine that is busy with other things stops none of them
    process = start(tmp_path / "killed")
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if int(line) == 12:  # between two states on disk, or in the middle of one
                process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "killed" / "f16").exists()
    steps = list[int]()
    Decoder("0.3M").make(short(tmp_path / "killed"), tmp_path / "killed", lambda told: steps.append(told.step))
    assert steps[0] > 11
    Decoder("0.3M").make(short(tmp_path / "whole"), tmp_path / "whole", quiet)
    digests = {
        hashlib.sha256((tmp_path / name / "f16" / "model.gguf").read_bytes()).digest() for name in ("killed", "whole")
    }
    assert len(digests) == 1


def test_a_full_disk_is_told_and_leaves_nothing_by_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "EVERY", 0.0)
    work = tmp_path / "work"
    work.mkdir()
    (work / "gguf-0.3M.pt.part").symlink_to("/dev/full")
    with pytest.raises(ToolError, match="gguf-0.3M.pt: cannot be written .*No space left.*make room"):
        Decoder("0.3M").make(job(work, 0.5), tmp_path, quiet)
    (tmp_path / "f16").mkdir()
    (tmp_path / "f16" / "model.gguf.part").symlink_to("/dev/full")
    with pytest.raises(ToolError, match="model.gguf: cannot be written .*No space left"):
        Decoder("0.3M").make(job(work, 0.5), tmp_path, quiet)
    assert not (tmp_path / "f16" / "model.gguf").exists()
    assert Decoder("0.3M").make(job(work, 0.5), tmp_path, quiet)[0].folder.name == "f16"


def test_a_training_that_takes_far_too_long_is_stopped_and_says_so(tmp_path: Path) -> None:
    begun = time.process_time()
    task = job(tmp_path / "work", 0.01, train=rows(4000))
    one = Decoder("3M").make(task, tmp_path, quiet)[0]
    assert time.process_time() - begun < 20 and "stopped at step" in one.trained_with


def test_rows_that_are_nothing_for_it_are_told(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="needs 16 rows .* has 3"):
        Decoder("0.3M").make(job(tmp_path, train=rows(3)), tmp_path, quiet)
    with pytest.raises(Unfit, match="`2M`; take one of 0.3M"):
        Decoder("2M")
    long = [Row(row.inputs | {"word": "ab" * 700}, row.output) for row in rows(10)]
    one = Decoder("0.3M").make(job(tmp_path / "work", 0.2, train=rows(100) + long), tmp_path, quiet)[0]
    assert "10 rows longer than 1,024 tokens left out" in one.trained_with


def test_characters_outside_ascii_are_a_token_each(tmp_path: Path) -> None:
    some = [Row({"word": f"été{word}"}, f"étés{word}") for word in words(40)]
    encoder = Encoder(job(tmp_path, inputs=("word",), train=some), 0)
    assert len(encoder.prompt({"word": "étéab"})) == 1 + 5 + 1
    assert len(encoder.prompt({"word": "čab"})) == 1 + 2 + 2 + 1


def test_pieces_are_learnt_from_few_texts_and_from_many_characters(tmp_path: Path) -> None:
    chance = random.Random(0)
    few = [Row({"text": f"the cat sat on the mat {n} <s> [x]"}, "ab"[n % 2]) for n in range(20)]
    many = [
        Row({"text": "".join(chr(0x4E00 + chance.randrange(3000)) for _ in range(60))}, "ab"[n % 2]) for n in range(90)
    ]
    for texts in (few, many):
        task = job(tmp_path, kind="classify", inputs=("text",), labels=("a", "b"), train=texts)
        encoder = Encoder(task, 2000)
        assert encoder.pieces is not None and len(set(encoder.vocabulary.pieces)) == len(encoder.vocabulary.pieces)
        tokens = encoder.prompt(texts[0].inputs)
        split = encoder.at_random(tokens, 0.5, chance)
        assert len(tokens) < len(texts[0].inputs["text"]) + 3 and len(split) >= len(tokens)
        assert _spelt(encoder, split) == _spelt(encoder, tokens)


def _spelt(encoder: Encoder, tokens: list[int]) -> str:
    return "".join(encoder.vocabulary.pieces[token] for token in tokens)


def test_an_answer_of_several_lines_ends_with_another_text(tmp_path: Path) -> None:
    some = [Row({"word": word}, f"{word}\n{word}") for word in words(40)]
    encoder = Encoder(job(tmp_path, inputs=("word",), train=some), 0)
    assert encoder.frame.stop == "\x03" and len(encoder.answer({}, "a\na")) == 4


def test_another_stem_keeps_what_the_answer_does_to_it() -> None:
    some = [Row({"word": word}, f"{word}ing") for word in ("walk", "remember", "understand", "enjoy")]
    stems, chance = Stems(some, ("word",)), random.Random(1)
    made = [stems.vary(row, number, chance) for _ in range(20) for number, row in enumerate(some)]
    assert all(output == inputs["word"] + "ing" for inputs, output in made)
    assert len({output for _, output in made}) > 20


def test_the_size_follows_from_the_rows_and_the_time(tmp_path: Path) -> None:
    names = list(SIZES)

    def size(seconds: float, times: int) -> int:
        (one,) = sizes_for(job(tmp_path, seconds, train=rows(400) * times))
        return names.index(one.size)

    assert size(60, 1) == 0 and size(60, 40) == 0
    assert size(60, 10) <= size(3600, 10) < size(36000, 250)

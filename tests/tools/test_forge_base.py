"""The fine-tune of a given base: read as llama.cpp reads it, changed by the rows, written with all that it had."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the forge needs PyTorch: pip install 'zooid[forge]'")

from tests import tiny_gguf  # noqa: E402
from tools.forge import network  # noqa: E402
from tools.forge.base import FineTune, read  # noqa: E402
from tools.forge.candidate import Job, Progress, Row, Unfit  # noqa: E402
from tools.forge.check import difference  # noqa: E402
from tools.forge.export import write_model  # noqa: E402
from tools.forge.hugging import convert  # noqa: E402
from tools.forge.vocabulary import byte_vocabulary  # noqa: E402
from tools.micro.llama import Session  # noqa: E402

ROWS = [Row({"word": a + b}, "yes" if a == "a" else "no") for a in "ab" for b in "cdefghijklmnop"]
GROUPED = network.Shape(260, 64, 2, 4, 96, 256, key_heads=2, head=32, rope_base=5e5, epsilon=2**-20)


def job(work: Path, kind: Any = "classify", seconds: float = 0.8) -> Job:
    labels = ("no", "yes") if kind == "classify" else ()
    return Job("first", kind, ("word",), labels, ROWS, ROWS[:6], "accuracy", 1, seconds, work)


def quiet(progress: Progress) -> None:
    assert progress.step <= progress.steps


def untied(shape: network.Shape) -> network.Weights:
    weights = network.new_weights(shape, 3)
    output = network.new_weights(replace(shape, layers=1), 4)["token_embd.weight"]
    return {name: w.detach() for name, w in (weights | {"output.weight": output}).items()}


def test_grouped_heads_and_another_base_of_positions_are_as_in_llama(tmp_path: Path) -> None:
    weights = untied(GROUPED)
    write_model(tmp_path / "model.gguf", "grouped", byte_vocabulary([]), GROUPED, weights, "f16")
    shape, found = read(tmp_path / "model.gguf")
    assert shape == GROUPED and set(found) == set(weights)
    worst, same = difference(tmp_path / "model.gguf", shape, found, ["a long enough text\n", "b\n"])
    assert worst < 0.01 and same


@pytest.mark.parametrize("whole", [False, True])
def test_a_base_learns_rows_and_keeps_its_metadata(tmp_path: Path, whole: bool) -> None:
    import gguf

    write_model(tmp_path / "base.gguf", "grouped", byte_vocabulary([]), GROUPED, untied(GROUPED), "q8_0")
    made = FineTune(tmp_path / "base.gguf", whole).make(job(tmp_path / "work"), tmp_path / "made", quiet)
    before, after = (gguf.GGUFReader(str(path)) for path in (tmp_path / "base.gguf", made[0].folder / "model.gguf"))
    kept = [name for name in before.fields if not name.startswith("GGUF.") and name != "general.file_type"]
    assert [after.fields[name].contents() for name in kept] == [before.fields[name].contents() for name in kept]
    session = Session(made[0].folder / "model.gguf", gpu_layers=0)
    tokens = [session.tokens(token, special=True) for token in made[0].tokens]
    assert [len(found) for found in tokens] == [1, 1]
    said = [
        int(session.start([session.tokens(f"{row.inputs['word']}\n")])[0][[t[0] for t in tokens]].argmax())
        for row in ROWS
    ]
    session.close()
    assert sum(("no", "yes")[number] == row.output for number, row in zip(said, ROWS, strict=True)) >= 26


def test_a_base_writes_answers_with_its_own_tokens(tmp_path: Path) -> None:
    base = tiny_gguf.write(tmp_path / "base.gguf")
    made = FineTune(base).make(job(tmp_path / "work", "generate", 0.5), tmp_path / "made", quiet)
    assert made[0].fields["template"] == "{word}\n" and made[0].fields["stop"] == "\n"
    session = Session(made[0].folder / "model.gguf", gpu_layers=0)
    assert len(session.tokens("ab")) == 3
    session.close()


def test_a_base_that_cannot_be_trained_is_told(tmp_path: Path) -> None:
    other = tiny_gguf.write(tmp_path / "other.gguf", architecture="gemma")
    for base, why in ((other, "gemma"), (tmp_path / "none.gguf", "none.gguf: there is no such base")):
        with pytest.raises(Unfit, match=why):
            FineTune(base).make(job(tmp_path), tmp_path, quiet)


# -- safetensors


def store(path: Path, tensors: dict[str, Any]) -> None:
    """The format: the length of a JSON head, the head, the numbers."""
    head, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.numpy().tobytes()
        head[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def halves(weight: Any, heads: int) -> Any:
    """Neighbouring pairs of positions as the two halves that such files keep."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns).contiguous()


def hugging(folder: Path, weights: network.Weights, shape: network.Shape) -> None:
    import sentencepiece

    from tools.forge.hugging import INNER, OUTER

    theirs = {ours: name for name, ours in OUTER.items()}
    heads = {"attn_q": shape.heads, "attn_k": shape.groups}
    tensors = {}
    for name, weight in weights.items():
        if name in theirs:
            tensors[theirs[name]] = weight
            continue
        _, layer, part, _ = name.split(".")
        their = next(key for key, ours in INNER.items() if ours == part)
        tensors[f"model.layers.{layer}.{their}.weight"] = halves(weight, heads[part]) if part in heads else weight
    store(folder / "model.safetensors", tensors)
    config = {
        "model_type": "llama", "hidden_size": shape.width, "num_attention_heads": shape.heads, "head_dim": shape.head,
        "vocab_size": shape.vocabulary, "num_hidden_layers": shape.layers, "intermediate_size": shape.hidden,
        "max_position_embeddings": shape.context, "num_key_value_heads": shape.key_heads, "rope_theta": shape.rope_base,
        "rms_norm_eps": shape.epsilon,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat on the mat and the dog ran to the road"] * 20), model_type="bpe",
        model_prefix=str(folder / "tokenizer"), vocab_size=290, byte_fallback=True, minloglevel=2,
    )  # fmt: skip


def test_a_folder_of_safetensors_becomes_the_same_network(tmp_path: Path) -> None:
    shape = replace(GROUPED, vocabulary=300)
    weights = untied(shape)
    hugging(tmp_path, weights, shape)
    path = convert(tmp_path, tmp_path / "base.gguf")
    found_shape, found = read(path)
    assert found_shape == shape
    assert all(bool((found[name] == weight).all()) for name, weight in weights.items())
    worst, same = difference(path, shape, found, ["the cat ran", "the dog"])
    assert worst < 0.01 and same
    session = Session(path, gpu_layers=0)
    assert b"".join(session.text(token) for token in session.tokens("the cat ran")).decode().strip() == "the cat ran"
    session.close()


def test_a_folder_that_is_no_plain_llama_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="holds no .safetensors"):
        convert(tmp_path, tmp_path / "base.gguf")
    store(tmp_path / "model.safetensors", {})
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    with pytest.raises(Unfit, match="no tokenizer.model.*convert_hf_to_gguf.py"):
        convert(tmp_path, tmp_path / "base.gguf")
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}', encoding="utf-8")
    with pytest.raises(Unfit, match="no plain llama.*convert_hf_to_gguf.py"):
        convert(tmp_path, tmp_path / "base.gguf")

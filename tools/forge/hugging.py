"""Makes a GGUF of a folder of safetensors: a plain llama with a sentencepiece tokenizer; all else is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.forge.candidate import Unfit

if TYPE_CHECKING:
    from tools.forge.network import Shape, Weights

CONVERT = "convert it with llama.cpp's convert_hf_to_gguf.py and give the GGUF"
OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
INNER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def convert(given: Path, path: Path) -> Path:
    """Writes the GGUF of a folder, or of one of its safetensors files; raises Unfit, naming what is in the way."""
    folder = given if given.is_dir() else given.parent
    files = sorted(given.glob("*.safetensors")) if given.is_dir() else [given]
    if not files:
        raise Unfit(f"{folder}: holds no .safetensors; give a GGUF, or a folder that has them")
    config = _config(folder)
    if not (folder / "tokenizer.model").is_file():
        raise Unfit(f"{folder}: has no tokenizer.model, the only kind that is read here; {CONVERT}")
    shape = _shape(config)
    weights: Weights = {}
    for file in files:
        weights |= _tensors(file, shape)
    if config.get("tie_word_embeddings"):
        weights.pop("output.weight", None)
    _write(path, folder, shape, weights)
    return path


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unfit(f"{folder / 'config.json'}: cannot be read ({error}); {CONVERT}") from error
    scaled = (config.get("rope_scaling") or {}).get("rope_type", "default") != "default"
    if config.get("model_type") != "llama" or config.get("attention_bias") or config.get("mlp_bias") or scaled:
        raise Unfit(f"{folder}: is no plain llama (type, biases or scaled positions); {CONVERT}")
    return dict(config)


def _shape(config: dict[str, Any]) -> Shape:
    from tools.forge.network import EPSILON, ROPE_BASE, Shape

    width, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or width // heads
    base = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta", ROPE_BASE)
    return Shape(
        config["vocab_size"], width, config["num_hidden_layers"], heads, config["intermediate_size"],
        config.get("max_position_embeddings", 2048), config.get("num_key_value_heads") or heads,
        0 if head * heads == width else head, float(base), float(config.get("rms_norm_eps", EPSILON)),
    )  # fmt: skip


def _tensors(file: Path, shape: Shape) -> Weights:
    """The tensors of a file under the names of GGUF; queries and keys in its order of the positions' pairs."""
    import gguf.utility
    import torch

    weights: Weights = {}
    try:
        tensors = gguf.utility.SafetensorsLocal(file).tensors
    except (OSError, ValueError, KeyError) as error:
        raise Unfit(f"{file}: is no safetensors file ({error}); fetch it again") from error
    for name, tensor in tensors.items():
        ours = _name(file, name)
        if ours:
            values = torch.from_numpy(_floats(file, name, tensor))
            kind = ours.rpartition(".weight")[0].rpartition(".")[2]
            heads = {"attn_q": shape.heads, "attn_k": shape.groups}.get(kind, 0)
            weights[ours] = _pairs(values, heads) if heads else values
    return weights


def _name(file: Path, name: str) -> str:
    """The name in a GGUF; empty for what it does not keep."""
    if name in OUTER:
        return OUTER[name]
    if name.endswith("rotary_emb.inv_freq"):
        return ""
    parts = name.split(".")  # model.layers.0.self_attn.q_proj.weight
    inner = INNER.get(".".join(parts[3:-1])) if name.startswith("model.layers.") else None
    if inner is None or parts[-1] != "weight":
        raise Unfit(f"{file}: has a tensor `{name}`, which a plain llama has not; {CONVERT}")
    return f"blk.{parts[2]}.{inner}.weight"


def _floats(file: Path, name: str, tensor: Any) -> Any:
    import numpy

    raw = numpy.array(tensor.mmap_bytes())
    if tensor.dtype == "BF16":
        values = (raw.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
    elif tensor.dtype in ("F16", "F32"):
        values = raw.view(numpy.float16 if tensor.dtype == "F16" else numpy.float32).astype(numpy.float32)
    else:
        raise Unfit(f"{file}: `{name}` is of type {tensor.dtype}; {CONVERT}")
    return values.reshape(tensor.shape)


def _pairs(values: Any, heads: int) -> Any:
    """From halves that are turned against each other to neighbours that are, as llama.cpp's `llama` wants them."""
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns).contiguous()


def _write(path: Path, folder: Path, shape: Shape, weights: Weights) -> None:
    import gguf

    from tools.forge.export import add_shape, add_tensors, close

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    writer = gguf.GGUFWriter(str(part), "llama")
    writer.add_name(folder.name)
    add_shape(writer, shape)
    vocabulary: Any = gguf.SentencePieceVocab(folder)
    tokens, scores, kinds = (list(one) for one in zip(*vocabulary.all_tokens(), strict=True))
    spare = shape.vocabulary - len(tokens)
    if spare < 0:
        raise Unfit(f"{folder}: its tokenizer has {len(tokens)} tokens, its network {shape.vocabulary}; {CONVERT}")
    tokens += [f"[PAD{number}]".encode() for number in range(spare)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([*scores, *([-1000.0] * spare)])
    writer.add_token_types([*kinds, *([gguf.TokenType.UNUSED] * spare)])
    processor = vocabulary.sentencepiece_tokenizer
    writer.add_add_space_prefix(processor.encode("a", out_type=str)[0].startswith("\u2581"))
    for name, token in (("bos", processor.bos_id()), ("eos", processor.eos_id()), ("unk", processor.unk_id())):
        if token >= 0:
            getattr(writer, f"add_{name}_token_id")(token)
    writer.add_add_bos_token(processor.bos_id() >= 0)
    writer.add_add_eos_token(False)
    add_tensors(writer, weights, "f32")
    close(writer, part, path)

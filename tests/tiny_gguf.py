"""Makes a tiny instruct GGUF with random weights: a real file for llama.cpp, in a tenth of a second.

Architecture llama, two blocks, a vocabulary of 256 bytes and three marks, and a chat template.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SIZE, HEADS, HIDDEN, BLOCKS = 64, 4, 128, 2


def write(
    path: Path,
    *,
    seed: int = 0,
    context: int = 8192,
    template: str | None = TEMPLATE,
    prefer: str = "",
    architecture: str = "llama",
    tokenizer: str = "llama",
    experts: int = 0,
    files: int = 1,
) -> Path:
    """Write the file. The characters of `prefer`, such as closing quotes, are made likelier wherever they may stand.

    With `experts`, of which it has no tensors, llama.cpp aborts while it loads the file; with the `tokenizer` rwkv,
    which wants other tokens, it makes tokens without end. With more `files` than one it says that it is one of them.
    """
    import gguf
    import numpy

    random = numpy.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), architecture)
    _describe(writer, context, template)
    _vocabulary(writer, gguf, tokenizer)
    writer.add_uint16("split.count", files)
    if experts:
        writer.add_expert_count(experts)
    for name, shape in _shapes().items():
        norm = name.endswith("norm.weight")
        weights = numpy.ones(shape) if norm else random.normal(0, 0.4, shape)
        if name == "token_embd.weight":
            weights[:, 0] = 4.0  # a direction that every token shares, and the output can lean on
        if name == "output.weight":
            weights[:, 0] = 0.0
            weights[[3 + ord(character) for character in prefer], 0] = 40.0
        writer.add_tensor(name, weights.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: Any, context: int, template: str | None) -> None:
    writer.add_name("tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(SIZE)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(SIZE // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(259)
    if template is not None:
        writer.add_chat_template(template)


def _vocabulary(writer: Any, gguf: Any, tokenizer: str) -> None:
    kind = gguf.TokenType
    writer.add_tokenizer_model(tokenizer)
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))])
    writer.add_token_scores([0.0] * 259)
    writer.add_token_types([kind.UNKNOWN, kind.CONTROL, kind.CONTROL, *([kind.BYTE] * 256)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (259, SIZE),
        "output_norm.weight": (SIZE,),
        "output.weight": (259, SIZE),
    }
    for block in range(BLOCKS):
        shapes |= {f"blk.{block}.{name}_norm.weight": (SIZE,) for name in ("attn", "ffn")}
        shapes |= {f"blk.{block}.attn_{name}.weight": (SIZE, SIZE) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{block}.ffn_{name}.weight": (HIDDEN, SIZE) for name in ("gate", "up")}
        shapes[f"blk.{block}.ffn_down.weight"] = (SIZE, HIDDEN)
    return shapes

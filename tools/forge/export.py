"""Writes a network and its vocabulary as a GGUF file that llama.cpp runs unchanged."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from tools.errors import ToolError
from tools.forge.network import Shape, Weights, new_weights
from tools.forge.vocabulary import BOS, Vocabulary


def _writer(path: Path, name: str, vocabulary: Vocabulary) -> Any:
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(vocabulary.pieces)
    writer.add_token_scores(vocabulary.values)
    writer.add_token_types(vocabulary.kinds)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(vocabulary.prefix)
    return writer


def add_shape(writer: Any, shape: Shape) -> None:
    """The sizes as metadata."""
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.groups)
    if shape.head:
        writer.add_key_length(shape.head)
        writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)


def close(writer: Any, part: Path, path: Path) -> None:
    """Writes the file beside its place and moves it there whole; raises ToolError where it cannot be written."""
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(part, path)
    except OSError as error:
        for file in writer.fout or []:
            with contextlib.suppress(OSError):  # what it still holds has no place either
                file.close()
        part.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> ToolError:
    """What to say where a file of the training cannot be written, such as on a full disk."""
    why = error.strerror or str(error)
    return ToolError(f"{path}: cannot be written ({why}); make room there and run the command again, it goes on")


def write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """A GGUF that is there for its tokenizer: the network in it is as small as can be, and knows nothing."""
    shape = Shape(len(vocabulary.pieces), width=32, layers=1, heads=1, hidden=32)
    write_model(path, "vocabulary", vocabulary, shape, new_weights(shape, 0), "f16")


def fits(weights: Weights, packed: str) -> bool:
    """Whether every matrix can be packed so: the blocks of "q8_0" and "q4_0" are 32 numbers of a row."""
    return packed in ("f16", "f32") or all(w.shape[-1] % 32 == 0 for w in weights.values() if w.dim() > 1)


def add_tensors(writer: Any, weights: Weights, packed: str) -> None:
    """Matrices packed as "f32", "f16", "q8_0" or "q4_0", norms as f32."""
    import gguf
    import numpy

    kind = gguf.GGMLQuantizationType[packed.upper()]
    writer.add_file_type(gguf.LlamaFileType["ALL_F32" if packed == "f32" else f"MOSTLY_{packed.upper()}"])
    for key, tensor in weights.items():
        values = tensor.detach().float().cpu().numpy().astype(numpy.float32)
        if values.ndim == 1:
            writer.add_tensor(key, values)
        else:
            writer.add_tensor(key, gguf.quants.quantize(values, kind), raw_dtype=kind)


def write_model(path: Path, name: str, vocabulary: Vocabulary, shape: Shape, weights: Weights, packed: str) -> None:
    """The whole model; raises ToolError where the file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    writer = _writer(part, name, vocabulary)
    add_shape(writer, shape)
    add_tensors(writer, weights, packed)
    close(writer, part, path)

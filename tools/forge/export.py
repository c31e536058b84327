"""Writes a network and its vocabulary as a GGUF file that llama.cpp runs unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.forge.network import EPSILON, ROPE_BASE, Shape, Weights, new_weights
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


def _add_shape(writer: Any, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(EPSILON)


def _close(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """A GGUF that is there for its tokenizer: the network in it is as small as can be, and knows nothing."""
    shape = Shape(len(vocabulary.pieces), width=32, layers=1, heads=1, hidden=32)
    write_model(path, "vocabulary", vocabulary, shape, new_weights(shape, 0), "f16")


def write_model(path: Path, name: str, vocabulary: Vocabulary, shape: Shape, weights: Weights, packed: str) -> None:
    """The whole model; `packed` is "f16" or "q8_0" for matrices, norms stay f32."""
    import gguf
    import numpy

    kind = {"f16": gguf.GGMLQuantizationType.F16, "q8_0": gguf.GGMLQuantizationType.Q8_0}[packed]
    writer = _writer(path, name, vocabulary)
    _add_shape(writer, shape)
    writer.add_file_type({"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}[packed])
    for key, tensor in weights.items():
        values = tensor.detach().numpy().astype(numpy.float32)
        if values.ndim == 1:
            writer.add_tensor(key, values)
        else:
            writer.add_tensor(key, gguf.quants.quantize(values, kind), raw_dtype=kind)
    _close(writer)

"""Vocabularies that llama.cpp's `llama` tokenizer reads: bytes, characters, or word pieces learnt by sentencepiece.

Each may hold names: texts that are one token wherever they stand, such as the tag that says which form is wanted.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.micro.llama import Session

NORMAL, UNKNOWN, CONTROL, NAME, BYTE = 1, 2, 3, 4, 6
FIRST_BYTE = 3
BOS = 1


@dataclass(frozen=True)
class Vocabulary:
    """Token texts, merge scores and types by id; `prefix` puts a space before the text."""

    pieces: list[str]
    values: list[float]
    kinds: list[int]
    prefix: bool
    labels: list[str] = field(default_factory=list)

    def label_ids(self) -> list[int]:
        """The ids of the label tokens, in the order of the labels."""
        return [self.pieces.index(label) for label in self.labels]


def _head(labels: list[str], names: Iterable[str] = ()) -> tuple[list[str], list[float], list[int]]:
    """The part that every vocabulary has: unknown, start, end, 256 bytes, and a token for each label and each name."""
    names = list(names)
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), *labels, *names]
    kinds = [UNKNOWN, CONTROL, CONTROL, *([BYTE] * 256), *([CONTROL] * len(labels)), *([NAME] * len(names))]
    return pieces, [0.0] * len(pieces), kinds


def byte_vocabulary(labels: list[str], names: Iterable[str] = ()) -> Vocabulary:
    """A token a byte.

    llama.cpp writes a space as U+2581 before it looks for tokens: the space's id carries that text, so that a space is
    one token and not three, and the byte's own name stands at the end, because every byte has to be there.
    """
    pieces, values, kinds = _head(labels, names)
    space = FIRST_BYTE + ord(" ")
    pieces.append(pieces[space])
    pieces[space], kinds[space] = "\u2581", NORMAL
    return Vocabulary(pieces, [*values, 0.0], [*kinds, BYTE], prefix=False, labels=labels)


def character_vocabulary(
    texts: Iterable[str], labels: list[str], names: Iterable[str] = (), most: int = 4000
) -> Vocabulary:
    """A token for each of the commonest characters outside ASCII, bytes for all others."""
    counts = Counter(c for text in texts for c in text if ord(c) > 127 and c != "\u2581")
    known = sorted((c for c, count in counts.items() if count > 1), key=lambda c: (-counts[c], c))[:most]
    plain = byte_vocabulary(labels, names)
    return Vocabulary(
        plain.pieces + known, plain.values + [0.0] * len(known), plain.kinds + [NORMAL] * len(known), False, labels
    )


class Pieces:
    """Word pieces learnt from texts by byte-pair merges, with bytes for whatever they do not cover.

    It also splits texts at random, for training: merges are left out (BPE dropout; Provilkov et al., 2020), so that a
    model sees a word in several splits and learns from parts that it will meet in other words.
    """

    def __init__(
        self, texts: Iterable[str], size: int, labels: list[str], names: Iterable[str] = (), prefix: bool = True
    ) -> None:
        import sentencepiece  # type: ignore[import-not-found,import-untyped,unused-ignore]

        with tempfile.TemporaryDirectory() as folder:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts), model_prefix=f"{folder}/m", vocab_size=size, model_type="bpe",
                normalization_rule_name="identity", byte_fallback=True, character_coverage=0.9999, num_threads=1,
                max_sentence_length=20000, minloglevel=2, add_dummy_prefix=prefix,
            )  # fmt: skip
            self._learnt: Any = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/m.model")
        pieces, values, kinds = _head(labels, names)
        self._ids: list[int] = []
        own = set(pieces)
        for n in range(self._learnt.get_piece_size()):
            piece = self._learnt.id_to_piece(n)
            if self._learnt.is_control(n) or self._learnt.is_unknown(n) or self._learnt.is_byte(n):
                self._ids.append(pieces.index(piece))
            elif piece in own:  # a text that spells out a token of ours; twice in a file it would end llama.cpp
                self._ids.append(0)
            else:
                # the newline must stay a byte: it is what the models are asked by
                assert not piece.isspace(), f"the texts hold white space that is not single: {piece!r}"
                self._ids.append(len(pieces))
                pieces.append(piece)
                values.append(float(self._learnt.get_score(n)))
                kinds.append(NORMAL)
        self.vocabulary = Vocabulary(pieces, values, kinds, prefix=prefix, labels=labels)

    def at_random(self, text: str, left_out: float) -> list[int]:
        """Token ids of one of the many ways to split `text`, the start token first."""
        ids = self._learnt.encode(text, enable_sampling=True, alpha=left_out, nbest_size=-1)
        return [BOS, *(self._ids[n] for n in ids)]


class Tokenizer:
    """llama.cpp's own tokenizer over a vocabulary, so that training sees exactly the tokens that running will see."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        from tools.forge.export import write_vocabulary

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "vocabulary.gguf"
            write_vocabulary(path, vocabulary)
            self._session = Session(path, gpu_layers=0, threads=1)

    def __call__(self, text: str) -> list[int]:
        """Token ids, the start token first."""
        return self._session.tokens(text)

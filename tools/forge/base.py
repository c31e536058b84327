"""Goes on from a model that is there: a small decoder of llama's architecture is fine-tuned on the rows.

By default only low-rank additions to the matrices are trained (LoRA; Hu et al., 2021) and merged when the model is
written; the whole network where it is asked for. Tokenizer and metadata stay those of the base.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import ModelFileError
from tools.forge.candidate import Job, Made, Tell, Unfit
from tools.forge.decoder import LONGEST, Making, check, threads
from tools.forge.encoding import frame

if TYPE_CHECKING:
    from tools.forge.learning import Lesson
    from tools.forge.lessons import Habits
    from tools.forge.network import Shape, Weights

RANK, ALPHA = 16, 32.0
RATE_LORA, RATE_WHOLE = 1e-3, 2e-4
OUTER = ("token_embd", "output", "output_norm")
INNER = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "attn_norm", "ffn_norm")


@dataclass(frozen=True)
class FineTune:
    """The fine-tune of `base`, a GGUF or a folder of safetensors; `whole` trains every weight of it."""

    base: Path
    whole: bool = False

    @property
    def name(self) -> str:
        return f"gguf {self.base.stem}{' whole' if self.whole else ''}"

    def make(self, job: Job, folder: Path, tell: Tell) -> list[Made]:
        """Trains and writes the packings. Raises Unfit where the base is nothing that can be trained here."""
        check(self.name, job)
        with threads(job.threads):
            path = self.base
            if not path.exists():
                raise Unfit(f"{path}: there is no such base; name a GGUF or a folder of safetensors with --base")
            if path.is_dir() or path.suffix == ".safetensors":
                from tools.forge.hugging import convert

                path = convert(path, job.work / "base.gguf")
            return _Tuning(self, job, path).all(folder, tell)


def read(path: Path) -> tuple[Shape, Weights]:
    """A GGUF of llama's architecture as floats, whatever it is packed in; raises Unfit where it is another."""
    import gguf
    import numpy
    import torch

    from tools.micro.gguf import check as check_file

    try:
        check_file(path)
        reader = gguf.GGUFReader(str(path))
    except (ModelFileError, OSError) as error:
        raise Unfit(str(error)) from error
    shape = _shape(path, reader)
    weights = {}
    for tensor in reader.tensors:
        _check_name(path, tensor.name, shape)
        try:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            raise Unfit(f"{path}: {tensor.name} is packed as {tensor.tensor_type.name}; take one in f16") from error
        weights[tensor.name] = torch.from_numpy(numpy.array(values, dtype=numpy.float32))
    return shape, weights


def _shape(path: Path, reader: Any) -> Shape:
    from tools.forge.network import EPSILON, ROPE_BASE, Shape

    def value(key: str, default: Any = None) -> Any:
        field = reader.get_field(key)
        return default if field is None else field.contents()

    if value("general.architecture") != "llama":
        raise Unfit(f"{path}: is of architecture `{value('general.architecture')}`; take a base of llama's")
    if value("llama.rope.scaling.type", "none") != "none" or value("llama.expert_count", 0):
        raise Unfit(f"{path}: has scaled positions or experts, which are not trained here; take a plain llama")
    width, heads = int(value("llama.embedding_length")), int(value("llama.attention.head_count"))
    head = int(value("llama.attention.key_length", width // heads))
    turned, valued = value("llama.rope.dimension_count", head), value("llama.attention.value_length", head)
    if turned != head or valued != head:
        raise Unfit(f"{path}: its heads are turned in part, or of two widths; take a plain llama")
    groups = int(value("llama.attention.head_count_kv", heads))
    return Shape(
        len(value("tokenizer.ggml.tokens")), width, int(value("llama.block_count")), heads,
        int(value("llama.feed_forward_length")), int(value("llama.context_length")), groups,
        0 if head * heads == width else head, float(value("llama.rope.freq_base", ROPE_BASE)),
        float(value("llama.attention.layer_norm_rms_epsilon", EPSILON)),
    )  # fmt: skip


def _check_name(path: Path, name: str, shape: Shape) -> None:
    found = re.fullmatch(r"(?:blk\.\d+\.(\w+)|(\w+))\.weight", name)
    if found is None or not (found[1] in INNER or found[2] in OUTER):
        raise Unfit(f"{path}: has a tensor `{name}`, which a plain llama has not; take another base")


class _Tokens:
    """Makes tokens of rows as the base does; labels are scored by single tokens that it has already."""

    def __init__(self, job: Job, path: Path) -> None:
        from tools.micro.llama import Session

        # of a network that knows no brackets, every input is a line of its own
        lines = "".join(f"{{{name}}}\n" for name in job.inputs)
        self.frame = replace(frame(job), template=lines, names=(), open=job.inputs, lower=False)
        self.session = Session(path, gpu_layers=0, threads=1)
        self.longest = min(LONGEST, self.session.longest)
        self.labels = list(self._labels(job.labels, path))
        with path.open("rb") as file:
            self.mark = hashlib.file_digest(file, "sha256").hexdigest()

    def _labels(self, labels: tuple[str, ...], path: Path) -> Iterator[str]:
        taken = set[int]()
        for label in labels:
            for text in self._single(label):
                tokens = self.session.tokens(text, special=True)
                if len(tokens) == 1 and tokens[0] not in taken:
                    taken.add(tokens[0])
                    yield text
                    break
            else:
                raise Unfit(f"{path}: has too few tokens for {len(labels)} labels; take another base")

    def _single(self, label: str) -> Iterator[str]:
        """What may be a single token: the label, its beginnings from the longest on, then any text of the base."""
        yield from (label[:size] for size in range(len(label), 0, -1))
        pieces = (self.session.text(token) for token in range(self.session.size))
        yield from (piece.decode() for piece in pieces if piece.isascii() and piece.strip())

    def label_ids(self) -> list[int]:
        return [self.session.tokens(text, special=True)[0] for text in self.labels]

    def prompt(self, inputs: dict[str, str]) -> list[int]:
        return self.session.tokens(self.frame.prompt(inputs))

    def answer(self, inputs: dict[str, str], output: str) -> list[int]:
        """What the tokens of the whole row have more than those of its prompt, so that no space is put between."""
        prompt = self.prompt(inputs)
        whole = self.session.tokens(self.frame.prompt(inputs) + output + self.frame.stop)
        if whole[: len(prompt)] == prompt:
            return whole[len(prompt) :]
        return self.session.tokens(output + self.frame.stop, special=True)

    def at_random(self, tokens: list[int], share: float, chance: random.Random) -> list[int]:
        return tokens


class _Tuning(Making):
    """A network that starts from the base's."""

    def __init__(self, base: FineTune, job: Job, path: Path) -> None:
        self.base, self.path = base, path
        self.shape, self._weights = read(path)
        coder = _Tokens(job, path)
        super().__init__(base.name, job, coder, coder.longest)

    def begin(self) -> Weights:
        """The base as it is, and two thin matrices for each of its own: [rank, in] at random, [out, rank] of zeros."""
        import torch

        from tools.forge.learning import trainable

        if self.base.whole:
            return trainable(self._weights, self.device)
        weights = {name: tensor.to(self.device) for name, tensor in self._weights.items()}
        source = torch.Generator().manual_seed(self.job.seed)
        thin: Weights = {}
        for name, tensor in self._weights.items():
            if name.startswith("blk.") and tensor.dim() > 1:
                rows, columns = tensor.shape
                thin[f"{name}.down"] = torch.randn(RANK, columns, generator=source) / columns**0.5
                thin[f"{name}.up"] = torch.zeros(rows, RANK)
        return weights | trainable(thin, self.device)

    def around(self, lesson: Lesson) -> Lesson:
        return lesson if self.base.whole else _Merged(lesson)

    def final(self, weights: Weights) -> Weights:
        return weights if self.base.whole else merged(weights)

    def table(self) -> int:
        return 0 if self.chooses else self.shape.vocabulary * self.shape.width

    def habits(self) -> Habits:
        from tools.forge.lessons import Habits

        return Habits(dropout=0.05, smoothing=0.02, varied=0.0, lost=0.0, split=0.0, along=0.1)

    def rate(self) -> float:
        return RATE_WHOLE if self.base.whole else RATE_LORA

    def write(self, path: Path, weights: Weights, packed: str) -> None:
        """The base's own metadata, with other tensors."""
        import gguf

        from tools.forge.export import add_tensors, close

        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        writer = gguf.GGUFWriter(str(part), "llama")
        for field in gguf.GGUFReader(str(self.path)).fields.values():
            own = field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type")
            if not own:
                inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
                writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
        add_tensors(writer, weights, packed)
        close(writer, part, path)


class _Merged:
    """A lesson over the base with its additions, which are merged anew for each step."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson

    def loss(self, weights: Weights, step: int) -> Any:
        return self.lesson.loss(merged(weights), step)

    def score(self, weights: Weights) -> float:
        return self.lesson.score(merged(weights))


def merged(weights: Weights) -> Weights:
    """Every matrix with its additions: W + up @ down * alpha / rank."""
    found = {}
    for name, tensor in weights.items():
        if name.endswith(".weight"):
            up, down = weights.get(f"{name}.up"), weights.get(f"{name}.down")
            found[name] = tensor if up is None or down is None else tensor + up @ down * (ALPHA / RANK)
    return found

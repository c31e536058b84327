"""The GGUF candidate: a small decoder of llama's architecture, trained from scratch on the rows.

How long it trains follows from its size, the rows and the nominal speed of the machine, never from the clock, so that
a seed gives the same model however busy the machine is.
"""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.forge.candidate import Job, Made, Row, Tell, Unfit
from tools.forge.encoding import Coder, Encoder, by_pieces, lengths

if TYPE_CHECKING:
    from tools.forge.learning import Course, Lesson, State
    from tools.forge.lessons import Habits, Setting
    from tools.forge.network import Shape, Weights

FEWEST = 16
"""Rows below which nothing can be learnt from scratch."""
LONGEST, LONGEST_READ = 1024, 160
"""Tokens of a row to write an answer for, and of a text to classify."""
MOST_READ = 600
"""Bytes of a text that a classifier reads at once; what is longer is read in stretches."""
FLOPS, FLOPS_HALF, FLOPS_CUDA = 85e9, 170e9, 40e12
"""Products a second of one core, of one that has instructions for 16 bits, and of a GPU."""
STEP, WORK, WORK_CUDA = 5e-3, 65e-9, 1e-10
"""Seconds that a step takes besides its tokens, and a token in a layer for each float of its width besides products."""
MOST_TURNS, MOST_TURNS_READ = 400, 20
"""A training that has seen each row so often learns nothing new: to write answers, and to choose labels."""
LEAST_STEPS, LEAST_STEPS_READ = 1500, 600
"""Few rows are seen more often, for a network learns nothing at all in fewer steps."""
ROWS_SEEN = 250_000
"""Rows that a network should see in all, where they are not too many for it."""
ROWS_FOR = (1000, 20_000, 60_000, 300_000, 1_500_000, math.inf)
"""Below so many rows, a network of each size learns as much as a larger one."""
PACKINGS = ("f16", "q8_0", "q4_0")


@dataclass(frozen=True)
class Size:
    """The sizes of a network: over bytes or characters, and over `pieces` word pieces, whose table is large."""

    width: int
    layers: int
    hidden: int
    pieces: int
    pieces_width: int
    pieces_layers: int

    def parameters(self, tokens: int, over_pieces: bool) -> int:
        """About how many floats it has, the table of the tokens among them."""
        width, layers, hidden = self.sizes(over_pieces)
        return tokens * width + layers * (4 * width * width + 3 * width * hidden)

    def sizes(self, over_pieces: bool) -> tuple[int, int, int]:
        """Width, layers and feed-forward width."""
        if not over_pieces:
            return self.width, self.layers, self.hidden
        return self.pieces_width, self.pieces_layers, 2 * self.pieces_width


SIZES = {
    "0.3M": Size(96, 3, 256, 2000, 64, 2),
    "0.5M": Size(128, 3, 256, 4000, 96, 2),
    "1M": Size(160, 4, 384, 8000, 96, 2),
    "3M": Size(256, 4, 704, 12000, 160, 4),
    "10M": Size(384, 6, 1024, 16000, 320, 5),
    "30M": Size(512, 8, 1792, 24000, 512, 6),
}


def sizes_for(job: Job) -> list[Decoder]:
    """The largest size that sees each row often enough in the job's time, and that the rows are enough for.

    Few rows are seen more often: a network needs some hundreds of thousands of them to learn a task.
    """
    tokens = lengths(job) / (4 if by_pieces(job) else 1) + 4
    wanted = min(60.0, max(6.0, ROWS_SEEN / max(1, len(job.train))))
    names = list(SIZES)
    fit = [number for number, name in enumerate(names) if _turns(job, SIZES[name], tokens) >= wanted]
    most = next(number for number, rows in enumerate(ROWS_FOR) if len(job.train) < rows)
    return [Decoder(names[min(max(fit, default=0), most)])]


def _turns(job: Job, size: Size, tokens: float) -> float:
    """How often each row is seen in the job's time."""
    width, layers, _ = size.sizes(by_pieces(job))
    table = 0 if job.kind == "classify" else 300
    each = tokens * (6 * size.parameters(table, by_pieces(job)) / _flops() + layers * width * WORK)
    return job.seconds / (each * max(1, len(job.train)))


def _flops() -> float:
    """Products a second of one core."""
    from tools.forge import network

    return FLOPS_HALF if network.faster_in_half("cpu") else FLOPS


def check(name: str, job: Job) -> None:
    """Raises Unfit without PyTorch, or without rows."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise Unfit(f"{name} needs PyTorch; install it with: pip install 'zooid[forge]'") from error
    if len(job.train) < FEWEST:
        raise Unfit(f"{name} needs {FEWEST} rows to learn from and has {len(job.train)}; give it more")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch computes in so many threads meanwhile."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Decoder:
    """A decoder of a named size, such as "0.5M"; `habits` and `rate` are those of its kind of task by default."""

    size: str = "0.5M"
    habits: Any = None
    rate: float = 0.0

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise Unfit(f"there is no decoder of size `{self.size}`; take one of {', '.join(SIZES)}")

    @property
    def name(self) -> str:
        return f"gguf {self.size}"

    def make(self, job: Job, folder: Path, tell: Tell) -> list[Made]:
        """Trains and writes the packings; raises Unfit without PyTorch or rows, ToolError where a disk is full."""
        check(self.name, job)
        with threads(job.threads):
            return _Scratch(self, job).all(folder, tell)


class Making:
    """One making of one model: its rows, its training, its packings. A subclass says where the network comes from."""

    shape: Shape

    def __init__(self, name: str, job: Job, coder: Coder, longest: int = LONGEST) -> None:
        import torch

        from tools.forge import network

        self.name, self.job, self.coder, self.longest = name, job, coder, longest
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.half = network.faster_in_half(self.device)
        self.chooses = job.kind == "classify"
        self.train, self.tokens, self.written = self._measured()

    @abstractmethod
    def begin(self) -> Weights:
        """The weights to start from; those that want a gradient are trained."""

    @abstractmethod
    def table(self) -> int:
        """How many floats of the tokens' table every token of a row is multiplied with."""

    @abstractmethod
    def habits(self) -> Habits: ...

    @abstractmethod
    def rate(self) -> float: ...

    @abstractmethod
    def write(self, path: Path, weights: Weights, packed: str) -> None: ...

    def around(self, lesson: Lesson) -> Lesson:
        """The lesson as this network is taught it."""
        return lesson

    def final(self, weights: Weights) -> Weights:
        """The network's weights, from all that were trained or not."""
        return weights

    def _measured(self) -> tuple[Sequence[Row], list[int], int]:
        """The rows that fit, the number of tokens of each, and the longest answer in tokens."""
        answers, counts, kept = 1, list[int](), list[Row]()
        for row in self.job.train:
            asked = len(self.coder.prompt(row.inputs))
            if self.chooses:
                counts.append(min(asked, LONGEST_READ))
                kept.append(row)
                continue
            answer = len(self.coder.answer(row.inputs, row.output))
            if asked + answer <= self.longest:
                counts.append(asked + answer)
                kept.append(row)
                answers = max(answers, answer)
        if len(kept) < FEWEST:
            most = f"only {len(kept)} of {len(self.job.train)} rows are shorter than {self.longest} tokens"
            raise Unfit(f"{self.name}: {most}; give it shorter ones")
        return kept, counts, answers

    def most_tokens(self) -> int:
        """How many tokens an answer may have: somewhat more than the longest one had."""
        return self.written + self.written // 4 + 8

    def all(self, folder: Path, tell: Tell) -> list[Made]:
        """Trains, and writes every packing that the sizes allow."""
        from tools.forge.learning import learn
        from tools.forge.lessons import Choosing, Writing

        setting, lesson = self.setting(), None
        if self.chooses:
            lesson = self.around(Choosing(self.job, self.coder, min(LONGEST_READ, self.longest), setting))
        else:
            lesson = self.around(Writing(self.job, self.coder, self.train, setting))
        weights = self.begin()
        kept = self.job.work / f"{self.name.replace(' ', '-')}.pt"
        state = learn(weights, lesson, self.course(setting), kept, tell)
        return self._packings(folder, self.final(state.weights | (state.best or state.average)), state)

    def setting(self) -> Setting:
        """Batches of some 1,500 tokens, whatever the rows are long."""
        from tools.forge.lessons import Setting

        mean = sum(self.tokens) / len(self.tokens)
        least = 32 if self.chooses else 16
        batch = max(least, min(64, 2 ** round(math.log2(1500 / mean))))
        batch = min(batch, 2 ** int(math.log2(len(self.train))))
        return Setting(self.shape, batch, self.job.seed, self.habits(), self.device, self.half)

    def course(self, setting: Setting) -> Course:
        """The steps that fit the job's time at nominal speed."""
        from tools.forge.learning import Course
        from tools.forge.network import Pace

        each = setting.batch * sum(self.tokens) / len(self.tokens) * self._token_seconds() + STEP
        turns, least = (MOST_TURNS_READ, LEAST_STEPS_READ) if self.chooses else (MOST_TURNS, LEAST_STEPS)
        most = max(least, turns * len(self.train) / setting.batch)
        steps = max(20, int(min(self.job.seconds / each, most)))
        pace = Pace(steps, self.rate())
        seen = [asdict(pace), asdict(setting), self.coder.mark]
        return Course(pace, self.job.seed, self.job.seconds, hashlib.sha256(repr(seen).encode()).hexdigest())

    def _token_seconds(self) -> float:
        """Nominal seconds of CPU (or GPU) time that one token takes in training."""
        shape = self.shape
        joined = shape.head_width * (2 * shape.heads + 2 * shape.groups)
        products = 6 * (shape.layers * shape.width * (joined + 3 * shape.hidden) + self.table())
        flops = FLOPS_CUDA if self.device == "cuda" else _flops()
        return products / flops + shape.layers * shape.width * (WORK_CUDA if self.device == "cuda" else WORK)

    def _packings(self, folder: Path, weights: Weights, state: State) -> list[Made]:
        import torch

        from tools.forge import network
        from tools.forge.export import fits

        made = []
        said = [f"PyTorch {torch.__version__.partition('+')[0]}", f"{state.step:,} steps"]
        out = len(self.job.train) - len(self.train)
        said += [f"{out:,} rows longer than {self.longest:,} tokens left out"] if out else []
        said += [state.note] if state.note else []
        for packed in PACKINGS:
            if fits(weights, packed):
                path = folder / packed / "model.gguf"
                self.write(path, weights, packed)
                tokens = tuple(self.coder.labels) if self.chooses else ()
                made.append(Made(path.parent, network.count(weights), self._fields(), ", ".join(said), tokens))
        return made

    def _fields(self) -> dict[str, Any]:
        frame = self.coder.frame
        longest = max(len(text.encode()) for row in self.train for text in row.inputs.values())
        fields: dict[str, Any] = {"form": "gguf", "template": frame.template, "lower": frame.lower}
        if self.chooses:
            parts = min(8, math.ceil(longest / MOST_READ))
            return fields | {"max_input": max(16, min(longest, MOST_READ)), "parts": parts}
        return fields | {"stop": frame.stop, "max_tokens": self.most_tokens(), "max_input": max(32, 3 * longest // 2)}


class _Scratch(Making):
    """A network that starts from nothing, over tokens that are learnt from the rows."""

    def __init__(self, decoder: Decoder, job: Job) -> None:
        self.decoder, self.size = decoder, SIZES[decoder.size]
        self.encoder = Encoder(job, self.size.pieces)
        super().__init__(decoder.name, job, self.encoder)
        self.shape = self._shape()

    def _shape(self) -> Shape:
        from tools.forge.network import Shape

        width, layers, hidden = self.size.sizes(self.encoder.pieces is not None)
        room = 256 if self.chooses else 2 * max(self.tokens) + self.most_tokens()
        context = min(2048, max(64, 32 * math.ceil(room / 32)))
        return Shape(len(self.encoder.vocabulary.pieces), width, layers, width // 32, hidden, context)

    def begin(self) -> Weights:
        from tools.forge import network
        from tools.forge.learning import trainable

        return trainable(network.new_weights(self.shape, self.job.seed), self.device)

    def table(self) -> int:
        return 0 if self.chooses else self.shape.vocabulary * self.shape.width

    def habits(self) -> Habits:
        from tools.forge.lessons import Habits

        found: Habits | None = self.decoder.habits
        return found or (Habits(smoothing=0.02) if self.chooses else Habits())

    def rate(self) -> float:
        return self.decoder.rate or 3e-3 * min(1.0, 128 / self.shape.width)

    def write(self, path: Path, weights: Weights, packed: str) -> None:
        from tools.forge.export import write_model

        write_model(path, self.job.name, self.encoder.vocabulary, self.shape, weights, packed)

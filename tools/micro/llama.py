"""A thin layer over llama.cpp's C interface (llama-cpp-python): load a GGUF, make tokens, run many texts in one batch.

What a batch holds is written through numpy views of arrays that are made once, and the scores of the whole batch are
read as one matrix: for a small model, Python's share of the time would otherwise be larger than the model's.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.errors import ModelFileError, ToolError

LANES = 16
"""How many texts run through one model at the same time."""
LONGEST = 2048
MOST_CELLS = 1024
ALL_LAYERS = 0x7FFFFFFF
MOST_PAIRED = 2_000_000
"""The largest model, in parameters, that is never asked for a single token."""
_FLOATS = (b"0", b"1", b"32")  # values of general.file_type: F32, F16, BF16

_log: list[str] = []
_log_lock = threading.Lock()
_callback: Any = None


def _quiet(llama_cpp: Any) -> None:
    """Keeps llama.cpp's log from the terminal; its last lines are kept to explain a refused file."""
    global _callback
    if _callback is None:
        # llama.cpp holds a bare pointer to this function: it must never be collected
        _callback = llama_cpp.llama_log_callback(lambda level, text, data: _keep(level, text))
        llama_cpp.llama_backend_init()
    llama_cpp.llama_log_set(_callback, ctypes.c_void_p(0))


def _keep(level: int, text: bytes) -> None:
    if level in (3, 4):  # warnings and errors; which number is which has changed between versions
        _log.append(text.decode("utf-8", errors="replace").strip())
        del _log[:-20]


def _why() -> str:
    """The line of the log that tells best why a file was refused."""
    lines = [line.rpartition("error loading model: ")[2] for line in _log if "error loading model" in line]
    return lines[-1] if lines else (_log[-1] if _log else "no reason was given")


@dataclass(frozen=True, slots=True)
class Tuning:
    """How llama.cpp is run; the defaults are the best of the table that `bench/micro.py` prints."""

    threads: int = 1
    micro_batch: int = 512
    flash: bool = True
    unified: bool = True  # one KV cache for all lanes, so that a prefix is shared without being copied
    pairs: bool = True  # never one token alone, where the weights are floats
    lanes: int = LANES
    cells: int = MOST_CELLS


class _Arrays:
    """The arrays of a `llama_batch`, as numpy views that are made once."""

    def __init__(self, api: Any, size: int) -> None:
        import numpy

        self.size = size
        self.tokens: Any = numpy.zeros(size, numpy.int32)
        self.places: Any = numpy.zeros(size, numpy.int32)
        self.lanes: Any = numpy.zeros(size, numpy.int32)
        self.wanted: Any = numpy.zeros(size, numpy.int8)
        ones: Any = numpy.ones(size, numpy.int32)
        starts: Any = numpy.arange(size, dtype=numpy.uint64) * 4 + self.lanes.ctypes.data
        self._kept = ones, starts  # the batch holds bare pointers to them
        self.batch = api.llama_batch()
        for name, array in (("token", self.tokens), ("pos", self.places), ("n_seq_id", ones), ("seq_id", starts)):
            kind = dict(api.llama_batch._fields_)[name]
            setattr(self.batch, name, ctypes.cast(array.ctypes.data, kind))
        self.batch.logits = ctypes.cast(self.wanted.ctypes.data, dict(api.llama_batch._fields_)["logits"])
        self.batch.embd = None

    def fill(self, tokens: Sequence[int], places: Sequence[int], lanes: Sequence[int], wanted: Sequence[int]) -> Any:
        count = len(tokens)
        self.tokens[:count], self.places[:count] = tokens, places
        self.lanes[:count], self.wanted[:count] = lanes, wanted
        self.batch.n_tokens = count
        return self.batch


class Said(dict[int, bytes]):
    """The bytes that a token says. Of those asked for so far, `ends` end a generation, and `closing` may end an answer:
    those, and the ones with the last byte of the text that an answer stops at."""

    def __init__(self, session: Session, stop: bytes) -> None:
        super().__init__()
        self.stop = stop
        self.ends: set[int] = set()
        self.closing: set[int] = set()
        self._session = session

    def __missing__(self, token: int) -> bytes:
        found = self[token] = self._session.text(token)
        if self._session.ends(token):
            self.ends.add(token)
        if token in self.ends or (self.stop and self.stop[-1] in found):
            self.closing.add(token)
        return found


class Session:
    """A loaded model with its context. Not thread-safe: one thread at a time."""

    def __init__(self, path: Path, gpu_layers: int, threads: int = 1, tuning: Tuning | None = None) -> None:
        """Loads the file; `gpu_layers` -1 puts all layers on the GPU, where the build has one."""
        import llama_cpp

        self._api: Any = llama_cpp
        self._path, self._tuning = path, tuning or Tuning(threads)
        with _log_lock:
            _quiet(llama_cpp)
            _log.clear()
            self._model = self._open(path, gpu_layers)
            self._context = self._new_context()
        self.vocabulary: Any = llama_cpp.llama_model_get_vocab(self._model)
        self.size = int(llama_cpp.llama_vocab_n_tokens(self.vocabulary))
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._arrays = _Arrays(llama_cpp, self.cells)
        self.shares = self._tuning.unified and bool(self._memory)
        # With float weights that fit the processor's cache, llama.cpp is faster at two tokens than at one, so that one
        # is given company; a larger model waits for its memory and would only be slower.
        small = int(llama_cpp.llama_model_n_params(self._model)) <= MOST_PAIRED
        self.pairs = self._tuning.pairs and small and self._file_type() in _FLOATS
        self._room: Any = (llama_cpp.llama_token * 1024)()
        self._ends: list[int] = []
        self._at = 0  # where the scores of the last batch lie
        self._view: Any = None
        self._embedder: Any = None
        self._address = self._raw("llama_get_logits")

    def _raw(self, name: str) -> Any:
        """A function of llama.cpp that gives its pointer as a number, which costs far less than a ctypes object."""
        lib = ctypes.CDLL(getattr(self._api, "llama_cpp", self._api)._lib._name)
        function = getattr(lib, name)
        function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        return function

    def _open(self, path: Path, gpu_layers: int) -> Any:
        settings = self._api.llama_model_default_params()
        layers = ALL_LAYERS if gpu_layers < 0 else gpu_layers
        settings.n_gpu_layers = layers if self._api.llama_supports_gpu_offload() else 0
        model = self._api.llama_model_load_from_file(str(path).encode(), settings)
        if not model:
            way = "export it again for this version of llama.cpp"
            raise ModelFileError(f"{path}: llama.cpp cannot load it ({_why()}); {way}")
        if self._api.llama_model_has_encoder(model) or not self._api.llama_model_has_decoder(model):
            self._api.llama_model_free(model)
            raise ModelFileError(
                f"{path}: it is no decoder that goes from text to text; take one of another architecture"
            )
        return model

    def _file_type(self) -> bytes:
        room = ctypes.create_string_buffer(16)
        self._api.llama_model_meta_val_str(self._model, b"general.file_type", room, len(room))
        return room.value

    def _new_context(self, embeddings: bool = False) -> Any:
        tuning, trained = self._tuning, int(self._api.llama_model_n_ctx_train(self._model))
        self.longest = max(8, min(trained, LONGEST))
        self.cells = max(tuning.cells, self.longest)
        self.lanes = tuning.lanes
        settings = self._api.llama_context_default_params()
        settings.n_ctx = settings.n_batch = self.cells
        settings.n_ubatch = self.cells if embeddings else min(tuning.micro_batch, self.cells)
        settings.n_seq_max = self.lanes + 1  # one more holds the prefix that all prompts share
        settings.n_threads = settings.n_threads_batch = tuning.threads
        settings.flash_attn_type, settings.kv_unified, settings.no_perf = int(tuning.flash), tuning.unified, True
        settings.embeddings = embeddings
        context = self._api.llama_init_from_model(self._model, settings)
        if not context:
            if not embeddings:
                self._api.llama_model_free(self._model)
            why = f"{_why()}); it may need more memory than there is"
            raise ModelFileError(f"{self._path}: llama.cpp cannot run it ({why}")
        return context

    def tokens(self, text: str, special: bool = False) -> list[int]:
        """Token ids; the start token is put first unless `special` asks for the tokens of the text alone."""
        data = text.encode("utf-8")
        room = self._room
        if len(data) + 8 > len(room):
            room = (self._api.llama_token * (len(data) + 8))()
        count = self._api.llama_tokenize(self.vocabulary, data, len(data), room, len(room), not special, special)
        if count < 0:
            raise ToolError(f"a text of {len(data)} bytes could not be made into tokens; shorten it")
        tokens: list[int] = room[:count]
        return tokens

    def text(self, token: int) -> bytes:
        """The bytes that a token stands for."""
        room = ctypes.create_string_buffer(256)
        count = self._api.llama_token_to_piece(self.vocabulary, token, room, len(room), 0, False)
        return room.raw[: max(0, count)]

    def ends(self, token: int) -> bool:
        """Whether the token is one that ends a generation."""
        return bool(self._api.llama_vocab_is_eog(self.vocabulary, token))

    def decode(self, tokens: Sequence[int], places: Sequence[int], lanes: Sequence[int], wanted: Sequence[int]) -> Any:
        """Runs a batch: each token with its place in its lane; gives the scores [wanted tokens, vocabulary].

        The scores lie in llama.cpp's own memory and hold until the next call.
        """
        failed = self._api.llama_decode(self._context, self._arrays.fill(tokens, places, lanes, wanted))
        if failed:
            raise ToolError(f"llama.cpp could not run the model (code {failed}); give it a shorter text")
        return self._scores(sum(wanted))

    def _scores(self, rows: int) -> Any:
        address = self._address(self._context)
        if address != self._at or len(self._view) < rows:
            if not address:
                raise ToolError("the model gave no scores for the next token; take a model that generates text")
            self._at, self._view = address, self._matrix(address, rows)
        return self._view[:rows]

    def _matrix(self, address: int, rows: int) -> Any:
        """A view of the scores that lie there."""
        import numpy

        array = (ctypes.c_float * (rows * self.size)).from_address(address)
        return numpy.frombuffer(array, numpy.float32).reshape(rows, self.size)

    def share(self, source: int, lane: int, end: int) -> None:
        """Lets a lane hold the first `end` places of another, in the same cells of the cache."""
        self._api.llama_memory_seq_cp(self._memory, source, lane, 0, end)

    def forget(self, lane: int = -1, start: int = 0) -> None:
        """Forgets what a lane (-1: every lane) holds from a place on."""
        self._api.llama_memory_seq_rm(self._memory, lane, start, -1)

    def start(self, rows: list[list[int]]) -> list[Any]:
        """Forgets what was, reads a row of tokens into each lane; gives the logits [vocabulary] at each row's end."""
        self._api.llama_memory_clear(self._memory, True)
        self._ends = [0] * len(rows)
        return self.step(dict(enumerate(rows)))

    def step(self, rows: dict[int, list[int]]) -> list[Any]:
        """Reads further tokens into some lanes (by number); gives their logits [vocabulary], in the same order."""
        tokens = [token for row in rows.values() for token in row]
        places = [self._ends[lane] + at for lane, row in rows.items() for at in range(len(row))]
        lanes = [lane for lane, row in rows.items() for _ in row]
        wanted = [int(at == len(row) - 1) for row in rows.values() for at in range(len(row))]
        for lane, row in rows.items():
            self._ends[lane] += len(row)
        return list(self.decode(tokens, places, lanes, wanted).astype("float64"))

    def embed(self, rows: Iterable[list[int]]) -> list[list[float]]:
        """A vector of length 1 for each row of tokens: pooled as the model says, else the state of its last token."""
        import numpy

        if self._embedder is None:
            self._embedder = self._new_context(embeddings=True)
        width = int(self._api.llama_model_n_embd(self._model))
        found = []
        for row in rows:
            state = numpy.ctypeslib.as_array(self._state(row), shape=(width,)).astype("float64")
            found.append((state / (float(numpy.linalg.norm(state)) or 1.0)).tolist())
        return found

    def _state(self, row: list[int]) -> Any:
        api, context, count = self._api, self._embedder, len(row)
        memory = api.llama_get_memory(context)
        if memory:
            api.llama_memory_clear(memory, False)
        wanted = [0] * (count - 1) + [1]
        pooled = api.llama_pooling_type(context) != api.LLAMA_POOLING_TYPE_NONE
        batch = self._arrays.fill(row, range(count), [0] * count, [1] * count if pooled else wanted)
        failed = api.llama_decode(context, batch)
        state = None
        if not failed:
            state = (api.llama_get_embeddings_seq if pooled else api.llama_get_embeddings_ith)(
                context, 0 if pooled else count - 1
            )
        if not state:
            raise ToolError("the model gives no embeddings; take one that was made for them")
        return state

    def close(self) -> None:
        """Gives the memory back; the session cannot be used afterwards."""
        self._view = None
        if self._embedder is not None:
            self._api.llama_free(self._embedder)
        self._api.llama_free(self._context)
        self._api.llama_model_free(self._model)

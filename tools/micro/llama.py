"""A thin layer over llama.cpp's C interface (llama-cpp-python): load a GGUF, make tokens, run several texts at once.

Everything that a later worker process has to offer is here: `Session` with `tokens`, `text`, `start`, `step`, `close`.
"""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import Any

from tools.errors import ModelFileError, ToolError

LANES = 16
"""How many texts run through one model at the same time."""
LONGEST = 2048
MOST_CELLS = 8192
ALL_LAYERS = 0x7FFFFFFF

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


class Session:
    """A loaded model with its context. Not thread-safe: its owner holds a lock around every use."""

    def __init__(self, path: Path, gpu_layers: int, threads: int) -> None:
        """Loads the file; `gpu_layers` -1 puts all layers on the GPU, where the build has one."""
        import llama_cpp

        self._api: Any = llama_cpp
        with _log_lock:
            _quiet(llama_cpp)
            _log.clear()
            self._model = self._open(path, gpu_layers)
            self._context = self._new_context(path, threads)
        self._vocabulary: Any = llama_cpp.llama_model_get_vocab(self._model)
        self._size = int(llama_cpp.llama_vocab_n_tokens(self._vocabulary))
        self._batch: Any = llama_cpp.llama_batch_init(self.lanes * self.longest, 0, 1)
        self._ends: list[int] = []

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

    def _new_context(self, path: Path, threads: int) -> Any:
        trained = int(self._api.llama_model_n_ctx_train(self._model))
        self.longest = max(8, min(trained, LONGEST))
        self.lanes = max(1, min(LANES, MOST_CELLS // self.longest))
        settings = self._api.llama_context_default_params()
        settings.n_ctx = settings.n_batch = self.longest * self.lanes
        settings.n_seq_max = self.lanes
        settings.n_threads = settings.n_threads_batch = threads
        context = self._api.llama_init_from_model(self._model, settings)
        if not context:
            self._api.llama_model_free(self._model)
            raise ModelFileError(f"{path}: llama.cpp cannot run it ({_why()}); it may need more memory than there is")
        return context

    def tokens(self, text: str, special: bool = False) -> list[int]:
        """Token ids; the start token is put first unless `special` asks for the tokens of the text alone."""
        data = text.encode("utf-8")
        room = (self._api.llama_token * (len(data) + 8))()
        count = self._api.llama_tokenize(self._vocabulary, data, len(data), room, len(room), not special, special)
        if count < 0:
            raise ToolError(f"a text of {len(data)} bytes could not be made into tokens; shorten it")
        return list(room[:count])

    def text(self, token: int) -> bytes:
        """The bytes that a token stands for."""
        room = ctypes.create_string_buffer(256)
        count = self._api.llama_token_to_piece(self._vocabulary, token, room, len(room), 0, False)
        return room.raw[: max(0, count)]

    def ends(self, token: int) -> bool:
        """Whether the token is one that ends a generation."""
        return bool(self._api.llama_vocab_is_eog(self._vocabulary, token))

    def start(self, rows: list[list[int]]) -> list[Any]:
        """Forgets what was, reads a row of tokens into each lane; gives the logits [vocabulary] at each row's end."""
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
        self._ends = [0] * len(rows)
        return self.step(dict(enumerate(rows)))

    def step(self, rows: dict[int, list[int]]) -> list[Any]:
        """Reads further tokens into some lanes (by number); gives their logits [vocabulary], in the same order."""
        batch, at, last = self._batch, 0, []
        for lane, tokens in rows.items():
            for token in tokens:
                batch.token[at], batch.pos[at] = token, self._ends[lane]
                batch.n_seq_id[at], batch.seq_id[at][0], batch.logits[at] = 1, lane, 0
                self._ends[lane] += 1
                at += 1
            batch.logits[at - 1] = 1
            last.append(at - 1)
        batch.n_tokens = at
        failed = self._api.llama_decode(self._context, batch)
        if failed:
            raise ToolError(f"llama.cpp could not run the model (code {failed}); give it a shorter text")
        return [self._logits(at) for at in last]

    def _logits(self, at: int) -> Any:
        import numpy

        pointer = self._api.llama_get_logits_ith(self._context, at)
        if not pointer:
            raise ToolError("the model gave no scores for the next token; take a model that generates text")
        return numpy.ctypeslib.as_array(pointer, shape=(self._size,)).astype(numpy.float64)

    def close(self) -> None:
        """Gives the memory back; the session cannot be used afterwards."""
        self._api.llama_batch_free(self._batch)
        self._api.llama_free(self._context)
        self._api.llama_model_free(self._model)

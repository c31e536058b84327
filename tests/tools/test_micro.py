"""Micro-models: the shipped ones answer, the engine keeps its promises, and every damaged file gives a named error."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import struct
import threading
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.errors import ArgumentError, ModelFileError
from tools.micro import Engine, MicroModel, load, shipped
from tools.micro.engine import cut, stretches
from tools.micro.gguf import check
from tools.micro.manifest import render

MODELS = {folder.name: folder for folder in shipped()}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def models() -> dict[str, MicroModel]:
    return {name: load(folder) for name, folder in MODELS.items()}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A micro-model's folder to spoil."""
    return Path(shutil.copytree(MODELS["plural"], tmp_path / "plural"))


def edit(folder: Path, pattern: str, new: str) -> None:
    """Changes the manifest; the pattern must be there."""
    path = folder / "manifest.toml"
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    assert count == 1, pattern
    path.write_text(text, encoding="utf-8")


def spoil(folder: Path, data: bytes) -> MicroModel:
    """Puts another GGUF into the folder, with its digest in the manifest."""
    (folder / "model.gguf").write_bytes(data)
    edit(folder, r'^sha256 = "\w+"', f'sha256 = "{hashlib.sha256(data).hexdigest()}"')
    return load(folder)


def with_value(folder: Path, key: str, value: bytes) -> bytes:
    """The bytes of the folder's GGUF with another value of a metadata key (same type, same length)."""
    data = bytearray((folder / "model.gguf").read_bytes())
    at = data.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key) + 4
    data[at : at + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("word", "plural"),
    [
        ("child", "children"), ("wolf", "wolves"), ("knife", "knives"), ("mouse", "mice"), ("city", "cities"),
        ("potato", "potatoes"), ("box", "boxes"), ("dog", "dogs"), ("analysis", "analyses"), ("sheep", "sheep"),
        ("woman", "women"), ("leaf", "leaves"), ("church", "churches"), ("day", "days"), ("Wolf", "Wolves"),
        ("Child", "Children"), ("tooth", "teeth"), ("person", "people"), ("photo", "photos"), ("roof", "roofs"),
        ("red box", "red boxes"), ("ice cream", "ice creams"), ("shopping list", "shopping lists"),
    ],
)  # fmt: skip
def test_plural(engine: Engine, models: dict[str, MicroModel], word: str, plural: str) -> None:
    result = engine.call(models["plural"], {"word": word})
    assert result.value == plural
    assert 0.0 < result.confidence <= 1.0
    assert result.tokens_out == len(plural.encode()) + 1


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("Terrible. The showers were filthy, the man at the desk was rude and nobody helped us.", "negative"),
        ("We loved the little restaurant on the pier, great food and a warm welcome.", "positive"),
        ("It broke on the first day and support never replied.", "negative"),
        ("An absolute delight from start to finish.", "positive"),
        ("I would not recommend this hotel to anyone.", "negative"),
        ("The battery died after two days.", "negative"),
        ("The room was clean and the staff were helpful.", "positive"),
    ],
)
def test_tone(engine: Engine, models: dict[str, MicroModel], text: str, tone: str) -> None:
    assert engine.call(models["tone"], {"text": text}).value == tone


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Je vous écris pour vous remercier de votre accueil.", "French"),
        ("Bonjour, comment allez-vous ?", "French"),
        ("Sehr geehrte Damen und Herren, die Lieferung ist noch nicht da.", "German"),
        ("Hola, ¿qué tal estás?", "Spanish"),
        ("The harvest was good this year and the barn is full.", "English"),
        ("Buongiorno, vorrei prenotare una camera per due notti.", "Italian"),
        ("Gostaria de saber se ainda há lugares livres.", "Portuguese"),
        ("Goedemorgen, hoe gaat het met je?", "Dutch"),
        ("Dzień dobry, proszę o bilet do Krakowa.", "Polish"),
        ("Hyvää huomenta, missä on rautatieasema?", "Finnish"),
        ("Jó napot kívánok, hol van a pályaudvar?", "Hungarian"),
        ("Καλημέρα, πού είναι ο σταθμός;", "Greek"),
        ("Доброе утро, где находится вокзал?", "Russian"),
        ("Var ligger järnvägsstationen?", "Swedish"),
        ("Tren istasyonu nerede, lütfen söyler misiniz?", "Turkish"),
    ],
)
def test_language(engine: Engine, models: dict[str, MicroModel], text: str, language: str) -> None:
    assert engine.call(models["language"], {"text": text}).value == language


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_manifest_of_a_shipped_model_keeps_its_word(
    engine: Engine, models: dict[str, MicroModel], name: str
) -> None:
    model = models[name]
    assert model.name == name
    assert model.path.stat().st_size < 4_000_000
    assert model.accuracy.model.rows == model.accuracy.baseline.rows > 500
    assert model.provenance.data and all(source.licence for source in model.provenance.data)
    for example in model.examples:
        assert engine.call(model, example.input).value == example.output


@pytest.mark.parametrize("name", sorted(MODELS))
def test_accuracy_on_held_out_rows(engine: Engine, models: dict[str, MicroModel], name: str) -> None:
    data = os.environ.get("ZOOID_DATA")
    if not data:
        pytest.skip("set ZOOID_DATA to the folder of the data to measure on it")
    rows = _held_out(name, Path(data))[:400]
    parameter = models[name].inputs[0].name
    results = engine.call_many(models[name], [{parameter: text} for text, _ in rows])
    right = sum(result.value in wanted for result, (_, wanted) in zip(results, rows, strict=True))
    figures = {figure.name: figure.value for figure in models[name].accuracy.also}
    expected = figures["model, SST-2 test"] if name == "tone" else models[name].accuracy.model.value
    assert 100 * right / len(rows) > expected - 4.0


def _held_out(name: str, data: Path) -> list[tuple[str, set[str]]]:
    """Held-out rows, read without the training's own code."""

    def out(key: str, percent: int) -> bool:
        return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % 100 < percent

    if name == "plural":
        import gzip

        lines = gzip.decompress((data / "plurals" / "infl_lu.csv.gz").read_bytes()).decode().splitlines()
        nouns = [line.split(",") for line in lines if ",noun," in line]
        rows = [(n[0], {f for f in n[2].split("/") if f and f != n[0]}) for n in nouns if n[0].islower()]
        return [row for row in rows if row[1] and len(row[0]) <= 48 and out(row[0], 10)][::3]
    if name == "language":
        labels = {label.code: label.text for label in load(MODELS[name]).labels}
        texts = [(code, (data / "language-id" / f"{code}.txt").read_text(encoding="utf-8")) for code in labels]
        lines = [(line.strip(), labels[code]) for code, text in texts for line in text.splitlines()]
        return [(line, {label}) for line, label in lines if line and out(line, 20)][::13]
    pairs = (line.rpartition("\t") for line in (data / "sst2" / "test.tsv").read_text().splitlines())
    return [(text, {("negative", "positive")[int(label)]}) for text, _, label in pairs if label in "01"]


def test_many_are_answered_as_one_by_one(engine: Engine, models: dict[str, MicroModel]) -> None:
    words = [w + s for w in ("child", "city", "lamp", "house", "glass") for s in ("", "hood", "man", "x", "er")] * 2
    rows = [{"word": word} for word in words]
    together = engine.call_many(models["plural"], rows)
    alone = [engine.call(models["plural"], row) for row in rows]
    assert [r.value for r in together] == [r.value for r in alone]
    assert all(math.isclose(a.confidence, b.confidence, abs_tol=0.02) for a, b in zip(together, alone, strict=True))
    assert engine.call_many(models["plural"], []) == []


def test_calls_from_several_threads(models: dict[str, MicroModel]) -> None:
    engine = Engine()
    asked = [("plural", {"word": "mouse"}, "mice"), ("language", {"text": "Wo ist der Bahnhof?"}, "German")] * 40
    start = threading.Barrier(8)

    def work(number: int) -> list[bool]:
        start.wait()
        return [engine.call(models[name], row).value == right for name, row, right in asked[number::8]]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(answers) for answers in pool.map(work, range(8)))
    engine.close()
    assert engine.loaded() == []


def test_threads_with_no_room_for_two_models(models: dict[str, MicroModel]) -> None:
    engine = Engine(budget=1)
    rows = [("plural", {"word": "wolf"}, "wolves"), ("tone", {"text": "I love it, great!"}, "positive")] * 12
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda row: engine.call(models[row[0]], row[1]).value == row[2], rows))
    assert all(answers)
    engine.close()


def test_the_least_recently_used_is_unloaded(models: dict[str, MicroModel]) -> None:
    sizes = {name: model.path.stat().st_size for name, model in models.items()}
    engine = Engine(budget=sum(sizes.values()) - 1)
    engine.call(models["plural"], {"word": "cat"})
    engine.call(models["tone"], {"text": "good"})
    engine.call(models["plural"], {"word": "dog"})
    engine.call(models["language"], {"text": "guten Tag"})
    assert engine.loaded() == [models["plural"].path, models["language"].path]
    assert engine.call(models["tone"], {"text": "a wonderful day"}).value == "positive"
    assert engine.unload_idle(3600) == 0
    assert engine.unload_idle(0) == 2
    engine.close()


def test_nothing_is_written_to_the_terminal(
    models: dict[str, MicroModel], copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = Engine()
    engine.call(models["plural"], {"word": "cat"})
    with pytest.raises(ModelFileError):
        engine.call(spoil(copy, _other_architecture(copy)), {"word": "cat"})
    engine.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "`word` is missing"),
        ({"word": 3}, "`word` is of type int"),
        ({"word": " \n"}, "`word` is empty"),
        ({"word": "cat", "n": 2}, "not n"),
        ({"word": "x" * 500}, "more than"),
    ],
)
def test_inputs_that_do_not_fit(
    engine: Engine, models: dict[str, MicroModel], inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        engine.call(models["plural"], inputs)


def test_inputs_of_any_kind_of_text(engine: Engine, models: dict[str, MicroModel]) -> None:
    for text in ("{text}", "<positive>", "\x00\x01", "🙂" * 400, "word " * 5000, "é", "…", "<s></s>"):
        assert engine.call(models["tone"], {"text": text}).value in ("positive", "negative")
        assert 0.0 <= engine.call(models["language"], {"text": text}).confidence <= 1.0


def test_a_long_text_is_read_beyond_its_beginning(engine: Engine, models: dict[str, MicroModel]) -> None:
    dull = "The ferry to the island leaves at nine and again at noon. " * 11
    bad = "It was awful, a dirty boat and a rude crew, the worst trip ever, I hated it and want my money back. " * 10
    assert engine.call(models["tone"], {"text": dull + bad}).value == "negative"


def test_cutting_texts() -> None:
    assert cut("éé", 3) == "é"
    assert stretches("one two three four", 9, 2) == ["one two", "three"]
    assert stretches("one two three four", 9, 1) == ["one two t"]
    assert "".join(stretches("x" * 20, 7, 9)) == "x" * 20
    assert stretches("", 7, 9) == [""]


def test_what_an_input_holds_is_no_template(models: dict[str, MicroModel]) -> None:
    assert render(models["plural"], {"word": "{word} {0}"}) == "{word} {0}\n"


FIELDS = [
    ("name", r"^name = .*$"), ("doc", r"^doc = .*$"), ("asked_as", r"^asked_as = .*$"), ("kind", r"^kind = .*$"),
    ("output", r"^output = .*$"), ("template", r"^template = .*$"), ("stop", r"^stop = .*$"),
    ("max_tokens", r"^max_tokens = .*$"), ("max_input", r"^max_input = .*$"), ("input.word.type", r"^type = .*$"),
    ("accuracy.metric", r"^metric = .*$"), ("accuracy.rows", r"^rows = .*$"), ("accuracy.value", r"^value = .*$"),
    ("accuracy.low", r"^low = .*$"), ("provenance.trained_with", r"^trained_with = .*$"),
    ("provenance.seed", r"^seed = .*$"), ("provenance.parameters", r"^parameters = .*$"),
    ("provenance.sha256", r"^sha256 = .*$"), ("provenance.data.licence", r"^licence = .*$"),
    ("provenance.data.repository", r"^repository = .*$"), ("provenance.data.commit", r"^commit = .*$"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "line"), FIELDS, ids=[field for field, _ in FIELDS])
def test_a_missing_field_is_named(copy: Path, field: str, line: str) -> None:
    edit(copy, line, "")
    with pytest.raises(ModelFileError, match=rf"manifest\.toml: the field `{re.escape(field)}` is missing; add "):
        load(copy)


@pytest.mark.parametrize("table", ["input", "accuracy", "provenance", "examples"])
def test_a_missing_table_is_named(copy: Path, table: str) -> None:
    path = copy / "manifest.toml"
    path.write_text(re.sub(rf"(?ms)^\[+{table}\b.*?(?=^\[|\Z)", "", path.read_text(encoding="utf-8")), encoding="utf-8")
    assert table not in tomllib.loads(path.read_text(encoding="utf-8"))
    with pytest.raises(ModelFileError, match=rf"`{table}"):
        load(copy)


@pytest.mark.parametrize(
    ("line", "new", "message"),
    [
        (r"^kind = .*$", 'kind = "guess"', 'the field `kind` is "guess"; write one of'),
        (r"^name = .*$", 'name = "Plural!"', "the field `name`"),
        (r"^name = .*$", "name = 3", "of type int"),
        (r"^max_input = .*$", "max_input = 0", "`max_input` is 0"),
        (r"^max_input = .*$", "max_input = true", "of type bool"),
        (r"^output = .*$", 'output = "date"', "`output`"),
        (r"^template = .*$", 'template = "{noun}"', "`template` must hold"),
        (r"^asked_as = .*$", "asked_as = []", "`asked_as`"),
        (r"^input = \{.*$", 'input = { noun = "x" }', "`examples.input` names noun"),
        (r"^sha256 = .*$", 'sha256 = "abc"', "`provenance.sha256`"),
        (r"^kind = .*$", "kind = ", "no valid TOML"),
    ],
)
def test_a_wrong_field_is_named(copy: Path, line: str, new: str, message: str) -> None:
    edit(copy, line, new)
    with pytest.raises(ModelFileError, match=message):
        load(copy)


def test_a_folder_that_lacks_a_file(copy: Path, tmp_path: Path) -> None:
    (copy / "model.gguf").unlink()
    for folder, name in ((copy, "model.gguf"), (tmp_path / "nowhere", "manifest.toml")):
        with pytest.raises(ModelFileError, match=f"there is no {name}"):
            load(folder)


def test_a_label_that_is_no_token(tmp_path: Path, engine: Engine) -> None:
    folder = Path(shutil.copytree(MODELS["tone"], tmp_path / "tone"))
    edit(folder, r'^token = "<positive>"', 'token = "<glad>"')
    with pytest.raises(ModelFileError, match="the label token `<glad>` is"):
        engine.call(load(folder), {"text": "good"})


def test_a_changed_file_is_noticed(copy: Path, engine: Engine) -> None:
    data = bytearray((copy / "model.gguf").read_bytes())
    data[-1] ^= 1
    (copy / "model.gguf").write_bytes(data)
    with pytest.raises(ModelFileError, match="SHA-256"):
        engine.call(load(copy), {"word": "cat"})


def _other_architecture(folder: Path) -> bytes:
    data = (folder / "model.gguf").read_bytes().replace(b"llama.", b"zzzzz.")
    return data.replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0zzzzz", 1)


def test_an_unknown_architecture(copy: Path, engine: Engine) -> None:
    with pytest.raises(ModelFileError, match=r"model\.gguf: llama\.cpp cannot load it \(.*unknown model architecture"):
        engine.call(spoil(copy, _other_architecture(copy)), {"word": "cat"})


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.01, 0.5, 0.999])
def test_a_truncated_file(copy: Path, engine: Engine, share: float) -> None:
    data = (copy / "model.gguf").read_bytes()
    with pytest.raises(ModelFileError, match=r"model\.gguf: it .*; copy or export the model again"):
        engine.call(spoil(copy, data[: int(len(data) * share)]), {"word": "cat"})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("llama.block_count", struct.pack("<I", 0), "block_count is 0"),
        ("llama.block_count", struct.pack("<I", 10000), "block_count is 10000"),
        ("llama.block_count", struct.pack("<I", 7), "holds the tensors of"),
        ("llama.attention.layer_norm_rms_epsilon", struct.pack("<f", math.nan), "epsilon is nan"),
        ("llama.attention.layer_norm_rms_epsilon", struct.pack("<f", -1.0), "epsilon is -1.0"),
        ("llama.attention.head_count", struct.pack("<I", 0), "head_count is 0"),
        ("llama.embedding_length", struct.pack("<I", 0), "embedding_length is 0"),
        ("llama.context_length", struct.pack("<I", 0), "context_length is 0"),
        ("llama.rope.freq_base", struct.pack("<f", math.inf), "freq_base is inf"),
        ("tokenizer.ggml.bos_token_id", struct.pack("<I", 999999), "bos_token_id is 999999"),
        ("tokenizer.ggml.tokens", struct.pack("<IQ", 8, 1 << 40), "claims"),
        ("tokenizer.ggml.tokens", struct.pack("<IQ", 9, 3), "array of the type 9"),
    ],
)
def test_metadata_that_would_end_the_process(copy: Path, engine: Engine, key: str, value: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        engine.call(spoil(copy, with_value(copy, key, value)), {"word": "cat"})


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"PK\x03\x04" + bytes(60), "no GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0) + bytes(40), "version is 99"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0) + bytes(40), "claims"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 50) + bytes(40), "cut short"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(40), "does not say its architecture"),
    ],
)
def test_a_file_that_is_no_model(copy: Path, engine: Engine, head: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        engine.call(spoil(copy, head), {"word": "cat"})


@pytest.mark.parametrize(
    ("token", "other", "message"),
    [(b"<0x41>", b"<0x42>", "the same token twice"), (b"<0x41>", b"<0xab>", "lacks the token of the byte 65")],
)
def test_tokens_that_would_end_the_process(
    copy: Path, engine: Engine, token: bytes, other: bytes, message: str
) -> None:
    data = (copy / "model.gguf").read_bytes().replace(token, other, 1)
    with pytest.raises(ModelFileError, match=message):
        engine.call(spoil(copy, data), {"word": "cat"})


@pytest.mark.parametrize("key", ["tokenizer.ggml.model", "tokenizer.ggml.tokens"])
def test_a_file_without_a_tokenizer(copy: Path, engine: Engine, key: str) -> None:
    data = (copy / "model.gguf").read_bytes().replace(key.encode(), key.upper().encode())
    with pytest.raises(ModelFileError, match="holds no tokenizer"):
        engine.call(spoil(copy, data), {"word": "cat"})


def test_a_tensor_outside_the_file(copy: Path) -> None:
    path = copy / "model.gguf"
    data = bytearray(path.read_bytes())
    name = b"output_norm.weight"
    offset = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4 + 8 + 4
    data[offset : offset + 8] = struct.pack("<Q", 1 << 40)
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="ends .* bytes after the file"):
        check(path)


def test_flipped_bytes_in_the_head_never_raise_anything_else(copy: Path) -> None:
    path = copy / "model.gguf"
    whole = path.read_bytes()
    size = check(path).data_start
    for at in range(0, size, 97):
        data = bytearray(whole)
        data[at] ^= 0xFF
        path.write_bytes(data)
        try:
            check(path)
        except ModelFileError as error:
            assert "model.gguf" in str(error)

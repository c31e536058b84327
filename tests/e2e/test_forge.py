"""A micro-model from a file of examples: made, registered, called, made again, taken out; and every way it can fail."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Piped, in_terminal

PLAIN = 'candidates = ["rule", "linear"]\n'  # without a network: seconds instead of minutes
GOOD = "lovely great superb wonderful charming excellent delightful brilliant".split()
BAD = "awful dreadful boring terrible horrid tedious clumsy dismal".split()
THINGS = "film book meal hotel song play concert walk talk view".split()


@pytest.fixture
def work(work: Path) -> Path:
    """The workspace, with reviews, a spec that names them, and a spec without them."""
    rows = [(f"the {thing} was {word}, {extra}", label) for thing in THINGS
            for words, label in ((GOOD, "good"), (BAD, "bad")) for word in words
            for extra in ("all in all", "we thought")]  # fmt: skip
    (work / "reviews.csv").write_text("input,output\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    (work / "plain.toml").write_text(PLAIN)
    (work / "verdict.toml").write_text(PLAIN + 'examples = "reviews.csv"\ndoc = "Tells the mood of a review."\n')
    return work


def tools(zooid: Piped) -> Path:
    return Path(json.loads(zooid("config", "path", "--json").stdout)["tools"])


def forge(zooid: Piped, *more: str) -> list[dict[str, Any]]:
    done = zooid("forge", "verdict", "--spec", "verdict.toml", "--json", *more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# -- made, called, made again, taken out


def test_a_model_is_made_called_and_taken_out(zooid: Piped) -> None:
    done = zooid("forge", "verdict", "--spec", "verdict.toml")
    assert done.returncode == 0, done.stderr
    assert "data 320 rows" in done.stderr and "of the validation part" in done.stderr
    assert "registered verdict v1 (undo: zooid tools rm verdict@1)" in done.stdout
    assert zooid("tools", "call", "verdict", "text=the opera was superb, we thought").stdout == "good\n"
    assert zooid("run", 'what is the verdict of "the boat was dismal, all in all"').stdout == "bad\n"
    gone = zooid("tools", "rm", "verdict@1")
    assert gone.returncode == 0 and "verdict of your own is gone" in gone.stdout
    assert zooid("tools", "call", "verdict", "text=a").returncode == 2


def test_what_was_removed_can_be_put_back_as_is_said(zooid: Piped) -> None:
    import subprocess

    forge(zooid)
    said = zooid("tools", "rm", "verdict@1").stderr
    subprocess.run(said.strip().split("put it back with: ")[1], shell=True, check=True)
    assert zooid("tools", "call", "verdict", "text=the opera was superb, we thought").stdout == "good\n"


def test_the_same_rows_and_seed_give_the_same_model(zooid: Piped) -> None:
    assert forge(zooid)[-1]["registered"] == "v1"
    first = tools(zooid) / "verdict" / "v1"
    files = {path.name: path.read_bytes() for path in first.iterdir() if path.suffix != ".toml"}
    zooid("tools", "rm", "verdict@1")
    forge(zooid)
    assert files == {path.name: path.read_bytes() for path in first.iterdir() if path.suffix != ".toml"}


def test_a_better_version_comes_after_and_a_worse_one_does_not(zooid: Piped, work: Path) -> None:
    whole = (work / "reviews.csv").read_text()
    lines = whole.splitlines()
    (work / "reviews.csv").write_text("\n".join([lines[0], *lines[1:40], *lines[-40:]]) + "\n")
    few = forge(zooid)
    assert few[-1]["registered"] == "v1"
    (work / "reviews.csv").write_text(whole)
    told = {one["name"]: one for one in forge_or_stays(zooid)}
    assert "v1 (now)" in told
    best = max(one["valid"]["value"] for one in told.values())
    stays = told["v1 (now)"]["valid"]["value"] == best
    assert [path.name for path in sorted((tools(zooid) / "verdict").iterdir())] == ["v1"] + ([] if stays else ["v2"])


def forge_or_stays(zooid: Piped) -> list[dict[str, Any]]:
    rows = [
        json.loads(line) for line in zooid("forge", "verdict", "--spec", "verdict.toml", "--json").stdout.splitlines()
    ]
    return [row for row in rows if row["type"] == "tried"]


def test_the_manifest_says_where_it_comes_from(zooid: Piped) -> None:
    import tomllib

    told = forge(zooid, "--seed", "7")
    manifest = tomllib.loads((tools(zooid) / "verdict" / "v1" / "manifest.toml").read_text(encoding="utf-8"))
    origin, figure = manifest["provenance"], told[-1]["test"][told[-1]["best"]]
    assert origin["seed"] == 7 and origin["data"][0]["rows"] == 320 and len(origin["data"][0]["sha256"]) == 64
    assert f"{told[0]['train']} train" in origin["split"] and manifest["accuracy"]["value"] == figure["value"]
    assert manifest["doc"] == "Tells the mood of a review." and origin["made"]
    assert "reviews.csv (320 rows)" in zooid("models").stdout
    assert "verdict: loaded" in zooid("models", "check").stdout


def test_examples_come_from_the_record(zooid: Piped, work: Path) -> None:
    words = [
        f"{a}{b}" for a in ("cat", "dog", "hat", "box", "fox", "toy", "day", "key") for b in ("", "s", "ter", "fly")
    ]
    goal = f"give the plurals of {', '.join(words[:-1])} and {words[-1]}"
    assert zooid("run", goal).returncode == 0
    done = zooid("forge", "several", "--from", "all", "--task", "plural", "--spec", "plain.toml", "--bar", "0")
    assert "data 32 rows" in done.stderr, done.stderr
    assert done.returncode == 0 and "registered several v1" in done.stdout
    origin = (tools(zooid) / "several" / "v1" / "manifest.toml").read_text(encoding="utf-8")
    assert 'name = "the record: plural"' in origin


def test_a_record_without_repeated_work_is_said(zooid: Piped) -> None:
    done = zooid("forge", "several", "--from", "all")
    assert done.returncode == 2 and "no task that was repeated" in done.stderr


def test_training_is_seen_on_a_terminal(home: Path, work: Path) -> None:
    with in_terminal(home, work, "forge", "verdict", "--spec", "verdict.toml") as terminal:
        terminal.until("registered verdict v1")
        assert terminal.end() == 0
    assert any("linear" in line and "%" in line for line in terminal.screen())


@pytest.mark.parametrize("how", ["Ctrl-C", "kill -9"])
def test_a_forge_that_is_stopped_in_training_goes_on(home: Path, work: Path, zooid: Piped, how: str) -> None:
    pytest.importorskip("torch", reason="networks are trained with PyTorch: pip install 'zooid[forge]'")
    (work / "net.toml").write_text('examples = "reviews.csv"\ncandidates = ["rule", "gguf"]\nminutes = 0.5\n')
    with in_terminal(home, work, "forge", "verdict", "--spec", "net.toml") as terminal:
        terminal.until(r"loss \d", 60)
        if how == "Ctrl-C":
            terminal.send("\x03")
            assert terminal.end() == 130
            assert "interrupted; what is made is kept" in terminal.seen
        else:
            terminal.kill(signal.SIGKILL)
    kept = list((home / "cache").rglob("made.json"))
    assert [path.parent.name for path in kept] == ["rule"]
    before = kept[0].stat().st_mtime_ns
    with in_terminal(home, work, "forge", "verdict", "--spec", "net.toml") as terminal:
        terminal.until(r"loss \d", 60)
        assert kept[0].stat().st_mtime_ns == before
    assert not tools(zooid).exists() or not any(tools(zooid).iterdir())


# -- refused


def test_below_the_bar_nothing_is_registered(zooid: Piped, work: Path) -> None:
    rows = [f"row {n} of {n * 7919 % 1000},{'ab'[n * n % 7 % 2]}\n" for n in range(400)]
    (work / "noise.csv").write_text("input,output\n" + "".join(rows))
    done = zooid("forge", "noise", "--examples", "noise.csv", "--spec", "plain.toml", "--bar", "99")
    assert done.returncode == 1 and "below the bar of 99 %" in done.stderr and "held-out" in done.stdout
    assert not (tools(zooid) / "noise").exists()
    assert zooid("tools", "call", "noise", "text=a").returncode == 2


def test_a_rule_of_ones_own_that_is_as_good_stays(zooid: Piped, work: Path) -> None:
    body = f"return 'good' if any(word in text for word in {GOOD}) else 'bad'"
    (work / "rule.py").write_text(f'def verdict(text: str) -> str:\n    """The mood."""\n    {body}\n')
    done = zooid("forge", "verdict", "--spec", "verdict.toml", "--rule", "rule.py")
    assert done.returncode == 1 and "your rule is at least as good" in done.stderr
    assert not (tools(zooid) / "verdict").exists()


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        (("--examples", "e.csv"), b"", "has no rows"),
        (("--examples", "e.csv"), b"input,output\na,b\n", "1 different input"),
        (("--examples", "e.csv"), b"input,output\n" + b"".join(b"a%d,x\n" % n for n in range(99)), "nothing to tell"),
        (("--examples", "e.csv"), b"input,output\ncaf\xe9,b\n", "is not UTF-8"),
        (("--examples", "none.csv"), b"", "No such file"),
        (("--examples", "e.csv", "--from", "all"), b"", "give examples once"),
        ((), b"", "give examples"),
        (("--spec", "none.toml"), b"", "cannot be read"),
    ],
)
def test_bad_examples_are_named_and_change_nothing(
    zooid: Piped, work: Path, words: tuple[str, ...], content: bytes, said: str
) -> None:
    (work / "e.csv").write_bytes(content)
    done = zooid("forge", "verdict", *words)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not tools(zooid).exists() or not any(tools(zooid).iterdir())


@pytest.mark.parametrize(("name", "said"), [("Verdict!", "no name for a tool"), ("count_words", "is a tool already")])
def test_a_name_that_cannot_be_is_refused(zooid: Piped, name: str, said: str) -> None:
    done = zooid("forge", name, "--examples", "reviews.csv")
    assert done.returncode == 2 and said in done.stderr


def test_contradictions_and_repetitions_are_counted(zooid: Piped, work: Path) -> None:
    text = (work / "reviews.csv").read_text()
    first = text.splitlines()[1]
    (work / "reviews.csv").write_text(text + first + "\n" + first.replace(",good", ",bad") + "\n")
    done = zooid("forge", "verdict", "--spec", "verdict.toml")
    assert "1 repeated" in done.stderr and "1 inputs with several outputs" in done.stderr


def test_a_label_that_was_seen_once_is_named(zooid: Piped, work: Path) -> None:
    with (work / "reviews.csv").open("a") as file:
        file.write("neither this nor that at all,mixed\n")
    done = zooid("forge", "verdict", "--spec", "verdict.toml")
    assert done.returncode == 0 and "so little is known of them: mixed" in done.stderr


def test_a_disk_that_is_full_registers_nothing(zooid: Piped, work: Path) -> None:
    """A limit on the size of a file stands in for a full disk: writing the model fails in the middle."""
    import subprocess

    from tests.e2e.command import ZOOID, environment

    command = f"ulimit -f 8; trap '' XFSZ; exec {ZOOID} forge verdict --spec verdict.toml"
    done = subprocess.run(
        ["bash", "-c", command], cwd=work, env=environment(zooid.home), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3 and "cannot be written" in done.stderr, done.stderr
    assert not tools(zooid).exists() or not any(tools(zooid).iterdir())
    assert forge(zooid)[-1]["registered"] == "v1"

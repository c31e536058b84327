"""A canary key, in a world where every server, file, plugin and person says it in every form: it is found nowhere."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Piped, environment
from tests.e2e.test_command import by, inside, plan
from tests.scripted import Reply, Server
from tests.tools.test_redact import FORMS, PLAIN

CANARY = PLAIN.replace("9", "5")
KEY = {"OPENAI_API_KEY": CANARY}
EVERY_FORM = {name: form(CANARY) for name, form in FORMS.items() if name != "json of json"}
ALL = " | ".join(form for form in EVERY_FORM.values() if "\0" not in form)  # which no argument can hold

SPY = '''
import os
from pathlib import Path


def spy() -> str:
    """All that a process can see of its surroundings."""
    files = ("self/environ", "self/cmdline", f"{os.getppid()}/cmdline")
    Path("seen.txt").write_bytes(b"".join(Path("/proc", file).read_bytes() for file in files))
    return "has looked"


def tell() -> list[str]:
    """Gives away what was put into a file for it."""
    return Path("notes.txt").read_text().split(" | ")


def fail() -> str:
    """Fails with what was put into a file for it."""
    raise ValueError(Path("notes.txt").read_text())
'''


def leaks(place: Path | str) -> list[str]:
    """Where the canary, or half of it, is found, and in which form."""
    files = [Path(place)] if isinstance(place, str) else [path for path in place.rglob("*") if path.is_file()]
    found = []
    for path in files:
        data = path.read_bytes()
        for name, form in EVERY_FORM.items():
            half = len(form) // 2
            found += [f"{path}: {name}" for part in (form[:half], form[half:]) if part.encode() in data]
    return found


@pytest.fixture
def canary(zooid: Piped, home: Path, work: Path) -> Iterator[Piped]:
    """The command; whatever was done with it, the key is nowhere afterwards."""
    (folder := home / "config" / "zooid" / "tools").mkdir(parents=True)
    (folder / "spy.py").write_text(SPY)
    said: list[str] = []

    class Listening(Piped):
        def __call__(self, *words: str, **more: Any) -> Any:
            done = super().__call__(*words, **more)
            said.extend((done.stdout, done.stderr))
            return done

    yield Listening(home, work, **KEY)
    (work / "notes.txt").unlink(missing_ok=True)  # in which the person had written it
    (home / "streams.txt").write_text("\n".join(said), errors="backslashreplace")
    assert not leaks(home) and not leaks(work)


def test_what_a_server_says(canary: Piped, work: Path) -> None:
    write = {"id": "w", "tool": "write_file", "args": {"path": "out.txt", "text": f"it is {ALL}"}}
    script = [
        Reply(status=500, error={"message": f"bad key {ALL}"}),
        Reply(body=json.dumps({"choices": [{"message": {"content": f"no decision but {ALL}"}}]})),
        plan(write, {"id": "r", "tool": "read_file", "args": {"path": ALL[:200]}}),
    ]
    with Server(lambda body: script.pop(0) if script else {"answer": f"the key is {ALL}"}) as server:
        done = canary("run", f"is it {ALL}?", "-v", *by(server))
    assert done.returncode == 0 and "the key is [redacted]" in done.stdout, done.stderr
    assert (work / "out.txt").read_text().startswith("it is [redacted] |")
    assert all(CANARY not in json.dumps(request) for request in server.requests) and set(server.keys) == {CANARY}


@pytest.mark.parametrize("status", [401, pytest.param(400, marks=pytest.mark.slow)])
def test_what_a_server_refuses_with(canary: Piped, status: int) -> None:
    with Server([Reply(status=status, error={"message": f"no {part}"}) for part in [ALL] * 3]) as server:
        done = canary("run", "say it", "--json", *by(server))
    assert done.returncode in (2, 75, 77) and server.requests


def test_what_the_person_and_their_files_say(canary: Piped, work: Path) -> None:
    (work / "notes.txt").write_text(ALL)
    calls = [{"id": name, "tool": name, "args": {}} for name in ("tell", "fail", "spy")]
    read = {"id": "r", "tool": "read_file", "args": {"path": "notes.txt"}}
    copy = {"id": "w", "tool": "write_file", "args": {"path": "copy.txt", "text": "$r"}}
    check = {"id": "c", "tool": "spy", "args": {}, "check": {"command": "sh -c 'env > env.txt'"}}
    script = [plan(read, copy, calls[0]), plan(calls[2], check), plan(calls[1])]
    with Server(lambda body: script.pop(0) if script else {"answer": "it was there"}) as server:
        done = canary("run", "what is it?", "-v", "--approve", "auto", *by(server), text=f"it is {ALL}")
        while done.returncode == 4:  # what text from outside leads to is asked about
            done = canary("resume", "--last", "--answer", "yes")
    assert (done.returncode, done.stdout) == (0, "it was there\n"), done.stderr
    assert b"zooid" in (work / "seen.txt").read_bytes() and (work / "env.txt").exists()
    assert all(CANARY not in json.dumps(request) for request in server.requests)
    assert "[redacted]" in (work / "copy.txt").read_text()


def test_what_is_kept_when_it_is_killed(canary: Piped, work: Path) -> None:
    (work / "notes.txt").write_text(ALL)
    steps = plan({"id": "t", "tool": "tell", "args": {}}, {"id": "s", "goal": f"Say {ALL[:300]}"})
    with Server([steps, Reply(hang=True)]) as server, canary.start("run", "say it", *by(server)) as process:
        end = time.monotonic() + 20
        while len(server.requests) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        assert CANARY.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.send_signal(signal.SIGKILL)
    assert len(server.requests) == 2


def test_what_is_written_of_a_defect(canary: Piped, home: Path) -> None:
    lines = [
        f"import os, sys; os.environ['OPENAI_API_KEY'] = {CANARY!r}; sys.argv = ['zooid', 'tools']",
        f"def broken(*_): raise KeyError({ALL!r})",
        "import agent.shelf; agent.shelf.show_tools = broken",
        "from cli import main; main()",
    ]
    done = inside(home, "\n".join(lines))
    assert done.returncode == 70 and "defect" in done.stderr
    assert "[redacted]" in next((home / "state" / "zooid" / "defects").iterdir()).read_text()
    (home / "said.txt").write_text(done.stdout + done.stderr)


@pytest.mark.slow
def test_a_key_file_and_a_keyring(canary: Piped, home: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secret := work.parent / "key").write_text(f"{CANARY}\n")
    secret.chmod(0o640)
    settings = home / "config" / "zooid" / "config.toml"
    settings.write_text(f"key_file = {str(secret)!r}\n")
    none = {"OPENAI_API_KEY": ""}
    with Server(lambda body: {"answer": f"it is {ALL}"}) as server:
        assert "chmod 600" in canary("run", "say it", *by(server), **none).stderr and not server.keys
        assert "chmod 600" in (done := canary("doctor", **none)).stdout and done.returncode == 1
        secret.chmod(0o600)
        assert f"found in the key file {secret}" in canary("doctor", **none).stdout
        assert canary("run", "say it", *by(server), **none).stdout.startswith("it is [redacted]")
        settings.write_text("keyring = 'main'\n")
        ring = none | {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring", "HOME": str(work.parent)}
        ring |= {"XDG_DATA_HOME": str(work.parent / "ring")}
        assert "keyring set zooid main" in canary("run", "say it", *by(server), **ring).stderr
        for name, value in environment(home, **ring).items():
            monkeypatch.setenv(name, value)
        import keyring
        from keyrings.alt.file import PlaintextKeyring

        PlaintextKeyring().set_password("zooid", "main", CANARY)
        assert canary("run", "say it", *by(server), **ring).stdout.startswith("it is [redacted]")
    assert keyring and server.keys == [CANARY] * 2
    assert "not shown" in canary("config", "show", **ring).stdout
    assert "found in the system's keyring, as main" in canary("doctor", **ring).stdout


@pytest.mark.slow
def test_what_requests_mean(canary: Piped) -> None:
    assert canary("intents", "add", "count_words", f"how many words of {CANARY} are in {{text}}").returncode == 0


@pytest.mark.slow
def test_what_is_forged(canary: Piped, work: Path) -> None:
    rows = "".join(f"{n} {CANARY},{'yes' if n % 2 else 'no'}\n" for n in range(60))
    (examples := work / "notes.csv").write_text(f"input,output\n{rows}")
    assert canary("forge", "odd", "--examples", str(examples), "--minutes", "0.1").returncode in (0, 1)
    examples.unlink()

"""Escapes: each succeeds under a plain process, and none in the sandbox, in every container that this machine has."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sandboxes import KINDS, needs
from tools import sandbox, stop, workspace
from tools.errors import ToolError
from tools.programs import run_command, run_python
from tools.sandbox import attacks, cgroup, findings, full
from tools.sandbox.attacks import ATTACKS, Attack
from tools.sandbox.full import Job, Limits

SAMPLE = [each for each in ATTACKS[1::7] if not each.name.startswith("time")]
REST = [each for each in ATTACKS if each not in SAMPLE]


def check(attack: Attack) -> None:
    if attack.root and os.getuid() != 0:
        pytest.skip("it needs root even under a plain process")
    with attacks.arena() as arena:
        assert attacks.plainly(attack, arena), "it shows nothing: it fails under a plain process too"
    for kind in KINDS:
        with attacks.arena() as arena:
            held = full.Zygote(kind, full.view(arena.root, False))
            try:
                assert not attacks.confined(attack, arena, held.run), kind
            finally:
                held.close()


@needs("landlock")
@pytest.mark.parametrize("attack", SAMPLE, ids=lambda each: each.name)
def test_an_escape(attack: Attack) -> None:
    check(attack)


@pytest.mark.slow
@needs("landlock")
@pytest.mark.parametrize("attack", REST, ids=lambda each: each.name)
def test_every_other_escape(attack: Attack) -> None:
    check(attack)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_itself_counts_processes(kind: str, tmp_path: Path) -> None:
    with cgroup.group(20, 2**30) as made:
        has_group = any((folder / "pids.max").exists() for folder in made.folders)
    if not has_group and (os.getuid() == 0 or kind == "landlock"):
        pytest.skip("only the watch counts them here")
    code = """
import os, time
for count in range(100):
    try:
        if os.fork() == 0:
            time.sleep(2)
            os._exit(0)
    except OSError:
        print(count)
        break
"""
    ran = full.run_in(kind, tmp_path, Job(code=code, limits=Limits(processes=20, seconds=20)))
    assert (ran.ended, ran.what) == ("limit", "processes") or int(ran.stdout) <= 23, ran
    left = [path for parent, _ in cgroup.parents().values() for path in parent.glob(f"zooid-{os.getpid()}-*")]
    assert not left


ORDINARY = {
    "arithmetic": "print(sum(n * n for n in range(1000)))",
    "files": """
open('a.txt', 'w').write('one\\ntwo\\n')
print(len(open('a.txt').readlines()))
""",
    "folders": """
import os, shutil
os.makedirs('x/y')
open('x/y/z', 'w').close()
shutil.copytree('x', 'w')
os.rename('w', 'v')
shutil.rmtree('x')
print(sorted(os.listdir('.')))
""",
    "json and csv": """
import csv, io, json
print(json.dumps(list(csv.DictReader(io.StringIO('a,b\\n1,2\\n')))))
""",
    "a temporary file": """
import tempfile
with tempfile.NamedTemporaryFile() as f:
    f.write(b'x')
    print(f.tell())
""",
    "a file in /tmp by name": """
import os, tempfile
name = os.path.join(tempfile.gettempdir(), 'x')
open(name, 'w').write('x')
print(open(name).read())
""",
    "a database": """
import sqlite3
c = sqlite3.connect('d.db')
c.execute('create table t (n)')
c.execute('insert into t values (1)')
c.commit()
print(c.execute('select n from t').fetchall())
""",
    "threads": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(abs, [-1, 2])))
""",
    "asyncio": """
import asyncio
async def f():
    await asyncio.sleep(0.01)
    return 1
print(asyncio.run(f()))
""",
    "another program": """
import subprocess
print(subprocess.run(['sort'], input='b\\na\\n', text=True, capture_output=True, check=True).stdout)
""",
    "this Python again": """
import subprocess, sys
print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True, check=True).stdout)
""",
    "processes": """
import multiprocessing as m
with m.get_context('fork').Pool(2) as pool:
    print(pool.map(abs, [-1, 2]))
""",
    "a library": """
import numpy
print(int(numpy.arange(10).sum()))
""",
    "dates, randomness and hashes": """
import datetime, hashlib, random, uuid, zoneinfo
random.seed(1)
print(datetime.datetime.now(zoneinfo.ZoneInfo('UTC')).year, uuid.uuid4().version)
print(hashlib.sha256(b'').hexdigest())
""",
    "an archive": """
import tarfile, zipfile
open('m', 'w').write('x' * 1000)
with tarfile.open('a.tar.gz', 'w:gz') as t:
    t.add('m')
with zipfile.ZipFile('a.zip', 'w') as z:
    z.write('m')
tarfile.open('a.tar.gz').extractall('out', filter='data')
print(zipfile.ZipFile('a.zip').namelist())
""",
}


@pytest.mark.parametrize("kind", KINDS)
def test_ordinary_scripts_run(kind: str, tmp_path: Path) -> None:
    failed = {}
    for name, code in ORDINARY.items():
        (root := tmp_path / name.replace("/", "")).mkdir()
        found = full.run_in(kind, root, Job(code=code))
        if not found.ok:
            failed[name] = found
    assert not failed.keys() - {"processes"}, failed  # landlock has no /dev/shm for the locks of a pool
    assert kind == "landlock" or not failed, failed


@needs("landlock")
def test_the_limits_are_named(tmp_path: Path) -> None:
    kind, limits = KINDS[0], Limits(seconds=0.5, memory=64 * 2**20, output=1000)
    late = full.run_in(kind, tmp_path, Job(code="while True: pass", limits=limits))
    assert (late.ended, late.what) == ("limit", "time")
    assert 0.4 < late.seconds < 2.5
    long = full.run_in(kind, tmp_path, Job(code="print('a' * 900)\nprint('b' * 9000)\nprint('end')", limits=limits))
    assert long.ok
    assert len(long.stdout) < 1200
    assert long.stdout.startswith("aaa")
    assert "bytes left out" in long.stdout
    assert long.stdout.endswith("end\n")
    assert full.run_in(kind, tmp_path, Job(command="kill -9 $$")).what == "9"
    assert full.run_in(kind, tmp_path, Job(command="exit 7")).what == "7"


@needs("landlock")
def test_endless_output_is_ended(tmp_path: Path) -> None:
    found = full.run_in(KINDS[0], tmp_path, Job(command="yes", limits=Limits(seconds=20, output=1000)))
    assert (found.ended, found.what) == ("limit", "output")
    assert len(found.stdout) < 1200


_PARENT = """
import sys
from pathlib import Path
from tools.sandbox import full
code = '''
import os, time
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
while True:
    open(f"beat{os.getpid()}", "a").write("x")
    time.sleep(0.02)
'''
full.run_in(sys.argv[1], Path(sys.argv[2]), full.Job(code=code))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_when_the_parent_is_killed(kind: str, tmp_path: Path) -> None:
    def beats() -> int:
        return sum(file.stat().st_size for file in tmp_path.glob("beat*"))

    environment = os.environ | {"PYTHONPATH": str(Path(full.__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, kind, str(tmp_path)], env=environment)
    deadline = time.monotonic() + 10
    while len(list(tmp_path.glob("beat*"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert beats()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    time.sleep(0.3)
    before = beats()
    time.sleep(0.3)
    assert beats() == before


@needs("landlock")
def test_runs_do_not_see_each_other(tmp_path: Path) -> None:
    first = Job(code="open('/tmp/left', 'w').write('x')\nopen('/dev/shm/left', 'w').write('x')")
    for kind in KINDS:
        full.run_in(kind, tmp_path, first)
        found = full.run_in(kind, tmp_path, Job(command="ls /tmp/left /dev/shm/left"))
        assert not found.ok


@needs("landlock")
def test_a_run_may_end_its_own_and_no_other(tmp_path: Path) -> None:
    for kind in KINDS:
        assert full.run_in(kind, tmp_path, Job(command="sleep 9 & kill $!; wait $!; echo over")).stdout == "over\n"


@needs("landlock")
def test_no_call_reaches_all_that_a_user_has(tmp_path: Path) -> None:
    """Not shown to succeed before: it would slow down everything on this machine."""
    for kind in KINDS:
        for which, who in ((2, 0), (1, 0), (0, 1)):
            found = full.run_in(kind, tmp_path, Job(code=f"import os\nos.setpriority({which}, {who}, 19)"))
            assert "PermissionError" in found.stderr
        assert full.run_in(kind, tmp_path, Job(code="import os\nos.nice(1)")).ok


@needs("landlock")
def test_the_network_that_is_granted(tmp_path: Path) -> None:
    with attacks.arena() as arena:
        address = arena.names["TCP"]
        code = f"import socket\nsocket.create_connection({address!r})\nsocket.socketpair()\nsocket.socket(1)"
        for kind in KINDS:
            arena.received.clear()
            found = full.run_in(kind, tmp_path, Job(code=code, network=True))
            assert arena.received == [b"connection"]
            assert "PermissionError" in found.stderr  # of the last line: a Unix socket is another way out


@needs("namespaces")
def test_a_script_may_talk_to_itself(tmp_path: Path) -> None:
    code = "import socket\ns = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(s.getsockname())"
    for kind in set(KINDS) - {"landlock"}:
        assert full.run_in(kind, tmp_path, Job(code=code)).ok


@needs("landlock")
def test_a_workspace_that_is_made_anew_is_another_one(tmp_path: Path) -> None:
    for kind in KINDS:
        for _ in range(2):
            (root := tmp_path / kind).mkdir()
            assert full.run_in(kind, root, Job(command="echo x > a.txt")).ok
            assert (root / "a.txt").read_text() == "x\n"
            shutil.rmtree(root)


@needs("landlock")
def test_what_is_deep_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "import os\nos.chdir(os.environ['TMPDIR'])\nfor _ in range(1100):\n    os.mkdir('d')\n    os.chdir('d')"
    (own := tmp_path / "own").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))  # others make and remove folders beside it
    full.run_in("landlock", tmp_path, Job(code="1"))
    before = set(own.iterdir())
    assert full.run_in("landlock", tmp_path, Job(code=deep)).ok
    assert set(own.iterdir()) <= before


@needs("landlock")
def test_many_threads_are_too_much(tmp_path: Path) -> None:
    code = "import threading, time\nthreading.stack_size(1 << 16)\nfor _ in range(2000):\n"
    code += "    threading.Thread(target=time.sleep, args=(3,), daemon=True).start()\ntime.sleep(1)\nprint('all')"
    for kind in KINDS:
        assert "all" not in full.run_in(kind, tmp_path, Job(code=code)).stdout


@needs("landlock")
def test_many_runs_at_once(tmp_path: Path) -> None:
    for kind in KINDS:
        with ThreadPoolExecutor(8) as pool:
            runs = [pool.submit(full.run_in, kind, tmp_path, Job(command=f"sleep 0.2; echo {n}")) for n in range(16)]
            assert sorted(int(run.result().stdout) for run in runs) == list(range(16))


@needs("landlock")
def test_folders_of_the_system_are_no_workspace(tmp_path: Path) -> None:
    for folder in ("/", "/usr", "/etc"):
        with pytest.raises(ToolError, match="as the workspace"):
            full.view(Path(folder), False)


@needs("bubblewrap")
def test_zooids_own_folders_are_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "XDG_STATE_HOME/zooid").mkdir(parents=True)
    (tmp_path / "XDG_STATE_HOME/zooid/run").write_text("a secret")
    for kind in KINDS[:-1]:
        found = full.run_in(
            kind, tmp_path, Job(command="cat XDG_STATE_HOME/zooid/run; touch XDG_STATE_HOME/zooid/x; :")
        )
        assert "secret" not in found.stdout
    assert os.listdir(tmp_path / "XDG_STATE_HOME/zooid") == ["run"]


@needs("landlock")
def test_the_tools(tmp_path: Path) -> None:
    workspace.enter(tmp_path)
    assert run_command("cat > a.txt; wc -l < a.txt", stdin="one\ntwo\n") == "2"
    assert run_python("import os\nos.listdir('.')") == "['a.txt']"
    assert (
        run_python("import os\nprint(len(text), rows[0]['n'])", {"text": "'''\"\\", "rows": [{"n": None}]}) == "5 None"
    )
    with pytest.raises(ToolError, match=r"exit 3\): no such thing"):
        run_command("echo no such thing >&2; exit 3")
    with pytest.raises(ToolError, match="cannot be the name of a variable"):
        run_python("1", {"a b": 1})


def test_without_a_sandbox_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lacking = {kind: findings.Finding(kind, why="it is not there") for kind in full.KINDS}
    monkeypatch.setattr(findings, "_known", {})
    findings._write(lacking)
    with pytest.raises(ToolError, match=findings.UNSAFE):
        findings.run(tmp_path, Job(command="echo x"))
    monkeypatch.setattr(sandbox, "unsafe", True)
    assert findings.run(tmp_path, Job(command="echo x")).stdout == "x\n"


def test_a_container_that_leaks_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(findings, "_known", {})
    found = {kind: findings.Finding(kind, 5) for kind in full.KINDS}
    findings._write(found | {"bubblewrap": findings.Finding("bubblewrap", 5, ("a file by its path",))})
    assert findings.container() == "namespaces"


@needs("bubblewrap")
def test_a_bubblewrap_of_the_workspace_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (planted := tmp_path / "bwrap").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:.:{os.environ['PATH']}")
    assert shutil.which("bwrap") == str(planted)
    assert full.run_in("bubblewrap", tmp_path, Job(code="1 + 1")).stdout == "2\n"
    assert not (tmp_path / "started").exists()


@needs("landlock")
def test_a_run_is_never_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has started and was ended, by a stop or with its zygote, may have done its work."""
    monkeypatch.setattr(findings, "_known", {KINDS[0]: findings.Finding(KINDS[0], 5)})
    monkeypatch.setattr(full, "KINDS", (KINDS[0],))
    job = Job(command="echo x >> ran; sleep 5")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(findings.run, tmp_path, job)
        while not (tmp_path / "ran").exists():
            time.sleep(0.01)
        full.zygote(KINDS[0], full.view(tmp_path, False)).close()
        with pytest.raises(full.SandboxError, match="in the middle of the run"):
            run.result()
    assert (tmp_path / "ran").read_text() == "x\n"


@needs("landlock")
def test_a_run_that_nobody_waits_for_is_stopped(tmp_path: Path) -> None:
    for kind in KINDS:
        wanted = stop.Stop()
        threading.Timer(0.5, wanted.now).start()
        token = stop.current.set(wanted)
        found = full.run_in(kind, tmp_path, Job(command="sleep 20"))
        stop.current.reset(token)
        assert (found.ended, found.what) == ("limit", "stopped")


@needs("landlock")
def test_a_container_that_cannot_be_made_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no bwrap any more
    monkeypatch.setattr(findings, "_known", {})
    findings._write({"bubblewrap": findings.Finding("bubblewrap", 5)})
    assert findings.run(tmp_path, Job(code="1 + 1")).stdout == "2\n"
    assert "bubblewrap is not installed" in findings._read()["bubblewrap"].why


_ALONE = """
from pathlib import Path
import sys
from tools.sandbox import findings, full
assert findings.run(Path(sys.argv[1]), full.Job(code="1 + 1")).stdout == "2\\n"
for kind in full.KINDS:
    print(kind, findings._known[kind].text)
"""


@needs("namespaces")
@needs("landlock")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare to take namespaces away with")
def test_where_there_are_no_namespaces_landlock_is_used(tmp_path: Path) -> None:
    allow_none = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" -c "$1" "$2"'
    (root := tmp_path / "work").mkdir()
    command = ["unshare", "-Ur", "sh", "-c", allow_none, sys.executable, _ALONE, str(root)]
    environment = os.environ | {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(Path(full.__file__).parents[2]),
    }
    done = subprocess.run(command, text=True, capture_output=True, env=environment)
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert found.get("landlock", "").startswith("none of"), done
    assert "cannot be made" in found["namespaces"] and "No space left" in found["namespaces"]

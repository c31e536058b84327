"""Plugins as a person has them: files in folders, a project's, an installed package, a micro-model's folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import host, micro, micro_tool, plugins, trust
from tools.errors import ArgumentError, ToolError
from tools.plugins import Origin, PluginFolder, check, new
from tools.registry import Broken, Registry, Tool, from_function

SHOUT = '''\
from pathlib import Path

Path(__file__).with_suffix(".imported").open("a").write("x")


def shout(text: str, times: int = 1) -> str:
    """Put a text in capitals.

    Asked as: shout …; say … loudly
    """
    return text.upper() + "!" * times
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    yield tmp_path / "home"
    host.close_all()


def write(path: Path, code: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))
    return path


def discover(*folders: PluginFolder, packages: bool = False, import_seconds: float = 10) -> dict[str, Tool | Broken]:
    found = plugins.discover(folders, packages=packages, import_seconds=import_seconds)
    return {entry.name: entry for entry in found}


def tool(entry: Tool | Broken) -> Tool:
    assert isinstance(entry, Tool), entry
    return entry


def why(entry: Tool | Broken) -> str:
    assert isinstance(entry, Broken), entry
    return entry.why


def split_text(text: str) -> list[str]:
    """Split a text."""
    return text.split()


# -- folders


def test_a_typed_function_in_a_file_is_a_tool(tmp_path: Path) -> None:
    write(tmp_path / "p" / "loud-words.py", SHOUT)
    shout = tool(discover(PluginFolder(tmp_path / "p"))["shout"])
    assert shout.signature() == "shout(text: str, times: int = 1) -> str"
    assert shout.about.asked_as == ("shout …", "say … loudly")
    assert (shout.kind, shout.effect, shout.source) == ("code", "none", str(tmp_path / "p" / "loud-words.py"))
    assert shout.call({"text": "hi", "times": "2"}) == "HI!!"
    with pytest.raises(ArgumentError, match="needs the argument 'text'"):
        shout.call({})


def test_what_is_no_plugin_is_passed_over(tmp_path: Path) -> None:
    for name in ("_helper.py", "test_shout.py", "shout_test.py", "conftest.py", ".hidden.py", "notes.txt", "data/x.py"):
        write(tmp_path / "p" / name, "raise SystemExit")
    assert discover(PluginFolder(tmp_path / "p"), PluginFolder(tmp_path / "none")) == {}
    assert "no such folder" in why(discover(PluginFolder(tmp_path / "none", "flag"))["none"])


def test_a_second_start_imports_nothing(tmp_path: Path) -> None:
    file, seen = write(tmp_path / "p" / "shout.py", SHOUT), tmp_path / "p" / "shout.imported"
    for _ in range(3):
        discover(PluginFolder(tmp_path / "p"))
    assert seen.read_text() == "x"
    write(file, SHOUT.replace("capitals", "CAPITALS"))
    assert "CAPITALS" in tool(discover(PluginFolder(tmp_path / "p"))["shout"]).about.summary
    write(tmp_path / "p" / "_words.py", "")
    discover(PluginFolder(tmp_path / "p"))
    assert seen.read_text() == "xxx"  # a helper is part of what was looked at


def test_a_damaged_cache_does_no_harm(tmp_path: Path, home: Path) -> None:
    write(tmp_path / "p" / "shout.py", SHOUT)
    discover(PluginFolder(tmp_path / "p"))
    (kept,) = home.rglob("plugins.json")
    for damage in ("", "[]", '{"stamp": 1}', kept.read_text()[:100]):
        kept.write_text(damage)
        tool(discover(PluginFolder(tmp_path / "p"))["shout"])


def test_many_plugins_start_quickly_the_second_time(tmp_path: Path) -> None:
    for n in range(20):
        write(tmp_path / "p" / f"t{n}.py", f'def t{n}(a: int) -> int:\n    """Add {n}."""\n    return a + {n}\n')
    discover(PluginFolder(tmp_path / "p"))
    started = time.process_time()
    found = discover(PluginFolder(tmp_path / "p"))
    assert time.process_time() - started < 0.1  # s; 0.006 measured
    assert tool(found["t19"]).call({"a": 1}) == 20


def test_what_cannot_be_used_is_a_row_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    write(folder / "a.py", "import nothing_of_that_name")
    write(folder / "b.py", "def broken(:")
    write(folder / "c.py", "x = 1")
    write(folder / "d.py", "def untyped(a): return a")
    write(folder / "e.py", "import time; time.sleep(60)")
    write(folder / "f.py", 'def fine() -> int:\n    """Fine."""\n    return 1\ndef bad(a) -> int:\n    """Bad."""\n')
    (folder / "g.py").write_bytes(b"\xff\xfe\x00")
    (folder / "h.py").symlink_to(write(tmp_path / "outside.py", SHOUT))
    (folder / "i.py").symlink_to("i.py")
    write(folder / "j.py", SHOUT).chmod(0o666)
    (folder / "k").mkdir()
    (folder / "k" / "model.gguf").write_text("no model")
    os.mkfifo(folder / "l.py")
    found = discover(PluginFolder(folder), import_seconds=1.5)
    expected = {
        "a.py": "ModuleNotFoundError: No module named 'nothing_of_that_name'",
        "b.py": "SyntaxError",
        "c.py": "no public function",
        "untyped": "no docstring",
        "e.py": "not imported within 1.5 s",
        "bad": "its parameter 'a' has no type",
        "g.py": "SyntaxError",
        "h.py": "a link that leads out of its folder",
        "i.py": "a link that leads out of its folder",
        "j.py": "everybody can write to it",
        "k": "there is no manifest.toml",
        "l.py": "it is no file",
    }
    assert {name: text in why(found[name]) for name, text in expected.items()} == dict.fromkeys(expected, True)
    assert tool(found["fine"]).call({}) == 1
    assert len(found) == len(expected) + 1
    started = time.monotonic()
    assert "not imported within" in why(discover(PluginFolder(folder), import_seconds=5)["e.py"])
    assert time.monotonic() - started < 3  # what hung is not waited for at every start


def test_a_missing_library_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = 'import late_library\ndef late() -> int:\n    """Late."""\n    return late_library.x\n'
    write(tmp_path / "p" / "late.py", code)
    why(discover(PluginFolder(tmp_path / "p"))["late.py"])
    write(tmp_path / "lib" / "late_library.py", "x = 3")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    assert tool(discover(PluginFolder(tmp_path / "p"))["late"]).call({}) == 3


def test_folders_that_others_can_change_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "p" / "shout.py", SHOUT)
    (tmp_path / "p").chmod(0o777)
    assert "everybody can write to it" in why(discover(PluginFolder(tmp_path / "p"))["p"])
    (tmp_path / "p").chmod(0o755)
    (tmp_path / "p" / "_helper.py").symlink_to(write(tmp_path / "outside.py", ""))
    assert "_helper.py is a link that leads out" in why(discover(PluginFolder(tmp_path / "p"))["p"])


def test_a_shadowed_name_is_a_broken_row(tmp_path: Path) -> None:
    write(tmp_path / "p" / "one.py", SHOUT)
    write(tmp_path / "q" / "two.py", SHOUT)
    registry = Registry()
    registry.add(plugins.discover([PluginFolder(tmp_path / "p"), PluginFolder(tmp_path / "q")], packages=False))
    assert len(registry) == 1
    assert f"'shout' is taken by {tmp_path / 'p' / 'one.py'}" in registry.broken[0].why


def test_an_effect_that_is_there_can_be_seen(tmp_path: Path) -> None:
    write(
        tmp_path / "p" / "mark.py",
        '''
        def mark(n: int) -> str:
            """Mark.

            Effect: write
            """
            return "marked"
        mark.done = lambda n: n == 1
        def _typed(n: int) -> bool: return n == 1
        mark.done = _typed
    ''',
    )
    mark = tool(discover(PluginFolder(tmp_path / "p"))["mark"])
    assert mark.effect == "write" and mark.done
    assert (mark.done({"n": 1}), mark.done({"n": 2})) == (True, False)


def test_a_folder_with_a_manifest_is_a_micro_model(tmp_path: Path) -> None:
    shipped = micro.shipped()[0]
    shutil.copytree(shipped, tmp_path / "p" / "copy")
    found = list(discover(PluginFolder(tmp_path / "p")).values())
    assert tool(found[0]).kind == "micro"
    assert found[0].name == micro.load(shipped).name
    manifest = tmp_path / "p" / "copy" / "manifest.toml"
    manifest.write_text(manifest.read_text().replace("name =", "named ="))
    assert "manifest.toml" in why(discover(PluginFolder(tmp_path / "p"))["copy"])


# -- trust


def test_a_project_counts_once_it_is_trusted_and_until_it_changes(tmp_path: Path) -> None:
    project = tmp_path / "project"
    folder = PluginFolder(trust.tools_folder(project), "project")
    file = write(folder.path / "shout.py", SHOUT)
    assert "not trusted yet" in why(discover(folder)[".zooid/tools"])
    assert not (folder.path / "shout.imported").exists()
    trust.trust(project)
    assert tool(discover(folder)["shout"]).call({"text": "a"}) == "A!"
    (folder.path / "shout.imported").unlink()
    for change in (
        lambda: file.write_text(SHOUT + "#"),
        lambda: write(folder.path / "data" / "more.txt", ""),
        lambda: file.rename(folder.path / "other.py"),
        lambda: write(trust.config_file(project), "approve = 'auto'"),
        lambda: (folder.path / "link").symlink_to("/etc"),
    ):
        change()
        assert "changed since it was trusted" in why(discover(folder)[".zooid/tools"])
        trust.trust(project)
        assert trust.is_trusted(project)
    assert trust.forget(project) and not trust.forget(project)
    assert not trust.is_trusted(project)


def test_what_test_runners_leave_is_no_change(tmp_path: Path) -> None:
    write(trust.tools_folder(tmp_path) / "shout.py", SHOUT)
    trust.trust(tmp_path)
    write(trust.tools_folder(tmp_path) / "__pycache__" / "shout.pyc", "")
    assert trust.is_trusted(tmp_path)


def test_a_project_with_nothing_to_trust_is_trusted(tmp_path: Path) -> None:
    assert trust.digest(tmp_path) == "" and trust.is_trusted(tmp_path)


def test_names_and_bytes_do_not_run_into_each_other(tmp_path: Path) -> None:
    write(trust.tools_folder(tmp_path / "a") / "xy.py", "z")
    write(trust.tools_folder(tmp_path / "b") / "x.py", "yz")
    assert trust.digest(tmp_path / "a") != trust.digest(tmp_path / "b")


def test_a_damaged_record_trusts_nothing(tmp_path: Path) -> None:
    write(trust.tools_folder(tmp_path) / "shout.py", SHOUT)
    trust.trust(tmp_path)
    for damage in ("", "[]", '{"trusted": []}', '{"trusted": {"x": 1}}'):
        trust.record_file().write_text(damage)
        assert not trust.is_trusted(tmp_path)
    trust.trust(tmp_path)
    assert trust.is_trusted(tmp_path)


def test_trust_from_many_processes_is_all_kept(tmp_path: Path) -> None:
    for n in range(6):
        write(trust.tools_folder(tmp_path / str(n)) / "shout.py", SHOUT)
    code = "import sys; from pathlib import Path; from tools import trust; trust.trust(Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / str(n))], env=environment) for n in range(6)
    ]
    assert [one.wait() for one in running] == [0] * 6
    assert all(trust.is_trusted(tmp_path / str(n)) for n in range(6))


@pytest.mark.parametrize("origin", ["user", "flag"])
def test_a_folder_may_not_be_a_link_nor_lie_where_everybody_can_exchange_it(tmp_path: Path, origin: Origin) -> None:
    (real := tmp_path / "open" / "tools").mkdir(parents=True)
    write(real / "shout.py", SHOUT)
    (link := tmp_path / "link").symlink_to(real)
    refused = why(discover(PluginFolder(link, origin))["link"])
    assert refused.startswith("it is a link; name the folder that it leads to") and refused.endswith(str(real))
    real.parent.chmod(0o777)
    assert f"chmod o-w {real.parent}" in why(discover(PluginFolder(real, origin))["tools"])
    real.parent.chmod(0o1777)
    assert "shout" in discover(PluginFolder(real, origin))


def test_a_projects_folder_may_not_be_a_link(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "shout.py", SHOUT)
    folder = trust.tools_folder(tmp_path / "project")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "elsewhere")
    trust.trust(tmp_path / "project")
    assert "it is a link" in why(discover(PluginFolder(folder, "project"))["tools"])


def test_a_file_that_changes_after_it_was_found_is_not_run(tmp_path: Path) -> None:
    file = write(trust.tools_folder(tmp_path) / "shout.py", SHOUT)
    trust.trust(tmp_path)
    shout = tool(discover(PluginFolder(trust.tools_folder(tmp_path), "project"))["shout"])
    file.write_text(SHOUT + "# changed")
    with pytest.raises(ToolError, match="has changed since"):
        shout.call({"text": "a"})


# -- installed packages


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    write(site / "wordtools" / "__init__.py", "")
    write(site / "wordtools" / "tools.py", SHOUT)
    info = site / "wordtools-1.2.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.1\nName: wordtools\nVersion: 1.2\n")
    write(
        info / "entry_points.txt",
        """\
        [zooid.tools]
        words = wordtools.tools
        gone = wordtools.gone
        function = wordtools.tools:shout
    """,
    )
    monkeypatch.syspath_prepend(str(site))
    return site


def test_an_installed_package_brings_tools(package: Path) -> None:
    found = discover(packages=True)
    shout = tool(found["shout"])
    assert shout.source == "package wordtools 1.2 (wordtools.tools)"
    assert shout.call({"text": "a"}) == "A!"
    assert "wordtools" not in sys.modules
    assert "ModuleNotFoundError" in why(found["wordtools.gone"])
    assert "must name a module" in why(found["wordtools.tools:shout"])


def test_a_package_is_looked_at_once_and_again_when_it_changes(package: Path) -> None:
    for _ in range(3):
        discover(packages=True)
    assert (package / "wordtools" / "tools.imported").read_text() == "x"
    write(package / "wordtools" / "tools.py", SHOUT.replace("capitals", "big CAPITALS"))
    assert "CAPITALS" in tool(discover(packages=True)["shout"]).about.summary
    shutil.rmtree(package / "wordtools-1.2.dist-info")
    assert discover(packages=True) == {}


# -- new and check


def test_a_new_tool_passes_its_check_and_its_tests(tmp_path: Path) -> None:
    paths = new(tmp_path / "p", "slugify")
    assert [path.name for path in paths] == ["slugify.py", "test_slugify.py"]
    report = check(paths[0])
    assert report.ok and not report.warnings
    assert [tool.name for tool in report.tools] == ["slugify"]
    assert (report.examples[0].tried, report.examples[0].failed) == (2, 0)
    assert report.tools[0].schema()["required"] == ["text"]
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(paths[1])]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True).returncode == 0
    slugify = tool(discover(PluginFolder(tmp_path / "p"))["slugify"])
    assert slugify.call({"text": "A Day, Out"}) == "a-day-out"
    assert check("slugify", [slugify]).ok


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("slug-ify", "such as 'slug_ify' can"),
        ("2nd", "such as 'my_2nd' can"),
        ("class", "such as 'my_class' can"),
        ("", "such as 'my' can"),
        ("../up", "such as 'up' can"),
        ("_hidden", "choose another"),
        ("test_it", "choose another"),
        ("count_words", "already (like count_word)"),
    ],
)
def test_a_bad_name_is_refused_with_a_hint(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        new(tmp_path, name, taken=["count_words", "count_word"])
    assert hint in str(raised.value)
    assert not list(tmp_path.rglob("*.py"))


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    new(tmp_path, "slugify")
    with pytest.raises(ArgumentError, match="is there already"):
        new(tmp_path, "slugify")


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    file = write(
        tmp_path / "odd.py",
        '''
        import subprocess as sp
        from requests import get as fetch

        def runs(text: str) -> str:
            """Run.

            >>> runs("a")
            'b'
            """
            return _inner(text)

        def _inner(text: str) -> str:
            return "a" if text else sp.run([text]).stdout

        def loads(address: str) -> str:
            """Load."""
            return fetch(address).text

        def writes(name: str) -> str:
            """Write.

            Effect: read
            """
            with open(name, "w") as file:
                file.write("x")
            return name

        def reads(name: str) -> str:
            """Read.

            Effect: read
            """
            return open(name).read()

        def bad(a): ...
    ''',
    )
    (tmp_path / "requests.py").write_text("def get(address): ...")
    report = check(file)
    assert not report.ok
    assert [broken.name for broken in report.broken] == ["bad"]
    assert {one.name: (one.tried, one.failed) for one in report.examples}["runs"] == (1, 1)
    said = "\n".join(report.warnings)
    assert "runs calls subprocess.run but declares no effect; add a line to its docstring: Effect: execute" in said
    assert "loads calls requests.get but declares no effect" in said
    assert "writes calls open but declares the effect read" in said
    assert "reads calls" not in said
    assert "loads has no example" in said


def test_check_of_what_cannot_be_imported_or_found(tmp_path: Path) -> None:
    report = check(write(tmp_path / "p" / "a.py", "import os; os._exit(3)"))
    assert not report.ok and "exit code 3" in report.broken[0].why
    entries = plugins.discover([PluginFolder(tmp_path / "p")], packages=False)
    assert "exit code 3" in check("a.py", entries).broken[0].why
    write(tmp_path / "q" / "shout.py", SHOUT)
    entries = plugins.discover([PluginFolder(tmp_path / "q")], packages=False)
    with pytest.raises(ArgumentError, match="no tool or file 'shuot' .like shout"):
        check("shuot", entries)
    with pytest.raises(ArgumentError, match="is no plugin"):
        check(tmp_path)
    with pytest.raises(ArgumentError, match="split_text is no plugin"):
        check("split_text", [from_function(split_text, "built-in")])


def test_examples_that_end_the_process_are_told(tmp_path: Path) -> None:
    code = 'def a() -> int:\n    """A.\n\n    >>> import os; os._exit(6)\n    """\n    return 1\n'
    report = check(write(tmp_path / "a.py", code))
    assert not report.ok and "exit code 6" in report.broken[0].why


def test_check_of_a_micro_model_asks_its_examples() -> None:
    folder = micro.shipped()[0]
    ours = micro_tool.from_folder(folder, "built-in")
    for report in (check(folder), check(ours.name, [ours])):
        assert report.tools[0].kind == "micro"
        assert report.examples[0].tried > 0

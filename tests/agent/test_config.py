"""Settings: the order they are read in, what is refused, and what a project may set before it is trusted."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent import config
from agent.budget import Limits
from agent.config import Settings
from agent.errors import ConfigError
from tools import trust
from tools.plugins import PluginFolder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def own(text: str) -> Path:
    path = config.paths().config_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def projects(folder: Path, text: str) -> Path:
    path = trust.config_file(folder)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def load(project: Path, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    return config.load(flags, project, environ or {})


def test_defaults_are_the_limits_of_a_run(project: Path) -> None:
    settings = load(project)
    assert settings == Settings() and not settings.origins
    assert config.limits(settings) == Limits()


def test_the_nearest_origin_wins(project: Path) -> None:
    person = own("max_depth = 1\nmax_width = 1\nmax_tasks = 10\nmodel = 'a'")
    file = projects(project, "max_depth = 1\nmax_width = 1\nmax_tasks = 5")
    settings = load(
        project, {"ZOOID_MAX_DEPTH": "3", "ZOOID_MAX_WIDTH": "3", "ZOOID_MODEL": ""}, max_depth=4, model=None
    )
    assert (settings.max_depth, settings.max_width, settings.max_tasks, settings.model) == (4, 3, 5, "a")
    assert settings.origins == {
        "max_depth": "flag --max-depth",
        "max_width": "environment ZOOID_MAX_WIDTH",
        "max_tasks": str(file),
        "model": str(person),
    }


def test_every_setting_is_read_from_a_file(project: Path) -> None:
    own("""
        planner = ["embedded", "openai"]
        model = "m"
        base_url = "https://example.org/v1/"
        key_file = "key"
        keyring = "main"
        model_path = "~/a.gguf"
        model_sha256 = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
        gpu_layers = 0
        context = 512
        approve = "never"
        max_depth = 1
        max_width = 2
        max_tasks = 3
        max_seconds = 4
        max_parallel = 5
        max_replans = 0
        max_cost = 1.5
        max_tokens = 9000
        max_tokens_in = 8000
        max_tokens_out = 1000
        tool_seconds = 7.5
        micro_memory_mb = 8
        micro_idle_seconds = 5
        tools = ["more", "/even/more"]
        private_hosts = ["intranet", "10.0.0.7:8080"]
        unsafe_no_sandbox = true
        jobs.max_running = 3
        jobs.on_end = "notify 'a run'"
        database = "postgresql://localhost/zooid"
        [prices]
        m = { input = 1, output = 2.5 }
    """)
    settings, folder = load(project), config.paths().config_file.parent
    assert set(settings.origins) == {one.name for one in dataclasses.fields(Settings)} - {"origins", "warnings"}
    assert settings.planner == "embedded,openai" and settings.planners == ("embedded", "openai")
    assert settings.base_url == "https://example.org/v1"
    assert settings.key_file == str(folder / "key")
    assert settings.model_path == str(Path("~/a.gguf").expanduser())
    assert settings.tools == (str(folder / "more"), "/even/more")
    assert settings.prices == {"m": {"input": 1.0, "output": 2.5}}
    assert (settings.jobs_max_running, settings.jobs_on_end) == (3, ("notify", "a run"))
    assert config.limits(settings) == Limits(
        1, 2, 3, 4.0, 5, 0, tool_seconds=7.5, cost=1.5, tokens=9000, tokens_in=8000, tokens_out=1000
    )
    again = load(project, **{n: v for n, v in json.loads(json.dumps(dataclasses.asdict(settings))).items()
                             if n not in ("origins", "warnings")})  # fmt: skip
    assert again == settings


def test_the_environment_is_read(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "OPENAI_BASE_URL": "http://one", "ZOOID_PLANNER": "local, embedded", "ZOOID_GPU_LAYERS": "-1",
        "ZOOID_MAX_SECONDS": "1.5", "ZOOID_TOOLS": "a:/b", "ZOOID_MODEL_PATH": "x.gguf",
    }  # fmt: skip
    settings = load(project, environ)
    assert (settings.base_url, settings.planner) == ("http://one", "local,embedded")
    assert (settings.gpu_layers, settings.max_seconds) == (-1, 1.5)
    assert settings.tools == (str(tmp_path / "a"), "/b")
    assert settings.model_path == str(tmp_path / "x.gguf")
    assert settings.origins["base_url"] == "environment OPENAI_BASE_URL"
    assert load(project, {**environ, "ZOOID_BASE_URL": "http://two"}).base_url == "http://two"


def test_an_unknown_variable_is_a_warning(project: Path) -> None:
    (warning,) = load(project, {"ZOOID_APROVE": "auto"}).warnings
    assert "ZOOID_APROVE" in warning and "did you mean approve?" in warning


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max-depth = 3", "there is no setting 'max-depth'; did you mean max_depth?"),
        ("colour = 3", "there is no setting 'colour'; see them with: zooid config show"),
        ("max_depth = 'many'", "max_depth must be a whole number from 0 up, not 'many'"),
        ("model_sha256 = 'abc'", "model_sha256 must be a SHA-256 of 64 digits, as sha256sum FILE gives it, not 'abc'"),
        ("max_depth = true", "max_depth must be a whole number"),
        ("max_tasks = 0", "from 1 up, not 0"),
        ("max_seconds = nan", "a number of seconds above 0"),
        ("max_seconds = -1", "a number of seconds above 0"),
        (
            "approve = 'yes'",
            "network, write with commas between, not 'yes'",
        ),
        ("approve = ['auto']", "ask, auto, never or read"),
        ("planner = 'embeded'", "out of embedded, local, openai"),
        ("planner = 'auto,local'", "auto, or out of"),
        ("planner = ''", "auto, or out of"),
        ("planner = 3", "auto, or out of"),
        ("base_url = 'example.org'", "begins with http:// or https://"),
        ("model = ''", "a text that is not empty"),
        ("tools = [3]", "a list of folders"),
        ("prices = { m = { input = 1 } }", "a table: model ="),
        ("prices = { m = { input = 1, output = -1 } }", "a table: model ="),
        ("prices = 3", "a table: model ="),
        ("max_depth = ", "is no valid TOML"),
        ("a = '\\ud800'", "there is no setting"),
    ],
)
def test_what_is_not_allowed_names_file_key_and_way_on(project: Path, text: str, said: str) -> None:
    path = own(text)
    with pytest.raises(ConfigError) as raised:
        load(project)
    assert str(path) in str(raised.value) and said in str(raised.value)


def test_a_bad_flag_and_a_bad_variable_are_named(project: Path) -> None:
    with pytest.raises(ConfigError, match="flag --max-depth: max_depth must be"):
        load(project, max_depth=-1)
    with pytest.raises(ConfigError, match="environment ZOOID_APPROVE: approve must be"):
        load(project, {"ZOOID_APPROVE": "yes"})


def test_a_file_that_cannot_be_read_is_named(project: Path) -> None:
    path = config.paths().config_file
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(project)
    path.rmdir()
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is no valid TOML"):
        load(project)


DANGEROUS = {
    "approve": ("'auto'", "auto"),
    "base_url": ("'http://elsewhere'", "http://elsewhere"),
    "max_tasks": ("100000", 100_000),
    "tool_seconds": ("1e6", 1e6),
    "prices": ("{ m = { input = 0, output = 0 } }", {"m": {"input": 0.0, "output": 0.0}}),  # a budget counts by them
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_project_loosens_nothing_until_it_is_trusted(project: Path, name: str) -> None:
    text, value = DANGEROUS[name]
    path = projects(project, f"{name} = {text}\nmodel = 'm'")
    settings = load(project)
    assert settings[name] == Settings()[name] and settings.model == "m"
    (warning,) = settings.warnings
    assert str(path) in warning and name in warning and "zooid tools trust" in warning
    trust.trust(project)
    assert load(project)[name] == value and not load(project).warnings
    projects(project, f"{name} = {text}")
    assert load(project)[name] == Settings()[name]


def test_a_project_may_always_be_stricter(project: Path) -> None:
    projects(project, "approve = 'never'\nmax_tasks = 3")
    assert (load(project).approve, load(project).max_tasks, load(project).warnings) == ("never", 3, ())
    own("approve = 'never'")
    projects(project, "approve = 'ask'")
    assert load(project).approve == "never"
    own("approve = 'auto'")
    assert load(project).approve == "ask"


def test_a_project_keeps_its_tools_where_they_are_trusted(project: Path) -> None:
    projects(project, "tools = ['elsewhere']")
    trust.trust(project)
    assert load(project).tools == ()
    assert "keeps its tools in .zooid/tools" in load(project).warnings[0]


def test_the_key_is_never_shown(project: Path, tmp_path: Path) -> None:
    key, file = "sk-canary-1234", tmp_path / "key"
    file.write_text(f"{key}\n")
    file.chmod(0o640)
    settings = load(project, key_file=str(file), base_url="https://me:sk-canary-1234@example.org")
    with pytest.raises(ConfigError, match="chmod 600") as raised:
        config.api_key(settings, {})
    assert key not in str(raised.value)
    file.chmod(0o600)
    assert config.api_key(settings, {}) == key
    assert config.api_key(settings, {"OPENAI_API_KEY": "other"}) == "other"
    assert config.api_key(Settings(), {}) == ""
    shown = config.show(settings, {"OPENAI_API_KEY": key})
    assert key not in repr(shown)
    assert {one.name: one.value for one in shown}["base_url"] == "https://…@example.org"
    assert shown[-1] == config.Setting("key", "set, not shown", "environment OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.api_key(load(project, key_file="nowhere"), {})


def test_everything_is_shown_with_its_origin(project: Path) -> None:
    shown = {one.name: one for one in config.show(load(project, max_depth=2), {})}
    assert shown["max_depth"] == config.Setting("max_depth", 2, "flag --max-depth")
    assert shown["approve"] == config.Setting("approve", "ask", "default")
    assert shown["key"].value is None


def test_folders_follow_the_system(home: Path, project: Path) -> None:
    paths = config.paths()
    assert paths.config_file == home / "config" / "zooid" / "config.toml"
    assert paths.tools == home / "config" / "zooid" / "tools"
    assert paths.runs == home / "state" / "zooid" / "runs"
    folders = config.plugin_folders(load(project, tools=["/more"]), project)
    assert folders == [
        PluginFolder(paths.tools, "user"),
        PluginFolder(project / ".zooid" / "tools", "project"),
        PluginFolder(Path("/more"), "flag"),
    ]


def test_the_import_is_cheap() -> None:
    code = (
        "import dataclasses, inspect, json, pathlib, tempfile, sys, time\nbefore = time.process_time()\n"
        "import agent.config\nprint(time.process_time() - before)\n"
        "assert not {'asyncio', 'platformdirs', 'tomllib', 'tools.plugins'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    runs = [subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True) for _ in range(3)]
    assert all(run.returncode == 0 for run in runs), runs[0].stderr
    assert min(float(run.stdout) for run in runs) < 0.03  # s of CPU; 0.009 measured

"""What holds of every built-in tool: it describes itself, its examples are true, and it is called by JSON values."""

import doctest
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.sandboxes import needs
from tools import compare, dates, documents, files, numbers, programs, tables, text, units, web, workspace
from tools.errors import ToolError
from tools.function import describe, invoke

MODULES = (compare, dates, documents, files, numbers, tables, text, units)
TOOLS = [pytest.param(module, name, id=name) for module in MODULES for name in module.__all__]
REACHING = [pytest.param(module, name, id=name) for module in (programs, web) for name in module.__all__]


@pytest.fixture(autouse=True)
def harbour(tmp_path: Path) -> Path:
    """The workspace that the examples of the docstrings speak of."""
    for folder in ("docs", "src"):
        (tmp_path / folder).mkdir()
    (tmp_path / "docs/guide.md").write_text("# Tides\n\nTides rise and fall.\n")
    (tmp_path / "docs/faq.md").write_text("# FAQ\n")
    (tmp_path / "src/board.py").write_text("# TODO: colours\n")
    (tmp_path / "names.txt").write_text("Zoe\nAnna\n")
    (tmp_path / "catch.csv").write_text(
        "day,fish,kilos\nSat,cod,4.60\nSun,eel,\nSun,cod,2.50\nMon,bass,6.5\n".replace("eel,", "eel,3.20")
    )
    (tmp_path / "port.json").write_text(
        '{"server": {"port": 8417}, "stations": [{"name": "South", "depth": 4}, {"name": "East", "depth": 9}]}'
    )
    workspace.enter(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("module", "name"), TOOLS)
def test_examples_are_true(module: ModuleType, name: str) -> None:
    known = vars(module) | {"workspace": workspace}
    examples = doctest.DocTestFinder().find(getattr(module, name), name, module=module, globs=known)
    assert sum(len(example.examples) for example in examples) >= 2
    for example in examples:
        assert doctest.DocTestRunner().run(example).failed == 0


@needs("landlock")
def test_examples_of_programs_are_true() -> None:
    assert doctest.testmod(programs) == (0, 4)


@pytest.mark.parametrize(("module", "name"), TOOLS + REACHING)
def test_says_what_a_planner_needs(module: ModuleType, name: str) -> None:
    described = describe(getattr(module, name))
    assert 3 <= len(described.asked_as) <= 16
    assert all("…" in phrase or phrase.count(" ") > 1 for phrase in described.asked_as)
    assert all(param.doc for param in described.params)
    effects = {"write_file": "write", "run_python": "execute", "run_command": "execute", "fetch_url": "network"}
    assert described.effect == effects.get(
        name, "read" if module in (documents, files, tables) and name != "format_rows" else "none"
    )
    assert len(described.summary) < 130


def test_nothing_else_is_public() -> None:
    shared = {"parse_day", "find_dates", "records", "lists_of_objects"}  # what other modules ask for
    for module in MODULES:
        own = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
        assert {name for name in own if not name.startswith("_")} - shared == set(module.__all__)


@pytest.mark.parametrize(
    ("function", "args", "result"),
    [
        (files.list_files, {"folder": "docs"}, ["docs/faq.md", "docs/guide.md"]),
        (files.list_files, {}, ["catch.csv", "names.txt", "port.json"]),
        (files.write_file, {"path": "out/total.txt", "text": 95}, "out/total.txt"),
        (text.sort_lines, {"items": "b\na\n"}, ["a", "b"]),
        (numbers.sum_numbers, {"numbers": ["1", 2.5, "1,000"]}, 1003.5),
        (numbers.calculate, {"expression": 4}, 4),
        (dates.weekday, {"day": "1969-07-20"}, "Sunday"),
        (tables.column_sum, {"path": "catch.csv", "column": "kilos"}, 16.8),
        (documents.json_value, {"path": "port.json", "query": "server"}, {"port": 8417}),
        (compare.largest_of, {"values": {"a": 1, "b": "2"}}, "b"),
        (units.convert_units, {"value": "5", "from_unit": "km", "to_unit": "m"}, 5000),
    ],
)
def test_is_called_with_json_values(function: Callable[..., Any], args: dict[str, Any], result: Any) -> None:
    assert invoke(function, args) == result


PATHS = [("read_file", "path"), ("file_size", "path"), ("checksum", "path"), ("list_files", "folder"),
         ("choose_file", "folder"), ("write_file", "path")]  # fmt: skip


@pytest.mark.parametrize(("name", "param"), PATHS)
@pytest.mark.parametrize("way_out", ["../secret.txt", "/etc/hostname", "link/secret.txt", "docs/../../secret.txt"])
def test_a_path_that_leaves_the_workspace_is_refused(name: str, param: str, way_out: str, tmp_path: Path) -> None:
    inner = tmp_path / "docs"
    (tmp_path / "secret.txt").write_text("secret")
    (inner / "link").symlink_to(tmp_path)
    workspace.enter(inner)
    with pytest.raises(ToolError, match="workspace"):
        invoke(getattr(files, name), {param: way_out} | ({"text": "x"} if name == "write_file" else {}))
    assert (tmp_path / "secret.txt").read_text() == "secret"

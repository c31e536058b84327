"""Versions of a micro-model: numbered, whole or not there, and moved away rather than deleted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tools.micro import Engine, load, shipped, versions
from tools.plugins import PluginFolder, discover
from tools.registry import Registry, Tool, built_in

PLURAL = next(folder for folder in shipped() if folder.name == "plural")


def test_versions_count_up_and_the_newest_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "plural"
    assert versions.newest(folder) is None
    assert [versions.register(PLURAL, folder, 2).name for _ in range(2)] == ["v2", "v3"]
    assert versions.versions(folder) == [2, 3] and versions.newest(folder) == folder / "v3"
    kept = versions.remove(folder / "v3", tmp_path / "removed")
    assert versions.newest(folder) == folder / "v2" and load(kept).name == "plural"
    versions.remove(folder / "v2", tmp_path / "removed")
    assert not folder.exists()


def test_a_copy_that_was_cut_short_is_no_version(tmp_path: Path) -> None:
    folder = tmp_path / "plural"
    shutil.copytree(PLURAL, folder / ".new-1")
    assert versions.versions(folder) == []
    assert versions.register(PLURAL, folder).name == "v1"
    assert [path.name for path in folder.iterdir()] == ["v1"]


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "plural"
    versions.register(PLURAL, folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        versions.register(PLURAL, folder)
    assert [path.name for path in folder.iterdir()] == ["v1"]


def found(tools: Path) -> list[Tool]:
    return [one for one in discover([PluginFolder(tools)], packages=False) if isinstance(one, Tool)]


def test_a_plugin_folder_offers_the_newest_version(tmp_path: Path) -> None:
    versions.register(PLURAL, tmp_path / "plural", 2)
    versions.register(PLURAL, tmp_path / "plural", 2)
    (tool,) = found(tmp_path)
    assert tool.source.endswith("v3") and tool.call({"word": "city"}) == "cities"


def test_a_model_trained_again_takes_the_place_of_the_one_that_came_with_zooid(tmp_path: Path) -> None:
    from tools.micro_tool import from_folder

    versions.register(PLURAL, tmp_path / "plural", 2)
    tools = Registry()
    tools.add([*built_in(), from_folder(PLURAL, "built-in")])
    tools.add(found(tmp_path))
    now = tools.get("plural")
    assert now and now.source.endswith("v2") and not tools.broken


def test_a_model_that_takes_other_inputs_does_not(tmp_path: Path) -> None:
    from tools.micro_tool import from_folder

    other = Path(shutil.copytree(PLURAL, tmp_path / "other"))
    text = (other / "manifest.toml").read_text(encoding="utf-8")
    text = text.replace("[input.word]", "[input.noun]").replace("{word}", "{noun}").replace("{ word =", "{ noun =")
    (other / "manifest.toml").write_text(text, encoding="utf-8")
    tools = Registry()
    tools.add([from_folder(PLURAL, "built-in"), from_folder(other)])
    assert "is taken by built-in" in tools.broken[0].why
    assert Engine().call(load(other), {"noun": "city"}).value == "cities"

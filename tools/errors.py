"""What can go wrong in a tool; every message names the thing and says what to do."""

from __future__ import annotations


class ToolError(Exception):
    """A tool could not do what was asked; the message is told to the planner and to the person."""


class OutsideWorkspaceError(ToolError):
    """A path leaves the workspace."""


class ArgumentError(ToolError):
    """An argument does not fit the type that the tool declares."""


class ModelFileError(ToolError):
    """A micro-model's folder, manifest or GGUF file cannot be used."""

"""How a command ends that could not do its work: one message for each kind of error, and its exit code."""

from __future__ import annotations

import datetime
import os
import traceback
from pathlib import Path

from agent.errors import ZooidError
from agent.output import Output
from tools import redact
from tools.errors import ToolError

DEFECT = 70


def show(error: Exception, output: Output) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, ZooidError):
        code, message = error.exit_code, str(error)
    elif isinstance(error, ToolError):
        code, message = 1, str(error)
    elif hasattr(error, "format_message"):  # Typer's own: a flag or an argument is wrong
        code, message = 2, _usage(error)
    elif isinstance(error, BrokenPipeError):
        return 0
    else:
        code, message = DEFECT, _defect(error)
    output.error(message, code)
    return code


def _usage(error: Exception) -> str:
    """Typer's words about a flag, on one line, with the place to look it up."""
    said = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    if "unexpected extra argument" in said:
        said += '; a goal or a text of several words goes in quotes ("…")'
    return f"{said[:1].lower()}{said[1:]}; see: {context.command_path if context else 'zooid'} --help"


def _defect(error: Exception) -> str:
    what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    text = redact.text("".join(traceback.format_exception(error)))
    try:
        place = f"what led to it is in {_kept(text)}"
    except OSError:
        place = f"what led to it: {text}"
    return f"this is a defect of zooid ({what}); nothing that was committed is lost; {place}"


def _kept(text: str) -> Path:
    from agent import assemble

    folder = assemble.state_folder() / "defects"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path

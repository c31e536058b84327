"""The SHA-256 of model files that a person brought, computed once for each version of a file, as it takes seconds."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from tools import workspace
from tools.errors import ModelFileError


def digest(path: Path) -> tuple[str, str]:
    """The file's SHA-256, and that which it had when it was last used; the same, or empty, where it had no other."""
    known = _read()
    earlier = known.get(str(path.absolute()), {})
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            # ctime is the system's own and cannot be set back, as mtime can
            mark = [about.st_dev, about.st_ino, about.st_size, about.st_ctime_ns]
            if earlier.get("mark") == mark:
                return earlier["sha256"], earlier["sha256"]
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        way = "check its name and permissions"
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}); {way}") from error
    known[str(path.absolute())] = {"sha256": found, "mark": mark}
    with suppress(OSError):  # what is not kept is computed again
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        workspace.write_atomically(_file(), json.dumps(known, indent=1).encode())
    return found, str(earlier.get("sha256", ""))


def _file() -> Path:
    import platformdirs

    return platformdirs.user_state_path("zooid") / "models.json"


def _read() -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in known.items() if isinstance(v, dict)} if isinstance(known, dict) else {}

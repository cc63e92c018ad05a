"""status.json: readers see all of one status, never a part of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_status(path: Path, status: Mapping[str, object]) -> None:
    """Put `status` in the place of what is at `path`.  Raises OSError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        new.unlink()  # of a process that was killed
    # O_EXCL follows no link, and rename replaces one: whatever others put there is never written through.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(status, file, indent=2)
            file.write("\n")
        new.rename(path)
    except OSError:  # the disk is full, or a directory has this name
        new.unlink()
        raise


def remove_status(path: Path) -> None:
    """Leave nothing behind: who does not run has no status."""
    with suppress(OSError):
        path.unlink()

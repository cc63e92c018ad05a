"""A directory for one test: short enough for unix sockets, and open to the users that daemons become."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def workplace() -> Iterator[Path]:
    """A new directory, mode 0755, removed at the end.

    pytest's own tmp_path is closed to other users (0700), and too long for a socket's path (108 bytes).
    """
    place = Path(tempfile.mkdtemp(prefix="turf-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)

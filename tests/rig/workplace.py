"""A directory for one test: short enough for unix sockets, and open to the users that daemons become."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def workplace() -> Iterator[Path]:
    """A new directory, mode 0755, removed at the end.

    TMPDIR and pytest's tmp_path are often closed to other users (0700), or too long for a socket's path (108 bytes).
    """
    # Whatever our own umask: what is made here must be readable for those users.
    before = os.umask(0o022)
    place = Path(tempfile.mkdtemp(prefix="turf-", dir="/tmp"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)
        os.umask(before)

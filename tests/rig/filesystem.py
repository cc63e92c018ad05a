"""A tiny file system, to run out of space or inodes for real."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tmpfs(directory: Path, *, size: str = "1m", inodes: int = 0, mode: str = "0755") -> Iterator[Path]:
    """Mount a tmpfs on the existing `directory`: `size` as mount(8) writes it, `inodes` 0 is no limit.  Needs root."""
    options = f"size={size},nr_inodes={inodes},mode={mode}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "turf-test", directory], check=True)
    try:
        yield directory
    finally:
        # --lazy: a process that still has a file open there must not keep the mount.
        subprocess.run(["umount", "--lazy", directory], check=True)

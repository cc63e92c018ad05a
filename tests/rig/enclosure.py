"""A program in namespaces of its own: another host name, other files, no directory that is open to all."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

_SCRIPT = Path(__file__).with_name("enclose")


def enclosed(
    command: Sequence[str | Path], *, host: str, files: Mapping[str, Path], shown: Iterable[Path]
) -> list[str]:
    """The command line that runs `command` in an enclosure.  Needs root.

    It sees the host name `host`, and each of the `files` at the path that is its key, in a folder such as /etc or /dev.
    World-writable directories, such as /tmp, are closed and contain nothing but what leads to the paths
    `shown`; all paths are the same inside and outside.  The network is the caller's.
    """
    below = {found for path in shown if (found := _below_open(path))}
    words: list[str | Path] = [
        *sorted({str(Path(name).parent) for name in files}),
        "--",
        *[word for name, path in files.items() for word in (name, path)],
        "--",
        *sorted(below),
        "--",
        *sorted({path.parent for path in below}),
        "--",
        *command,
    ]
    return ["unshare", "--mount", "--uts", str(_SCRIPT), host, *map(str, words)]


def _below_open(path: Path) -> Path | None:
    """The part of `path` immediately below the first world-writable directory."""
    way = [*reversed(path.parents), path]
    for parent, child in pairwise(way):
        if parent.stat().st_mode & stat.S_IWOTH:
            return child
    return None

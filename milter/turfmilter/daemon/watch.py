"""Whether a file in use has changed, and is not being written any more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

State = dict[Path, tuple[int, int, int] | None]


def state(files: Iterable[Path]) -> State:
    """By which a changed file is known: time of change, size and inode; None for one that is not there."""
    return {path: _state(path) for path in files}


class Watch:
    """The files of a generation, as they were when they were read.

    `before` is the state of some of them from before `begun`, the time (seconds since the epoch) when that began.
    """

    def __init__(self, files: Iterable[Path], before: State, begun: float) -> None:
        self._used = {path: before[path] if path in before else _older(_state(path), begun) for path in files}
        self._seen: State = {}

    @property
    def files(self) -> Iterable[Path]:
        """Those that are watched."""
        return self._used.keys()

    def changed(self) -> bool:
        """True once for every change, as soon as two calls in a row have seen the same one.

        A file is often not written at once: half a table is not to be taken for the whole.
        """
        before, self._seen = self._seen, state(self._used)
        if self._seen == self._used or self._seen != before:
            return False
        self._used = self._seen
        return True


def _older(found: tuple[int, int, int] | None, begun: float) -> tuple[int, int, int] | None:
    """What was found, unless it may have changed since it was read: that is as good as a change."""
    return found if found and found[0] < begun * 1e9 else None


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

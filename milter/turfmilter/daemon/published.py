"""Files that tell others what the daemon does: each is replaced as a whole, so that a reader never sees half of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class Published:
    """One file, such as the status.

    `key` is the configuration's key for its path, `mode` its permissions.  `warn` is called if it cannot be written:
    once, and again only after the problem has changed or disappeared.
    """

    def __init__(self, key: str, mode: int, warn: Callable[[str], None]) -> None:
        self._key = key
        self._mode = mode
        self._warn = warn
        self._path: Path | None = None
        self._problem = ""

    def write(self, path: Path | None, text: Callable[[], str]) -> None:
        """Replace the file at `path` by `text`.

        If it was written to another path before, that file is removed.  With None, there is no file any more.
        """
        if self._path != path:
            self.remove()
        self._path, before = path, self._problem
        self._problem = self._written(path, text()) if path else ""
        if self._problem and self._problem != before:
            self._warn(self._problem)

    def remove(self) -> None:
        """Remove the file: a missing file shows that the daemon is not running.  Never raises OSError."""
        if self._path:
            with suppress(OSError):
                self._path.unlink()

    def _written(self, path: Path, text: str) -> str:
        try:
            _replace(path, text, self._mode)
        except OSError as error:
            return f"{self._key}: {path} cannot be written: {error.strerror}"
        return ""


def _replace(path: Path, text: str, mode: int) -> None:
    """Replace the file at `path` in one step.  Raises OSError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        new.unlink()  # left by a process that was killed
    # O_EXCL follows no link, and rename replaces one, so a link that another user planted is never written through.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask: others, such as an exporter, are to read it
            file.write(text)
        new.rename(path)
    except OSError:  # the disk is full, or a directory has this name
        new.unlink()
        raise
